//! The 2048-bit static key from which tls-auth and tls-crypt take theirs (protocol reference section 4.1).
//!
//! ```text
//!    0..64   key 0: cipher      128..192   key 1: cipher
//!   64..128  key 0: HMAC        192..256   key 1: HMAC
//! ```
//!
//! Only the octets: the files they come in are somebody else's business.

use zeroize::Zeroizing;

/// A static key; wiped when dropped.
#[derive(Clone)]
pub struct StaticKey(Zeroizing<[u8; Self::LENGTH]>);

/// Which half of a static key a side sends with; it receives with the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDirection {
    /// `key-direction 0`: sends with key 0.
    Zero,
    /// `key-direction 1`: sends with key 1.
    One,
    /// No direction: both sides send with key 0.
    Bidirectional,
}

/// One of the two keys in a static key.
#[derive(Clone, Copy)]
pub(crate) struct KeyHalf<'a> {
    pub(crate) cipher: &'a [u8],
    pub(crate) hmac: &'a [u8],
}

impl StaticKey {
    /// Octets of a static key.
    pub const LENGTH: usize = 256;

    /// A key of these octets.
    #[must_use]
    pub fn new(octets: [u8; Self::LENGTH]) -> Self {
        Self(Zeroizing::new(octets))
    }

    pub(crate) fn sending(&self, direction: KeyDirection) -> KeyHalf<'_> {
        match direction {
            KeyDirection::Zero | KeyDirection::Bidirectional => self.half(0),
            KeyDirection::One => self.half(1),
        }
    }

    pub(crate) fn receiving(&self, direction: KeyDirection) -> KeyHalf<'_> {
        match direction {
            KeyDirection::One | KeyDirection::Bidirectional => self.half(0),
            KeyDirection::Zero => self.half(1),
        }
    }

    /// This key with every bit flipped that is set in `mask`.
    pub(crate) fn masked(&self, mask: &[u8; Self::LENGTH]) -> Self {
        let mut octets = self.0.clone();
        octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
        Self(octets)
    }

    fn half(&self, index: usize) -> KeyHalf<'_> {
        let half = &self.0[index * 128..][..128];
        KeyHalf { cipher: &half[..64], hmac: &half[64..] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_sends_with_what_the_opposite_one_receives_with() {
        let mut octets = [0; StaticKey::LENGTH];
        octets.chunks_mut(64).zip(1..).for_each(|(part, number)| part.fill(number));
        let key = StaticKey::new(octets);
        assert_eq!(
            (key.sending(KeyDirection::Zero).cipher[0], key.sending(KeyDirection::Zero).hmac[0]),
            (1, 2)
        );
        assert_eq!(
            (key.sending(KeyDirection::One).cipher[0], key.sending(KeyDirection::One).hmac[0]),
            (3, 4)
        );
        assert_eq!(key.receiving(KeyDirection::Zero).hmac[0], 4);
        assert_eq!(key.receiving(KeyDirection::One).hmac[0], 2);
        assert_eq!(key.receiving(KeyDirection::Bidirectional).hmac[0], 2);
    }
}
