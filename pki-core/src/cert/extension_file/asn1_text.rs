//! OpenSSL's notation for arbitrary ASN.1: `SEQUENCE:section`, `EXP:0,INTEGER:1`, `UTF8:text`.

use der::oid::ObjectIdentifier;

use super::{ExtensionFile, LONGEST_VALUE};
use crate::asn1::Encoder;
use crate::x509::der::tag;

/// The DER of one value. `depth` bounds how deeply sections may refer to each other and values may be wrapped.
pub(super) fn generate(file: &ExtensionFile, text: &str, depth: usize) -> Result<Vec<u8>, String> {
    if depth == 0 {
        return Err("values are nested too deeply".into());
    }
    let (word, rest) = split_word(text.trim());
    let (kind, argument) = match word.split_once(':') {
        Some((kind, argument)) => (kind, Some(argument)),
        None => (word, None),
    };
    if let Some(wrapping) = Wrapping::parse(kind, argument)? {
        let rest = rest.ok_or_else(|| format!("nothing follows {word}"))?;
        return wrapping.apply(&generate(file, rest, depth - 1)?);
    }
    // Everything after the kind belongs to the value, commas included.
    let value = text.trim().split_once(':').map_or("", |(_, value)| value);
    plain(file, kind, value, depth)
}

enum Wrapping {
    Explicit(u8),
    Implicit(u8),
    In(u8),
    Nothing,
}

impl Wrapping {
    fn parse(kind: &str, argument: Option<&str>) -> Result<Option<Self>, String> {
        Ok(Some(match (kind, argument) {
            ("EXP" | "EXPLICIT", Some(number)) => Self::Explicit(context_number(number)?),
            ("IMP" | "IMPLICIT", Some(number)) => Self::Implicit(context_number(number)?),
            ("OCTWRAP", None) => Self::In(tag::OCTET_STRING),
            ("SEQWRAP", None) => Self::In(tag::SEQUENCE),
            ("SETWRAP", None) => Self::In(tag::SET),
            ("BITWRAP", None) => Self::In(tag::BIT_STRING),
            ("FORM" | "FORMAT", Some("ASCII" | "UTF8")) => Self::Nothing,
            ("FORM" | "FORMAT", Some(other)) => return Err(format!("the format {other} is not supported")),
            _ => return Ok(None),
        }))
    }

    fn apply(&self, inner: &[u8]) -> Result<Vec<u8>, String> {
        let mut encoder = Encoder::default();
        match self {
            Self::Nothing => return Ok(inner.to_vec()),
            Self::Explicit(number) => encoder.value(tag::context_constructed(*number), inner),
            Self::Implicit(number) => {
                let (first, rest) = inner.split_first().ok_or("nothing to tag")?;
                let constructed = first & 0x20;
                encoder.raw(&[tag::context(*number) | constructed]);
                encoder.raw(rest);
            }
            Self::In(tag::BIT_STRING) => encoder.bit_string(inner),
            Self::In(outer) => encoder.value(*outer, inner),
        }
        Ok(encoder.into_der())
    }
}

fn plain(file: &ExtensionFile, kind: &str, value: &str, depth: usize) -> Result<Vec<u8>, String> {
    let mut encoder = Encoder::default();
    match kind {
        "NULL" => encoder.null(),
        "BOOL" | "BOOLEAN" => encoder.boolean(boolean(value)?),
        "INT" | "INTEGER" => encoder.unsigned(&number(value)?.to_be_bytes()),
        "ENUM" | "ENUMERATED" => encoder.unsigned_as(tag::ENUMERATED, &number(value)?.to_be_bytes()),
        "OID" | "OBJECT" => encoder.oid(&oid(value)?),
        "UTF8" | "UTF8String" => encoder.value(tag::UTF8_STRING, value.as_bytes()),
        "IA5" | "IA5STRING" => encoder.value(tag::IA5_STRING, ascii(value)?),
        "PRINTABLE" | "PRINTABLESTRING" => encoder.value(tag::PRINTABLE_STRING, ascii(value)?),
        "VISIBLE" | "VISIBLESTRING" => encoder.value(VISIBLE_STRING, ascii(value)?),
        "GENSTR" | "GeneralString" => encoder.value(GENERAL_STRING, ascii(value)?),
        "OCT" | "OCTETSTRING" => encoder.value(tag::OCTET_STRING, value.as_bytes()),
        "SEQ" | "SEQUENCE" => encoder.value(tag::SEQUENCE, &members(file, value, depth)?.concat()),
        "SET" => {
            let mut members = members(file, value, depth)?;
            members.sort();
            encoder.value(tag::SET, &members.concat());
        }
        other => return Err(format!("the type {other} is not supported")),
    }
    Ok(encoder.into_der())
}

