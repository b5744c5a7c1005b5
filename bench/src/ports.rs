//! Local ports, one after the other: servers keep the place of a client that left for some seconds, and who comes from
//! the same port meanwhile would be taken for it.

use std::io;
use std::net::{SocketAddr, UdpSocket};

/// The ports of the clients.
#[derive(Debug)]
pub(crate) struct Ports {
    next: u16,
}

impl Ports {
    /// Begins somewhere else in every process: the one before may have left a moment ago.
    pub(crate) fn new() -> Self {
        let spread = std::process::id().wrapping_mul(STRIDE) % u32::from(u16::MAX - FIRST);
        Self { next: FIRST + u16::try_from(spread).unwrap_or_default() }
    }

    /// A non-blocking socket with the next free port, connected to `server`.
    pub(crate) fn socket_toward(&mut self, server: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.bind_next(server)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn bind_next(&mut self, server: SocketAddr) -> io::Result<UdpSocket> {
        let mut outcome = Err(io::ErrorKind::AddrInUse.into());
        for _ in FIRST..=u16::MAX {
            let port = self.next;
            self.next = port.checked_add(1).unwrap_or(FIRST);
            let any: SocketAddr =
                if server.is_ipv4() { ([0; 4], port).into() } else { ([0_u16; 8], port).into() };
            outcome = UdpSocket::bind(any);
            if !outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
                break;
            }
        }
        outcome
    }
}

/// Ports below are other programs'.
const FIRST: u16 = 10_240;
/// How far processes that follow each other are apart.
const STRIDE: u32 = 7919;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_each_other_and_skip_those_that_are_taken() {
        let server = "127.0.0.1:9".parse().unwrap();
        let mut ports = Ports { next: 40_000 };
        let first = ports.socket_toward(server).unwrap();
        let mut again = Ports { next: first.local_addr().unwrap().port() };
        let second = again.socket_toward(server).unwrap();
        assert!(second.local_addr().unwrap().port() > first.local_addr().unwrap().port());
    }

    #[test]
    fn after_the_last_port_comes_the_first() {
        let mut ports = Ports { next: u16::MAX };
        let sockets: Vec<_> =
            (0..3).map(|_| ports.socket_toward("127.0.0.1:9".parse().unwrap()).unwrap()).collect();
        assert!(sockets.iter().skip(1).all(|socket| socket.local_addr().unwrap().port() < u16::MAX));
    }
}
