//! Why the directory cannot be read, locked or changed.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::error::{ErrorKind, Explain};

/// Why the directory cannot be read, locked or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused; nothing was changed.
    #[error("cannot {operation} {}: {source}", .path.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The change is recorded durably, but not all files show it yet.
    #[error("the change is recorded but not finished: cannot {operation} {}: {source}", .path.display())]
    Unfinished {
        /// What was attempted.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another command holds the PKI for longer than we may wait.
    #[error("the PKI is locked by {holder}")]
    Locked {
        /// Who holds it, as far as that is known.
        holder: String,
        /// The lock file that stands in the way, if it is one.
        lock_file: Option<PathBuf>,
    },
    /// The directory was moved away or replaced while we waited for it.
    #[error("{} was replaced while waiting for its lock", .directory.display())]
    Replaced {
        /// The directory.
        directory: PathBuf,
    },
    /// The record of an interrupted command is not one that this program wrote.
    #[error("{} is not a journal of this program", .journal.display())]
    ForeignJournal {
        /// The file.
        journal: PathBuf,
    },
}

impl StoreError {
    pub(crate) fn io(operation: &'static str, path: PathBuf, source: io::Error) -> Self {
        Self::Io { operation, path, source }
    }

    /// The same failure after the point of no return.
    pub(super) fn after_commit(self) -> Self {
        let Self::Io { operation, path, source } = self else {
            return self;
        };
        Self::Unfinished { operation, path, source }
    }
}

impl Explain for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Io { source, .. } => io_code(source),
            Self::Unfinished { .. } => "change-unfinished",
            Self::Locked { .. } => "pki-locked",
            Self::Replaced { .. } => "pki-replaced",
            Self::ForeignJournal { .. } => "journal-foreign",
        }
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Environment
    }

    fn help(&self) -> String {
        match self {
            Self::Io { source, .. } => io_help(source).into(),
            Self::Unfinished { source, .. } => format!(
                "{} The next command completes the change by itself; do not repeat this one.",
                io_help(source)
            ),
            Self::Locked { lock_file: Some(file), .. } => format!(
                "Wait for it, raise --lock-timeout, or remove {} if that process is not easy-rsa.",
                file.display()
            ),
            Self::Locked { lock_file: None, .. } => {
                "Wait for the other command, or raise --lock-timeout.".into()
            }
            Self::Replaced { .. } => "Repeat the command.".into(),
            Self::ForeignJournal { journal } => format!("Move {} away.", journal.display()),
        }
    }
}

fn io_code(source: &io::Error) -> &'static str {
    match Errno::from_io_error(source) {
        Some(Errno::NOSPC) => "disk-full",
        Some(Errno::DQUOT) => "quota-exceeded",
        Some(Errno::ROFS) => "read-only-filesystem",
        Some(Errno::ACCESS | Errno::PERM) => "permission-denied",
        Some(Errno::LOOP) => "symlink-refused",
        _ if source.kind() == io::ErrorKind::AlreadyExists => "file-exists",
        _ => "io-error",
    }
}

fn io_help(source: &io::Error) -> &'static str {
    match Errno::from_io_error(source) {
        Some(Errno::NOSPC) => "Free some space on that file system; nothing is half done.",
        Some(Errno::DQUOT) => "Free some space or raise the quota; nothing is half done.",
        Some(Errno::ROFS) => "Mount the file system writable, or work on a copy.",
        Some(Errno::ACCESS | Errno::PERM) => {
            "Run as the owner of the PKI directory, or correct the permissions."
        }
        Some(Errno::LOOP) => "A symbolic link stands there and is not followed; replace it by the file.",
        _ if source.kind() == io::ErrorKind::AlreadyExists => {
            "Something stands where a new file should go; move it away."
        }
        _ => "Check the file system and the permissions.",
    }
}
