//! Clients and other programs that send and receive.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::UdpGsoSegment;
use vpn_proto::client::{Client, ClientConfig, ClientEvent};
use vpn_proto::{ListenerId, Path, Transport};
use vpn_server::clock::Clock;

use crate::PATIENCE;
use crate::sessions::entropy;

/// A client on a socket of its own.
pub(crate) struct RemoteClient {
    socket: UdpSocket,
    server: SocketAddr,
    client: Client,
    clock: Clock,
    pub(crate) address: Ipv4Addr,
}

impl RemoteClient {
    pub(crate) fn connect(server: SocketAddr, config: Arc<ClientConfig>, clock: Clock) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 4 << 20).unwrap();
        let path = Path { listener: ListenerId(0), transport: Transport::Udp, remote: server, local: None };
        let seed = 1000 + u64::from(socket.as_raw_fd().unsigned_abs());
        let client = Client::connect(config, path, clock.now(), entropy(seed));
        let mut remote = Self { socket, server, client, clock, address: Ipv4Addr::UNSPECIFIED };
        match remote.next_event() {
            Some(ClientEvent::Connected(pushed)) => remote.address = pushed.address,
            event => panic!("not connected: {event:?}"),
        }
        remote
    }

    pub(crate) fn send(&mut self, packet: &[u8]) {
        self.client.send_packet(self.clock.now(), packet);
        self.transmit();
    }

    /// Sends packets of one size so that they arrive together.
    pub(crate) fn send_together(&mut self, packets: &[Vec<u8>]) {
        let mut datagrams = vec![];
        for packet in packets {
            self.client.send_packet(self.clock.now(), packet);
            datagrams
                .extend(std::iter::from_fn(|| self.client.poll_transmit()).map(|transmit| transmit.payload));
        }
        send_segmented(&self.socket, self.server, &datagrams);
    }

    /// Goes on from another port.
    pub(crate) fn move_away(&mut self) {
        self.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    }

    pub(crate) fn receive(&mut self) -> Option<Vec<u8>> {
        let event = self.next_event()?;
        let ClientEvent::Packet(packet) = event else { panic!("no packet, but {event:?}") };
        Some(packet)
    }

    pub(crate) fn next_event(&mut self) -> Option<ClientEvent> {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 2000];
        self.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        while Instant::now() < deadline {
            self.transmit();
            if let Some(event) = self.client.poll_event() {
                return Some(event);
            }
            match self.socket.recv(&mut buffer) {
                Ok(length) => self.client.handle_datagram(self.clock.now(), &mut buffer[..length]),
                Err(_) => self.client.handle_timeout(self.clock.now()),
            }
        }
        None
    }

    pub(crate) fn transmit(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            self.socket.send_to(&transmit.payload, self.server).unwrap();
        }
    }
}

/// Whether both checksums of a UDP packet are right.
pub(crate) fn has_right_checksums(packet: &[u8]) -> bool {
    let sum = |octets: &[u8], initial: u32| {
        let words =
            octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
        let sum = initial + words.sum::<u32>();
        (sum & 0xffff) + (sum >> 16)
    };
    let (header, datagram) = packet.split_at(20);
    let pseudo_header = sum(&header[12..], 17 + u32::try_from(datagram.len()).unwrap());
    [sum(header, 0), sum(datagram, pseudo_header)].iter().all(|sum| sum % 0xffff == 0)
}

/// Sends datagrams of one size in one call.
pub(crate) fn send_segmented(socket: &UdpSocket, remote: SocketAddr, datagrams: &[Vec<u8>]) {
    let segment = i32::try_from(datagrams[0].len()).unwrap();
    setsockopt(socket, UdpGsoSegment, &segment).unwrap();
    socket.send_to(&datagrams.concat(), remote).unwrap();
    setsockopt(socket, UdpGsoSegment, &0).unwrap();
}
