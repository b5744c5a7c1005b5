//! PKCS#12 containers: key and certificates under one passphrase.
//!
//! Encoding is the library's; this module decides the algorithms: AES-256 with HMAC-SHA256, or triple DES with SHA-1
//! for importers that know nothing newer.

use p12_keystore::{
    Certificate as StoredCertificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm,
    PrivateKey as StoredKey, PrivateKeyChain,
};
use sha1::{Digest, Sha1};

use super::BundleError;
use crate::cert::Certificate;
use crate::key::PrivateKey;
use crate::secret::{Passphrase, SecretBytes};

/// What goes into a container.
pub struct Contents<'a> {
    /// The name that importers show; by default none.
    pub friendly_name: Option<&'a str>,
    /// The key of the first certificate.
    pub key: Option<&'a PrivateKey>,
    /// The certificate, and those above it.
    pub chain: &'a [&'a Certificate],
}

/// Which programs can import a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compatibility {
    /// AES-256, PBKDF2-HMAC-SHA256 and an HMAC-SHA256 over all of it.
    #[default]
    Modern,
    /// Triple DES and SHA-1, for importers from before 2019.
    Legacy,
}

/// Writes a container.
///
/// # Errors
/// [`BundleError::PassphraseNotText`], [`BundleError::Pkcs12`].
pub fn write(
    contents: &Contents<'_>,
    passphrase: Option<&Passphrase>,
    compatibility: Compatibility,
) -> Result<SecretBytes, BundleError> {
    let refused = |cause: p12_keystore::error::Error| BundleError::Pkcs12 { reason: cause.to_string() };
    let text = passphrase.map_or(Ok(""), |passphrase| std::str::from_utf8(passphrase.as_bytes()));
    let text = text.map_err(|_| BundleError::PassphraseNotText)?;
    let stored = |certificate: &&Certificate| StoredCertificate::from_der(certificate.der()).map_err(refused);
    let chain = contents.chain.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
    let mut store = KeyStore::new();
    let alias = contents.friendly_name.unwrap_or_default();
    match contents.key {
        Some(key) => {
            let identifier = Sha1::digest(contents.chain.first().map_or(&[][..], |first| first.der()));
            let key = StoredKey::from_der(key.pkcs8_der()).map_err(refused)?;
            let chain = PrivateKeyChain::new(identifier.as_slice(), key, chain);
            store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(chain));
        }
        None => {
            for (number, certificate) in chain.into_iter().enumerate() {
                let alias = if number == 0 { alias.to_owned() } else { format!("{alias} {number}") };
                store.add_entry(&alias, KeyStoreEntry::Certificate(certificate));
            }
        }
    }
    let (encryption, mac) = match compatibility {
        Compatibility::Modern => (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256),
        Compatibility::Legacy => (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
    };
    let writer = store.writer(text).encryption_algorithm(encryption).mac_algorithm(mac);
    let writer = writer.encryption_iterations(ROUNDS).mac_iterations(ROUNDS);
    writer.write().map(SecretBytes::new).map_err(refused)
}

/// Importers on phones derive the key twice; more rounds take them seconds.
const ROUNDS: u32 = 100_000;
