//! tls-crypt-v2: every client has a tls-crypt key of its own and brings it along, wrapped for the server
//! (protocol reference section 4.5).
//!
//! ```text
//!  datagram = as tls-crypt with the client's key Kc | WKc
//!  WKc      = tag(32) | AES-256-CTR(Ke, IV = tag[0..16], Kc(256) | metadata) | length(2)
//!  tag      = HMAC-SHA256(Ka, length | Kc | metadata)          length counts all of WKc
//! ```

use zeroize::Zeroizing;

use super::opcode::{CONTROL_WITH_KEY, HARD_RESET_CLIENT_V3};
use super::static_key::{KeyHalf, StaticKey};
use super::tls_crypt::SyntheticIv;
use super::wrapping::UnwrapError;

const LENGTH_FIELD: usize = 2;
const TAG: usize = 32;
/// Octets of a wrapped key without metadata.
const MIN_WRAPPED: usize = TAG + StaticKey::LENGTH + LENGTH_FIELD;
/// Octets of a wrapped key with the longest metadata.
pub const MAX_WRAPPED: usize = 1024;

/// The server's key, for client keys that it wrapped itself or that were wrapped with it.
pub struct TlsCryptV2Key {
    wrapping: SyntheticIv,
}

/// A client's key as the server finds it in a packet.
pub struct ClientKey {
    /// The key, to be used as a tls-crypt key.
    pub key: StaticKey,
    /// What the key's maker put beside it: a type octet and its content, or nothing.
    pub metadata: Vec<u8>,
}

impl TlsCryptV2Key {
    /// Octets of a server key.
    pub const LENGTH: usize = 128;

    /// A key of these octets, as they stand in a server key file.
    #[must_use]
    pub fn new(octets: &[u8; Self::LENGTH]) -> Self {
        let octets = Zeroizing::new(*octets);
        Self { wrapping: SyntheticIv::new(KeyHalf { cipher: &octets[..64], hmac: &octets[64..] }) }
    }

    /// Wraps a client's key; `None` if the metadata is longer than fits.
    #[must_use]
    pub fn wrap(&self, client: &StaticKeyOctets, metadata: &[u8]) -> Option<Vec<u8>> {
        let length = MIN_WRAPPED + metadata.len();
        let field = u16::try_from(length).ok().filter(|_| length <= MAX_WRAPPED)?.to_be_bytes();
        let content = Zeroizing::new([&client[..], metadata].concat());
        Some([&self.wrapping.seal(&[&field], &content)[..], &field].concat())
    }

    /// Splits a datagram into the tls-crypt part and the client's key.
    pub(crate) fn take<'a>(&self, datagram: &'a [u8]) -> Result<(&'a [u8], ClientKey), UnwrapError> {
        let (_, field) = datagram.split_last_chunk::<LENGTH_FIELD>().ok_or(UnwrapError::NotAuthentic)?;
        let length = usize::from(u16::from_be_bytes(*field));
        if !(MIN_WRAPPED..=MAX_WRAPPED).contains(&length) || length >= datagram.len() {
            return Err(UnwrapError::NotAuthentic);
        }
        let (packet, wrapped) = datagram.split_at(datagram.len() - length);
        let (wrapped, field) = wrapped.split_last_chunk().ok_or(UnwrapError::NotAuthentic)?;
        Ok((packet, self.open(wrapped, *field)?))
    }

    /// Whether `wrapped` is this client's key, wrapped by this server key.
    #[must_use]
    pub fn has_wrapped(&self, client: &StaticKeyOctets, wrapped: &[u8]) -> bool {
        let Some((content, field)) = wrapped.split_last_chunk() else { return false };
        let opened = self.open(content, *field).ok();
        // Wrapping takes no randomness: the same content gives the same octets.
        opened.and_then(|found| self.wrap(client, &found.metadata)).is_some_and(|again| again == wrapped)
    }

    fn open(&self, wrapped: &[u8], field: [u8; LENGTH_FIELD]) -> Result<ClientKey, UnwrapError> {
        let content = self.wrapping.open(&[&field], wrapped)?;
        let (key, metadata) =
            content.split_first_chunk::<{ StaticKey::LENGTH }>().ok_or(UnwrapError::NotAuthentic)?;
        Ok(ClientKey { key: StaticKey::new(*key), metadata: metadata.to_vec() })
    }
}

/// The tls-crypt part of a datagram that may end in a wrapped key; `None` if the key's length makes no sense.
pub(crate) fn without_client_key(datagram: &[u8]) -> Option<&[u8]> {
    let opcode = datagram.first()? >> 3;
    if !matches!(opcode, HARD_RESET_CLIENT_V3 | CONTROL_WITH_KEY) {
        return Some(datagram);
    }
    let (_, field) = datagram.split_last_chunk::<LENGTH_FIELD>()?;
    let length = usize::from(u16::from_be_bytes(*field));
    datagram.len().checked_sub(length).map(|packet| &datagram[..packet])
}

/// The octets of a static key.
pub type StaticKeyOctets = [u8; StaticKey::LENGTH];
