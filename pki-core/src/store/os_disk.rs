//! The real directory: every file is opened from the directory's handle, never by a path from the root.
//!
//! A symbolic link is followed for reading only, and only if it belongs to root or to us: easy-rsa users keep
//! `private/` or `ca.key` on another medium that way, while a link planted by somebody else leads nowhere.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Dir, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::disk::{Disk, FileMode, LineChange, Unsynced};
use super::error::StoreError;
use super::lock::{self, Guard, LockPolicy};
use super::path::PkiPath;
use super::waiting::{Wait, Waiters};

/// An open directory.
pub(crate) struct OsDisk {
    root: PathBuf,
    handle: OwnedFd,
    waiters: Mutex<Waiters>,
}

impl OsDisk {
    /// Opens the directory; `None` if there is none.
    pub(crate) fn open(root: &Path) -> Result<Option<Self>, StoreError> {
        match rustix::fs::open(root, DIRECTORY, Mode::empty()) {
            Ok(handle) => Ok(Some(Self { root: root.to_path_buf(), handle, waiters: Mutex::default() })),
            Err(Errno::NOENT) => Ok(None),
            Err(cause) => Err(StoreError::io("open", root.to_path_buf(), cause.into())),
        }
    }

    /// Makes the directory with mode 0700 and opens it; an existing one is opened as it is.
    pub(crate) fn create(root: &Path) -> Result<Self, StoreError> {
        let failed = |cause: Errno| StoreError::io("make", root.to_path_buf(), cause.into());
        match rustix::fs::mkdir(root, DIRECTORY_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(cause) => return Err(failed(cause)),
        }
        Self::open(root)?.ok_or_else(|| failed(Errno::NOENT))
    }

