//! Notices that a file was replaced, appeared or vanished.
//!
//! Two ways, because each alone is not enough. The kernel reports changes of the *directory* at once; the directory,
//! because a replaced file is another inode and a watch on the old one would stay silent. A slow poll compares the
//! identity of what the name stands for, and finds what the kernel does not report: network file systems, and a
//! directory that was itself replaced.
//!
//! Writing into an open file is reported when it is closed, so that a half-written file is not read in between.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::{debug, error, warn};

/// How often the file is looked at even when the kernel reports nothing.
pub const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Watches one file or directory for as long as this value lives.
#[derive(Debug)]
pub struct FileWatch {
    stop: Option<Sender<Signal>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the watching thread wakes up.
enum Signal {
    Changed,
    Stop,
}

/// What a name stands for at one moment. Two different contents never have the same identity, unless a file is
/// changed in place twice within the resolution of its time stamps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FileIdentity {
    File { device: u64, inode: u64, size: u64, modified: (i64, i64), changed: (i64, i64) },
    Absent,
    Unreadable(io::ErrorKind),
}

impl FileWatch {
    /// Calls `on_change` from a thread of its own: once when the watch has begun, so that whoever read the file before
    /// misses nothing, and whenever the file at `path` may have changed.
    ///
    /// # Errors
    ///
    /// The operating system's answer when no thread can be started. Where the kernel's reports are not to be had,
    /// polling remains and a warning is logged.
    pub fn start(
        path: &Path,
        poll_interval: Duration,
        on_change: impl FnMut() + Send + 'static,
    ) -> io::Result<Self> {
        Self::run(Watched::of_file(path), poll_interval, on_change)
    }

    /// The same for whatever happens in the directory at `path`.
    ///
    /// # Errors
    ///
    /// As for [`FileWatch::start`].
    pub fn start_on_directory(
        path: &Path,
        poll_interval: Duration,
        on_change: impl FnMut() + Send + 'static,
    ) -> io::Result<Self> {
        Self::run(Watched::of_directory(path), poll_interval, on_change)
    }

    fn run(
        watched: impl FnOnce(Sender<Signal>) -> Watched,
        poll_interval: Duration,
        on_change: impl FnMut() + Send + 'static,
    ) -> io::Result<Self> {
        let (signals, received) = channel();
        let watched = watched(signals.clone());
        let thread = std::thread::Builder::new()
            .name("file-watch".to_owned())
            .spawn(move || watched.run(&received, poll_interval, on_change))?;
        Ok(Self { stop: Some(signals), thread: Some(thread) })
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        let asked = self.stop.take().is_some_and(|stop| stop.send(Signal::Stop).is_ok());
        if let Some(thread) = self.thread.take()
            && asked
            && thread.join().is_err()
        {
            error!("the file watch ended with a panic");
        }
    }
}

/// The file, the directory in which it is watched, and what was last seen.
struct Watched {
    path: PathBuf,
    directory: PathBuf,
    /// The entry of the directory that counts; `None` is any.
    name: Option<OsString>,
    signals: Sender<Signal>,
    seen: FileIdentity,
    kernel: Option<(RecommendedWatcher, FileIdentity)>,
}

impl Watched {
    fn of_file(path: &Path) -> impl FnOnce(Sender<Signal>) -> Self {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        Self::new(path, directory, path.file_name().map(OsStr::to_owned))
    }

    fn of_directory(path: &Path) -> impl FnOnce(Sender<Signal>) -> Self {
        Self::new(path, path.to_owned(), None)
    }

    fn new(path: &Path, directory: PathBuf, name: Option<OsString>) -> impl FnOnce(Sender<Signal>) -> Self {
        let path = path.to_owned();
        move |signals| {
            let seen = FileIdentity::of(&path);
            let mut watched = Self { path, directory, name, signals, seen, kernel: None };
            watched.watch_directory();
            watched
        }
    }

    fn run(
        mut self,
        received: &Receiver<Signal>,
        poll_interval: Duration,
        mut on_change: impl FnMut() + Send + 'static,
    ) {
        on_change();
        loop {
            match received.recv_timeout(poll_interval) {
                Ok(Signal::Changed) => {}
                Err(RecvTimeoutError::Timeout) => self.watch_directory(),
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let identity = FileIdentity::of(&self.path);
            if identity != self.seen {
                debug!(path = %self.path.display(), "the file changed");
                self.seen = identity;
                on_change();
            }
        }
    }

    /// Asks the kernel for reports, again if the directory is not the one that was asked about.
    fn watch_directory(&mut self) {
        let directory = FileIdentity::of_directory(&self.directory);
        if self.kernel.as_ref().is_some_and(|(_, watched)| *watched == directory) {
            return;
        }
        let was_watching = self.kernel.take().is_some();
        match self.ask_kernel() {
            Ok(watcher) => self.kernel = Some((watcher, directory)),
            Err(error) if was_watching => {
                warn!(directory = %self.directory.display(), %error, "the directory is gone; polling for it");
            }
            Err(error) => debug!(directory = %self.directory.display(), %error, "polling only"),
        }
    }

    fn ask_kernel(&self) -> notify::Result<RecommendedWatcher> {
        let (signals, name) = (self.signals.clone(), self.name.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let concerned = event.as_ref().map_or(true, |event| concerns(event, name.as_ref()));
            if concerned && signals.send(Signal::Changed).is_err() {
                debug!("a change was reported after the end of the watch");
            }
        })?;
        watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }
}

