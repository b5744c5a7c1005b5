//! A PKI directory that exists in memory only: for tests of programs that embed this crate, and for authorities that live
//! as long as a process.
//!
//! The same transactions run on it as on a real directory. Nothing has to be waited for, because nothing survives.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

use super::disk::{Disk, FileMode, LineChange};
use super::error::StoreError;
use super::lock::{Guard, LockPolicy};
use super::path::PkiPath;

/// An empty tree.
#[derive(Default)]
pub(crate) struct MemoryDisk {
    nodes: Mutex<BTreeMap<String, Node>>,
    is_locked: Mutex<bool>,
    released: Condvar,
}

enum Node {
    Directory,
    File { content: Vec<u8>, mode: u32 },
}

/// Keys lie in some of them.
impl Drop for Node {
    fn drop(&mut self) {
        if let Self::File { content, .. } = self {
            content.zeroize();
        }
    }
}

impl MemoryDisk {
    /// A panic of another thread in the middle of a change leaves what a crash leaves: the journal makes it good.
    fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file<T>(&self, path: &PkiPath, look: impl FnOnce(&[u8], u32) -> T) -> Option<T> {
        match self.nodes().get(path.as_str()) {
            Some(Node::File { content, mode }) => Some(look(content, *mode)),
            Some(Node::Directory) | None => None,
        }
    }

    fn change<T>(&self, path: &PkiPath, change: impl FnOnce(&mut Vec<u8>, &mut u32) -> T) -> io::Result<T> {
        match self.nodes().get_mut(path.as_str()) {
            Some(Node::File { content, mode }) => Ok(change(content, mode)),
            Some(Node::Directory) | None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn add(&self, path: &PkiPath, node: Node) -> io::Result<()> {
        let mut nodes = self.nodes();
        let (directory, _) = path.split();
        if !directory.is_empty() && !matches!(nodes.get(directory), Some(Node::Directory)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if nodes.contains_key(path.as_str()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        nodes.insert(path.as_str().to_owned(), node);
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn root(&self) -> &Path {
        Path::new("(memory)")
    }

    fn lock<'a>(&'a self, policy: &LockPolicy) -> Result<Box<dyn Guard + 'a>, StoreError> {
        let is_locked = self.is_locked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.released.wait_timeout_while(is_locked, policy.timeout, |is_locked| *is_locked);
        let (mut is_locked, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *is_locked {
            return Err(StoreError::Locked { holder: "another thread".into(), lock_file: None });
        }
        *is_locked = true;
        Ok(Box::new(Held(self)))
    }

    fn exists(&self, path: &PkiPath) -> io::Result<bool> {
        Ok(self.nodes().contains_key(path.as_str()))
    }

    fn mode(&self, path: &PkiPath) -> io::Result<Option<u32>> {
        Ok(match self.nodes().get(path.as_str()) {
            Some(Node::File { mode, .. }) => Some(*mode),
            Some(Node::Directory) => Some(0o700),
            None => None,
        })
    }

    fn length(&self, path: &PkiPath) -> io::Result<Option<u64>> {
        Ok(self.file(path, |content, _| u64::try_from(content.len()).unwrap_or(u64::MAX)))
    }

    fn read(&self, path: &PkiPath) -> io::Result<Option<Vec<u8>>> {
        Ok(self.file(path, |content, _| content.to_vec()))
    }

    fn read_range(&self, path: &PkiPath, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        Ok(self.file(path, |content, _| {
            let begin = position(offset).min(content.len());
            content[begin..begin.saturating_add(length).min(content.len())].to_vec()
        }))
    }

    fn entries(&self, directory: &str) -> io::Result<Vec<String>> {
        let nodes = self.nodes();
        let parts = nodes.keys().map(|path| path.rsplit_once('/').unwrap_or(("", path)));
        Ok(parts.filter(|(parent, _)| *parent == directory).map(|(_, name)| name.to_owned()).collect())
    }

    fn set_mode(&self, path: &PkiPath, bits: u32) -> io::Result<()> {
        self.change(path, |_, mode| *mode = bits)
    }

    fn create(&self, path: &PkiPath, mode: FileMode, content: &[u8]) -> io::Result<()> {
        self.add(path, Node::File { content: content.to_vec(), mode: mode.bits() })
    }

    fn create_revised(
        &self,
        path: &PkiPath,
        mode: FileMode,
        source: &PkiPath,
        change: &LineChange,
    ) -> io::Result<()> {
        let content = self.read(source)?.ok_or(io::ErrorKind::NotFound)?;
        let parts = content.split_at_checked(position(change.offset));
        let (before, rest) = parts.ok_or(io::ErrorKind::NotFound)?;
        let after = rest.strip_prefix(change.old.as_bytes()).ok_or(io::ErrorKind::NotFound)?;
        self.create(path, mode, &[before, change.new.as_bytes(), after].concat())
    }

    fn reserve(&self, path: &PkiPath, _: u64, _: u64) -> io::Result<()> {
        self.change(path, |_, _| ())
    }

    fn write_at(&self, path: &PkiPath, offset: u64, written: &[u8]) -> io::Result<()> {
        self.change(path, |content, _| {
            let begin = position(offset);
            let end = begin + written.len();
            content.resize(content.len().max(end), 0);
            content[begin..end].copy_from_slice(written);
        })
    }

    fn truncate(&self, path: &PkiPath, length: u64) -> io::Result<()> {
        self.change(path, |content, _| content.resize(position(length), 0))
    }

    fn rename(&self, from: &PkiPath, to: &PkiPath) -> io::Result<()> {
        let mut nodes = self.nodes();
        let node = nodes.remove(from.as_str()).ok_or(io::ErrorKind::NotFound)?;
        nodes.insert(to.as_str().to_owned(), node);
        Ok(())
    }

    fn remove(&self, path: &PkiPath) -> io::Result<()> {
        self.nodes().remove(path.as_str());
        Ok(())
    }

    fn make_directory(&self, path: &PkiPath) -> io::Result<()> {
        match self.add(path, Node::Directory) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome,
        }
    }

    fn remove_directory_if_empty(&self, path: &PkiPath) -> io::Result<()> {
        if self.entries(path.as_str())?.is_empty() {
            self.nodes().remove(path.as_str());
        }
        Ok(())
    }

    fn sync(&self, _: &PkiPath) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

struct Held<'a>(&'a MemoryDisk);

impl Guard for Held<'_> {}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.0.is_locked.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.released.notify_one();
    }
}

/// A place in a file as a place in memory; nothing in memory is that long otherwise.
fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ChangeSet;
    use super::super::transaction::commit;
    use super::*;

