//! One worker's turns: everything it does between two waits, over any kind of socket and device.

use std::io;
use std::sync::Arc;

use vpn_proto::Moment;

use crate::clock::Clock;
use crate::policy::Policy;
use crate::transport::poller::Token;
use crate::transport::{DatagramSocket, Offload, PacketDevice, ReceiveBatch, SUPER_BUFFER};

use super::counters::{DropReason, Event, WorkerCounters};
use super::egress::flush;
use super::offload::{Frame, FrameError, FrameHeader, MergeMemory, Merged};
use super::outlets::Outlets;
use super::pipeline::Pipeline;
use super::send_queue::SendQueue;
use super::sink::{ControlInput, ControlSink};
use super::streams::Streams;
use super::tables::Tables;

/// The edges, tables and buffers of one worker.
pub(super) struct Station<S, D> {
    pub(super) outlets: Outlets<S>,
    pub(super) streams: Streams,
    pub(super) device: D,
    pub(super) counters: Arc<WorkerCounters>,
    surroundings: Surroundings,
    buffers: Buffers,
}

/// What all workers of a data plane share, besides its ways out.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) tables: Arc<Tables>,
    pub(super) sink: ControlSink,
    pub(super) clock: Clock,
}

/// All packet memory of a worker: allocated when it starts, never grown.
struct Buffers {
    received: ReceiveBatch,
    /// What the device gives.
    frame: Box<[u8]>,
    sends: SendQueue,
    merging: MergeMemory,
}

impl<S: DatagramSocket, D: PacketDevice> Station<S, D> {
    pub(super) fn new(
        outlets: Outlets<S>,
        streams: Streams,
        device: D,
        surroundings: Surroundings,
        counters: Arc<WorkerCounters>,
    ) -> Self {
        let buffers = Buffers {
            received: ReceiveBatch::new(),
            frame: vec![0; FrameHeader::LENGTH + SUPER_BUFFER].into_boxed_slice(),
            sends: SendQueue::new(SEND_GROUPS),
            merging: MergeMemory::new(),
        };
        Self { outlets, streams, device, counters, surroundings, buffers }
    }

