//! Options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pki_core::key::pkcs11::Pkcs11Uri;

use crate::env;
use crate::error::CliError;
use crate::passphrase::PassphraseArgument;

#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// PKI directory [default: $EASYRSA_PKI, or else ./pki]
    #[arg(long, global = true, value_name = "DIR", env = env::POSTERN_PKI, hide_env_values = true)]
    pub(crate) pki_dir: Option<PathBuf>,
    /// Answer in JSON, one object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Ask nothing: take every default and count every confirmation as given
    #[arg(long, global = true)]
    pub(crate) batch: bool,
    /// Seconds to wait for other commands that change the PKI
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) lock_timeout: u64,
    /// Field forms of new certificates and lists
    #[arg(long, global = true, value_enum, default_value_t, env = env::POSTERN_PROFILE, hide_env_values = true)]
    pub(crate) profile: ProfileArgument,
    /// Use the authority's key in this token (pkcs11:token=...;object=...), whatever the PKI directory says
    #[arg(long, global = true, value_name = "URI", env = env::POSTERN_CA_KEY, hide_env_values = true)]
    ca_key: Option<String>,
    /// Passphrase of an existing key, or PIN of a token: file:PATH, fd:NUMBER, stdin, env:NAME, credential:NAME (of systemd), or pass:TEXT,
    /// which every user of the machine can read
    #[arg(long, global = true, value_name = "SOURCE")]
    pub(crate) passin: Option<PassphraseArgument>,
    /// Passphrase of a new key, likewise
    #[arg(long, global = true, value_name = "SOURCE")]
    pub(crate) passout: Option<PassphraseArgument>,
    /// How the passphrase of a new key is turned into its encryption key
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) kdf: DerivationArgument,
    /// Go on although the clock shows a time before something that was already signed
    #[arg(long, global = true)]
    pub(crate) ignore_clock: bool,
}

impl GlobalArgs {
    /// The PKI directory: option, POSTERN_PKI, EASYRSA_PKI, ./pki.
    pub(crate) fn directory(&self) -> PathBuf {
        let from_easyrsa =
            || std::env::var_os(env::EASYRSA_PKI).filter(|value| !value.is_empty()).map(PathBuf::from);
        self.pki_dir.clone().or_else(from_easyrsa).unwrap_or_else(|| PathBuf::from("pki"))
    }

    /// Parsed here and not by clap, whose refusal would repeat a URI that may hold a PIN.
    pub(crate) fn ca_key(&self) -> Result<Option<Pkcs11Uri>, CliError> {
        let given = self.ca_key.as_deref().filter(|uri| !uri.is_empty());
        Ok(given.map(str::parse).transpose()?)
    }

    pub(crate) fn lock_timeout(&self) -> Duration {
        Duration::from_secs(self.lock_timeout)
    }
}

/// How keys are derived from passphrases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DerivationArgument {
    /// PBKDF2-HMAC-SHA256 with 600,000 rounds, which everything reads
    #[default]
    Pbkdf2,
    /// scrypt, which costs a guesser memory as well
    Scrypt,
}

/// Whose field forms new certificates and lists follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileArgument {
    /// RFC 5280 without loose ends
    #[default]
    Strict,
    /// As easy-rsa 3.2 writes them
    Easyrsa,
}

impl From<ProfileArgument> for pki_core::cert::Profile {
    fn from(argument: ProfileArgument) -> Self {
        match argument {
            ProfileArgument::Strict => Self::Strict,
            ProfileArgument::Easyrsa => Self::EasyRsa,
        }
    }
}
