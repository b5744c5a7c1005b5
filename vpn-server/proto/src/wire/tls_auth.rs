//! tls-auth: an HMAC over each control packet (protocol reference section 4.2).
//!
//! ```text
//!  op/key(1) | session id(8) | HMAC(n) | replay id(8) | rest
//!  HMAC over   replay id | op/key | session id | rest
//! ```

use subtle::ConstantTimeEq;

use super::Cursor;
use super::replay_id::ReplayId;
use super::static_key::{KeyDirection, StaticKey};
use super::wrapping::{HEADER, UnwrapError, Unwrapped, join, split};
use crate::crypto::MacKey;

/// The hash of the HMAC, as `auth` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AuthDigest {
    /// `SHA1`, the default of stock peers.
    #[default]
    Sha1,
    /// `SHA256`
    Sha256,
    /// `SHA384`
    Sha384,
    /// `SHA512`
    Sha512,
}

impl AuthDigest {
    /// Octets of the longest hash.
    pub(crate) const LONGEST: usize = 64;

    /// The digest of that name, in either case; `None` for those that are not taken any more.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let digests = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];
        digests.into_iter().find(|digest| digest.name().eq_ignore_ascii_case(name))
    }

    /// The name in configurations and options strings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }

    /// Octets of the hash, and of the key of an HMAC with it.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// One side's keys.
pub(crate) struct TlsAuth {
    digest: AuthDigest,
    sending: MacKey,
    receiving: MacKey,
}

impl TlsAuth {
    pub(crate) fn new(key: &StaticKey, direction: KeyDirection, digest: AuthDigest) -> Self {
        let mac = |hmac: &[u8]| MacKey::new(digest, &hmac[..digest.length()]);
        Self {
            digest,
            sending: mac(key.sending(direction).hmac),
            receiving: mac(key.receiving(direction).hmac),
        }
    }

    /// Wraps a plain packet.
    pub(crate) fn wrap(&self, replay_id: ReplayId, packet: &[u8]) -> Vec<u8> {
        let (header, rest) = split(packet);
        let number = replay_id.to_wire();
        let tag = self.sending.sign(&[&number, header, rest]);
        join(&[header, tag.as_ref(), &number, rest])
    }

    pub(crate) fn unwrap(&self, datagram: &[u8]) -> Result<Unwrapped, UnwrapError> {
        let mut cursor = Cursor::new(datagram);
        let header = cursor.bytes(HEADER, "header")?;
        let tag = cursor.bytes(self.digest.length(), "HMAC")?;
        let number = cursor.bytes(ReplayId::LENGTH, "replay id")?;
        let rest = cursor.rest();
        let expected = self.receiving.sign(&[number, header, rest]);
        if !bool::from(expected.as_ref().ct_eq(tag)) {
            return Err(UnwrapError::NotAuthentic);
        }
        let replay_id = ReplayId::take(&mut Cursor::new(number))?;
        Ok(Unwrapped { replay_id: Some(replay_id), packet: join(&[header, rest]) })
    }
}