    /// Takes from the socket at `index` until it is empty or had its share of this turn.
    pub(super) fn drain_socket(&mut self, index: usize) -> io::Result<()> {
        for _ in 0..SOCKET_TURN {
            if !self.receive_once(index)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes from the device until it is empty or had its share of this turn, and sends what came of it.
    pub(super) fn drain_device(&mut self) -> io::Result<()> {
        let outcome = self.read_frames();
        flush(&mut self.buffers.sends, &self.outlets, &self.counters);
        outcome
    }

    /// Takes in connections that wait at the listener `index`.
    pub(super) fn accept(&mut self, index: usize) {
        self.streams.accept(index, &self.counters);
    }

    /// Goes on with connections whose packets found no room before.
    pub(super) fn resume_connections(&mut self) {
        for token in self.streams.take_paused() {
            self.drain_connection(token);
        }
    }

    /// Reads once from a connection, or goes on with what was read from it before.
    pub(super) fn drain_connection(&mut self, token: Token) {
        let Self { streams, device, counters, surroundings, buffers, .. } = self;
        let now = surroundings.clock.now();
        let pipeline = surroundings.pipeline(counters);
        let ended = streams.receive(token, counters, |path, frames| {
            let write = |merged: Merged<'_>| write(device, counters, merged);
            buffers.merging.merge(device.offload(), write, |merger| {
                pipeline.inbound_frames(now, path, frames, |packet| merger.push(packet))
            })
        });
        if let Some(path) = ended {
            // It has room for this always.
            let _ = (surroundings.sink)(ControlInput::Disconnected { path });
        }
    }

    /// Lets go of a connection whose turn did not end: nobody knows where its next frame begins.
    pub(super) fn abandon_connection(&mut self, token: Token) {
        if let Some(path) = self.streams.close(token, &self.counters) {
            let _ = (self.surroundings.sink)(ControlInput::Disconnected { path });
        }
    }

    /// Forgets whatever a turn that did not end left behind.
    pub(super) fn abandon_turn(&mut self) {
        let unsent = self.buffers.sends.clear();
        self.counters.dropped_many(DropReason::Panicked, unsent as u64);
    }

    /// Whether there may be more.
    fn receive_once(&mut self, index: usize) -> io::Result<bool> {
        let Some((listener, socket)) = self.outlets.sockets().get(index) else {
            return Ok(false);
        };
        let Buffers { received: batch, merging: memory, .. } = &mut self.buffers;
        match socket.receive(batch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            outcome => outcome?,
        }
        self.counters.happened(Event::ReceiveCall);
        let may_be_more = batch.is_full();
        let (device, counters, now) = (&self.device, &*self.counters, self.surroundings.clock.now());
        let pipeline = self.surroundings.pipeline(counters);
        let write = |merged: Merged<'_>| write(device, counters, merged);
        memory.merge(device.offload(), write, |merger| {
            pipeline.inbound(now, *listener, batch, |packet| merger.push(packet));
        });
        Ok(may_be_more)
    }

    fn read_frames(&mut self) -> io::Result<()> {
        let policy = self.surroundings.tables.policy();
        let now = self.surroundings.clock.now();
        let mut packets = 0;
        while packets < DEVICE_TURN {
            let length = match self.device.receive(&mut self.buffers.frame) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                outcome => outcome?,
            };
            self.counters.happened(Event::DeviceRead);
            packets += self.take_frame(now, &policy, length);
        }
        Ok(())
    }

    /// Answers with how many packets are in the frame.
    fn take_frame(&mut self, now: Moment, policy: &Policy, length: usize) -> usize {
        let Self { outlets, device, counters, surroundings, buffers, .. } = self;
        let Buffers { frame, sends, .. } = buffers;
        let length = length.min(frame.len());
        let pipeline = surroundings.pipeline(counters);
        if sends.is_full() {
            flush(sends, outlets, counters);
        }
        match parse(&mut frame[..length], device.offload()) {
            Ok(Frame::Packet(packet)) => {
                pipeline.outbound(now, policy, packet, sends);
                1
            }
            Ok(Frame::Super(packet)) => {
                let flush = |sends: &mut SendQueue| flush(sends, outlets, counters);
                pipeline.outbound_super(now, policy, &packet, sends, flush);
                packet.count()
            }
            Err(_) => {
                counters.dropped(DropReason::TunIncomprehensible);
                1
            }
        }
    }
}

impl Surroundings {
    fn pipeline<'t>(&'t self, counters: &'t WorkerCounters) -> Pipeline<'t> {
        Pipeline { tables: &self.tables, sink: &self.sink, counters }
    }
}

fn parse(frame: &mut [u8], offload: Offload) -> Result<Frame<'_>, FrameError> {
    match offload {
        Offload::None => Ok(Frame::Packet(frame)),
        Offload::Tcp | Offload::TcpAndUdp => Frame::parse(frame),
    }
}

fn write(device: &impl PacketDevice, counters: &WorkerCounters, merged: Merged<'_>) {
    let packets = merged.packets as u64;
    match device.send(merged.pieces) {
        Ok(()) => {
            counters.happened(Event::DeviceWrite);
            counters.happened_many(Event::PacketToNetwork, packets);
        }
        Err(_) => counters.dropped_many(DropReason::TunRefused, packets),
    }
}

