//! Gives files to the user that a server is about to become, so that it can go on writing them.
//!
//! This is done by root in directories that another user could write before: nothing is followed, and what has a second
//! name elsewhere is left alone.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fchown, fstat, open, openat,
};
use tracing::warn;

use super::error::StartError;
use crate::config::Config;

/// Who files are given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The number of the user.
    pub(super) user: u32,
    /// The number of the group.
    pub(super) group: u32,
}

/// Entries of a state directory that are written while the server runs.
const WRITTEN_LATER: [&str; 5] =
    ["addresses", "crl-in-force.pem", "forwarding.json", "hooks", "one-time.json"];
/// Entries that a reload reads again.
const READ_AGAIN: &str = "inline";

/// Gives `owner` everything that a server with this configuration writes while it runs.
///
/// # Errors
///
/// [`StartError::Belongings`] with the file.
pub(super) fn give(config: &Config, state_directory: &Path, owner: Owner) -> Result<(), StartError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StartError::Belongings { path, source }
    };
    owner.move_into(state_directory).map_err(failed(state_directory))?;
    let status = config.status.as_ref().map(|status| &status.path);
    let files = [status, config.inside.address_file.as_ref(), config.connection_log.as_ref()];
    files.into_iter().flatten().try_for_each(|path| owner.receive_or_make(path).map_err(failed(path)))
}

/// Says which files a reload will not be able to read: they stay as they are until a restart.
pub(super) fn remark_on_what_is_out_of_reach(config: &Config) {
    let unreadable = |path: &PathBuf| std::fs::File::open(path).is_err_and(|error| is_denied(&error));
    for path in files_of_a_reload(config).into_iter().filter(unreadable) {
        warn!(
            path = %path.display(),
            "a reload cannot read this file any more: what was read at the start stays until a restart"
        );
    }
}

fn files_of_a_reload(config: &Config) -> Vec<PathBuf> {
    let wrapping = &config.wrapping;
    let tls_auth = wrapping.tls_auth.as_ref().map(|file| &file.path);
    let others = [
        tls_auth,
        wrapping.tls_crypt.as_ref(),
        wrapping.tls_crypt_v2.as_ref(),
        config.passphrase_file.as_ref(),
    ];
    let mut files = config.credentials.files();
    files.extend(others.into_iter().flatten().cloned());
    files
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

impl Owner {
    /// Lets this owner write its files in a state directory, and nobody else's: those that root wrote stay root's.
    pub(super) fn move_into(self, state_directory: &Path) -> io::Result<()> {
        let inline = state_directory.join(READ_AGAIN);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&inline)?;
        self.may_read_in(&inline)?;
        for name in WRITTEN_LATER {
            self.receive(&state_directory.join(name))?;
        }
        let directory = open(state_directory, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        self.share(&directory, Mode::SVTX | Mode::RWXU | Mode::RWXG)
    }

    /// Makes the file at `path` this owner's; one that is missing is made.
    pub(super) fn receive_or_make(self, path: &Path) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match open(path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(_) | Err(rustix::io::Errno::EXIST) => self.receive(path),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes what is at `path` this owner's: a directory or a file with one name. Other things are left alone.
    fn receive(self, path: &Path) -> io::Result<()> {
        let found = match open(path, OFlags::PATH | NOT_FOLLOWED, Mode::empty()) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let status = fstat(&found)?;
        let kind = FileType::from_raw_mode(status.st_mode);
        if !(kind.is_dir() || kind.is_file() && status.st_nlink == 1) {
            return Ok(());
        }
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        Ok(chownat(&found, "", Some(user), Some(group), AtFlags::EMPTY_PATH)?)
    }

    fn may_read_in(self, directory: &Path) -> io::Result<()> {
        let directory = open(directory, NOT_FOLLOWED | OFlags::DIRECTORY, Mode::empty())?;
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                let file = openat(&directory, entry.file_name(), NOT_FOLLOWED, Mode::empty())?;
                self.share(&file, Mode::RUSR | Mode::WUSR | Mode::RGRP)?;
            }
        }
        self.share(&directory, Mode::RWXU | Mode::RGRP | Mode::XGRP)
    }

    fn share(self, file: &OwnedFd, mode: Mode) -> io::Result<()> {
        fchown(file, None, Some(Gid::from_raw(self.group)))?;
        Ok(fchmod(file, mode)?)
    }
}

const NOT_FOLLOWED: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    const NOBODY: Owner = Owner { user: 65534, group: 65534 };

    #[test]
    fn ops_04_a_state_directory_is_shared_and_only_what_is_written_later_changes_hands() {
        if !is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["lock", "endpoint-id", "addresses"] {
            fs::write(path(name), "x").unwrap();
        }
        fs::create_dir(path("inline")).unwrap();
        fs::write(path("inline/key.pem"), "k").unwrap();
        NOBODY.move_into(directory.path()).unwrap();
        let owned = |name: &str| fs::symlink_metadata(path(name)).unwrap().uid();
        assert_eq!(
            [owned("lock"), owned("endpoint-id"), owned("inline"), owned("addresses")],
            [0, 0, 0, 65534]
        );
        let mode = |name: &str| fs::metadata(path(name)).unwrap().mode() & 0o7777;
        assert_eq!([mode(""), mode("inline"), mode("inline/key.pem")], [0o1770, 0o750, 0o640]);
        assert_eq!(fs::metadata(directory.path()).unwrap().gid(), 65534);
    }

    #[test]
    fn ops_04_links_that_were_planted_are_not_followed() {
        if !is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("shadow"), "secret").unwrap();
        symlink(path("shadow"), path("addresses")).unwrap();
        fs::hard_link(path("shadow"), path("forwarding.json")).unwrap();
        NOBODY.move_into(directory.path()).unwrap();
        NOBODY.receive_or_make(&path("addresses")).unwrap();
        assert_eq!(fs::metadata(path("shadow")).unwrap().uid(), 0);
        symlink("/etc", path("else")).unwrap();
        fs::remove_dir_all(path("inline")).unwrap();
        symlink(path("else"), path("inline")).unwrap();
        assert!(NOBODY.move_into(directory.path()).is_err());
    }

    #[test]
    fn ops_04_a_file_that_is_missing_is_made() {
        if !is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status.log");
        NOBODY.receive_or_make(&path).unwrap();
        let made = fs::metadata(&path).unwrap();
        assert_eq!((made.uid(), made.mode() & 0o777), (65534, 0o600));
        assert!(NOBODY.receive_or_make(Path::new("/proc/nonexistent/x")).is_err());
    }

    fn is_root() -> bool {
        let is_root = rustix::process::geteuid().is_root();
        if !is_root {
            eprintln!("skipped: only root can give files away");
        }
        is_root
    }
}
