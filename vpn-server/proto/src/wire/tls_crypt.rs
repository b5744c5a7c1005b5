//! tls-crypt: each control packet encrypted and authenticated with a key derived from its own content
//! (protocol reference section 4.3).
//!
//! ```text
//!  op/key(1) | session id(8) | replay id(8) | tag(32) | ciphertext
//!  tag = HMAC-SHA256(Ka, first 17 octets | plaintext)      ciphertext = AES-256-CTR(Ke, IV = tag[0..16], plaintext)
//! ```

use aes::Aes256;
use ctr::cipher::{KeyIvInit, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Cursor;
use super::replay_id::ReplayId;
use super::static_key::{KeyDirection, KeyHalf, StaticKey};
use super::tls_auth::AuthDigest;
use super::wrapping::{HEADER, UnwrapError, Unwrapped, join, split};
use crate::crypto::MacKey;

const TAG: usize = 32;
const KEY: usize = 32;

/// Encryption whose IV is the authentication tag: what tls-crypt does to packets and tls-crypt-v2 to client keys.
pub(crate) struct SyntheticIv {
    authenticate: MacKey,
    encrypt: Zeroizing<[u8; KEY]>,
}

impl SyntheticIv {
    pub(crate) fn new(key: KeyHalf<'_>) -> Self {
        let mut encrypt = Zeroizing::new([0; KEY]);
        encrypt.copy_from_slice(&key.cipher[..KEY]);
        Self { authenticate: MacKey::new(AuthDigest::Sha256, &key.hmac[..KEY]), encrypt }
    }

    /// Tag and ciphertext.
    pub(crate) fn seal(&self, header: &[&[u8]], text: &[u8]) -> Vec<u8> {
        let tag = self.tag(header, text);
        let mut sealed = [&tag[..], text].concat();
        self.apply_keystream(&tag, &mut sealed[TAG..]);
        sealed
    }

    /// The plaintext of `sealed`, which is tag and ciphertext.
    pub(crate) fn open(&self, header: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnwrapError> {
        let (tag, ciphertext) = sealed.split_first_chunk::<TAG>().ok_or(UnwrapError::NotAuthentic)?;
        let mut text = Zeroizing::new(ciphertext.to_vec());
        self.apply_keystream(tag, &mut text);
        if bool::from(self.tag(header, &text).ct_eq(tag)) { Ok(text) } else { Err(UnwrapError::NotAuthentic) }
    }

    fn tag(&self, header: &[&[u8]], text: &[u8]) -> [u8; TAG] {
        let parts: Vec<&[u8]> = header.iter().copied().chain([text]).collect();
        let mut tag = [0; TAG];
        tag.copy_from_slice(self.authenticate.sign(&parts).as_ref());
        tag
    }

    fn apply_keystream(&self, tag: &[u8; TAG], text: &mut [u8]) {
        let mut iv = [0; 16];
        iv.copy_from_slice(&tag[..16]);
        ctr::Ctr128BE::<Aes256>::new(&(*self.encrypt).into(), &iv.into()).apply_keystream(text);
    }
}

/// One side's keys.
pub(crate) struct TlsCrypt {
    sending: SyntheticIv,
    receiving: SyntheticIv,
}

impl TlsCrypt {
    /// The server sends with [`KeyDirection::Zero`], the client with [`KeyDirection::One`].
    pub(crate) fn new(key: &StaticKey, direction: KeyDirection) -> Self {
        Self {
            sending: SyntheticIv::new(key.sending(direction)),
            receiving: SyntheticIv::new(key.receiving(direction)),
        }
    }

    /// Wraps a plain packet.
    pub(crate) fn wrap(&self, replay_id: ReplayId, packet: &[u8]) -> Vec<u8> {
        let (header, rest) = split(packet);
        let number = replay_id.to_wire();
        join(&[header, &number, &self.sending.seal(&[header, &number], rest)])
    }

    pub(crate) fn unwrap(&self, datagram: &[u8]) -> Result<Unwrapped, UnwrapError> {
        let mut cursor = Cursor::new(datagram);
        let header = cursor.bytes(HEADER, "header")?;
        let number = cursor.bytes(ReplayId::LENGTH, "replay id")?;
        let text = self.receiving.open(&[header, number], cursor.rest())?;
        let replay_id = ReplayId::take(&mut Cursor::new(number))?;
        Ok(Unwrapped { replay_id: Some(replay_id), packet: join(&[header, &text]) })
    }
}
