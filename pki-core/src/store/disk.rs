//! The file operations that the store is made of.
//!
//! The real directory implements them ([`super::os_disk`]), one in memory ([`super::memory_disk`]), and for the tests of
//! this crate a simulated one that loses power at any point of a sequence.

use std::io;
use std::path::Path;

use super::error::StoreError;
use super::lock::{Guard, LockPolicy};
use super::path::PkiPath;

/// Who may read a file, whatever the umask says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileMode {
    /// 0600: keys, requests, the index.
    Private,
    /// 0644: ca.crt and crl.pem, which servers read after dropping their privileges.
    Public,
}

impl FileMode {
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Public => 0o644,
        }
    }

    pub(super) fn from_bits(bits: u32) -> Option<Self> {
        [Self::Private, Self::Public].into_iter().find(|mode| mode.bits() == bits)
    }
}

/// A directory tree. All paths are below [`Disk::root`]; no operation follows a foreign symbolic link.
pub(crate) trait Disk: Send + Sync {
    /// Where the tree lies, for messages.
    fn root(&self) -> &Path;

    fn lock<'a>(&'a self, policy: &LockPolicy) -> Result<Box<dyn Guard + 'a>, StoreError>;

    /// Whether anything bears this name.
    fn exists(&self, path: &PkiPath) -> io::Result<bool>;
    fn mode(&self, path: &PkiPath) -> io::Result<Option<u32>>;
    fn length(&self, path: &PkiPath) -> io::Result<Option<u64>>;
    fn read(&self, path: &PkiPath) -> io::Result<Option<Vec<u8>>>;
    fn read_range(&self, path: &PkiPath, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>>;

    /// Names in a directory (empty: the root) that are UTF-8; none if there is no such directory.
    fn entries(&self, directory: &str) -> io::Result<Vec<String>>;

    fn set_mode(&self, path: &PkiPath, bits: u32) -> io::Result<()>;
    /// Makes a file that must not exist.
    fn create(&self, path: &PkiPath, mode: FileMode, content: &[u8]) -> io::Result<()>;
    /// Makes a file that must not exist: another one with a changed line.
    fn create_revised(
        &self,
        path: &PkiPath,
        mode: FileMode,
        source: &PkiPath,
        change: &LineChange,
    ) -> io::Result<()>;
    /// Makes sure that `length` octets after `offset` will find space.
    fn reserve(&self, path: &PkiPath, offset: u64, length: u64) -> io::Result<()>;
    fn write_at(&self, path: &PkiPath, offset: u64, content: &[u8]) -> io::Result<()>;
    fn truncate(&self, path: &PkiPath, length: u64) -> io::Result<()>;
    /// Puts `from` into the place of `to`, whatever stood there.
    fn rename(&self, from: &PkiPath, to: &PkiPath) -> io::Result<()>;
    /// Removes a file; it is no error if there is none.
    fn remove(&self, path: &PkiPath) -> io::Result<()>;
    /// Makes a directory; it is no error if there is one.
    fn make_directory(&self, path: &PkiPath) -> io::Result<()>;
    /// Removes an empty directory; it is no error if there is none or if it is not empty.
    fn remove_directory_if_empty(&self, path: &PkiPath) -> io::Result<()>;
    /// Returns when the content of a file would survive a power cut.
    fn sync(&self, path: &PkiPath) -> io::Result<()>;
    /// Returns when the entries of a directory (empty: the root) would survive a power cut.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;

    fn sync_one(&self, target: &Unsynced) -> io::Result<()> {
        match target {
            Unsynced::Content(path) => self.sync(path),
            Unsynced::Entries(directory) => self.sync_directory(directory),
        }
    }

    /// Returns when all of this would survive a power cut; names the first thing that would not.
    fn sync_all<'a>(&self, targets: &'a [Unsynced]) -> Result<(), (&'a Unsynced, io::Error)> {
        targets.iter().try_for_each(|target| self.sync_one(target).map_err(|cause| (target, cause)))
    }
}

/// A line of a file that becomes another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineChange {
    /// Where the line begins.
    pub(super) offset: u64,
    pub(super) old: String,
    pub(super) new: String,
}

/// Something that a power cut could still take back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unsynced {
    /// The content of a file.
    Content(PkiPath),
    /// The entries of a directory (empty: the root).
    Entries(String),
}

impl Unsynced {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Content(path) => path.as_str(),
            Self::Entries(directory) => directory,
        }
    }
}
