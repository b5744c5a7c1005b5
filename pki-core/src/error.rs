//! What every error of this crate answers besides its text, and the error of the authority's operations.
//!
//! Each area has its own enum (`NameError`, `KeyError`, `StoreError` ...); [`PkiError`] joins them with the causes
//! that only an operation on a whole PKI can have.

use std::path::PathBuf;

use crate::bundle::BundleError;
use crate::bundle::ovpn::ProfileError;
use crate::cert::CertificateError;
use crate::crl::PublishError;
use crate::key::KeyError;
use crate::key::pkcs11::{TokenError, UriError};
use crate::name::NameError;
use crate::random::RandomError;
use crate::serial::Serial;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Whose move it is after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request was wrong: other arguments or another order of commands help.
    User,
    /// Disk, permissions, clock or a foreign program stand in the way.
    Environment,
    /// A safety rule refused; it can be overridden only where `help` says so.
    Denied,
    /// This should not happen.
    Bug,
}

/// Stable answers of an error for programs and for the person in front of it.
pub trait Explain: std::error::Error {
    /// A kebab-case code that never changes once published.
    fn code(&self) -> &'static str;
    /// Whose move it is.
    fn kind(&self) -> ErrorKind;
    /// What to do next, as a full sentence.
    fn help(&self) -> String;
}

