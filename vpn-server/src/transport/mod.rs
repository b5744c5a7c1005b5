//! The edges of the data plane: UDP sockets, TCP connections and the TUN device.
//!
//! [`DatagramSocket`] and [`PacketDevice`] are all that a worker asks of sockets and devices, so that its loops also run
//! over memory. Nothing here looks into a datagram or packet.

mod batch;
pub mod bind;
pub mod kernel;
#[cfg(test)]
pub(crate) mod memory;
pub mod poller;
pub mod port_share;
pub mod tcp;
pub mod tun;
pub mod udp;

use std::io::{self, IoSlice};
use std::time::Duration;

use vpn_proto::Path;

pub use batch::{ReceiveBatch, Received, SUPER_BUFFER};

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

/// Which super-packets a device gives and takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offload {
    /// None: packets come and go as they are.
    #[default]
    None,
    /// Those of TCP. Every packet is preceded by a virtio-net header, in both directions.
    Tcp,
    /// Those of UDP too.
    TcpAndUdp,
}

impl std::fmt::Display for Offload {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::None => "none",
            Self::Tcp => "TCP",
            Self::TcpAndUdp => "TCP and UDP",
        })
    }
}

/// A non-blocking device that gives and takes IP packets, and super-packets where it can.
pub trait PacketDevice {
    /// Which super-packets it gives and takes; with any, a virtio-net header stands before every packet.
    fn offload(&self) -> Offload;

    /// Reads one packet or super-packet into `buffer` and returns its length; [`io::ErrorKind::WouldBlock`] if there is
    /// none.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes one packet or super-packet that lies in `pieces`.
    fn send(&self, pieces: &[IoSlice<'_>]) -> io::Result<()>;
}
