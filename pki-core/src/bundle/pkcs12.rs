//! PKCS#12 containers: key and certificates under one passphrase.
//!
//! Encoding is the library's; this module decides the algorithms: AES-256 with HMAC-SHA256, or triple DES with SHA-1
//! for importers that know nothing newer.

mod cost;

use base64ct::{Base64, Encoding};
use p12_keystore::{
    Certificate as StoredCertificate, CertificateBag, EncryptionAlgorithm, KeyStore, KeyStoreEntry,
    MacAlgorithm, Pkcs12Archive, PrivateKey as StoredKey, PrivateKeyChain,
};
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::BundleError;
use crate::cert::Certificate;
use crate::key::PrivateKey;
use crate::secret::{Passphrase, SecretBytes};
use crate::x509::Certificate as ParsedCertificate;
use crate::x509::der::DerError;

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
    let text = text_of(passphrase)?;
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

/// What a container with one key holds.
pub struct Opened {
    /// The key.
    pub key: PrivateKey,
    /// The certificate that it belongs to.
    pub certificate: ParsedCertificate,
    /// All other certificates.
    pub others: Vec<ParsedCertificate>,
}

/// Reads a container as `openssl pkcs12 -export` and [`write()`] make it, or its Base64 text as inline blocks have it.
///
/// # Errors
/// [`BundleError::Pkcs12Unreadable`], [`BundleError::WrongPassphrase`], [`BundleError::PassphraseNotText`],
/// [`BundleError::Pkcs12TooExpensive`] for containers that ask for more than [`MOST_ROUNDS`], and
/// [`BundleError::NoKeyPair`] for containers with none or several keys.
pub fn read(container: &[u8], passphrase: Option<&Passphrase>) -> Result<Opened, BundleError> {
    read_within(MOST_ROUNDS, container, passphrase)
}

