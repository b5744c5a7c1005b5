//! Everything that can end a command, with the answers that scripts and people need.

use std::io;
use std::path::PathBuf;

use pki_core::chain::FileRejection;
use pki_core::crl::reason::UnknownReason;
use pki_core::key::UnknownAlgorithm;
use pki_core::{ErrorKind, Explain, PkiError, StoreError};
use vpn_server::config::ConfigError;
use vpn_server::runtime::ServeError;

use crate::exit::Exit;

/// Why a command did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Reason(#[from] UnknownReason),
    #[error(transparent)]
    Algorithm(#[from] UnknownAlgorithm),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("ended at once by a second signal")]
    EndedAtOnce,
    #[error("aborted without confirmation")]
    NotConfirmed,
    #[error("the two passphrases differ")]
    PassphrasesDiffer,
    #[error("no passphrase: {0}")]
    NoPassphrase(String),
    #[error("cannot read the passphrase from {argument}: {cause}")]
    UnreadablePassphrase { argument: String, cause: String },
    #[error("cannot {operation} {}: {cause}", .path.display())]
    File { operation: &'static str, path: PathBuf, cause: io::Error },
    #[error("cannot read {}: {cause}", .path.display())]
    NothingJudged { path: PathBuf, cause: io::Error },
    #[error("rejected: {0}")]
    Chain(#[from] FileRejection),
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
    /// A wrong word on the command line, found after the first parse.
    #[error("{0}")]
    Usage(String),
}

impl CliError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Pki(PkiError::Store(StoreError::Locked { .. })) => Exit::Locked,
            Self::NothingJudged { .. } => Exit::Usage,
            Self::Chain(refusal) if !refusal.is_verdict() => Exit::Usage,
            Self::Usage(_) | Self::Reason(_) | Self::Algorithm(_) | Self::Config(_) => Exit::Usage,
            Self::Pki(_)
            | Self::Chain(_)
            | Self::Serve(_)
            | Self::EndedAtOnce
            | Self::NotConfirmed
            | Self::PassphrasesDiffer
            | Self::NoPassphrase(_)
            | Self::UnreadablePassphrase { .. }
            | Self::File { .. }
            | Self::Output(_) => Exit::Failure,
        }
    }
}

impl Explain for CliError {
    fn code(&self) -> &'static str {
        match self {
            Self::Pki(cause) => cause.code(),
            Self::Config(cause) => cause.code(),
            Self::Serve(cause) => cause.code(),
            Self::EndedAtOnce => "ended-at-once",
            Self::Reason(_) => "reason-unknown",
            Self::Algorithm(_) => "curve-unknown",
            Self::NotConfirmed => "not-confirmed",
            Self::PassphrasesDiffer => "passphrases-differ",
            Self::NoPassphrase(_) => "no-passphrase",
            Self::UnreadablePassphrase { .. } => "passphrase-unreadable",
            Self::File { cause, .. } if cause.kind() == io::ErrorKind::AlreadyExists => "file-exists",
            Self::File { .. } => "file-error",
            Self::NothingJudged { .. } => "file-unreadable",
            Self::Chain(refusal) => refusal.code(),
            Self::Output(_) => "output-error",
            Self::Usage(_) => "usage",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Pki(cause) => cause.kind(),
            Self::Serve(cause) => cause.kind(),
            Self::EndedAtOnce => ErrorKind::Environment,
            Self::Config(_) => ErrorKind::User,
            Self::Reason(_)
            | Self::Algorithm(_)
            | Self::NotConfirmed
            | Self::PassphrasesDiffer
            | Self::NoPassphrase(_)
            | Self::Usage(_) => ErrorKind::User,
            Self::Chain(refusal) if refusal.is_verdict() => ErrorKind::Denied,
            Self::UnreadablePassphrase { .. }
            | Self::File { .. }
            | Self::NothingJudged { .. }
            | Self::Chain(_)
            | Self::Output(_) => ErrorKind::Environment,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::Pki(cause) => cause.help(),
            Self::Config(cause) => cause.help(),
            Self::Serve(cause) => cause.help(),
            Self::EndedAtOnce => "The next start takes over what is left on the host.".into(),
            Self::Reason(_) | Self::Algorithm(_) => "Choose one of these.".into(),
            Self::NotConfirmed => "Nothing was changed. Answer with the word yes, or use --batch.".into(),
            Self::PassphrasesDiffer => "Nothing was changed. Repeat the command.".into(),
            Self::NoPassphrase(_) => {
                "Use --passin or --passout, or `nopass` for a new key without encryption.".into()
            }
            Self::UnreadablePassphrase { .. } => {
                "Write pass:TEXT, file:PATH, env:NAME, fd:NUMBER or stdin; the first line counts.".into()
            }
            Self::File { cause, .. } if cause.kind() == io::ErrorKind::AlreadyExists => {
                "Choose another file name; nothing is overwritten.".into()
            }
            Self::Chain(refusal) => refusal.help().into(),
            Self::File { .. } | Self::NothingJudged { .. } => "Check the path and the permissions.".into(),
            Self::Output(_) => "Check where the output goes.".into(),
            Self::Usage(_) => "See --help.".into(),
        }
    }
}

/// Errors of the parts of `pki-core` that are used without a PKI.
macro_rules! from_pki_parts {
    ($($part:ty),+ $(,)?) => {
        $(impl From<$part> for CliError {
            fn from(cause: $part) -> Self {
                Self::Pki(cause.into())
            }
        })+
    };
}

from_pki_parts!(
    pki_core::name::NameError,
    pki_core::cert::CertificateError,
    pki_core::bundle::ovpn::ProfileError,
);
