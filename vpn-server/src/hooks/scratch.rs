//! Files that a program reads or writes during one run, and that nobody else can.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::random;

/// A directory that only the server's user can enter.
#[derive(Clone, Debug)]
pub struct ScratchDirectory(Arc<PathBuf>);

/// One file in it, removed when dropped.
#[derive(Debug)]
pub(super) struct ScratchFile(PathBuf);

/// The most that is read of what a program wrote.
const MOST: u64 = 64 * 1024;

impl ScratchDirectory {
    /// The directory `hooks` below `parent`, empty: files of a server that was killed are removed.
    ///
    /// # Errors
    ///
    /// [`io::Error`] when it cannot be made or emptied.
    pub fn open(parent: &Path) -> io::Result<Self> {
        let path = parent.join("hooks");
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(Arc::new(path)))
    }

    /// A new file with this content.
    pub(super) fn file(&self, kind: &str, content: &[u8]) -> io::Result<ScratchFile> {
        let number = u64::from_be_bytes(random::bytes()?);
        let path = self.0.join(format!("{kind}-{number:016x}"));
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        let scratch = ScratchFile(path);
        file.write_all(content)?;
        Ok(scratch)
    }
}

impl ScratchFile {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What stands in the file; nothing if it is gone, not text, or far too large.
    pub(super) fn text(&self) -> String {
        let length = fs::metadata(&self.0).map_or(0, |metadata| metadata.len());
        if length > MOST { String::new() } else { fs::read_to_string(&self.0).unwrap_or_default() }
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        // Whoever removed it before us did what we want.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_gone_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let directory = ScratchDirectory::open(parent.path()).unwrap();
        let file = directory.file("login", b"alice\nsecret\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&parent.path().join("hooks")), mode(file.path())), (0o700, 0o600));
        assert_eq!(file.text(), "alice\nsecret\n");
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_server_left_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("hooks")).unwrap();
        fs::write(parent.path().join("hooks/login-1"), "secret").unwrap();
        ScratchDirectory::open(parent.path()).unwrap();
        assert_eq!(fs::read_dir(parent.path().join("hooks")).unwrap().count(), 0);
    }

    #[test]
    fn acl_08_a_program_that_writes_too_much_wrote_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let directory = ScratchDirectory::open(parent.path()).unwrap();
        let written = |length: u64| {
            let content = vec![b'x'; usize::try_from(length).unwrap()];
            directory.file("config", &content).unwrap().text().len()
        };
        assert_eq!(written(MOST), usize::try_from(MOST).unwrap());
        assert_eq!(written(MOST + 1), 0);
    }
}
