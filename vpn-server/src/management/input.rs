//! Lines out of octets, with a limit.

/// The longest line; a line of stock OpenVPN has 256 octets, a signature or token a few thousand.
pub(super) const MAXIMUM_LINE: usize = 8192;

/// Collects octets into lines.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    pending: Vec<u8>,
    is_skipping: bool,
}

impl LineReader {
    /// Takes octets in and gives the lines that are complete, without their ends. A line beyond the limit is left out.
    pub(super) fn feed(&mut self, octets: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for octet in octets {
            match octet {
                b'\n' => lines.extend(self.end_line()),
                _ if self.is_skipping => {}
                _ if self.pending.len() == MAXIMUM_LINE => self.is_skipping = true,
                _ => self.pending.push(*octet),
            }
        }
        lines
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.pending);
        if std::mem::take(&mut self.is_skipping) {
            return None;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        Some(String::from_utf8_lossy(line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_or_without_a_carriage_return_in_any_pieces() {
        let mut reader = LineReader::default();
        assert_eq!(reader.feed(b"sta"), [""; 0]);
        assert_eq!(reader.feed(b"tus\r\nhelp\n\nlo"), ["status", "help", ""]);
        assert_eq!(reader.feed(b"g\n"), ["log"]);
    }

    #[test]
    fn a_line_has_a_limit_and_the_next_one_is_read_again() {
        let mut reader = LineReader::default();
        let longest = "x".repeat(MAXIMUM_LINE);
        assert_eq!(reader.feed(format!("{longest}\n").as_bytes()), std::slice::from_ref(&longest));
        assert_eq!(reader.feed(format!("{longest}y\nquit\n").as_bytes()), ["quit"]);
        assert_eq!(reader.pending.capacity(), 0);
    }

    #[test]
    fn what_is_no_text_becomes_text() {
        assert_eq!(LineReader::default().feed(b"\xff\xfea\n"), ["\u{fffd}\u{fffd}a"]);
    }
}
