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
        Self {
            sockets,
            device,
            tables,
            sink,
            counters,
            clock,
            buffers,
        }
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
        let pipeline = Pipeline {
            tables: &self.tables,
            sink: &self.sink,
            counters,
        };
        pipeline.inbound(self.clock.now(), *listener, batch, |packet| {
            match device.send(packet) {
                Ok(()) => counters.happened(Event::PacketToNetwork),
                Err(_) => counters.dropped(DropReason::TunRefused),
            }
        });
        Ok(may_be_more)
    }

    fn read_packets(&mut self) -> io::Result<()> {
        let Buffers { packet, sends, .. } = &mut self.buffers;
        let policy = self.tables.policy();
        let now = self.clock.now();
        let pipeline = Pipeline {
            tables: &self.tables,
            sink: &self.sink,
            counters: &self.counters,
        };
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

/// Receive calls per turn of a socket: up to 32 super-packets, about a millisecond of work.
const SOCKET_TURN: usize = 4;
/// Packets per turn of the device: about half a millisecond of work.
const DEVICE_TURN: usize = 256;
/// Peers that a worker can collect datagrams for at once; 64 KiB each.
const SEND_GROUPS: usize = 32;
