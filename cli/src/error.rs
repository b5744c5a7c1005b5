//! Everything that can end a command, with the answers that scripts and people need.

use std::io;
use std::path::PathBuf;

use pki_core::chain::FileRejection;
use pki_core::crl::CrlError;
use pki_core::crl::reason::UnknownReason;
use pki_core::key::UnknownAlgorithm;
use pki_core::key::pkcs11::{TokenError, UriError};
use pki_core::{ErrorKind, Explain, PkiError, StoreError};
use vpn_server::auth::login::{InvalidUsername, OneTimeSecretsError, PasswordFileError};
use vpn_server::auth::{ClientKeyError, WrappingKeyError};
use vpn_server::config::ConfigError;
use vpn_server::control::ClientLookupError;
use vpn_server::runtime::{RereadError, ServeError};
use vpn_server::stock::StockError;

use crate::exit::Exit;
use crate::link::InvalidLink;

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
    #[error(transparent)]
    Users(#[from] PasswordFileError),
    #[error(transparent)]
    OneTimeSecrets(#[from] OneTimeSecretsError),
    #[error("'{}' is not a user name: {cause}", name.escape_debug())]
    Username { name: String, cause: InvalidUsername },
    #[error("there is no user '{name}' in {}", path.display())]
    NoSuchUser { name: String, path: PathBuf },
    #[error("there is a user '{name}' in {} already", path.display())]
    UserExists { name: String, path: PathBuf },
    #[error("the password {0}")]
    BadPassword(&'static str),
    #[error(transparent)]
    Stock(#[from] StockError),
    #[error(transparent)]
    WrappingKey(#[from] WrappingKeyError),
    #[error(transparent)]
    ClientKey(#[from] ClientKeyError),
    #[error("the link cannot be used: {0}")]
    Link(#[from] InvalidLink),
    #[error("the link has {0} characters, which is more than a QR code holds")]
    LinkTooLong(usize),
    #[error("'{name}' is no client: its certificate is of the type {kind}")]
    NotAClient { name: String, kind: &'static str },
    #[error(transparent)]
    Clients(#[from] ClientLookupError),
    #[error("the server in the background ended with {0}")]
    DaemonFailed(std::process::ExitStatus),
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
    #[error("no revocation list has been published: {} does not exist", .0.display())]
    NoRevocationList(PathBuf),
    #[error("the revocation list cannot be read: {0}")]
    RevocationList(CrlError),
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
            Self::Pki(PkiError::Token(TokenError::Uri(_))) => Exit::Usage,
            Self::NothingJudged { .. } => Exit::Usage,
            Self::Chain(refusal) if !refusal.is_verdict() => Exit::Usage,
            Self::Usage(_)
            | Self::Reason(_)
            | Self::Algorithm(_)
            | Self::Config(_)
            | Self::Stock(_)
            | Self::Link(_)
            | Self::LinkTooLong(_)
            | Self::Username { .. } => Exit::Usage,
            Self::Pki(_)
            | Self::Chain(_)
            | Self::Serve(_)
            | Self::Users(_)
            | Self::OneTimeSecrets(_)
            | Self::NoSuchUser { .. }
            | Self::UserExists { .. }
            | Self::BadPassword(_)
            | Self::Clients(_)
            | Self::WrappingKey(_)
            | Self::ClientKey(_)
            | Self::NotAClient { .. }
            | Self::DaemonFailed(_)
            | Self::EndedAtOnce
            | Self::NotConfirmed
            | Self::PassphrasesDiffer
            | Self::NoPassphrase(_)
            | Self::UnreadablePassphrase { .. }
            | Self::File { .. }
            | Self::NoRevocationList(_)
            | Self::RevocationList(_)
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
            Self::Users(cause) => cause.code(),
            Self::OneTimeSecrets(cause) => cause.code(),
            Self::Username { .. } => "user-name-invalid",
            Self::NoSuchUser { .. } => "user-unknown",
            Self::UserExists { .. } => "user-exists",
            Self::BadPassword(_) => "password-unusable",
            Self::Stock(cause) => cause.code(),
            Self::Clients(cause) => cause.code(),
            Self::WrappingKey(cause) => cause.code(),
            Self::ClientKey(cause) => cause.code(),
            Self::Link(_) => "link-unacceptable",
            Self::LinkTooLong(_) => "link-too-long",
            Self::NotAClient { .. } => "not-a-client",
            Self::DaemonFailed(_) => "daemon-failed",
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
            Self::NoRevocationList(_) => "no-crl",
            Self::RevocationList(cause) => cause.code(),
            Self::Output(_) => "output-error",
            Self::Usage(_) => "usage",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Pki(cause) => cause.kind(),
            Self::Serve(cause) => cause.kind(),
            Self::Users(_) | Self::EndedAtOnce | Self::DaemonFailed(_) => ErrorKind::Environment,
            Self::OneTimeSecrets(_)
            | Self::Username { .. }
            | Self::NoSuchUser { .. }
            | Self::UserExists { .. }
            | Self::BadPassword(_) => ErrorKind::User,
            Self::Config(_)
            | Self::Stock(_)
            | Self::Clients(_)
            | Self::WrappingKey(_)
            | Self::Link(_)
            | Self::LinkTooLong(_)
            | Self::NotAClient { .. } => ErrorKind::User,
            Self::ClientKey(_) => ErrorKind::Environment,
            Self::Reason(_)
            | Self::Algorithm(_)
            | Self::NotConfirmed
            | Self::PassphrasesDiffer
            | Self::NoPassphrase(_)
            | Self::NoRevocationList(_)
            | Self::Usage(_) => ErrorKind::User,
            Self::Chain(refusal) if refusal.is_verdict() => ErrorKind::Denied,
            Self::UnreadablePassphrase { .. }
            | Self::File { .. }
            | Self::NothingJudged { .. }
            | Self::Chain(_)
            | Self::RevocationList(_)
            | Self::Output(_) => ErrorKind::Environment,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::Pki(cause) => cause.help(),
            Self::Config(cause) => cause.help(),
            Self::Serve(cause) => cause.help(),
            Self::Users(cause) => cause.help().to_owned(),
            Self::OneTimeSecrets(cause) => cause.help().into(),
            Self::Username { .. } => "Use printable characters, 255 octets at most.".into(),
            Self::NoSuchUser { .. } => "See `postern user list`.".into(),
            Self::UserExists { .. } => "Change the password with `postern user passwd`.".into(),
            Self::BadPassword(_) => "Nothing was changed. Choose another one.".into(),
            Self::Stock(cause) => cause.help().into(),
            Self::Clients(_) => {
                "Correct the file; a client whose file is not understood may not connect.".into()
            }
            Self::WrappingKey(cause) => cause.help().into(),
            Self::ClientKey(cause) => cause.help().into(),
            Self::Link(_) => "Write https://HOST/PATH; a profile with a key goes over nothing less.".into(),
            Self::LinkTooLong(_) => "Put the profile behind a shorter link.".into(),
            Self::NotAClient { .. } => "Choose another name for the client.".into(),
            Self::DaemonFailed(_) => "Its log says why; without `daemon` it stays in the foreground.".into(),
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
            Self::NoRevocationList(_) => "Publish one with `postern gen-crl`.".into(),
            Self::RevocationList(cause) => cause.help().into(),
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

impl From<UriError> for CliError {
    fn from(cause: UriError) -> Self {
        Self::Pki(TokenError::from(cause).into())
    }
}

impl From<RereadError> for CliError {
    fn from(error: RereadError) -> Self {
        match error {
            RereadError::Config(cause) => Self::Config(cause),
            RereadError::Stock(cause) => Self::Stock(cause),
            RereadError::InlineFile { path, source } => {
                Self::File { operation: "write", path, cause: source }
            }
            other => Self::Usage(other.to_string()),
        }
    }
}