/// The same with another limit for the rounds of key derivation, all of them together.
///
/// # Errors
/// Those of [`read`].
pub fn read_within(
    most_rounds: u64,
    container: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<Opened, BundleError> {
    let der = der_of(container);
    check_cost(&der, most_rounds)?;
    let archive = Pkcs12Archive::from_pkcs12(&der, text_of(passphrase)?).map_err(unreadable)?;
    let [key] = archive.keys.as_slice() else { return Err(BundleError::NoKeyPair) };
    let damaged = |reason: String| BundleError::Pkcs12Unreadable { reason };
    let key = PrivateKey::from_pkcs8(key.key.as_der()).map_err(|cause| damaged(cause.to_string()))?;
    let parsed = |stored: &CertificateBag| ParsedCertificate::parse(stored.cert.as_der());
    let certificates = archive.certs.iter().map(parsed).collect::<Result<Vec<_>, _>>();
    let mut others = certificates.map_err(|cause| damaged(cause.to_string()))?;
    let own = others.iter().position(|certificate| certificate.public_key_info() == key.public_key_info());
    let certificate = others.remove(own.ok_or(BundleError::NoKeyPair)?);
    Ok(Opened { key, certificate, others })
}

/// Refuses containers that are built to keep the machine busy (threat model PKI-12).
fn check_cost(der: &[u8], limit: u64) -> Result<(), BundleError> {
    let damaged = |fault: DerError| BundleError::Pkcs12Unreadable { reason: fault.to_string() };
    let cost = cost::rounds(der).map_err(damaged)?;
    for (rounds, limit) in [(cost.longest, MOST_ROUNDS_AT_ONCE), (cost.sum, limit)] {
        if rounds > limit {
            return Err(BundleError::Pkcs12TooExpensive { rounds, limit });
        }
    }
    Ok(())
}

/// What is no Base64 is read as it is.
fn der_of(container: &[u8]) -> Zeroizing<Vec<u8>> {
    let text: Zeroizing<String> = Zeroizing::new(
        container
            .iter()
            .filter(|octet| !octet.is_ascii_whitespace())
            .map(|octet| char::from(*octet))
            .collect(),
    );
    Zeroizing::new(Base64::decode_vec(&text).unwrap_or_else(|_| container.to_vec()))
}

fn unreadable(cause: p12_keystore::error::Error) -> BundleError {
    if matches!(cause, p12_keystore::error::Error::MacError(_)) {
        return BundleError::WrongPassphrase;
    }
    BundleError::Pkcs12Unreadable { reason: cause.to_string() }
}

fn text_of(passphrase: Option<&Passphrase>) -> Result<&str, BundleError> {
    let text = passphrase.map_or(Ok(""), |passphrase| std::str::from_utf8(passphrase.as_bytes()));
    text.map_err(|_| BundleError::PassphraseNotText)
}

/// The rounds of key derivation that a container may ask for, all of them together. There are three derivations usually,
/// and 600,000 rounds are advised for one.
pub const MOST_ROUNDS: u64 = 3 * MOST_ROUNDS_AT_ONCE;

/// More is not done by the library in one derivation, which would not say so.
const MOST_ROUNDS_AT_ONCE: u64 = 1_000_000;

/// Importers on phones derive the key twice; more rounds take them seconds.
const ROUNDS: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// What easy-rsa's `export-p12` wrote, and the same as its inline file has it.
    const CONTAINER: &[u8] = include_bytes!("../../../testdata/easyrsa/rsa/private/client2.p12");
    const INLINE: &str = include_str!("../../../testdata/easyrsa/rsa/inline/private/client2.p12-inline");

    #[test]
    fn a_container_of_easy_rsa_is_opened_with_its_passphrase_only() {
        let opened = open(CONTAINER, "p12pass").unwrap();
        assert!(opened.certificate.subject().to_string().contains("CN=client2"));
        assert_eq!(opened.certificate.public_key_info(), opened.key.public_key_info());
        assert!(opened.others.iter().all(|certificate| certificate.is_ca()));
        assert_eq!(open(CONTAINER, "wrong").err(), Some(BundleError::WrongPassphrase));
    }

    #[test]
    fn a_container_may_come_as_text() {
        let text = INLINE.split_once("<pkcs12>").unwrap().1.split_once("</pkcs12>").unwrap().0;
        let (of_text, of_file) = (open(text.as_bytes(), "p12pass"), open(CONTAINER, "p12pass"));
        assert_eq!(of_text.unwrap().key.pkcs8_der(), of_file.unwrap().key.pkcs8_der());
    }

    #[test]
    fn what_is_no_container_or_has_no_key_is_named() {
        for garbage in [&b""[..], b"garbage", &CONTAINER[..CONTAINER.len() / 2]] {
            assert!(matches!(open(garbage, "p12pass").err(), Some(BundleError::Pkcs12Unreadable { .. })));
        }
        let contents = Contents { friendly_name: None, key: None, chain: &[] };
        let empty = write(&contents, None, Compatibility::Modern).unwrap();
        assert_eq!(read(empty.expose(), None).err(), Some(BundleError::NoKeyPair));
    }

    #[test]
    fn pki_12_a_container_may_ask_for_so_many_rounds_and_not_for_one_more() {
        let passphrase = Passphrase::new(b"p12pass".to_vec());
        let asked = cost::rounds(CONTAINER).unwrap().sum;
        assert!(asked > 0);
        assert!(read_within(asked, CONTAINER, Some(&passphrase)).is_ok());
        let refusal = read_within(asked - 1, CONTAINER, Some(&passphrase)).err();
        assert_eq!(refusal, Some(BundleError::Pkcs12TooExpensive { rounds: asked, limit: asked - 1 }));
    }

    #[test]
    fn pki_12_what_is_written_here_is_within_the_limit() {
        let Opened { key, certificate, .. } = open(CONTAINER, "p12pass").unwrap();
        let certificate = Certificate::parse(certificate.der()).unwrap();
        let contents = Contents { friendly_name: None, key: Some(&key), chain: &[&certificate] };
        for compatibility in [Compatibility::Modern, Compatibility::Legacy] {
            let written = write(&contents, None, compatibility).unwrap();
            let cost = cost::rounds(written.expose()).unwrap();
            assert_eq!((cost.sum, cost.longest), ((3 * ROUNDS).into(), ROUNDS.into()), "{compatibility:?}");
        }
    }

    fn open(container: &[u8], passphrase: &str) -> Result<Opened, BundleError> {
        read(container, Some(&Passphrase::new(passphrase.as_bytes().to_vec())))
    }
}