fn members(file: &ExtensionFile, section: &str, depth: usize) -> Result<Vec<Vec<u8>>, String> {
    if section.is_empty() {
        return Ok(Vec::new());
    }
    let mut members = Vec::new();
    let mut total = 0;
    for setting in file.section(section)? {
        let member = generate(file, &setting.value, depth - 1)?;
        total += member.len();
        // A few short sections that repeat each other would fill the memory otherwise.
        if total > LONGEST_VALUE {
            return Err(format!("it becomes longer than {LONGEST_VALUE} octets"));
        }
        members.push(member);
    }
    Ok(members)
}

pub(super) fn oid(text: &str) -> Result<ObjectIdentifier, String> {
    ObjectIdentifier::new(text.trim()).map_err(|_| format!("'{text}' is no object identifier"))
}

pub(super) fn number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| format!("'{text}' is not a number from 0 on"))
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" => Ok(true),
        "false" | "n" | "no" => Ok(false),
        other => Err(format!("'{other}' is neither TRUE nor FALSE")),
    }
}

fn ascii(text: &str) -> Result<&[u8], String> {
    if text.is_ascii() { Ok(text.as_bytes()) } else { Err(format!("'{text}' is not ASCII")) }
}

fn context_number(text: &str) -> Result<u8, String> {
    let digits = text.trim_end_matches(['C', 'c']);
    digits.parse().ok().filter(|number| *number < 31).ok_or_else(|| format!("'{text}' is no tag number"))
}

/// The text up to the first comma, and what follows it.
fn split_word(text: &str) -> (&str, Option<&str>) {
    match text.split_once(',') {
        Some((word, rest)) => (word.trim(), Some(rest)),
        None => (text, None),
    }
}

pub(super) const MAX_DEPTH: usize = 16;
const VISIBLE_STRING: u8 = 0x1a;
const GENERAL_STRING: u8 = 0x1b;

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<Vec<u8>, String> {
        let file =
            ExtensionFile::parse("[pair]\nb=INTEGER:2\na=INTEGER:1\n[loop]\na=SEQUENCE:loop\n", |_| None);
        generate(&file.unwrap(), text, MAX_DEPTH)
    }

    #[test]
    fn values_encode_as_openssl_generates_them() {
        assert_eq!(made("INTEGER:128").unwrap(), [2, 2, 0, 128]);
        assert_eq!(made("INT:0x10").unwrap(), [2, 1, 16]);
        assert_eq!(made("UTF8:a,b").unwrap(), b"\x0c\x03a,b");
        assert_eq!(made("EXP:1,GeneralString:x").unwrap(), [0xa1, 3, 0x1b, 1, b'x']);
        assert_eq!(made("IMP:2,IA5:x").unwrap(), [0x82, 1, b'x']);
        assert_eq!(made("SEQUENCE:pair").unwrap(), [0x30, 6, 2, 1, 2, 2, 1, 1]);
        assert_eq!(made("SET:pair").unwrap(), [0x31, 6, 2, 1, 1, 2, 1, 2]);
        assert_eq!(made("OCTWRAP,BOOLEAN:TRUE").unwrap(), [4, 3, 1, 1, 0xff]);
        assert_eq!(made("NULL").unwrap(), [5, 0]);
        assert_eq!(made("OID:2.5.29.37.0").unwrap(), [6, 4, 0x55, 0x1d, 0x25, 0]);
    }

    #[test]
    fn mistakes_are_errors() {
        for text in [
            "",
            "INTEGER:-1",
            "INTEGER:x",
            "NONSENSE:1",
            "SEQUENCE:none",
            "EXP:1",
            "EXP:40,NULL",
            "OID:x",
            "SEQUENCE:loop",
        ] {
            assert!(made(text).is_err(), "{text}");
        }
    }
}
