//! The whole control plane without a network: real shards, real certificates, and clients of the protocol core that
//! talk to them through memory.

mod decisions;
mod logins;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pki_core::time::Timestamp;
use vpn_proto::client::{Client, ClientConfig, ClientEvent, ClientTls, Pushed};
use vpn_proto::{EndpointConfig, ListenerId, Path, TlsVersion, Transport};

use super::connection::EndpointId;
use super::{ControlPlane, ControlSettings, Mailroom, SendDatagrams};
use crate::addr::{AddressBook, AddressPool};
use crate::auth::login::Authenticator;
use crate::auth::{CredentialSource, Credentials, CrlReload, TrustKeeper};
use crate::clock::Clock;
use crate::config::{
    ClientCidrs, DuplicatePolicy, InsideSettings, LiveSettings, Network, PushSettings, SessionLimits,
    TunnelMode,
};
use crate::dataplane::{ControlInput, ControlSink, Tables};
use crate::observe::connection_log::ConnectionLog;
use crate::policy::{Evaluation, Policy, Ruleset, TunnelNetwork};
use crate::random::OperatingSystem;
use crate::testing::pki::{Issued, TestPki};
use crate::transport::tcp::Standing;

/// Far more than anything in here takes.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_client_gets_in_and_is_known_everywhere() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let mut client = world.client(&alice, 1);
    let pushed = world.connect(&mut client);
    assert_eq!(pushed.address, Ipv4Addr::new(10, 8, 0, 2));
    assert!(pushed.options.contains(&"route 10.7.0.0 255.255.255.0".to_owned()), "{:?}", pushed.options);
    assert_eq!(world.tables.peer_id_of(pushed.address), pushed.peer_id);
    let connections = world.plane().handle().connections();
    assert_eq!(connections[0].connection.client.common_name, "alice");
    assert_eq!(connections[0].connection.client.serial, "1001");
    assert_eq!(world.plane().handle().totals().established, 1);
    let log = world.end();
    assert_eq!(events(&log), ["established alice", "closed alice server-stopping"]);
}

#[test]
fn crl_03_a_revoked_client_loses_its_session_and_nobody_else_does() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let (mut of_alice, mut of_bob) = (world.client(&alice, 1), world.client(&bob, 2));
    let address = world.connect(&mut of_alice).address;
    let address_of_bob = world.connect(&mut of_bob).address;
    world.revoke(&alice);
    world.wait_for(&mut of_alice, ClientEvent::AuthFailed("certificate revoked".to_owned()));
    assert_eq!(world.tables.peer_id_of(address), None);
    assert!(world.tables.peer_id_of(address_of_bob).is_some());
    assert_eq!(world.plane().handle().totals().revoked, 1);
    assert!(of_bob.events.is_empty(), "{:?}", of_bob.events);
    let mut again = world.client(&alice, 3);
    world.wait_for(&mut again, ClientEvent::AuthFailed("certificate revoked".to_owned()));
    let log = world.end();
    assert_eq!(
        events(&log),
        [
            "established alice",
            "established bob",
            "closed alice revoked",
            "refused alice revoked",
            "closed bob server-stopping"
        ]
    );
    assert_eq!(log[3]["cert-serial"], "1001");
}

#[test]
fn crl_01_without_its_list_nobody_gets_in_but_sessions_stay() {
    let mut world = World::new();
    world.pki.write_crl();
    world.reload();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let mut of_alice = world.client(&alice, 1);
    let address = world.connect(&mut of_alice).address;
    fs::remove_file(world.pki.crl_path()).unwrap();
    assert!(matches!(world.reload(), CrlReload::Changed));
    let mut of_bob = world.client(&bob, 2);
    let refused = "certificate status not available, try again later";
    world.wait_for(&mut of_bob, ClientEvent::AuthFailed(refused.to_owned()));
    assert!(world.tables.peer_id_of(address).is_some());
    world.pki.write_crl();
    assert!(matches!(world.reload(), CrlReload::Changed));
    let mut of_bob = world.client(&bob, 3);
    world.connect(&mut of_bob);
}

#[test]
fn crl_03_a_broken_list_changes_nothing_for_anybody() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let mut client = world.client(&alice, 1);
    world.pki.write_crl();
    world.reload();
    world.connect(&mut client);
    world.pki.put_crl("-----BEGIN X509 CRL-----\nMIIB");
    assert!(matches!(world.reload(), CrlReload::Kept(_)));
    let mut another = world.client(&alice, 2);
    world.connect(&mut another);
}

