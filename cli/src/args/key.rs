//! Options about a new key: kind, signature, protection.

use clap::{Args, ValueEnum};
use pki_core::key::{Digest, KeyAlgorithm};

use crate::error::CliError;

#[derive(Args)]
#[command(next_help_heading = "Key options")]
pub(crate) struct NewKeyArgs {
    /// `nopass`: leave the new key file without encryption
    #[arg(value_name = "nopass", value_parser = ["nopass"], hide_possible_values = true)]
    word: Option<String>,
    /// Leave the new key file without encryption
    #[arg(long)]
    nopass: bool,
    /// Kind of key [default: ec]
    #[arg(long, value_enum)]
    algo: Option<AlgorithmArgument>,
    /// Curve of the key: prime256v1, secp384r1, secp521r1, ed25519 [default: prime256v1]
    #[arg(long, value_name = "CURVE")]
    curve: Option<String>,
    /// Bits of an RSA key
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    keysize: u32,
    /// Digest of the signature [default: as strong as the signing key]
    #[arg(long, value_enum)]
    digest: Option<DigestArgument>,
}

impl NewKeyArgs {
    pub(crate) fn is_unprotected(&self) -> bool {
        self.nopass || self.word.is_some()
    }

    pub(crate) fn digest(&self) -> Option<Digest> {
        self.digest.map(Digest::from)
    }

    /// The kind of key, if one was asked for: a key that exists already is used as it is.
    pub(crate) fn wanted_algorithm(&self) -> Result<Option<KeyAlgorithm>, CliError> {
        let is_asked_for = self.algo.is_some() || self.curve.is_some();
        if is_asked_for { self.algorithm().map(Some) } else { Ok(None) }
    }

    pub(crate) fn algorithm(&self) -> Result<KeyAlgorithm, CliError> {
        match (self.algo, self.curve.as_deref()) {
            (Some(AlgorithmArgument::Rsa), None) => Ok(KeyAlgorithm::Rsa { bits: self.keysize }),
            (Some(AlgorithmArgument::Rsa), Some(_)) => {
                Err(CliError::Usage("an RSA key has no --curve".into()))
            }
            (Some(AlgorithmArgument::Ed), None) => Ok(KeyAlgorithm::Ed25519),
            (Some(AlgorithmArgument::Ec) | None, None) => Ok(KeyAlgorithm::P256),
            (Some(AlgorithmArgument::Ec | AlgorithmArgument::Ed) | None, Some(curve)) => {
                Ok(KeyAlgorithm::from_curve(curve)?)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AlgorithmArgument {
    Ec,
    Ed,
    Rsa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DigestArgument {
    Sha256,
    Sha384,
    Sha512,
}

impl From<DigestArgument> for Digest {
    fn from(argument: DigestArgument) -> Self {
        match argument {
            DigestArgument::Sha256 => Self::Sha256,
            DigestArgument::Sha384 => Self::Sha384,
            DigestArgument::Sha512 => Self::Sha512,
        }
    }
}
