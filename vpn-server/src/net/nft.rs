//! Hands a ruleset to the `nft` program, which applies it as one transaction.

use std::io;

use super::program::{Failure, run};

/// Why a ruleset was not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NftError {
    /// There is no `nft` program.
    #[error("the program nft was not found")]
    Missing,
    /// The program cannot be run.
    #[error("cannot run nft: {0}")]
    NotRunnable(#[source] io::Error),
    /// The kernel refused for lack of a capability.
    #[error("no permission to change packet filtering (capability CAP_NET_ADMIN)")]
    NotPermitted,
    /// nft refused the ruleset.
    #[error("nft refused the rules: {0}")]
    Refused(String),
}

impl NftError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "nft-missing",
            Self::NotRunnable(_) => "nft-not-runnable",
            Self::NotPermitted => "nft-not-permitted",
            Self::Refused(_) => "nft-refused",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Missing => {
                "install the package nftables, or use --no-nat and let the networks behind the server \
                 route client addresses back to it"
            }
            Self::NotRunnable(_) => "check the installation of nftables",
            Self::NotPermitted => "run as root or with CAP_NET_ADMIN, or use --no-nat",
            Self::Refused(_) => "the kernel may lack nf_tables or NAT support; --no-nat does without",
        }
    }
}

/// Applies a ruleset completely or not at all.
pub(super) fn apply(ruleset: &str) -> Result<(), NftError> {
    run("nft", &["-f", "-"], ruleset).map(|_| ()).map_err(NftError::from)
}

/// All chains of the host, in nft's JSON.
pub(super) fn list_chains() -> Result<String, NftError> {
    run("nft", &["-j", "list", "chains"], "").map_err(NftError::from)
}

impl From<Failure> for NftError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing => Self::Missing,
            Failure::NotRunnable(error) => Self::NotRunnable(error),
            Failure::NotPermitted => Self::NotPermitted,
            Failure::Refused(line) => Self::Refused(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_way_out() {
        for (failure, code, help) in [
            (Failure::Missing, "nft-missing", "--no-nat"),
            (Failure::NotRunnable(io::ErrorKind::PermissionDenied.into()), "nft-not-runnable", "nftables"),
            (Failure::NotPermitted, "nft-not-permitted", "CAP_NET_ADMIN"),
            (Failure::Refused("syntax error".to_owned()), "nft-refused", "--no-nat"),
        ] {
            let error = NftError::from(failure);
            assert_eq!(error.code(), code);
            assert!(error.help().contains(help), "{code}: {}", error.help());
        }
    }
}
