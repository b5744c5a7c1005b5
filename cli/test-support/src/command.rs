//! Commands that run to their end: output collected, time limited.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::failure::{Context, Failure, Result};
use crate::wait;

/// Longer than any single command of a scenario needs, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

/// What a finished command left.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// The standard output of a command that succeeded; a failure with everything it said otherwise.
    pub fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(Failure::new(format!(
            "`{}` ended with {}\n{}{}",
            self.command, self.status, self.stdout, self.stderr
        )))
    }
}

/// A command whose program is also looked for where administrators' tools live, whatever the caller's PATH says.
pub fn tool(program: impl AsRef<OsStr>) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command
        .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// Runs `command` to its end.
pub fn finish(mut command: Command) -> Result<Finished> {
    let shown = spell(&command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context(format!("starting `{shown}`"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait_or_kill(&mut child, &shown)?;
    Ok(Finished {
        command: shown,
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    })
}

/// Runs `command`, which must succeed, and answers with its standard output.
pub fn succeed(command: Command) -> Result<String> {
    finish(command)?.success()
}

/// The command line as a person would type it.
#[must_use]
pub fn spell(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut octets = Vec::new();
        if let Some(mut pipe) = pipe {
            let _cut_short_by_the_kill = pipe.read_to_end(&mut octets);
        }
        String::from_utf8_lossy(&octets).into_owned()
    })
}

fn wait_or_kill(child: &mut Child, shown: &str) -> Result<ExitStatus> {
    let ended = wait::for_child(child, LIMIT).context(format!("waiting for `{shown}`"))?;
    ended.ok_or_else(|| {
        let _already_gone = child.kill();
        let _reaped = child.wait();
        Failure::new(format!("`{shown}` did not end within {LIMIT:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collects_both_outputs_and_the_status() {
        let mut command = tool("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let finished = finish(command).unwrap();
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(finished.status.code(), Some(3));
        let failure = finished.success().unwrap_err().to_string();
        assert!(failure.contains("exit status: 3") && failure.contains("err"), "{failure}");
    }

    #[test]
    fn survives_output_larger_than_a_pipe() {
        let mut command = tool("head");
        command.args(["-c", "1000000", "/dev/zero"]);
        assert_eq!(succeed(command).unwrap().len(), 1_000_000);
    }

    #[test]
    fn says_which_program_is_missing() {
        let failure = finish(tool("no-such-program")).unwrap_err().to_string();
        assert!(failure.contains("no-such-program"), "{failure}");
    }
}
