//! Writing DER, as much of it as certificates, requests and revocation lists need; writing cannot fail.
//!
//! Reading is in [`crate::x509::der`]. Meaning is given elsewhere; this module knows only tags and lengths.

use der::oid::ObjectIdentifier;

use crate::time::Timestamp;
use crate::x509::der::tag;

/// Collects DER values one after the other.
#[derive(Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    /// The DER of one SEQUENCE filled by `fill`.
    pub(crate) fn sequence_of(fill: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut encoder = Self::default();
        encoder.sequence(fill);
        encoder.0
    }

    pub(crate) fn value(&mut self, tag: u8, content: &[u8]) {
        self.0.push(tag);
        self.length(content.len());
        self.0.extend_from_slice(content);
    }

    /// A constructed value whose content `fill` writes.
    pub(crate) fn nested(&mut self, tag: u8, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.value(tag, &inner.0);
    }

    pub(crate) fn sequence(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nested(tag::SEQUENCE, fill);
    }

    /// Complete DER values that exist already, byte for byte.
    pub(crate) fn raw(&mut self, der: &[u8]) {
        self.0.extend_from_slice(der);
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.value(tag::BOOLEAN, &[if value { 0xff } else { 0 }]);
    }

    /// A non-negative INTEGER from big-endian octets.
    pub(crate) fn unsigned(&mut self, octets: &[u8]) {
        self.unsigned_as(tag::INTEGER, octets);
    }

    /// A non-negative INTEGER under another tag.
    pub(crate) fn unsigned_as(&mut self, tag: u8, octets: &[u8]) {
        let significant = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
        let mut content = Vec::with_capacity(octets.len() + 1);
        if octets.get(significant).is_none_or(|first| first & 0x80 != 0) {
            content.push(0);
        }
        content.extend_from_slice(&octets[significant..]);
        self.value(tag, &content);
    }

    pub(crate) fn oid(&mut self, oid: &ObjectIdentifier) {
        self.value(tag::OBJECT_IDENTIFIER, oid.as_bytes());
    }

    pub(crate) fn null(&mut self) {
        self.value(tag::NULL, &[]);
    }

    /// A BIT STRING whose last octet is complete.
    pub(crate) fn bit_string(&mut self, octets: &[u8]) {
        let mut content = Vec::with_capacity(octets.len() + 1);
        content.push(0);
        content.extend_from_slice(octets);
        self.value(tag::BIT_STRING, &content);
    }

    /// A BIT STRING of named bits, bit 0 being the most significant; trailing zero bits are left out.
    pub(crate) fn named_bits(&mut self, bits: u16) {
        let octets = bits.to_be_bytes();
        let used = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        let unused_bits = octets[..used].last().map_or(0, |last| last.trailing_zeros());
        let mut content = vec![u8::try_from(unused_bits).unwrap_or(0)];
        content.extend_from_slice(&octets[..used]);
        self.value(tag::BIT_STRING, &content);
    }

    /// UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
    pub(crate) fn time(&mut self, at: Timestamp) {
        let digits = at.to_digits();
        if digits.len() == UTC_TIME_LENGTH {
            self.value(tag::UTC_TIME, digits.as_bytes());
        } else {
            self.value(tag::GENERALIZED_TIME, digits.as_bytes());
        }
    }

    pub(crate) fn into_der(self) -> Vec<u8> {
        self.0
    }

    fn length(&mut self, length: usize) {
        if let Ok(short @ 0..0x80) = u8::try_from(length) {
            self.0.push(short);
            return;
        }
        let octets = length.to_be_bytes();
        let significant = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
        let count = octets.len() - significant;
        self.0.push(0x80 | u8::try_from(count).unwrap_or(0));
        self.0.extend_from_slice(&octets[significant..]);
    }
}

const UTC_TIME_LENGTH: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::Reader;

    fn encoded(fill: impl FnOnce(&mut Encoder)) -> Vec<u8> {
        let mut encoder = Encoder::default();
        fill(&mut encoder);
        encoder.into_der()
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(encoded(|der| der.unsigned(&[])), [2, 1, 0]);
        assert_eq!(encoded(|der| der.unsigned(&[0, 0, 1])), [2, 1, 1]);
        assert_eq!(encoded(|der| der.unsigned(&[0x80])), [2, 2, 0, 0x80]);
    }

    #[test]
    fn named_bits_drop_trailing_zeros() {
        assert_eq!(encoded(|der| der.named_bits(0x8000)), [3, 2, 7, 0x80]);
        assert_eq!(encoded(|der| der.named_bits(0x0600)), [3, 2, 1, 0x06]);
        assert_eq!(encoded(|der| der.named_bits(0x0080)), [3, 3, 7, 0, 0x80]);
        assert_eq!(encoded(|der| der.named_bits(0)), [3, 1, 0]);
    }

    #[test]
    fn pki_08_time_switches_to_generalized_time_in_2050() {
        let last_utc = Timestamp::YEAR_2050.plus_seconds(-1);
        assert_eq!(encoded(|der| der.time(last_utc))[0], tag::UTC_TIME);
        assert_eq!(encoded(|der| der.time(Timestamp::YEAR_2050))[0], tag::GENERALIZED_TIME);
        for point in [last_utc, Timestamp::YEAR_2050, Timestamp::from_unix_seconds(0)] {
            assert_eq!(Reader::new(&encoded(|der| der.time(point))).time(), Ok(point));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_can_be_read(content in proptest::collection::vec(0_u8.., 0..70_000)) {
            let der = encoded(|der| der.value(tag::OCTET_STRING, &content));
            proptest::prop_assert_eq!(Reader::new(&der).octet_string().unwrap().content, content.as_slice());
        }
    }
}
