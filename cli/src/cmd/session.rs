//! What all commands share: the opened PKI, the clock, randomness, and somebody to ask for passphrases.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pki_core::Authority;
use pki_core::ca::{Context, ExposedKeys, LockedKey, Settings};
use pki_core::key::Protection;
use pki_core::key::pkcs11::Pkcs11Uri;
use pki_core::random::SystemSource;
use pki_core::secret::Passphrase;
use pki_core::time::Timestamp;
use pki_core::{LockPolicy, PkiReader};

use crate::args::GlobalArgs;
use crate::args::global::DerivationArgument;
use crate::error::CliError;
use crate::output::{Output, printable};
use crate::passphrase::PassphraseArgument;
use crate::prompt::Prompter;

/// One run of the program.
pub(crate) struct Session {
    global: GlobalArgs,
    prompter: Prompter,
    pub(crate) output: Output,
    pub(crate) now: Timestamp,
}

impl Session {
    pub(crate) fn new(global: GlobalArgs, output: Output) -> Self {
        let prompter = Prompter::new(global.batch);
        Self { global, prompter, output, now: SystemTime::now().into() }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.global.directory()
    }

    pub(crate) fn passin(&self) -> Option<&PassphraseArgument> {
        self.global.passin.as_ref()
    }

    pub(crate) fn lock(&self) -> LockPolicy {
        LockPolicy { timeout: self.global.lock_timeout(), ..LockPolicy::default() }
    }

    pub(crate) fn open(&self) -> Result<Authority, CliError> {
        let settings = Settings {
            lock: self.lock(),
            profile: self.global.profile.into(),
            exposed_keys: ExposedKeys::Refuse,
            ignore_clock: self.global.ignore_clock,
        };
        let authority = Authority::open(&self.directory(), settings)?;
        Ok(match self.ca_key()? {
            Some(uri) => authority.with_key_in_token(uri),
            None => authority,
        })
    }

    /// The token that `--ca-key` or the environment names.
    pub(crate) fn ca_key(&self) -> Result<Option<Pkcs11Uri>, CliError> {
        self.global.ca_key()
    }

    /// The PKI for reading only: takes no lock, so that a read-only mount is enough.
    pub(crate) fn read(&self) -> Result<PkiReader<'static>, CliError> {
        Ok(PkiReader::open(&self.directory())?)
    }

    pub(crate) fn prompter(&self) -> &Prompter {
        &self.prompter
    }

    /// Protection of a new key: `--passout` beats `nopass`, and without either somebody is asked.
    pub(crate) fn protection(&self, is_unprotected: bool, question: &str) -> Result<Protection, CliError> {
        if is_unprotected && self.global.passout.is_none() {
            return Ok(Protection::None);
        }
        self.new_passphrase(question).map(|passphrase| self.protected_by(passphrase))
    }

    /// A new passphrase, from `--passout` or by asking.
    pub(crate) fn new_passphrase(&self, question: &str) -> Result<Passphrase, CliError> {
        match &self.global.passout {
            Some(argument) => argument.resolve(&self.prompter),
            None if self.prompter.is_batch() => {
                Err(CliError::NoPassphrase("nobody is asked in batch mode".into()))
            }
            None => self.prompter.new_passphrase(question),
        }
    }

    /// Passphrase of a container: `--passout` beats `nopass`, and without either somebody is asked.
    pub(crate) fn export_passphrase(
        &self,
        is_unprotected: bool,
        question: &str,
    ) -> Result<Option<Passphrase>, CliError> {
        match &self.global.passout {
            Some(argument) => argument.resolve(&self.prompter).map(Some),
            None if is_unprotected => Ok(None),
            None if self.prompter.is_batch() => {
                Err(CliError::NoPassphrase("nobody is asked in batch mode".into()))
            }
            None => self.prompter.new_passphrase(question).map(Some),
        }
    }

    fn protected_by(&self, passphrase: Passphrase) -> Protection {
        match self.global.kdf {
            DerivationArgument::Pbkdf2 => Protection::with(passphrase),
            DerivationArgument::Scrypt => Protection::Scrypt { passphrase },
        }
    }

    /// The passphrase of an existing key, from `--passin` or by asking.
    pub(crate) fn existing_passphrase(&self, path: &Path) -> Result<Passphrase, CliError> {
        existing_passphrase(self.global.passin.as_ref(), &self.prompter, LockedKey::File(path))
    }

    /// Runs one operation of the authority.
    pub(crate) fn run<T>(
        &self,
        operate: impl FnOnce(&mut Context<'_>) -> Result<T, pki_core::PkiError>,
    ) -> Result<T, CliError> {
        let (passin, prompter) = (self.global.passin.as_ref(), &self.prompter);
        let mut failure = None;
        let mut passphrases = |key: LockedKey<'_>| {
            existing_passphrase(passin, prompter, key).map_err(|error| {
                let text = error.to_string();
                failure = Some(error);
                text
            })
        };
        let outcome = operate(&mut Context {
            now: self.now,
            random: &mut SystemSource::new(),
            passphrases: &mut passphrases,
        });
        match failure {
            Some(failure) => Err(failure),
            None => Ok(outcome?),
        }
    }
}

fn existing_passphrase(
    passin: Option<&PassphraseArgument>,
    prompter: &Prompter,
    key: LockedKey<'_>,
) -> Result<Passphrase, CliError> {
    match (passin, key) {
        (Some(argument), _) => argument.resolve(prompter),
        (None, LockedKey::Token { pin_source: Some(source), .. }) => {
            PassphraseArgument::from_pin_source(source)?.resolve(prompter)
        }
        (None, _) if prompter.is_batch() => {
            Err(CliError::NoPassphrase("nobody is asked in batch mode".into()))
        }
        (None, LockedKey::File(path)) => prompter.passphrase(&format!("Passphrase of {}: ", path.display())),
        (None, LockedKey::Token { label, .. }) => {
            prompter.passphrase(&format!("PIN of the token '{}': ", printable(label)))
        }
    }
}
