//! How much work a PKCS#12 container asks for before it opens: the rounds of every key derivation that it shows.
//!
//! A derivation is recognised by its form: parameters that begin with a salt and a number (RFC 8018, RFC 7914 and the
//! schemes of RFC 7292), and the salt and number of the MAC. What stands inside an encrypted part is not seen; the
//! library that decrypts has a limit of its own for each derivation.

use crate::x509::der::{DerError, Element, Reader, tag};

/// What a container asks for. Numbers that are too large to count are as large as can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// The rounds of all derivations.
    pub(super) sum: u64,
    /// Those of the longest one.
    pub(super) longest: u64,
}

/// The rounds that a container asks for.
pub(super) fn rounds(container: &[u8]) -> Result<Cost, DerError> {
    let mut open = vec![Part { reader: Reader::new(container), is_der: true }];
    let mut cost = Cost::default();
    while let Some(part) = open.pop() {
        match part.elements() {
            Ok(elements) => {
                cost.add(derivation(&elements).unwrap_or(0));
                open.extend(elements.iter().filter_map(|element| part.inside(element)));
            }
            Err(fault) if part.is_der => return Err(fault),
            Err(_) => {}
        }
    }
    Ok(cost)
}

impl Cost {
    fn add(&mut self, rounds: u64) {
        self.sum = self.sum.saturating_add(rounds);
        self.longest = self.longest.max(rounds);
    }
}

/// Consecutive elements.
struct Part<'a> {
    reader: Reader<'a>,
    /// Whether these have to be elements: octets may as well be encrypted, or a salt.
    is_der: bool,
}

impl<'a> Part<'a> {
    fn elements(&self) -> Result<Vec<Element<'a>>, DerError> {
        let (mut reader, mut elements) = (self.reader.clone(), Vec::new());
        while !reader.is_empty() {
            elements.push(reader.any()?);
        }
        Ok(elements)
    }

    fn inside(&self, element: &Element<'a>) -> Option<Self> {
        const CONSTRUCTED: u8 = 0x20;
        if element.tag & CONSTRUCTED != 0 {
            return Some(Self { reader: element.reader(), is_der: self.is_der });
        }
        let may_hold_more =
            element.tag == tag::OCTET_STRING && element.content.first() == Some(&tag::SEQUENCE);
        may_hold_more.then(|| Self { reader: element.reader(), is_der: false })
    }
}

/// The rounds of one derivation, if these elements are its parameters.
fn derivation(elements: &[Element<'_>]) -> Option<u64> {
    let numbers = match elements {
        [salt, numbers @ ..] if salt.tag == tag::OCTET_STRING => numbers,
        [digest, salt, numbers @ ..] if digest.tag == tag::SEQUENCE && salt.tag == tag::OCTET_STRING => {
            numbers
        }
        _ => return None,
    };
    let numbers =
        numbers.iter().take_while(|number| number.tag == tag::INTEGER).map(|number| size(number.content));
    match *numbers.collect::<Vec<_>>().as_slice() {
        [] => None,
        // scrypt: cost, block size, parallelism. A second number alone is the length of the key.
        [cost, block_size, parallelism, ..] => {
            Some(cost.saturating_mul(block_size).saturating_mul(parallelism))
        }
        [rounds, ..] => Some(rounds),
    }
}

/// An INTEGER as a number of rounds. What is below zero is as large as can be: nobody means it.
fn size(integer: &[u8]) -> u64 {
    let is_negative = integer.first().is_none_or(|first| first & 0x80 != 0);
    if is_negative || integer.len() > 8 {
        return u64::MAX;
    }
    integer.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asn1::Encoder;

    fn sum(container: &[u8]) -> u64 {
        rounds(container).unwrap().sum
    }

    fn parameters(numbers: &[&[u8]]) -> Vec<u8> {
        Encoder::sequence_of(|fields| {
            fields.value(tag::OCTET_STRING, b"salt");
            numbers.iter().for_each(|number| fields.value(tag::INTEGER, number));
        })
    }

    #[test]
    fn pki_12_the_rounds_of_every_derivation_are_counted_however_deep_they_stand() {
        let two = [parameters(&[&[0x08, 0x00]]), parameters(&[&[0x10, 0x00]])].concat();
        assert_eq!(rounds(&two), Ok(Cost { sum: 0x1800, longest: 0x1000 }));
        let wrapped = (0..100).fold(two.clone(), |inner, _| {
            Encoder::sequence_of(|fields| {
                fields.value(tag::OCTET_STRING, &Encoder::sequence_of(|own| own.raw(&inner)))
            })
        });
        assert_eq!(rounds(&wrapped), rounds(&two));
    }

    #[test]
    fn pki_12_what_cannot_be_counted_is_too_much() {
        assert_eq!(sum(&parameters(&[&[0xff]])), u64::MAX);
        assert_eq!(sum(&parameters(&[&[1; 9]])), u64::MAX);
        assert_eq!(sum(&parameters(&[&[0x7f; 8], &[0x7f; 8], &[1]])), u64::MAX);
    }

    #[test]
    fn the_length_of_a_key_is_no_cost_and_scrypt_has_three() {
        assert_eq!(sum(&parameters(&[&[0x08, 0x00], &[32]])), 2048);
        assert_eq!(sum(&parameters(&[&[0x40, 0x00], &[8], &[1], &[32]])), 0x4000 * 8);
    }

    #[test]
    fn encrypted_octets_are_passed_over_and_a_broken_container_is_not() {
        let encrypted =
            Encoder::sequence_of(|fields| fields.value(tag::OCTET_STRING, &[tag::SEQUENCE, 0x83, 1]));
        assert_eq!(sum(&encrypted), 0);
        assert!(rounds(&encrypted[..encrypted.len() - 1]).is_err());
    }

    #[test]
    fn pki_12_a_container_of_nothing_but_shells_takes_no_time() {
        let mut shells = Vec::new();
        for _ in 0..2000 {
            shells = Encoder::sequence_of(|fields| fields.value(tag::OCTET_STRING, &shells));
        }
        assert_eq!(sum(&shells), 0);
    }
}
