//! The few primitives of the chosen backend that the protocol needs, with one shape for both backends.
//!
//! Not here: TLS (see `tls`) and the old TLS 1.0 key derivation (see `keys::prf`).

#[cfg(feature = "aws_lc_rs")]
use aws_lc_rs as backend;
#[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
use ring as backend;
#[cfg(not(any(feature = "aws_lc_rs", feature = "ring")))]
compile_error!("choose a crypto backend: feature `aws_lc_rs` (default) or `ring`");

use backend::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use backend::{digest, hmac};
use rustls::crypto::CryptoProvider;
use std::sync::Arc;

use crate::data::DataCipher;
use crate::wire::tls_auth::AuthDigest;

/// Octets of an AEAD tag of every cipher of the data channel.
pub(crate) const TAG_LENGTH: usize = 16;

/// A cipher or tag did not fit the data: forged, damaged or sealed under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication failed")]
pub(crate) struct NotAuthentic;

/// One direction of an AEAD; built once per key.
pub(crate) struct AeadKey(LessSafeKey);

impl AeadKey {
    /// `None` where the backend does not have `cipher`, or `key` has not the length that it wants.
    pub(crate) fn new(cipher: DataCipher, key: &[u8]) -> Option<Self> {
        let algorithm = match cipher {
            DataCipher::Aes256Gcm => &aead::AES_256_GCM,
            #[cfg(feature = "aws_lc_rs")]
            DataCipher::Aes192Gcm => &aead::AES_192_GCM,
            #[cfg(not(feature = "aws_lc_rs"))]
            DataCipher::Aes192Gcm => return None,
            DataCipher::Aes128Gcm => &aead::AES_128_GCM,
            DataCipher::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        };
        UnboundKey::new(algorithm, key).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Encrypts in place and returns the tag.
    pub(crate) fn seal(
        &self,
        nonce: [u8; 12],
        associated_data: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], NotAuthentic> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(associated_data), text)
            .map_err(|_| NotAuthentic)?;
        tag.as_ref().try_into().map_err(|_| NotAuthentic)
    }

    /// Verifies the tag and decrypts in place.
    pub(crate) fn open(
        &self,
        nonce: [u8; 12],
        associated_data: &[u8],
        tag: &[u8],
        text: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.open_separate(nonce, associated_data, tag, text)
    }

    #[cfg(feature = "aws_lc_rs")]
    fn open_separate(
        &self,
        nonce: Nonce,
        associated_data: &[u8],
        tag: &[u8],
        text: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(associated_data), tag, text);
        opened.map(|_| ()).map_err(|_| NotAuthentic)
    }

    #[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
    fn open_separate(
        &self,
        nonce: Nonce,
        associated_data: &[u8],
        tag: &[u8],
        text: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let tag = aead::Tag::try_from(tag).map_err(|_| NotAuthentic)?;
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(associated_data), tag, text, 0..);
        opened.map(|_| ()).map_err(|_| NotAuthentic)
    }
}

/// A key for HMAC.
pub(crate) struct MacKey(hmac::Key);

impl MacKey {
    pub(crate) fn new(digest: AuthDigest, key: &[u8]) -> Self {
        let algorithm = match digest {
            AuthDigest::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            AuthDigest::Sha256 => hmac::HMAC_SHA256,
            AuthDigest::Sha384 => hmac::HMAC_SHA384,
            AuthDigest::Sha512 => hmac::HMAC_SHA512,
        };
        Self(hmac::Key::new(algorithm, key))
    }

    /// The HMAC over the parts as if they were one text.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }
}

/// SHA-256 over the parts as if they were one text.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut octets = [0; 32];
    octets.copy_from_slice(context.finish().as_ref());
    octets
}

/// The TLS provider of the chosen backend; passed explicitly, because a build may hold both.
pub(crate) fn tls_provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws_lc_rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}
