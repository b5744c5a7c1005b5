//! TCP listeners.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use vpn_proto::{ListenerId, Path, Transport};

use super::super::bind::BindError;

/// A bound, non-blocking TCP listener.
#[derive(Debug)]
pub struct TcpListener {
    socket: Socket,
    address: SocketAddr,
}

/// A connection that somebody opened.
#[derive(Debug)]
pub struct Accepted {
    /// Its non-blocking socket.
    pub stream: TcpStream,
    /// Where it is: the remote address and port, and the local address that was connected to.
    pub path: Path,
}

impl TcpListener {
    /// Listens on `address`; port 0 chooses a free one. An IPv6 address takes IPv6 only, so that listeners for both
    /// families can have the same port.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = Self::try_bind(address, false).and_then(Self::listen);
        bound.map_err(|source| BindError::from_io(Transport::Tcp, address, source))
    }

    /// Binds so many listeners to one `address`. The kernel gives every connection to one of them, by a hash of both
    /// addresses and ports.
    ///
    /// No listener that exists may have the address, not even one that is willing to share it.
    pub fn bind_group(address: SocketAddr, listeners: NonZero<usize>) -> Result<Vec<Self>, BindError> {
        let failed = |source| BindError::from_io(Transport::Tcp, address, source);
        let first = Self::try_bind(address, false).map_err(failed)?;
        let bound = first.address;
        let mut group = vec![first];
        for _ in 1..listeners.get() {
            // Only from here on, so that it had the address for itself.
            group[0].socket.set_reuse_port(true).map_err(failed)?;
            group.push(Self::try_bind(bound, true).map_err(failed)?);
        }
        group.into_iter().map(|listener| listener.listen().map_err(failed)).collect()
    }

    /// The address it is bound to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection that waits to be taken, as one of listener `id`.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none, [`io::ErrorKind::ConnectionAborted`] if one vanished while it
    /// waited, and what the system says when it is short of something.
    pub fn accept(&self, id: ListenerId) -> io::Result<Accepted> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, _) = acceptfrom_with(&self.socket, flags).map_err(classified)?;
        let stream = TcpStream::from(socket);
        Self::set_up(&stream, id)
            .map_err(|_| io::ErrorKind::ConnectionAborted.into())
            .map(|path| Accepted { stream, path })
    }

    fn try_bind(address: SocketAddr, is_shared: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A server that starts again must not wait for the connections of its predecessor to be forgotten.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_port(is_shared)?;
        socket.bind(&address.into())?;
        let bound = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Self { socket, address: bound })
    }

    fn listen(self) -> io::Result<Self> {
        self.socket.listen(BACKLOG)?;
        Ok(self)
    }

    /// Packets leave when they are written, and no more of them wait in the kernel than the way ahead can take: what
    /// waits longer is dropped here, where data can be told from control packets.
    fn set_up(stream: &TcpStream, listener: ListenerId) -> io::Result<Path> {
        let socket = SockRef::from(stream);
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT_IN_KERNEL)?;
        Ok(Path {
            listener,
            transport: Transport::Tcp,
            remote: stream.peer_addr()?,
            local: Some(stream.local_addr()?.ip()),
        })
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Errors that are about the connection that was to be accepted, whatever their name, are one kind.
fn classified(errno: Errno) -> io::Error {
    match errno {
        Errno::CONNABORTED
        | Errno::PROTO
        | Errno::NOPROTOOPT
        | Errno::HOSTDOWN
        | Errno::NONET
        | Errno::HOSTUNREACH
        | Errno::NETDOWN
        | Errno::NETUNREACH
        | Errno::OPNOTSUPP
        | Errno::PERM
        | Errno::INTR => io::ErrorKind::ConnectionAborted.into(),
        other => other.into(),
    }
}

/// Connections that may wait to be accepted; the system's own limit may be lower.
const BACKLOG: i32 = 4096;
/// Octets that may wait in the kernel before their first transmission.
const UNSENT_IN_KERNEL: u32 = 128 * 1024;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_is_taken_with_both_its_addresses() {
        let listener = listener("0.0.0.0:0");
        assert_eq!(listener.accept(ListenerId(3)).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let asked = Ipv4Addr::new(127, 0, 0, 2);
        let client = TcpStream::connect((asked, listener.address().port())).unwrap();
        let Accepted { stream, path } = accept(&listener);
        let expected = Path {
            listener: ListenerId(3),
            transport: Transport::Tcp,
            remote: client.local_addr().unwrap(),
            local: Some(asked.into()),
        };
        assert_eq!(path, expected);
        assert!(stream.nodelay().unwrap());
        let error = io::Read::read(&mut &stream, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn net_09_connections_that_were_reset_while_they_waited_are_no_obstacle() {
        let listener = listener("127.0.0.1:0");
        for _ in 0..50 {
            let stormy = TcpStream::connect(listener.address()).unwrap();
            SockRef::from(&stormy).set_linger(Some(Duration::ZERO)).unwrap();
        }
        let client = TcpStream::connect(listener.address()).unwrap();
        let remote = client.local_addr().unwrap();
        let is_there = || match listener.accept(ListenerId(3)) {
            Ok(accepted) => accepted.path.remote == remote,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
                false
            }
        };
        assert!((0..51).any(|_| is_there()));
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let holder = listener("127.0.0.1:0");
        let error = TcpListener::bind(holder.address()).unwrap_err();
        assert_eq!(error.code(), "listen-address-in-use");
        assert_eq!(error.to_string(), format!("TCP {} is in use", holder.address()));
        assert!(error.help().contains("ss -ltnp"), "{}", error.help());
    }

    #[test]
    fn a_group_shares_its_connections_and_its_address_with_nobody_else() {
        let group =
            TcpListener::bind_group("127.0.0.1:0".parse().unwrap(), NonZero::new(3).unwrap()).unwrap();
        let address = group[0].address();
        assert!(group.iter().all(|listener| listener.address() == address));
        assert_eq!(TcpListener::bind(address).unwrap_err().code(), "listen-address-in-use");
        assert!(TcpListener::bind_group(address, NonZero::<usize>::MIN).is_err());
        let clients: Vec<_> = (0..60).map(|_| TcpStream::connect(address).unwrap()).collect();
        let (mut taken, mut by_listener) = (0, [0; 3]);
        while taken < clients.len() {
            for (listener, count) in group.iter().zip(&mut by_listener) {
                if listener.accept(ListenerId(3)).is_ok() {
                    *count += 1;
                    taken += 1;
                }
            }
        }
        assert!(by_listener.iter().all(|count| *count > 0), "{by_listener:?}");
    }

    #[test]
    fn both_families_can_share_a_port() {
        let shares_a_port = || {
            let v6 = listener("[::]:0");
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, v6.address().port()).into()).is_ok()
        };
        // A port that is free for IPv6 may happen to be taken for IPv4 by somebody else.
        assert!((0..10).any(|_| shares_a_port()));
    }

    fn listener(address: &str) -> TcpListener {
        TcpListener::bind(address.parse().unwrap()).unwrap()
    }

    fn accept(listener: &TcpListener) -> Accepted {
        for _ in 0..60_000 {
            match listener.accept(ListenerId(3)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                outcome => return outcome.unwrap(),
            }
        }
        panic!("nobody connected");
    }
}
