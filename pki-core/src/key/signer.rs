//! Signing: what the authority needs from its key, and the key in memory as one thing that provides it; a token
//! ([`super::pkcs11`]) is the other.
//!
//! RSA and Ed25519 go through the backend. ECDSA does not: the p256 family signs with any digest, with nonces derived
//! from key and message, and so without the backend's generator, whose seeding takes longer than a whole command.

use super::signature::{Digest, SignatureAlgorithm, verify};
use super::{KeyAlgorithm, KeyError, PrivateKey};
use crate::crypto::backend::rand::SystemRandom;
use crate::crypto::backend::signature::{self as backend, Ed25519KeyPair, RsaEncoding, RsaKeyPair};

/// Signs certificates and lists; the key may live in memory or in a token.
pub trait CaSigner: Send + Sync {
    /// The SubjectPublicKeyInfo of the key, in DER.
    fn public_key_info(&self) -> &[u8];

    /// How it signs.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// The signature over `message`, in the form that a certificate carries.
    ///
    /// # Errors
    /// When the key or its device refuses.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Signs and verifies at once, so that a faulty machine issues nothing (threat model PKI-11).
    ///
    /// # Errors
    /// What [`Self::sign`] answers, or [`KeyError::FaultySignature`].
    fn sign_checked(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.sign(message)?;
        verify(self.public_key_info(), &self.algorithm().to_der(), message, &signature)?;
        Ok(signature)
    }
}

/// An unlocked private key, ready to sign with one digest.
pub struct SigningKey {
    pair: Pair,
    public_key_info: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKey, Digest),
    Ed25519(Ed25519KeyPair),
}

enum EcdsaKey {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

impl SigningKey {
    /// Loads a key for signing with `digest`; Ed25519 ignores the digest.
    ///
    /// # Errors
    /// [`KeyError::CannotSign`] when the backend refuses the key (an RSA key below 2048 bits, for example).
    pub fn new(key: &PrivateKey, digest: Digest) -> Result<Self, KeyError> {
        Ok(Self {
            pair: Pair::load(key, digest).ok_or(KeyError::CannotSign)?,
            public_key_info: key.public_key_info().to_vec(),
            algorithm: SignatureAlgorithm::of(key.algorithm(), digest),
        })
    }
}

impl CaSigner for SigningKey {
    fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.pair.sign(message).ok_or(KeyError::CannotSign)
    }
}

impl Pair {
    fn load(key: &PrivateKey, digest: Digest) -> Option<Self> {
        let pkcs8 = key.pkcs8_der();
        match key.algorithm() {
            KeyAlgorithm::Rsa { .. } => {
                let encoding = rsa_encoding(digest);
                Some(Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(pkcs8).ok()?), encoding))
            }
            KeyAlgorithm::Ed25519 => {
                Some(Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?))
            }
            curve @ (KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521) => {
                Some(Self::Ecdsa(EcdsaKey::load(curve, key.ec_scalar().ok()?)?, digest))
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; modulus_length(pair)];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ecdsa(key, digest) => key.sign(&digest.of(message)),
            Self::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl EcdsaKey {
    fn load(curve: KeyAlgorithm, scalar: &[u8]) -> Option<Self> {
        match curve {
            KeyAlgorithm::P256 => p256::ecdsa::SigningKey::from_slice(scalar).ok().map(Self::P256),
            KeyAlgorithm::P384 => p384::ecdsa::SigningKey::from_slice(scalar).ok().map(Self::P384),
            KeyAlgorithm::P521 => p521::ecdsa::SigningKey::from_slice(scalar).ok().map(Self::P521),
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 => None,
        }
    }

    fn sign(&self, prehash: &[u8]) -> Option<Vec<u8>> {
        use p256::ecdsa::signature::hazmat::PrehashSigner;

        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign_prehash(prehash).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign_prehash(prehash).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::DerSignature = key.sign_prehash(prehash).ok()?;
                Some(signature.as_bytes().to_vec())
            }
        }
    }
}

fn rsa_encoding(digest: Digest) -> &'static dyn RsaEncoding {
    match digest {
        Digest::Sha256 => &backend::RSA_PKCS1_SHA256,
        Digest::Sha384 => &backend::RSA_PKCS1_SHA384,
        Digest::Sha512 => &backend::RSA_PKCS1_SHA512,
    }
}

#[cfg(feature = "aws_lc_rs")]
fn modulus_length(pair: &RsaKeyPair) -> usize {
    pair.public_modulus_len()
}

#[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
fn modulus_length(pair: &RsaKeyPair) -> usize {
    pair.public().modulus_len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::generate;
    use crate::random::tests::CountingSource;

    const DIGESTS: [Digest; 3] = [Digest::Sha256, Digest::Sha384, Digest::Sha512];

    #[test]
    fn every_kind_of_key_signs_with_every_digest() {
        let curves = [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521, KeyAlgorithm::Ed25519];
        for algorithm in curves.into_iter().chain([KeyAlgorithm::RSA_2048]) {
            let key = generate(algorithm, &mut CountingSource(2)).unwrap();
            for digest in DIGESTS {
                let signer = SigningKey::new(&key, digest).unwrap();
                signer
                    .sign_checked(b"message")
                    .unwrap_or_else(|error| panic!("{algorithm} {digest:?}: {error}"));
            }
        }
    }

    #[test]
    fn a_changed_message_does_not_verify() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P521, KeyAlgorithm::Ed25519] {
            let key = generate(algorithm, &mut CountingSource(2)).unwrap();
            let signer = SigningKey::new(&key, Digest::Sha512).unwrap();
            let signature = signer.sign(b"message").unwrap();
            let algorithm = signer.algorithm().to_der();
            let outcome = verify(signer.public_key_info(), &algorithm, b"massage", &signature);
            assert_eq!(outcome, Err(KeyError::FaultySignature));
        }
    }

    #[test]
    fn pki_11_a_faulty_signer_is_found_out() {
        struct Faulty(SigningKey);
        impl CaSigner for Faulty {
            fn public_key_info(&self) -> &[u8] {
                self.0.public_key_info()
            }
            fn algorithm(&self) -> SignatureAlgorithm {
                self.0.algorithm()
            }
            fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
                let mut signature = self.0.sign(message)?;
                *signature.last_mut().unwrap() ^= 1;
                Ok(signature)
            }
        }
        let key = generate(KeyAlgorithm::Ed25519, &mut CountingSource(2)).unwrap();
        let faulty = Faulty(SigningKey::new(&key, Digest::Sha256).unwrap());
        assert_eq!(faulty.sign_checked(b"message"), Err(KeyError::FaultySignature));
    }
}
