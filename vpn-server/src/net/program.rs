//! Runs the programs by which a host's network is changed, with nothing of our environment.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use rustix::thread::{CapabilitySet, capability_is_in_ambient_set, configure_capability_in_ambient_set};
use tracing::warn;

/// The only directories in which programs are looked for.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

/// Why a program did not do what it was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such program.
    Missing,
    /// It cannot be run.
    NotRunnable(io::Error),
    /// The kernel refused for lack of a capability.
    NotPermitted,
    /// It failed, and said this.
    Refused(String),
}

/// Runs `program` with `input` and answers with what it printed.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = with_the_right_to_set_up_networks(|| command.spawn()).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound { Failure::Missing } else { Failure::NotRunnable(error) }
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(Failure::NotRunnable(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let output = child.wait_with_output().map_err(Failure::NotRunnable)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(refusal(&String::from_utf8_lossy(&output.stderr)))
}

/// The first line of what a program says; the rest points into its input.
/// A server that became another user keeps `CAP_NET_ADMIN` for itself; a program that it starts has it only if this is
/// said of the thread that starts it. Other programs are started by other threads.
fn with_the_right_to_set_up_networks<T>(start: impl FnOnce() -> T) -> T {
    let is_lent = capability_is_in_ambient_set(CapabilitySet::NET_ADMIN) == Ok(false)
        && configure_capability_in_ambient_set(CapabilitySet::NET_ADMIN, true).is_ok();
    let started = start();
    if is_lent && let Err(error) = configure_capability_in_ambient_set(CapabilitySet::NET_ADMIN, false) {
        warn!(%error, "the right to set up networks could not be taken back from programs");
    }
    started
}

fn refusal(stderr: &str) -> Failure {
    if stderr.contains("Operation not permitted") {
        return Failure::NotPermitted;
    }
    let first_line = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("without saying why");
    Failure::Refused(first_line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_told_from_one_that_fails() {
        assert!(matches!(run("program-that-is-not-installed", &[], ""), Err(Failure::Missing)));
        assert!(matches!(run("false", &[], "text"), Err(Failure::Refused(_))));
        assert_eq!(run("cat", &[], "text").unwrap(), "text");
    }

    #[test]
    fn a_refusal_is_told_in_one_line() {
        let refused = |stderr| {
            let Failure::Refused(line) = refusal(stderr) else { panic!("{stderr}") };
            line
        };
        let stderr = "\n/dev/stdin:1:1-3: Error: syntax error, unexpected string\nfoo\n^^^\n";
        assert_eq!(refused(stderr), "/dev/stdin:1:1-3: Error: syntax error, unexpected string");
        assert_eq!(refused(""), "without saying why");
    }

    #[test]
    fn lack_of_privilege_is_told_apart() {
        let stderr = "Error: Could not process rule: Operation not permitted (you must be root)\n";
        assert!(matches!(refusal(stderr), Failure::NotPermitted));
    }
}
