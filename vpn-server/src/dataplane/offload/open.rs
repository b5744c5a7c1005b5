//! A super-packet under way: its first packet, and which packets continue it so exactly that cutting gives them back.

use std::num::NonZero;

use super::checksum::{Sum, pseudo_header};
use super::flow::Shape;
use super::header::{FrameHeader, PartialChecksum, Segmentation, SegmentedProtocol};
use super::{TCP, at, flag, length, put, word};

/// A super-packet under way.
pub(super) struct Open<'b> {
    pub(super) first: &'b mut [u8],
    pub(super) shape: Shape,
    /// The payloads behind the first packet's.
    pub(super) further: Option<Further>,
    pub(super) packets: usize,
    length: usize,
    /// The flags that the result has beside those of the first packet.
    flags: u8,
    next_sequence: u32,
}

/// A list in the merger's payloads.
#[derive(Clone, Copy)]
pub(super) struct Further {
    pub(super) head: usize,
    pub(super) tail: usize,
}
impl<'b> Open<'b> {
    pub(super) fn new(shape: Shape, first: &'b mut [u8]) -> Self {
        let (length, flags) = (first.len(), push_flag(&shape, first));
        let next_sequence = sequence(&shape, first).wrapping_add(narrow(length - shape.payload));
        Self { first, shape, further: None, packets: 1, length, flags, next_sequence }
    }

    /// Whether `packet` continues this one so exactly that cutting gives it back.
    pub(super) fn takes(&self, shape: &Shape, packet: &[u8]) -> bool {
        let (payload, segment) = (packet.len() - shape.payload, self.segment());
        payload <= segment
            && self.length + payload <= LONGEST
            && shape.payload == self.shape.payload
            && self.has_same_ip_header(packet)
            && self.continues_transport(shape, packet)
            && (self.packets > 1 || self.shape.has_right_checksum(self.first))
            && shape.has_right_checksum(packet)
    }

    pub(super) fn append(&mut self, at: usize, shape: &Shape, packet: &[u8]) {
        let payload = packet.len() - shape.payload;
        let head = self.further.map_or(at, |further| further.head);
        self.further = Some(Further { head, tail: at });
        self.packets += 1;
        self.length += payload;
        self.next_sequence = self.next_sequence.wrapping_add(narrow(payload));
        self.flags |= push_flag(shape, packet);
        if payload < self.segment() {
            self.flags |= SHORT;
        }
    }

    /// Whether nothing may follow: what was pushed or is shorter comes last in a super-packet.
    pub(super) const fn is_complete(&self) -> bool {
        self.flags != 0 || self.packets == MOST_PACKETS
    }

    /// Octets of payload in every packet but the last.
    const fn segment(&self) -> usize {
        self.first.len() - self.shape.payload
    }

    /// Compares what cutting copies: everything but lengths, identification and checksum.
    fn has_same_ip_header(&self, packet: &[u8]) -> bool {
        let first = &*self.first;
        if self.shape.transport == length::IPV6 {
            return first[..at::IPV6_LENGTH] == packet[..at::IPV6_LENGTH]
                && first[at::IPV6_NEXT_HEADER..at::IPV6_ADDRESSES]
                    == packet[at::IPV6_NEXT_HEADER..at::IPV6_ADDRESSES];
        }
        let id = |packet: &[u8]| word(packet, at::IPV4_IDENTIFICATION);
        let is_next = id(first).wrapping_add(narrow_word(self.packets)) == id(packet);
        first[..at::IPV4_LENGTH] == packet[..at::IPV4_LENGTH]
            && first[at::IPV4_FRAGMENT..at::IPV4_CHECKSUM] == packet[at::IPV4_FRAGMENT..at::IPV4_CHECKSUM]
            // The identification of a packet that must not be fragmented means nothing (RFC 6864).
            && (is_next || word(packet, at::IPV4_FRAGMENT) & DONT_FRAGMENT != 0)
    }

