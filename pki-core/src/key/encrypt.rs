//! Keys in files: recognising every PEM form, unlocking, and writing with encryption.
//!
//! Written is one form only: PKCS#8 PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA256. Read is what OpenSSL and easy-rsa
//! have written over the years, triple DES and legacy PEM included; [`EncryptedKey::weakness`] then says so.

use std::fmt;

use der::Decode;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::{self, EncryptionScheme, pbes2};
use zeroize::Zeroizing;

use super::legacy::LegacyKey;
use super::{KeyError, PrivateKey};
use crate::pem::{self, Block};
use crate::random::RandomSource;
use crate::secret::Passphrase;

/// How a new key file is protected.
#[derive(Clone)]
pub enum Protection {
    /// Not at all: `nopass`.
    None,
    /// With a passphrase.
    Passphrase {
        /// At least [`Passphrase::MIN_LENGTH`] octets.
        passphrase: Passphrase,
        /// PBKDF2 rounds; [`Protection::ROUNDS`] unless there is a reason.
        rounds: u32,
    },
    /// With a passphrase whose guessing costs memory as well; not every program reads it.
    Scrypt {
        /// At least [`Passphrase::MIN_LENGTH`] octets.
        passphrase: Passphrase,
    },
}

impl Protection {
    /// PBKDF2-HMAC-SHA256 rounds of new key files; a file with fewer is called weak (threat model PKI-10).
    pub const ROUNDS: u32 = 600_000;

    /// Protection by this passphrase with the usual number of rounds.
    #[must_use]
    pub fn with(passphrase: Passphrase) -> Self {
        Self::Passphrase { passphrase, rounds: Self::ROUNDS }
    }
}

impl PrivateKey {
    /// The key in PEM: `BEGIN PRIVATE KEY` or `BEGIN ENCRYPTED PRIVATE KEY`.
    ///
    /// # Errors
    /// [`KeyError::PassphraseTooShort`], [`KeyError::Random`].
    pub fn to_pem(
        &self,
        protection: &Protection,
        random: &mut dyn RandomSource,
    ) -> Result<Zeroizing<String>, KeyError> {
        match protection {
            Protection::None => Ok(self.to_plain_pem()),
            Protection::Passphrase { passphrase, rounds } => {
                let derive = |salt: &[u8], vector| {
                    pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(*rounds, salt, vector)
                };
                self.to_encrypted_pem(passphrase, derive, random)
            }
            Protection::Scrypt { passphrase } => {
                let (log_n, r, p) = SCRYPT;
                let cost = pkcs5::scrypt::Params::new(log_n, r, p).map_err(|_| KeyError::Damaged)?;
                let derive =
                    |salt: &[u8], vector| pbes2::Parameters::generate_scrypt_aes256cbc(cost, salt, vector);
                self.to_encrypted_pem(passphrase, derive, random)
            }
        }
    }

    fn to_encrypted_pem(
        &self,
        passphrase: &Passphrase,
        derive: impl FnOnce(&[u8], [u8; 16]) -> pkcs5::Result<pbes2::Parameters>,
        random: &mut dyn RandomSource,
    ) -> Result<Zeroizing<String>, KeyError> {
        if !passphrase.is_acceptable() {
            return Err(KeyError::PassphraseTooShort);
        }
        let (mut salt, mut vector) = ([0; 16], [0; 16]);
        random.fill(&mut salt)?;
        random.fill(&mut vector)?;
        let parameters = derive(&salt, vector).map_err(|_| KeyError::Damaged)?;
        let encrypted = pkcs8::PrivateKeyInfoRef::from_der(self.pkcs8_der())
            .and_then(|info| {
                info.encrypt_with_params(parameters, passphrase.as_bytes())
                    .map_err(|_| der::ErrorKind::Failed.into())
            })
            .map_err(|_| KeyError::Damaged)?;
        Ok(pem::armour_secret("ENCRYPTED PRIVATE KEY", encrypted.as_bytes()))
    }
}

/// A private key as it stands in a file.
pub enum EncodedKey {
    /// Readable by whoever has the file.
    Plain(PrivateKey),
    /// Readable with a passphrase.
    Encrypted(EncryptedKey),
}

