//! Characters that must not reach a log line or decide who somebody is.

use std::fmt;

/// Whether a character is invisible, moves the cursor, or changes the reading direction.
///
/// Controls (Cc), line and paragraph separators, bidirectional controls, zero-width characters and the soft hyphen
/// (threat model CRT-07, OPS-03).
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Text of a peer, fit for one line of a log: deceptive characters and backslashes are escaped.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().try_for_each(|character| match character {
            '\\' => out.write_str("\\\\"),
            hidden if is_deceptive(hidden) => write!(out, "{}", hidden.escape_unicode()),
            plain => out.write_char(plain),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_03_ordinary_names_are_printed_as_they_are() {
        for name in ["client1.domain.tld", "alice@company.com", "Zoë Ünïcode 東京", ""] {
            assert_eq!(Printable(name).to_string(), name);
        }
    }

    #[test]
    fn ops_03_a_name_cannot_end_a_line_or_drive_a_terminal() {
        let cases = [
            ("a\nb", "a\\u{a}b"),
            ("a\r\u{1b}[31mb", "a\\u{d}\\u{1b}[31mb"),
            ("a\u{9b}31m", "a\\u{9b}31m"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("a\\nb", "a\\\\nb"),
            ("a\0b", "a\\u{0}b"),
        ];
        for (name, printable) in cases {
            assert_eq!(Printable(name).to_string(), printable);
        }
    }

    proptest::proptest! {
        #[test]
        fn ops_03_nothing_deceptive_remains_and_different_names_stay_different(a in ".{0,20}", b in ".{0,20}") {
            let (shown_a, shown_b) = (Printable(&a).to_string(), Printable(&b).to_string());
            proptest::prop_assert!(!shown_a.chars().any(is_deceptive));
            proptest::prop_assert_eq!(a == b, shown_a == shown_b);
        }
    }
}
