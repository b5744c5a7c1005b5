//! A directory in which each file stands for a revoked certificate: `crl-verify DIRECTORY dir` of OpenVPN.
//!
//! A file is called by the serial number in decimal digits; what it holds does not matter. The directory is read as a
//! whole, and again when it changes. It says nothing about issuers: a number revokes the certificates of all
//! authorities that have it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki_core::serial::Serial;

use crate::observe::decimal;

/// The serial numbers that are revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedSerials(Arc<BTreeSet<String>>);

/// A directory of revoked serial numbers cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the directory of revoked serial numbers {}: {source}", path.display())]
pub struct RevokedSerialsError {
    /// The directory.
    pub path: PathBuf,
    /// The operating system's answer.
    pub source: io::Error,
}

impl RevokedSerialsError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "revoked-serials-unreadable"
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        "make the directory, and let the user of the server read it; without it nobody knows who is revoked"
    }
}

impl RevokedSerials {
    /// The serial numbers that files in `directory` are called by. Files with other names mean nothing.
    ///
    /// # Errors
    ///
    /// [`RevokedSerialsError`] when the directory cannot be read to its end.
    pub fn read(directory: &Path) -> Result<Self, RevokedSerialsError> {
        let unreadable = |source| RevokedSerialsError { path: directory.to_owned(), source };
        let mut serials = BTreeSet::new();
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let is_number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            serials.extend(name.into_string().ok().filter(|name| is_number(name)));
        }
        Ok(Self(Arc::new(serials)))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a certificate with this number is revoked.
    #[must_use]
    pub fn contains(&self, serial: &Serial) -> bool {
        !self.0.is_empty() && self.0.contains(&decimal(serial.as_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crl_01_files_are_called_by_serial_numbers_in_decimal_digits() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["255", "340282366920938463463374607431768211455", "README", "0x10", "12a"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let revoked = RevokedSerials::read(directory.path()).unwrap();
        assert_eq!(revoked.count(), 2);
        let is_revoked = |octets: &[u8]| revoked.contains(&Serial::from_be_bytes(octets));
        assert!(is_revoked(&[255]) && is_revoked(&[255; 16]));
        assert!(!is_revoked(&[16]) && !is_revoked(&[254]) && !is_revoked(&[12]));
    }

    #[test]
    fn crl_01_a_directory_that_cannot_be_read_is_no_empty_one() {
        let error = RevokedSerials::read(Path::new("/nonexistent/revoked")).unwrap_err();
        assert_eq!(error.code(), "revoked-serials-unreadable");
        assert!(error.to_string().contains("/nonexistent/revoked"));
    }
}