impl EncodedKey {
    /// Finds the first private key in a PEM text.
    ///
    /// # Errors
    /// [`KeyError::NoKeyInside`], or what is wrong with the key that was found.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        pem::blocks(text).find_map(Self::from_block).unwrap_or(Err(KeyError::NoKeyInside))
    }

    /// Unlocks the key if that is necessary.
    ///
    /// # Errors
    /// [`KeyError::PassphraseNeeded`], [`KeyError::WrongPassphrase`], or what [`EncryptedKey::unlock`] answers.
    pub fn unlock(self, passphrase: Option<&Passphrase>) -> Result<PrivateKey, KeyError> {
        match (self, passphrase) {
            (Self::Plain(key), _) => Ok(key),
            (Self::Encrypted(key), Some(passphrase)) => key.unlock(passphrase),
            (Self::Encrypted(_), None) => Err(KeyError::PassphraseNeeded),
        }
    }

    fn from_block(block: Block) -> Option<Result<Self, KeyError>> {
        let is_legacy = block.header("DEK-Info").is_some();
        let plain = |key: Result<PrivateKey, KeyError>| Some(key.map(Self::Plain));
        match block.label.as_str() {
            "PRIVATE KEY" => plain(PrivateKey::from_pkcs8(&block.der)),
            "ENCRYPTED PRIVATE KEY" => {
                Some(Pbes2Key::parse(block).map(|key| Self::Encrypted(EncryptedKey(Scheme::Pbes2(key)))))
            }
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" if is_legacy => {
                Some(LegacyKey::parse(block).map(|key| Self::Encrypted(EncryptedKey(Scheme::Legacy(key)))))
            }
            "RSA PRIVATE KEY" => plain(PrivateKey::from_pkcs1(&block.der)),
            "EC PRIVATE KEY" => plain(PrivateKey::from_sec1(&block.der)),
            _ => None,
        }
    }
}

/// A key that a passphrase unlocks.
pub struct EncryptedKey(Scheme);

enum Scheme {
    Pbes2(Pbes2Key),
    Legacy(LegacyKey),
}

impl EncryptedKey {
    /// Unlocks the key.
    ///
    /// # Errors
    /// [`KeyError::WrongPassphrase`], or what is wrong with the key inside.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<PrivateKey, KeyError> {
        match &self.0 {
            Scheme::Pbes2(key) => key.unlock(passphrase),
            Scheme::Legacy(key) => key.unlock(passphrase),
        }
    }

    /// The key, still encrypted, re-encoded in PEM; `None` for legacy PEM, whose encryption is part of the armour.
    #[must_use]
    pub fn to_pem(&self) -> Option<Zeroizing<String>> {
        match &self.0 {
            Scheme::Pbes2(key) => Some(pem::armour_secret("ENCRYPTED PRIVATE KEY", &key.block.der)),
            Scheme::Legacy(_) => None,
        }
    }

    /// Why the file should be encrypted again, if it should.
    #[must_use]
    pub fn weakness(&self) -> Option<WeakEncryption> {
        match &self.0 {
            Scheme::Pbes2(key) => key.weakness(),
            Scheme::Legacy(_) => Some(WeakEncryption::LegacyPem),
        }
    }
}

/// Protection that a determined guesser overcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakEncryption {
    /// Triple DES, as easy-rsa with OpenSSL 3 writes (CVE-2024-13454).
    TripleDes,
    /// Fewer key derivation rounds than [`Protection::ROUNDS`].
    FewRounds {
        /// The rounds.
        rounds: u32,
    },
    /// `Proc-Type: 4,ENCRYPTED`: a single round of MD5.
    LegacyPem,
}

impl fmt::Display for WeakEncryption {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TripleDes => out.write_str("triple DES"),
            Self::FewRounds { rounds } => write!(out, "only {rounds} key derivation rounds"),
            Self::LegacyPem => out.write_str("legacy PEM with one round of MD5"),
        }
    }
}

/// PKCS#8 with PBES2 (RFC 8018), its cost already found acceptable.
struct Pbes2Key {
    block: Block,
    parameters: pbes2::Parameters,
}

impl Pbes2Key {
    fn parse(block: Block) -> Result<Self, KeyError> {
        let encrypted =
            EncryptedPrivateKeyInfoRef::from_der(&block.der).map_err(|_| unreadable_scheme(&block.der))?;
        let EncryptionScheme::Pbes2(parameters) = encrypted.encryption_algorithm else {
            let scheme = "PBES1 (a PKCS#5 version 1 scheme)".into();
            return Err(KeyError::UnsupportedEncryption { scheme });
        };
        check_cost(&parameters.kdf)?;
        Ok(Self { block, parameters })
    }