/// Why an operation on a PKI did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A name is not acceptable.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A key cannot be made, read or used; the path says which.
    #[error("{}: {cause}", .path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        cause: KeyError,
    },
    /// A key cannot be generated or encrypted before it has a file.
    #[error(transparent)]
    NewKey(#[from] KeyError),
    /// The token that holds the authority's key cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The file that names the token holds no URI of a key.
    #[error("{}: {cause}", .path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: UriError,
    },
    /// The authority's key has no file: it is in a token.
    #[error("the key of the authority is in a token ({uri})")]
    KeyInToken {
        /// Where it is.
        uri: String,
    },
    /// The next generation would have the key of the present one.
    #[error("the key in the token is the one that the authority has already")]
    SameTokenKey,
    /// A certificate file cannot be used.
    #[error("{}: {cause}", .path.display())]
    Certificate {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong with it.
        cause: CertificateError,
    },
    /// A certificate cannot be made as asked.
    #[error(transparent)]
    NewCertificate(#[from] CertificateError),
    /// A revocation list cannot be made or replaced.
    #[error(transparent)]
    Crl(#[from] PublishError),
    /// The directory cannot be read, locked or changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A client profile cannot be written.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The system gave no random numbers.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// There is no PKI in this directory.
    #[error("no PKI in {}", .directory.display())]
    NoPki {
        /// Where it was expected.
        directory: PathBuf,
    },
    /// The directory has the layout of easy-rsa 2.
    #[error("{} is a directory of easy-rsa 2", .directory.display())]
    EasyRsa2 {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory has not the layout of easy-rsa 2.
    #[error("{} is no directory of easy-rsa 2", .directory.display())]
    NotEasyRsa2 {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory already holds a PKI.
    #[error("{} already holds a PKI", .directory.display())]
    PkiExists {
        /// The directory.
        directory: PathBuf,
    },
    /// The PKI has no certificate authority yet, or part of it is missing.
    #[error("the certificate authority is incomplete: {} is missing", .missing.display())]
    NoAuthority {
        /// The first missing file.
        missing: PathBuf,
    },
    /// The PKI already has a certificate authority.
    #[error("a certificate authority exists already: {}", .found.display())]
    AuthorityExists {
        /// The file that shows it.
        found: PathBuf,
    },
    /// A request, key or certificate of this name exists already.
    #[error("{} exists already", .found.display())]
    NameTaken {
        /// The file that stands in the way.
        found: PathBuf,
    },
    /// There is no certificate of this name.
    #[error("no certificate: {} does not exist", .missing.display())]
    NoCertificate {
        /// The file that was looked for.
        missing: PathBuf,
    },
    /// Nothing of this name or serial number was ever issued here.
    #[error("no certificate is called '{wanted}' or has that serial number")]
    NoSuchCertificate {
        /// What was looked for.
        wanted: String,
    },
    /// Several certificates bear this name.
    #[error("'{name}' is ambiguous: {}", .candidates.join(", "))]
    AmbiguousName {
        /// The name.
        name: String,
        /// Serial number, state and end of each.
        candidates: Vec<String>,
    },
    /// There is no private key of this name.
    #[error("no private key: {} does not exist", .missing.display())]
    NoKey {
        /// The file that was looked for.
        missing: PathBuf,
    },
    /// There is no request of this name.
    #[error("no certificate request: {} does not exist", .missing.display())]
    NoRequest {
        /// The file that was looked for.
        missing: PathBuf,
    },
    /// The request of this name is for another key or name than the certificate.
    #[error("{} is not the request of the certificate of this name", .request.display())]
    ForeignRequest {
        /// The request file.
        request: PathBuf,
    },
    /// The authority's certificate comes from another authority.
    #[error("{} was signed by another authority", .certificate.display())]
    NotSelfSigned {
        /// The certificate file.
        certificate: PathBuf,
    },
    /// A file that is made only once is there already.
    #[error("{} exists already and is not overwritten", .found.display())]
    FileExists {
        /// The file.
        found: PathBuf,
    },
    /// A container or list cannot be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// ca.key and ca.crt do not belong together.
    #[error("{} is not the key of ca.crt", .key.display())]
    ForeignAuthorityKey {
        /// The key file.
        key: PathBuf,
    },
    /// The certificate does not stand in index.txt.
    #[error("index.txt has no row for serial {serial}")]
    NotInIndex {
        /// The certificate's serial number.
        serial: Serial,
    },
    /// The certificate is revoked already.
    #[error("serial {serial} is revoked already")]
    AlreadyRevoked {
        /// The certificate's serial number.
        serial: Serial,
    },
    /// index.txt.attr demands one valid certificate per subject, and there is one.
    #[error("a valid certificate with subject {subject} exists and index.txt.attr says unique_subject = yes")]
    SubjectTaken {
        /// The subject in index.txt's notation.
        subject: String,
    },
    /// The `serial` file cannot be used to number certificates one after the other.
    #[error("{} holds no usable serial number", .file.display())]
    SerialFile {
        /// The file.
        file: PathBuf,
    },
    /// The next number of the `serial` file belongs to another certificate.
    #[error("serial {serial} is used already")]
    SerialTaken {
        /// The number.
        serial: Serial,
    },
    /// The clock shows a time before something this authority has already signed.
    #[error("the clock shows {now}, but {evidence} was made at {seen}")]
    ClockSetBack {
        /// What the clock shows.
        now: Timestamp,
        /// The later time that was found.
        seen: Timestamp,
        /// Where it was found.
        evidence: &'static str,
    },
    /// The change that this certificate shared with others could not be written.
    #[error("nothing of this batch was written: {reason}")]
    BatchFailed {
        /// What stood in the way.
        reason: String,
    },
    /// The caller's passphrase source gave up on the PIN of a token.
    #[error("no PIN for the token '{token}': {reason}")]
    NoPin {
        /// Label of the token.
        token: String,
        /// What the source said.
        reason: String,
    },
    /// The caller's passphrase source gave up.
    #[error("no passphrase for {}: {reason}", .path.display())]
    NoPassphrase {
        /// The key that needs it.
        path: PathBuf,
        /// What the source said.
        reason: String,
    },
}

impl PkiError {
    fn own_code(&self) -> &'static str {
        match self {
            Self::Name(cause) => cause.code(),
            Self::Key { cause, .. } | Self::NewKey(cause) => cause.code(),
            Self::Token(cause) => cause.code(),
            Self::TokenFile { cause, .. } => cause.code(),
            Self::KeyInToken { .. } => "key-in-token",
            Self::SameTokenKey => "pkcs11-same-key",
            Self::NoPin { .. } => "no-pin",
            Self::Certificate { cause, .. } | Self::NewCertificate(cause) => cause.code(),
            Self::Crl(cause) => cause.code(),
            Self::Store(cause) => cause.code(),
            Self::Profile(cause) => cause.code(),
            Self::Random(cause) => cause.code(),
            Self::NoPki { .. } => "no-pki",
            Self::EasyRsa2 { .. } => "pki-easy-rsa-2",
            Self::NotEasyRsa2 { .. } => "pki-not-easy-rsa-2",
            Self::PkiExists { .. } => "pki-exists",
            Self::NoAuthority { .. } => "no-ca",
            Self::AuthorityExists { .. } => "ca-exists",
            Self::NameTaken { .. } => "name-taken",
            Self::NoCertificate { .. } => "no-certificate",
            Self::NoSuchCertificate { .. } => "no-certificate",
            Self::AmbiguousName { .. } => "ambiguous-name",
            Self::NoKey { .. } => "no-key",
            Self::NoRequest { .. } => "no-request",
            Self::ForeignRequest { .. } => "request-mismatch",
            Self::NotSelfSigned { .. } => "ca-not-self-signed",
            Self::FileExists { .. } => "file-exists",
            Self::Bundle(cause) => cause.code(),
            Self::ForeignAuthorityKey { .. } => "ca-key-mismatch",
            Self::NotInIndex { .. } => "not-in-index",
            Self::AlreadyRevoked { .. } => "already-revoked",
            Self::SubjectTaken { .. } => "subject-taken",
            Self::SerialFile { .. } => "serial-file",
            Self::SerialTaken { .. } => "serial-taken",
            Self::ClockSetBack { .. } => "clock-set-back",
            Self::BatchFailed { .. } => "batch-failed",
            Self::NoPassphrase { .. } => "no-passphrase",
        }
    }
}

impl Explain for PkiError {
    fn code(&self) -> &'static str {
        self.own_code()
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Name(cause) => cause.kind(),
            Self::Key { cause, .. } | Self::NewKey(cause) => cause.kind(),
            Self::Token(cause) => cause.kind(),
            Self::TokenFile { cause, .. } => cause.kind(),
            Self::Certificate { cause, .. } | Self::NewCertificate(cause) => cause.kind(),
            Self::Crl(cause) => cause.kind(),
            Self::Store(cause) => cause.kind(),
            Self::Profile(cause) => cause.kind(),
            Self::Random(cause) => cause.kind(),
            Self::Bundle(cause) => cause.kind(),
            Self::NoPki { .. }
            | Self::EasyRsa2 { .. }
            | Self::NotEasyRsa2 { .. }
            | Self::PkiExists { .. }
            | Self::NoAuthority { .. }
            | Self::AuthorityExists { .. }
            | Self::NameTaken { .. }
            | Self::NoCertificate { .. }
            | Self::NoSuchCertificate { .. }
            | Self::AmbiguousName { .. }
            | Self::NoKey { .. }
            | Self::NoRequest { .. }
            | Self::ForeignRequest { .. }
            | Self::NotSelfSigned { .. }
            | Self::FileExists { .. }
            | Self::AlreadyRevoked { .. }
            | Self::SubjectTaken { .. }
            | Self::KeyInToken { .. }
            | Self::SameTokenKey
            | Self::NoPin { .. }
            | Self::NoPassphrase { .. } => ErrorKind::User,
            Self::ForeignAuthorityKey { .. }
            | Self::NotInIndex { .. }
            | Self::SerialFile { .. }
            | Self::BatchFailed { .. }
            | Self::SerialTaken { .. } => ErrorKind::Environment,
            Self::ClockSetBack { .. } => ErrorKind::Denied,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::Name(cause) => cause.help(),
            Self::Key { cause, path } => cause.help_for(path),
            Self::NewKey(cause) => cause.help(),
            Self::Token(cause) => cause.help(),
            Self::TokenFile { cause, .. } => cause.help(),
            Self::KeyInToken { .. } => {
                "Change the PIN with the token's own tools, such as pkcs11-tool --change-pin; the key never leaves it.".into()
            }
            Self::SameTokenKey => "Name another object= in the URI, or keep the key with --same-key.".into(),
            Self::NoPin { .. } => {
                "Answer the prompt, give the PIN with --passin, or name its source with pin-source= in the URI.".into()
            }
            Self::Certificate { cause, .. } | Self::NewCertificate(cause) => cause.help(),
            Self::Crl(cause) => cause.help(),
            Self::Store(cause) => cause.help(),
            Self::Profile(cause) => cause.help(),
            Self::Random(cause) => cause.help(),
            Self::NoPki { .. } => "Run init-pki first, or name the directory with --pki-dir.".into(),
            Self::EasyRsa2 { directory } => format!(
                "Take it over into a new directory, without changing it: postern --pki-dir NEW pki convert {}",
                directory.display()
            ),
            Self::NotEasyRsa2 { .. } => {
                "Name the directory that holds ca.crt, ca.key, index.txt and serial, usually keys/; a PKI of easy-rsa 3 \
                 needs no conversion."
                    .into()
            }
            Self::PkiExists { directory } => format!(
                "Continue with it, or move {} away, or name another directory with --pki-dir.",
                directory.display()
            ),
            Self::NoAuthority { .. } => "Run build-ca first, or put the missing file back.".into(),
            Self::AuthorityExists { .. } => {
                "Use it, or make another authority in another directory (--pki-dir).".into()
            }
            Self::NameTaken { .. } => {
                "Choose another name, or revoke the existing certificate first; a left-over request or key can be \
                 moved away."
                    .into()
            }
            Self::NoCertificate { .. } => "Check the spelling; certificates lie in issued/NAME.crt.".into(),
            Self::NoSuchCertificate { .. } => "Check the spelling; `postern list` shows every name.".into(),
            Self::AmbiguousName { .. } => "Give the serial number instead.".into(),
            Self::NoKey { .. } => "Check the spelling; keys lie in private/NAME.key.".into(),
            Self::NoRequest { .. } => {
                "Make it with gen-req, or take it over with import-req; requests lie in reqs/NAME.req.".into()
            }
            Self::ForeignRequest { .. } => {
                "Put the right request back; nothing was signed.".into()
            }
            Self::NotSelfSigned { .. } => {
                "Have reqs/ca.req signed again by the authority above, and put the certificate into ca.crt.".into()
            }
            Self::FileExists { .. } => "Move the file away if it is to be made anew.".into(),
            Self::Bundle(cause) => cause.help(),
            Self::ForeignAuthorityKey { .. } => {
                "Put the key back that belongs to ca.crt; nothing was signed.".into()
            }
            Self::NotInIndex { .. } => {
                "The certificate file is not one that this PKI issued, or index.txt was edited; restore the row first."
                    .into()
            }
            Self::AlreadyRevoked { .. } => {
                "Nothing to do; run gen-crl if the revocation list does not show it yet.".into()
            }
            Self::SubjectTaken { .. } => {
                "Revoke that certificate first, or write `unique_subject = no` into index.txt.attr.".into()
            }
            Self::SerialFile { .. } => {
                "Write the next serial number in hexadecimal into the file, or use random serials.".into()
            }
            Self::SerialTaken { .. } => {
                "Write a higher number into the file `serial`, or use random serials.".into()
            }
            Self::ClockSetBack { .. } => {
                "Set the clock right. If the clock is right and the file is wrong, repeat with --ignore-clock.".into()
            }
            Self::BatchFailed { .. } => "Remove the cause and repeat the command for these names.".into(),
            Self::NoPassphrase { .. } => "Answer the prompt, or give the passphrase with --passin.".into(),
        }
    }
}
