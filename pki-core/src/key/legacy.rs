//! OpenSSL's old encryption of PEM bodies (`Proc-Type: 4,ENCRYPTED`), read only.
//!
//! The key is one MD5 chain over passphrase and the first eight octets of the initialisation vector. Nothing writes
//! this form any more; old PKIs are full of it.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::encrypt::key_from_plaintext;
use super::{KeyError, PrivateKey};
use crate::pem::Block;
use crate::secret::Passphrase;

/// A PKCS#1 or SEC 1 key whose PEM body is encrypted.
pub(super) struct LegacyKey {
    block: Block,
    cipher: Cipher,
    initialisation: Vec<u8>,
}

impl LegacyKey {
    pub(super) fn parse(block: Block) -> Result<Self, KeyError> {
        let information = block.header("DEK-Info").ok_or(KeyError::Damaged)?;
        let (name, digits) = information.split_once(',').ok_or(KeyError::Damaged)?;
        let cipher = Cipher::from_name(name.trim())
            .ok_or_else(|| KeyError::UnsupportedEncryption { scheme: name.trim().to_owned() })?;
        let initialisation = octets_from_hex(digits.trim()).ok_or(KeyError::Damaged)?;
        if initialisation.len() != cipher.block_length() {
            return Err(KeyError::Damaged);
        }
        Ok(Self { block, cipher, initialisation })
    }

    pub(super) fn unlock(&self, passphrase: &Passphrase) -> Result<PrivateKey, KeyError> {
        let key = derived_key(passphrase, &self.initialisation[..8], self.cipher.key_length());
        let mut body = self.block.der.clone();
        let plaintext =
            self.cipher.decrypt(&key, &self.initialisation, &mut body).ok_or(KeyError::WrongPassphrase)?;
        if self.block.label == "RSA PRIVATE KEY" {
            key_from_plaintext(plaintext, PrivateKey::from_pkcs1)
        } else {
            key_from_plaintext(plaintext, PrivateKey::from_sec1)
        }
    }
}

#[derive(Clone, Copy)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

impl Cipher {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "AES-128-CBC" => Some(Self::Aes128),
            "AES-192-CBC" => Some(Self::Aes192),
            "AES-256-CBC" => Some(Self::Aes256),
            "DES-EDE3-CBC" => Some(Self::TripleDes),
            _ => None,
        }
    }

    fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    fn block_length(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::TripleDes => 8,
        }
    }

    fn decrypt<'a>(self, key: &[u8], initialisation: &[u8], body: &'a mut [u8]) -> Option<&'a [u8]> {
        macro_rules! decrypted_by {
            ($cipher:ty) => {
                cbc::Decryptor::<$cipher>::new_from_slices(key, initialisation)
                    .ok()?
                    .decrypt_padded::<Pkcs7>(body)
                    .ok()
            };
        }
        match self {
            Self::Aes128 => decrypted_by!(aes::Aes128),
            Self::Aes192 => decrypted_by!(aes::Aes192),
            Self::Aes256 => decrypted_by!(aes::Aes256),
            Self::TripleDes => decrypted_by!(des::TdesEde3),
        }
    }
}

/// OpenSSL's EVP_BytesToKey with MD5 and one round.
fn derived_key(passphrase: &Passphrase, salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut previous: Option<[u8; 16]> = None;
    while key.len() < length {
        let mut hash = Md5::new();
        if let Some(previous) = previous {
            hash.update(previous);
        }
        hash.update(passphrase.as_bytes());
        hash.update(salt);
        let block: [u8; 16] = hash.finalize().into();
        key.extend_from_slice(&block);
        previous = Some(block);
    }
    key.truncate(length);
    key
}

fn octets_from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::EncodedKey;

    fn refusal(text: &str) -> KeyError {
        EncodedKey::from_pem(text.as_bytes()).err().unwrap()
    }

    #[test]
    fn foreign_ciphers_are_named() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: CAMELLIA-256-CBC,00\n\n\
                    YWJj\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(refusal(text), KeyError::UnsupportedEncryption { scheme: "CAMELLIA-256-CBC".into() });
    }

    #[test]
    fn a_short_initialisation_vector_is_damage() {
        let text = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0011\n\n\
                    YWJj\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(refusal(text), KeyError::Damaged);
    }
}