#[test]
fn a_stranger_gets_a_tls_alert_and_a_line_in_the_log() {
    let mut world = World::new();
    let stranger = TestPki::new().issue_client("alice");
    let mut client = world.client(&stranger, 1);
    world.run(&mut [&mut client], |clients| clients[0].has_failed());
    let log = world.end();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["connection-attempt-status"], "failed");
    assert_eq!(log[0]["device-ip"], "192.0.2.1");
}

#[test]
fn a_second_place_costs_the_first_and_keeps_the_address() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let addresses: Vec<Ipv4Addr> = (1..=4)
        .map(|port| {
            let mut client = world.client(&alice, port);
            let address = world.connect(&mut client).address;
            world.clients.push(client);
            address
        })
        .collect();
    assert_eq!(addresses, [Ipv4Addr::new(10, 8, 0, 2); 4]);
    let mut former = world.clients.remove(2);
    world.wait_for(&mut former, ClientEvent::Halt("this client connected from another place".to_owned()));
    assert_eq!(world.plane().handle().connections().len(), 1);
}

#[test]
fn as_many_places_as_configured_are_held_at_once() {
    let mut world = World::with(|settings| settings.limits.per_client = 2);
    let alice = world.issue("alice");
    let (mut first, mut second, mut third) =
        (world.client(&alice, 1), world.client(&alice, 2), world.client(&alice, 3));
    let addresses = [world.connect(&mut first).address, world.connect(&mut second).address];
    assert_ne!(addresses[0], addresses[1]);
    assert_eq!(world.plane().handle().connections().len(), 2);
    assert_eq!(world.connect(&mut third).address, addresses[0]);
    world.wait_for(&mut first, ClientEvent::Halt("this client connected from another place".to_owned()));
    assert!(second.events.is_empty(), "{:?}", second.events);
}

#[test]
fn a_client_that_left_gets_its_address_back() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let mut first = world.client(&alice, 1);
    let address = world.connect(&mut first).address;
    world.leave(&mut first);
    let mut other = world.client(&bob, 2);
    assert_ne!(world.connect(&mut other).address, address);
    let mut again = world.client(&alice, 3);
    assert_eq!(world.connect(&mut again).address, address);
}

#[test]
fn a_client_that_restarts_at_the_same_port_keeps_its_address() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let mut first = world.client(&alice, 1);
    let address = world.connect(&mut first).address;
    let mut restarted = world.client(&alice, 1);
    assert_eq!(world.connect(&mut restarted).address, address);
    assert_eq!(world.plane().handle().connections().len(), 1);
}

#[test]
fn a_full_server_says_so() {
    let mut world = World::with(|settings| settings.live.max_sessions = Some(1));
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let (mut of_alice, mut of_bob) = (world.client(&alice, 1), world.client(&bob, 2));
    world.connect(&mut of_alice);
    world.wait_for(
        &mut of_bob,
        ClientEvent::AuthFailed("the server has no room for another client".to_owned()),
    );
    let mut moved = world.client(&alice, 3);
    world.connect(&mut moved);
    let log = world.end();
    assert!(events(&log).contains(&"refused bob too-many-sessions".to_owned()), "{:?}", events(&log));
}

#[test]
fn an_exhausted_pool_is_a_reason_of_its_own() {
    let mut world = World::new();
    for number in 0..5_u16 {
        let name = format!("client{number}");
        let issued = world.issue(&name);
        let mut client = world.client(&issued, 10 + number);
        world.connect(&mut client);
    }
    let last = world.issue("last");
    let mut client = world.client(&last, 20);
    world.wait_for(
        &mut client,
        ClientEvent::AuthFailed("the server has no room for another client".to_owned()),
    );
    let log = world.end();
    assert!(events(&log).contains(&"refused last address-pool-exhausted".to_owned()), "{:?}", events(&log));
}

#[test]
fn a_changed_configuration_holds_for_the_next_client() {
    let mut world = World::new();
    let alice = world.issue("alice");
    world.plane().handle().set_live(LiveSettings {
        push: PushSettings { dns: vec!["10.7.0.53".parse().unwrap()], ..PushSettings::default() },
        ..live()
    });
    let mut client = world.client(&alice, 1);
    let pushed = world.connect(&mut client);
    assert!(pushed.options.contains(&"dhcp-option DNS 10.7.0.53".to_owned()), "{:?}", pushed.options);
}

