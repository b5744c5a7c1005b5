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
    #[error("Unknown help topic '{0}'.")]
    UnknownTopic(String),
    #[error("Invalid value for {name}: '{value}' ({rule})")]
    Value { name: String, value: String, rule: &'static str },
    #[error("The 'vars' file was not found:\n* {0}")]
    NoVarsFile(String),
    #[error(
        "The 'vars' file {file}, line {line}, is not understood:\n  {text}\nOnly set_var, comments and the standard guard are read; nothing was done."
    )]
    VarsLine { file: String, line: usize, text: String },
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
    if let PkiError::NoCertificate { .. } = error {
        return Some("Unable to revoke as no certificate was found.".into());
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
