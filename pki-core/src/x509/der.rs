//! A reader for the distinguished encoding rules (X.690), and only for them.
//!
//! Refuses indefinite and non-minimal lengths, non-minimal integers, booleans other than 00 and FF, and bytes after
//! the last element. Never allocates and never recurses: the caller walks the structure it expects.

use std::ops::Range;

use crate::time::Timestamp;

/// Tags of the universal class used in X.509.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// The tag of a primitive element tagged `[number]` in the context class.
    #[must_use]
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// The tag of a constructed element tagged `[number]` in the context class.
    #[must_use]
    pub(crate) const fn context_constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// Where and why octets are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: {fault}")]
pub struct DerError {
    /// Octets before the faulty element, counted from the start of the whole structure.
    pub offset: usize,
    /// What is wrong there.
    pub fault: DerFault,
}

/// The ways in which octets fail to be the expected DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DerFault {
    #[error("the data ends inside an element")]
    Truncated,
    #[error("indefinite length")]
    IndefiniteLength,
    #[error("length not in its shortest form")]
    NonMinimalLength,
    #[error("length of 4 GiB or more")]
    LengthTooLarge,
    #[error("tag number above 30")]
    HighTagNumber,
    #[error("tag {found:#04x} where {expected:#04x} belongs")]
    UnexpectedTag { expected: u8, found: u8 },
    #[error("bytes after the last element")]
    TrailingBytes,
    #[error("integer not in its shortest form")]
    NonMinimalInteger,
    #[error("integer out of range")]
    IntegerOutOfRange,
    #[error("boolean is neither 00 nor FF")]
    BadBoolean,
    #[error("malformed bit string")]
    BadBitString,
    #[error("malformed object identifier")]
    BadObjectIdentifier,
    #[error("malformed or impossible time")]
    BadTime,
    #[error("characters that the string type does not allow")]
    BadString,
    #[error("empty where at least one element is required")]
    Empty,
    #[error("value not allowed here")]
    BadValue,
}

/// One element: its tag, its content, and where it stood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    /// The identifier octet.
    pub(crate) tag: u8,
    /// The content octets.
    pub(crate) content: &'a [u8],
    /// Identifier, length and content octets.
    pub(crate) encoded: &'a [u8],
    offset: usize,
}

impl<'a> Element<'a> {
    /// Where the whole element stands in the outermost input.
    #[must_use]
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.encoded.len()
    }

    /// Where the content stands in the outermost input.
    #[must_use]
    pub(crate) fn content_range(&self) -> Range<usize> {
        self.content_offset()..self.offset + self.encoded.len()
    }

    /// A reader over the content.
    #[must_use]
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader { rest: self.content, offset: self.content_offset() }
    }

    /// This element with an error of its own.
    #[must_use]
    pub(crate) fn error(&self, fault: DerFault) -> DerError {
        DerError { offset: self.offset, fault }
    }

    fn content_offset(&self) -> usize {
        self.offset + self.encoded.len() - self.content.len()
    }
}

