//! What comes over TCP: frames whatever they are cut into, strangers kept short, ends reported.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use vpn_proto::Path;
use vpn_proto::wire::tcp::{LONGEST_FRAME, prefix};

use super::super::super::testing::packets::{echo, udp};
use super::super::*;
use super::*;
use crate::transport::port_share::PortShare;
use crate::transport::tcp::{Standing, TcpListener};

#[test]
fn what_arrives_on_a_connection_is_written_to_the_device_and_answers_go_back() {
    let mut world = TcpWorld::new();
    let packets: Vec<_> = (0..100_u8).map(|number| echo(CLIENT, TARGET, &[number; 64])).collect();
    let frames: Vec<u8> = packets.iter().flat_map(|packet| world.frame(packet)).collect();
    world.client.write_all(&frames).unwrap();
    let mut taken = vec![];
    world.work_until(|station| {
        taken.extend(station.device.take_taken());
        taken.len() == packets.len()
    });
    assert_eq!(taken, packets);
    for number in 0..20_u8 {
        world.station.device.arrive(udp(TARGET, CLIENT, &[number; 64]));
    }
    world.station.drain_device().unwrap();
    for number in 0..20_u8 {
        assert_eq!(world.next_packet()[28..], [number; 64]);
    }
    assert_eq!(happened(&world.station, Event::SendCall), 1);
}

#[test]
fn net_09_octets_that_come_one_by_one_make_a_packet() {
    let mut world = TcpWorld::new();
    let packet = echo(CLIENT, TARGET, &[7; 64]);
    for octet in world.frame(&packet) {
        world.client.write_all(&[octet]).unwrap();
        world.work();
    }
    world.work_until(|station| station.device.take_taken() == [packet.clone()]);
}

#[test]
fn net_09_a_connection_whose_control_packets_find_no_room_is_not_read_and_loses_nothing() {
    let mut world = TcpWorld::new();
    world.room.store(3, Ordering::Relaxed);
    let packets: Vec<Vec<u8>> = (0..200_u8).map(|number| [&[0x20; 40][..], &[number]].concat()).collect();
    let frame = |packet: &Vec<u8>| [&prefix(packet.len()).unwrap()[..], packet].concat();
    let tunnelled = echo(CLIENT, TARGET, b"behind all of them");
    let frames: Vec<u8> = packets.iter().flat_map(frame).chain(world.frame(&tunnelled)).collect();
    world.client.write_all(&frames).unwrap();
    world.work_until(|station| station.streams.has_paused());
    for _ in 0..100 {
        world.station.resume_connections();
    }
    assert_eq!(world.heard.lock().unwrap().len(), 3);
    assert!(world.station.streams.has_paused());
    assert_eq!(counters(&world.station).dropped(DropReason::ControlQueueFull), 0);
    for _ in 0..packets.len() {
        world.room.fetch_add(1, Ordering::Relaxed);
        world.station.resume_connections();
    }
    world.work_until(|station| station.device.take_taken() == [tunnelled.clone()]);
    let heard = world.heard.lock().unwrap();
    let bytes: Vec<_> = heard
        .iter()
        .filter_map(|input| match input {
            ControlInput::Datagram { bytes, .. } => Some(bytes.clone()),
            ControlInput::Disconnected { .. }
            | ControlInput::PeerExit { .. }
            | ControlInput::PeerFloated { .. } => None,
        })
        .collect();
    assert_eq!(bytes, packets);
}

#[test]
fn a_connection_that_ends_while_it_waits_for_room_is_reported_after_its_packets() {
    let mut world = TcpWorld::new();
    world.room.store(0, Ordering::Relaxed);
    world.client.write_all(&[&[0, 14, 0x38][..], &[7; 13]].concat()).unwrap();
    world.work_until(|station| station.streams.has_paused());
    world.client.shutdown(std::net::Shutdown::Both).unwrap();
    world.work();
    assert_eq!(world.ends(), []);
    world.room.store(9, Ordering::Relaxed);
    world.station.resume_connections();
    world.work_until(|station| happened(station, Event::ConnectionClosed) == 1);
    assert!(matches!(
        world.heard.lock().unwrap()[..],
        [ControlInput::Datagram { .. }, ControlInput::Disconnected { .. }]
    ));
}

