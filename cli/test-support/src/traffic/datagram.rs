//! Single UDP datagrams: who gets them, and from which address they seem to come.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::failure::{Context, Failure, Result};
use crate::host::Host;

/// Longer than a datagram is under way, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a receiver listens before it says that nothing came.
const SILENCE: Duration = Duration::from_secs(1);

/// A machine that waits for datagrams.
pub struct Receiver {
    socket: UdpSocket,
}

impl Receiver {
    /// Waits on `host` at `address`, on a free port.
    pub fn on(host: &Host, address: impl Into<IpAddr>) -> Result<Self> {
        Ok(Self { socket: host.udp_socket(address, 0)? })
    }

    /// Where to send to.
    pub fn address(&self) -> Result<SocketAddr> {
        self.socket.local_addr().context("asking for the port")
    }

    /// The next datagram and its sender.
    pub fn receive(&self) -> Result<(String, SocketAddr)> {
        let received = self.receive_within(LIMIT)?;
        received.ok_or_else(|| Failure::new(format!("no datagram came within {LIMIT:?}")))
    }

    /// The datagram that comes within a second, where none must.
    pub fn intruder(&self) -> Result<Option<(String, SocketAddr)>> {
        self.receive_within(SILENCE)
    }

    fn receive_within(&self, limit: Duration) -> Result<Option<(String, SocketAddr)>> {
        self.socket.set_read_timeout(Some(limit)).context("setting a time limit")?;
        let mut buffer = [0; 1500];
        match self.socket.recv_from(&mut buffer) {
            Ok((length, from)) => Ok(Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), from))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(error) => Err(Failure::new(format!("receiving a datagram: {error}"))),
        }
    }
}

/// Sends `text` from `host`, with `source` as its address, to `destination`.
pub fn send(host: &Host, source: impl Into<IpAddr>, destination: SocketAddr, text: &str) -> Result<()> {
    let source = source.into();
    let socket = host.udp_socket(source, 0)?;
    let sent = socket.send_to(text.as_bytes(), destination);
    sent.map(drop).context(format!("sending from {source} on {}", host.name()))
}
