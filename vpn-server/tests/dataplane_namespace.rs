//! The running data plane between real sockets and a real TUN device, each test in a network namespace of its own.
//!
//! A namespace lives as long as the threads of its test: nothing is left behind, whatever happens, and tests do not see
//! each other. Needs root; says so and passes when it is not.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "support functions may fail a test, and say why they skip one"
)]

#[expect(dead_code, reason = "this binary needs a part of it")]
#[path = "support/packets.rs"]
mod packets;
#[expect(dead_code, reason = "this binary needs a part of it")]
#[path = "support/sessions.rs"]
mod sessions;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZero;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::UdpGsoSegment;
use packets::{echo, udp};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use sessions::{configurations, entropy};
use vpn_proto::client::{Client, ClientConfig, ClientEvent};
use vpn_proto::{
    Authorization, Endpoint, EndpointConfig, Event as EndpointEvent, Grant, ListenerId, Path, SessionHandle,
    Transport,
};
use vpn_server::clock::Clock;
use vpn_server::dataplane::{
    ControlInput, ControlSink, DropReason, Edge, Event, Peer, PeerSlot, Plane, Tables, Transmitter,
};
use vpn_server::policy::{AuthorizationRule, Evaluation, Policy, RuleId, Ruleset, TunnelNetwork};
use vpn_server::transport::Offload;
use vpn_server::transport::tcp::{Standing, StrangerLimits};
use vpn_server::transport::tun::{TunDevice, TunError, TunSettings};
use vpn_server::transport::udp::UdpListener;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn clients_on_several_listeners_reach_what_rules_open_and_nothing_else() {
    in_namespace(|| {
        let server = Server::start(2, &["192.168.77.0/24", "10.8.0.1/32"]);
        let mut clients = [0, 1].map(|listener| server.connect(listener));
        for client in &mut clients {
            for (destination, size) in [(SERVER, 0), (TARGET, 56), (TARGET, 1372), (TARGET, 1472)] {
                client.send(&echo(client.address, destination, &vec![7; size]));
                let answer = client.receive().expect("an answer");
                assert_eq!((&answer[12..16], answer.len()), (&destination.octets()[..], 28 + size));
            }
        }
        let [alice, bob] = &mut clients;
        assert_ne!(alice.address, bob.address);
        alice.send(&echo(alice.address, bob.address, b""));
        alice.send(&echo(bob.address, TARGET, b""));
        server.wait_for("the drops", |plane| {
            let counters = plane.counters();
            counters.dropped(DropReason::NoRule) == 1 && counters.dropped(DropReason::SourceNotAssigned) == 1
        });
        server.stop();
    });
}

#[test]
fn a_burst_passes_in_order_both_ways() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let mut client = server.connect(0);
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        target.set_read_timeout(Some(PATIENCE)).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&target, 4 << 20).unwrap();

        let number = |octets: &[u8]| u32::from_be_bytes(*octets.first_chunk().unwrap());
        let body = |number: u32| [&number.to_be_bytes()[..], &[7; 1000]].concat();
        for count in 0..300 {
            client.send(&udp(client.address, TARGET, &body(count)));
        }
        let mut buffer = [0; 2000];
        for count in 0..300 {
            let length = target.recv(&mut buffer).unwrap();
            assert_eq!((number(&buffer), length), (count, 1004));
        }
        for count in 0..300 {
            target.send_to(&body(count), (client.address, 40_000)).unwrap();
        }
        for count in 0..300 {
            assert_eq!(number(&client.receive().expect("a packet")[28..]), count);
        }
        assert_eq!(server.plane().counters().happened(Event::SegmentationRefused), 0);
        server.stop();
    });
}

