//! PEM armour: finding objects inside any surrounding text, and writing them.
//!
//! easy-rsa puts a text dump in front of its certificates and people paste files together, so everything outside
//! a block is ignored. Headers inside a block (`Proc-Type`, `DEK-Info`) are kept: legacy keys need them.
//!
//! One scanner, two ways to use it. [`certificates`] and [`revocation_lists`] want all objects of a file, so a damaged
//! block is an error: a half-written file must not pass for a shorter one. [`blocks`] looks for an object among others
//! and skips what cannot be read.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// Why a file holds no readable objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Neither a `-----BEGIN` line of the wanted kind nor DER.
    #[error("no {wanted} in it: neither a \"-----BEGIN {wanted}-----\" line nor DER")]
    NothingFound {
        /// The label of the wanted objects.
        wanted: &'static str,
    },
    /// A block without an end, or with characters that are not base64.
    #[error("damaged PEM: {0}")]
    Damaged(PemDamage),
}

/// What is wrong inside a PEM block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemDamage {
    /// The `-----END` line is missing: a half-written file.
    #[error("a block has no END line")]
    NoEnd,
    /// The content is not base64.
    #[error("a block is not base64")]
    NotBase64,
    /// The `-----BEGIN` line is malformed.
    #[error("a BEGIN line is malformed")]
    BadBegin,
}

/// Every certificate of a file, in its order: PEM with any text around it, or one certificate in DER.
///
/// # Errors
/// [`PemError`].
pub fn certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    objects(file, CERTIFICATE, |label| label == CERTIFICATE || label == "X509 CERTIFICATE")
}

/// Every revocation list of a file, in its order: PEM with any text around it, or one list in DER.
///
/// # Errors
/// [`PemError`].
pub fn revocation_lists(file: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    objects(file, REVOCATION_LIST, |label| label == REVOCATION_LIST)
}

fn objects(
    file: &[u8],
    wanted: &'static str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Vec<u8>>, PemError> {
    if starts_as_der(file) {
        return Ok(vec![file.to_vec()]);
    }
    let mut found = Vec::new();
    for section in Sections::of(file) {
        let section = section.map_err(PemError::Damaged)?;
        if is_wanted(section.label) {
            found.push(section.decode().map_err(PemError::Damaged)?);
        }
    }
    if found.is_empty() { Err(PemError::NothingFound { wanted }) } else { Ok(found) }
}

/// A SEQUENCE with a long length: text in front of PEM never looks like it, small DER objects do not exist here.
fn starts_as_der(file: &[u8]) -> bool {
    matches!(file, [0x30, length, ..] if *length >= 0x80)
}

/// One armoured object, decoded into memory that is wiped.
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
    Sections::of(text).filter_map(|section| section.ok()?.to_block())
}

/// The first block with this label.
#[must_use]
pub fn first(text: &[u8], label: &str) -> Option<Block> {
    Sections::of(text)
        .filter_map(Result::ok)
        .filter(|section| section.label == label)
        .find_map(|section| section.to_block())
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

/// A block as it stands in the text, from its BEGIN line to its END line.
struct Section<'a> {
    label: &'a str,
    lines: &'a [u8],
}

impl Section<'_> {
    fn decode(&self) -> Result<Vec<u8>, PemDamage> {
        let mut body = Vec::with_capacity(self.lines.len());
        self.collect_body(&mut body);
        decode_body(&body)
    }

    fn to_block(&self) -> Option<Block> {
        let mut body = Zeroizing::new(Vec::with_capacity(self.lines.len()));
        self.collect_body(&mut body);
        Some(Block {
            label: self.label.to_owned(),
            headers: self.headers(),
            der: Zeroizing::new(decode_body(&body).ok()?),
        })
    }

    fn collect_body(&self, body: &mut Vec<u8>) {
        for line in lines(self.lines).filter(|line| !line.contains(&b':')) {
            body.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace()));
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        let pair = |line: &[u8]| {
            let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
            Some((name.to_owned(), value.trim_start().to_owned()))
        };
        lines(self.lines).filter_map(pair).collect()
    }
}

