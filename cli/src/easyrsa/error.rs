//! What can go wrong in the drop-in, in easy-rsa's phrases where scripts look for them.

use pki_core::{Explain, PkiError};

use crate::error::CliError;
use crate::exit::Exit;

/// Why a command did not happen.
#[derive(Debug, thiserror::Error)]
pub(super) enum EasyRsaError {
    #[error("Unknown command '{0}'. Run without commands for usage help.")]
    UnknownCommand(String),
    #[error("Unknown option '{0}'. Run without commands for usage help.")]
    UnknownOption(String),
    #[error("Unknown command option: '{0}'. Run 'easyrsa help' for usage help.")]
    UnknownWord(String),
    #[error("Missing value to option: {0}")]
    MissingValue(String),
    #[error("{0} needs a file name base. Run 'easyrsa help' for usage and commands.")]
    MissingName(String),
    #[error("{0} is unavailable here; only TLS-AUTH and TLS-CRYPT keys are made.")]
    Unavailable(&'static str),
    #[error("Unknown certificate type '{0}': neither built in nor a file in x509-types.")]
    UnknownType(String),
    #[error("Option '{0}' can only be used together with '{1}'.")]
    Together(&'static str, &'static str),
    #[error("Option '{0}' cannot be used with self-signed certificates.")]
    NotWithSelfSign(&'static str),
    #[error("The raw CA passphrase dialogue cannot be used in batch mode.")]
    RawCaInBatch,
    #[error(
        "There are older certificates of '{0}'. Name the one that is meant: revoke-issued, revoke-expired or revoke-renewed."
    )]
    AmbiguousRevocation(String),
    #[error("DH parameters file already exists:\n* {0}")]
    DhExists(String),
    #[error("Certificate '{0}' failed verification.")]
    VerificationFailed(String),
    #[error("Invalid serial number '{0}': write lower-case hexadecimal digits.")]
    Serial(String),
    #[error("Serial number {0} is in use.")]
    SerialUsed(String),
    #[error("Unknown X509v3 Extended Key Usage in '{0}'.")]
    UnknownPurpose(String),
    #[error("Invalid number of octets '{0}': write a decimal number from 1 to 1024.")]
    RandomCount(String),
    #[error("Missing CRL file, run gen-crl first:\n* {0}")]
    NoRevocationList(String),
    #[error("The CRL file cannot be read: {0}")]
    RevocationList(String),
    #[error("No certificate is due for renewal.")]
    NothingRenewable,
    #[error("Unknown template '{0}': write vars, ssl-cnf, safe-cnf, legacy, legacy-hard, COMMON or a type.")]
    UnknownTemplate(String),
    #[error("The 'vars' file {file} cannot be evaluated by /bin/sh: {reason}")]
    VarsShell { file: String, reason: String },
    #[error("Unknown help topic '{0}'.")]
    UnknownTopic(String),
    #[error("Invalid value for {name}: '{value}' ({rule})")]
    Value { name: String, value: String, rule: &'static str },
    #[error("The 'vars' file was not found:\n* {0}")]
    NoVarsFile(String),
    #[error("The 'vars' file {file}, line {line}, contains {what}, which is not allowed there.")]
    VarsForbidden { file: String, line: usize, what: String },
    #[error("init-pki does not remove '{0}': it is no directory of its own.")]
    UnsafeDirectory(String),
    #[error(transparent)]
    Cli(#[from] CliError),
}

impl EasyRsaError {
    pub(super) fn exit(&self) -> Exit {
        if let Self::Cli(error) = self
            && error.exit() == Exit::Locked
        {
            return Exit::Locked;
        }
        Exit::Failure
    }

    /// The text under the heading.
    pub(super) fn text(&self) -> String {
        let Self::Cli(error) = self else {
            return self.to_string();
        };
        match phrase(error) {
            Some(phrase) => format!("{phrase}\n\n{error}\n{}", error.help()),
            None => format!("{error}\n{}", error.help()),
        }
    }
}

/// What easy-rsa says in the same situation.
fn phrase(error: &CliError) -> Option<String> {
    if let CliError::NotConfirmed = error {
        return Some("Aborting without confirmation.".into());
    }
    let CliError::Pki(error) = error else { return None };
    if let PkiError::NoPki { .. } = error {
        return Some("EASYRSA_PKI does not exist (perhaps you need to run init-pki)?".into());
    }
    if let PkiError::NoAuthority { missing } = error {
        return Some(format!(
            "Missing expected CA file: {} (perhaps you need to run build-ca?)",
            missing.file_name().unwrap_or_default().display()
        ));
    }
    if let PkiError::AuthorityExists { .. } = error {
        return Some("Unable to create a CA as you already seem to have one set up.".into());
    }
    if let PkiError::NameTaken { found } = error {
        return Some(format!("{} file already exists. Aborting build.", kind_of(found)));
    }
    if let PkiError::NoCertificate { missing } = error {
        return Some(format!(
            "Unable to revoke as no certificate was found. Certificate was expected at:\n* {}",
            missing.display()
        ));
    }
    if let PkiError::NoRequest { missing } = error {
        return Some(format!("No request found for the input: expected it at\n* {}", missing.display()));
    }
    if let PkiError::FileExists { found } = error {
        return Some(format!("Cannot write to existing file: '{}'", found.display()));
    }
    None
}

fn kind_of(file: &std::path::Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("req") => "Request",
        Some("key") => "Key",
        _ => "Certificate",
    }
}

impl From<PkiError> for EasyRsaError {
    fn from(error: PkiError) -> Self {
        Self::Cli(error.into())
    }
}

impl From<pki_core::name::NameError> for EasyRsaError {
    fn from(error: pki_core::name::NameError) -> Self {
        Self::Cli(error.into())
    }
}

impl From<pki_core::cert::CertificateError> for EasyRsaError {
    fn from(error: pki_core::cert::CertificateError) -> Self {
        Self::Cli(error.into())
    }
}