#[test]
fn at_the_end_clients_are_told_to_come_back() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let mut client = world.client(&alice, 1);
    let address = world.connect(&mut client).address;
    let plane = world.plane.take().unwrap();
    let stopping = std::thread::spawn(move || plane.stop());
    world.wait_for(&mut client, ClientEvent::Restart("the server is stopping".to_owned()));
    stopping.join().unwrap();
    assert_eq!(world.tables.peer_id_of(address), None);
}

#[test]
fn nobody_gets_in_once_the_doors_are_closed_whether_or_not_the_shard_knows() {
    let mut world = World::new();
    let alice = world.issue("alice");
    world.plane().handle().close_doors();
    let mut client = world.client(&alice, 1);
    world.wait_for(&mut client, ClientEvent::Restart("the server is stopping".to_owned()));
    assert_eq!(world.plane().handle().totals().established, 0);
}

#[test]
fn while_the_server_stops_nobody_gets_in() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let mut client = world.client(&alice, 1);
    world.connect(&mut client);
    let handle = world.plane().handle().clone();
    let plane = world.plane.take().unwrap();
    let stopping = std::thread::spawn(move || plane.stop());
    world.run(&mut [], |_| handle.connections().is_empty());
    let (mut again, mut new) = (world.client(&alice, 1), world.client(&bob, 2));
    world.run(&mut [&mut again, &mut new], |_| stopping.is_finished());
    let connected =
        |client: &TestClient| client.events.iter().any(|event| matches!(event, ClientEvent::Connected(_)));
    assert!(!connected(&again) && !connected(&new));
    assert_eq!(handle.totals().established, 1);
}

#[test]
fn net_12_a_panic_costs_the_one_whose_datagram_caused_it_and_nobody_else() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let (mut of_alice, mut of_bob) = (world.client(&alice, 1), world.client(&bob, 2));
    let address = world.connect(&mut of_alice).address;
    let address_of_bob = world.connect(&mut of_bob).address;
    let mut fatal = world.client(&alice, FATAL_PORT);
    let handle = world.plane().handle().clone();
    world.run(&mut [&mut fatal], |_| handle.totals().panics > 0);
    assert!(world.tables.peer_id_of(address).is_some());
    assert!(world.tables.peer_id_of(address_of_bob).is_some());
    world.leave(&mut of_bob);
    assert_eq!(world.tables.peer_id_of(address_of_bob), None);
    let mut again = world.client(&bob, 5);
    assert_eq!(world.connect(&mut again).address, address_of_bob);
}

#[test]
fn a_connection_that_is_closed_ends_its_session_at_once() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let (mut of_alice, mut of_bob) =
        (world.client_over(Transport::Tcp, &alice, 1), world.client_over(Transport::Tcp, &bob, 2));
    let address = world.connect(&mut of_alice).address;
    world.connect(&mut of_bob);
    world.disconnect(&of_alice);
    assert_eq!(world.tables.peer_id_of(address), None);
    assert_eq!(world.plane().handle().connections().len(), 1);
    let log = world.end();
    assert_eq!(events(&log)[2..], ["closed alice connection-lost", "closed bob server-stopping"]);
}

#[test]
fn a_client_that_takes_leave_before_its_connection_ends_is_not_lost() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let mut client = world.client_over(Transport::Tcp, &alice, 1);
    world.connect(&mut client);
    client.client.exit(world.clock.now());
    world.exchange(&mut client);
    world.disconnect(&client);
    let log = world.end();
    assert_eq!(events(&log)[1], "closed alice client-exit");
}

#[test]
fn the_transport_hears_how_each_connection_stands() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let stranger = TestPki::new().issue_client("alice");
    let (mut of_alice, mut of_stranger) =
        (world.client_over(Transport::Tcp, &alice, 1), world.client_over(Transport::Tcp, &stranger, 2));
    world.connect(&mut of_alice);
    world.run(&mut [&mut of_stranger], |clients| clients[0].has_failed());
    world.revoke(&alice);
    world.wait_for(&mut of_alice, ClientEvent::AuthFailed("certificate revoked".to_owned()));
    let standings = Arc::clone(&world.standings);
    let of = move |port: u16| -> Vec<Standing> {
        let standings = standings.lock().unwrap();
        standings.iter().filter(|(of, _)| *of == port).map(|(_, standing)| *standing).collect()
    };
    world.run(&mut [&mut of_alice, &mut of_stranger], |_| {
        [1, 2].iter().all(|port| of(*port).contains(&Standing::Over))
    });
    assert_eq!(of(1), [Standing::Handshake, Standing::Session, Standing::Over]);
    assert_eq!(of(2), [Standing::Handshake, Standing::Over]);
}

