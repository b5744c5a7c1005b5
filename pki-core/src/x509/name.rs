//! Distinguished names: compared in a canonical form, shown in a safe one.
//!
//! Two names are the same when they have the same attributes in the same order, comparing text regardless of string
//! type, ASCII case and white space (RFC 5280 section 7.1 as OpenSSL applies it). Keys decide who somebody is; equal
//! names only say which keys are worth trying.

use std::fmt;

use super::der::{DerError, DerFault, Element, tag};
use super::oid::{self, Oid};
use crate::text::Printable;

/// A distinguished name as it stands in a certificate.
#[derive(Clone)]
pub struct DistinguishedName {
    attributes: Vec<Attribute>,
    canonical: Box<[u8]>,
}

/// One attribute of a name.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) kind: Oid,
    /// The value, if it is of a string type.
    pub(crate) text: Option<String>,
}

impl DistinguishedName {
    /// Reads a SEQUENCE of relative names.
    pub(crate) fn parse(name: &Element<'_>) -> Result<Self, DerError> {
        let mut parsed = Self::empty();
        let mut canonical = Vec::with_capacity(name.content.len() + 16);
        let mut relative_names = name.reader();
        while !relative_names.is_empty() {
            let relative_name = relative_names.element(tag::SET)?;
            parsed.push_relative_name(&relative_name, &mut canonical)?;
        }
        parsed.canonical = canonical.into();
        Ok(parsed)
    }

    /// This name followed by one more relative name, given as the content of its SET.
    pub(crate) fn with_relative_name(&self, relative_name: &Element<'_>) -> Result<Self, DerError> {
        let mut longer = self.clone();
        let mut canonical = self.canonical.to_vec();
        longer.push_relative_name(relative_name, &mut canonical)?;
        longer.canonical = canonical.into();
        Ok(longer)
    }

    /// Whether the name has no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The attributes that are text, in their order, with their short names; dotted numbers stand for those without one.
    pub fn fields(&self) -> impl Iterator<Item = (String, &str)> {
        self.attributes.iter().filter_map(|attribute| {
            let name = short_name(attribute.kind.as_bytes())
                .map_or_else(|| attribute.kind.to_string(), ToOwned::to_owned);
            Some((name, attribute.text.as_deref()?))
        })
    }

    /// Whether this name lies in the subtree below `base`, or is `base`.
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        self.canonical.starts_with(&base.canonical)
    }

    pub(crate) fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    pub(crate) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    fn empty() -> Self {
        Self { attributes: Vec::new(), canonical: Box::default() }
    }

    /// Every relative name goes into the canonical form behind its length, so that a prefix of the form always ends
    /// between two relative names.
    fn push_relative_name(&mut self, set: &Element<'_>, canonical: &mut Vec<u8>) -> Result<(), DerError> {
        let mut members = set.reader();
        if members.is_empty() {
            return Err(set.error(DerFault::Empty));
        }
        let mut forms = Vec::with_capacity(1);
        while !members.is_empty() {
            let (attribute, form) = parse_attribute(&members.element(tag::SEQUENCE)?)?;
            self.attributes.push(attribute);
            forms.push(form);
        }
        forms.sort_unstable();
        push_with_length(canonical, &forms.concat());
        Ok(())
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for DistinguishedName {}

/// `C=US, O=Org, CN=name`, as OpenVPN logs subjects; hidden characters are escaped.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attributes.iter().enumerate().try_for_each(|(index, attribute)| {
            if index > 0 {
                out.write_str(", ")?;
            }
            write!(out, "{attribute}")
        })
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "DistinguishedName({self})")
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match short_name(self.kind.as_bytes()) {
            Some(name) => out.write_str(name)?,
            None => write!(out, "{}", self.kind)?,
        }
        match &self.text {
            Some(text) => write!(out, "={}", Printable(text)),
            None => out.write_str("=(not text)"),
        }
    }
}

fn parse_attribute(attribute: &Element<'_>) -> Result<(Attribute, Vec<u8>), DerError> {
    let mut fields = attribute.reader();
    let kind = fields.object_identifier()?;
    let value = fields.any()?;
    fields.finish()?;
    let text = decode_text(&value)?;
    let mut form = Vec::with_capacity(attribute.encoded.len() + 8);
    push_with_length(&mut form, kind);
    match &text {
        Some(text) => {
            form.push(tag::UTF8_STRING);
            push_with_length(&mut form, fold(text).as_bytes());
        }
        None => {
            form.push(value.tag);
            push_with_length(&mut form, value.content);
        }
    }
    let kind = Oid::from_content(kind);
    Ok((Attribute { kind, text }, form))
}

/// The text of a string element; `None` for other types.
fn decode_text(value: &Element<'_>) -> Result<Option<String>, DerError> {
    let octets = value.content;
    let text = match value.tag {
        tag::UTF8_STRING => String::from_utf8(octets.to_vec()).ok(),
        tag::PRINTABLE_STRING | tag::IA5_STRING => {
            octets.is_ascii().then(|| octets.iter().map(|&octet| char::from(octet)).collect())
        }
        tag::TELETEX_STRING => Some(octets.iter().map(|&octet| char::from(octet)).collect()),
        tag::BMP_STRING => decode_bmp(octets),
        tag::UNIVERSAL_STRING => decode_universal(octets),
        other if is_simple(other) => return Ok(None),
        _ => None,
    };
    text.map(Some).ok_or(value.error(DerFault::BadString))
}

