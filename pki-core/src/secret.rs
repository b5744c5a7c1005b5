//! Secrets in memory: zeroised when dropped, and without `Debug`, so that no log line can show them.

use zeroize::Zeroizing;

/// A passphrase as it was typed; compared with nothing, shown to nobody.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// OpenSSL's lower limit for new passphrases, in octets; shorter ones are refused when a key is protected.
    pub const MIN_LENGTH: usize = 4;

    /// Takes the octets over; the caller's copy is the caller's concern.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// Whether it is long enough to protect a key.
    #[must_use]
    pub fn is_acceptable(&self) -> bool {
        self.0.len() >= Self::MIN_LENGTH
    }

    /// Whether two entries of one passphrase agree.
    #[must_use]
    pub fn matches(&self, repeated: &Self) -> bool {
        self.0 == repeated.0
    }

    /// The octets; they must not be logged or kept elsewhere.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Key material: file contents, DER, derived keys.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the octets over.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets; they must not be logged or kept elsewhere.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_octets_are_too_short() {
        assert!(!Passphrase::new(b"abc".to_vec()).is_acceptable());
        assert!(Passphrase::new(b"abcd".to_vec()).is_acceptable());
    }
}