/// What the data plane says when it hears the client elsewhere.
fn report_float(world: &World, client: &mut TestClient, pushed: &Pushed, port: u16) {
    client.path.remote.set_port(port);
    let peer = Arc::clone(world.tables.peer(pushed.peer_id.unwrap()).as_ref().unwrap());
    let path = Path { remote: client.path.remote, ..peer.channel.path() };
    (world.sink)(ControlInput::PeerFloated { session: peer.session, shard: peer.shard, path });
}

#[test]
fn net_10_a_client_that_moves_keeps_its_session_on_whatever_shard_its_new_address_falls_to() {
    let mut world = World::new();
    let alice = world.issue("alice");
    let mut client = world.client(&alice, 1000);
    let pushed = world.connect(&mut client);
    for port in 1001..1005 {
        report_float(&world, &mut client, &pushed, port);
        client.client.renegotiate(world.clock.now());
        world.wait_for_renegotiation(&mut client);
    }
    let mut again = world.client(&alice, 1004);
    assert_eq!(world.connect(&mut again).address, pushed.address, "a restart at the last place");
    world.leave(&mut again);
    let log = world.end();
    let closed = "closed alice replaced-by-same-port";
    assert_eq!(events(&log), ["established alice", closed, "established alice", "closed alice client-exit"]);
}

#[test]
fn net_10_nobody_moves_to_another_clients_place_whatever_the_shards() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let mut of_alice = world.client(&alice, 1000);
    let pushed = world.connect(&mut of_alice);
    let mut bobs: Vec<_> = (2000..2003).map(|port| world.client(&bob, port)).collect();
    for of_bob in &mut bobs {
        let place = of_bob.path.remote.port();
        world.connect(of_bob);
        report_float(&world, &mut of_alice, &pushed, place);
        of_alice.path.remote.set_port(1000);
        of_alice.client.renegotiate(world.clock.now());
        world.wait_for_renegotiation(&mut of_alice);
        let path = world.tables.peer(pushed.peer_id.unwrap()).as_ref().unwrap().channel.path();
        assert_eq!(path.remote.port(), 1000);
    }
}

/// Sending to this port panics, as a defect in the protocol core would.
const FATAL_PORT: u16 = 666;

struct World {
    pki: TestPki,
    keeper: TrustKeeper,
    plane: Option<ControlPlane>,
    sink: ControlSink,
    sent: Receiver<(Path, Vec<u8>)>,
    standings: Standings,
    undelivered: BTreeMap<SocketAddr, Vec<Vec<u8>>>,
    tables: Arc<Tables>,
    clock: Clock,
    log_path: PathBuf,
    clients: Vec<TestClient>,
    certificate: rustls::pki_types::CertificateDer<'static>,
}

struct TestClient {
    client: Client,
    path: Path,
    events: Vec<ClientEvent>,
}

#[derive(Clone)]
struct MemoryOutbound {
    datagrams: Sender<(Path, Vec<u8>)>,
    standings: Standings,
}

/// The ports of paths, and how each was said to stand.
type Standings = Arc<Mutex<Vec<(u16, Standing)>>>;

impl SendDatagrams for MemoryOutbound {
    fn send(&self, path: Path, datagram: &[u8]) -> std::io::Result<()> {
        assert_ne!(path.remote.port(), FATAL_PORT, "a test asked for this panic");
        self.datagrams.send((path, datagram.to_vec())).map_err(std::io::Error::other)
    }

