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
mod scenarios;
