//! UDP listeners: receive offload in, segmentation offload out, answers from the address that was asked.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv6DontFrag, UdpGroSegment};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use vpn_proto::{Path, Transport};

use super::bind::BindError;
use super::kernel::{KernelFeature, Waived};
use super::{DatagramSocket, ReceiveBatch, Received};

/// A bound UDP socket with its offloads. Any thread may send through it.
#[derive(Debug)]
pub struct UdpListener {
    socket: UdpSocket,
    offload: UdpSocketState,
    address: SocketAddr,
    can_segment: bool,
}

impl UdpListener {
    /// Binds to `address`; port 0 chooses a free one. An IPv6 address takes IPv6 only, so that listeners for both
    /// families can have the same port.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::try_bind(address, Sharing::Alone)
            .map_err(|source| BindError::from_io(Transport::Udp, address, source))
    }

    /// Binds so many sockets to one `address`. The kernel gives every remote to one of them, by a hash of both
    /// addresses and ports.
    ///
    /// No socket that exists may have the address, not even one that is willing to share it.
    pub fn bind_group(address: SocketAddr, sockets: NonZero<usize>) -> Result<Vec<Self>, BindError> {
        let first = Self::bind(address)?;
        let bound = first.address;
        let mut group = vec![first];
        let failed = |source| BindError::from_io(Transport::Udp, bound, source);
        for _ in 1..sockets.get() {
            share(&group[0].socket).map_err(failed)?;
            group.push(Self::try_bind(bound, Sharing::WithOthers).map_err(failed)?);
        }
        Ok(group)
    }

    /// The same without what `waived` has of segmentation and receive offload.
    ///
    /// # Errors
    /// The system's, if it cannot switch receive offload off.
    pub fn without(mut self, waived: &Waived) -> io::Result<Self> {
        if waived.has(KernelFeature::Gro) {
            setsockopt(&self.socket, UdpGroSegment, &false)?;
        }
        self.can_segment &= !waived.has(KernelFeature::Gso);
        Ok(self)
    }

    /// The address it is bound to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn try_bind(address: SocketAddr, sharing: Sharing) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        enlarge_buffers(&socket);
        if sharing == Sharing::WithOthers {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let offload = UdpSocketState::new((&socket).into())?;
        allow_fragmentation(&socket, address)?;
        let can_segment = offload.max_gso_segments() > 1;
        Ok(Self { address: socket.local_addr()?, socket, offload, can_segment })
    }

    fn receive_into(&self, buffers: &mut Buffers, received: &mut Vec<Received>) -> io::Result<()> {
        let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let mut meta = [RecvMeta::default(); ReceiveBatch::BUFFERS];
        let count =
            repeating_stale_errors(|| self.offload.recv((&self.socket).into(), &mut slices, &mut meta))?;
        received.extend(meta[..count].iter().map(|meta| Received {
            length: meta.len,
            stride: meta.stride,
            remote: meta.addr,
            local: meta.dst_ip,
        }));
        Ok(())
    }
}

type Buffers = [Box<[u8]>; ReceiveBatch::BUFFERS];

impl DatagramSocket for UdpListener {
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        batch.refill(|buffers, received| self.receive_into(buffers, received))
    }

    fn send(&self, path: &Path, datagrams: &[u8], segment: usize) -> io::Result<()> {
        let transmit = Transmit {
            destination: path.remote,
            ecn: None,
            contents: datagrams,
            segment_size: Some(segment),
            src_ip: path.local,
        };
        repeating_stale_errors(|| self.offload.try_send((&self.socket).into(), &transmit))
    }

    fn can_segment(&self) -> bool {
        self.can_segment
    }

    fn wait_writable(&self, limit: Duration) -> bool {
        let Ok(limit) = limit.try_into() else { return false };
        let mut sockets = [PollFd::new(&self.socket, PollFlags::OUT)];
        matches!(poll(&mut sockets, Some(&limit)), Ok(1..)) && sockets[0].revents().contains(PollFlags::OUT)
    }
}

impl AsFd for UdpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a socket is to have its address for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    Alone,
    WithOthers,
}

/// Lets other sockets of this user have the same address from now on. A socket that is bound before that cannot take
/// part in an address that is another's.
fn share(socket: &UdpSocket) -> io::Result<()> {
    SockRef::from(socket).set_reuse_port(true)
}

/// Asks for [`SOCKET_BUFFER`] octets each way: beyond the system's limit where privileges allow, else up to it.
fn enlarge_buffers(socket: &Socket) {
    let receive = sockopt::set_socket_recv_buffer_size_force(socket, SOCKET_BUFFER)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, SOCKET_BUFFER));
    let send = sockopt::set_socket_send_buffer_size_force(socket, SOCKET_BUFFER)
        .or_else(|_| sockopt::set_socket_send_buffer_size(socket, SOCKET_BUFFER));
    if let Err(error) = receive.and(send) {
        tracing::debug!(%error, "socket buffers keep their default size");
    }
}

