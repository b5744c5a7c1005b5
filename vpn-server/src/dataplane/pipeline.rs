//! What happens to a packet between the edges: pure over buffers and tables.
//!
//! Inbound is to the TUN device, outbound from it, whatever transport is at the other side. Each step of a packet
//! answers with what is to be done with it or why it is dropped; drops are counted, never logged. The tables are read
//! through snapshots held for one batch.

use std::sync::Arc;

use arc_swap::Guard;
use vpn_proto::data::{Inbound, OpenError, SealError, SealLayout};
use vpn_proto::wire::opcode::{Class, classify};
use vpn_proto::wire::tcp::{FrameError, Frames};
use vpn_proto::{ListenerId, Moment, Path, PeerId, Transport};

use crate::policy::Policy;
use crate::transport::ReceiveBatch;

use super::counters::{DropReason, Event, WorkerCounters};
use super::mss::SegmentLimit;
use super::offload::SuperPacket;
use super::packet::InnerHeader;
use super::send_queue::SendQueue;
use super::sink::{ControlInput, ControlSink, LONGEST_CONTROL_DATAGRAM};
use super::tables::{Leaving, Peer, Tables};
use super::verdict::Judge;

/// The steps of a packet, with what they look up and count in.
#[derive(Clone, Copy)]
pub struct Pipeline<'t> {
    /// Who and what is known.
    pub tables: &'t Tables,
    /// Where control datagrams go.
    pub sink: &'t ControlSink,
    /// Where this worker counts.
    pub counters: &'t WorkerCounters,
}

impl Pipeline<'_> {
    /// Takes what `listener` received and hands every inner packet that may pass to `deliver`, decrypted in place.
    ///
    /// Delivered packets stay valid as long as the batch, so that they can be joined before they are written.
    pub fn inbound<'b>(
        &self,
        now: Moment,
        listener: ListenerId,
        batch: &'b mut ReceiveBatch,
        mut deliver: impl FnMut(&'b mut [u8]),
    ) {
        let policy = self.tables.policy();
        for (received, buffer) in batch.iter_mut() {
            let path =
                Path { listener, transport: Transport::Udp, remote: received.remote, local: received.local };
            let mut pass = InboundPass { pipeline: *self, now, path, policy: &policy, peer: None };
            if buffer.is_empty() {
                self.counters.dropped(DropReason::NotOpenVpn);
            }
            for datagram in buffer.chunks_mut(received.stride.max(1)) {
                pass.take(datagram, &mut deliver);
            }
        }
    }

    /// Takes what the connection on `path` brought and hands every inner packet that may pass to `deliver`, decrypted
    /// in place. A control packet for which there is no room stays, with all that follow it: clients do not send again
    /// what a connection has taken.
    ///
    /// # Errors
    /// The connection does not consist of frames; the packets before that were taken.
    pub fn inbound_frames<'b>(
        &self,
        now: Moment,
        path: Path,
        frames: &mut Frames<'b>,
        mut deliver: impl FnMut(&'b mut [u8]),
    ) -> Result<Intake, FrameError> {
        let policy = self.tables.policy();
        let mut pass = InboundPass { pipeline: *self, now, path, policy: &policy, peer: None };
        while let Some(packet) = frames.peek_packet()? {
            let is_control = classify(packet) == Class::Control;
            if is_control && !pass.take_control(packet) {
                return Ok(Intake::Interrupted);
            }
            match frames.next_packet()? {
                Some(packet) if !is_control => pass.take(packet, &mut deliver),
                Some(_) | None => {}
            }
        }
        Ok(Intake::Complete)
    }

    /// Takes one packet from the TUN device and, if it may pass, queues it for its peer, sealed.
    ///
    /// The queue must not be full.
    pub fn outbound(&self, now: Moment, policy: &Policy, packet: &[u8], queue: &mut SendQueue) {
        let seal = |peer: &Peer, header: &InnerHeader, packet: &[u8]| {
            self.seal_into(queue, now, peer, header, packet)
        };
        let judge = Judge { tables: self.tables, policy, now };
        self.outbound_as(judge, packet, 1, seal);
    }

    /// Takes a super-packet from the TUN device and, if it may pass, queues the packets it stands for, sealed: judged
    /// once, since they are of one flow.
    ///
    /// The queue must not be full. Whenever it is, `flush` has to empty it.
    pub fn outbound_super(
        &self,
        now: Moment,
        policy: &Policy,
        packet: &SuperPacket<'_>,
        queue: &mut SendQueue,
        flush: impl FnMut(&mut SendQueue),
    ) {
        let seal =
            |peer: &Peer, _: &InnerHeader, _: &[u8]| self.seal_segments(now, peer, packet, queue, flush);
        let judge = Judge { tables: self.tables, policy, now };
        self.outbound_as(judge, packet.packet(), packet.count() as u64, seal);
    }

    /// `count`: how many packets `packet` is.
    fn outbound_as(
        &self,
        judge: Judge<'_>,
        packet: &[u8],
        count: u64,
        seal: impl FnOnce(&Peer, &InnerHeader, &[u8]) -> Result<(), DropReason>,
    ) {
        self.counters.happened_many(Event::PacketFromNetwork, count);
        if let Err(reason) = self.try_outbound(judge, packet, count, seal) {
            self.counters.dropped_many(reason, count);
        }
    }

    fn try_outbound(
        &self,
        judge: Judge<'_>,
        packet: &[u8],
        count: u64,
        seal: impl FnOnce(&Peer, &InnerHeader, &[u8]) -> Result<(), DropReason>,
    ) -> Result<(), DropReason> {
        let header = InnerHeader::parse(packet)?;
        if header.is_link_chatter() {
            return Err(DropReason::Ipv6LinkChatter);
        }
        let packet = &packet[..header.total_length()];
        let guard = self.tables.peer_toward(header.destination).ok_or(DropReason::NoSession)?;
        let peer = guard.get().ok_or(DropReason::NoSession)?;
        judge
            .judge_outbound(peer, &header, packet)
            .and_then(|()| seal(peer, &header, packet))
            .inspect_err(|_| peer.counters.count_to_peer(count))
    }

    /// Cuts a super-packet straight into the queue. None of its segments opens a connection, so that there is no
    /// segment size to lower.
    fn seal_segments(
        &self,
        now: Moment,
        peer: &Peer,
        packet: &SuperPacket<'_>,
        queue: &mut SendQueue,
        mut flush: impl FnMut(&mut SendQueue),
    ) -> Result<(), DropReason> {
        let (sender, layout) = (peer.channel.sender(), peer.channel.layout());
        let count = packet.count();
        let octets = packet.packet().len() + (count - 1) * packet.header_length();
        let mut batch = sender.batch(now, count, octets).map_err(unsealed)?;
        for segment in packet.segments() {
            if queue.is_full() {
                flush(queue);
            }
            let length = segment.length();
            let write = |inner: &mut [u8]| segment.write(inner);
            let seal = |datagram: &mut [u8]| batch.seal(length, datagram);
            if let Err(reason) = queue_sealed(queue, sender.path(), layout, length, write, seal) {
                self.counters.dropped(reason);
                peer.counters.count_to_peer(1);
            }
        }
        Ok(())
    }
}

