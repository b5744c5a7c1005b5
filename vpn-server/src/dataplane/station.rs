//! One worker's turns: everything it does between two waits, over any kind of socket and device.

use std::io;
use std::sync::Arc;

use vpn_proto::ListenerId;

use crate::clock::Clock;
use crate::transport::{DatagramSocket, PacketDevice, ReceiveBatch, SUPER_BUFFER};

use super::counters::{DropReason, Event, WorkerCounters};
use super::egress::flush;
use super::pipeline::Pipeline;
use super::send_queue::SendQueue;
use super::sink::ControlSink;
use super::tables::Tables;

/// The edges, tables and buffers of one worker.
pub(super) struct Station<S, D> {
    pub(super) sockets: Arc<[(ListenerId, S)]>,
    pub(super) device: D,
    pub(super) tables: Arc<Tables>,
    pub(super) sink: ControlSink,
    pub(super) counters: Arc<WorkerCounters>,
    pub(super) clock: Clock,
    buffers: Buffers,
}

/// All packet memory of a worker: allocated when it starts, never grown.
struct Buffers {
    received: ReceiveBatch,
    packet: Box<[u8]>,
    sends: SendQueue,
}

impl<S: DatagramSocket, D: PacketDevice> Station<S, D> {
    pub(super) fn new(
        sockets: Arc<[(ListenerId, S)]>,
        device: D,
        tables: Arc<Tables>,
        sink: ControlSink,
        counters: Arc<WorkerCounters>,
        clock: Clock,
    ) -> Self {
        let buffers = Buffers {
            received: ReceiveBatch::new(),
            packet: vec![0; SUPER_BUFFER].into_boxed_slice(),
            sends: SendQueue::new(SEND_GROUPS),
        };
        Self { sockets, device, tables, sink, counters, clock, buffers }
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
        let outcome = self.read_packets();
        flush(&mut self.buffers.sends, &self.sockets, &self.counters);
        outcome
    }

    /// Forgets whatever a turn that did not end left behind.
    pub(super) fn abandon_turn(&mut self) {
        let unsent = self.buffers.sends.clear();
        self.counters.dropped_many(DropReason::Panicked, unsent as u64);
    }

    /// Whether there may be more.
    fn receive_once(&mut self, index: usize) -> io::Result<bool> {
        let Some((listener, socket)) = self.sockets.get(index) else {
            return Ok(false);
        };
        let batch = &mut self.buffers.received;
        match socket.receive(batch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            outcome => outcome?,
        }
        self.counters.happened(Event::ReceiveCall);
        let may_be_more = batch.is_full();
        let (device, counters) = (&self.device, &*self.counters);
        let pipeline = Pipeline { tables: &self.tables, sink: &self.sink, counters };
        pipeline.inbound(self.clock.now(), *listener, batch, |packet| match device.send(packet) {
            Ok(()) => counters.happened(Event::PacketToNetwork),
            Err(_) => counters.dropped(DropReason::TunRefused),
        });
        Ok(may_be_more)
    }

    fn read_packets(&mut self) -> io::Result<()> {
        let Buffers { packet, sends, .. } = &mut self.buffers;
        let policy = self.tables.policy();
        let now = self.clock.now();
        let pipeline = Pipeline { tables: &self.tables, sink: &self.sink, counters: &self.counters };
        for _ in 0..DEVICE_TURN {
            let length = match self.device.receive(packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                outcome => outcome?,
            };
            if sends.is_full() {
                flush(sends, &self.sockets, &self.counters);
            }
            pipeline.outbound(now, &policy, &packet[..length.min(packet.len())], sends);
        }
        Ok(())
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
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::Ordering;

    use vpn_proto::Moment;

    use crate::transport::memory::{MemoryDevice, MemorySocket};

    use super::super::counters::PlaneCounters;
    use super::super::tables::Peer;
    use super::super::testing::packets::{echo, udp};
    use super::super::testing::policy;
    use super::super::testing::sessions::{Session, Sessions};
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
    fn what_the_device_gives_is_sent_to_its_client_in_one_call() {
        let (mut station, mut session) = station();
        let packets: Vec<_> = (0..20_u8).map(|number| udp(TARGET, CLIENT, &[number; 64])).collect();
        packets.iter().for_each(|packet| station.device.arrive(packet.clone()));
        station.drain_device().unwrap();
        let sent = station.sockets[0].1.take_sent();
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
        assert_eq!((station.device.take_taken().len(), station.sockets[0].1.waiting()), (share, 5));
        station.drain_socket(0).unwrap();
        assert_eq!(station.device.take_taken().len(), 5);

        (0..DEVICE_TURN + 5).for_each(|_| station.device.arrive(udp(TARGET, CLIENT, b"x")));
        station.drain_device().unwrap();
        assert_eq!(station.device.waiting(), 5);
        let sent: usize =
            station.sockets[0].1.take_sent().iter().map(|sent| sent.octets.len() / sent.segment).sum();
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
        assert!(station.sockets[0].1.take_sent().len() > SEND_GROUPS);
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
        station.sink = Arc::new(|_| panic!("a defect"));
        let stranger: SocketAddr = "203.0.113.1:1".parse().unwrap();
        station.sockets[0].1.arrive(stranger, 14, vec![0x38; 14]);
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
        assert!(station.sockets[0].1.take_sent().is_empty());
        assert_eq!(counters(&station).dropped(DropReason::Panicked), 1);
    }

    #[test]
    fn a_socket_index_that_is_not_there_is_no_turn() {
        let (mut station, _session) = station();
        station.drain_socket(5).unwrap();
    }

    fn station() -> (Station<MemorySocket, MemoryDevice>, Session) {
        let tables = Arc::new(Tables::new(1, policy(&["192.168.0.0/16"])));
        let slot = tables.reserve().unwrap();
        let session = Sessions::new().connect(slot.peer_id(), "198.51.100.2:4000".parse().unwrap(), CLIENT);
        tables.insert(slot, Peer::new(session.handle, 0, Arc::clone(&session.channel), CLIENT)).unwrap();
        let sockets: Arc<[_]> = Arc::new([(ListenerId(0), MemorySocket::new())]);
        let counters = Arc::new(WorkerCounters::new());
        let sink: ControlSink = Arc::new(|_| true);
        (Station::new(sockets, MemoryDevice::default(), tables, sink, counters, Clock::start()), session)
    }

    fn arrive(station: &Station<MemorySocket, MemoryDevice>, session: &Session, packet: &[u8]) {
        let datagram = session.seal(Moment::default(), packet);
        station.sockets[0].1.arrive(session.path.remote, datagram.len(), datagram);
    }

    fn happened(station: &Station<MemorySocket, MemoryDevice>, event: Event) -> u64 {
        counters(station).happened(event)
    }

    fn counters(station: &Station<MemorySocket, MemoryDevice>) -> PlaneCounters {
        PlaneCounters::sum([&*station.counters])
    }
}
