//! Why a server does not start, or does not go on.

use std::io;
use std::path::PathBuf;

use pki_core::error::{ErrorKind, Explain};

use super::confinement::ConfinementError;
use super::logins::LoginError;
use super::privileges::PrivilegeError;
use super::state_directory::StateError;
use crate::auth::{CredentialsError, RevocationError, RevokedSerialsError, WrappingKeyError};
use crate::config::ConfigError;
use crate::hooks::HookFailure;
use crate::management::ManagementError;
use crate::net::NetworkError;
use crate::observe::connection_log::ConnectionLogError;
use crate::transport::bind::BindError;
use crate::transport::tun::TunError;

/// Why a server does not start. Everything that was done until then is undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Certificates or keys cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A key for control packets cannot be used.
    #[error(transparent)]
    Wrapping(#[from] WrappingKeyError),
    /// Nobody could be asked about logins.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// A program that was to run at the start failed.
    #[error("{0}")]
    Hook(#[from] HookFailure),
    /// The revocation list cannot be used.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The directory of revoked serial numbers cannot be read.
    #[error(transparent)]
    RevokedSerials(#[from] RevokedSerialsError),
    /// The connection log cannot be opened.
    #[error(transparent)]
    ConnectionLog(#[from] ConnectionLogError),
    /// TCP connections take descriptors, and the process may have too few.
    #[error("at most {limit} files can be open, {needed} are needed at least")]
    FileLimit {
        /// What is allowed.
        limit: u64,
        /// What is needed.
        needed: u64,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The TUN device cannot be created.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// Forwarding or address translation cannot be set up.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The status file cannot be written.
    #[error("cannot write the status file {}: {source}", path.display())]
    StatusFile {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The server does not become the user that it should run as.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// The server has to be confined, and cannot be.
    #[error(transparent)]
    Confinement(#[from] ConfinementError),
    /// A file cannot be given to the user that the server becomes.
    #[error("cannot give {} to the user of the server: {source}", path.display())]
    Belongings {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The management interface cannot be offered.
    #[error(transparent)]
    Management(#[from] ManagementError),
    /// The operating system refused a thread, a file watch or randomness.
    #[error("the operating system refused {what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

/// Why a daemon ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A packet worker gave up; the reason is in the log.
    #[error("a packet worker gave up")]
    DataPlaneFailed,
}

impl StartError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

impl Explain for StartError {
    fn code(&self) -> &'static str {
        match self {
            Self::State(error) => error.code(),
            Self::Credentials(error) => error.code(),
            Self::Wrapping(error) => error.code(),
            Self::Login(error) => error.code(),
            Self::Hook(error) => error.code(),
            Self::Revocation(error) => error.code(),
            Self::RevokedSerials(error) => error.code(),
            Self::ConnectionLog(error) => error.code(),
            Self::FileLimit { .. } => "file-limit-too-low",
            Self::Bind(error) => error.code(),
            Self::Tun(error) => error.code(),
            Self::Network(error) => error.code(),
            Self::StatusFile { .. } => "status-file-unwritable",
            Self::Privileges(error) => error.code(),
            Self::Confinement(error) => error.code(),
            Self::Belongings { .. } => "file-not-given",
            Self::Management(error) => error.code(),
            Self::System { .. } => "system-refused",
        }
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Environment
    }

    fn help(&self) -> String {
        match self {
            Self::State(error) => error.help().to_owned(),
            Self::Credentials(error) => error.help(),
            Self::Wrapping(error) => error.help().to_owned(),
            Self::Login(error) => error.help().to_owned(),
            Self::Hook(_) => {
                "run the program by hand; what it says stands in the log at level debug".to_owned()
            }
            Self::Revocation(error) => error.help().to_owned(),
            Self::RevokedSerials(error) => error.help().to_owned(),
            Self::ConnectionLog(error) => error.help().to_owned(),
            Self::FileLimit { needed, .. } => {
                format!("raise the hard limit to {needed} or more (systemd: LimitNOFILE=; shell: ulimit -Hn)")
            }
            Self::Bind(error) => error.help(),
            Self::Tun(error) => error.help(),
            Self::Network(error) => error.help().to_owned(),
            Self::StatusFile { .. } => "check the path and the permissions of its directory".to_owned(),
            Self::Privileges(error) => error.help().to_owned(),
            Self::Confinement(error) => error.help().to_owned(),
            Self::Belongings { .. } => {
                "name a file in a directory that root can write, and that is no symbolic link".to_owned()
            }
            Self::Management(error) => error.help().to_owned(),
            Self::System { .. } => "check limits on processes and open files, and the free memory".to_owned(),
        }
    }
}

impl Explain for ServeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Start(error) => error.code(),
            Self::DataPlaneFailed => "data-plane-failed",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Start(error) => error.kind(),
            Self::DataPlaneFailed => ErrorKind::Environment,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::Start(error) => error.help(),
            Self::DataPlaneFailed => {
                "see the log; the TUN device or a socket may have been taken away".to_owned()
            }
        }
    }
}

impl Explain for ConfigError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::User
    }

    fn help(&self) -> String {
        Self::help(self)
    }
}
