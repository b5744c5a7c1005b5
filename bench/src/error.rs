//! Why a measurement cannot be made.

use std::io;
use std::path::PathBuf;

/// Why a measurement cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("cannot read {}: {reason}", path.display())]
    Credentials { path: PathBuf, reason: String },
    #[error("cannot {doing}: {source}")]
    System { doing: &'static str, source: io::Error },
    #[error("only {up} of {wanted} clients connected; the last reason: {reason}")]
    NotConnected { up: usize, wanted: usize, reason: String },
}

impl BenchError {
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    /// Stable kebab-case code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Credentials { .. } => "credentials-unreadable",
            Self::System { .. } => "system",
            Self::NotConnected { .. } => "not-connected",
        }
    }

    /// What to do next.
    pub(crate) const fn help(&self) -> &'static str {
        match self {
            Self::Credentials { .. } => "name PEM files: a certificate, and its key without passphrase",
            Self::System { .. } => "see the system's reason; thousands of clients need as many descriptors",
            Self::NotConnected { .. } => {
                "see the server's log; one certificate for all needs duplicate common names to be allowed"
            }
        }
    }
}
