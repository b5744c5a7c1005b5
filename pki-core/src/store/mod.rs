//! The PKI directory on disk: where things lie, how they are read, and how they change without ever being half done.
//!
//! Every change is a [`ChangeSet`] committed under the lock by [`transaction`]; nothing else writes. What a change
//! consists of is decided in `ca`; this module knows files, not certificates.

mod disk;
mod error;
pub(crate) mod index_txt;
mod journal;
pub(crate) mod layout;
mod lock;
mod memory_disk;
mod os_disk;
pub(crate) mod path;
mod publish;
mod revise;
mod search;
#[cfg(test)]
mod simulated_disk;
mod transaction;
mod waiting;

use std::path::{Path, PathBuf};

pub use error::StoreError;
pub use lock::LockPolicy;

use crate::serial::Serial;
pub(crate) use disk::{Disk, FileMode};
use index_txt::Row;
pub(crate) use memory_disk::MemoryDisk;
pub(crate) use os_disk::OsDisk;
pub(crate) use path::PkiPath;
pub(crate) use search::FoundLine;
use search::find_line;
pub(crate) use transaction::ChangeSet;

/// An open PKI directory.
pub(crate) struct Store {
    disk: Box<dyn Disk>,
}

/// The directory while nobody else may change it, every earlier change being complete.
pub(crate) struct LockedStore<'a> {
    store: &'a Store,
    _guard: Box<dyn lock::Guard + 'a>,
}

impl Store {
    pub(crate) fn new(disk: impl Disk + 'static) -> Self {
        Self { disk: Box::new(disk) }
    }

    /// The full path, for messages.
    pub(crate) fn full_path(&self, path: &PkiPath) -> PathBuf {
        self.disk.root().join(path.as_str())
    }

    pub(crate) fn root(&self) -> &Path {
        self.disk.root()
    }

    /// Whether anything, be it a dangling link, bears this name.
    pub(crate) fn exists(&self, path: &PkiPath) -> Result<bool, StoreError> {
        self.disk.exists(path).map_err(|cause| self.failure("look at", path, cause))
    }

    /// The content of a file; `None` if there is none.
    pub(crate) fn read(&self, path: &PkiPath) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.read(path).map_err(|cause| self.failure("read", path, cause))
    }

    /// At most `length` octets from `offset` on; `None` if there is no such file.
    pub(crate) fn read_range(
        &self,
        path: &PkiPath,
        offset: u64,
        length: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.read_range(path, offset, length).map_err(|cause| self.failure("read", path, cause))
    }

    /// The last octets of a file, at most `length` of them; `None` if there is no such file.
    pub(crate) fn read_end(&self, path: &PkiPath, length: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let failed = |cause| self.failure("read", path, cause);
        let Some(begin) = self.beginning_of_end(path, length)? else {
            return Ok(None);
        };
        self.disk.read_range(path, begin, length).map_err(failed)
    }

    /// The row of a certificate in index.txt. What is looked for was often issued lately, so the end is searched first.
    pub(crate) fn index_row(&self, serial: &Serial) -> Result<Option<FoundLine>, StoreError> {
        let path = layout::index();
        let failed = |cause| self.failure("read", &path, cause);
        let Some(recent) = self.beginning_of_end(&path, RECENT_ROWS)? else {
            return Ok(None);
        };
        let needle = format!("\t{serial}\t");
        let is_row = |line: &[u8]| Row::parse(line).is_some_and(|row| row.has_serial(serial));
        let search =
            |begin| find_line(self.disk.as_ref(), &path, begin, needle.as_bytes(), is_row).map_err(failed);
        if let Some(line) = search(recent)? {
            return Ok(Some(line));
        }
        if recent > 0
            && let Some(line) = search(0)?
        {
            return Ok(Some(line));
        }
        // Nobody but a human writes a number otherwise than OpenSSL does.
        find_line(self.disk.as_ref(), &path, 0, b"\t", is_row).map_err(failed)
    }

    fn beginning_of_end(&self, path: &PkiPath, length: usize) -> Result<Option<u64>, StoreError> {
        let whole = self.disk.length(path).map_err(|cause| self.failure("look at", path, cause))?;
        Ok(whole.map(|whole| whole.saturating_sub(publish::octets(length))))
    }

    /// Permission bits of a file; `None` if there is none.
    pub(crate) fn mode(&self, path: &PkiPath) -> Result<Option<u32>, StoreError> {
        self.disk.mode(path).map_err(|cause| self.failure("look at", path, cause))
    }

    /// Names in a directory (empty: the PKI directory), sorted; none if there is no such directory.
    pub(crate) fn entries(&self, directory: &str) -> Result<Vec<String>, StoreError> {
        let failed = |cause| StoreError::io("list", self.disk.root().join(directory), cause);
        let mut names = self.disk.entries(directory).map_err(failed)?;
        names.sort_unstable();
        Ok(names)
    }

    /// Waits for the lock and completes or undoes what an interrupted command left.
    pub(crate) fn lock(&self, policy: &LockPolicy) -> Result<LockedStore<'_>, StoreError> {
        let guard = self.disk.lock(policy)?;
        publish::recover(self.disk.as_ref())?;
        Ok(LockedStore { store: self, _guard: guard })
    }

    /// Completes or undoes what an interrupted command left, if there is anything and if it is possible.
    pub(crate) fn recover_if_needed(&self, policy: &LockPolicy) -> Result<(), StoreError> {
        if !self.exists(&layout::journal())? {
            return Ok(());
        }
        self.lock(policy).map(drop)
    }

    fn failure(&self, operation: &'static str, path: &PkiPath, cause: std::io::Error) -> StoreError {
        StoreError::io(operation, self.full_path(path), cause)
    }
}

impl LockedStore<'_> {
    /// Makes all changes or none of them, durably.
    pub(crate) fn commit(&self, changes: ChangeSet) -> Result<(), StoreError> {
        transaction::commit(self.store.disk.as_ref(), changes)
    }

    /// Gives a file or directory other permission bits.
    pub(crate) fn set_mode(&self, path: &PkiPath, bits: u32) -> Result<(), StoreError> {
        let failed = |cause| self.store.failure("change the mode of", path, cause);
        self.store.disk.set_mode(path, bits).map_err(failed)
    }

    /// Removes a directory and the files in it; deeper ones make it fail.
    pub(crate) fn remove_directory(&self, path: &PkiPath) -> Result<(), StoreError> {
        let failed = |cause| self.store.failure("remove", path, cause);
        for name in self.store.entries(path.as_str())? {
            self.store.disk.remove(&PkiPath::within(path.as_str(), "/", &name)).map_err(failed)?;
        }
        self.store.disk.remove_directory_if_empty(path).map_err(failed)
    }
}

impl std::ops::Deref for LockedStore<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store
    }
}

/// Octets at the end of index.txt that are looked at first.
const RECENT_ROWS: usize = 32 << 10;
