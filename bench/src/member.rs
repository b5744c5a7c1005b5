//! One client on a socket of its own.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use vpn_proto::client::{Client, ClientConfig, ClientEvent};
use vpn_proto::{Entropy, ListenerId, Moment, Path, Transport};

/// A client and its socket.
pub(crate) struct Member {
    socket: UdpSocket,
    client: Client,
    begun: Moment,
    standing: Standing,
    buffer: Vec<u8>,
}

/// How far a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Connecting,
    Connected(Ipv4Addr),
    /// It has no tunnel any more or got none: the reason.
    Gone(String),
}

impl Member {
    /// Begins to connect from `socket`, which is connected to `server`.
    pub(crate) fn connect(
        server: SocketAddr,
        socket: UdpSocket,
        config: Arc<ClientConfig>,
        now: Moment,
    ) -> Self {
        let path = Path { listener: ListenerId(0), transport: Transport::Udp, remote: server, local: None };
        let client = Client::connect(config, path, now, Box::new(OperatingSystem));
        let standing = Standing::Connecting;
        let mut member = Self { socket, client, begun: now, standing, buffer: vec![] };
        member.transmit();
        member
    }

    pub(crate) const fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(crate) const fn begun(&self) -> Moment {
        self.begun
    }

    /// Takes what has arrived and hands tunnel packets to `take`.
    pub(crate) fn receive(&mut self, now: Moment, buffer: &mut [u8], mut take: impl FnMut(&[u8])) {
        for _ in 0..RECEIVES_PER_TURN {
            match self.socket.recv(buffer) {
                Ok(length) => self.client.handle_datagram(now, &mut buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.standing = Standing::Gone("the port is closed".to_owned());
                }
                Err(_) => break,
            }
            while let Some(event) = self.client.poll_event() {
                self.heed(event, &mut take);
            }
        }
        self.transmit();
    }

    /// Does whatever is due.
    pub(crate) fn tick(&mut self, now: Moment) {
        if self.client.poll_timeout().is_some_and(|wakeup| wakeup.at <= now) {
            self.client.handle_timeout(now);
            while let Some(event) = self.client.poll_event() {
                self.heed(event, &mut |_| {});
            }
            self.transmit();
        }
    }

    /// Sends one packet through the tunnel.
    pub(crate) fn send(&mut self, now: Moment, packet: &[u8]) {
        self.client.send_packet(now, packet);
        self.transmit();
    }

    /// Sends a packet so many times in one call; answers with how many were taken.
    pub(crate) fn send_burst(&mut self, now: Moment, packet: &[u8], count: u16) -> u16 {
        let Some(channel) = self.client.data_channel() else { return 0 };
        let layout = channel.layout();
        let length = layout.datagram_length(packet.len());
        self.buffer.resize(length * usize::from(count), 0);
        for datagram in self.buffer.chunks_mut(length) {
            datagram[layout.front()..][..packet.len()].copy_from_slice(packet);
            if channel.seal(now, packet.len(), datagram).is_err() {
                return 0;
            }
        }
        if send_segmented(&self.socket, &self.buffer, length).is_ok() { count } else { 0 }
    }

    /// Goes on from `socket`, as a client behind a translator does that forgot it.
    pub(crate) fn roam(&mut self, socket: UdpSocket) {
        self.socket = socket;
    }

    /// Begins a renegotiation.
    pub(crate) fn renegotiate(&mut self, now: Moment) {
        self.client.renegotiate(now);
        self.transmit();
    }

    /// Says that it leaves.
    pub(crate) fn leave(mut self, now: Moment) {
        self.client.exit(now);
        self.transmit();
    }

    fn heed(&mut self, event: ClientEvent, take: &mut impl FnMut(&[u8])) {
        match event {
            ClientEvent::Connected(pushed) => self.standing = Standing::Connected(pushed.address),
            ClientEvent::Packet(packet) => take(&packet),
            ClientEvent::AuthFailed(reason)
            | ClientEvent::Restart(reason)
            | ClientEvent::Halt(reason)
            | ClientEvent::Failed(reason) => self.standing = Standing::Gone(reason),
            ClientEvent::Renegotiated(_)
            | ClientEvent::Pending(_)
            | ClientEvent::Prompt(_)
            | ClientEvent::Updated(_)
            | ClientEvent::Pushed(_) => {}
        }
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            // What is lost is repeated.
            let _ = self.socket.send(&transmit.payload);
        }
    }
}

impl AsFd for Member {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sends datagrams of `segment` octets each in one call on a connected socket.
pub(crate) fn send_segmented(socket: &UdpSocket, datagrams: &[u8], segment: usize) -> io::Result<()> {
    let segment = u16::try_from(segment).map_err(io::Error::other)?;
    let control = [ControlMessage::UdpGsoSegments(&segment)];
    let control = if datagrams.len() > usize::from(segment) { &control[..] } else { &[] };
    let flags = MsgFlags::empty();
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(datagrams)], control, flags, None)?;
    Ok(())
}

/// The operating system's randomness.
struct OperatingSystem;

impl Entropy for OperatingSystem {
    /// # Panics
    ///
    /// Where the operating system has no randomness.
    fn fill(&mut self, out: &mut [u8]) {
        let mut filled = 0;
        while filled < out.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            match rustix::rand::getrandom(&mut out[filled..], flags) {
                Ok(count) => filled += count,
                Err(error) => panic!("the operating system has no randomness: {error}"),
            }
        }
    }
}

/// Datagrams that one client takes before the next has its turn.
const RECEIVES_PER_TURN: usize = 64;
