//! Private keys: algorithms, generation, files in every form easy-rsa and OpenSSL write, and signing.
//!
//! A key on disk is an [`EncodedKey`]; unlocked it is a [`PrivateKey`]; ready to sign it is a [`SigningKey`]. A key
//! in a token never becomes either: see [`pkcs11`].

mod algorithm;
mod encrypt;
mod error;
mod generate;
mod legacy;
pub mod pkcs11;
mod private;
mod signature;
mod signer;

pub use algorithm::{KeyAlgorithm, UnknownAlgorithm};
pub use encrypt::{EncodedKey, EncryptedKey, Protection, WeakEncryption};
pub use error::KeyError;
pub use generate::generate;
pub use private::PrivateKey;
pub use signature::{Digest, SignatureAlgorithm};
pub use signer::{CaSigner, SigningKey};

pub(crate) use signature::{public_key_octets, verify as verify_signature};