#[test]
fn bursts_of_super_packets_arrive_whatever_the_device_can_do() {
    for offload in [Offload::None, Offload::Tcp, Offload::TcpAndUdp] {
        in_namespace(move || {
            let server = Server::start_with(1, &["192.168.77.0/24"], offload, 1);
            let mut client = server.connect(0);
            let target = UdpSocket::bind((TARGET, 9)).unwrap();
            target.set_read_timeout(Some(PATIENCE)).unwrap();
            let event = |event| server.plane().counters().happened(event);

            for round in 0..50 {
                let datagrams: Vec<_> = (0..20_u8).map(|number| vec![number ^ round; 500]).collect();
                let packets = datagrams.iter().map(|octets| udp(client.address, TARGET, octets));
                client.send_together(&packets.collect::<Vec<_>>());
                let mut buffer = [0; 2000];
                for datagram in &datagrams {
                    assert_eq!(target.recv(&mut buffer).unwrap(), 500, "{offload:?}");
                    assert_eq!(buffer[..500], datagram[..], "{offload:?}");
                }
                send_segmented(&target, (client.address, 40_000).into(), &datagrams);
                for datagram in &datagrams {
                    let packet = client.receive().expect("a packet");
                    assert_eq!(packet[28..], datagram[..], "{offload:?}");
                    assert!(has_right_checksums(&packet), "{offload:?}");
                }
            }
            assert_eq!(event(Event::PacketToNetwork), 1000);
            let (writes, reads) = (event(Event::DeviceWrite), event(Event::DeviceRead));
            assert_eq!(writes < 1000, offload == Offload::TcpAndUdp, "{offload:?}: {writes} writes");
            // A device with offloads gives super-packets of UDP wherever the kernel has them.
            assert_eq!(reads < 1000, offload != Offload::None, "{offload:?}: {reads} reads");
            server.stop();
        });
    }
}

#[test]
fn a_kernel_without_udp_segmentation_gives_single_packets() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let mut client = server.connect(0);
        run("ethtool", "--offload tun-test tx-udp-segmentation off");
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        let datagrams: Vec<_> = (0..20_u8).map(|number| vec![number; 500]).collect();
        send_segmented(&target, (client.address, 40_000).into(), &datagrams);
        for datagram in &datagrams {
            assert_eq!(client.receive().expect("a packet")[28..], datagram[..]);
        }
        let counters = server.plane().counters();
        assert_eq!(counters.happened(Event::DeviceRead), counters.happened(Event::PacketFromNetwork));
        server.stop();
    });
}

#[test]
fn several_workers_share_clients_and_answers_find_their_way() {
    in_namespace(|| {
        let server = Server::start_with(2, &["192.168.77.0/24"], Offload::TcpAndUdp, 3);
        let mut clients: Vec<_> = (0..8).map(|number| server.connect(number % 2)).collect();
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        for round in 0..20_u8 {
            for client in &mut clients {
                client.send(&echo(client.address, TARGET, &[round; 700]));
                target.send_to(&[round; 100], (client.address, 40_000)).unwrap();
            }
            for client in &mut clients {
                let answers = [client.receive().expect("an answer"), client.receive().expect("an answer")];
                let mut lengths = answers.map(|answer| answer.len());
                lengths.sort_unstable();
                assert_eq!(lengths, [128, 728]);
            }
        }
        assert_eq!(queues("tun-test"), 3);
        server.stop();
    });
}

#[test]
fn a_client_that_moves_to_another_workers_socket_loses_nothing() {
    in_namespace(|| {
        let server = Server::start_with(1, &["192.168.77.0/24"], Offload::TcpAndUdp, 4);
        let mut client = server.connect(0);
        for round in 0..20_u8 {
            client.move_away();
            for _ in 0..3 {
                client.send(&echo(client.address, TARGET, &[round; 64]));
            }
            server.wait_for("the packets", |plane| {
                plane.counters().happened(Event::PacketToNetwork) == 3 * (u64::from(round) + 1)
            });
        }
        assert_eq!(server.plane().counters().dropped(DropReason::Replayed), 0);
        server.stop();
    });
}

#[test]
fn sockets_and_queues_without_counterpart_are_closed() {
    for (sockets, queues_asked, workers) in [(1, 3, 1), (3, 1, 1), (2, 3, 2)] {
        in_namespace(move || {
            let group = listeners_for(sockets);
            let address = group[0].address();
            let edge = edge_with(
                vec![(ListenerId(0), group)],
                tun_with("tun-test", Offload::TcpAndUdp, queues_asked).unwrap(),
            );
            let sink: ControlSink = Arc::new(|_| true);
            let plane =
                Plane::start(edge, Arc::new(Tables::new(1, policy(&[]))), sink, Clock::start()).unwrap();
            assert_eq!(plane.worker_count(), workers);
            // Whichever socket the kernel chooses, somebody listens.
            for count in 1..=32 {
                let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
                stranger.send_to(&[0x38; 14], (Ipv4Addr::LOCALHOST, address.port())).unwrap();
                wait_for("the datagram", || plane.counters().happened(Event::DatagramReceived) == count);
            }
        });
    }
}