impl FileIdentity {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::File {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.size(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Absent,
            Err(error) => Self::Unreadable(error.kind()),
        }
    }

    /// Identity of a directory as such, whatever happens inside.
    fn of_directory(path: &Path) -> Self {
        match Self::of(path) {
            Self::File { device, inode, .. } => {
                Self::File { device, inode, size: 0, modified: (0, 0), changed: (0, 0) }
            }
            other @ (Self::Absent | Self::Unreadable(_)) => other,
        }
    }
}

/// Whether an event can mean that `name` stands for something else than before. Writes count when they are complete.
fn concerns(event: &Event, name: Option<&OsString>) -> bool {
    let is_complete = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Create(_)
        | EventKind::Remove(_)
        | EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_))
        | EventKind::Any
        | EventKind::Other => true,
        EventKind::Access(_) | EventKind::Modify(_) => false,
    };
    let names_it = name.is_none()
        || event.paths.is_empty()
        || event.paths.iter().any(|path| path.file_name() == name.map(OsString::as_os_str));
    is_complete && (names_it || event.need_rescan())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);
    /// Far more than a report takes, and far less than never.
    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn crl_03_a_rename_is_noticed_at_once() {
        let (directory, path) = file();
        let (_watch, changes) = watch(&path, NEVER);
        replace(&directory, &path, "new");
        changes.recv_timeout(LIMIT).unwrap();
        replace(&directory, &path, "newer");
        changes.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn crl_03_what_happens_right_after_the_first_look_is_noticed() {
        let (_directory, path) = file();
        let (sender, looks) = channel();
        let removed = path.clone();
        let on_change = move || {
            sender.send(removed.exists()).unwrap_or(());
            let _ = fs::remove_file(&removed);
        };
        let _watch = FileWatch::start(&path, NEVER, on_change).unwrap();
        assert!(looks.recv_timeout(LIMIT).unwrap());
        assert!(!looks.recv_timeout(LIMIT).unwrap());
    }

    #[test]
    fn crl_03_a_file_written_in_place_is_reported_once_it_is_complete() {
        let (_directory, path) = file();
        let (_watch, changes) = watch(&path, NEVER);
        fs::write(&path, "complete").unwrap();
        changes.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn removal_and_return_are_changes() {
        let (directory, path) = file();
        let (_watch, changes) = watch(&path, NEVER);
        fs::remove_file(&path).unwrap();
        changes.recv_timeout(LIMIT).unwrap();
        replace(&directory, &path, "back");
        changes.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn other_files_of_the_directory_are_no_changes() {
        let (directory, path) = file();
        let (_watch, changes) = watch(&path, Duration::from_millis(20));
        for number in 0..20 {
            fs::write(directory.path().join(format!("other-{number}")), "x").unwrap();
        }
        assert!(changes.recv_timeout(Duration::from_millis(200)).is_err());
    }

    #[test]
    fn a_replaced_directory_is_found_by_polling_and_watched_again() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("pki");
        fs::create_dir(&inside).unwrap();
        let path = inside.join("crl.pem");
        fs::write(&path, "old").unwrap();
        let (_watch, changes) = watch(&path, Duration::from_millis(50));
        fs::rename(&inside, root.path().join("pki.old")).unwrap();
        changes.recv_timeout(LIMIT).unwrap();
        fs::create_dir(&inside).unwrap();
        fs::write(&path, "new").unwrap();
        changes.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn a_file_that_does_not_exist_yet_can_be_watched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crl.pem");
        let (_watch, changes) = watch(&path, NEVER);
        fs::write(&path, "first").unwrap();
        changes.recv_timeout(LIMIT).unwrap();
    }

    #[test]
    fn the_watch_ends_without_waiting_for_the_next_look() {
        let (_directory, path) = file();
        let (watch, changes) = watch(&path, NEVER);
        let end = std::thread::spawn(move || drop(watch));
        assert_eq!(changes.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
        end.join().unwrap();
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crl.pem");
        fs::write(&path, "old").unwrap();
        (directory, path)
    }

    fn watch(path: &Path, poll_interval: Duration) -> (FileWatch, Receiver<()>) {
        let (sender, changes) = channel();
        let watch = FileWatch::start(path, poll_interval, move || sender.send(()).unwrap_or(())).unwrap();
        changes.recv_timeout(LIMIT).unwrap();
        (watch, changes)
    }

    fn replace(directory: &tempfile::TempDir, path: &Path, content: &str) {
        let aside = directory.path().join("crl.pem.new");
        fs::write(&aside, content).unwrap();
        fs::rename(&aside, path).unwrap();
    }
}
