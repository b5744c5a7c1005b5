//! PEM armour: finding blocks inside any surrounding text, and writing them.
//!
//! easy-rsa puts a text dump in front of its certificates and people paste files together, so everything outside
//! a block is ignored. Headers inside a block (`Proc-Type`, `DEK-Info`) are kept: legacy keys need them.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// One armoured object.
pub struct Block {
    /// What stands between `BEGIN ` and the dashes.
    pub label: String,
    /// `Name: value` lines before the body.
    pub headers: Vec<(String, String)>,
    /// The decoded body.
    pub der: Zeroizing<Vec<u8>>,
}

impl Block {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// All complete, decodable blocks of a text, in order.
pub fn blocks(text: &[u8]) -> impl Iterator<Item = Block> + '_ {
    let mut lines = text.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    std::iter::from_fn(move || {
        loop {
            let label = begin_label(lines.next()?);
            if let Some(block) = label.and_then(|label| read_block(label, &mut lines)) {
                return Some(block);
            }
        }
    })
}

/// The first block with this label.
#[must_use]
pub fn first(text: &[u8], label: &str) -> Option<Block> {
    blocks(text).find(|block| block.label == label)
}

/// One object in armour, with lines of 64 characters and a final newline.
#[must_use]
pub fn armour(label: &str, der: &[u8]) -> String {
    wrapped(label, &Base64::encode_string(der))
}

/// [`armour`] for keys: no copy stays in memory.
#[must_use]
pub fn armour_secret(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(Base64::encode_string(der));
    Zeroizing::new(wrapped(label, &body))
}

/// The text is allocated once, so that growing it leaves no copies behind.
fn wrapped(label: &str, body: &str) -> String {
    let overhead = 2 * (label.len() + "-----BEGIN -----\n".len());
    let mut text = String::with_capacity(body.len() + body.len() / LINE_WIDTH + overhead + 2);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_WIDTH));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// The decoded beginning of the first block with this label, from a text that may stop anywhere inside the block.
pub(crate) fn decode_head(text: &[u8], label: &str) -> Option<Vec<u8>> {
    let begin = format!("-----BEGIN {label}-----");
    let lines = text.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    let body = lines.skip_while(|line| *line != begin.as_bytes()).skip(1);
    let mut characters: Vec<u8> =
        body.take_while(|line| !line.starts_with(b"-")).flatten().copied().collect();
    characters.truncate(characters.len() / 4 * 4);
    Base64::decode_vec(std::str::from_utf8(&characters).ok()?).ok()
}

fn begin_label(line: &[u8]) -> Option<String> {
    let label = line.strip_prefix(b"-----BEGIN ")?.strip_suffix(b"-----")?;
    String::from_utf8(label.to_vec()).ok()
}

fn read_block<'a>(label: String, lines: &mut impl Iterator<Item = &'a [u8]>) -> Option<Block> {
    let end = format!("-----END {label}-----");
    let mut headers = Vec::new();
    let mut body = Zeroizing::new(Vec::new());
    for line in lines {
        if line == end.as_bytes() {
            let text = std::str::from_utf8(&body).ok()?;
            let der = Zeroizing::new(Base64::decode_vec(text).ok()?);
            return Some(Block { label, headers, der });
        }
        match std::str::from_utf8(line).ok()?.split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => body.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace())),
        }
    }
    None
}

const LINE_WIDTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h7_3_text_around_a_block_is_ignored() {
        let text = format!("Certificate:\n    Data:\n{}trailing", armour("CERTIFICATE", b"abc"));
        let found: Vec<Block> = blocks(text.as_bytes()).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].label, "CERTIFICATE");
        assert_eq!(*found[0].der, b"abc");
    }

    #[test]
    fn blocks_are_found_by_label_and_windows_line_ends_do_not_matter() {
        let text = format!("{}{}", armour("EC PARAMETERS", b"p"), armour("EC PRIVATE KEY", b"k"));
        let text = text.replace('\n', "\r\n");
        assert_eq!(*first(text.as_bytes(), "EC PRIVATE KEY").unwrap().der, b"k");
        assert!(first(text.as_bytes(), "CERTIFICATE").is_none());
    }

    #[test]
    fn legacy_headers_are_kept() {
        let text =
            "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nYWJj\n-----END X-----\n";
        let block = first(text.as_bytes(), "X").unwrap();
        assert_eq!(block.header("DEK-Info"), Some("AES-256-CBC,00"));
        assert_eq!(*block.der, b"abc");
    }

    #[test]
    fn the_head_of_a_block_is_enough() {
        let text = armour("X", &[7; 200]);
        let head = decode_head(&text.as_bytes()[..100], "X").unwrap();
        assert!(head.len() > 50 && head.iter().all(|octet| *octet == 7));
        assert_eq!(decode_head(text.as_bytes(), "X").unwrap(), [7; 200]);
        assert_eq!(decode_head(text.as_bytes(), "Y").unwrap(), []);
    }

    #[test]
    fn an_unfinished_or_broken_block_is_no_block() {
        assert!(first(b"-----BEGIN X-----\nYWJj\n", "X").is_none());
        assert!(first(b"-----BEGIN X-----\n!!!!\n-----END X-----\n", "X").is_none());
        assert!(first(b"-----BEGIN X-----\nYWJj\n-----END Y-----\n", "X").is_none());
    }

    proptest::proptest! {
        #[test]
        fn armour_round_trips(der in proptest::collection::vec(0_u8.., 0..300)) {
            let text = armour("X", &der);
            proptest::prop_assert!(text.lines().all(|line| line.len() <= 64));
            proptest::prop_assert_eq!(&*first(text.as_bytes(), "X").unwrap().der, &der);
        }
    }
}
