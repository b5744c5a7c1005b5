//! Why there is no management interface.

use std::io;
use std::path::PathBuf;

use super::settings::ManagementAddress;

/// Why the management interface cannot be offered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagementError {
    /// The address cannot be listened on.
    #[error("cannot offer the management interface at {address}: {source}")]
    Bind {
        /// The address.
        address: ManagementAddress,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Something that is no socket is in the way.
    #[error("{} is there already and no socket", .0.display())]
    NotSocket(PathBuf),
    /// The password cannot be read.
    #[error("cannot read the password of the management interface from {}: {source}", path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The password file has an empty first line.
    #[error("the first line of {} is empty", .0.display())]
    EmptyPassword(PathBuf),
}

impl ManagementError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "management-address-unusable",
            Self::NotSocket(_) => "management-path-taken",
            Self::Password { .. } | Self::EmptyPassword(_) => "management-password-unreadable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "choose another port, or a socket in a directory that can be written",
            Self::NotSocket(_) => "choose another path; nothing is overwritten",
            Self::Password { .. } | Self::EmptyPassword(_) => {
                "write the password into the first line of the file"
            }
        }
    }
}