/// Reads consecutive elements.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of an input.
    #[must_use]
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, offset: 0 }
    }

    /// The next element, whatever its tag.
    pub(crate) fn any(&mut self) -> Result<Element<'a>, DerError> {
        let (&tag, after_tag) = self.rest.split_first().ok_or(self.error(DerFault::Truncated))?;
        if tag & 0x1f == 0x1f {
            return Err(self.error(DerFault::HighTagNumber));
        }
        let (length, header) = self.length(after_tag)?;
        let end = header.checked_add(length).ok_or(self.error(DerFault::LengthTooLarge))?;
        let encoded = self.rest.get(..end).ok_or(self.error(DerFault::Truncated))?;
        let element = Element { tag, content: &encoded[header..], encoded, offset: self.offset };
        self.rest = &self.rest[end..];
        self.offset += end;
        Ok(element)
    }

    /// The next element, which must carry `tag`.
    pub(crate) fn element(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        match self.peek() {
            Some(found) if found != tag => Err(self.error(DerFault::UnexpectedTag { expected: tag, found })),
            _ => self.any(),
        }
    }

    /// A reader over the content of the next element, which must carry `tag`.
    pub(crate) fn nested(&mut self, tag: u8) -> Result<Reader<'a>, DerError> {
        Ok(self.element(tag)?.reader())
    }

    /// A reader over the content of the first element, which must carry `tag`, without asking that all of it is there:
    /// for the head of a large structure.
    pub(crate) fn into_prefix(self, tag: u8) -> Result<Self, DerError> {
        let (&found, after_tag) = self.rest.split_first().ok_or(self.error(DerFault::Truncated))?;
        if found != tag {
            return Err(self.error(DerFault::UnexpectedTag { expected: tag, found }));
        }
        let (_, header) = self.length(after_tag)?;
        Ok(Self { rest: &self.rest[header..], offset: self.offset + header })
    }

    /// A reader over the content of the next SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, DerError> {
        self.nested(tag::SEQUENCE)
    }

    /// The next element if it carries `tag`.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        match self.peek() {
            Some(found) if found == tag => self.any().map(Some),
            _ => Ok(None),
        }
    }

    /// The content of the next INTEGER: two's complement, shortest form.
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], DerError> {
        let element = self.element(tag::INTEGER)?;
        check_integer(&element)
    }

    /// A BOOLEAN whose default is false. A written FALSE is not DER, but too common to refuse and never ambiguous.
    pub(crate) fn boolean_default_false(&mut self) -> Result<bool, DerError> {
        let Some(element) = self.optional(tag::BOOLEAN)? else {
            return Ok(false);
        };
        match element.content {
            [0xff] => Ok(true),
            [0x00] => Ok(false),
            _ => Err(element.error(DerFault::BadBoolean)),
        }
    }

    /// The octets of the next BIT STRING, which must hold whole octets.
    pub(crate) fn whole_octet_bit_string(&mut self) -> Result<Element<'a>, DerError> {
        let element = self.element(tag::BIT_STRING)?;
        match element.content.split_first() {
            Some((0, octets)) => Ok(Element { content: octets, ..element }),
            _ => Err(element.error(DerFault::BadBitString)),
        }
    }

    /// The content of the next OCTET STRING.
    pub(crate) fn octet_string(&mut self) -> Result<Element<'a>, DerError> {
        self.element(tag::OCTET_STRING)
    }

    /// The content of the next OBJECT IDENTIFIER.
    pub(crate) fn object_identifier(&mut self) -> Result<&'a [u8], DerError> {
        let element = self.element(tag::OBJECT_IDENTIFIER)?;
        let ends = element.content.last().is_some_and(|octet| octet & 0x80 == 0);
        let padded = element
            .content
            .iter()
            .scan(true, |starts_arc, &octet| {
                let is_padding = *starts_arc && octet == 0x80;
                *starts_arc = octet & 0x80 == 0;
                Some(is_padding)
            })
            .any(|is_padding| is_padding);
        if ends && !padded { Ok(element.content) } else { Err(element.error(DerFault::BadObjectIdentifier)) }
    }

    /// The next UTCTime or GeneralizedTime in the form of RFC 5280 section 4.1.2.5: seconds given, `Z`.
    pub(crate) fn time(&mut self) -> Result<Timestamp, DerError> {
        let element = self.any()?;
        let parsed = match element.tag {
            tag::UTC_TIME => parse_utc_time(element.content),
            tag::GENERALIZED_TIME => parse_generalized_time(element.content),
            _ => None,
        };
        parsed.ok_or(element.error(DerFault::BadTime))
    }

    /// The tag of the next element.
    #[must_use]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Whether nothing is left.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends reading; anything left is an error.
    pub(crate) fn finish(&self) -> Result<(), DerError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DerFault::TrailingBytes)) }
    }

    /// A fault at the present position.
    #[must_use]
    pub(crate) fn error(&self, fault: DerFault) -> DerError {
        DerError { offset: self.offset, fault }
    }

    /// The length of the next element's content, and the size of its identifier and length octets.
    fn length(&self, after_tag: &[u8]) -> Result<(usize, usize), DerError> {
        let &first = after_tag.first().ok_or(self.error(DerFault::Truncated))?;
        if first < 0x80 {
            return Ok((usize::from(first), 2));
        }
        if first == 0x80 {
            return Err(self.error(DerFault::IndefiniteLength));
        }
        let count = usize::from(first & 0x7f);
        if count > 4 {
            return Err(self.error(DerFault::LengthTooLarge));
        }
        let octets = after_tag.get(1..=count).ok_or(self.error(DerFault::Truncated))?;
        let length = octets.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
        if octets[0] == 0 || length < 0x80 {
            return Err(self.error(DerFault::NonMinimalLength));
        }
        Ok((length, 2 + count))
    }
}

