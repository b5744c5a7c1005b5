//! A serial number exactly as it is encoded: the content octets of its DER INTEGER.
//!
//! [`Serial`] is what people see and files are named by; it is unsigned. A certificate made elsewhere may carry a
//! negative number, and -1 (`FF`) must not be taken for 255 (`00 FF`) in a revocation list (NIST PKITS 4.4.14).

use std::fmt;

use crate::serial::Serial;

/// The longest serial number that is read. RFC 5280 allows 20 octets; certificates with 21 exist.
const MAX_OCTETS: usize = 22;

/// A serial number longer than any reader of this crate accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number of {octets} octets; at most {MAX_OCTETS} are read")]
pub struct SerialTooLong {
    /// Octets of the encoded number.
    pub octets: usize,
}

/// The content octets of a serial number; ordered by length, then octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SerialOctets {
    length: u8,
    octets: [u8; MAX_OCTETS],
}

impl SerialOctets {
    /// Takes the content of a DER INTEGER.
    pub(crate) fn from_integer(content: &[u8]) -> Result<Self, SerialTooLong> {
        let too_long = SerialTooLong { octets: content.len() };
        let length = u8::try_from(content.len()).map_err(|_| too_long)?;
        let mut octets = [0; MAX_OCTETS];
        octets.get_mut(..content.len()).ok_or(too_long)?.copy_from_slice(content);
        Ok(Self { length, octets })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// The number as this crate's other parts spell it; the sign of a negative one is lost.
    pub(crate) fn to_serial(self) -> Serial {
        Serial::from_be_bytes(self.as_bytes())
    }

    pub(crate) fn is_positive(&self) -> bool {
        let octets = self.as_bytes();
        octets.first().is_some_and(|first| first & 0x80 == 0) && octets.iter().any(|octet| *octet != 0)
    }
}

impl fmt::Debug for SerialOctets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SerialOctets({:02x?})", self.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_one_is_not_255() {
        let negative = SerialOctets::from_integer(&[0xff]).unwrap();
        let positive = SerialOctets::from_integer(&[0x00, 0xff]).unwrap();
        assert_ne!(negative, positive);
        assert_eq!(negative.to_serial(), positive.to_serial());
        assert!(!negative.is_positive());
        assert!(positive.is_positive());
        assert!(!SerialOctets::from_integer(&[0]).unwrap().is_positive());
    }

    #[test]
    fn the_longest_serial_is_read_and_one_octet_more_is_refused() {
        assert!(SerialOctets::from_integer(&[1; MAX_OCTETS]).is_ok());
        let error = SerialOctets::from_integer(&[1; MAX_OCTETS + 1]).unwrap_err();
        assert_eq!(error.octets, MAX_OCTETS + 1);
    }

    #[test]
    fn an_entry_of_a_revocation_list_stays_within_32_octets() {
        assert_eq!(size_of::<SerialOctets>(), 23);
    }
}
