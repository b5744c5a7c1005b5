//! Hands a ruleset to the `nft` program, which applies it as one transaction.

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// The only directories in which `nft` is looked for.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

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
    run("nft", &["-f", "-"], ruleset).map(|_| ())
}

/// All chains of the host, in nft's JSON.
pub(super) fn list_chains() -> Result<String, NftError> {
    run("nft", &["-j", "list", "chains"], "")
}

fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, NftError> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                NftError::Missing
            } else {
                NftError::NotRunnable(error)
            }
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(NftError::NotRunnable(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let output = child.wait_with_output().map_err(NftError::NotRunnable)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(refusal(&String::from_utf8_lossy(&output.stderr)))
}

/// The first line of what nft says; the rest points into the ruleset.
fn refusal(stderr: &str) -> NftError {
    if stderr.contains("Operation not permitted") {
        return NftError::NotPermitted;
    }
    let first_line = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("without saying why");
    NftError::Refused(first_line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = run("nft-that-is-not-installed", &[], "").unwrap_err();
        assert_eq!(error.code(), "nft-missing");
        assert!(error.help().contains("--no-nat"));
    }

    #[test]
    fn a_refusal_is_told_in_one_line() {
        let stderr = "\n/dev/stdin:1:1-3: Error: syntax error, unexpected string\nfoo\n^^^\n";
        assert_eq!(
            refusal(stderr).to_string(),
            "nft refused the rules: /dev/stdin:1:1-3: Error: syntax error, unexpected string"
        );
        assert_eq!(refusal("").to_string(), "nft refused the rules: without saying why");
    }

    #[test]
    fn lack_of_privilege_names_the_capability() {
        let stderr = "Error: Could not process rule: Operation not permitted (you must be root)\n";
        let error = refusal(stderr);
        assert_eq!(error.code(), "nft-not-permitted");
        assert!(error.to_string().contains("CAP_NET_ADMIN"));
    }

    #[test]
    fn the_text_reaches_the_program_and_its_failure_comes_back() {
        assert!(matches!(run("false", &[], "table ip x {}"), Err(NftError::Refused(_))));
        assert_eq!(run("cat", &[], "table ip x {}").unwrap(), "table ip x {}");
    }
}