    /// Whether the directory holds nothing at all.
    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        let listing = Dir::read_from(&self.handle).and_then(|mut entries| {
            entries.try_fold(true, |is_empty, entry| {
                let entry = entry?;
                let is_self = matches!(entry.file_name().to_bytes(), b"." | b"..");
                Ok(is_empty && is_self)
            })
        });
        listing.map_err(|cause| StoreError::io("list", self.root.clone(), cause.into()))
    }

    /// Gives a file its name, which must be free. On the few file systems that cannot do this in one step, the name is
    /// looked at first; the kernel lock keeps our own commands apart.
    pub(super) fn rename_new(&self, from: &PkiPath, to: &PkiPath) -> io::Result<()> {
        let in_one_step = self.beside(from, |from_directory, from_name| {
            let (to_directory, to_name) = to.split();
            let to_directory = self.open_directory(to_directory)?;
            rustix::fs::renameat_with(
                from_directory,
                from_name,
                &to_directory,
                to_name,
                RenameFlags::NOREPLACE,
            )
        });
        match in_one_step {
            Err(cause) if Errno::from_io_error(&cause) == Some(Errno::INVAL) => {
                if self.exists(to)? {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                self.rename(from, to)
            }
            outcome => outcome,
        }
    }

    /// Runs `operate` with the handle of the directory that holds `path`, and its last component.
    fn beside<T>(
        &self,
        path: &PkiPath,
        operate: impl FnOnce(&OwnedFd, &str) -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        let (directory, name) = path.split();
        if directory.is_empty() {
            return Ok(operate(&self.handle, name)?);
        }
        Ok(operate(&self.open_directory(directory)?, name)?)
    }

    fn open_directory(&self, directory: &str) -> rustix::io::Result<OwnedFd> {
        let mut current: Option<OwnedFd> = None;
        for component in directory.split('/').filter(|component| !component.is_empty()) {
            let parent = current.as_ref().unwrap_or(&self.handle);
            current = Some(open_trusted(parent, component, DIRECTORY)?);
        }
        match current {
            Some(handle) => Ok(handle),
            None => rustix::fs::openat(&self.handle, ".", DIRECTORY, Mode::empty()),
        }
    }

    /// A file for reading; `None` if it, or its directory, is not there.
    fn open_existing(&self, path: &PkiPath) -> io::Result<Option<File>> {
        let opened = self.beside(path, |directory, name| open_trusted(directory, name, READ));
        match opened {
            Ok(handle) => Ok(Some(File::from(handle))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// Makes a file that must not exist, with what `write` puts into it.
    fn create_with(
        &self,
        path: &PkiPath,
        mode: FileMode,
        write: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let owner_only = Mode::from_bits_truncate(FileMode::Private.bits());
        let handle =
            self.beside(path, |directory, name| rustix::fs::openat(directory, name, flags, owner_only))?;
        let written = rustix::fs::fchmod(&handle, Mode::from_bits_truncate(mode.bits()))
            .map_err(io::Error::from)
            .and_then(|()| write(&File::from(handle)));
        if written.is_err() {
            // The failure to write is what matters; what could not be removed is removed by the undoing or recovery.
            let _ = self.remove(path);
        }
        written
    }

    fn open_unsynced(&self, target: &Unsynced) -> io::Result<Wait> {
        Ok(match target {
            Unsynced::Content(path) => Wait::Content(self.open_for_writing(path)?.into()),
            Unsynced::Entries(directory) => Wait::Entries(self.open_directory(directory)?),
        })
    }

    fn open_for_writing(&self, path: &PkiPath) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.beside(path, |directory, name| rustix::fs::openat(directory, name, flags, Mode::empty()))
            .map(File::from)
    }
}

impl Disk for OsDisk {
    fn root(&self) -> &Path {
        &self.root
    }

    fn lock<'a>(&'a self, policy: &LockPolicy) -> Result<Box<dyn Guard + 'a>, StoreError> {
        lock::acquire(self, &self.handle, policy)
    }

    fn exists(&self, path: &PkiPath) -> io::Result<bool> {
        let found = self
            .beside(path, |directory, name| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW));
        match found {
            Ok(_) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    fn mode(&self, path: &PkiPath) -> io::Result<Option<u32>> {
        use std::os::unix::fs::PermissionsExt;

        let Some(file) = self.open_existing(path)? else {
            return Ok(None);
        };
        Ok(Some(file.metadata()?.permissions().mode() & 0o7777))
    }

    fn length(&self, path: &PkiPath) -> io::Result<Option<u64>> {
        self.open_existing(path)?.map(|file| Ok(file.metadata()?.len())).transpose()
    }

    fn read(&self, path: &PkiPath) -> io::Result<Option<Vec<u8>>> {
        let Some(mut file) = self.open_existing(path)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(Some(content))
    }

    fn read_range(&self, path: &PkiPath, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open_existing(path)? else {
            return Ok(None);
        };
        let mut content = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let position = offset + u64::try_from(filled).unwrap_or(u64::MAX);
            match file.read_at(&mut content[filled..], position)? {
                0 => break,
                count => filled += count,
            }
        }
        content.truncate(filled);
        Ok(Some(content))
    }

    fn entries(&self, directory: &str) -> io::Result<Vec<String>> {
        let handle = match self.open_directory(directory) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(cause) => return Err(cause.into()),
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(&handle)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn set_mode(&self, path: &PkiPath, bits: u32) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle =
            self.beside(path, |directory, name| rustix::fs::openat(directory, name, flags, Mode::empty()))?;
        Ok(rustix::fs::fchmod(&handle, Mode::from_bits_truncate(bits))?)
    }

    fn create(&self, path: &PkiPath, mode: FileMode, content: &[u8]) -> io::Result<()> {
        self.create_with(path, mode, |mut file| file.write_all(content))
    }

    fn create_revised(
        &self,
        path: &PkiPath,
        mode: FileMode,
        source: &PkiPath,
        change: &LineChange,
    ) -> io::Result<()> {
        let source = self.open_existing(source)?.ok_or(io::ErrorKind::NotFound)?;
        self.create_with(path, mode, |file| copy_revised(&source, file, change))
    }

    fn reserve(&self, path: &PkiPath, offset: u64, length: u64) -> io::Result<()> {
        let file = self.open_for_writing(path)?;
        match rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, offset, length) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    fn write_at(&self, path: &PkiPath, offset: u64, content: &[u8]) -> io::Result<()> {
        self.open_for_writing(path)?.write_all_at(content, offset)
    }

    fn truncate(&self, path: &PkiPath, length: u64) -> io::Result<()> {
        self.open_for_writing(path)?.set_len(length)
    }

    fn rename(&self, from: &PkiPath, to: &PkiPath) -> io::Result<()> {
        self.beside(from, |from_directory, from_name| {
            let (to_directory, to_name) = to.split();
            let to_directory = self.open_directory(to_directory)?;
            rustix::fs::renameat(from_directory, from_name, &to_directory, to_name)
        })
    }

    fn remove(&self, path: &PkiPath) -> io::Result<()> {
        let removed =
            self.beside(path, |directory, name| rustix::fs::unlinkat(directory, name, AtFlags::empty()));
        match removed {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    fn make_directory(&self, path: &PkiPath) -> io::Result<()> {
        self.beside(path, |directory, name| match rustix::fs::mkdirat(directory, name, DIRECTORY_MODE) {
            Err(Errno::EXIST) => open_trusted(directory, name, DIRECTORY).map(drop),
            outcome => outcome,
        })
    }

    fn remove_directory_if_empty(&self, path: &PkiPath) -> io::Result<()> {
        let removed =
            self.beside(path, |directory, name| rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR));
        match removed.map_err(|cause| (cause.kind(), cause)) {
            Ok(()) | Err((io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty, _)) => Ok(()),
            Err((_, cause)) => Err(cause),
        }
    }

    fn sync(&self, path: &PkiPath) -> io::Result<()> {
        let handle = self.open_for_writing(path)?;
        Ok(rustix::fs::fdatasync(&handle)?)
    }

    fn sync_all<'a>(&self, targets: &'a [Unsynced]) -> Result<(), (&'a Unsynced, io::Error)> {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        for targets in targets.chunks(OPEN_AT_ONCE) {
            let open = |target| self.open_unsynced(target).map_err(|cause| (target, cause));
            let waits = targets.iter().map(open).collect::<Result<Vec<Wait>, _>>()?;
            waiters.finish_all(waits).map_err(|(number, cause)| (&targets[number], cause))?;
        }
        Ok(())
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        if directory.is_empty() {
            return Ok(rustix::fs::fsync(&self.handle)?);
        }
        let handle = self.open_directory(directory)?;
        Ok(rustix::fs::fsync(&handle)?)
    }
}