#[test]
fn net_09_of_a_stranger_no_more_than_two_frames_are_kept() {
    let mut world = TcpWorld::new();
    world.room.store(0, Ordering::Relaxed);
    let mut stranger = world.connect();
    let frame = [&prefix(2000).unwrap()[..], &[0x20; 2000]].concat();
    stranger.write_all(&frame.repeat(30)).unwrap();
    world.work_until(|station| station.streams.has_paused());
    assert!(world.station.streams.kept() <= 2 * LONGEST_FRAME, "{}", world.station.streams.kept());
}

#[test]
fn net_06_a_connection_that_does_not_consist_of_frames_is_closed() {
    for nonsense in [&b"GET / HTTP/1.1\r\n"[..], &[0, 0], &[0xff, 0xff]] {
        let mut world = TcpWorld::new();
        world.client.write_all(nonsense).unwrap();
        world.work_until(|station| happened(station, Event::ConnectionMalformed) == 1);
        assert_eq!(world.client.read(&mut [0; 10]).unwrap_or(0), 0);
        assert_eq!(world.ends(), [world.session.path], "the control side knew it");
    }
}

#[test]
fn the_control_side_hears_of_the_end_of_connections_it_knows_and_of_no_others() {
    let mut world = TcpWorld::new();
    let stranger = world.connect();
    drop(stranger);
    world.work_until(|station| happened(station, Event::ConnectionClosed) == 1);
    assert_eq!(world.ends(), []);
    world.client.shutdown(std::net::Shutdown::Both).unwrap();
    world.work_until(|station| happened(station, Event::ConnectionClosed) == 2);
    assert_eq!(world.ends(), [world.session.path]);
    assert!(!world.station.streams.needs_sweeping());
}

#[test]
fn net_09_a_reader_that_does_not_read_costs_its_own_packets_only() {
    let mut world = TcpWorld::new();
    let other = world.join(Ipv4Addr::new(10, 8, 0, 3));
    let mut of_other = other.1;
    let mut sent = 0;
    while counters(&world.station).dropped(DropReason::OutputQueueFull) == 0 {
        (0..100).for_each(|_| world.station.device.arrive(udp(TARGET, CLIENT, &[0; 1000])));
        world.station.device.arrive(udp(TARGET, other.0.address, b"hello"));
        world.station.drain_device().unwrap();
        sent += 1;
        let mut prefix = [0; 2];
        of_other.read_exact(&mut prefix).unwrap();
        of_other.read_exact(&mut vec![0; usize::from(u16::from_be_bytes(prefix))]).unwrap();
        assert!(sent < 10_000);
    }
    assert!(world.station.outlets.roster().find(&world.session.path).is_some_and(|one| !one.is_shut()));
}

#[test]
fn net_09_strangers_beyond_their_share_of_a_network_lose_the_oldest() {
    let mut world = TcpWorld::new();
    let strangers: Vec<_> = (0..33).map(|_| world.connect()).collect();
    world.work_until(|station| happened(station, Event::ConnectionClosed) == 1);
    assert_eq!(happened(&world.station, Event::ConnectionEvicted), 1);
    let mut first = &strangers[0];
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
    let packet = echo(CLIENT, TARGET, b"still here");
    let frame = world.frame(&packet);
    world.client.write_all(&frame).unwrap();
    world.work_until(|station| station.device.take_taken() == [packet.clone()]);
}

