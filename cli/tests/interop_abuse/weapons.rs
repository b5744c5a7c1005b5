//! What attackers send with.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use test_support::{Context, Failure, Host, Result};

use crate::arena::Course;

/// A small generator of numbers that nobody needs to repeat or to guess.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn octets(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[3]).collect()
    }

    pub(crate) fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// An address that could be anybody's.
    pub(crate) fn source(&mut self) -> SocketAddrV4 {
        let [a, b, c, d, e, f, ..] = self.next().to_be_bytes();
        let port = u16::from_be_bytes([e, f]).max(1024);
        SocketAddrV4::new(Ipv4Addr::new(11 + a % 100, b, c, d.clamp(1, 254)), port)
    }
}

/// Keeps to a number of datagrams per second.
pub(crate) struct Pace {
    began: Instant,
    per_second: u64,
    sent: u64,
}

impl Pace {
    pub(crate) fn of(per_second: u64) -> Self {
        Self { began: Instant::now(), per_second, sent: 0 }
    }

    /// Waits until the next datagram may leave; looks at the clock now and then only.
    pub(crate) fn wait(&mut self) {
        self.sent += 1;
        if self.sent.is_multiple_of(64) {
            let due = Duration::from_micros(self.sent * 1_000_000 / self.per_second);
            thread::sleep(due.saturating_sub(self.began.elapsed()));
        }
    }
}

/// A socket of the attacker's own, connected to the server.
pub(crate) fn socket(host: &Host, server: SocketAddr) -> Result<UdpSocket> {
    let socket = host.udp_socket(Ipv4Addr::UNSPECIFIED, 0)?;
    socket.connect(server).context("connecting a socket")?;
    socket.set_read_timeout(Some(Duration::from_millis(200))).context("setting a time limit")?;
    Ok(socket)
}

/// Sends UDP datagrams from whatever address it likes.
pub(crate) struct Forger {
    socket: Socket,
    server: SocketAddrV4,
}

impl Forger {
    pub(crate) fn on(host: &Host, server: SocketAddr) -> Result<Self> {
        /// IPPROTO_RAW: the sender writes the IP header.
        const RAW: i32 = 255;
        let SocketAddr::V4(server) = server else {
            return Err(Failure::new("forging is done over IPv4"));
        };
        let socket = host.enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(RAW))))?;
        Ok(Self { socket: socket.context("making a raw socket")?, server })
    }

    /// Sends one datagram; what the kernel does not take is not sent.
    pub(crate) fn send(&self, from: SocketAddrV4, payload: &[u8]) {
        let length = u16::try_from(28 + payload.len()).unwrap_or(u16::MAX);
        let mut packet = Vec::with_capacity(28 + payload.len());
        packet.extend([0x45, 0]);
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        packet.extend(from.ip().octets());
        packet.extend(self.server.ip().octets());
        packet.extend(from.port().to_be_bytes());
        packet.extend(self.server.port().to_be_bytes());
        packet.extend((length - 20).to_be_bytes());
        // No checksum, which IPv4 allows.
        packet.extend([0, 0]);
        packet.extend(payload);
        let _ = self.socket.send_to(&packet, &self.server.into());
    }
}

/// A hard reset without wrapping.
pub(crate) fn reset(client_id: u64) -> Vec<u8> {
    [&[0x38][..], &client_id.max(1).to_be_bytes(), &[0; 5]].concat()
}

/// The server's session id in the answer to a hard reset, if one comes.
pub(crate) fn cookie(socket: &UdpSocket, client_id: u64) -> Option<[u8; 8]> {
    let mut answer = [0; 100];
    for _ in 0..2 {
        // A server that does not answer is asked again.
        let _ = socket.send(&reset(client_id));
        if let Ok(length @ 26..) = socket.recv(&mut answer) {
            return answer[..length].get(1..9)?.try_into().ok();
        }
    }
    None
}

/// The acknowledgement that begins a handshake.
pub(crate) fn acknowledgement(client_id: u64, cookie: [u8; 8]) -> Vec<u8> {
    [&[0x28][..], &client_id.to_be_bytes(), &[1, 0, 0, 0, 0], &cookie].concat()
}

/// A control packet with TLS octets.
pub(crate) fn control(client_id: u64, cookie: [u8; 8], message: u32, octets: &[u8]) -> Vec<u8> {
    let acknowledged = [&[1, 0, 0, 0, 0][..], &cookie].concat();
    [&[0x20][..], &client_id.to_be_bytes(), &acknowledged, &message.to_be_bytes(), octets].concat()
}

/// Calls `send` again and again, so often per second, as long as the attack goes on.
pub(crate) fn keep_sending(course: &Course, per_second: u64, mut send: impl FnMut()) {
    let mut pace = Pace::of(per_second);
    course.is_under_way();
    while course.goes_on() {
        send();
        course.count();
        pace.wait();
    }
}
