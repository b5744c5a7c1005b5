//! One run of a program: started without a shell, limited in time and in what it may say.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pki_core::text::Printable;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tracing::{debug, warn};

use super::Environment;
use crate::config::HookCommand;

/// Starts programs, each for at most so long.
#[derive(Clone, Copy, Debug)]
pub struct Runner {
    timeout: Duration,
}

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookFailure {
    /// The program does not start.
    #[error("{} does not start: {source}", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// It did not end in time, and was ended.
    #[error("{} did not end within {} s and was ended", program.display(), timeout.as_secs())]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// Its time.
        timeout: Duration,
    },
    /// It ended in another way than programs say yes.
    #[error("{} said no: {status}", program.display())]
    Refused {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
}

/// How a program that may defer its decision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conclusion {
    /// Yes.
    Success,
    /// It will tell later, in a file.
    Deferred,
}

/// The exit code of programs that decide later.
const DEFERRED: i32 = 2;
/// What is read of what a program says; the rest is thrown away.
const OUTPUT: usize = 4096;

impl HookFailure {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotStarted { .. } => "hook-not-started",
            Self::TimedOut { .. } => "hook-timed-out",
            Self::Refused { .. } => "hook-refused",
        }
    }
}

impl Runner {
    /// Programs may take so long.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self { timeout }
    }

    /// Runs a program to its end, with further arguments behind its own; only an exit code of 0 is a success.
    ///
    /// # Errors
    ///
    /// [`HookFailure`]: it did not start, end in time, or say yes.
    pub fn run(
        &self,
        command: &HookCommand,
        arguments: &[OsString],
        environment: &Environment,
    ) -> Result<(), HookFailure> {
        match self.run_deferrable(command, arguments, environment)? {
            (Conclusion::Success, _) => Ok(()),
            (Conclusion::Deferred, status) => Err(refused(command, status)),
        }
    }

    /// Runs a program that reads `input` and answers on its standard output with at most so many octets; the end of a
    /// longer answer is thrown away. What it says on its standard error is not read.
    ///
    /// # Errors
    ///
    /// [`HookFailure`]: it did not start, end in time, or end with success.
    pub fn converse(
        &self,
        command: &HookCommand,
        environment: &Environment,
        input: &[u8],
        at_most: usize,
    ) -> Result<Vec<u8>, HookFailure> {
        let mut run = file_with(input)
            .and_then(|input| Run::start(command, &[], environment, Ears::Answer { input, at_most }))
            .map_err(|source| HookFailure::NotStarted { program: command.program.clone(), source })?;
        match run.wait(Instant::now() + self.timeout) {
            Some(status) if status.success() => Ok(run.output),
            Some(status) => Err(refused(command, status)),
            None => Err(HookFailure::TimedOut { program: command.program.clone(), timeout: self.timeout }),
        }
    }

    /// The same for a program that may say by its exit code that it decides later.
    pub(super) fn run_deferrable(
        &self,
        command: &HookCommand,
        arguments: &[OsString],
        environment: &Environment,
    ) -> Result<(Conclusion, ExitStatus), HookFailure> {
        let mut run = Run::start(command, arguments, environment, Ears::Everything)
            .map_err(|source| HookFailure::NotStarted { program: command.program.clone(), source })?;
        let status = run.wait(Instant::now() + self.timeout);
        run.tell(command);
        match status {
            Some(status) if status.success() => Ok((Conclusion::Success, status)),
            Some(status) if status.code() == Some(DEFERRED) => Ok((Conclusion::Deferred, status)),
            Some(status) => Err(refused(command, status)),
            None => Err(HookFailure::TimedOut { program: command.program.clone(), timeout: self.timeout }),
        }
    }
}

fn refused(command: &HookCommand, status: ExitStatus) -> HookFailure {
    HookFailure::Refused { program: command.program.clone(), status }
}