    fn unlock(&self, passphrase: &Passphrase) -> Result<PrivateKey, KeyError> {
        let encrypted =
            EncryptedPrivateKeyInfoRef::from_der(&self.block.der).map_err(|_| KeyError::Damaged)?;
        let octets = self
            .parameters
            .decrypt(passphrase.as_bytes(), encrypted.encrypted_data.as_bytes())
            .map(Zeroizing::new)
            .map_err(|failure| {
                if let pkcs5::Error::UnsupportedAlgorithm { oid } = failure {
                    let scheme = oid.to_string();
                    return KeyError::UnsupportedEncryption { scheme };
                }
                KeyError::WrongPassphrase
            })?;
        key_from_plaintext(&octets, PrivateKey::from_pkcs8)
    }

    fn weakness(&self) -> Option<WeakEncryption> {
        if matches!(self.parameters.encryption, pbes2::EncryptionScheme::DesEde3Cbc { .. }) {
            return Some(WeakEncryption::TripleDes);
        }
        let rounds = self.parameters.kdf.pbkdf2()?.iteration_count;
        (rounds < Protection::ROUNDS).then_some(WeakEncryption::FewRounds { rounds })
    }
}

/// One wrong passphrase in 256 leaves valid padding, so only the plaintext can tell: garbage means a wrong passphrase.
pub(super) fn key_from_plaintext(
    plaintext: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<PrivateKey, KeyError>,
) -> Result<PrivateKey, KeyError> {
    parse(plaintext).map_err(|failure| {
        if failure == KeyError::Damaged {
            return KeyError::WrongPassphrase;
        }
        failure
    })
}

/// Refuses files that are built to keep the machine busy (threat model PKI-12).
fn check_cost(derivation: &pbes2::Kdf) -> Result<(), KeyError> {
    if let Some(pbkdf2) = derivation.pbkdf2()
        && pbkdf2.iteration_count > MAX_ROUNDS
    {
        return Err(KeyError::TooExpensive {
            work: format!("{} rounds", pbkdf2.iteration_count),
            limit: "10,000,000 rounds",
        });
    }
    if let Some(scrypt) = derivation.scrypt() {
        let octets = 128_u64
            .saturating_mul(scrypt.cost_parameter)
            .saturating_mul(scrypt.block_size.into())
            .saturating_mul(scrypt.parallelization.max(1).into());
        if octets > MAX_SCRYPT_OCTETS {
            return Err(KeyError::TooExpensive { work: format!("{} MiB", octets >> 20), limit: "256 MiB" });
        }
    }
    Ok(())
}

/// Says which scheme could not be understood, as far as the outermost object identifier tells.
fn unreadable_scheme(der: &[u8]) -> KeyError {
    use crate::x509::der::only_sequence;

    let scheme = only_sequence(der)
        .and_then(|info| info.reader().sequence())
        .and_then(|mut algorithm| algorithm.object_identifier())
        .ok()
        .and_then(|oid| der::oid::ObjectIdentifier::from_bytes(oid).ok());
    match scheme {
        Some(oid) => KeyError::UnsupportedEncryption { scheme: oid.to_string() },
        None => KeyError::Damaged,
    }
}

