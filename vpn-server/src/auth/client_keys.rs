//! Keys of tls-crypt-v2 clients: made for one client each, wrapped with the server's key, and kept nowhere else.
//!
//! The server needs no list of them: what it has wrapped itself, it can open. Whether a client may still come is told by
//! its certificate, or by the program behind `tls-crypt-v2-verify`, which gets the metadata that stands here.

use std::path::Path;

use pki_core::bundle::static_key::{ClientKey, STATIC_KEY, StaticKeyError, parse_tls_crypt_v2_server_key};
use pki_core::name::CommonName;
use pki_core::random::{RandomError, RandomSource};
use pki_core::time::Timestamp;
use vpn_proto::TlsCryptV2Key;
use zeroize::Zeroizing;

use super::wrapping::{WrappingKeyError, load};

/// The server's key, as the maker of client keys.
pub struct ClientKeys {
    server: TlsCryptV2Key,
}

/// What the maker of a client key puts beside it; only the server can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKeyMetadata {
    /// Whose key it is.
    User(CommonName),
    /// When it was made, as OpenVPN writes it by default.
    MadeAt(Timestamp),
}

/// Why a client key cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeyError {
    /// The system gave no random numbers.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The metadata does not fit.
    #[error("the metadata is too long for a tls-crypt-v2 key")]
    MetadataTooLong,
}

impl ClientKeyError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Random(_) => "no-randomness",
            Self::MetadataTooLong => "metadata-too-long",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Random(_) => "Wait until the system's generator is ready, and repeat the command.",
            Self::MetadataTooLong => "Let the key carry the time instead of the name.",
        }
    }
}

impl ClientKeys {
    /// Reads the server's key file.
    ///
    /// # Errors
    /// [`WrappingKeyError`].
    pub fn read(path: &Path) -> Result<Self, WrappingKeyError> {
        let key = load("tls-crypt-v2", path, parse_tls_crypt_v2_server_key)?;
        Ok(Self { server: TlsCryptV2Key::new(&key) })
    }

    /// A fresh key for one client.
    ///
    /// # Errors
    /// [`ClientKeyError`].
    pub fn make(
        &self,
        metadata: &ClientKeyMetadata,
        random: &mut dyn RandomSource,
    ) -> Result<ClientKey, ClientKeyError> {
        let mut key = Zeroizing::new([0; STATIC_KEY]);
        random.fill(&mut *key)?;
        let wrapped = self.server.wrap(&key, &metadata.to_octets()).ok_or(ClientKeyError::MetadataTooLong)?;
        ClientKey::new(key, wrapped).map_err(|_: StaticKeyError| ClientKeyError::MetadataTooLong)
    }

    /// Whether the server will take this client's key.
    #[must_use]
    pub fn know(&self, key: &ClientKey) -> bool {
        self.server.has_wrapped(key.key(), key.wrapped())
    }
}

impl ClientKeyMetadata {
    /// The type octet and the content.
    fn to_octets(&self) -> Vec<u8> {
        match self {
            Self::User(name) => [&[USER][..], name.as_str().as_bytes()].concat(),
            Self::MadeAt(time) => [&[TIMESTAMP][..], &time.unix_seconds().to_be_bytes()].concat(),
        }
    }
}

const USER: u8 = 0;
const TIMESTAMP: u8 = 1;

#[cfg(test)]
mod tests {
    use pki_core::random::SystemSource;

    use super::*;

    fn testdata(file: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/openvpn/pki").join(file)
    }

    fn keys() -> ClientKeys {
        ClientKeys::read(&testdata("tls-crypt-v2-server.key")).unwrap()
    }

    #[test]
    fn keys_that_openvpn_has_made_with_the_server_key_are_known() {
        for file in ["tls-crypt-v2-client-timestamp.key", "tls-crypt-v2-client-userdata.key"] {
            let key = ClientKey::parse(&std::fs::read_to_string(testdata(file)).unwrap()).unwrap();
            assert!(keys().know(&key), "{file}");
        }
    }

    #[test]
    fn a_key_of_ones_own_is_known_and_one_of_another_server_is_not() {
        let random = &mut SystemSource::new();
        let user = ClientKeyMetadata::User(CommonName::parse("alice@company.com").unwrap());
        let made_at = ClientKeyMetadata::MadeAt(Timestamp::from_unix_seconds(1_795_161_600));
        let others = ClientKeys { server: TlsCryptV2Key::new(&[7; 128]) };
        for (metadata, length) in [(user, 290 + 18), (made_at, 299)] {
            let key = keys().make(&metadata, random).unwrap();
            assert_eq!(key.wrapped().len(), length);
            assert!(keys().know(&key) && !others.know(&key));
            assert_ne!(keys().make(&metadata, random).unwrap().key(), key.key());
        }
    }

    #[test]
    fn a_damaged_wrapped_key_is_not_known() {
        let time = ClientKeyMetadata::MadeAt(Timestamp::from_unix_seconds(0));
        let key = keys().make(&time, &mut SystemSource::new()).unwrap();
        for position in [0, 40, key.wrapped().len() - 1] {
            let mut wrapped = key.wrapped().to_vec();
            wrapped[position] ^= 1;
            assert!(!keys().know(&ClientKey::new(Zeroizing::new(*key.key()), wrapped).unwrap()));
        }
    }
}