    fn continues_transport(&self, shape: &Shape, packet: &[u8]) -> bool {
        if shape.flow.protocol != TCP {
            return true;
        }
        let (first, packet_header) =
            (&self.first[shape.transport..], &packet[shape.transport..shape.payload]);
        let same = |range: std::ops::Range<usize>| first[range.clone()] == packet_header[range];
        sequence(shape, packet) == self.next_sequence
            && same(TCP_ACKNOWLEDGEMENT..at::TCP_FLAGS)
            && same(TCP_WINDOW..at::TCP_CHECKSUM)
            && same(TCP_URGENT..packet_header.len())
    }

    /// Makes the first packet's headers those of the super-packet.
    pub(super) fn seal_headers(&mut self) -> FrameHeader {
        let Shape { flow, transport, payload } = self.shape;
        let is_ipv4 = transport == length::IPV4;
        let transport_length = narrow_word(self.length - transport);
        let pseudo_header = pseudo_header(self.first, flow.protocol, transport_length).folded();
        let (ip, segment) = self.first.split_at_mut(transport);
        if is_ipv4 {
            put(ip, at::IPV4_LENGTH, narrow_word(self.length));
            put(ip, at::IPV4_CHECKSUM, 0);
            put(ip, at::IPV4_CHECKSUM, !Sum::default().with(ip).folded());
        } else {
            put(ip, at::IPV6_LENGTH, transport_length);
        }
        let checksum = if flow.protocol == TCP {
            segment[at::TCP_FLAGS] |= self.flags & flag::PSH;
            at::TCP_CHECKSUM
        } else {
            put(segment, at::UDP_LENGTH, transport_length);
            at::UDP_CHECKSUM
        };
        put(segment, checksum, pseudo_header);
        let protocol = match (flow.protocol, is_ipv4) {
            (TCP, true) => SegmentedProtocol::TcpV4,
            (TCP, false) => SegmentedProtocol::TcpV6,
            _ => SegmentedProtocol::Udp,
        };
        let segment = NonZero::new(narrow_word(self.segment()));
        FrameHeader {
            checksum: Some(PartialChecksum { start: narrow_word(transport), offset: narrow_word(checksum) }),
            segmentation: segment.map(|segment| Segmentation {
                protocol,
                header_length: narrow_word(payload),
                segment,
            }),
        }
    }
}

/// The sequence number of a TCP segment; 0 for UDP, which has none.
fn sequence(shape: &Shape, packet: &[u8]) -> u32 {
    let field = packet.get(shape.transport + at::TCP_SEQUENCE..).and_then(|rest| rest.first_chunk());
    field.filter(|_| shape.flow.protocol == TCP).map_or(0, |octets| u32::from_be_bytes(*octets))
}

/// [`flag::PSH`] where the packet has it.
fn push_flag(shape: &Shape, packet: &[u8]) -> u8 {
    if shape.flow.protocol == TCP { packet[shape.transport + at::TCP_FLAGS] & flag::PSH } else { 0 }
}

#[expect(clippy::cast_possible_truncation, reason = "packets have 16-bit lengths")]
const fn narrow(length: usize) -> u32 {
    length as u32
}

#[expect(clippy::cast_possible_truncation, reason = "nothing in here is longer than LONGEST")]
const fn narrow_word(length: usize) -> u16 {
    length as u16
}

/// Packets of a super-packet at most.
pub(super) const MOST_PACKETS: usize = 64;
/// Octets of a super-packet at most: what the kernel takes, with a margin for headers it may add.
pub(super) const LONGEST: usize = 65_500;
/// Beside the TCP flags of a super-packet: its last packet is shorter. It stands for no flag that packets can have here.
const SHORT: u8 = 0x01;

const TCP_ACKNOWLEDGEMENT: usize = 8;
const TCP_WINDOW: usize = 14;
const TCP_URGENT: usize = 18;
const DONT_FRAGMENT: u16 = 0x4000;