/// log2 N, r, p: as much memory as OpenSSL agrees to (16 MiB), five times over.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);
const MAX_ROUNDS: u32 = 10_000_000;
const MAX_SCRYPT_OCTETS: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyAlgorithm, generate};
    use crate::random::tests::CountingSource;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes().to_vec())
    }

    fn encrypted(rounds: u32) -> (PrivateKey, Zeroizing<String>) {
        let key = generate(KeyAlgorithm::P256, &mut CountingSource(3)).unwrap();
        let protection = Protection::Passphrase { passphrase: passphrase("correct horse"), rounds };
        let text = key.to_pem(&protection, &mut CountingSource(4)).unwrap();
        (key, text)
    }

    #[test]
    fn pki_10_scrypt_is_written_so_that_it_reads_back_and_is_not_called_weak() {
        let key = generate(KeyAlgorithm::P256, &mut CountingSource(3)).unwrap();
        let protection = Protection::Scrypt { passphrase: passphrase("correct horse") };
        let locked = locked(&key.to_pem(&protection, &mut CountingSource(4)).unwrap());
        assert_eq!(locked.weakness(), None);
        let unlocked = locked.unlock(&passphrase("correct horse")).unwrap();
        assert_eq!(unlocked.pkcs8_der(), key.pkcs8_der());
        assert_eq!(locked.unlock(&passphrase("wrong horse")).err(), Some(KeyError::WrongPassphrase));
    }

    fn locked(text: &str) -> EncryptedKey {
        match EncodedKey::from_pem(text.as_bytes()).unwrap() {
            EncodedKey::Encrypted(key) => key,
            EncodedKey::Plain(_) => panic!("not encrypted"),
        }
    }

    #[test]
    fn pki_10_the_right_passphrase_opens_and_a_wrong_one_is_its_own_error() {
        let (key, text) = encrypted(1000);
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let opened = locked(&text).unlock(&passphrase("correct horse")).unwrap();
        assert_eq!(opened.pkcs8_der(), key.pkcs8_der());
        for attempt in 0..40 {
            let wrong = passphrase(&format!("wrong {attempt}"));
            assert_eq!(locked(&text).unlock(&wrong).err(), Some(KeyError::WrongPassphrase));
        }
        let unasked = EncodedKey::from_pem(text.as_bytes()).unwrap().unlock(None);
        assert_eq!(unasked.err(), Some(KeyError::PassphraseNeeded));
    }

    #[test]
    fn pki_10_few_rounds_are_called_weak() {
        assert_eq!(locked(&encrypted(2048).1).weakness(), Some(WeakEncryption::FewRounds { rounds: 2048 }));
        let almost = Protection::ROUNDS - 1;
        assert_eq!(
            locked(&encrypted(almost).1).weakness(),
            Some(WeakEncryption::FewRounds { rounds: almost })
        );
        assert_eq!(locked(&encrypted(Protection::ROUNDS).1).weakness(), None);
    }

    #[test]
    fn pki_12_an_iteration_bomb_is_refused_before_any_work() {
        let (_, text) = encrypted(1000);
        let der = pem::first(text.as_bytes(), "ENCRYPTED PRIVATE KEY").unwrap().der;
        let at = der.windows(4).position(|octets| octets == [2, 2, 0x03, 0xe8]).unwrap();
        let mut bomb = der.to_vec();
        bomb.splice(at..at + 4, [2, 4, 0x05, 0xf5, 0xe1, 0x00]);
        for length_at in lengths_around(&der, at) {
            bomb[length_at] += 2;
        }
        let text = pem::armour("ENCRYPTED PRIVATE KEY", &bomb);
        let refusal = EncodedKey::from_pem(text.as_bytes()).err();
        assert!(matches!(refusal, Some(KeyError::TooExpensive { .. })), "{refusal:?}");
    }

    /// Positions of the last length octet of every constructed value that contains position `at`.
    fn lengths_around(der: &[u8], at: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut position = 0;
        while position < at {
            let long_form = usize::from(der[position + 1].saturating_sub(0x80).min(4));
            let long_form = if der[position + 1] >= 0x80 { long_form } else { 0 };
            let length_at = position + 1 + long_form;
            let start = length_at + 1;
            let length = der[position + 1 + usize::from(long_form > 0)..=length_at]
                .iter()
                .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            let contains = at < start + length && der[position] & 0x20 != 0;
            if contains {
                found.push(length_at);
                position = start;
            } else {
                position = start + length;
            }
        }
        found
    }

    #[test]
    fn pki_12_a_memory_bomb_is_refused_before_any_work() {
        let scrypt = |cost_parameter| {
            pbes2::Kdf::from(pbes2::ScryptParams {
                salt: b"salt".as_slice().try_into().unwrap(),
                cost_parameter,
                block_size: 8,
                parallelization: 1,
                key_length: None,
            })
        };
        assert_eq!(check_cost(&scrypt(1 << 14)), Ok(()));
        assert!(matches!(check_cost(&scrypt(1 << 20)), Err(KeyError::TooExpensive { .. })));
        assert!(matches!(check_cost(&scrypt(u64::MAX)), Err(KeyError::TooExpensive { .. })));
    }

    #[test]
    fn a_short_passphrase_protects_nothing() {
        let key = generate(KeyAlgorithm::P256, &mut CountingSource(3)).unwrap();
        let refusal = key.to_pem(&Protection::with(passphrase("abc")), &mut CountingSource(1));
        assert_eq!(refusal.err(), Some(KeyError::PassphraseTooShort));
    }

    #[test]
    fn other_texts_hold_no_key() {
        assert_eq!(EncodedKey::from_pem(b"").err(), Some(KeyError::NoKeyInside));
        let certificate = pem::armour("CERTIFICATE", b"x");
        assert_eq!(EncodedKey::from_pem(certificate.as_bytes()).err(), Some(KeyError::NoKeyInside));
    }
}
