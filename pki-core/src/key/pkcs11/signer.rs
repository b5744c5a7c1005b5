//! Signing inside a token.
//!
//! The digest is made here, so that a list of megabytes does not travel through a smart card, and any digest goes with
//! any token; only Ed25519 needs the whole message.

use std::sync::{Mutex, PoisonError};

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::session::Session;
use der::oid::ObjectIdentifier;

use super::TokenError;
use super::object::{self, TokenKey};
use super::token::device;
use crate::asn1::Encoder;
use crate::key::{CaSigner, Digest, KeyAlgorithm, KeyError, SignatureAlgorithm};
use crate::x509::der::tag;

/// A key in an open token, ready to sign with one digest.
pub struct TokenSigner {
    /// A session does one thing at a time.
    session: Mutex<Session>,
    token: String,
    key: TokenKey,
    digest: Digest,
}

impl TokenSigner {
    pub(super) fn new(session: Session, token: String, key: TokenKey, digest: Digest) -> Self {
        Self { session: Mutex::new(session), token, key, digest }
    }

    /// Removes the key from the token: for one that was just made and came to nothing.
    ///
    /// # Errors
    /// [`TokenError::Device`].
    pub fn destroy_key(self) -> Result<(), TokenError> {
        let session = self.session.into_inner().unwrap_or_else(PoisonError::into_inner);
        object::destroy(&session, &self.token, &self.key)
    }

    fn sign_with(&self, mechanism: &Mechanism<'_>, input: &[u8]) -> Result<Vec<u8>, KeyError> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = session.sign(mechanism, self.key.private, input);
        signature.map_err(|cause| device(&self.token, &cause).into())
    }
}

impl CaSigner for TokenSigner {
    fn public_key_info(&self) -> &[u8] {
        &self.key.public.info
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::of(self.key.algorithm(), self.digest)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self.key.algorithm() {
            KeyAlgorithm::Rsa { .. } => {
                self.sign_with(&Mechanism::RsaPkcs, &digest_info(self.digest, message))
            }
            KeyAlgorithm::Ed25519 => {
                let pure = EddsaParams::new(EddsaSignatureScheme::Pure);
                self.sign_with(&Mechanism::Eddsa(pure), message)
            }
            curve @ (KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521) => {
                let mut digest = self.digest.of(message);
                // FIPS 186-5 section 6.4.1: the leftmost bits; not every token cuts the rest off itself.
                digest.truncate(coordinate_length(curve));
                ecdsa_der(&self.sign_with(&Mechanism::Ecdsa, &digest)?)
            }
        }
    }
}

/// PKCS#1's DigestInfo (RFC 8017 section 9.2).
fn digest_info(digest: Digest, message: &[u8]) -> Vec<u8> {
    let identifier = ObjectIdentifier::new_unwrap(match digest {
        Digest::Sha256 => "2.16.840.1.101.3.4.2.1",
        Digest::Sha384 => "2.16.840.1.101.3.4.2.2",
        Digest::Sha512 => "2.16.840.1.101.3.4.2.3",
    });
    Encoder::sequence_of(|info| {
        info.sequence(|algorithm| {
            algorithm.oid(&identifier);
            algorithm.null();
        });
        info.value(tag::OCTET_STRING, &digest.of(message));
    })
}

/// PKCS#11 gives the two numbers one after the other; certificates carry them as a SEQUENCE of two INTEGERs.
fn ecdsa_der(signature: &[u8]) -> Result<Vec<u8>, KeyError> {
    let is_pair = !signature.is_empty() && signature.len().is_multiple_of(2);
    let Some((first, second)) = signature.split_at_checked(signature.len() / 2).filter(|_| is_pair) else {
        return Err(KeyError::FaultySignature);
    };
    Ok(Encoder::sequence_of(|numbers| {
        numbers.unsigned(first);
        numbers.unsigned(second);
    }))
}

fn coordinate_length(curve: KeyAlgorithm) -> usize {
    match curve {
        KeyAlgorithm::P384 => 48,
        KeyAlgorithm::P521 => 66,
        KeyAlgorithm::P256 | KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 => 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_numbers_become_positive_integers_without_leading_zeros() {
        assert_eq!(ecdsa_der(&[0x80, 1, 0, 2]).unwrap(), [0x30, 8, 2, 3, 0, 0x80, 1, 2, 1, 2]);
        assert_eq!(ecdsa_der(&[]), Err(KeyError::FaultySignature));
        assert_eq!(ecdsa_der(&[1, 2, 3]), Err(KeyError::FaultySignature));
    }

    #[test]
    fn the_digest_info_is_the_one_of_rfc_8017() {
        let info = digest_info(Digest::Sha256, b"");
        let prefix = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
        assert_eq!((&info[..19], info.len()), (&prefix[..], 51));
    }
}
