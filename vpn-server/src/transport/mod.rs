//! The edges of the data plane: UDP sockets, TCP connections and the TUN device.
//!
//! [`DatagramSocket`] and [`PacketDevice`] are all that a worker asks of sockets and devices, so that its loops also run
//! over memory. Nothing here looks into a datagram or packet.

mod batch;
pub mod bind;
#[cfg(test)]
pub(crate) mod memory;
pub mod poller;
pub mod port_share;
pub mod tcp;
pub mod tun;
pub mod udp;

use std::fmt;
use std::io;
use std::time::Duration;

use vpn_proto::{ListenerId, Path};

pub use batch::{ReceiveBatch, Received, SUPER_BUFFER};

/// What carries packets between a client and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Connections.
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

/// The transport of each listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transports {
    connected: Box<[ListenerId]>,
}

impl Transports {
    /// TCP for the listeners `connected`, UDP for all others.
    #[must_use]
    pub fn with_connections(connected: impl IntoIterator<Item = ListenerId>) -> Self {
        Self { connected: connected.into_iter().collect() }
    }

    /// The transport of `listener`.
    #[must_use]
    pub fn of(&self, listener: ListenerId) -> Transport {
        if self.connected.contains(&listener) { Transport::Tcp } else { Transport::Udp }
    }
}

/// A bound, non-blocking datagram socket.
pub trait DatagramSocket {
    /// Replaces the contents of `batch` by what has arrived; [`io::ErrorKind::WouldBlock`] if nothing has.
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()>;

    /// Sends `datagrams` to the remote of `path`, from its local address: cut every `segment` octets, where only the
    /// last may be shorter. More than one datagram needs [`Self::can_segment`].
    fn send(&self, path: &Path, datagrams: &[u8], segment: usize) -> io::Result<()>;

    /// Whether one call can send several datagrams.
    fn can_segment(&self) -> bool;

    /// Waits until sending is possible again; `false` if it was not within `limit`.
    fn wait_writable(&self, limit: Duration) -> bool;
}

/// A non-blocking device that gives and takes whole IP packets.
pub trait PacketDevice {
    /// Reads one packet into `buffer` and returns its length; [`io::ErrorKind::WouldBlock`] if there is none.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes one packet.
    fn send(&self, packet: &[u8]) -> io::Result<()>;
}
