//! Answers and errors for people.

use pki_core::Explain;
use pki_core::ca::Warning;
use pki_core::key::Protection;

use crate::error::CliError;

pub(super) fn error(error: &CliError) -> String {
    format!("error[{}]: {error}\n  help: {}\n", error.code(), error.help())
}

pub(crate) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::ExposedKey { path, mode } => format!(
            "warning: {} may be read by others (mode {mode:04o})\n  help: chmod 600 '{}'",
            path.display(),
            path.display()
        ),
        Warning::WeakEncryption { path, weakness } => format!(
            "warning: {} is weakly encrypted ({})\n  help: openssl pkcs8 -topk8 -v2 aes-256-cbc -iter {}",
            path.display(),
            weakness,
            Protection::ROUNDS
        ),
        Warning::NotGranted { extension } => format!(
            "warning: the request asks for extension {extension}, which was not granted\n  help: set it with \
             x509-types/TYPE or EASYRSA_EXTRA_EXTS if it is wanted"
        ),
        Warning::IncompleteInline { path, missing } => format!(
            "warning: {} is incomplete: no {}\n  help: make what is missing, and the file again",
            path.display(),
            missing.join(", no ")
        ),
        Warning::OutlivesAuthority { authority_ends } => format!(
            "warning: the certificate authority ends on {authority_ends}, before this certificate\n  \
             help: renew the authority before then"
        ),
    }
}