fn decode_body(body: &[u8]) -> Result<Vec<u8>, PemDamage> {
    let text = std::str::from_utf8(body).map_err(|_| PemDamage::NotBase64)?;
    Base64::decode_vec(text).map_err(|_| PemDamage::NotBase64)
}

/// The blocks of a text in order, complete or not.
struct Sections<'a> {
    rest: &'a [u8],
}

impl<'a> Sections<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    fn next_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(line.trim_ascii())
    }

    /// The lines up to the END line of this label.
    fn until_end(&mut self, label: &str) -> Option<&'a [u8]> {
        let end = format!("-----END {label}-----");
        let body = self.rest;
        loop {
            let length = body.len() - self.rest.len();
            if self.next_line()? == end.as_bytes() {
                return Some(&body[..length]);
            }
        }
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<Section<'a>, PemDamage>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(rest) = self.next_line()?.strip_prefix(b"-----BEGIN ") else {
                continue;
            };
            let label = rest.strip_suffix(b"-----").and_then(|label| std::str::from_utf8(label).ok());
            let Some(label) = label else {
                return Some(Err(PemDamage::BadBegin));
            };
            let lines = self.until_end(label).ok_or(PemDamage::NoEnd);
            return Some(lines.map(|lines| Section { label, lines }));
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii)
}

const LINE_WIDTH: usize = 64;
const CERTIFICATE: &str = "CERTIFICATE";
const REVOCATION_LIST: &str = "X509 CRL";

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

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

    #[test]
    fn all_objects_of_a_file_are_read_and_other_kinds_are_skipped() {
        let key = BLOCK.replace("CERTIFICATE", "PRIVATE KEY");
        let file = format!("Certificate:\n    Data:\n{BLOCK}words\r\n{key}{BLOCK}");
        assert_eq!(certificates(file.as_bytes()).unwrap(), [[0x30, 0x00], [0x30, 0x00]]);
    }

    #[test]
    fn a_half_written_block_is_an_error_not_an_absence() {
        let damaged = |text: &str| certificates(text.as_bytes()).unwrap_err();
        assert_eq!(damaged(&BLOCK[..40]), PemError::Damaged(PemDamage::NoEnd));
        assert_eq!(damaged(&format!("{BLOCK}{}", &BLOCK[..40])), PemError::Damaged(PemDamage::NoEnd));
        assert_eq!(damaged(&BLOCK.replace("MAA=", "M*A=")), PemError::Damaged(PemDamage::NotBase64));
        assert_eq!(damaged(&BLOCK.replace("TE-----\nM", "TE---\nM")), PemError::Damaged(PemDamage::BadBegin));
    }

    #[test]
    fn text_without_a_block_has_nothing() {
        assert_eq!(
            revocation_lists(BLOCK.as_bytes()).unwrap_err().to_string(),
            "no X509 CRL in it: neither a \"-----BEGIN X509 CRL-----\" line nor DER"
        );
        assert!(certificates(b"").is_err());
    }

    #[test]
    fn one_object_in_der_needs_no_armour() {
        assert_eq!(certificates(&[0x30, 0x81, 0x80]).unwrap(), [[0x30, 0x81, 0x80]]);
    }

    proptest::proptest! {
        #[test]
        fn armour_round_trips(der in proptest::collection::vec(0_u8.., 0..300)) {
            let text = armour("X", &der);
            proptest::prop_assert!(text.lines().all(|line| line.len() <= 64));
            proptest::prop_assert_eq!(&*first(text.as_bytes(), "X").unwrap().der, &der);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "(-----(BEGIN|END) [A-Z]{0,2}-----\n|[a-zA-Z:= ]{0,9}\n)*") {
            let _ = blocks(text.as_bytes()).count();
            let _ = certificates(text.as_bytes());
        }
    }
}