/// Receive calls per turn of a socket: up to 16 super-packets, in the worst case some milliseconds of work.
const SOCKET_TURN: usize = 2;
/// Packets per turn of the device: about a millisecond of work.
const DEVICE_TURN: usize = 256;
/// Peers that a worker can collect datagrams for at once; 64 KiB each.
const SEND_GROUPS: usize = 32;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::num::NonZero;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use vpn_proto::wire::tcp::{LONGEST_FRAME, prefix};
    use vpn_proto::{ListenerId, Path, Transport};

    use crate::transport::memory::{MemoryDevice, MemorySocket};
    use crate::transport::poller::Poller;
    use crate::transport::port_share::PortShare;
    use crate::transport::tcp::{Roster, Standing, StrangerLimits, TcpListener};

    use super::super::counters::PlaneCounters;
    use super::super::offload::{PartialChecksum, Segment, Segmentation, SegmentedProtocol};
    use super::super::streams::{TcpEdge, Tokens};
    use super::super::tables::Peer;
    use super::super::testing::packets::{echo, udp};
    use super::super::testing::policy;
    use super::super::testing::sessions::{Session, Sessions, path};
    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);
    const TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);

    #[test]
    fn what_arrives_on_a_socket_is_written_to_the_device() {
        let (mut station, session) = station();
        let packets: Vec<_> = (0..12_u8).map(|number| echo(CLIENT, TARGET, &[number; 64])).collect();
        for packet in &packets {
            arrive(&station, &session, packet);
        }
        station.drain_socket(0).unwrap();
        assert_eq!(station.device.take_taken(), packets);
        assert_eq!(happened(&station, Event::PacketToNetwork), 12);
        assert_eq!(happened(&station, Event::ReceiveCall), 2);
    }

    #[test]
    fn what_arrives_together_is_written_together_to_a_device_that_takes_super_packets() {
        let (mut station, session) = station();
        station.device.offload = Offload::TcpAndUdp;
        let packets: Vec<_> = (0..8_u8).map(|number| udp(CLIENT, TARGET, &[number; 64])).collect();
        packets.iter().for_each(|packet| arrive(&station, &session, packet));
        station.drain_socket(0).unwrap();
        let mut written = station.device.take_taken();
        assert_eq!(written.len(), 1);
        let Ok(Frame::Super(packet)) = Frame::parse(&mut written[0]) else { panic!("no super-packet") };
        let payloads: Vec<_> =
            packet.segments().map(|segment| written_out(&segment)[28..].to_vec()).collect();
        assert_eq!(payloads, packets.iter().map(|packet| packet[28..].to_vec()).collect::<Vec<_>>());
        assert_eq!(
            (happened(&station, Event::DeviceWrite), happened(&station, Event::PacketToNetwork)),
            (1, 8)
        );
    }

    #[test]
    fn a_super_packet_of_the_device_is_cut_and_sealed_in_order() {
        let (mut station, mut session) = station();
        station.device.offload = Offload::TcpAndUdp;
        let packet =
            udp(TARGET, CLIENT, &(0..250).map(|number: u32| number.to_le_bytes()[0]).collect::<Vec<_>>());
        station.device.arrive(super_frame(&packet, 100));
        station.drain_device().unwrap();
        let sent = socket(&station).take_sent();
        let datagrams = sent[0].octets.chunks(sent[0].segment);
        let opened: Vec<_> = datagrams.map(|datagram| session.open(Moment::default(), datagram)).collect();
        assert_eq!(opened.iter().map(Vec::len).collect::<Vec<_>>(), [128, 128, 78]);
        assert_eq!(
            opened.iter().flat_map(|packet| &packet[28..]).collect::<Vec<_>>(),
            packet[28..].iter().collect::<Vec<_>>()
        );
        assert_eq!(
            (happened(&station, Event::DeviceRead), happened(&station, Event::PacketFromNetwork)),
            (1, 3)
        );
    }

    #[test]
    fn a_super_packet_of_more_groups_than_the_queue_holds_is_sent_in_between() {
        let (mut station, _session) = station();
        station.device.offload = Offload::TcpAndUdp;
        let packet = udp(TARGET, CLIENT, &[7; 64 * SEND_GROUPS + 100]);
        station.device.arrive(super_frame(&packet, 1));
        station.drain_device().unwrap();
        assert_eq!(happened(&station, Event::DatagramSent), 64 * SEND_GROUPS as u64 + 100);
    }

    #[test]
    fn all_packets_of_a_super_packet_that_may_not_pass_are_counted() {
        let (mut station, _session) = station();
        station.device.offload = Offload::TcpAndUdp;
        let packet = udp(TARGET, Ipv4Addr::new(10, 8, 0, 99), &[7; 250]);
        station.device.arrive(super_frame(&packet, 100));
        station.drain_device().unwrap();
        assert_eq!(counters(&station).dropped(DropReason::NoSession), 3);
    }

    #[test]
    fn what_the_device_says_nonsense_about_is_dropped_and_counted() {
        let (mut station, _session) = station();
        station.device.offload = Offload::Tcp;
        station.device.arrive(vec![0xff; 100]);
        station.device.arrive(vec![0; 3]);
        station.drain_device().unwrap();
        assert_eq!(counters(&station).dropped(DropReason::TunIncomprehensible), 2);
    }

    #[test]
    fn what_the_device_gives_is_sent_to_its_client_in_one_call() {
        let (mut station, mut session) = station();
        let packets: Vec<_> = (0..20_u8).map(|number| udp(TARGET, CLIENT, &[number; 64])).collect();
        packets.iter().for_each(|packet| station.device.arrive(packet.clone()));
        station.drain_device().unwrap();
        let sent = socket(&station).take_sent();
        assert_eq!(sent.iter().map(|sent| sent.path).collect::<Vec<_>>(), [session.path]);
        let datagrams = sent[0].octets.chunks(sent[0].segment);
        let opened: Vec<_> = datagrams.map(|datagram| session.open(Moment::default(), datagram)).collect();
        assert_eq!(opened, packets);
    }

    #[test]
    fn a_turn_ends_when_its_share_is_used_up_and_the_next_goes_on() {
        let (mut station, session) = station();
        let share = SOCKET_TURN * ReceiveBatch::BUFFERS;
        for _ in 0..share + 5 {
            arrive(&station, &session, &echo(CLIENT, TARGET, b""));
        }
        station.drain_socket(0).unwrap();
        assert_eq!((station.device.take_taken().len(), socket(&station).waiting()), (share, 5));
        station.drain_socket(0).unwrap();
        assert_eq!(station.device.take_taken().len(), 5);

        (0..DEVICE_TURN + 5).for_each(|_| station.device.arrive(udp(TARGET, CLIENT, b"x")));
        station.drain_device().unwrap();
        assert_eq!(station.device.waiting(), 5);
        let sent: usize =
            socket(&station).take_sent().iter().map(|sent| sent.octets.len() / sent.segment).sum();
        assert_eq!(sent, DEVICE_TURN);
    }

    #[test]
    fn more_groups_than_the_queue_holds_are_sent_in_between() {
        let (mut station, _session) = station();
        for size in (0..80).rev() {
            station.device.arrive(udp(TARGET, CLIENT, &vec![0; if size % 2 == 0 { 10 } else { 10 + size }]));
        }
        station.drain_device().unwrap();
        assert_eq!(happened(&station, Event::DatagramSent), 80);
        assert!(socket(&station).take_sent().len() > SEND_GROUPS);
    }

    #[test]
    fn packets_that_the_device_refuses_are_counted() {
        let (mut station, session) = station();
        station.device.refuses.store(true, Ordering::Relaxed);
        arrive(&station, &session, &echo(CLIENT, TARGET, b""));
        station.drain_socket(0).unwrap();
        assert_eq!(counters(&station).dropped(DropReason::TunRefused), 1);
    }

    #[test]
    fn net_12_a_panic_in_the_middle_of_a_turn_leaves_a_station_that_works() {
        let (mut station, session) = station();
        station.surroundings.sink = Arc::new(|_| panic!("a defect"));
        let stranger: SocketAddr = "203.0.113.1:1".parse().unwrap();
        socket(&station).arrive(stranger, 14, vec![0x38; 14]);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| station.drain_socket(0)));
        assert!(outcome.is_err());
        station.abandon_turn();
        arrive(&station, &session, &echo(CLIENT, TARGET, b""));
        station.drain_socket(0).unwrap();
        assert_eq!(station.device.take_taken().len(), 1);
    }

    #[test]
    fn abandoning_a_turn_forgets_what_was_queued_and_counts_it() {
        let (mut station, session) = station();
        let queue = &mut station.buffers.sends;
        queue.room(&session.path, 100).unwrap().commit();
        station.abandon_turn();
        station.drain_device().unwrap();
        assert!(socket(&station).take_sent().is_empty());
        assert_eq!(counters(&station).dropped(DropReason::Panicked), 1);
    }

    #[test]
    fn a_socket_index_that_is_not_there_is_no_turn() {
        let (mut station, _session) = station();
        station.drain_socket(5).unwrap();
    }

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

    /// The name of the first connection.
    const CONNECTION: Token = Token(1000);

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
            let edge = TcpEdge { most_connections: 10, port_share: Some(share), ..TcpEdge::default() };
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

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A UDP packet as the device gives it when it is to be cut.
    fn super_frame(packet: &[u8], segment: u16) -> Vec<u8> {
        let segment = NonZero::new(segment).unwrap();
        let segmentation = Segmentation { protocol: SegmentedProtocol::Udp, header_length: 28, segment };
        let checksum = Some(PartialChecksum { start: 20, offset: 6 });
        let header = FrameHeader { checksum, segmentation: Some(segmentation) };
        [&header.encode()[..], packet].concat()
    }

    fn written_out(segment: &Segment<'_>) -> Vec<u8> {
        let mut packet = vec![0; segment.length()];
        segment.write(&mut packet);
        packet
    }

    fn station() -> (Station<MemorySocket, MemoryDevice>, Session) {
        let tables = Arc::new(Tables::new(1, policy(&["192.168.0.0/16"])));
        let slot = tables.reserve().unwrap();
        let session = Sessions::new().connect(
            slot.peer_id(),
            path(Transport::Udp, "198.51.100.2:4000".parse().unwrap()),
            CLIENT,
        );
        tables.insert(slot, Peer::new(session.handle, 0, Arc::clone(&session.channel), CLIENT)).unwrap();
        (serve(tables, TcpEdge::default(), StrangerLimits::default(), Arc::new(|_| true)), session)
    }

    fn serve(
        tables: Arc<Tables>,
        edge: TcpEdge,
        limits: StrangerLimits,
        sink: ControlSink,
    ) -> Station<MemorySocket, MemoryDevice> {
        let clock = Clock::start();
        let roster = Arc::new(Roster::new(limits, clock));
        let tokens = Tokens { first_listener: 0, next_connection: CONNECTION.0 };
        let poller = Poller::new().unwrap();
        let streams = Streams::new(edge, Arc::clone(&roster), poller, tokens).unwrap();
        let outlets = Outlets::new([(ListenerId(0), MemorySocket::new())], roster);
        let surroundings = Surroundings { tables, sink, clock };
        let counters = Arc::new(WorkerCounters::new());
        Station::new(outlets, streams, MemoryDevice::default(), surroundings, counters)
    }

    fn socket(station: &Station<MemorySocket, MemoryDevice>) -> &MemorySocket {
        &station.outlets.sockets()[0].1
    }

    fn arrive(station: &Station<MemorySocket, MemoryDevice>, session: &Session, packet: &[u8]) {
        let datagram = session.seal(Moment::default(), packet);
        socket(station).arrive(session.path.remote, datagram.len(), datagram);
    }

    fn happened(station: &Station<MemorySocket, MemoryDevice>, event: Event) -> u64 {
        counters(station).happened(event)
    }

    fn counters(station: &Station<MemorySocket, MemoryDevice>) -> PlaneCounters {
        PlaneCounters::sum([&*station.counters])
    }
}
