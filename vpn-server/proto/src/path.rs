//! Where a packet came from and where its answer goes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::ids::ListenerId;

/// One way between a peer and this server: two packets belong to the same way if all of it is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The socket on which the peer reaches us.
    pub listener: ListenerId,
    /// What carries the packets.
    pub transport: Transport,
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// The local address that the peer sent to, where it is known: a multi-homed host must answer from it.
    pub local: Option<IpAddr>,
}

/// What carries packets between the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection: it has the address that it has, so sessions on it never float.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}