/// A file in memory, to be read from its beginning.
fn file_with(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("input", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

/// What is heard of a program.
enum Ears {
    /// All that it says, for the log.
    Everything,
    /// Its answer to what it reads.
    Answer { input: File, at_most: usize },
}

/// A program that runs.
struct Run {
    child: Child,
    said: PipeReader,
    output: Vec<u8>,
    at_most: usize,
}

impl Run {
    fn start(
        command: &HookCommand,
        arguments: &[OsString],
        environment: &Environment,
        ears: Ears,
    ) -> io::Result<Self> {
        let (said, says) = io::pipe()?;
        let (input, aside, at_most) = match ears {
            Ears::Everything => (Stdio::null(), Stdio::from(says.try_clone()?), OUTPUT),
            Ears::Answer { input, at_most } => (Stdio::from(input), Stdio::null(), at_most),
        };
        let child = Command::new(&command.program)
            .args(&command.arguments)
            .args(arguments)
            .env_clear()
            .envs(environment.iter())
            .stdin(input)
            .stdout(says)
            .stderr(aside)
            .process_group(0)
            .spawn()?;
        Ok(Self { child, said, output: Vec::new(), at_most })
    }

    /// Waits for the end; `None` when the program had to be ended.
    fn wait(&mut self, deadline: Instant) -> Option<ExitStatus> {
        let status = self.listen_until_the_end(deadline).ok().flatten();
        if status.is_none() {
            self.end();
        }
        status
    }

    /// A program may leave another one behind that still holds the pipe, so the end is what the process itself says.
    fn listen_until_the_end(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let mut hears = true;
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let (has_ended, has_said) = wait_for(&process, hears.then_some(&self.said), remaining)?;
            if has_said {
                hears = self.listen()?;
            }
            if has_ended {
                self.hear_the_rest()?;
                return self.child.wait().map(Some);
            }
            if !has_said && remaining.is_zero() {
                return Ok(None);
            }
        }
    }

    /// Reads what the program said before it ended. Whoever it left behind may go on talking.
    fn hear_the_rest(&mut self) -> io::Result<()> {
        while self.output.len() < self.at_most && has_news(&self.said)? && self.listen()? {}
        Ok(())
    }

    /// Reads what is there; answers whether more may come.
    fn listen(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 1024];
        let length = self.said.read(&mut buffer)?;
        let room = self.at_most.saturating_sub(self.output.len());
        self.output.extend_from_slice(&buffer[..length.min(room)]);
        Ok(length > 0)
    }

    /// Ends the program and all that it started and did not set free.
    fn end(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }

    fn tell(&self, command: &HookCommand) {
        for line in String::from_utf8_lossy(&self.output).lines().filter(|line| !line.is_empty()) {
            debug!(program = %command.program.display(), line = Printable(line).to_string(), "a program says");
        }
    }
}

/// Whether there is something to read, or nothing will ever be.
fn has_news(said: &PipeReader) -> io::Result<bool> {
    let mut watched = [PollFd::new(said, PollFlags::IN)];
    let ready = rustix::io::retry_on_intr(|| poll(&mut watched, Some(&Timespec::default())))?;
    Ok(ready > 0)
}

/// Waits for one of both to have news, or for the time to pass.
fn wait_for(process: &impl AsFd, said: Option<&PipeReader>, remaining: Duration) -> io::Result<(bool, bool)> {
    let mut watched = vec![PollFd::new(process, PollFlags::IN)];
    watched.extend(said.map(|said| PollFd::new(said, PollFlags::IN)));
    let timeout = Timespec::try_from(remaining).ok();
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let has_news = |index: usize| watched.get(index).is_some_and(|fd| !fd.revents().is_empty());
    Ok((has_news(0), has_news(1)))
}

