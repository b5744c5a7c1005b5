//! One writer at a time: a kernel lock on the directory, plus easy-rsa's `lock.file` for easy-rsa's sake.
//!
//! The kernel lock dies with its process, so it alone decides among our own commands. `lock.file` is created while
//! we hold the kernel lock, and honoured when a living process that is not one of ours has made it; one that was
//! left behind by a dead process is cleared away.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::Pid;

use super::disk::{Disk, FileMode};
use super::error::StoreError;
use super::layout;
use super::os_disk::OsDisk;
use super::publish::write_staged;

/// How long to wait, and whether to tell easy-rsa.
#[derive(Clone, Copy, Debug)]
pub struct LockPolicy {
    /// How long to wait for other commands.
    pub timeout: Duration,
    /// Whether easy-rsa's `lock.file` is honoured and created.
    pub use_lock_file: bool,
}

impl Default for LockPolicy {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), use_lock_file: true }
    }
}

/// Releases its lock when dropped.
pub(crate) trait Guard {}

/// Waits until nobody else holds the directory.
pub(super) fn acquire<'a>(
    disk: &'a OsDisk,
    handle: &'a OwnedFd,
    policy: &LockPolicy,
) -> Result<Box<dyn Guard + 'a>, StoreError> {
    let deadline = Deadline::after(policy.timeout);
    let kernel_lock = KernelLock::acquire(disk, handle, deadline)?;
    if is_replaced(disk, handle)? {
        return Err(StoreError::Replaced { directory: disk.root().to_path_buf() });
    }
    let lock_file = if policy.use_lock_file { Some(LockFile::acquire(disk, deadline)?) } else { None };
    Ok(Box::new(HeldLock { _lock_file: lock_file, _kernel_lock: kernel_lock }))
}

/// Dropped in this order: easy-rsa may come in before our own next command, never the other way round.
struct HeldLock<'a> {
    _lock_file: Option<LockFile<'a>>,
    _kernel_lock: KernelLock<'a>,
}

impl Guard for HeldLock<'_> {}

struct KernelLock<'a>(&'a OwnedFd);

impl<'a> KernelLock<'a> {
    fn acquire(disk: &OsDisk, handle: &'a OwnedFd, deadline: Deadline) -> Result<Self, StoreError> {
        loop {
            match flock(handle, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(handle)),
                Err(Errno::WOULDBLOCK) if deadline.pause() => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(StoreError::Locked {
                        holder: "another postern command".into(),
                        lock_file: None,
                    });
                }
                Err(Errno::INTR) => {}
                Err(cause) => return Err(StoreError::io("lock", disk.root().to_path_buf(), cause.into())),
            }
        }
    }
}

impl Drop for KernelLock<'_> {
    fn drop(&mut self) {
        // Closing the handle releases the lock as well, so a failure here has no consequence.
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

struct LockFile<'a>(&'a OsDisk);

impl<'a> LockFile<'a> {
    fn acquire(disk: &'a OsDisk, deadline: Deadline) -> Result<Self, StoreError> {
        let path = layout::lock_file();
        let failed = |cause: io::Error| StoreError::io("make", disk.root().join(path.as_str()), cause);
        let content = format!("{} {OUR_MARK}\n", rustix::process::getpid().as_raw_nonzero());
        loop {
            write_staged(disk, &path, FileMode::Private, content.as_bytes())?;
            match disk.rename_new(&path.staged(), &path) {
                Ok(()) => return Ok(Self(disk)),
                Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(failed(cause)),
                Err(_) => disk.remove(&path.staged()).map_err(failed)?,
            }
            let holder = disk.read(&path).map_err(failed)?.map(|content| Holder::parse(&content));
            match holder {
                None => {}
                Some(holder) if !holder.is_alive() => disk.remove(&path).map_err(failed)?,
                Some(_) if deadline.pause() => {}
                Some(holder) => {
                    return Err(StoreError::Locked {
                        holder: holder.describe(),
                        lock_file: Some(disk.root().join(path.as_str())),
                    });
                }
            }
        }
    }
}

impl Drop for LockFile<'_> {
    fn drop(&mut self) {
        // A lock.file that stays behind names a process that is gone, and the next command clears it away.
        let _ = self.0.remove(&layout::lock_file());
    }
}