/// Whether all that a connection brought was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// All of it.
    Complete,
    /// All up to a control packet for which there is no room.
    Interrupted,
}

/// The packets of one sender that arrived together: one super-packet, or what one read of a connection brought.
struct InboundPass<'p, 't> {
    pipeline: Pipeline<'t>,
    now: Moment,
    path: Path,
    policy: &'p Policy,
    /// The peer of the datagram before: nearly always the next one's too.
    peer: Option<(PeerId, Guard<Option<Arc<Peer>>>)>,
}

impl<'p, 't> InboundPass<'p, 't> {
    fn take<'b>(&mut self, datagram: &'b mut [u8], deliver: &mut impl FnMut(&'b mut [u8])) {
        let counters = self.pipeline.counters;
        counters.happened(Event::DatagramReceived);
        match self.datagram(datagram) {
            Ok(Some(packet)) => deliver(packet),
            Ok(None) => {}
            Err(reason) => counters.dropped(reason),
        }
    }

    /// Takes a control packet of a connection; `false` if there is no room for it.
    fn take_control(&self, packet: &[u8]) -> bool {
        let counters = self.pipeline.counters;
        match self.control(packet) {
            Err(DropReason::ControlQueueFull) => return false,
            Err(reason) => counters.dropped(reason),
            Ok(()) => {}
        }
        counters.happened(Event::DatagramReceived);
        true
    }

    /// The inner packet of a data datagram, if it may pass; nothing for what was dealt with here.
    fn datagram<'b>(&mut self, datagram: &'b mut [u8]) -> Result<Option<&'b mut [u8]>, DropReason> {
        match classify(datagram) {
            Class::Control => self.control(datagram).map(|()| None),
            Class::Data { peer_id: Some(id), .. } => self.data(id, datagram),
            Class::Data { peer_id: None, .. } => {
                let id = self.pipeline.tables.old_peer_at(&self.path).ok_or(DropReason::NoPeerId)?;
                self.data(id, datagram)
            }
            Class::Invalid => Err(DropReason::NotOpenVpn),
        }
    }

    fn control(&self, datagram: &[u8]) -> Result<(), DropReason> {
        if self.path.remote.port() == 0 {
            return Err(DropReason::UnanswerableSource);
        }
        if datagram.len() > LONGEST_CONTROL_DATAGRAM {
            return Err(DropReason::ControlTooLong);
        }
        let input = ControlInput::Datagram { path: self.path, bytes: datagram.to_vec() };
        if !(self.pipeline.sink)(input) {
            return Err(DropReason::ControlQueueFull);
        }
        self.pipeline.counters.happened(Event::ControlForwarded);
        Ok(())
    }

    fn data<'b>(&mut self, id: PeerId, datagram: &'b mut [u8]) -> Result<Option<&'b mut [u8]>, DropReason> {
        let (pipeline, policy, path, now) = (self.pipeline, self.policy, self.path, self.now);
        let peer = self.peer(id).ok_or(DropReason::UnknownPeer)?;
        let opened = peer.channel.open(now, &path, datagram).map_err(unopened)?;
        if opened.has_floated {
            pipeline.report_float(peer, path);
        }
        match opened.content {
            Inbound::Packet(packet) => {
                let segments = pipeline.tables.outer_limit().segment_limit(&path, peer.channel.layout());
                pipeline
                    .permit(now, policy, peer, packet, segments)
                    .map(Some)
                    .inspect_err(|_| peer.counters.count_from_peer())
            }
            Inbound::Exit => pipeline.exit(peer).map(|()| None),
            Inbound::Ping | Inbound::Ignored => {
                pipeline.counters.happened(Event::NoPayload);
                Ok(None)
            }
        }
    }

    fn peer(&mut self, id: PeerId) -> Option<&Peer> {
        if self.peer.as_ref().is_none_or(|(known, _)| *known != id) {
            self.peer = Some((id, self.pipeline.tables.peer(id)));
        }
        self.peer.as_ref().and_then(|(_, guard)| guard.as_deref())
    }
}

