//! What a session does at the limits of its keys.
//!
//! Test code only: no simulated world can send 2^31 packets, so the counters of live sessions are set close to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use self::credentials::{certificate, key};
use super::Endpoint;
use crate::client::{Client, ClientConfig, ClientEvent, ClientTls};
use crate::config::EndpointConfig;
use crate::data::DataChannel;
use crate::entropy::Entropy;
use crate::event::{Authorization, CloseReason, Event, Grant};
use crate::identity::{CertificateCheck, CertificateVerdict, PeerIdentity};
use crate::ids::{KeyId, ListenerId, PeerId};
use crate::moment::Moment;
use crate::path::{Path, Transport};
use crate::tls::{TlsSettings, TlsVersion};
use crate::wire::opcode::{Class, classify};

#[path = "../../tests/support/credentials.rs"]
mod credentials;

#[test]
fn key_02_a_session_renegotiates_when_half_of_its_packet_ids_are_used_up() {
    let mut pair = Pair::connected();
    pair.channel().set_next_packet_id((1 << 31) - 10);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.renegotiated, [], "a few keepalives are left");
    pair.channel().set_next_packet_id((1 << 31) + 1);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.renegotiated, [KeyId::FIRST.next()]);
    assert_eq!(pair.closed, []);
}

#[test]
fn key_03_a_session_renegotiates_when_forgeries_become_worrying_and_ends_when_they_become_too_many() {
    let mut pair = Pair::connected();
    pair.channel().set_forgeries(1 << 35);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.renegotiated, [KeyId::FIRST.next()]);
    pair.channel().set_forgeries((1 << 36) - 1);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.closed, []);
    pair.channel().set_forgeries(1 << 36);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.closed, [CloseReason::TooManyForgeries]);
    assert!(!pair.channel().is_open());
    assert_eq!(pair.ended, Some(ClientEvent::Restart(String::new())), "the client comes back by itself");
}

/// A server and a client without a network between them.
struct Pair {
    now: Moment,
    endpoint: Endpoint,
    client: Client,
    channel: Option<Arc<DataChannel>>,
    renegotiated: Vec<KeyId>,
    closed: Vec<CloseReason>,
    ended: Option<ClientEvent>,
}

impl Pair {
    fn connected() -> Self {
        let now = Moment::default();
        let mut config = EndpointConfig::new(server_tls(), Arc::new(Everybody));
        config.renegotiate_after = None;
        let client =
            Client::connect(Arc::new(ClientConfig::new(client_tls())), path(), now, Box::new(Counter(2)));
        let mut pair = Self {
            now,
            endpoint: Endpoint::new(Arc::new(config), Box::new(Counter(1))),
            client,
            channel: None,
            renegotiated: vec![],
            closed: vec![],
            ended: None,
        };
        pair.run_for(Duration::from_secs(1));
        assert!(pair.channel.is_some());
        pair
    }

    fn channel(&self) -> &DataChannel {
        self.channel.as_ref().unwrap()
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.exchange();
            self.now = self.now + Duration::from_millis(100);
            self.endpoint.handle_timeout(self.now);
            self.client.handle_timeout(self.now);
        }
        self.exchange();
    }

    fn exchange(&mut self) {
        loop {
            self.handle_events();
            let to_client = self.endpoint.poll_transmit();
            let to_server = self.client.poll_transmit();
            if to_client.is_none() && to_server.is_none() {
                return;
            }
            if let Some(mut transmit) = to_client {
                self.client.handle_datagram(self.now, &mut transmit.payload);
            }
            if let Some(mut transmit) = to_server {
                self.serve(&mut transmit.payload);
            }
        }
    }

    fn serve(&mut self, datagram: &mut [u8]) {
        match (classify(datagram), &self.channel) {
            (Class::Data { .. }, Some(channel)) => {
                // Keepalives, and what arrives after the end.
                let _ = channel.open(self.now, &path(), datagram);
            }
            _ => self.endpoint.handle_datagram(self.now, path(), datagram),
        }
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::AuthorizationRequested { session, .. } => {
                    self.endpoint.authorize(self.now, session, Authorization::Grant(grant()));
                }
                Event::Established { channel, .. } => self.channel = Some(channel),
                Event::Renegotiated { key_id, .. } => self.renegotiated.push(key_id),
                Event::Closed { reason, .. } => self.closed.push(reason),
                Event::HandshakeBegun { .. } | Event::PathSettled { .. } => {}
                Event::Floated { .. }
                | Event::Abandoned { .. }
                | Event::AttemptFailed { .. }
                | Event::ChallengeResponse { .. }
                | Event::ReauthorizationRequested { .. } => panic!("{event:?}"),
            }
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Connected(_) | ClientEvent::Renegotiated(_) | ClientEvent::Packet(_) => {}
                ClientEvent::AuthFailed(_)
                | ClientEvent::Restart(_)
                | ClientEvent::Halt(_)
                | ClientEvent::Failed(_) => self.ended = Some(event),
                ClientEvent::Pending(_)
                | ClientEvent::Prompt(_)
                | ClientEvent::Updated(_)
                | ClientEvent::Pushed(_) => {
                    panic!("{event:?}")
                }
            }
        }
    }
}

fn grant() -> Grant {
    Grant {
        peer_id: PeerId::FIRST,
        address: [10, 8, 0, 2].into(),
        netmask: [255, 255, 255, 0].into(),
        gateway: [10, 8, 0, 1].into(),
        ipv6: None,
        reauthenticate: false,
        token_username: None,
        options: vec![],
    }
}

fn path() -> Path {
    let remote = SocketAddr::from(([192, 0, 2, 2], 5000));
    Path { listener: ListenerId(0), transport: Transport::Udp, remote, local: None }
}

fn server_tls() -> TlsSettings {
    TlsSettings::new(vec![certificate("server")], key("server"), TlsVersion::Tls13).unwrap()
}

fn client_tls() -> ClientTls {
    let chain = vec![certificate("client1")];
    ClientTls::new(chain, key("client1"), certificate("server"), TlsVersion::Tls13)
}

struct Everybody;

impl CertificateCheck for Everybody {
    fn check(&self, _chain: &[CertificateDer<'_>]) -> CertificateVerdict {
        let common_name = "client1".to_owned();
        CertificateVerdict::Accepted(PeerIdentity { common_name, fingerprint: [1; 32], path: vec![] })
    }
}

struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| {
            self.0 = self.0.wrapping_add(1);
            self.0
        });
    }
}