/// What a lock.file says about its maker.
struct Holder {
    process: Option<Pid>,
    is_ours: bool,
}

impl Holder {
    fn parse(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let digits = text.split(|character: char| !character.is_ascii_digit());
        let process = digits
            .filter(|run| !run.is_empty())
            .find_map(|run| run.parse::<i32>().ok())
            .and_then(Pid::from_raw);
        Self { process, is_ours: text.contains(OUR_MARK) }
    }

    /// One of ours that is alive holds the kernel lock, so a file of ours that meets us under it is left over.
    fn is_alive(&self) -> bool {
        if self.is_ours {
            return false;
        }
        match self.process {
            Some(process) => !matches!(rustix::process::test_kill_process(process), Err(Errno::SRCH)),
            None => true,
        }
    }

    fn describe(&self) -> String {
        match self.process {
            Some(process) => format!("process {} (easy-rsa)", process.as_raw_nonzero()),
            None => "easy-rsa".into(),
        }
    }
}

#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn after(timeout: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(timeout).unwrap_or(now))
    }

    /// Waits a moment; `false` when there is no time left.
    fn pause(self) -> bool {
        let left = self.0.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(RETRY_INTERVAL));
        !left.is_zero()
    }
}

/// Whether the path leads to another directory than the one that is locked.
fn is_replaced(disk: &OsDisk, handle: &OwnedFd) -> Result<bool, StoreError> {
    let failed = |cause: Errno| StoreError::io("look at", PathBuf::from(disk.root()), cause.into());
    let locked = rustix::fs::fstat(handle).map_err(failed)?;
    match rustix::fs::stat(disk.root()) {
        Ok(named) => Ok((named.st_dev, named.st_ino) != (locked.st_dev, locked.st_ino)),
        Err(Errno::NOENT) => Ok(true),
        Err(cause) => Err(failed(cause)),
    }
}

const RETRY_INTERVAL: Duration = Duration::from_millis(5);
const OUR_MARK: &str = "postern";

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(milliseconds: u64) -> LockPolicy {
        LockPolicy { timeout: Duration::from_millis(milliseconds), use_lock_file: true }
    }

    fn open(directory: &tempfile::TempDir) -> OsDisk {
        OsDisk::open(directory.path()).unwrap().unwrap()
    }

    #[test]
    fn pki_05_a_second_writer_waits_and_then_gives_up() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (open(&directory), open(&directory));
        let guard = first.lock(&policy(0)).unwrap();
        let refusal = second.lock(&policy(20)).err().unwrap();
        assert!(matches!(refusal, StoreError::Locked { lock_file: None, .. }));
        drop(guard);
        assert!(second.lock(&policy(0)).is_ok());
    }

    #[test]
    fn pki_05_lock_file_is_there_while_we_hold_the_lock_and_gone_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let disk = open(&directory);
        let guard = disk.lock(&policy(0)).unwrap();
        let content = std::fs::read_to_string(directory.path().join("lock.file")).unwrap();
        assert!(content.starts_with(&std::process::id().to_string()));
        drop(guard);
        assert!(!directory.path().join("lock.file").exists());
    }

    #[test]
    fn pki_05_a_living_easy_rsa_is_honoured_and_a_dead_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let disk = open(&directory);
        let lock_file = directory.path().join("lock.file");
        std::fs::write(&lock_file, format!("{}\n", std::process::id())).unwrap();
        let refusal = disk.lock(&policy(20)).err().unwrap();
        assert!(matches!(refusal, StoreError::Locked { lock_file: Some(_), .. }));
        assert!(lock_file.exists());

        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        std::fs::write(&lock_file, format!("{}\n", dead.id())).unwrap();
        assert!(disk.lock(&policy(0)).is_ok());
    }

    #[test]
    fn pki_05_our_own_left_over_lock_file_is_cleared_even_if_the_number_lives_again() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("lock.file"), "1 postern\n").unwrap();
        assert!(open(&directory).lock(&policy(0)).is_ok());
    }

    #[test]
    fn a_directory_that_was_moved_away_is_not_written_to() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("pki");
        let disk = OsDisk::create(&path).unwrap();
        std::fs::rename(&path, parent.path().join("old")).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(disk.lock(&policy(0)).err(), Some(StoreError::Replaced { .. })));
    }
}