/// Reads an input that is exactly one SEQUENCE.
pub(crate) fn only_sequence(input: &[u8]) -> Result<Element<'_>, DerError> {
    let mut reader = Reader::new(input);
    let sequence = reader.element(tag::SEQUENCE)?;
    reader.finish()?;
    Ok(sequence)
}

/// The content of an element of INTEGER form, whatever its tag.
pub(crate) fn check_integer<'a>(element: &Element<'a>) -> Result<&'a [u8], DerError> {
    match element.content {
        [] => Err(element.error(DerFault::Empty)),
        [0x00, second, ..] if second & 0x80 == 0 => Err(element.error(DerFault::NonMinimalInteger)),
        [0xff, second, ..] if second & 0x80 != 0 => Err(element.error(DerFault::NonMinimalInteger)),
        octets => Ok(octets),
    }
}

/// An element of INTEGER form as a non-negative number below 2^31.
pub(crate) fn small_unsigned(element: &Element<'_>) -> Result<u32, DerError> {
    let octets = check_integer(element)?;
    if octets.len() > 4 || octets[0] & 0x80 != 0 {
        return Err(element.error(DerFault::IntegerOutOfRange));
    }
    Ok(octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
}

/// `YYMMDDHHMMSSZ`; years 50 to 99 are those of the twentieth century.
fn parse_utc_time(text: &[u8]) -> Option<Timestamp> {
    let fields = digit_pairs::<6>(text)?;
    let century = if fields[0] >= 50 { 1900 } else { 2000 };
    Timestamp::from_calendar(century + fields[0], fields[1], fields[2], fields[3], fields[4], fields[5])
}

/// `YYYYMMDDHHMMSSZ`.
fn parse_generalized_time(text: &[u8]) -> Option<Timestamp> {
    let fields = digit_pairs::<7>(text)?;
    let year = fields[0] * 100 + fields[1];
    Timestamp::from_calendar(year, fields[2], fields[3], fields[4], fields[5], fields[6])
}

fn digit_pairs<const COUNT: usize>(text: &[u8]) -> Option<[i64; COUNT]> {
    let (&zone, digits) = text.split_last()?;
    if zone != b'Z' || digits.len() != 2 * COUNT || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut fields = [0; COUNT];
    for (field, pair) in fields.iter_mut().zip(digits.chunks_exact(2)) {
        *field = i64::from(pair[0] - b'0') * 10 + i64::from(pair[1] - b'0');
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(result: Result<impl std::fmt::Debug, DerError>) -> DerFault {
        result.unwrap_err().fault
    }

    #[test]
    fn crt_05_lengths_in_any_other_form_than_the_shortest_are_refused() {
        assert_eq!(fault(Reader::new(&[0x30, 0x80, 0, 0]).any()), DerFault::IndefiniteLength);
        assert_eq!(fault(Reader::new(&[0x04, 0x81, 0x01, 0x00]).any()), DerFault::NonMinimalLength);
        assert_eq!(fault(Reader::new(&[0x04, 0x82, 0x00, 0x80]).any()), DerFault::NonMinimalLength);
        assert_eq!(fault(Reader::new(&[0x04, 0x85, 1, 0, 0, 0, 0]).any()), DerFault::LengthTooLarge);
        assert_eq!(fault(Reader::new(&[0x04, 0x02, 0x00]).any()), DerFault::Truncated);
        assert_eq!(fault(Reader::new(&[0x04]).any()), DerFault::Truncated);
        assert_eq!(fault(Reader::new(&[0x1f, 0x81, 0x01, 0x00]).any()), DerFault::HighTagNumber);
    }

    #[test]
    fn crt_05_bytes_after_the_element_are_refused() {
        assert_eq!(fault(only_sequence(&[0x30, 0x00, 0x00])), DerFault::TrailingBytes);
        assert!(only_sequence(&[0x30, 0x00]).is_ok());
    }

    #[test]
    fn integers_must_be_in_shortest_form() {
        assert_eq!(fault(Reader::new(&[2, 2, 0x00, 0x7f]).integer()), DerFault::NonMinimalInteger);
        assert_eq!(fault(Reader::new(&[2, 2, 0xff, 0x80]).integer()), DerFault::NonMinimalInteger);
        assert_eq!(fault(Reader::new(&[2, 0]).integer()), DerFault::Empty);
        assert_eq!(Reader::new(&[2, 2, 0x00, 0x80]).integer().unwrap(), [0x00, 0x80]);
    }

    #[test]
    fn booleans_are_00_or_ff() {
        assert!(!Reader::new(&[]).boolean_default_false().unwrap());
        assert!(!Reader::new(&[1, 1, 0x00]).boolean_default_false().unwrap());
        assert!(Reader::new(&[1, 1, 0xff]).boolean_default_false().unwrap());
        assert_eq!(fault(Reader::new(&[1, 1, 0x01]).boolean_default_false()), DerFault::BadBoolean);
    }

    #[test]
    fn object_identifiers_have_no_padding_and_an_end() {
        assert!(Reader::new(&[6, 3, 0x55, 0x1d, 0x0f]).object_identifier().is_ok());
        for bad in [[6, 3, 0x55, 0x80, 0x0f], [6, 3, 0x80, 0x1d, 0x0f], [6, 3, 0x55, 0x1d, 0x8f]] {
            assert_eq!(fault(Reader::new(&bad).object_identifier()), DerFault::BadObjectIdentifier);
        }
        assert_eq!(fault(Reader::new(&[6, 0]).object_identifier()), DerFault::BadObjectIdentifier);
    }

    #[test]
    fn times_have_seconds_and_end_in_z() {
        let time = |tag: u8, text: &str| {
            let mut encoded = vec![tag, u8::try_from(text.len()).unwrap()];
            encoded.extend_from_slice(text.as_bytes());
            Reader::new(&encoded).time().map(|time| time.to_string())
        };
        assert_eq!(time(tag::UTC_TIME, "491231235959Z").unwrap(), "2049-12-31T23:59:59Z");
        assert_eq!(time(tag::UTC_TIME, "500101000000Z").unwrap(), "1950-01-01T00:00:00Z");
        assert_eq!(time(tag::GENERALIZED_TIME, "20500101000000Z").unwrap(), "2050-01-01T00:00:00Z");
        for bad in ["4912312359Z", "491231235959+0000", "491331235959Z", "49123123595aZ", ""] {
            assert_eq!(fault(time(tag::UTC_TIME, bad)), DerFault::BadTime, "{bad}");
        }
        assert_eq!(fault(time(tag::GENERALIZED_TIME, "20500101000000.5Z")), DerFault::BadTime);
    }

    #[test]
    fn the_head_of_a_structure_is_read_without_its_end() {
        let head = [0x30, 0x82, 0xff, 0xff, 0x02, 0x01, 0x07];
        let mut content = Reader::new(&head).into_prefix(tag::SEQUENCE).unwrap();
        assert_eq!(content.integer().unwrap(), [7]);
        assert_eq!(
            fault(Reader::new(&head).into_prefix(tag::SET)),
            DerFault::UnexpectedTag { expected: tag::SET, found: tag::SEQUENCE }
        );
    }

    #[test]
    fn errors_tell_the_offset_in_the_whole_input() {
        let input = [0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00];
        let mut outer = Reader::new(&input).sequence().unwrap();
        let mut inner = outer.sequence().unwrap();
        let error = inner.octet_string().unwrap_err();
        assert_eq!(error.offset, 4);
        assert_eq!(error.to_string(), "offset 4: tag 0x02 where 0x04 belongs");
    }
}