#[test]
fn datagrams_too_long_for_the_path_still_arrive() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let mut client = server.connect(0);
        ip("link set lo mtu 1280");
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        // The worker finds some of a burst together and tries to send them so; when is up to the scheduler.
        let mut rounds = 0..=200;
        while server.plane().counters().happened(Event::SegmentationRefused) == 0 {
            let round = rounds.next().expect("no segmented send in 200 bursts");
            for _ in 0..10 {
                target.send_to(&[round; 1400], (client.address, 40_000)).unwrap();
            }
            for _ in 0..10 {
                assert_eq!(client.receive().expect("a packet")[28..], [round; 1400]);
            }
        }
        let drops = server.plane().counters();
        assert_eq!(drops.drops().find(|(reason, count)| *count > 0 && is_a_send(*reason)), None);
        server.stop();
    });
}

#[test]
fn crl_04_a_removed_client_is_cut_off_and_another_is_not_disturbed() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let (mut alice, mut bob) = (server.connect(0), server.connect(0));
        let id = server.tables.peer_id_of(alice.address).unwrap();
        server.commands.send(ToControl::Close(server.tables.peer(id).as_ref().unwrap().session)).unwrap();
        server.wait_for("the removal", |_| server.tables.peer_id_of(alice.address).is_none());
        alice.send(&echo(alice.address, TARGET, b""));
        for _ in 0..5 {
            bob.send(&echo(bob.address, TARGET, b""));
            assert!(bob.receive().is_some());
        }
        assert_eq!(server.plane().counters().dropped(DropReason::UnknownPeer), 1);
        server.stop();
    });
}

#[test]
fn net_12_a_panic_on_a_worker_is_contained_and_counted() {
    in_namespace(|| {
        let edge = edge(vec![(ListenerId(0), listeners_for(1))]);
        let address = edge.sockets[0].1[0].address();
        let (heard, hears) = channel();
        let sink: ControlSink = Arc::new(move |input| {
            let ControlInput::Datagram { bytes, .. } = input else {
                return false;
            };
            assert_ne!(bytes[1], 0xbd, "a defect");
            heard.send(bytes).is_ok()
        });
        let tables = Arc::new(Tables::new(1, policy(&[])));
        let plane = Plane::start(edge, tables, sink, Clock::start()).unwrap();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (number, octet) in (1..).zip([1, 0xbd, 2]) {
            stranger.send_to(&[0x38, octet], (Ipv4Addr::LOCALHOST, address.port())).unwrap();
            wait_for("the datagram", || plane.counters().happened(Event::DatagramReceived) == number);
        }
        assert_eq!(
            [hears.recv_timeout(PATIENCE), hears.recv_timeout(PATIENCE)],
            [Ok(vec![0x38, 1]), Ok(vec![0x38, 2])]
        );
        assert_eq!(plane.counters().happened(Event::Panic), 1);
        assert!(plane.is_running());
    });
}

#[test]
fn a_plane_whose_device_is_deleted_says_that_it_does_not_run() {
    in_namespace(|| {
        let server = Server::start(1, &[]);
        assert!(server.plane().is_running());
        ip("link del tun-test");
        server.wait_for("the end of the worker", |plane| !plane.is_running());
        server.stop();
    });
}

#[test]
fn after_a_stop_the_device_is_gone_and_farewells_can_still_be_sent() {
    in_namespace(|| {
        let server = Server::start(1, &[]);
        let transmitter = server.plane().transmitter();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(exists("tun-test"));
        server.stop();
        wait_for("the end of the device", || !exists("tun-test"));
        let path = |listener| Path {
            listener: ListenerId(listener),
            transport: Transport::Udp,
            remote: client.local_addr().unwrap(),
            local: None,
        };
        transmitter.send(path(0), b"farewell").unwrap();
        assert_eq!(client.recv(&mut [0; 100]).unwrap(), 8);
        let error = transmitter.send(path(7), b"farewell").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    });
}

#[test]
fn an_idle_plane_sleeps() {
    in_namespace(|| {
        let server = Server::start(1, &[]);
        thread::sleep(Duration::from_millis(100));
        let before = cpu_ticks();
        thread::sleep(Duration::from_millis(500));
        assert!(cpu_ticks() - before <= 2, "{} ticks of 10 ms in half a second", cpu_ticks() - before);
        server.stop();
    });
}

