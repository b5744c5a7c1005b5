//! The connection log: one JSON object per line, appended to a file.
//!
//! Lines are written by a thread of their own, so that a slow disk delays neither handshakes nor packets. When it
//! falls behind by more than 8192 lines, further ones are dropped and counted; the count is reported.
//!
//! The file is opened without following a symlink and readable by owner and group only. [`ConnectionLog::reopen`]
//! serves log rotation.

use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pki_core::time::Timestamp;
use rustix::fs::{Mode, OFlags};
use tracing::{error, warn};

pub use super::record::FailedAttempt;
use super::record::Record;
use super::throttle::{LogThrottle, Permit};
use crate::control::connection::{Connection, EndpointId, Usage};

/// How many lines may wait for the disk.
const QUEUE: usize = 8192;

/// Writes connection records, or nothing at all where no file is configured.
#[derive(Debug)]
pub struct ConnectionLog {
    endpoint: EndpointId,
    throttle: Mutex<LogThrottle>,
    translation: ArcSwap<Vec<IpAddr>>,
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    queue: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
    dropped: AtomicU64,
}

enum Command {
    Write(Vec<u8>),
    Reopen(Sender<io::Result<()>>),
}

/// The connection log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the connection log {}: {source}", path.display())]
pub struct ConnectionLogError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's answer.
    pub source: io::Error,
}

impl ConnectionLogError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "connection-log-unavailable"
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        "the directory must exist and be writable, and the file must not be a symbolic link"
    }
}

impl ConnectionLog {
    /// Opens the log at `path`, creating the file with mode 0640; `None` is a log that writes nothing.
    ///
    /// `seed` is a random number: it decides which sources share the allowance for lines about refused attempts.
    ///
    /// # Errors
    ///
    /// [`ConnectionLogError`] when the file cannot be opened for appending, or is a symbolic link.
    pub fn open(path: Option<&Path>, endpoint: EndpointId, seed: u64) -> Result<Self, ConnectionLogError> {
        Ok(Self {
            endpoint,
            throttle: Mutex::new(LogThrottle::new(Instant::now(), seed)),
            translation: ArcSwap::default(),
            writer: path.map(Writer::start).transpose()?,
        })
    }

    /// Records say from now on that the networks behind the server see clients under these addresses.
    pub fn set_translation(&self, addresses: Vec<IpAddr>) {
        self.translation.store(Arc::new(addresses));
    }

    /// A client was let in.
    pub fn established(&self, connection: &Connection) {
        self.write(|| Record::established(self.endpoint, connection).seen_as(&self.translation.load()));
    }

    /// The counters of a connection moved on.
    pub fn updated(&self, connection: &Connection, now: Timestamp, duration: Duration, usage: Usage) {
        self.write(|| {
            Record::updated(self.endpoint, connection, now, duration, usage).seen_as(&self.translation.load())
        });
    }

    /// A connection ended.
    pub fn closed(
        &self,
        connection: &Connection,
        now: Timestamp,
        duration: Duration,
        usage: Usage,
        reason: &str,
    ) {
        self.write(|| {
            Record::closed(self.endpoint, connection, now, duration, usage, reason)
                .seen_as(&self.translation.load())
        });
    }

    /// An attempt was refused. Answers whether the line was admitted: a source prefix has ten of them per second,
    /// here and in the human log.
    pub fn failed(&self, attempt: &FailedAttempt, now: Timestamp) -> bool {
        let Some(Permit { suppressed }) = self.admit(attempt.remote.ip()) else {
            return false;
        };
        if suppressed > 0 {
            warn!(suppressed, "refused attempts of one source were too many to log");
        }
        self.write(|| Record::failed(self.endpoint, attempt, now));
        true
    }

    /// Closes the file and opens it again by its name, after a rotation. On failure the open file is kept.
    ///
    /// # Errors
    ///
    /// [`ConnectionLogError`] when the file cannot be opened.
    pub fn reopen(&self) -> Result<(), ConnectionLogError> {
        self.writer.as_ref().map_or(Ok(()), Writer::reopen)
    }

    fn admit(&self, remote: IpAddr) -> Option<Permit> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now(), remote)
    }

    fn write(&self, record: impl FnOnce() -> Record) {
        if let Some(writer) = &self.writer {
            writer.write(record().to_line());
        }
    }
}