    fn path(text: &str) -> PkiPath {
        PkiPath::parse(text).unwrap()
    }

    #[test]
    fn a_transaction_changes_it_as_it_changes_a_directory() {
        let disk = MemoryDisk::default();
        let mut changes = ChangeSet::default();
        changes.directory(path("issued"));
        changes.replace(path("index.txt"), FileMode::Private, "first\nold\n");
        changes.create(path("issued/a.crt"), FileMode::Public, "certificate");
        commit(&disk, changes).unwrap();
        let mut changes = ChangeSet::default();
        changes.revise_line(path("index.txt"), 0, "old".into(), "newer".into());
        commit(&disk, changes).unwrap();
        let mut changes = ChangeSet::default();
        changes.append_line(path("index.txt"), "last".into());
        changes.move_file(path("issued/a.crt"), path("issued/b.crt"));
        assert!(commit(&disk, changes).is_ok());
        assert_eq!(disk.read(&path("index.txt")).unwrap().unwrap(), b"first\nnewer\nlast\n");
        assert_eq!(disk.entries("issued").unwrap(), ["b.crt"]);
        assert_eq!(disk.mode(&path("issued/b.crt")).unwrap(), Some(0o644));
        assert_eq!(disk.entries("").unwrap(), ["index.txt", "issued"], "no journal, nothing staged");
    }

    #[test]
    fn pki_05_one_thread_at_a_time_changes_it() {
        let disk = MemoryDisk::default();
        let impatient = LockPolicy { timeout: Duration::ZERO, ..LockPolicy::default() };
        let guard = disk.lock(&impatient).unwrap();
        assert!(matches!(disk.lock(&impatient).err(), Some(StoreError::Locked { .. })));
        drop(guard);
        assert!(disk.lock(&impatient).is_ok());
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        let disk = MemoryDisk::default();
        assert_eq!(disk.read(&path("a")).unwrap(), None);
        assert!(disk.create(&path("missing/a"), FileMode::Private, b"").is_err());
        assert!(disk.write_at(&path("a"), 0, b"x").is_err());
        assert!(disk.rename(&path("a"), &path("b")).is_err());
    }
}