#[test]
fn ops_05_without_room_for_another_connection_a_stranger_goes_or_the_newcomer() {
    let mut world = TcpWorld::with_room_for(2);
    let mut stranger = world.connect();
    let _newcomer = world.connect();
    world.work_until(|station| happened(station, Event::ConnectionEvicted) == 1);
    assert_eq!(stranger.read(&mut [0]).unwrap(), 0);

    let mut full = TcpWorld::with_room_for(1);
    let mut newcomer = full.connect_unheeded();
    full.work_until(|station| happened(station, Event::ConnectionRefused) == 1);
    assert_eq!(newcomer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn net_12_a_panic_in_a_connections_turn_costs_that_connection() {
    let mut world = TcpWorld::new();
    world.station.surroundings.sink = Arc::new(|input| match input {
        ControlInput::Datagram { .. } => panic!("a defect"),
        ControlInput::Disconnected { .. }
        | ControlInput::PeerExit { .. }
        | ControlInput::PeerFloated { .. } => true,
    });
    world.client.write_all(&[&[0, 14, 0x38][..], &[7; 13]].concat()).unwrap();
    let token = CONNECTION;
    let turn = |station: &mut Station<_, _>| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| station.drain_connection(token)))
    };
    while turn(&mut world.station).is_ok() {}
    world.station.abandon_turn();
    world.station.abandon_connection(token);
    assert_eq!(world.client.read(&mut [0]).unwrap_or(0), 0);
    assert!(world.station.outlets.roster().find(&world.session.path).is_none());
}

#[test]
fn a_connection_of_another_protocol_is_passed_on_with_everything_that_was_read() {
    let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let share = PortShare::start(backend.local_addr().unwrap().to_string().parse().unwrap()).unwrap();
    let mut world = TcpWorld::sharing_its_port(share);
    let mut browser = world.connect();
    for piece in ["G", "ET / HTTP/1.1\r\n", "\r\n"] {
        browser.write_all(piece.as_bytes()).unwrap();
        world.work();
    }
    world.work_until(|station| happened(station, Event::ConnectionShared) == 1);
    let (mut server, _) = backend.accept().unwrap();
    let mut request = [0; 18];
    server.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"GET / HTTP/1.1\r\n\r\n");
    server.write_all(b"HTTP/1.1 200 OK").unwrap();
    drop(server);
    let mut answer = String::new();
    browser.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let packet = echo(CLIENT, TARGET, b"a client of ours on the same port");
    let frame = world.frame(&packet);
    world.client.write_all(&frame).unwrap();
    world.work_until(|station| station.device.take_taken() == [packet.clone()]);
}

#[test]
fn net_09_a_stranger_that_stays_silent_is_shut_out() {
    let patience = Duration::from_millis(20);
    let limits = StrangerLimits { patience, ..StrangerLimits::default() };
    let mut world = TcpWorld::with(TcpEdge { most_connections: 10, ..TcpEdge::default() }, limits);
    let mut stranger = world.connect();
    std::thread::sleep(patience);
    world.station.streams.sweep(&world.station.counters);
    assert_eq!(happened(&world.station, Event::ConnectionTimedOut), 1);
    assert_eq!(stranger.read(&mut [0]).unwrap(), 0);
    assert!(world.station.outlets.roster().find(&world.session.path).is_some_and(|one| !one.is_shut()));
}

/// A station with a TCP listener, and a session of a client that is connected to it.
struct TcpWorld {
    station: Station<MemorySocket, MemoryDevice>,
    address: SocketAddr,
    tables: Arc<Tables>,
    sessions: Sessions,
    session: Session,
    client: TcpStream,
    heard: Arc<Mutex<Vec<ControlInput>>>,
    /// How many control packets there is room for.
    room: Arc<AtomicUsize>,
    connections: u64,
}

impl TcpWorld {
    fn new() -> Self {
        Self::with_room_for(1000)
    }

    fn with_room_for(most_connections: usize) -> Self {
        Self::with(TcpEdge { most_connections, ..TcpEdge::default() }, StrangerLimits::default())
    }

    fn sharing_its_port(share: PortShare) -> Self {
        let edge = TcpEdge { most_connections: 10, port_share: Some(Arc::new(share)), ..TcpEdge::default() };
        let mut world = Self::with(edge, StrangerLimits::default());
        // Its client is known to speak our protocol when it has begun as one does.
        let reset = [&[0, 14, 0x38][..], &[7; 13]].concat();
        world.client.write_all(&reset).unwrap();
        let heard = Arc::clone(&world.heard);
        world.work_until(|_| !heard.lock().unwrap().is_empty());
        world
    }