/// Lets IP fragment datagrams that are too long for their path, as OpenVPN does unless configured otherwise: a tunnel
/// must carry a packet of its own MTU over any path. Undoes the path MTU probing that [`UdpSocketState::new`] sets.
fn allow_fragmentation(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => sockopt::set_ip_mtu_discover(socket, sockopt::Ipv4PathMtuDiscovery::DONT)?,
        SocketAddr::V6(_) => {
            sockopt::set_ipv6_mtu_discover(socket, sockopt::Ipv6PathMtuDiscovery::DONT)?;
            setsockopt(socket, Ipv6DontFrag, &false)?;
        }
    }
    Ok(())
}

/// Repeats a call that failed with an error of the class that ICMP messages about *earlier* datagrams cause: it says
/// something about one client and must not fail a call that is about another.
fn repeating_stale_errors<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut outcome = call();
    for _ in 0..STALE_ERRORS {
        match outcome {
            Err(error) if is_stale(&error) => outcome = call(),
            settled => return settled,
        }
    }
    outcome
}

fn is_stale(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNREFUSED
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::NOPROTOOPT
                | Errno::PROTO
                | Errno::INTR
        )
    )
}

/// Octets of the kernel's receive and send buffers.
const SOCKET_BUFFER: usize = 4 << 20;
/// How many stale errors a call sits out: a socket keeps one.
const STALE_ERRORS: usize = 1;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use vpn_proto::ListenerId;

    use super::*;

    #[test]
    fn a_segmented_send_arrives_as_single_datagrams_in_order() {
        let (server, client) = (listener("127.0.0.1:0"), client("127.0.0.1:0"));
        let datagrams: Vec<u8> = (0..10_u8).flat_map(|number| [number; 100]).chain([99; 40]).collect();
        server.send(&path(client.local_addr().unwrap(), None), &datagrams, 100).unwrap();
        let mut buffer = [0; 2000];
        for number in 0..10_u8 {
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], [number; 100]);
        }
        assert_eq!(client.recv(&mut buffer).unwrap(), 40);
    }

    #[test]
    fn without_offloads_every_datagram_has_a_buffer_and_a_call_of_its_own() {
        let waived = "gso,gro".parse().unwrap();
        let (server, client) = (listener("127.0.0.1:0").without(&waived).unwrap(), listener("127.0.0.1:0"));
        assert!(!server.can_segment() && client.can_segment());
        client.send(&path(server.address(), None), &[7; 5000], 1000).unwrap();
        let (mut batch, mut received) = (ReceiveBatch::new(), Vec::new());
        while received.len() < 5 {
            receive(&server, &mut batch);
            received.extend(batch.iter_mut().map(|(received, _)| (received.length, received.stride)));
        }
        assert_eq!(received, [(1000, 1000); 5]);
    }

    #[test]
    fn a_super_packet_is_received_with_its_stride() {
        let (server, client) = (listener("127.0.0.1:0"), listener("127.0.0.1:0"));
        let datagrams: Vec<u8> = (0..20_u8).flat_map(|number| [number; 1000]).collect();
        client.send(&path(server.address(), None), &datagrams, 1000).unwrap();
        let (mut batch, mut octets) = (ReceiveBatch::new(), Vec::new());
        while octets.len() < datagrams.len() {
            receive(&server, &mut batch);
            for (received, buffer) in batch.iter_mut() {
                assert_eq!((received.remote, received.stride), (client.address(), 1000));
                octets.extend_from_slice(buffer);
            }
        }
        assert_eq!(octets, datagrams);
    }

    #[test]
    fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
        let server = listener("0.0.0.0:0");
        let client = client("127.0.0.1:0");
        for asked in [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)] {
            client.send_to(b"question", (asked, server.address().port())).unwrap();
            let mut batch = ReceiveBatch::new();
            receive(&server, &mut batch);
            let (received, _) = batch.iter_mut().next().unwrap();
            assert_eq!(received.local, Some(IpAddr::V4(asked)));
            server.send(&path(received.remote, received.local), b"answer", 6).unwrap();
            assert_eq!(client.recv_from(&mut [0; 100]).unwrap().1.ip(), IpAddr::V4(asked));
        }
    }

    #[test]
    fn datagrams_too_long_for_the_path_are_fragmented() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (server, client) = (listener(address), client(address));
            // The loopback interface's MTU is 65536: a datagram of 65507 octets needs a second IPv6 fragment.
            let longest = vec![7; 65_507];
            server.send(&path(client.local_addr().unwrap(), None), &longest, longest.len()).unwrap();
            assert_eq!(client.recv(&mut vec![0; 70_000]).unwrap(), longest.len(), "{address}");
        }
        assert_eq!(
            sockopt::ip_mtu_discover(&listener("127.0.0.1:0").socket).unwrap(),
            sockopt::Ipv4PathMtuDiscovery::DONT
        );
    }

    #[test]
    fn a_vanished_client_disturbs_neither_sending_nor_receiving() {
        let (server, alive) = (listener("127.0.0.1:0"), client("127.0.0.1:0"));
        let gone = client("127.0.0.1:0").local_addr().unwrap();
        for _ in 0..20 {
            server.send(&path(gone, None), b"anybody there?", 14).unwrap();
            server.send(&path(alive.local_addr().unwrap(), None), b"hello", 5).unwrap();
            assert_eq!(alive.recv(&mut [0; 100]).unwrap(), 5);
        }
        let nothing = server.receive(&mut ReceiveBatch::new()).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn stale_errors_are_sat_out_and_others_are_not() {
        for (errno, expected_calls) in [(Errno::CONNREFUSED, 2), (Errno::HOSTUNREACH, 2), (Errno::MSGSIZE, 1)]
        {
            let mut calls = 0;
            let outcome: io::Result<()> = repeating_stale_errors(|| {
                calls += 1;
                Err(errno.into())
            });
            assert!(outcome.is_err());
            assert_eq!(calls, expected_calls, "{errno}");
        }
        let mut outcomes = [Err(Errno::CONNREFUSED.into()), Ok(5)].into_iter();
        assert_eq!(repeating_stale_errors(|| outcomes.next().unwrap()).unwrap(), 5);
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let holder = listener("127.0.0.1:0");
        let taken = holder.address();
        let error = UdpListener::bind(taken).unwrap_err();
        assert_eq!(error.code(), "listen-address-in-use");
        assert_eq!(error.to_string(), format!("UDP {taken} is in use"));
        assert!(error.help().contains(&format!(":{}'", taken.port())));
    }

    #[test]
    fn a_group_shares_what_arrives_and_keeps_every_remote_at_one_socket() {
        let group =
            UdpListener::bind_group("127.0.0.1:0".parse().unwrap(), NonZero::new(4).unwrap()).unwrap();
        let address = group[0].address();
        assert!(group.iter().all(|listener| listener.address() == address));
        let clients: Vec<_> = (0..64).map(|_| client("127.0.0.1:0")).collect();
        for _ in 0..3 {
            clients.iter().for_each(|client| assert_eq!(client.send_to(b"hello", address).unwrap(), 5));
        }
        let remotes = |listener: &UdpListener| {
            let (mut batch, mut remotes) = (ReceiveBatch::new(), vec![]);
            while listener.receive(&mut batch).is_ok() {
                remotes.extend(batch.iter_mut().map(|(received, _)| received.remote));
            }
            remotes
        };
        let heard: Vec<_> = group.iter().map(remotes).collect();
        assert_eq!(heard.iter().map(Vec::len).sum::<usize>(), 3 * 64);
        assert!(heard.iter().filter(|remotes| !remotes.is_empty()).count() > 1, "64 remotes at one socket");
        for client in clients {
            let client = client.local_addr().unwrap();
            let shares =
                heard.iter().map(|remotes| remotes.iter().filter(|remote| **remote == client).count());
            assert_eq!(shares.filter(|share| *share > 0).collect::<Vec<_>>(), [3]);
        }
    }

    #[test]
    fn a_group_does_not_join_another() {
        let two = NonZero::new(2).unwrap();
        let group = UdpListener::bind_group("127.0.0.1:0".parse().unwrap(), two).unwrap();
        let error = UdpListener::bind_group(group[0].address(), two).unwrap_err();
        assert_eq!(error.code(), "listen-address-in-use");
    }

    #[test]
    fn an_address_that_no_interface_has_is_named() {
        let error = UdpListener::bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert_eq!(error.code(), "listen-address-not-available");
    }

    #[test]
    fn both_families_can_share_a_port() {
        let shares_a_port = || {
            let v6 = listener("[::]:0");
            UdpListener::bind((Ipv4Addr::UNSPECIFIED, v6.address().port()).into()).is_ok()
        };
        // A port that is free for IPv6 may happen to be taken for IPv4 by somebody else.
        assert!((0..10).any(|_| shares_a_port()));
    }

    #[test]
    fn buffers_are_large_where_privileges_allow() {
        let size = sockopt::socket_recv_buffer_size(&listener("127.0.0.1:0").socket).unwrap();
        let system = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap();
        let limit: usize = system.trim().parse().unwrap();
        assert!(size >= SOCKET_BUFFER.min(limit), "{size}");
    }

    fn receive(listener: &UdpListener, batch: &mut ReceiveBatch) {
        for _ in 0..60_000 {
            match listener.receive(batch) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                outcome => return outcome.unwrap(),
            }
        }
        panic!("nothing arrived");
    }

    fn listener(address: &str) -> UdpListener {
        UdpListener::bind(address.parse().unwrap()).unwrap()
    }

    fn client(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket
    }

    fn path(remote: SocketAddr, local: Option<IpAddr>) -> Path {
        Path { listener: ListenerId(0), transport: Transport::Udp, remote, local }
    }
}
