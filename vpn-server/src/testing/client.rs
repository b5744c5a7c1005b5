//! A client of the protocol core on a socket of this thread's namespace.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use vpn_proto::client::{Client, ClientConfig, ClientEvent, ClientTls, Pushed};
use vpn_proto::wire::tcp::{Deframer, LONGEST_FRAME, prefix};
use vpn_proto::{ListenerId, Path, TlsVersion, Transport};

use super::pki::{Issued, TestPki};
use crate::clock::Clock;
use crate::random::OperatingSystem;

/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one look at the socket takes when nothing comes.
const GLANCE: Duration = Duration::from_millis(5);

/// A client and its way to the server.
pub(crate) struct TestClient {
    client: Client,
    wire: Wire,
    clock: Clock,
}

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Deframer),
}

impl TestClient {
    /// A client of the UDP listener at 127.0.0.1:1194.
    pub(crate) fn new(pki: &TestPki, issued: &Issued) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect("127.0.0.1:1194").unwrap();
        socket.set_read_timeout(Some(GLANCE)).unwrap();
        let server = socket.peer_addr().unwrap();
        Self::on(Wire::Udp(socket), server, pki, issued)
    }

    /// A client with a connection to `server`.
    pub(crate) fn over_tcp(server: &str, pki: &TestPki, issued: &Issued) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(GLANCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::on(Wire::Tcp(stream, Deframer::default()), server.parse().unwrap(), pki, issued)
    }

    fn on(wire: Wire, remote: SocketAddr, pki: &TestPki, issued: &Issued) -> Self {
        let server = CertificateDer::from_pem_file(pki.directory().join("issued/server.crt")).unwrap();
        let chain = vec![issued.certificate.clone()];
        let tls = ClientTls::new(chain, issued.key.clone_key(), server, TlsVersion::Tls12);
        let path = Path { listener: ListenerId(0), transport: Transport::Udp, remote, local: None };
        let (clock, config) = (Clock::start(), Arc::new(ClientConfig::new(tls)));
        let client = Client::connect(config, path, clock.now(), Box::new(OperatingSystem));
        Self { client, wire, clock }
    }

    /// What the server pushes of routes and name servers, once the tunnel is up.
    pub(crate) fn connect(&mut self) -> Pushed {
        let event = self.next_event();
        let ClientEvent::Connected(mut pushed) = event else { panic!("{event:?}") };
        pushed.options.retain(|option| option.starts_with("route ") || option.starts_with("dhcp-option"));
        *pushed
    }

    pub(crate) fn next_event(&mut self) -> ClientEvent {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(event) = self.client.poll_event() {
                return event;
            }
            self.live();
        }
        panic!("nothing happened");
    }

    /// Sends what there is to send, and looks once whether something comes. Answers with whether the connection goes on.
    pub(crate) fn live(&mut self) -> bool {
        self.acknowledge();
        let goes_on = self.receive();
        if self.client.poll_timeout().is_some_and(|wakeup| wakeup.at <= self.clock.now()) {
            self.client.handle_timeout(self.clock.now());
        }
        goes_on
    }

    pub(crate) fn acknowledge(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            // A server that closed the connection is found out when reading.
            let _ = match &mut self.wire {
                Wire::Udp(socket) => socket.send(&transmit.payload).map(drop),
                Wire::Tcp(stream, _) => {
                    let prefix = prefix(transmit.payload.len()).unwrap();
                    stream.write_all(&[&prefix[..], &transmit.payload].concat())
                }
            };
        }
    }

    fn receive(&mut self) -> bool {
        let now = self.clock.now();
        let mut buffer = [0; LONGEST_FRAME];
        match &mut self.wire {
            Wire::Udp(socket) => {
                if let Ok(length) = socket.recv(&mut buffer) {
                    self.client.handle_datagram(now, &mut buffer[..length]);
                }
                true
            }
            Wire::Tcp(stream, deframer) => match deframer.fill(&mut buffer, |space| stream.read(space)) {
                Ok((0, _)) => false,
                Ok((_, mut frames)) => {
                    while let Some(packet) = frames.next_packet().unwrap() {
                        self.client.handle_datagram(now, packet);
                    }
                    deframer.keep(&frames);
                    true
                }
                Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            },
        }
    }

    /// Lives until the server closes the connection.
    pub(crate) fn wait_closed(&mut self) {
        let start = Instant::now();
        while self.live() {
            assert!(start.elapsed() < PATIENCE, "the connection stays open");
        }
    }
}