    fn set_standing(&self, path: Path, standing: Standing) {
        self.standings.lock().unwrap().push((path.remote.port(), standing));
    }
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ControlSettings)) -> Self {
        Self::with_endpoint(change, |_| {})
    }

    fn with_endpoint(
        change: impl FnOnce(&mut ControlSettings),
        change_endpoint: impl FnOnce(&mut EndpointConfig),
    ) -> Self {
        let pki = TestPki::new();
        let credentials = Credentials::load(
            CredentialSource::of_files(&pki.paths()),
            Timestamp::from(std::time::SystemTime::now()),
        )
        .unwrap();
        let certificate = server_certificate(&pki);
        let keeper =
            TrustKeeper::start(&pki.paths(), credentials.anchors, Duration::ZERO, &pki.state_directory())
                .unwrap();
        let log_path = pki.state_directory().join("connections.log");
        let log = ConnectionLog::open(Some(&log_path), EndpointId::from_random([0; 9]), 0).unwrap();
        let (clock, tables) = (Clock::start(), Arc::new(Tables::new(5, policy())));
        let mut settings = ControlSettings {
            inside: inside(),
            addresses: AddressBook::new(AddressPool::over_v4("10.8.0.0/29".parse().unwrap()), None),
            directory: None,
            limits: SessionLimits {
                per_client: 1,
                when_exceeded: DuplicatePolicy::Replace,
                username_as_common_name: false,
                session_timeout: None,
                idle: None,
            },
            authenticator: Arc::new(Authenticator::without_logins()),
            hooks: None,
            witness: None,
            live: live(),
            tables: Arc::clone(&tables),
            trust: Arc::clone(keeper.trust()),
            log: Arc::new(log),
            clock,
        };
        change(&mut settings);
        let mailroom = Mailroom::open(4, settings);
        let sink = mailroom.sink();
        let (datagrams, sent) = channel();
        let outbound = MemoryOutbound { datagrams, standings: Standings::default() };
        let standings = Arc::clone(&outbound.standings);
        let mut config = EndpointConfig::new(credentials.tls, Arc::clone(keeper.trust()) as _);
        change_endpoint(&mut config);
        let plane = mailroom.start(&Arc::new(config), || Box::new(outbound.clone())).unwrap();
        Self {
            pki,
            keeper,
            plane: Some(plane),
            sink,
            sent,
            standings,
            undelivered: BTreeMap::new(),
            tables,
            clock,
            log_path,
            clients: Vec::new(),
            certificate,
        }
    }

    fn plane(&self) -> &ControlPlane {
        self.plane.as_ref().unwrap()
    }

    fn issue(&mut self, name: &str) -> Issued {
        self.pki.issue_client(name)
    }

    fn revoke(&mut self, issued: &Issued) {
        self.pki.revoke(issued);
        self.pki.write_crl();
        assert!(matches!(self.reload(), CrlReload::Changed));
    }

    fn reload(&self) -> CrlReload {
        self.keeper.reload_revocations(|| self.plane().handle().check_revocations())
    }

    fn client(&self, issued: &Issued, port: u16) -> TestClient {
        self.client_over(Transport::Udp, issued, port)
    }

    fn client_over(&self, transport: Transport, issued: &Issued, port: u16) -> TestClient {
        let tls = ClientTls::new(
            vec![issued.certificate.clone()],
            issued.key.clone_key(),
            self.certificate.clone(),
            TlsVersion::Tls12,
        );
        self.client_with(transport, ClientConfig::new(tls), port)
    }

    fn client_of(&self, config: ClientConfig, port: u16) -> TestClient {
        self.client_with(Transport::Udp, config, port)
    }

    fn client_with(&self, transport: Transport, config: ClientConfig, port: u16) -> TestClient {
        let remote = SocketAddr::from(([192, 0, 2, 1], port));
        let path = Path { listener: ListenerId(0), transport, remote, local: None };
        let client = Client::connect(Arc::new(config), path, self.clock.now(), Box::new(OperatingSystem));
        TestClient { client, path, events: Vec::new() }
    }

    fn connect(&mut self, client: &mut TestClient) -> Pushed {
        self.run(&mut [client], |clients| !clients[0].events.is_empty());
        let event = client.events.remove(0);
        let ClientEvent::Connected(pushed) = event else { panic!("{event:?}") };
        *pushed
    }

    fn wait_for(&mut self, client: &mut TestClient, expected: ClientEvent) {
        self.run(&mut [client], |clients| !clients[0].events.is_empty());
        assert_eq!(client.events.remove(0), expected);
    }

    fn wait_for_renegotiation(&mut self, client: &mut TestClient) {
        self.run(&mut [client], |clients| !clients[0].events.is_empty());
        let event = client.events.remove(0);
        assert!(matches!(event, ClientEvent::Renegotiated(_)), "{event:?}");
    }

    /// Leaves and waits until the server knows.
    fn leave(&mut self, client: &mut TestClient) {
        let connected = self.plane().handle().connections().len();
        client.client.exit(self.clock.now());
        let handle = self.plane().handle().clone();
        self.run(&mut [client], |_| handle.connections().len() < connected);
    }

    /// Closes the client's connection, as the transport tells it, and waits until the server knows.
    fn disconnect(&mut self, client: &TestClient) {
        (self.sink)(ControlInput::Disconnected { path: client.path });
        let (handle, remote) = (self.plane().handle().clone(), client.path.remote);
        self.run(&mut [], |_| handle.connections().iter().all(|other| other.connection.remote != remote));
    }

    /// Lets the shards do what they have been told until now.
    fn settle(&mut self) {
        let start = Instant::now();
        self.run(&mut [], |_| start.elapsed() > Duration::from_millis(200));
    }

    /// Carries datagrams until `is_done`.
    fn run(&mut self, clients: &mut [&mut TestClient], mut is_done: impl FnMut(&[&mut TestClient]) -> bool) {
        let start = Instant::now();
        while !is_done(clients) {
            assert!(start.elapsed() < LIMIT, "nothing happened");
            for client in clients.iter_mut() {
                self.exchange(client);
            }
            if let Ok((path, datagram)) = self.sent.recv_timeout(Duration::from_millis(5)) {
                self.undelivered.entry(path.remote).or_default().push(datagram);
            }
        }
    }

    fn exchange(&mut self, client: &mut TestClient) {
        let now = self.clock.now();
        while let Ok((path, datagram)) = self.sent.try_recv() {
            self.undelivered.entry(path.remote).or_default().push(datagram);
        }
        for mut datagram in self.undelivered.remove(&client.path.remote).unwrap_or_default() {
            client.client.handle_datagram(now, &mut datagram);
        }
        if client.client.poll_timeout().is_some_and(|wakeup| wakeup.at <= now) {
            client.client.handle_timeout(now);
        }
        while let Some(transmit) = client.client.poll_transmit() {
            let path = Path { remote: client.path.remote, ..transmit.path };
            (self.sink)(ControlInput::Datagram { path, bytes: transmit.payload });
        }
        client.events.extend(std::iter::from_fn(|| client.client.poll_event()));
    }

    /// Stops everything; answers with the connection log.
    fn end(mut self) -> Vec<serde_json::Value> {
        drop(self.plane.take());
        drop(self.sink);
        let text = fs::read_to_string(&self.log_path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl TestClient {
    fn has_failed(&self) -> bool {
        self.events.iter().any(|event| matches!(event, ClientEvent::Failed(_)))
    }
}

/// `event name [reason]` of each record.
fn events(log: &[serde_json::Value]) -> Vec<String> {
    let field = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap().to_owned();
    log.iter()
        .map(|record| {
            let (event, name, reason) =
                (field(record, "event"), field(record, "common-name"), field(record, "reason"));
            format!("{event} {name} {reason}").trim_end_matches(" NA").to_owned()
        })
        .collect()
}

fn live() -> LiveSettings {
    LiveSettings {
        routes: vec!["10.7.0.0/24".parse().unwrap()],
        authorized: vec!["10.7.0.0/24".parse().unwrap()],
        tunnel: TunnelMode::Split,
        ..LiveSettings::default()
    }
}

fn inside() -> InsideSettings {
    let v4 = "10.8.0.0/29".parse::<Network>().unwrap().try_into().unwrap();
    let client_cidrs = ClientCidrs { v4, v6: None };
    InsideSettings { client_cidrs, pool: None, client_networks: Vec::new(), address_file: None }
}

fn policy() -> Policy {
    Policy::compile(&Ruleset {
        tunnel: TunnelNetwork {
            network: "10.8.0.0/29".parse().unwrap(),
            server: Ipv4Addr::new(10, 8, 0, 1),
            ipv6: None,
        },
        client_networks: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        evaluation: Evaluation::default(),
        security: None,
    })
}

fn server_certificate(pki: &TestPki) -> rustls::pki_types::CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::from_pem_file(pki.directory().join("issued/server.crt")).unwrap()
}