/// Whether a type may stand for itself in a name: DER writes no string in pieces, and nothing is given another tag here.
fn is_simple(tag: u8) -> bool {
    tag < 0x20 || tag == tag::SEQUENCE || tag == tag::SET
}

fn decode_bmp(octets: &[u8]) -> Option<String> {
    let (units, []) = octets.as_chunks::<2>() else {
        return None;
    };
    units.iter().map(|unit| char::from_u32(u32::from(u16::from_be_bytes(*unit)))).collect()
}

fn decode_universal(octets: &[u8]) -> Option<String> {
    let (units, []) = octets.as_chunks::<4>() else {
        return None;
    };
    units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
}

/// Lower case in ASCII, white space trimmed and collapsed.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().map(|character| character.to_ascii_lowercase()));
    }
    folded
}

fn push_with_length(form: &mut Vec<u8>, octets: &[u8]) {
    form.extend_from_slice(&(octets.len() as u64).to_be_bytes());
    form.extend_from_slice(octets);
}

fn short_name(kind: &[u8]) -> Option<&'static str> {
    Some(match kind {
        oid::COMMON_NAME => "CN",
        oid::EMAIL_ADDRESS => "emailAddress",
        [0x55, 0x04, 0x04] => "SN",
        [0x55, 0x04, 0x05] => "serialNumber",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        [0x55, 0x04, 0x0c] => "title",
        [0x55, 0x04, 0x2a] => "GN",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => "UID",
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::der::only_sequence;
    use super::*;

    #[test]
    fn fields_have_the_names_that_openssl_gives_them() {
        let name = common_name(tag::UTF8_STRING, b"alice");
        assert_eq!(name.fields().collect::<Vec<_>>(), [("CN".to_owned(), "alice")]);
    }

    #[test]
    fn string_type_case_and_white_space_do_not_matter() {
        let name = common_name(tag::UTF8_STRING, b"Easy-RSA  CA ");
        assert_eq!(name, common_name(tag::PRINTABLE_STRING, b"easy-rsa ca"));
        assert_eq!(name, common_name(tag::BMP_STRING, b"\0E\0a\0s\0y\0-\0R\0S\0A\0 \0C\0A"));
        assert_ne!(name, common_name(tag::UTF8_STRING, b"EasyRSA CA"));
    }

    #[test]
    fn only_ascii_letters_lose_their_case() {
        let upper = common_name(tag::UTF8_STRING, "JÜRGEN".as_bytes());
        assert_ne!(upper, common_name(tag::UTF8_STRING, "jürgen".as_bytes()));
        assert_eq!(upper, common_name(tag::TELETEX_STRING, b"J\xdcRGEN"));
    }

    #[test]
    fn octets_that_are_no_text_of_their_type_are_refused() {
        for (tag, octets) in [
            (tag::UTF8_STRING, &b"\xff"[..]),
            (tag::IA5_STRING, &b"\x80"[..]),
            (tag::BMP_STRING, &b"\0a\0"[..]),
            (tag::UNIVERSAL_STRING, &b"\0\x11\0\0"[..]),
            (tag::UTF8_STRING | CONSTRUCTED, &b"\x0c\x01a"[..]),
            (tag::UTF8_STRING | CONTEXT, &b"a"[..]),
        ] {
            let encoded = encode_common_name(tag, octets);
            let error = DistinguishedName::parse(&only_sequence(&encoded).unwrap()).unwrap_err();
            assert_eq!(error.fault, DerFault::BadString);
        }
    }

    #[test]
    fn a_subtree_ends_between_relative_names() {
        let base = common_name(tag::UTF8_STRING, b"ab");
        let longer_text = common_name(tag::UTF8_STRING, b"abc");
        assert!(base.is_within(&base));
        assert!(!longer_text.is_within(&base));
        let relative = encode_common_name(tag::UTF8_STRING, b"below");
        let mut reader = only_sequence(&relative).unwrap().reader();
        let below = base.with_relative_name(&reader.element(tag::SET).unwrap()).unwrap();
        assert!(below.is_within(&base));
        assert!(!base.is_within(&below));
    }

    #[test]
    fn ops_03_the_shown_form_is_one_line() {
        let name = common_name(tag::UTF8_STRING, b"x\nlevel=error");
        assert_eq!(name.to_string(), "CN=x\\u{a}level=error");
    }

    const CONSTRUCTED: u8 = 0x20;
    const CONTEXT: u8 = 0x80;

    fn common_name(tag: u8, text: &[u8]) -> DistinguishedName {
        let encoded = encode_common_name(tag, text);
        DistinguishedName::parse(&only_sequence(&encoded).unwrap()).unwrap()
    }

    pub(crate) fn encode_common_name(tag: u8, text: &[u8]) -> Vec<u8> {
        let element = |tag: u8, parts: &[&[u8]]| {
            let content = parts.concat();
            let mut encoded = vec![tag, u8::try_from(content.len()).unwrap()];
            encoded.extend(content);
            encoded
        };
        let kind = element(tag::OBJECT_IDENTIFIER, &[oid::COMMON_NAME]);
        let attribute = element(tag::SEQUENCE, &[&kind, &element(tag, &[text])]);
        element(tag::SEQUENCE, &[&element(tag::SET, &[&attribute])])
    }
}
