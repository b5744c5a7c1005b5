//! Joining decrypted packets that arrived together into super-packets for the TUN device.
//!
//! Packets are joined where they lie: a super-packet is the first packet with other lengths, followed by the payloads of
//! the others, gathered by the write call. The order of packets within a flow is kept: whatever cannot join its flow's
//! super-packet sends that ahead. Nothing waits beyond its batch.

use std::io::IoSlice;

use super::TCP;
use super::flow::{Addresses, Flow, Nature, Shape};
use super::header::FrameHeader;
use super::open::{MOST_PACKETS, Open};
use crate::transport::Offload;

/// Joins the packets of one batch and hands what comes of them to `write`.
pub struct Merger<'b, W> {
    offload: Offload,
    /// The first `count`, in the order in which they were begun.
    open: [Option<Open<'b>>; OPEN_FLOWS],
    count: usize,
    payloads: Vec<Payload<'b>>,
    write: W,
}

/// What a merger needs to allocate, kept from batch to batch.
#[derive(Default)]
pub struct MergeMemory(Vec<Payload<'static>>);

/// What is to be written in one call.
#[derive(Debug)]
pub struct Merged<'m> {
    /// Header, where the device wants one, packet, and payloads of further packets.
    pub pieces: &'m [IoSlice<'m>],
    /// How many packets are in it.
    pub packets: usize,
}

/// The payload of a packet that joined another, and which of the same super-packet is the next.
#[derive(Clone, Copy)]
struct Payload<'b> {
    octets: &'b [u8],
    next: Option<usize>,
}

impl MergeMemory {
    /// Memory for all batches to come.
    #[must_use]
    pub fn new() -> Self {
        Self(Vec::with_capacity(PAYLOADS))
    }

    /// Lets `work` push the packets of one batch and hands what comes of them to `write`, for a device with `offload`.
    pub fn merge<'b, W: FnMut(Merged<'_>), T>(
        &mut self,
        offload: Offload,
        write: W,
        work: impl FnOnce(&mut Merger<'b, W>) -> T,
    ) -> T {
        // A batch that panics takes the memory with it, and the next one allocates.
        let mut merger = Merger::new(offload, std::mem::take(self), write);
        let outcome = work(&mut merger);
        *self = merger.finish();
        outcome
    }
}

impl<'b, W: FnMut(Merged<'_>)> Merger<'b, W> {
    fn new(offload: Offload, mut memory: MergeMemory, write: W) -> Self {
        memory.0.reserve(PAYLOADS);
        Self { offload, open: [const { None }; OPEN_FLOWS], count: 0, payloads: memory.0, write }
    }

    /// Takes a packet.
    pub fn push(&mut self, packet: &'b mut [u8]) {
        if self.offload == Offload::None {
            return self.write_alone(packet);
        }
        match Nature::of(packet) {
            Nature::Joinable(shape) if self.can_join(shape.flow) => return self.join(shape, packet),
            Nature::Joinable(Shape { flow, .. }) | Nature::Alone(flow) => self.finish_flow(&flow),
            Nature::Unclear(addresses) => self.finish_between(addresses),
        }
        self.write_alone(packet);
    }

    /// Writes what is under way and gives the memory back.
    fn finish(mut self) -> MergeMemory {
        self.finish_between(None);
        self.payloads.clear();
        // An empty vector of another lifetime; collecting keeps the allocation.
        MergeMemory(self.payloads.into_iter().map(|_| Payload { octets: &[], next: None }).collect())
    }

    fn can_join(&self, flow: Flow) -> bool {
        match self.offload {
            Offload::None => false,
            Offload::Tcp => flow.protocol == TCP,
            Offload::TcpAndUdp => true,
        }
    }

    fn join(&mut self, shape: Shape, packet: &'b mut [u8]) {
        if self.payloads.len() >= PAYLOADS {
            self.finish_between(None);
            self.payloads.clear();
        }
        if let Some(index) = self.find(&shape.flow) {
            let takes = self.open[index].as_mut().is_some_and(|open| open.takes(&shape, packet));
            if takes {
                return self.append(index, &shape, packet);
            }
            self.finish_at(index);
        }
        self.begin(shape, packet);
    }

    fn begin(&mut self, shape: Shape, packet: &'b mut [u8]) {
        let open = Open::new(shape, packet);
        if open.is_complete() {
            return self.write_alone(open.first);
        }
        if self.count == OPEN_FLOWS {
            self.finish_at(0);
        }
        self.open[self.count] = Some(open);
        self.count += 1;
    }

    fn append(&mut self, index: usize, shape: &Shape, packet: &'b [u8]) {
        let at = self.payloads.len();
        self.payloads.push(Payload { octets: &packet[shape.payload..], next: None });
        let Some(open) = &mut self.open[index] else { return };
        if let Some(further) = open.further {
            self.payloads[further.tail].next = Some(at);
        }
        open.append(at, shape, packet);
        if open.is_complete() {
            self.finish_at(index);
        }
    }

    fn find(&self, flow: &Flow) -> Option<usize> {
        self.open[..self.count].iter().flatten().position(|open| open.shape.flow == *flow)
    }

    fn finish_flow(&mut self, flow: &Flow) {
        if let Some(index) = self.find(flow) {
            self.finish_at(index);
        }
    }

    /// Writes all that is under way between two addresses, or between any.
    fn finish_between(&mut self, addresses: Option<Addresses>) {
        let mut index = 0;
        while let Some(open) = self.open[..self.count].get(index).and_then(Option::as_ref) {
            if addresses.is_none_or(|addresses| addresses == open.shape.flow.addresses) {
                self.finish_at(index);
            } else {
                index += 1;
            }
        }
    }

    fn finish_at(&mut self, index: usize) {
        let Some(open) = self.open[index].take() else { return };
        self.open[index..self.count].rotate_left(1);
        self.count -= 1;
        if open.packets == 1 {
            self.write_alone(open.first);
        } else {
            self.write_joined(open);
        }
    }

    fn write_alone(&mut self, packet: &[u8]) {
        let header = FrameHeader::PLAIN.encode();
        let pieces = [IoSlice::new(&header), IoSlice::new(packet)];
        let without_header = usize::from(self.offload == Offload::None);
        (self.write)(Merged { pieces: &pieces[without_header..], packets: 1 });
    }

    fn write_joined(&mut self, mut open: Open<'b>) {
        let header = open.seal_headers().encode();
        let mut pieces = [IoSlice::new(&[]); MOST_PACKETS + 1];
        (pieces[0], pieces[1]) = (IoSlice::new(&header), IoSlice::new(open.first));
        let mut next = open.further.map(|further| further.head);
        for piece in &mut pieces[2..=open.packets] {
            let Some(payload) = next.and_then(|index| self.payloads.get(index)) else { break };
            (*piece, next) = (IoSlice::new(payload.octets), payload.next);
        }
        (self.write)(Merged { pieces: &pieces[..=open.packets], packets: open.packets });
    }
}

