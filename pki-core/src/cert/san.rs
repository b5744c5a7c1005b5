//! Subject alternative names in OpenSSL's notation: `DNS:vpn.example.net, IP:192.0.2.1`.

use std::net::IpAddr;

use super::CertificateError;
use super::extension::{Extension, oid};
use crate::asn1::Encoder;
use crate::x509::der::tag;

/// A non-empty list of checked names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectAltName(Vec<GeneralName>);

impl SubjectAltName {
    /// Reads a list of `KIND:value` joined with commas.
    ///
    /// # Errors
    /// [`CertificateError::SubjectAltName`] for the first entry that is not acceptable.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        let names: Result<Vec<_>, _> =
            text.split(',').map(|entry| GeneralName::parse(entry.trim())).collect();
        names.map(Self)
    }

    pub(crate) fn to_extension(&self) -> Extension {
        let list = |list: &mut Encoder| self.0.iter().for_each(|name| name.encode(list));
        Extension::new(oid::SUBJECT_ALT_NAME, Encoder::sequence_of(list))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum GeneralName {
    Email(String),
    Dns(String),
    Uri(String),
    Address(IpAddr),
}

impl GeneralName {
    fn parse(entry: &str) -> Result<Self, CertificateError> {
        let refused =
            |rule| CertificateError::SubjectAltName { name: entry.escape_debug().to_string(), rule };
        let (kind, value) = entry.split_once(':').ok_or_else(|| refused("the kind is missing"))?;
        match kind.trim().to_ascii_lowercase().as_str() {
            "dns" if is_dns_name(value) => Ok(Self::Dns(value.to_owned())),
            "dns" => Err(refused("a DNS name consists of labels of letters, digits and hyphens")),
            "ip" => value.parse().map(Self::Address).map_err(|_| refused("not an IP address")),
            "email" if is_email(value) => Ok(Self::Email(value.to_owned())),
            "email" => Err(refused("an email address is ASCII with one @")),
            "uri" if is_uri(value) => Ok(Self::Uri(value.to_owned())),
            "uri" => Err(refused("a URI is ASCII and begins with a scheme")),
            _ => Err(refused("the kind is none of DNS, IP, email, URI")),
        }
    }

    fn encode(&self, names: &mut Encoder) {
        match self {
            Self::Email(address) => names.value(tag::context(1), address.as_bytes()),
            Self::Dns(name) => names.value(tag::context(2), name.as_bytes()),
            Self::Uri(uri) => names.value(tag::context(6), uri.as_bytes()),
            Self::Address(IpAddr::V4(address)) => names.value(tag::context(7), &address.octets()),
            Self::Address(IpAddr::V6(address)) => names.value(tag::context(7), &address.octets()),
        }
    }
}

/// Labels of letters, digits, hyphens and underscores; the first may be a wildcard.
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    let labels = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253 && labels.split('.').all(is_label)
}

fn is_email(address: &str) -> bool {
    let is_visible = address.bytes().all(|octet| octet.is_ascii_graphic());
    let parts = address.split_once('@');
    is_visible && parts.is_some_and(|(local, domain)| !local.is_empty() && is_dns_name(domain))
}

fn is_uri(uri: &str) -> bool {
    let is_visible = uri.bytes().all(|octet| octet.is_ascii_graphic());
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme);
    is_visible
        && scheme.is_some_and(|scheme| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_encode_as_rfc_5280_says() {
        let names = SubjectAltName::parse("DNS:a.b, IP:192.0.2.1,IP:::1, email:a@b.c, URI:x:y").unwrap();
        let value = names.to_extension().value;
        let expected: &[&[u8]] = &[
            b"\x30\x29",
            b"\x82\x03a.b",
            b"\x87\x04\xc0\x00\x02\x01",
            b"\x87\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
            b"\x81\x05a@b.c",
            b"\x86\x03x:y",
        ];
        assert_eq!(value, expected.concat());
    }

    #[test]
    fn wrong_names_are_refused() {
        for text in [
            "",
            "a.b",
            "DNS:",
            "DNS:a..b",
            "DNS:-a",
            "DNS:a b",
            "IP:300.0.0.1",
            "email:a",
            "URI:no",
            "RID:1.2",
        ] {
            assert!(SubjectAltName::parse(text).is_err(), "{text}");
        }
        assert!(SubjectAltName::parse("DNS:*.example.net").is_ok());
    }
}
