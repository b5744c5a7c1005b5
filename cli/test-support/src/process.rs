//! Processes that stay: their log, their end, and no survivors.

use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::log::Log;
use crate::wait;

/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(60);

/// A running program whose output is followed. Killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: Log,
}

impl Process {
    /// Starts `command`; both its outputs go into one log.
    pub fn start(name: impl Into<String>, mut command: Command) -> Result<Self> {
        let name = name.into();
        let shown = command::spell(&command);
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        command.stdout(writer.try_clone().context("making a pipe")?).stderr(writer);
        let child = command.spawn().context(format!("starting `{shown}`"))?;
        let log = Log::follow(&name, reader);
        Ok(Self { name, child, log })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Sends `signal`; a process that has ended does not mind.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), signal)
            .context(format!("sending a signal to {}", self.name))
    }

    /// How it ended, if it did.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context(format!("looking at {}", self.name))
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let ended = wait::for_child(&mut self.child, limit).context(format!("waiting for {}", self.name))?;
        ended.ok_or_else(|| {
            Failure::new(format!("{} did not end within {limit:?}\n{}", self.name, self.log.tail()))
        })
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(GRACE)
    }

    /// Ends it without notice (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context(format!("killing {}", self.name))?;
        self.child.wait().map(drop).context(format!("waiting for {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Process {
        let mut command = command::tool("sh");
        command.args(["-c", script]);
        Process::start("a shell", command).unwrap()
    }

    #[test]
    fn a_process_is_asked_to_stop_before_it_is_killed() {
        let mut process = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        process.log().wait_for("ready", LIMIT).unwrap();
        assert_eq!(process.stop().unwrap().code(), Some(7));
        process.log().wait_for("bye", LIMIT).unwrap();
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = shell("echo ready; exec sleep 1000");
        process.log().wait_for("ready", LIMIT).unwrap();
        let id = process.child.id();
        drop(process);
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn an_overdue_end_shows_the_log() {
        let mut process = shell("echo busy; exec sleep 1000");
        process.log().wait_for("busy", LIMIT).unwrap();
        let failure = process.wait(Duration::from_millis(20)).unwrap_err().to_string();
        assert!(failure.contains("busy"), "{failure}");
    }
}