    fn with(mut edge: TcpEdge, limits: StrangerLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        edge.listeners.push((ListenerId(7), listener));
        let heard = Arc::new(Mutex::new(vec![]));
        let room = Arc::new(AtomicUsize::new(usize::MAX));
        let (ear, space) = (Arc::clone(&heard), Arc::clone(&room));
        let sink: ControlSink = Arc::new(move |input| {
            let is_packet = matches!(input, ControlInput::Datagram { .. });
            let has_room = !is_packet
                || space.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
            if has_room {
                ear.lock().unwrap().push(input);
            }
            has_room
        });
        let tables = Arc::new(Tables::new(4, policy(&["192.168.0.0/16"])));
        let mut station = serve(Arc::clone(&tables), edge, limits, sink);
        let mut sessions = Sessions::new();
        let client = TcpStream::connect(address).unwrap();
        let session = admit(&mut station, &tables, &mut sessions, &client, CLIENT);
        Self { station, address, tables, sessions, session, client, heard, room, connections: 1 }
    }

    /// A stranger's connection, which the station has taken in.
    fn connect(&mut self) -> TcpStream {
        let client = self.connect_unheeded();
        let before = happened(&self.station, Event::ConnectionAccepted);
        self.work_until(|station| happened(station, Event::ConnectionAccepted) > before);
        self.connections += 1;
        client
    }

    fn connect_unheeded(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Another session with a connection of its own.
    fn join(&mut self, address: Ipv4Addr) -> (Session, TcpStream) {
        let client = self.connect_unheeded();
        let session = admit(&mut self.station, &self.tables, &mut self.sessions, &client, address);
        self.connections += 1;
        (session, client)
    }

    fn frame(&self, packet: &[u8]) -> Vec<u8> {
        let sealed = self.session.seal(Moment::default(), packet);
        [&prefix(sealed.len()).unwrap()[..], &sealed].concat()
    }

    fn next_packet(&mut self) -> Vec<u8> {
        let mut prefix = [0; 2];
        self.client.read_exact(&mut prefix).unwrap();
        let mut packet = vec![0; usize::from(u16::from_be_bytes(prefix))];
        self.client.read_exact(&mut packet).unwrap();
        self.session.open(Moment::default(), &packet)
    }

    /// A turn for everything there is.
    fn work(&mut self) {
        self.station.accept(0);
        for number in 0..self.connections + 40 {
            self.station.drain_connection(Token(CONNECTION.0 + number));
        }
    }

    fn work_until(&mut self, mut is_done: impl FnMut(&Station<MemorySocket, MemoryDevice>) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_done(&self.station) {
            assert!(Instant::now() < deadline, "it did not happen");
            self.work();
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn ends(&self) -> Vec<Path> {
        let heard = self.heard.lock().unwrap();
        let ends = heard.iter().filter_map(|input| match input {
            ControlInput::Disconnected { path } => Some(*path),
            ControlInput::Datagram { .. }
            | ControlInput::PeerExit { .. }
            | ControlInput::PeerFloated { .. } => None,
        });
        ends.collect()
    }
}

/// A session for the client behind `client`, which the station has yet to take in.
fn admit(
    station: &mut Station<MemorySocket, MemoryDevice>,
    tables: &Tables,
    sessions: &mut Sessions,
    client: &TcpStream,
    address: Ipv4Addr,
) -> Session {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let remote = client.local_addr().unwrap();
    let local = Some(client.peer_addr().unwrap().ip());
    let path = Path { listener: ListenerId(7), transport: Transport::Tcp, remote, local };
    let slot = tables.reserve().unwrap();
    let session = sessions.connect(slot.peer_id(), path, address);
    tables.insert(slot, Peer::new(session.handle, 0, Arc::clone(&session.channel), address)).unwrap();
    while station.outlets.roster().find(&path).is_none() {
        station.accept(0);
    }
    station.outlets.roster().set_standing(&path, Standing::Session);
    session
}

const PATIENCE: Duration = Duration::from_secs(60);