impl Pipeline<'_> {
    fn exit(&self, peer: &Peer) -> Result<(), DropReason> {
        let input = ControlInput::PeerExit { session: peer.session, shard: peer.shard };
        match peer.leave(|| (self.sink)(input)) {
            Leaving::Heard => self.counters.happened(Event::ExitForwarded),
            Leaving::SaidBefore => self.counters.happened(Event::NoPayload),
            Leaving::NotHeard => return Err(DropReason::ControlQueueFull),
        }
        Ok(())
    }

    /// The control side decides whether the session moves. The packet that shows it passes meanwhile, and another
    /// report comes if this one is not heard.
    fn report_float(&self, peer: &Peer, path: Path) {
        let input = ControlInput::PeerFloated { session: peer.session, shard: peer.shard, path };
        if (self.sink)(input) {
            self.counters.happened(Event::FloatForwarded);
        } else {
            self.counters.dropped(DropReason::ControlQueueFull);
        }
    }

    /// Judges a packet from a peer and prepares it for the network: form, source, routes, rules, segment size.
    fn permit<'b>(
        &self,
        now: Moment,
        policy: &Policy,
        peer: &Peer,
        packet: &'b mut [u8],
        segments: SegmentLimit,
    ) -> Result<&'b mut [u8], DropReason> {
        let header = InnerHeader::parse(packet)?;
        if header.is_link_chatter() {
            return Err(DropReason::Ipv6LinkChatter);
        }
        let packet = &mut packet[..header.total_length()];
        Judge { tables: self.tables, policy, now }.judge_inbound(peer, &header, packet)?;
        segments.apply(&header, packet);
        Ok(packet)
    }

    fn seal_into(
        &self,
        queue: &mut SendQueue,
        now: Moment,
        peer: &Peer,
        header: &InnerHeader,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let (sender, layout) = (peer.channel.sender(), peer.channel.layout());
        let segments = self.tables.outer_limit().segment_limit(sender.path(), layout);
        let write = |inner: &mut [u8]| {
            inner.copy_from_slice(packet);
            segments.apply(header, inner);
        };
        let seal = |datagram: &mut [u8]| sender.seal(now, packet.len(), datagram);
        queue_sealed(queue, sender.path(), layout, packet.len(), write, seal)
    }
}

/// Queues a packet of `length` octets, which `write` puts where `seal` finds it.
fn queue_sealed(
    queue: &mut SendQueue,
    path: &Path,
    layout: SealLayout,
    length: usize,
    write: impl FnOnce(&mut [u8]),
    seal: impl FnOnce(&mut [u8]) -> Result<(), SealError>,
) -> Result<(), DropReason> {
    let mut room = queue.room(path, layout.datagram_length(length)).ok_or(DropReason::TooLongToSeal)?;
    let datagram = room.datagram();
    write(&mut datagram[layout.front()..][..length]);
    seal(datagram).map_err(unsealed)?;
    room.commit();
    Ok(())
}

fn unopened(error: OpenError) -> DropReason {
    match error {
        OpenError::Closed => DropReason::ChannelClosed,
        OpenError::NoSuchKey => DropReason::UnknownKey,
        OpenError::Replayed => DropReason::Replayed,
        OpenError::NotAuthentic => DropReason::NotAuthentic,
        OpenError::ForeignPath => DropReason::ForeignPath,
        OpenError::Compressed => DropReason::Compressed,
        OpenError::Format | _ => DropReason::NotOpenVpn,
    }
}

fn unsealed(error: SealError) -> DropReason {
    match error {
        SealError::Closed => DropReason::ChannelClosed,
        SealError::Exhausted | SealError::WrongLength | _ => DropReason::NotSealed,
    }
}
