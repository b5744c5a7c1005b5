//! Attacks by somebody who has a certificate.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use test_support::lab::TARGET;
use test_support::{Context, Failure, Result};
use vpn_proto::client::{Client, ClientConfig, ClientEvent, ClientTls};
use vpn_proto::{Entropy, ListenerId, Moment, Path, TlsVersion, Transport};

use crate::arena::{Attack, Course, MEMBER, Target};
use crate::weapons::{Noise, keep_sending, socket};

pub(crate) const ATTACKS: [Attack; 6] = [
    Attack { name: "handshakes, eight at a time", run: handshakes },
    Attack { name: "replayed data, from elsewhere too", run: replayed_data },
    Attack { name: "forged inner sources and fragments", run: forged_inner_packets },
    Attack { name: "flood of push requests", run: push_requests },
    Attack { name: "flood of renegotiations", run: renegotiations },
    Attack { name: "60 KiB of peer info, again and again", run: peer_info },
];

const LIMIT: Duration = Duration::from_secs(60);

/// A client of our own making.
struct Member {
    client: Client,
    socket: UdpSocket,
    origin: Instant,
}

impl Member {
    fn join(target: &Target<'_>, peer_info: Option<String>) -> Result<Self> {
        let certificate = |name: &str| {
            CertificateDer::from_pem_file(target.pki.certificate(name)).context("reading a certificate")
        };
        let key = PrivateKeyDer::from_pem_file(target.pki.private_key(MEMBER)).context("reading a key")?;
        let chain = vec![certificate(MEMBER)?];
        let tls = ClientTls::new(chain, key, certificate("server")?, TlsVersion::Tls12);
        let mut config = ClientConfig::new(tls);
        config.peer_info.extend(peer_info);
        let socket = socket(target.host, target.server)?;
        socket.set_read_timeout(Some(Duration::from_millis(1))).context("setting a time limit")?;
        let (origin, path) = (Instant::now(), path(target.server));
        let entropy = Box::new(Random(Noise::new(std::process::id().into())));
        let client = Client::connect(Arc::new(config), path, Moment::default(), entropy);
        Ok(Self { client, socket, origin })
    }

    fn connect(mut self) -> Result<Self> {
        while self.origin.elapsed() < LIMIT {
            self.live();
            if let Some(ClientEvent::Connected(_)) = self.client.poll_event() {
                return Ok(self);
            }
            if self.client.poll_timeout().is_none() {
                break;
            }
        }
        Err(Failure::new(format!("{MEMBER} does not get in")))
    }

    fn now(&self) -> Moment {
        Moment::default() + self.origin.elapsed()
    }

    /// Sends what there is to send and takes what has come.
    fn live(&mut self) {
        for datagram in self.outgoing() {
            let _ = self.socket.send(&datagram);
        }
        let mut buffer = [0; 2048];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            self.client.handle_datagram(self.now(), &mut buffer[..length]);
        }
        let now = self.now();
        if self.client.poll_timeout().is_some_and(|wakeup| wakeup.at <= now) {
            self.client.handle_timeout(now);
        }
    }

    fn outgoing(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.client.poll_transmit()).map(|transmit| transmit.payload).collect()
    }

    fn sealed(&mut self, packet: &[u8]) -> Vec<u8> {
        self.client.send_packet(self.now(), packet);
        self.outgoing().pop().unwrap_or_default()
    }
}

fn replayed_data(target: &Target<'_>, course: &Course) -> Result<()> {
    let mut member = Member::join(target, None)?.connect()?;
    let elsewhere = socket(target.host, target.server)?;
    let packets: Vec<_> = (0..50_u8).map(|number| member.sealed(&udp([10, 8, 0, 9], number))).collect();
    let mut number = 0;
    keep_sending(course, 20_000, || {
        number += 1;
        let from = if number % 2 == 0 { &member.socket } else { &elsewhere };
        let _ = from.send(&packets[number % 50]);
    });
    Ok(())
}

/// Nothing of it may arrive: a listener at the target looks out.
fn forged_inner_packets(target: &Target<'_>, course: &Course) -> Result<()> {
    let ear = target.lab.target().udp_socket(TARGET, INNER_PORT)?;
    ear.set_nonblocking(true).context("preparing to listen")?;
    let mut member = Member::join(target, None)?.connect()?;
    let mut noise = Noise::new(8);
    keep_sending(course, 5000, || {
        let source =
            [[10, 8, 0, 1], [10, 7, 0, 1], [127, 0, 0, 1], [0, 0, 0, 0], [10, 8, 0, 200]][noise.below(5)];
        let mut packet = udp(source, 0);
        match noise.below(4) {
            0 => packet[6] = 0x20,
            1 => packet[7] = 1,
            2 => packet[0] = 0x65,
            _ => {}
        }
        let sealed = member.sealed(&packet);
        let _ = member.socket.send(&sealed);
    });
    match ear.recv(&mut [0; 100]) {
        Ok(_) => Err(Failure::new("a forged packet arrived at the target")),
        Err(_) => Ok(()),
    }
}

fn push_requests(target: &Target<'_>, course: &Course) -> Result<()> {
    let mut member = Member::join(target, None)?.connect()?;
    keep_sending(course, 2000, || {
        member.client.ask(member.now());
        member.live();
    });
    Ok(())
}

fn renegotiations(target: &Target<'_>, course: &Course) -> Result<()> {
    let mut member = Member::join(target, None)?.connect()?;
    keep_sending(course, 500, || {
        member.client.renegotiate(member.now());
        member.live();
        while member.client.poll_event().is_some() {}
    });
    Ok(())
}

fn peer_info(target: &Target<'_>, course: &Course) -> Result<()> {
    let line = format!("UV_X={}\n", "x".repeat(1000));
    course.is_under_way();
    while course.goes_on() {
        let mut member = Member::join(target, Some(line.repeat(60)))?;
        course.count();
        let began = Instant::now();
        while course.goes_on() && began.elapsed() < Duration::from_millis(500) {
            member.live();
        }
    }
    Ok(())
}

/// Whole handshakes, each of which takes the place of the one before.
fn handshakes(target: &Target<'_>, course: &Course) -> Result<()> {
    course.is_under_way();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while course.goes_on() {
                    // Who loses its place to another of the eight does not get in, which is no news.
                    if Member::join(target, None).and_then(Member::connect).is_ok() {
                        course.count();
                    }
                }
            });
        }
    });
    Ok(())
}

/// A datagram to the target.
fn udp(source: [u8; 4], number: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, number, 0, 0, 64, 17, 0, 0];
    packet.extend(source);
    packet.extend(TARGET.octets());
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(pair[0]) * 256 + u32::from(pair[1])).sum();
    let folded = !((sum & 0xffff) + (sum >> 16));
    let [_, _, high, low] = folded.to_be_bytes();
    (packet[10], packet[11]) = (high, low);
    let [high, low] = INNER_PORT.to_be_bytes();
    packet.extend([0x30, 0x39, high, low, 0, 20, 0, 0]);
    packet.extend([number; 12]);
    packet
}

/// Where forged packets would arrive.
const INNER_PORT: u16 = 4444;

fn path(server: SocketAddr) -> Path {
    Path { listener: ListenerId(0), transport: Transport::Udp, remote: server, local: None }
}

struct Random(Noise);

impl Entropy for Random {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0.octets(out.len()));
    }
}
