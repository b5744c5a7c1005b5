//! The status file: written anew at an interval, whole or not at all.
//!
//! A stock server truncates its file and writes it again, so that a reader can meet half of it. Here the file is
//! replaced by renaming, and keeps the mode and owner that an administrator gave it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tracing::{error, info};

use super::report::StatusReport;
use super::text::StatusVersion;
use crate::runtime::files::write_in_place;

/// Which file, how often, in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFileSettings {
    /// The file.
    pub path: PathBuf,
    /// The time between two versions of it.
    pub interval: Duration,
    /// The form.
    pub version: StatusVersion,
}

/// A status file that is kept up to date by a thread of its own. The last version is written when it is dropped.
#[derive(Debug)]
pub struct StatusFile {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StatusFile {
    /// Writes the first version and goes on; `observe` gives the present state.
    ///
    /// # Errors
    ///
    /// When the first version cannot be written, or there is no thread. Later failures are logged, once in a row.
    pub fn start(
        settings: StatusFileSettings,
        observe: impl Fn() -> StatusReport + Send + 'static,
    ) -> io::Result<Self> {
        replace(&settings.path, settings.version.write(&observe()).as_bytes())?;
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("status".to_owned())
            .spawn(move || keep(&settings, &stopped, observe))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for StatusFile {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread of the status file ended with a panic");
        }
    }
}

fn keep(settings: &StatusFileSettings, stopped: &Receiver<()>, observe: impl Fn() -> StatusReport) {
    let mut has_failed = false;
    loop {
        let is_over = stopped.recv_timeout(settings.interval) != Err(RecvTimeoutError::Timeout);
        let written = replace(&settings.path, settings.version.write(&observe()).as_bytes());
        match (&written, has_failed) {
            (Err(error), false) => {
                error!(path = %settings.path.display(), %error, "the status file cannot be written")
            }
            (Ok(()), true) => info!(path = %settings.path.display(), "the status file is written again"),
            (Ok(()), false) | (Err(_), true) => {}
        }
        has_failed = written.is_err();
        if is_over {
            return;
        }
    }
}

/// Puts `content` into the place of the file, which keeps its mode and owner; a new one is for its owner only. In a
/// directory that may not be written, the file itself is, which a reader can meet half written.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|file| !file.is_file()) {
        return fs::write(path, content);
    }
    match rename_into_place(path, content, before) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => write_in_place(path, content),
        outcome => outcome,
    }
}

fn rename_into_place(path: &Path, content: &[u8], before: Option<fs::Metadata>) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(&draft, flags, Mode::RUSR | Mode::WUSR)?);
    if let Some(before) = before {
        // Only root may give a file away; to whom it belongs is then of no consequence.
        let _ = std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid()));
        file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o777))?;
    }
    file.write_all(content)?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Instant;

    use pki_core::time::Timestamp;

    use super::*;

    #[test]
    fn the_file_is_there_at_once_follows_and_gets_a_last_version() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path(), Duration::from_millis(20));
        let clock = Arc::new(AtomicI64::new(1));
        let seen = Arc::clone(&clock);
        let file = StatusFile::start(settings.clone(), move || report(seen.load(Ordering::Relaxed))).unwrap();
        assert!(read(&settings).contains(",1\n"));
        clock.store(2, Ordering::Relaxed);
        let start = Instant::now();
        while !read(&settings).contains(",2\n") {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        clock.store(3, Ordering::Relaxed);
        drop(file);
        assert!(read(&settings).contains(",3\n"));
    }

    #[test]
    fn readers_never_meet_half_a_file_and_its_mode_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path(), Duration::from_millis(1));
        fs::write(&settings.path, "OLD\nEND\n").unwrap();
        fs::set_permissions(&settings.path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = StatusFile::start(settings.clone(), || report(0)).unwrap();
        for _ in 0..500 {
            assert!(read(&settings).ends_with("END\n"));
        }
        drop(file);
        assert_eq!(fs::metadata(&settings.path).unwrap().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_is_for_its_owner_and_one_that_cannot_be_written_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path(), Duration::from_secs(60));
        drop(StatusFile::start(settings.clone(), || report(0)).unwrap());
        assert_eq!(fs::metadata(&settings.path).unwrap().mode() & 0o777, 0o600);
        let nowhere = StatusFileSettings { path: "/proc/nonexistent/status".into(), ..settings };
        assert!(StatusFile::start(nowhere, || report(0)).is_err());
    }

    fn settings(directory: &Path, interval: Duration) -> StatusFileSettings {
        StatusFileSettings { path: directory.join("status.log"), interval, version: StatusVersion::Two }
    }

    fn report(seconds: i64) -> StatusReport {
        StatusReport { at: Timestamp::from_unix_seconds(seconds), clients: Vec::new(), routes: Vec::new() }
    }

    fn read(settings: &StatusFileSettings) -> String {
        fs::read_to_string(&settings.path).unwrap()
    }
}
