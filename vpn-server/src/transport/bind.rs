//! Why a listener could not be made.

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;

use vpn_proto::Transport;

/// Why a listener could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket has the address and port.
    #[error("{0} {1} is in use")]
    AddressInUse(Transport, SocketAddr),
    /// No interface of this host has the address.
    #[error("no interface has the address of {0} {1}")]
    AddressNotAvailable(Transport, SocketAddr),
    /// Ports below 1024 take a privilege.
    #[error("not permitted to listen on {0} {1}")]
    NotPermitted(Transport, SocketAddr),
    /// The system refused for another reason.
    #[error("cannot listen on {transport} {address}: {source}")]
    System {
        /// How was to be listened.
        transport: Transport,
        /// What was to be listened on.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

impl BindError {
    /// Stable kebab-case code for logs and JSON.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AddressInUse(..) => "listen-address-in-use",
            Self::AddressNotAvailable(..) => "listen-address-not-available",
            Self::NotPermitted(..) => "listen-not-permitted",
            Self::System { .. } => "listen-failed",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::AddressInUse(transport, address) => {
                let sockets = match transport {
                    Transport::Udp => "-lunp",
                    Transport::Tcp => "-ltnp",
                };
                let port = address.port();
                format!(
                    "find the other program with `ss {sockets} 'sport = :{port}'`, or choose another port"
                )
            }
            Self::AddressNotAvailable(..) => {
                "use an address that `ip address` lists, or 0.0.0.0 for all of them".to_owned()
            }
            Self::NotPermitted(..) => {
                "ports below 1024 need CAP_NET_BIND_SERVICE: start as root or choose another port".to_owned()
            }
            Self::System { .. } => "see the system's reason above".to_owned(),
        }
    }

    pub(super) fn from_io(transport: Transport, address: SocketAddr, source: io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(Errno::ADDRINUSE) => Self::AddressInUse(transport, address),
            Some(Errno::ADDRNOTAVAIL) => Self::AddressNotAvailable(transport, address),
            Some(Errno::ACCESS | Errno::PERM) => Self::NotPermitted(transport, address),
            _ => Self::System { transport, address, source },
        }
    }
}
