//! Where the management interface is and who may use it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A management interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementSettings {
    /// Where it listens.
    pub address: ManagementAddress,
    /// The file whose first line is the password; without it, whoever can connect is in charge.
    pub password_file: Option<PathBuf>,
    /// Whether the server waits for the command `hold release` before it starts.
    pub is_held: bool,
    /// Whether its client decides about logins, beside whoever else does.
    pub decides_logins: bool,
    /// How many lines of the log can be asked for afterwards.
    pub log_lines: usize,
}

/// Where a management interface listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagementAddress {
    /// A TCP port; everybody on the host can connect to one on a loopback address.
    Tcp(SocketAddr),
    /// A socket in the file system, for its owner only.
    Unix(PathBuf),
}

/// Why a text is no address of a management interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is neither unix:PATH nor ADDRESS:PORT", .0.escape_debug())]
pub struct InvalidManagementAddress(pub String);

impl ManagementAddress {
    /// Whether other hosts could connect.
    #[must_use]
    pub const fn is_reachable_from_elsewhere(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

impl FromStr for ManagementAddress {
    type Err = InvalidManagementAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidManagementAddress(text.to_owned());
        match text.strip_prefix("unix:") {
            Some("") => Err(invalid()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| invalid()),
        }
    }
}

impl fmt::Display for ManagementAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_file_or_a_port() {
        for text in ["unix:/run/postern/management.sock", "127.0.0.1:7505", "[::1]:7505"] {
            assert_eq!(text.parse::<ManagementAddress>().unwrap().to_string(), text);
        }
        for text in ["", "unix:", "/run/x.sock", "localhost:7505", "127.0.0.1"] {
            assert_eq!(text.parse::<ManagementAddress>(), Err(InvalidManagementAddress(text.to_owned())));
        }
    }

    #[test]
    fn only_a_loopback_port_stays_on_the_host() {
        let reachable = |text: &str| text.parse::<ManagementAddress>().unwrap().is_reachable_from_elsewhere();
        assert!(!reachable("127.0.0.1:1") && !reachable("[::1]:1") && !reachable("unix:/x"));
        assert!(reachable("0.0.0.0:1") && reachable("192.0.2.1:1"));
    }
}
