//! Real sessions without sockets: an endpoint and clients of the protocol core that talk in memory.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use vpn_proto::client::{Client, ClientConfig, ClientEvent, ClientTls};
use vpn_proto::{
    Authorization, CbcCipher, CertificateCheck, CertificateVerdict, DataChannel, Endpoint, EndpointConfig,
    Entropy, Event, Farewell, Grant, ListenerId, Moment, Path, PeerId, PeerIdentity, SessionHandle,
    TlsSettings, TlsVersion, Transport,
};

/// An endpoint that lets everybody in.
pub(crate) struct Sessions {
    endpoint: Endpoint,
    client: Arc<ClientConfig>,
    now: Moment,
    seed: u64,
}

/// A session that is up, with both its ends.
pub(crate) struct Session {
    pub(crate) handle: SessionHandle,
    /// The server's end.
    pub(crate) channel: Arc<DataChannel>,
    /// The client's end.
    pub(crate) client: Client,
    pub(crate) path: Path,
    pub(crate) address: Ipv4Addr,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With clients that leave by a data packet, because they know no other way.
    pub(crate) fn with_old_clients() -> Self {
        Self::with(|client| speak(client, 2))
    }

    /// With clients that have the epoch format.
    pub(crate) fn with_modern_clients() -> Self {
        Self::with(|client| speak(client, 8094))
    }

    /// With clients whose data packets do not name their session.
    pub(crate) fn with_clients_without_peer_id() -> Self {
        Self::with(|client| speak(client, 0))
    }

    /// With clients that know no AEAD.
    pub(crate) fn with_cbc_clients() -> Self {
        Self::with(|client| {
            client.peer_info = "IV_PROTO=990\nIV_CIPHERS=AES-256-CBC\n".to_owned();
            client.options = client.options.replace("auth SHA1", "auth SHA256");
        })
    }

    fn with(change: impl FnOnce(&mut ClientConfig)) -> Self {
        let (mut endpoint, mut client) = configurations();
        endpoint.cbc_ciphers = CbcCipher::ALL.to_vec();
        change(&mut client);
        Self {
            endpoint: Endpoint::new(Arc::new(endpoint), entropy(1)),
            client: Arc::new(client),
            now: Moment::from_micros(1_000_000),
            seed: 1,
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// Brings up a session of a client on `path`, whose peer id is `peer_id` and whose tunnel address `address` is.
    pub(crate) fn connect(&mut self, peer_id: PeerId, path: Path, address: Ipv4Addr) -> Session {
        self.seed += 1;
        let grant = Grant {
            peer_id,
            address,
            netmask: Ipv4Addr::new(255, 255, 255, 0),
            gateway: Ipv4Addr::new(10, 8, 0, 1),
            ipv6: None,
            reauthenticate: false,
            token_username: None,
            options: vec![],
        };
        let mut client = Client::connect(Arc::clone(&self.client), path, self.now, entropy(self.seed));
        let mut established = None;
        for _ in 0..500 {
            let was_idle = !self.exchange(&mut client, path, &grant, &mut established);
            match (client.poll_event(), established.take()) {
                (Some(ClientEvent::Connected(_)), Some((handle, channel))) => {
                    return Session { handle, channel, client, path, address };
                }
                (Some(ClientEvent::Connected(_)), None) => panic!("connected to nobody"),
                (Some(event), _) => panic!("{event:?}"),
                (None, up) => established = up,
            }
            if was_idle {
                self.now = self.now + Duration::from_millis(100);
                client.handle_timeout(self.now);
                self.endpoint.handle_timeout(self.now);
            }
        }
        panic!("no session came up");
    }

    /// Closes a session on the server's side: its keys are gone.
    pub(crate) fn close(&mut self, session: &Session) {
        self.endpoint.close(self.now, session.handle, Farewell::Silent);
        assert!(!session.channel.is_open());
    }

    /// Tells the endpoint that a session's client was heard at `path`.
    pub(crate) fn report_float(&mut self, session: SessionHandle, path: Path) {
        self.endpoint.peer_floated(self.now, session, path);
    }

    /// Carries datagrams both ways and answers the endpoint; `false` if there was nothing to do.
    fn exchange(
        &mut self,
        client: &mut Client,
        path: Path,
        grant: &Grant,
        established: &mut Option<(SessionHandle, Arc<DataChannel>)>,
    ) -> bool {
        let mut has_acted = false;
        while let Some(transmit) = client.poll_transmit() {
            self.endpoint.handle_datagram(self.now, path, &transmit.payload);
            has_acted = true;
        }
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::AuthorizationRequested { session, .. } => {
                    self.endpoint.authorize(self.now, session, Authorization::Grant(grant.clone()));
                }
                Event::Established { session, channel } => *established = Some((session, channel)),
                Event::Closed { .. } | Event::HandshakeBegun { .. } | Event::PathSettled { .. } => {}
                Event::Floated { .. }
                | Event::Renegotiated { .. }
                | Event::Abandoned { .. }
                | Event::AttemptFailed { .. }
                | Event::ChallengeResponse { .. }
                | Event::ReauthorizationRequested { .. } => panic!("{event:?}"),
            }
            has_acted = true;
        }
        while let Some(mut transmit) = self.endpoint.poll_transmit() {
            if transmit.path == path {
                client.handle_datagram(self.now, &mut transmit.payload);
                has_acted = true;
            }
        }
        has_acted
    }
}

impl Session {
    /// What the client sends for a tunnel packet.
    pub(crate) fn seal(&self, now: Moment, packet: &[u8]) -> Vec<u8> {
        self.client.data_channel().unwrap().seal_packet(now, packet).unwrap()
    }

    /// The tunnel packet that the client finds in a datagram.
    pub(crate) fn open(&mut self, now: Moment, datagram: &[u8]) -> Vec<u8> {
        self.client.handle_datagram(now, &mut datagram.to_vec());
        match self.client.poll_event() {
            Some(ClientEvent::Packet(packet)) => packet,
            event => panic!("no packet, but {event:?}"),
        }
    }
}

/// Has a client say that it can do what these bits mean.
fn speak(client: &mut ClientConfig, protocol: u32) {
    client.peer_info = client.peer_info.replace("IV_PROTO=990", &format!("IV_PROTO={protocol}"));
}

struct Everybody;

impl CertificateCheck for Everybody {
    fn check(&self, _chain: &[CertificateDer<'_>]) -> CertificateVerdict {
        CertificateVerdict::Accepted(PeerIdentity {
            common_name: "client".to_owned(),
            fingerprint: [0; 32],
            path: vec![],
        })
    }
}

/// Octets that look random and are the same in every run.
struct Seeded(u64);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *octet = self.0.to_be_bytes()[0];
        }
    }
}

/// A server that lets everybody in, and a client that trusts it.
pub(crate) fn configurations() -> (EndpointConfig, ClientConfig) {
    let (server_leaf, server_key) = identity("server");
    let (client_leaf, client_key) = identity("client");
    let server = TlsSettings::new(vec![server_leaf.clone()], server_key, TlsVersion::Tls12).unwrap();
    let client = ClientTls::new(vec![client_leaf], client_key, server_leaf, TlsVersion::Tls12);
    (EndpointConfig::new(server, Arc::new(Everybody)), ClientConfig::new(client))
}

pub(crate) fn entropy(seed: u64) -> Box<dyn Entropy> {
    Box::new(Seeded(seed))
}

fn identity(name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

/// The way between the first listener and a client at `remote`.
pub(crate) fn path(transport: Transport, remote: SocketAddr) -> Path {
    Path { listener: ListenerId(0), transport, remote, local: None }
}
