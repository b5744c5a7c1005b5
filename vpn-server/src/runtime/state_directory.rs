//! The directory that belongs to one running server: its lock, its name, and what must survive a restart.
//!
//! The lock is the kernel's (`flock`): a killed server leaves none behind.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::files::write_atomically;
use crate::control::connection::EndpointId;
use crate::random;

/// A state directory that no other server uses for as long as this value lives.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    lock: File,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another server runs on it.
    #[error("another server is using the state directory {}{}", path.display(), by_process(*process))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that uses it, where it said so.
        process: Option<u32>,
    },
    /// A file in it cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl StateError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "state-in-use",
            Self::Unusable { .. } => "state-unusable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "stop the other server, or give this one its own --state-dir and --tun",
            Self::Unusable { .. } => {
                "check the permissions and the free space, or choose another --state-dir"
            }
        }
    }
}

impl StateDirectory {
    /// Creates the directory (mode 0700) where it is missing.
    ///
    /// # Errors
    ///
    /// [`StateError::Unusable`] when that is not possible.
    pub(super) fn create(path: &Path) -> Result<(), StateError> {
        let unusable = |source| StateError::Unusable { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)
    }

    /// Creates the directory where it is missing, and locks it.
    ///
    /// # Errors
    ///
    /// [`StateError::InUse`] when another server holds it, [`StateError::Unusable`] when it cannot be written.
    pub fn lock(path: &Path) -> Result<Self, StateError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| StateError::Unusable { path, source }
        };
        Self::create(path)?;
        let lock_path = path.join("lock");
        let mut lock = open_lock(&lock_path).map_err(unusable(&lock_path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(StateError::InUse { path: path.to_owned(), process: read_process(&mut lock) });
            }
            Err(errno) => return Err(unusable(&lock_path)(errno.into())),
        }
        note_process(&mut lock).map_err(unusable(&lock_path))?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The identifier of this endpoint, drawn at the first start and the same ever after.
    ///
    /// # Errors
    ///
    /// [`StateError::Unusable`] when it can neither be read nor written.
    pub fn endpoint_id(&self) -> Result<EndpointId, StateError> {
        let path = self.path.join("endpoint-id");
        match fs::read_to_string(&path) {
            Ok(text) => {
                if let Some(id) = EndpointId::parse(text.trim()) {
                    return Ok(id);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(StateError::Unusable { path, source }),
        }
        let draw = || -> io::Result<EndpointId> {
            let id = EndpointId::from_random(random::bytes()?);
            write_atomically(&path, format!("{id}\n").as_bytes())?;
            Ok(id)
        };
        draw().map_err(|source| StateError::Unusable { path: path.clone(), source })
    }
}

impl Drop for StateDirectory {
    /// Closing the file is not enough: a process that this one is starting right now holds a copy of it until it executes
    /// its program, and the lock with it.
    fn drop(&mut self) {
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

fn note_process(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.write_all(format!("{}\n", std::process::id()).as_bytes())
}

fn read_process(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn by_process(process: Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_server_is_refused_and_told_who_is_there() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state");
        let first = StateDirectory::lock(&path).unwrap();
        let error = StateDirectory::lock(&path).unwrap_err();
        assert_eq!(error.code(), "state-in-use");
        assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
        drop(first);
        StateDirectory::lock(&path).unwrap();
    }

    #[test]
    fn a_copy_of_the_lock_in_a_starting_process_does_not_outlive_the_server() {
        let root = tempfile::tempdir().unwrap();
        let first = StateDirectory::lock(root.path()).unwrap();
        let _copy = first.lock.try_clone().unwrap();
        drop(first);
        StateDirectory::lock(root.path()).unwrap();
    }

    #[test]
    fn the_directory_is_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let _state = StateDirectory::lock(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_endpoint_keeps_its_name() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDirectory::lock(root.path()).unwrap();
        let id = state.endpoint_id().unwrap();
        assert_eq!(state.endpoint_id().unwrap(), id);
        fs::write(root.path().join("endpoint-id"), "damaged").unwrap();
        let another = state.endpoint_id().unwrap();
        assert_eq!(state.endpoint_id().unwrap(), another);
    }

    #[test]
    fn a_path_that_is_no_directory_is_named() {
        let error = StateDirectory::lock(Path::new("/dev/null/state")).unwrap_err();
        assert_eq!(error.code(), "state-unusable");
        assert!(error.to_string().contains("/dev/null/state"), "{error}");
    }
}
