//! Ciphers of the data channel, by the names that both sides negotiate.

use std::fmt;
use std::str::FromStr;

/// An AEAD cipher of the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataCipher {
    /// `AES-256-GCM`
    Aes256Gcm,
    /// `AES-128-GCM`
    Aes128Gcm,
    /// `CHACHA20-POLY1305`
    ChaCha20Poly1305,
}

impl DataCipher {
    /// All of them, in the order of preference that stock servers have.
    pub const ALL: [Self; 3] = [Self::Aes256Gcm, Self::Aes128Gcm, Self::ChaCha20Poly1305];

    /// The name in configurations and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "AES-256-GCM",
            Self::Aes128Gcm => "AES-128-GCM",
            Self::ChaCha20Poly1305 => "CHACHA20-POLY1305",
        }
    }

    pub(crate) const fn key_length(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
            Self::Aes128Gcm => 16,
        }
    }

    /// Octets that may be sealed with one key before it must be replaced (KEY-03).
    pub(crate) const fn octet_limit(self) -> u64 {
        match self {
            Self::Aes256Gcm | Self::Aes128Gcm => 64 << 30,
            Self::ChaCha20Poly1305 => u64::MAX,
        }
    }
}

impl fmt::Display for DataCipher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Takes names of either case, as stock configurations do.
impl FromStr for DataCipher {
    type Err = UnknownCipher;

    fn from_str(name: &str) -> Result<Self, UnknownCipher> {
        Self::ALL
            .into_iter()
            .find(|cipher| cipher.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownCipher(name.to_owned()))
    }
}

/// A name that is no cipher of this implementation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown data cipher '{0}': use AES-256-GCM, AES-128-GCM or CHACHA20-POLY1305")]
pub struct UnknownCipher(pub String);
