//! Certificate serial numbers: big-endian unsigned integers without leading zero octets.
//!
//! Files and index.txt spell them as upper-case hexadecimal with an even number of digits.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A serial number; compared as a number.
#[derive(Clone)]
pub struct Serial(Octets);

/// Without leading zeros. A list of a million numbers should not be a million allocations.
#[derive(Clone)]
enum Octets {
    Short {
        length: u8,
        octets: [u8; RFC_5280_LIMIT],
    },
    /// Longer than any certificate may have; foreign files hold what they like.
    Long(Box<[u8]>),
}

/// RFC 5280 section 4.1.2.2.
const RFC_5280_LIMIT: usize = 20;

impl Serial {
    /// A serial number from its big-endian octets, as they stand in a DER INTEGER; leading zeros do not matter.
    #[must_use]
    pub fn from_be_bytes(octets: &[u8]) -> Self {
        let first_significant = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
        let significant = &octets[first_significant..];
        let Ok(length @ 0..=20) = u8::try_from(significant.len()) else {
            return Self(Octets::Long(significant.into()));
        };
        let mut octets = [0; RFC_5280_LIMIT];
        octets[..significant.len()].copy_from_slice(significant);
        Self(Octets::Short { length, octets })
    }

    /// Reads hexadecimal digits of either case; `None` for an empty text or a foreign character.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => digit - b'0',
            _ => (digit | 0x20) - b'a' + 10,
        };
        let digits = digits.trim_start_matches('0').as_bytes();
        let (odd, pairs) = digits.split_at(digits.len() % 2);
        let octets = odd
            .iter()
            .map(|digit| nibble(*digit))
            .chain(pairs.chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])));
        if digits.len() > 2 * RFC_5280_LIMIT {
            return Some(Self::from_be_bytes(&octets.collect::<Vec<u8>>()));
        }
        let mut short = [0; RFC_5280_LIMIT];
        let mut length = 0;
        for (place, octet) in short.iter_mut().zip(octets) {
            *place = octet;
            length += 1;
        }
        Some(Self(Octets::Short { length, octets: short }))
    }

    /// The significant octets, big-endian; empty for zero.
    #[must_use]
    pub fn as_be_bytes(&self) -> &[u8] {
        match &self.0 {
            Octets::Short { length, octets } => &octets[..usize::from(*length)],
            Octets::Long(octets) => octets,
        }
    }

    /// The number after this one.
    #[must_use]
    pub fn successor(&self) -> Self {
        let mut octets = vec![0];
        octets.extend_from_slice(self.as_be_bytes());
        for octet in octets.iter_mut().rev() {
            let (sum, carried) = octet.overflowing_add(1);
            *octet = sum;
            if !carried {
                break;
            }
        }
        Self::from_be_bytes(&octets)
    }
}

impl PartialEq for Serial {
    fn eq(&self, other: &Self) -> bool {
        self.as_be_bytes() == other.as_be_bytes()
    }
}

impl Eq for Serial {}

impl Hash for Serial {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_be_bytes().hash(state);
    }
}

impl PartialOrd for Serial {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Serial {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (own, other) = (self.as_be_bytes(), other.as_be_bytes());
        own.len().cmp(&other.len()).then_with(|| own.cmp(other))
    }
}

/// Upper-case hexadecimal with an even number of digits, `00` for zero.
impl fmt::Display for Serial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.as_be_bytes();
        if octets.is_empty() {
            return out.write_str("00");
        }
        octets.iter().try_for_each(|octet| write!(out, "{octet:02X}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Serial({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_index_txt_does() {
        assert_eq!(Serial::from_hex("a").unwrap().to_string(), "0A");
        assert_eq!(Serial::from_hex("0010").unwrap().to_string(), "10");
        assert_eq!(Serial::from_hex("0").unwrap().to_string(), "00");
        assert_eq!(Serial::from_hex(""), None);
        assert_eq!(Serial::from_hex("0x1"), None);
    }

    #[test]
    fn orders_as_numbers() {
        let serial = |digits| Serial::from_hex(digits).unwrap();
        assert!(serial("FF") < serial("0100"));
        assert!(serial("02") < serial("10"));
        let longest = "7F".repeat(20);
        assert!(serial(&longest) < serial(&format!("01{longest}")));
    }

    #[test]
    fn a_number_longer_than_certificates_may_have_is_kept() {
        let digits = "A5".repeat(30);
        let serial = Serial::from_hex(&digits).unwrap();
        assert_eq!(serial.to_string(), digits);
        assert_eq!(serial, Serial::from_be_bytes(&[0xa5; 30]));
    }

    #[test]
    fn successor_carries() {
        assert_eq!(Serial::from_hex("FF").unwrap().successor().to_string(), "0100");
        assert_eq!(Serial::from_hex("00").unwrap().successor().to_string(), "01");
    }
}
