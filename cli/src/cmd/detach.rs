//! A server in the background: `daemon` of a stock configuration.
//!
//! The process starts itself once more in a session of its own and waits until that one is ready, so that a script goes on
//! when clients can connect, and hears of a start that failed. Under systemd, which waits by itself, it stays as it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};

use serde_json::json;

use crate::env;
use crate::error::CliError;
use crate::output::{Answer, Output};

/// Who this process is.
pub(super) enum Role {
    /// The one that was called.
    Parent,
    /// The one that serves.
    Server,
}

/// Leaves the terminal, if this is the process that shall.
pub(super) fn role() -> Role {
    if std::env::var_os(env::NOTIFY_SOCKET).is_some() {
        return Role::Server;
    }
    if std::env::var_os(env::POSTERN_DETACHED).is_none() {
        return Role::Parent;
    }
    // It fails for a process that leads a session already, which is what is wanted.
    let _ = rustix::process::setsid();
    Role::Server
}

/// Starts the server and waits until it is ready.
pub(super) fn leave_in_background(output: Output) -> Result<Answer, CliError> {
    let failed = |cause| CliError::File { operation: "start", path: "/proc/self/exe".into(), cause };
    let program = std::env::current_exe().map_err(failed)?;
    let mut server = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(env::POSTERN_DETACHED, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    match server.stdout.take().and_then(first_line) {
        Some(line) => {
            let pid = server.id();
            output.note(&line);
            Ok(Answer {
                text: format!("in the background: process {pid}\n"),
                value: json!({ "event": "detached", "pid": pid }),
                warnings: Vec::new(),
            })
        }
        None => Err(CliError::DaemonFailed(server.wait().map_err(failed)?)),
    }
}

/// Lets go of what the caller gave, so that a caller that reads our output to its end is not kept waiting.
pub(super) fn let_go(keeps_stderr: bool) -> io::Result<()> {
    if std::env::var_os(env::POSTERN_DETACHED).is_none() {
        return Ok(());
    }
    let nothing = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nothing)?;
    if !keeps_stderr {
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(())
}

/// The server's first word is that it is ready; a server that ends has none.
fn first_line(stdout: ChildStdout) -> Option<String> {
    let mut line = String::new();
    let length = BufReader::new(stdout).read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end().to_owned())
}
