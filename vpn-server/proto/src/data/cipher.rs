//! Ciphers of the data channel, by the names that both sides negotiate.

use std::fmt;
use std::str::FromStr;

/// An AEAD cipher of the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataCipher {
    /// `AES-256-GCM`
    Aes256Gcm,
    /// `AES-192-GCM`; not in builds whose backend is ring (see [`DataCipher::ALL`]).
    Aes192Gcm,
    /// `AES-128-GCM`
    Aes128Gcm,
    /// `CHACHA20-POLY1305`
    ChaCha20Poly1305,
}

impl DataCipher {
    /// What stock servers offer unless told otherwise, in their order of preference.
    pub const DEFAULT: [Self; 3] = [Self::Aes256Gcm, Self::Aes128Gcm, Self::ChaCha20Poly1305];

    /// All that this build has, the default ones first: ring has no `AES-192-GCM`.
    #[cfg(feature = "aws_lc_rs")]
    pub const ALL: &'static [Self] =
        &[Self::Aes256Gcm, Self::Aes128Gcm, Self::ChaCha20Poly1305, Self::Aes192Gcm];
    /// All that this build has, the default ones first: ring has no `AES-192-GCM`.
    #[cfg(not(feature = "aws_lc_rs"))]
    pub const ALL: &'static [Self] = &Self::DEFAULT;

    /// The name in configurations and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "AES-256-GCM",
            Self::Aes192Gcm => "AES-192-GCM",
            Self::Aes128Gcm => "AES-128-GCM",
            Self::ChaCha20Poly1305 => "CHACHA20-POLY1305",
        }
    }

    /// Whether this build has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        Self::ALL.contains(&self)
    }

    pub(crate) const fn key_length(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
            Self::Aes192Gcm => 24,
            Self::Aes128Gcm => 16,
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
    type Err = UnusableCipher;

    fn from_str(name: &str) -> Result<Self, UnusableCipher> {
        let is_it = |known: &str| known.eq_ignore_ascii_case(name);
        if let Some(cipher) = Self::ALL.iter().find(|cipher| is_it(cipher.name())) {
            return Ok(*cipher);
        }
        if is_it(Self::Aes192Gcm.name()) {
            return Err(UnusableCipher::NotInThisBuild(Self::Aes192Gcm));
        }
        match CbcCipher::ALL.into_iter().find(|cipher| is_it(cipher.name())) {
            Some(cipher) => Err(UnusableCipher::NeedsPermission(cipher)),
            None => Err(UnusableCipher::Unknown(name.to_owned())),
        }
    }
}

/// A cipher for clients too old for an AEAD: it hides packets, and an HMAC beside it protects them. Taken only where
/// [`EndpointConfig::cbc_ciphers`](crate::EndpointConfig) names it (KEY-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CbcCipher {
    /// `AES-256-CBC`
    Aes256Cbc,
    /// `AES-192-CBC`
    Aes192Cbc,
    /// `AES-128-CBC`
    Aes128Cbc,
}

impl CbcCipher {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::Aes256Cbc, Self::Aes192Cbc, Self::Aes128Cbc];

    /// The name in configurations and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Cbc => "AES-256-CBC",
            Self::Aes192Cbc => "AES-192-CBC",
            Self::Aes128Cbc => "AES-128-CBC",
        }
    }

    pub(crate) const fn key_length(self) -> usize {
        match self {
            Self::Aes256Cbc => 32,
            Self::Aes192Cbc => 24,
            Self::Aes128Cbc => 16,
        }
    }
}

impl fmt::Display for CbcCipher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Takes names of either case, as stock configurations do.
impl FromStr for CbcCipher {
    type Err = UnusableCipher;

    fn from_str(name: &str) -> Result<Self, UnusableCipher> {
        Self::ALL
            .into_iter()
            .find(|cipher| cipher.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnusableCipher::Unknown(name.to_owned()))
    }
}

/// What the two sides of a session agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NegotiatedCipher {
    /// An AEAD.
    Aead(DataCipher),
    /// CBC with an HMAC.
    Cbc(CbcCipher),
}

impl NegotiatedCipher {
    /// The name in configurations and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aead(cipher) => cipher.name(),
            Self::Cbc(cipher) => cipher.name(),
        }
    }
}

impl fmt::Display for NegotiatedCipher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for NegotiatedCipher {
    type Err = UnusableCipher;

    fn from_str(name: &str) -> Result<Self, UnusableCipher> {
        match name.parse() {
            Ok(cipher) => Ok(Self::Aead(cipher)),
            Err(UnusableCipher::NeedsPermission(cipher)) => Ok(Self::Cbc(cipher)),
            Err(unusable) => Err(unusable),
        }
    }
}

/// A name that does not stand for a cipher that can be used in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableCipher {
    /// No cipher of this implementation.
    #[error("'{}' is not a data channel cipher", .0.escape_debug())]
    Unknown(String),
    /// The backend that this program was built with does not have it.
    #[error("this build has no {0}")]
    NotInThisBuild(DataCipher),
    /// No AEAD: it is taken only as a cipher for old clients.
    #[error("{0} is no authenticated cipher")]
    NeedsPermission(CbcCipher),
}

impl UnusableCipher {
    /// Stable kebab-case code for logs and machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown-data-cipher",
            Self::NotInThisBuild(_) => "data-cipher-not-in-this-build",
            Self::NeedsPermission(_) => "data-cipher-needs-permission",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "use AES-256-GCM, AES-128-GCM or CHACHA20-POLY1305",
            Self::NotInThisBuild(_) => "use AES-256-GCM, or a build with the backend aws-lc",
            Self::NeedsPermission(_) => "use AES-256-GCM, or allow CBC ciphers for old clients explicitly",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_either_case() {
        for cipher in DataCipher::ALL {
            assert_eq!(cipher.name().to_lowercase().parse(), Ok(*cipher));
        }
        for cipher in CbcCipher::ALL {
            assert_eq!(cipher.name().to_lowercase().parse(), Ok(cipher));
            assert_eq!(cipher.name().parse(), Ok(NegotiatedCipher::Cbc(cipher)));
        }
    }

    #[test]
    fn key_01_cbc_is_not_read_as_one_of_the_ordinary_ciphers() {
        let error = "AES-256-CBC".parse::<DataCipher>().unwrap_err();
        assert_eq!(error, UnusableCipher::NeedsPermission(CbcCipher::Aes256Cbc));
        assert_eq!(error.code(), "data-cipher-needs-permission");
    }

    #[test]
    fn key_01_weak_ciphers_and_none_are_unknown_everywhere() {
        for name in ["BF-CBC", "DES-EDE3-CBC", "AES-256-CFB", "none", ""] {
            let unknown = UnusableCipher::Unknown(name.to_owned());
            assert_eq!(name.parse::<NegotiatedCipher>(), Err(unknown.clone()));
            assert_eq!(name.parse::<CbcCipher>(), Err(unknown));
        }
    }

    #[test]
    fn the_build_says_whether_it_has_aes_192_gcm() {
        let has_it = cfg!(feature = "aws_lc_rs");
        assert_eq!(DataCipher::Aes192Gcm.is_available(), has_it);
        assert_eq!("AES-192-GCM".parse::<DataCipher>().is_ok(), has_it);
        if !has_it {
            let error = "AES-192-GCM".parse::<DataCipher>().unwrap_err();
            assert_eq!(error.code(), "data-cipher-not-in-this-build");
        }
    }
}