#[test]
fn the_device_has_the_address_mtu_and_queue_that_it_shall_have() {
    in_namespace(|| {
        let device = tun("tun-test").unwrap();
        assert_eq!(device.name().as_str(), "tun-test");
        let shown = ip("-details address show tun-test");
        for part in ["inet 10.8.0.1/24", "mtu 1500", "qlen 1000", "UP"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    });
}

#[test]
fn a_device_name_that_is_taken_is_named() {
    in_namespace(|| {
        let _holder = tun("tun-test").unwrap();
        for name in ["tun-test", "lo"] {
            let error = tun(name).expect_err("an error");
            assert!(matches!(error, TunError::NameTaken(_)), "{error:?}");
            assert!(error.to_string().contains(name));
        }
    });
}

#[test]
fn a_missing_capability_is_named() {
    in_namespace(|| {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::NET_ADMIN);
        set_capabilities(None, sets).unwrap();
        let error = tun("tun-test").expect_err("an error");
        assert!(matches!(error, TunError::CapabilityMissing(_)), "{error:?}");
        assert!(error.to_string().contains("CAP_NET_ADMIN"));
    });
}

#[test]
fn a_missing_device_node_is_named_and_not_made() {
    if !is_root() {
        return;
    }
    const CHILD: &str = "POSTERN_TEST_WITHOUT_DEVICE_NODE";
    if std::env::var_os(CHILD).is_some() {
        let error = tun("tun-test").expect_err("an error");
        assert!(matches!(error, TunError::NodeMissing), "{error:?}");
        assert!(error.help().contains("modprobe tun"));
        assert!(!std::path::Path::new("/dev/net/tun").exists());
        return;
    }
    let script =
        "mount -t tmpfs none /dev/net && exec \"$0\" --exact a_missing_device_node_is_named_and_not_made";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A server: plane, tables, and a control side that lets everybody in.
struct Server {
    plane: Option<Plane>,
    tables: Arc<Tables>,
    addresses: Vec<SocketAddr>,
    client: Arc<ClientConfig>,
    commands: Sender<ToControl>,
    control: Option<JoinHandle<()>>,
    clock: Clock,
}

/// What the control thread is told.
enum ToControl {
    Input(ControlInput),
    Close(SessionHandle),
    Stop,
}

impl Server {
    fn start(listeners: u16, authorized: &[&str]) -> Self {
        Self::start_with(listeners, authorized, Offload::TcpAndUdp, 1)
    }

    fn start_with(listeners: u16, authorized: &[&str], offload: Offload, workers: usize) -> Self {
        // The network behind the server, as far as this test needs one.
        ip(&format!("address add {TARGET}/32 dev lo"));
        let sockets: Vec<_> = (0..listeners).map(|id| (ListenerId(id), listeners_for(workers))).collect();
        let addresses = sockets.iter().map(|(_, group)| group[0].address()).collect();
        let tables = Arc::new(Tables::new(8, policy(authorized)));
        let (commands, inbox) = channel();
        let inputs = commands.clone();
        let sink: ControlSink = Arc::new(move |input| inputs.send(ToControl::Input(input)).is_ok());
        let clock = Clock::start();
        let edge = edge_with(sockets, tun_with("tun-test", offload, workers).unwrap());
        let plane = Plane::start(edge, Arc::clone(&tables), sink, clock).unwrap();
        assert_eq!(plane.worker_count(), workers);
        let (endpoint, client) = configurations();
        let control = Control::new(endpoint, Arc::clone(&tables), plane.transmitter(), clock);
        let control = thread::spawn(move || control.run(&inbox));
        Self {
            plane: Some(plane),
            tables,
            addresses,
            client: Arc::new(client),
            commands,
            control: Some(control),
            clock,
        }
    }

    fn plane(&self) -> &Plane {
        self.plane.as_ref().unwrap()
    }

    fn connect(&self, listener: usize) -> RemoteClient {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, self.addresses[listener].port()));
        RemoteClient::connect(server, Arc::clone(&self.client), self.clock)
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Plane) -> bool) {
        wait_for(what, || condition(self.plane()));
    }

    fn stop(mut self) {
        self.plane.take().unwrap().stop();
        self.commands.send(ToControl::Stop).unwrap();
        self.control.take().unwrap().join().unwrap();
    }
}

/// One control shard on a thread.
struct Control {
    endpoint: Endpoint,
    tables: Arc<Tables>,
    transmitter: Transmitter,
    clock: Clock,
    granted: Vec<(SessionHandle, PeerSlot, Ipv4Addr)>,
    settled: Vec<Path>,
}

