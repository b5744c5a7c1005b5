//! X.509 extensions as values: identifier, criticality, DER. What goes into which certificate is decided in
//! [`super::profile`].

use der::oid::ObjectIdentifier;
use sha1::{Digest, Sha1};

use crate::asn1::Encoder;
use crate::key::public_key_octets;
use crate::serial::Serial;
use crate::x509::der::tag;

/// One extension of a certificate, request or list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) is_critical: bool,
    /// DER of the extension's own type.
    pub(crate) value: Vec<u8>,
}

impl Extension {
    pub(crate) fn encode(&self, extensions: &mut Encoder) {
        extensions.sequence(|extension| {
            extension.oid(&self.oid);
            if self.is_critical {
                extension.boolean(true);
            }
            extension.value(tag::OCTET_STRING, &self.value);
        });
    }

    /// The same extension marked critical or not.
    #[must_use]
    pub fn critical(mut self, is_critical: bool) -> Self {
        self.is_critical = is_critical;
        self
    }

    pub(crate) fn basic_constraints(authority: Option<PathLength>) -> Self {
        Self::new(
            oid::BASIC_CONSTRAINTS,
            Encoder::sequence_of(|constraints| {
                let Some(authority) = authority else { return };
                constraints.boolean(true);
                if let PathLength::AtMost(length) = authority {
                    constraints.unsigned(&[length]);
                }
            }),
        )
    }

    pub(crate) fn key_usage(usages: &[KeyUsage]) -> Self {
        let bits = usages.iter().fold(0_u16, |bits, usage| bits | 0x8000 >> (*usage as u16));
        let mut value = Encoder::default();
        value.named_bits(bits);
        Self::new(oid::KEY_USAGE, value.into_der())
    }

    pub(crate) fn extended_key_usage(purposes: &[ObjectIdentifier]) -> Self {
        let list = |list: &mut Encoder| purposes.iter().for_each(|purpose| list.oid(purpose));
        Self::new(oid::EXTENDED_KEY_USAGE, Encoder::sequence_of(list))
    }

    pub(crate) fn subject_key_identifier(key_identifier: &[u8]) -> Self {
        let mut value = Encoder::default();
        value.value(tag::OCTET_STRING, key_identifier);
        Self::new(oid::SUBJECT_KEY_IDENTIFIER, value.into_der())
    }

    pub(crate) fn authority_key_identifier(
        key_identifier: &[u8],
        issuer: Option<IssuerAndSerial<'_>>,
    ) -> Self {
        Self::new(
            oid::AUTHORITY_KEY_IDENTIFIER,
            Encoder::sequence_of(|identifier| {
                identifier.value(tag::context(0), key_identifier);
                let Some(issuer) = issuer else { return };
                identifier.nested(tag::context_constructed(1), |names| {
                    names.nested(tag::context_constructed(4), |directory| directory.raw(issuer.issuer));
                });
                identifier.unsigned_as(tag::context(2), issuer.serial.as_be_bytes());
            }),
        )
    }

    pub(crate) fn crl_number(number: &Serial) -> Self {
        let mut value = Encoder::default();
        value.unsigned(number.as_be_bytes());
        Self::new(oid::CRL_NUMBER, value.into_der())
    }

    pub(crate) fn new(oid: ObjectIdentifier, value: Vec<u8>) -> Self {
        Self { oid, is_critical: false, value }
    }
}

/// How many authorities may stand below an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathLength {
    /// As many as there are.
    Unlimited,
    /// At most this many.
    AtMost(u8),
}

/// The long form of an authority key identifier.
#[derive(Clone, Copy)]
pub(crate) struct IssuerAndSerial<'a> {
    /// DER of the name of the issuer of the authority's certificate.
    pub(crate) issuer: &'a [u8],
    /// The serial number of the authority's certificate.
    pub(crate) serial: &'a Serial,
}

/// Bit positions of RFC 5280 section 4.2.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUsage {
    DigitalSignature = 0,
    KeyEncipherment = 2,
    KeyCertSign = 5,
    CrlSign = 6,
}

/// The key identifier that easy-rsa's `hash` stands for: SHA-1 of the public key's octets.
pub(crate) fn key_identifier(public_key_info: &[u8]) -> Vec<u8> {
    let octets = public_key_octets(public_key_info).unwrap_or(public_key_info);
    Sha1::digest(octets).to_vec()
}

/// Object identifiers of extensions and purposes.
pub(crate) mod oid {
    use super::ObjectIdentifier;

    pub(crate) const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
    pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
    pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
    pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
    pub(crate) const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
    pub(crate) const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
    pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
    pub(crate) const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
    pub(crate) const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_usage_bits_are_those_of_rfc_5280() {
        let authority = Extension::key_usage(&[KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
        assert_eq!(authority.value, [3, 2, 1, 0x06]);
        let leaf = Extension::key_usage(&[KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]);
        assert_eq!(leaf.value, [3, 2, 5, 0xa0]);
    }

    #[test]
    fn basic_constraints_of_a_leaf_are_empty() {
        assert_eq!(Extension::basic_constraints(None).value, [0x30, 0]);
        let root = Extension::basic_constraints(Some(PathLength::Unlimited));
        assert_eq!(root.value, [0x30, 3, 1, 1, 0xff]);
        let last = Extension::basic_constraints(Some(PathLength::AtMost(0)));
        assert_eq!(last.value, [0x30, 6, 1, 1, 0xff, 2, 1, 0]);
    }
}