/// Reports a failure of a program that nobody waits for.
pub(super) fn report(failure: &HookFailure) {
    warn!(code = failure.code(), %failure, "a program failed");
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::path::Path;

    use rustix::process::kill_process;

    use super::*;
    use crate::testing::script;

    /// A shell script in this directory.
    pub(in crate::hooks) fn script(directory: &Path, name: &str, text: &str) -> HookCommand {
        script::script(directory, name, text).display().to_string().parse().unwrap()
    }

    fn run(text: &str, timeout: Duration) -> Result<(), HookFailure> {
        let directory = tempfile::tempdir().unwrap();
        let command = script(directory.path(), "script", text);
        Runner::new(timeout).run(&command, &["x y".into()], &Environment::of_script("test"))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn only_zero_is_a_yes() {
        assert!(run("exit 0", LONG).is_ok());
        for text in ["exit 1", "exit 2", "exit 127", "kill -9 $$"] {
            assert!(matches!(run(text, LONG), Err(HookFailure::Refused { .. })), "{text}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let command: HookCommand = "/nonexistent/program".parse().unwrap();
        let failure = Runner::new(LONG).run(&command, &[], &Environment::default()).unwrap_err();
        assert_eq!(failure.code(), "hook-not-started");
        assert!(failure.to_string().starts_with("/nonexistent/program does not start"));
    }

    #[test]
    fn acl_08_arguments_are_not_taken_apart_and_the_environment_is_made_for_it() {
        // Safe in this test only: nothing else reads this name.
        assert!(run("test \"$1\" = 'x y' && test $# = 1", LONG).is_ok());
        assert!(run("test \"$script_type\" = test && test -z \"$HOME$CARGO_MANIFEST_DIR\"", LONG).is_ok());
    }

    #[test]
    fn acl_08_a_program_that_takes_too_long_is_ended_with_all_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let started = directory.path().join("started");
        let text = format!("sleep 1000 & echo $! > {}; sleep 1000", started.display());
        let failure = run(&text, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(failure, HookFailure::TimedOut { .. }), "{failure}");
        // On a machine that is too slow for it, it did not come so far as to start anything.
        if let Some(pid) = fs::read_to_string(&started).ok().filter(|pid| pid.ends_with('\n')) {
            let process = Path::new("/proc").join(pid.trim());
            let is_gone =
                || !fs::read_to_string(process.join("cmdline")).is_ok_and(|line| line.contains("1000"));
            let begin = Instant::now();
            while !is_gone() {
                assert!(begin.elapsed() < LONG, "{} is still there", process.display());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn all_that_a_program_said_before_its_end_is_heard() {
        let directory = tempfile::tempdir().unwrap();
        let command = script(directory.path(), "script", "head -c 20000 /dev/zero");
        let ears = Ears::Answer { input: file_with(b"").unwrap(), at_most: 30_000 };
        let mut run = Run::start(&command, &[], &Environment::of_script("test"), ears).unwrap();
        let process = pidfd_open(Pid::from_child(&run.child), PidfdFlags::empty()).unwrap();
        assert_eq!(wait_for(&process, None, LONG).unwrap(), (true, false));
        assert!(run.wait(Instant::now() + LONG).unwrap().success());
        assert_eq!(run.output.len(), 20_000);
    }

    #[test]
    fn acl_08_a_program_may_say_as_much_as_it_likes_and_little_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let command = script(directory.path(), "script", "head -c 300000 /dev/zero; echo >&2 end");
        let mut run = Run::start(&command, &[], &Environment::of_script("test"), Ears::Everything).unwrap();
        assert!(run.wait(Instant::now() + LONG).unwrap().success());
        assert_eq!(run.output.len(), OUTPUT);
    }

    #[test]
    fn a_daemon_that_a_program_leaves_behind_does_not_keep_us() {
        let directory = tempfile::tempdir().unwrap();
        let daemon = directory.path().join("daemon");
        assert!(run(&format!("sleep 1000 & echo $! > {}", daemon.display()), LONG).is_ok());
        let pid: i32 = fs::read_to_string(daemon).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
}
