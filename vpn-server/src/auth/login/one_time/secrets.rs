//! Users and the secrets of their codes in a file, one line each: `name:SECRET` in base32. Lines that are empty or begin
//! with `#` are left alone.
//!
//! The file is read at each login, so that a change counts at once; it is small, and read on a thread that may wait.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::Username;
use super::super::user_lines::{self, BadUserLine, Fault, MAXIMUM_SIZE, Users};
use super::code::{InvalidOneTimeSecret, OneTimeSecret};
use crate::runtime::files::write_atomically;

/// The secrets in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneTimeSecrets {
    users: Users<OneTimeSecret>,
}

/// Why a file with secrets cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OneTimeSecretsError {
    /// It cannot be read or written.
    #[error("cannot use the file of one-time secrets {}: {source}", path.display())]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Others than its owner can read it.
    #[error("the file of one-time secrets {} can be read by others (mode {mode:o})", path.display())]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is larger than any file of secrets.
    #[error("the file of one-time secrets {} is larger than {MAXIMUM_SIZE} octets", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line is not `name:SECRET`.
    #[error("line {line} of the file of one-time secrets {}: {problem}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: BadUserLine<InvalidOneTimeSecret>,
    },
}

impl OneTimeSecretsError {
    fn of(path: &Path, fault: Fault<InvalidOneTimeSecret>) -> Self {
        let path = path.to_owned();
        match fault {
            Fault::Unreadable(source) => Self::Inaccessible { path, source },
            Fault::TooLarge => Self::TooLarge { path },
            Fault::Line(line, problem) => Self::BadLine { path, line, problem },
        }
    }

    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Inaccessible { .. } => "one-time-secrets-inaccessible",
            Self::ReadableByOthers { .. } => "one-time-secrets-exposed",
            Self::TooLarge { .. } | Self::BadLine { .. } => "one-time-secrets-malformed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Inaccessible { .. } => {
                "the file must be readable by the server; 'postern user totp' makes one"
            }
            Self::ReadableByOthers { .. } => "take the permissions away with 'chmod 600 FILE'",
            Self::TooLarge { .. } => "name a file that 'postern user totp' made",
            Self::BadLine { .. } => {
                "lines are NAME:SECRET as 'postern user totp' writes them; delete or repair the line"
            }
        }
    }
}

impl OneTimeSecrets {
    /// Reads a file that nobody else can read (PKI-02).
    ///
    /// # Errors
    ///
    /// [`OneTimeSecretsError`]: the file cannot be read, others can read it, it is too large, or a line is not `name:SECRET`.
    pub fn load(path: &Path) -> Result<Self, OneTimeSecretsError> {
        let inaccessible = |source| OneTimeSecretsError::Inaccessible { path: path.to_owned(), source };
        let file = File::open(path).map_err(inaccessible)?;
        let mode = file.metadata().map_err(inaccessible)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(OneTimeSecretsError::ReadableByOthers { path: path.to_owned(), mode });
        }
        let users = user_lines::read(&file).map_err(|fault| OneTimeSecretsError::of(path, fault))?;
        Ok(Self { users })
    }

    /// Replaces a file, readable by its owner only.
    ///
    /// # Errors
    ///
    /// [`OneTimeSecretsError::Inaccessible`] when that is not possible.
    pub fn save(&self, path: &Path) -> Result<(), OneTimeSecretsError> {
        let mut text = Zeroizing::new(String::new());
        for (name, secret) in &self.users {
            for part in [name.as_str(), ":", &secret.to_base32(), "\n"] {
                text.push_str(part);
            }
        }
        write_atomically(path, text.as_bytes())
            .map_err(|source| OneTimeSecretsError::Inaccessible { path: path.to_owned(), source })
    }

    /// Gives a user a secret; answers whether there was none.
    pub fn set(&mut self, username: Username, secret: OneTimeSecret) -> bool {
        self.users.insert(username, secret).is_none()
    }

    /// The secret of a user.
    #[must_use]
    pub fn get(&self, username: &Username) -> Option<&OneTimeSecret> {
        self.users.get(username)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn user(name: &str) -> Username {
        Username::parse(name).unwrap()
    }

    #[test]
    fn a_file_reads_back_with_names_that_have_colons() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        let mut secrets = OneTimeSecrets::default();
        assert!(secrets.set(user("domain:alice"), OneTimeSecret::generate().unwrap()));
        assert!(!secrets.set(user("domain:alice"), OneTimeSecret::generate().unwrap()));
        secrets.save(&path).unwrap();
        assert_eq!(OneTimeSecrets::load(&path).unwrap(), secrets);
    }

    #[test]
    fn pki_02_a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        OneTimeSecrets::default().save(&path).unwrap();
        assert!(OneTimeSecrets::load(&path).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = OneTimeSecrets::load(&path).unwrap_err();
        assert_eq!(error.code(), "one-time-secrets-exposed");
        assert!(error.help().contains("chmod 600"));
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        OneTimeSecrets::default().save(&path).unwrap();
        fs::write(&path, "# codes\nbob:!\n").unwrap();
        let error = OneTimeSecrets::load(&path).unwrap_err();
        assert_eq!(error.code(), "one-time-secrets-malformed");
        assert!(error.to_string().contains("line 2 of the file of one-time secrets"), "{error}");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        OneTimeSecrets::default().save(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(MAXIMUM_SIZE + 1).unwrap();
        let error = OneTimeSecrets::load(&path).unwrap_err();
        assert!(error.to_string().contains("is larger than"), "{error}");
    }
}