impl Writer {
    fn start(path: &Path) -> Result<Self, ConnectionLogError> {
        let failed = |source| ConnectionLogError { path: path.to_owned(), source };
        let file = open_for_append(path).map_err(failed)?;
        let (queue, commands) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("connection-log".to_owned())
            .spawn({
                let path = path.to_owned();
                move || write_lines(file, &path, &commands)
            })
            .map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            queue: Some(queue),
            thread: Some(thread),
            dropped: AtomicU64::new(0),
        })
    }

    fn write(&self, line: Vec<u8>) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send(Command::Write(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            error!(dropped, "the connection log could not keep up; records are missing");
        }
    }

    fn reopen(&self) -> Result<(), ConnectionLogError> {
        let (answer, result) = channel();
        let asked = self.queue.as_ref().is_some_and(|queue| queue.send(Command::Reopen(answer)).is_ok());
        let outcome = match result.recv() {
            Ok(outcome) if asked => outcome,
            Ok(_) | Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        };
        outcome.map_err(|source| ConnectionLogError { path: self.path.clone(), source })
    }
}

/// Everything that was queued is on its way to the disk when this returns.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the connection log ended with a panic");
        }
    }
}

fn write_lines(mut file: File, path: &Path, commands: &Receiver<Command>) {
    let mut failing = false;
    while let Ok(command) = commands.recv() {
        match command {
            Command::Write(line) => {
                let outcome = file.write_all(&line);
                if let Err(error) = &outcome
                    && !failing
                {
                    error!(path = %path.display(), %error, "cannot write to the connection log");
                }
                failing = outcome.is_err();
            }
            Command::Reopen(answer) => {
                let outcome = open_for_append(path).map(|reopened| file = reopened);
                if answer.send(outcome).is_err() {
                    warn!("nobody waited for the connection log to be reopened");
                }
            }
        }
    }
}

fn open_for_append(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
    Ok(File::from(rustix::fs::open(path, flags, mode)?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::control::connection::DeviceFacts;

    #[test]
    fn lines_are_appended_to_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("connections.log");
        for _ in 0..2 {
            let log = open(&path).unwrap();
            assert!(log.failed(&attempt(1), Timestamp::YEAR_2050));
            drop(log);
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap()["event"], "refused");
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
    }

    #[test]
    fn ops_03_a_symbolic_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("connections.log");
        symlink(directory.path().join("elsewhere"), &path).unwrap();
        let error = open(&path).unwrap_err();
        assert_eq!(error.code(), "connection-log-unavailable");
        assert!(!directory.path().join("elsewhere").exists());
    }

    #[test]
    fn after_a_rotation_lines_go_to_the_new_file() {
        let directory = tempfile::tempdir().unwrap();
        let (path, rotated) = (directory.path().join("c.log"), directory.path().join("c.log.1"));
        let log = open(&path).unwrap();
        log.failed(&attempt(1), Timestamp::YEAR_2050);
        fs::rename(&path, &rotated).unwrap();
        log.reopen().unwrap();
        log.failed(&attempt(1), Timestamp::YEAR_2050);
        drop(log);
        for file in [&path, &rotated] {
            assert_eq!(fs::read_to_string(file).unwrap().lines().count(), 1, "{}", file.display());
        }
    }

    #[test]
    fn a_failed_reopen_keeps_the_open_file() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("logs");
        fs::create_dir(&inner).unwrap();
        let path = inner.join("c.log");
        let log = open(&path).unwrap();
        let moved = directory.path().join("moved");
        fs::rename(&inner, &moved).unwrap();
        assert!(log.reopen().is_err());
        log.failed(&attempt(1), Timestamp::YEAR_2050);
        drop(log);
        assert_eq!(fs::read_to_string(moved.join("c.log")).unwrap().lines().count(), 1);
    }

    #[test]
    fn ops_03_one_source_writes_ten_lines_per_second() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.log");
        let log = open(&path).unwrap();
        let admitted = (0..200).filter(|host| log.failed(&attempt(*host), Timestamp::YEAR_2050)).count();
        drop(log);
        assert!((10..20).contains(&admitted), "{admitted}");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), admitted);
    }

    #[test]
    fn without_a_file_nothing_is_written_and_reopening_is_fine() {
        let log = ConnectionLog::open(None, EndpointId::from_random([0; 9]), 0).unwrap();
        assert!(log.failed(&attempt(1), Timestamp::YEAR_2050));
        log.reopen().unwrap();
    }

    fn open(path: &Path) -> Result<ConnectionLog, ConnectionLogError> {
        ConnectionLog::open(Some(path), EndpointId::from_random([0; 9]), 0)
    }

    fn attempt(host: u8) -> FailedAttempt {
        FailedAttempt {
            remote: (IpAddr::from([192, 0, 2, host]), 1000).into(),
            client: None,
            device: DeviceFacts::default(),
            code: "certificate-untrusted",
            detail: "no path to a trusted authority".to_owned(),
        }
    }
}
