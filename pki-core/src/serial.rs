//! Certificate serial numbers: big-endian unsigned integers without leading zero octets.
//!
//! Files and index.txt spell them as upper-case hexadecimal with an even number of digits.

use std::fmt;

/// A serial number; compared as a number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Serial(Box<[u8]>);

impl Serial {
    /// A serial number from its big-endian octets, as they stand in a DER INTEGER; leading zeros do not matter.
    #[must_use]
    pub fn from_be_bytes(octets: &[u8]) -> Self {
        let first_significant = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
        Self(octets[first_significant..].into())
    }

    /// Reads hexadecimal digits of either case; `None` for an empty text or a foreign character.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let nibble = |digit: &u8| match digit {
            b'0'..=b'9' => digit - b'0',
            _ => (digit | 0x20) - b'a' + 10,
        };
        let digits = digits.as_bytes();
        let (odd, pairs) = digits.split_at(digits.len() % 2);
        let mut octets = Vec::with_capacity(digits.len() / 2 + 1);
        octets.extend(odd.iter().map(nibble));
        octets.extend(pairs.chunks_exact(2).map(|pair| nibble(&pair[0]) << 4 | nibble(&pair[1])));
        Some(Self::from_be_bytes(&octets))
    }

    /// The significant octets, big-endian; empty for zero.
    #[must_use]
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number after this one.
    #[must_use]
    pub fn successor(&self) -> Self {
        let mut octets = vec![0];
        octets.extend_from_slice(&self.0);
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

impl PartialOrd for Serial {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Serial {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

/// Upper-case hexadecimal with an even number of digits, `00` for zero.
impl fmt::Display for Serial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return out.write_str("00");
        }
        self.0.iter().try_for_each(|octet| write!(out, "{octet:02X}"))
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
    }

    #[test]
    fn successor_carries() {
        assert_eq!(Serial::from_hex("FF").unwrap().successor().to_string(), "0100");
        assert_eq!(Serial::from_hex("00").unwrap().successor().to_string(), "01");
    }
}
