//! DER, as much of it as certificates, requests and revocation lists need.
//!
//! [`Encoder`] writes and cannot fail; [`Reader`] walks definite-length, minimally encoded values and answers `None`
//! for everything else. Meaning is given elsewhere; this module knows only tags and lengths.

use der::oid::ObjectIdentifier;

use crate::time::Timestamp;

/// Identifier octets.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number] EXPLICIT` or a constructed `[number] IMPLICIT`.
    pub(crate) const fn context(number: u8) -> u8 {
        0xa0 | number
    }

    /// A primitive `[number] IMPLICIT`.
    pub(crate) const fn context_primitive(number: u8) -> u8 {
        0x80 | number
    }
}

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
        self.value(tag::OID, oid.as_bytes());
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

/// One DER value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Tag, length and content together.
    pub(crate) whole: &'a [u8],
}

/// Walks the DER values of a slice from left to right.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// The content of the one value with this tag that fills `der`.
    pub(crate) fn only(der: &'a [u8], tag: u8) -> Option<Self> {
        let mut reader = Self(der);
        let content = reader.expect(tag)?;
        reader.is_empty().then_some(Self(content))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn next_tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value, whatever it is.
    pub(crate) fn element(&mut self) -> Option<Element<'a>> {
        let header = Header::parse(self.0)?;
        let end = header.length.checked_add(header.content)?;
        let whole = self.0.get(..end)?;
        self.0 = &self.0[end..];
        Some(Element { tag: header.tag, content: &whole[header.length..], whole })
    }

    /// The content of the next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.optional(tag)
    }

    /// The content of the next value if it has this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.next_tag()? != tag {
            return None;
        }
        self.element().map(|element| element.content)
    }

    /// Steps into the next value without asking that all of its content is there.
    pub(crate) fn enter_prefix(&mut self, tag: u8) -> Option<()> {
        let header = Header::parse(self.0)?;
        if header.tag != tag {
            return None;
        }
        self.0 = &self.0[header.length..];
        Some(())
    }

    /// The next value as a point in time (UTCTime or GeneralizedTime in DER form).
    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        let element = self.element()?;
        let digits = std::str::from_utf8(element.content).ok()?;
        match element.tag {
            tag::UTC_TIME if digits.len() == UTC_TIME_LENGTH => Timestamp::from_digits(digits),
            tag::GENERALIZED_TIME if digits.len() == UTC_TIME_LENGTH + 2 => Timestamp::from_digits(digits),
            _ => None,
        }
    }
}

struct Header {
    tag: u8,
    /// Octets of tag and length.
    length: usize,
    /// Octets of content.
    content: usize,
}

impl Header {
    fn parse(der: &[u8]) -> Option<Self> {
        let (&tag, rest) = der.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        if first < 0x80 {
            return Some(Self { tag, length: 2, content: first.into() });
        }
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let octets = rest.get(..count)?;
        let content = octets.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
        let is_minimal = octets[0] != 0 && content >= 0x80;
        is_minimal.then_some(Self { tag, length: 2 + count, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(Reader::new(&encoded(|der| der.time(point))).time(), Some(point));
        }
    }

    #[test]
    fn crt_05_the_reader_refuses_what_is_not_der() {
        assert!(Reader::new(&[0x30, 0x80, 0, 0]).element().is_none(), "indefinite length");
        assert!(Reader::new(&[0x30, 0x81, 1, 0]).element().is_none(), "length not minimal");
        assert!(Reader::new(&[0x30, 2, 0]).element().is_none(), "content cut off");
        assert!(Reader::only(&[0x30, 0, 0], tag::SEQUENCE).is_none(), "trailing octet");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_can_be_read(content in proptest::collection::vec(0_u8.., 0..70_000)) {
            let der = encoded(|der| der.value(tag::OCTET_STRING, &content));
            proptest::prop_assert_eq!(Reader::new(&der).expect(tag::OCTET_STRING), Some(content.as_slice()));
        }

        #[test]
        fn the_reader_never_panics(der in proptest::collection::vec(0_u8.., 0..64)) {
            let mut reader = Reader::new(&der);
            while reader.element().is_some() {}
        }
    }
}