/// The kernel copies what stays: nothing of it passes through this process, and where the file system can, both files
/// share it.
fn copy_revised(source: &File, mut target: &File, change: &LineChange) -> io::Result<()> {
    let LineChange { offset, old, new } = change;
    let mut found = vec![0; old.len()];
    source.read_exact_at(&mut found, *offset)?;
    if found != old.as_bytes() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut source = source;
    io::copy(&mut source.take(*offset), &mut target)?;
    target.write_all(new.as_bytes())?;
    source.seek_relative(i64::try_from(old.len()).map_err(io::Error::other)?)?;
    io::copy(&mut source, &mut target).map(drop)
}

/// Opens without following a link, unless the link belongs to root or to us.
fn open_trusted(directory: &OwnedFd, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    match rustix::fs::openat(directory, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::LOOP | Errno::NOTDIR) if is_own_link(directory, name)? => {
            rustix::fs::openat(directory, name, flags, Mode::empty())
        }
        outcome => outcome,
    }
}

fn is_own_link(directory: impl AsFd, name: &str) -> rustix::io::Result<bool> {
    let status = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_link = rustix::fs::FileType::from_raw_mode(status.st_mode).is_symlink();
    let owner = status.st_uid;
    Ok(is_link && (owner == 0 || owner == rustix::process::geteuid().as_raw()))
}

/// Files that are waited for at once; a process may not open very many.
const OPEN_AT_ONCE: usize = 128;
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);
const DIRECTORY_MODE: Mode = Mode::RWXU;