impl Control {
    fn new(config: EndpointConfig, tables: Arc<Tables>, transmitter: Transmitter, clock: Clock) -> Self {
        let endpoint = Endpoint::new(Arc::new(config), entropy(1));
        Self { endpoint, tables, transmitter, clock, granted: vec![], settled: vec![] }
    }

    fn run(mut self, inbox: &std::sync::mpsc::Receiver<ToControl>) {
        loop {
            match inbox.recv_timeout(Duration::from_millis(20)) {
                Ok(ToControl::Input(ControlInput::Datagram { path, bytes })) => {
                    self.endpoint.handle_datagram(self.clock.now(), path, &bytes);
                }
                Ok(ToControl::Input(ControlInput::PeerExit { session, .. })) => {
                    self.endpoint.peer_exited(self.clock.now(), session);
                }
                Ok(ToControl::Input(ControlInput::Disconnected { path })) => {
                    self.endpoint.disconnected(self.clock.now(), &path);
                }
                Ok(ToControl::Input(ControlInput::PeerFloated { session, path, .. })) => {
                    self.endpoint.peer_floated(self.clock.now(), session, path);
                }
                Ok(ToControl::Close(session)) => {
                    let farewell = vpn_proto::Farewell::AuthFailed("revoked".to_owned());
                    self.endpoint.close(self.clock.now(), session, farewell);
                }
                Err(RecvTimeoutError::Timeout) => self.endpoint.handle_timeout(self.clock.now()),
                Ok(ToControl::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Some(event) = self.endpoint.poll_event() {
                self.handle(event);
            }
            while let Some(transmit) = self.endpoint.poll_transmit() {
                let _ = self.transmitter.send(transmit.path, &transmit.payload);
            }
            for path in self.settled.drain(..) {
                self.transmitter.set_standing(&path, Standing::Over);
            }
        }
    }

    fn handle(&mut self, event: EndpointEvent) {
        match event {
            EndpointEvent::AuthorizationRequested { session, .. } => {
                let slot = self.tables.reserve().unwrap();
                let host = u8::try_from(slot.peer_id().get()).unwrap() + 2;
                let address = Ipv4Addr::new(10, 8, 0, host);
                self.granted.push((session, slot, address));
                let grant = Grant {
                    peer_id: slot.peer_id(),
                    address,
                    netmask: Ipv4Addr::new(255, 255, 255, 0),
                    gateway: SERVER,
                    ipv6: None,
                    reauthenticate: false,
                    token_username: None,
                    options: vec![],
                };
                self.endpoint.authorize(self.clock.now(), session, Authorization::Grant(grant));
            }
            EndpointEvent::Established { session, channel } => {
                let (_, slot, address) = self.granted.iter().find(|(handle, ..)| *handle == session).unwrap();
                self.transmitter.set_standing(&channel.path(), Standing::Session);
                self.tables.insert(*slot, Peer::new(session, 0, channel, *address)).unwrap();
            }
            EndpointEvent::Closed { session, .. } => {
                let index = self.granted.iter().position(|(handle, ..)| *handle == session).unwrap();
                self.tables.remove(self.granted.swap_remove(index).1);
            }
            EndpointEvent::HandshakeBegun { path } => {
                self.transmitter.set_standing(&path, Standing::Handshake);
            }
            EndpointEvent::PathSettled { path } => self.settled.push(path),
            EndpointEvent::Floated { .. }
            | EndpointEvent::Renegotiated { .. }
            | EndpointEvent::Abandoned { .. }
            | EndpointEvent::AttemptFailed { .. }
            | EndpointEvent::ChallengeResponse { .. }
            | EndpointEvent::ReauthorizationRequested { .. } => {}
        }
    }
}

/// A client on a socket of its own.
struct RemoteClient {
    socket: UdpSocket,
    server: SocketAddr,
    client: Client,
    clock: Clock,
    address: Ipv4Addr,
}

impl RemoteClient {
    fn connect(server: SocketAddr, config: Arc<ClientConfig>, clock: Clock) -> Self {
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

    fn send(&mut self, packet: &[u8]) {
        self.client.send_packet(self.clock.now(), packet);
        self.transmit();
    }

    /// Sends packets of one size so that they arrive together.
    fn send_together(&mut self, packets: &[Vec<u8>]) {
        let mut datagrams = vec![];
        for packet in packets {
            self.client.send_packet(self.clock.now(), packet);
            datagrams
                .extend(std::iter::from_fn(|| self.client.poll_transmit()).map(|transmit| transmit.payload));
        }
        send_segmented(&self.socket, self.server, &datagrams);
    }

    /// Goes on from another port.
    fn move_away(&mut self) {
        self.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let event = self.next_event()?;
        let ClientEvent::Packet(packet) = event else { panic!("no packet, but {event:?}") };
        Some(packet)
    }

    fn next_event(&mut self) -> Option<ClientEvent> {
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

    fn transmit(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            self.socket.send_to(&transmit.payload, self.server).unwrap();
        }
    }
}

fn edge(sockets: Vec<(ListenerId, Vec<UdpListener>)>) -> Edge {
    edge_with(sockets, tun("tun-test").unwrap())
}

fn edge_with(sockets: Vec<(ListenerId, Vec<UdpListener>)>, tun: TunDevice) -> Edge {
    Edge { sockets, tcp: vec![], strangers: StrangerLimits::default(), tun }
}

fn listeners_for(workers: usize) -> Vec<UdpListener> {
    UdpListener::bind_group("0.0.0.0:0".parse().unwrap(), NonZero::new(workers).unwrap()).unwrap()
}

fn tun(name: &str) -> Result<TunDevice, TunError> {
    tun_with(name, Offload::TcpAndUdp, 1)
}

fn tun_with(name: &str, offload: Offload, queues: usize) -> Result<TunDevice, TunError> {
    let (address, queues) = ("10.8.0.1/24".parse().unwrap(), NonZero::new(queues).unwrap());
    let name = name.parse().unwrap();
    TunDevice::create(&TunSettings { name, address, address_v6: None, mtu: 1500, offload, queues })
}

fn policy(authorized: &[&str]) -> Policy {
    let tunnel = TunnelNetwork { network: "10.8.0.0/24".parse().unwrap(), server: SERVER, ipv6: None };
    let routes: Vec<_> = authorized.iter().map(|network| network.parse().unwrap()).collect();
    let rules = routes
        .iter()
        .zip(0..)
        .map(|(&destination, id)| AuthorizationRule::for_everybody(RuleId(id), destination));
    Policy::compile(&Ruleset {
        tunnel,
        client_networks: vec![],
        rules: rules.collect(),
        routes,
        evaluation: Evaluation::default(),
        security: None,
    })
}

/// Whether both checksums of a UDP packet are right.
fn has_right_checksums(packet: &[u8]) -> bool {
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

/// The queues of a device.
fn queues(device: &str) -> usize {
    let shown = ip(&format!("-details link show {device}"));
    let (_, count) = shown.split_once("numqueues ").unwrap();
    count.split_whitespace().next().unwrap().parse().unwrap()
}

/// Sends datagrams of one size in one call.
fn send_segmented(socket: &UdpSocket, remote: SocketAddr, datagrams: &[Vec<u8>]) {
    let segment = i32::try_from(datagrams[0].len()).unwrap();
    setsockopt(socket, UdpGsoSegment, &segment).unwrap();
    socket.send_to(&datagrams.concat(), remote).unwrap();
    setsockopt(socket, UdpGsoSegment, &0).unwrap();
}

fn is_a_send(reason: DropReason) -> bool {
    matches!(reason, DropReason::SendBufferFull | DropReason::SendFailed | DropReason::SendTooLong)
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `test` on a thread that has a network namespace of its own, with nothing but a loopback interface.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    if !is_root() {
        return;
    }
    let outcome = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        ip("link set lo up");
        test();
    });
    if let Err(panic) = outcome.join() {
        std::panic::resume_unwind(panic);
    }
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: network namespaces and TUN devices take root");
    }
    is_root
}

fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn exists(device: &str) -> bool {
    Command::new("ip").args(["link", "show", device]).output().unwrap().status.success()
}

/// Processor time of the data plane's thread in this namespace, in ticks of 10 ms.
fn cpu_ticks() -> u64 {
    let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_worker = |task: &std::path::PathBuf| {
        std::fs::read_link(task.join("ns/net")).is_ok_and(|namespace| namespace == own)
            && std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "data-0")
    };
    let ticks = tasks.filter(is_worker).map(|task| {
        let stat = std::fs::read_to_string(task.join("stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    });
    let ticks: Vec<_> = ticks.collect();
    assert_eq!(ticks.len(), 1, "one worker in this namespace");
    ticks[0]
}
