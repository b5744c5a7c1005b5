//! Object identifiers as their DER content octets, and the ones that X.509 reading needs.

use std::fmt;

/// An object identifier.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Oid(Box<[u8]>);

impl Oid {
    /// An identifier from the content octets of its DER form, which the reader has checked.
    pub(crate) fn from_content(content: &[u8]) -> Self {
        Self(content.into())
    }

    /// The content octets of the DER form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Dotted decimal; an arc beyond 64 bits is shown as `?`.
impl fmt::Display for Oid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arcs = self.0.split_inclusive(|octet| octet & 0x80 == 0).map(arc);
        match arcs.next().flatten() {
            Some(first) if first < 80 => write!(out, "{}.{}", first / 40, first % 40)?,
            Some(first) => write!(out, "2.{}", first - 80)?,
            None => out.write_str("?")?,
        }
        arcs.try_for_each(|arc| match arc {
            Some(number) => write!(out, ".{number}"),
            None => out.write_str(".?"),
        })
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Oid({self})")
    }
}

fn arc(octets: &[u8]) -> Option<u64> {
    let fits = octets.len() <= 9;
    fits.then(|| octets.iter().fold(0, |number, octet| number << 7 | u64::from(octet & 0x7f)))
}

pub(crate) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
pub(crate) const SERIAL_NUMBER: &[u8] = &[0x55, 0x04, 0x05];
pub(crate) const USER_ID: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01];
/// 1.3.6.1.4.1.311.20.2.3
pub(crate) const USER_PRINCIPAL_NAME: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03];
pub(crate) const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

pub(crate) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x0e];
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
pub(crate) const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
pub(crate) const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
pub(crate) const REASON_CODE: &[u8] = &[0x55, 0x1d, 0x15];
pub(crate) const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 0x18];
pub(crate) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 0x1b];
pub(crate) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 0x1c];
pub(crate) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 0x1d];
pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
pub(crate) const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
pub(crate) const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 0x20];
pub(crate) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x23];
pub(crate) const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x24];
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
pub(crate) const AUTHORITY_INFORMATION_ACCESS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01];

pub(crate) const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_dotted_decimal() {
        assert_eq!(Oid::from_content(EXTENDED_KEY_USAGE).to_string(), "2.5.29.37");
        assert_eq!(Oid::from_content(EMAIL_ADDRESS).to_string(), "1.2.840.113549.1.9.1");
        assert_eq!(Oid::from_content(&[0x88, 0x37, 0x03]).to_string(), "2.999.3");
        let long_arc = [0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(Oid::from_content(&long_arc).to_string(), "1.2.?");
    }
}