/// Flows that can be under way at once.
const OPEN_FLOWS: usize = 8;
/// Payloads that can be under way at once: more than a batch has of most sizes.
const PAYLOADS: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::flag;
    use super::super::frame::Frame;
    use super::super::open::LONGEST;
    use super::super::reference::{self, Packet, Stream, Transport};
    use super::*;

    #[test]
    fn a_run_of_segments_becomes_one_super_packet() {
        for packet in Packet::one_of_each() {
            let packets = Stream::new(packet, 1000).take(10);
            let writes = merged(Offload::TcpAndUdp, &packets);
            assert_eq!(writes.iter().map(|write| write.packets).collect::<Vec<_>>(), [10]);
            assert_eq!(writes[0].octets.len(), FrameHeader::LENGTH + packets[0].len() + 9 * 1000);
            assert_eq!(cut(&writes), packets);
        }
    }

    #[test]
    fn flows_that_alternate_are_joined_each_for_itself() {
        let streams: Vec<_> = (0..OPEN_FLOWS)
            .map(|number| {
                let mut packet = Packet::tcp_v4();
                let Transport::Tcp { ports, .. } = &mut packet.transport else { panic!() };
                ports[0] = u16::try_from(number).unwrap();
                Stream::new(packet, 100).take(5)
            })
            .collect();
        let alternating: Vec<_> =
            (0..5).flat_map(|round| streams.iter().map(move |stream| stream[round].clone())).collect();
        let writes = merged(Offload::Tcp, &alternating);
        assert_eq!(writes.iter().map(|write| write.packets).collect::<Vec<_>>(), [5; OPEN_FLOWS]);
        assert_eq!(cut(&writes), streams.concat());
    }

    #[test]
    fn more_flows_than_are_kept_send_the_oldest_ahead() {
        let packets: Vec<_> = (0..20_u16)
            .map(|port| Packet {
                transport: Transport::Udp { ports: [port, 9], has_checksum: true },
                payload: vec![1; 9],
                ..Packet::udp_v6()
            })
            .map(|packet| packet.octets())
            .collect();
        assert_eq!(cut(&merged(Offload::TcpAndUdp, &packets)), packets);
    }

    #[test]
    fn a_shorter_or_pushed_packet_is_the_last_of_its_super_packet() {
        let mut stream = Stream::new(Packet::tcp_v4(), 100);
        let packets = [
            stream.next(),
            stream.next_of(60),
            stream.next(),
            stream.next_pushed(),
            stream.next(),
            stream.next(),
        ];
        let packets = packets.map(|packet| packet.octets());
        let writes = merged(Offload::Tcp, &packets);
        assert_eq!(writes.iter().map(|write| write.packets).collect::<Vec<_>>(), [2, 2, 2]);
        assert_eq!(cut(&writes), packets);
    }

    #[test]
    fn super_packets_respect_the_limits_of_the_kernel() {
        for (size, expected) in [(10, vec![64, 36]), (1400, vec![46, 46, 8])] {
            let packets = Stream::new(Packet::tcp_v6(), size).take(100);
            let writes = merged(Offload::Tcp, &packets);
            assert_eq!(writes.iter().map(|write| write.packets).collect::<Vec<_>>(), expected);
            assert!(writes.iter().all(|write| write.octets.len() <= FrameHeader::LENGTH + LONGEST));
            assert_eq!(cut(&writes), packets);
        }
    }

    #[test]
    fn more_payloads_than_there_is_memory_for_are_no_obstacle() {
        let packets = Stream::new(Packet::udp_v4(), 1).take(2 * PAYLOADS + 7);
        assert_eq!(cut(&merged(Offload::TcpAndUdp, &packets)), packets);
    }

    #[test]
    fn without_offload_packets_are_written_as_they_are() {
        let packets = Stream::new(Packet::tcp_v4(), 100).take(5);
        let writes = merged(Offload::None, &packets);
        assert_eq!(writes.iter().map(|write| write.octets.clone()).collect::<Vec<_>>(), packets);
    }

    #[test]
    fn without_udp_segmentation_only_tcp_is_joined() {
        let counts = |packet| {
            let packets = Stream::new(packet, 100).take(5);
            merged(Offload::Tcp, &packets).iter().map(|write| write.packets).collect::<Vec<_>>()
        };
        assert_eq!((counts(Packet::udp_v4()), counts(Packet::tcp_v4())), (vec![1; 5], vec![5]));
    }

    #[test]
    fn a_packet_with_a_wrong_checksum_stays_as_wrong_as_it_is() {
        for wrong in 0..3 {
            let mut packets = Stream::new(Packet::tcp_v4(), 100).take(3);
            packets[wrong][60] ^= 1;
            assert_eq!(cut(&merged(Offload::Tcp, &packets)), packets);
        }
    }

    #[test]
    fn every_difference_that_cutting_would_lose_separates() {
        type Change = fn(&mut Packet);
        let changes: [(&str, Change); 9] = [
            ("traffic class", |packet| packet.traffic_class ^= 1),
            ("hop limit", |packet| packet.hop_limit -= 1),
            ("fragmentation", |packet| packet.dont_fragment = false),
            ("sequence", |packet| tcp(packet, |fields| *fields.0 += 1)),
            ("acknowledgement", |packet| tcp(packet, |fields| *fields.1 += 1)),
            ("window", |packet| tcp(packet, |fields| *fields.2 += 1)),
            ("options", |packet| tcp(packet, |fields| fields.3[0] = 0)),
            ("flags", |packet| tcp(packet, |fields| *fields.4 |= flag::CWR)),
            ("length", |packet| packet.payload.push(0)),
        ];
        for (name, change) in changes {
            let mut first = Packet::tcp_v4();
            let Transport::Tcp { options, .. } = &mut first.transport else { panic!() };
            *options = vec![1; 4];
            let mut stream = Stream::new(first, 100);
            let (first, mut second) = (stream.next(), stream.next());
            change(&mut second);
            let writes = merged(Offload::Tcp, &[first.octets(), second.octets()]);
            assert_eq!(writes.len(), 2, "{name}");
        }
    }

    #[test]
    fn identifications_separate_only_where_they_mean_something() {
        for (dont_fragment, step, expected) in
            [(true, 0, 1), (true, 9, 1), (false, 1, 1), (false, 0, 2), (false, 2, 2)]
        {
            let mut stream = Stream::new(Packet { dont_fragment, ..Packet::udp_v4() }, 100);
            let (first, mut second) = (stream.next(), stream.next());
            second.identification = first.identification.wrapping_add(step);
            let writes = merged(Offload::TcpAndUdp, &[first.octets(), second.octets()]);
            assert_eq!(writes.len(), expected, "{dont_fragment} {step}");
        }
    }

    #[test]
    fn what_may_be_of_any_flow_sends_those_of_its_addresses_ahead_and_no_others() {
        let (mut near, mut far) = (Stream::new(Packet::tcp_v4(), 100), Stream::new(Packet::tcp_v6(), 100));
        let mut fragment = Packet { payload: vec![1; 20], ..Packet::udp_v4() }.octets();
        fragment[6] = 0x20;
        let packets =
            [near.next().octets(), far.next().octets(), fragment, near.next().octets(), far.next().octets()];
        let writes = merged(Offload::TcpAndUdp, &packets);
        let counts: Vec<_> = writes.iter().map(|write| write.packets).collect();
        assert_eq!(counts, [1, 1, 2, 1]);
        assert_eq!(writes[1].octets[FrameHeader::LENGTH..], packets[2]);
    }

    #[test]
    fn memory_is_kept_from_batch_to_batch() {
        let (mut memory, mut packets) = (MergeMemory::new(), Stream::new(Packet::tcp_v4(), 100).take(20));
        let before = (memory.0.as_ptr().addr(), memory.0.capacity());
        memory.merge(
            Offload::Tcp,
            |_| {},
            |merger| packets.iter_mut().for_each(|packet| merger.push(packet)),
        );
        assert_eq!((memory.0.as_ptr().addr(), memory.0.capacity()), before);
    }

    proptest! {
        #[test]
        fn cutting_gives_every_flow_its_packets_back_in_order(
            packets in reference::traffic(),
            offload in prop::sample::select(vec![Offload::None, Offload::Tcp, Offload::TcpAndUdp]),
        ) {
            let writes = merged(offload, &packets);
            let got = if offload == Offload::None {
                writes.into_iter().map(|write| write.octets).collect()
            } else {
                cut(&writes)
            };
            prop_assert_eq!(got.len(), packets.len());
            for packet in &packets {
                prop_assert_eq!(of_flow(&got, packet), of_flow(&packets, packet));
            }
        }

        #[test]
        fn any_octets_are_passed_on(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
            let writes = merged(Offload::TcpAndUdp, &packets);
            prop_assert_eq!(writes.iter().map(|write| write.packets).sum::<usize>(), packets.len());
        }
    }

    /// The packets that must keep their order with `packet`: those of its flow, and those of no clear flow between
    /// its addresses.
    fn of_flow(packets: &[Vec<u8>], packet: &[u8]) -> Vec<Vec<u8>> {
        let flow = Nature::of(packet);
        let belongs = |other: &&Vec<u8>| match (flow, Nature::of(other)) {
            (Nature::Joinable(Shape { flow, .. }) | Nature::Alone(flow), Nature::Joinable(other)) => {
                flow == other.flow
            }
            (Nature::Joinable(Shape { flow, .. }) | Nature::Alone(flow), Nature::Alone(other)) => {
                flow == other
            }
            (Nature::Joinable(Shape { flow, .. }) | Nature::Alone(flow), Nature::Unclear(other)) => {
                Some(flow.addresses) == other
            }
            (Nature::Unclear(addresses), Nature::Unclear(other)) => addresses == other,
            (Nature::Unclear(_), Nature::Joinable(_) | Nature::Alone(_)) => false,
        };
        packets
            .iter()
            .filter(belongs)
            .map(|packet| reference::without_meaningless_identification(packet))
            .collect()
    }

    #[derive(Debug)]
    struct Write {
        octets: Vec<u8>,
        packets: usize,
    }

    fn merged(offload: Offload, packets: &[Vec<u8>]) -> Vec<Write> {
        let mut packets = packets.to_vec();
        let mut writes = vec![];
        let write = |merged: Merged<'_>| {
            let octets = merged.pieces.iter().flat_map(|piece| piece.to_vec()).collect();
            writes.push(Write { octets, packets: merged.packets });
        };
        let mut memory = MergeMemory::default();
        memory.merge(offload, write, |merger| packets.iter_mut().for_each(|packet| merger.push(packet)));
        writes
    }

    /// What the kernel makes of what was written.
    fn cut(writes: &[Write]) -> Vec<Vec<u8>> {
        writes
            .iter()
            .flat_map(|write| {
                let mut octets = write.octets.clone();
                let packets = match Frame::parse(&mut octets).unwrap() {
                    Frame::Packet(packet) => vec![packet.to_vec()],
                    Frame::Super(packet) => packet
                        .segments()
                        .map(|segment| {
                            let mut packet = vec![0; segment.length()];
                            segment.write(&mut packet);
                            packet
                        })
                        .collect(),
                };
                assert_eq!(packets.len(), write.packets);
                packets
            })
            .collect()
    }

    type TcpFields<'p> = (&'p mut u32, &'p mut u32, &'p mut u16, &'p mut Vec<u8>, &'p mut u8);

    fn tcp(packet: &mut Packet, change: impl FnOnce(TcpFields<'_>)) {
        let Transport::Tcp { sequence, acknowledgement, window, options, flags, .. } = &mut packet.transport
        else {
            panic!("not TCP")
        };
        change((sequence, acknowledgement, window, options, flags));
    }
}
