//! How a client wraps its control channel, and the key for it inside the profile.

use zeroize::Zeroizing;

use super::{Dialect, ProfileError, push_block};
use crate::bundle::static_key::{ClientKey, STATIC_KEY, static_key_text};

/// How a client wraps its control channel.
pub enum ControlWrapping {
    /// tls-auth: signed.
    TlsAuth {
        /// The key that all peers share.
        key: Box<Zeroizing<[u8; STATIC_KEY]>>,
        /// Which half of it the client sends with; the server has the other number, or neither has one.
        direction: Option<TlsAuthDirection>,
        /// The hash, if the server does not use OpenVPN's default.
        digest: Option<TlsAuthDigest>,
    },
    /// tls-crypt: encrypted with the key that all peers share.
    TlsCrypt(Box<Zeroizing<[u8; STATIC_KEY]>>),
    /// tls-crypt-v2: encrypted with a key of the client's own.
    TlsCryptV2(ClientKey),
}

/// The client's `key-direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsAuthDirection {
    /// 0, for servers that have 1.
    Zero,
    /// 1, the usual one.
    One,
}

/// The hashes that tls-auth is used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TlsAuthDigest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl TlsAuthDirection {
    /// The number.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
        }
    }
}

impl TlsAuthDigest {
    /// OpenVPN's name of the hash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }
}

impl ControlWrapping {
    /// OpenVPN's name of it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TlsAuth { .. } => "tls-auth",
            Self::TlsCrypt(_) => "tls-crypt",
            Self::TlsCryptV2(_) => "tls-crypt-v2",
        }
    }

    pub(super) fn require_known_to(&self, dialect: Dialect) -> Result<(), ProfileError> {
        let is_known = match self {
            Self::TlsAuth { .. } | Self::TlsCrypt(_) => dialect.knows_static_keys(),
            Self::TlsCryptV2(_) => dialect.knows_tls_crypt_v2(),
        };
        if is_known { Ok(()) } else { Err(ProfileError::unknown_wrapping(dialect, self.as_str())) }
    }

    /// The directives beside the block.
    pub(super) fn push_directives(&self, text: &mut String) {
        let Self::TlsAuth { direction, digest, .. } = self else {
            return;
        };
        if let Some(digest) = digest {
            text.push_str(&format!("auth {}\n", digest.as_str()));
        }
        if let Some(direction) = direction {
            text.push_str(&format!("key-direction {}\n", direction.as_str()));
        }
    }

    pub(super) fn push_block(&self, text: &mut String) {
        let content = match self {
            Self::TlsAuth { key, .. } | Self::TlsCrypt(key) => static_key_text(key),
            Self::TlsCryptV2(key) => key.to_text(),
        };
        push_block(text, self.as_str(), &content);
    }
}
