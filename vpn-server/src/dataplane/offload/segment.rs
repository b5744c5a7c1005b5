//! Cutting a super-packet into the packets it stands for.
//!
//! Every segment has the headers of the super-packet, with lengths, IPv4 identification, TCP sequence number, flags and
//! checksums of its own. Checksums are computed in full: the sum that the kernel left covers the super-packet's length.

use super::checksum::{Sum, addresses};
use super::frame::FrameError;
use super::header::{PartialChecksum, Segmentation, SegmentedProtocol};
use super::{TCP, UDP, at, flag, length, put, word};

/// Packets of one flow in one, with at least one octet of payload. Its headers agree with each other.
#[derive(Debug)]
pub struct SuperPacket<'p> {
    packet: &'p [u8],
    headers: &'p [u8],
    payload: &'p [u8],
    /// Where the transport header begins.
    transport: usize,
    protocol: Protocol,
    /// Octets of payload in every segment but the last.
    segment: usize,
    /// The sum of what the pseudo-headers of all segments have in common.
    common: Sum,
}

/// One of the packets that a super-packet stands for.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'s> {
    whole: &'s SuperPacket<'s>,
    index: usize,
    payload: &'s [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
}

impl<'p> SuperPacket<'p> {
    pub(super) fn parse(
        packet: &'p [u8],
        checksum: PartialChecksum,
        segmentation: Segmentation,
    ) -> Result<Self, FrameError> {
        let protocol = Protocol::from(segmentation.protocol);
        let transport = usize::from(checksum.start);
        check_ip(packet, transport, segmentation.protocol)?;
        let headers = transport + protocol.header_length(packet.get(transport..).unwrap_or(&[]))?;
        let (headers, payload) = packet.split_at_checked(headers).ok_or(FrameError::Segments)?;
        if payload.is_empty() || usize::from(checksum.offset) != protocol.checksum() {
            return Err(FrameError::Segments);
        }
        let common = addresses(headers).with_word(u16::from(protocol.number()));
        let segment = usize::from(segmentation.segment.get());
        Ok(Self { packet, headers, payload, transport, protocol, segment, common })
    }

    /// All of it: its IP header is that of a packet with this length.
    #[must_use]
    pub const fn packet(&self) -> &'p [u8] {
        self.packet
    }

    /// Octets of the headers of each segment.
    #[must_use]
    pub const fn header_length(&self) -> usize {
        self.headers.len()
    }

    /// How many packets it stands for; at least one.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.payload.len().div_ceil(self.segment)
    }

    /// The packets it stands for, in their order.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment<'_>> {
        let pieces = self.payload.chunks(self.segment).enumerate();
        pieces.map(|(index, payload)| Segment { whole: self, index, payload })
    }
}

impl Segment<'_> {
    /// Octets of the packet.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.whole.headers.len() + self.payload.len()
    }

    /// Writes the packet to `into`, which has exactly [`Segment::length`] octets.
    pub fn write(&self, into: &mut [u8]) {
        let SuperPacket { headers, transport, .. } = *self.whole;
        into[..headers.len()].copy_from_slice(headers);
        into[headers.len()..].copy_from_slice(self.payload);
        let (ip, transport) = into.split_at_mut(transport);
        self.patch_ip(ip, transport.len());
        match self.whole.protocol {
            Protocol::Tcp => self.patch_tcp(transport),
            Protocol::Udp => put(transport, at::UDP_LENGTH, narrow(transport.len())),
        }
        self.put_checksum(transport);
    }

    fn patch_ip(&self, ip: &mut [u8], transport_length: usize) {
        let total = narrow(ip.len() + transport_length);
        if ip[0] >> 4 == 4 {
            let identification = word(ip, at::IPV4_IDENTIFICATION).wrapping_add(narrow(self.index));
            put(ip, at::IPV4_LENGTH, total);
            put(ip, at::IPV4_IDENTIFICATION, identification);
            put(ip, at::IPV4_CHECKSUM, 0);
            put(ip, at::IPV4_CHECKSUM, !Sum::default().with(ip).folded());
        } else {
            put(ip, at::IPV6_LENGTH, total - narrow(length::IPV6));
        }
    }

    fn patch_tcp(&self, tcp: &mut [u8]) {
        let (index, whole) = (self.index, self.whole);
        if let Some(sequence) = tcp.get_mut(at::TCP_SEQUENCE..).and_then(|rest| rest.first_chunk_mut()) {
            #[expect(clippy::cast_possible_truncation, reason = "it lies within a packet of 16-bit length")]
            let offset = (index * whole.segment) as u32;
            *sequence = u32::from_be_bytes(*sequence).wrapping_add(offset).to_be_bytes();
        }
        if index > 0 {
            tcp[at::TCP_FLAGS] &= !flag::CWR;
        }
        if index + 1 < whole.count() {
            tcp[at::TCP_FLAGS] &= !(flag::FIN | flag::PSH);
        }
    }

    fn put_checksum(&self, transport: &mut [u8]) {
        let protocol = self.whole.protocol;
        put(transport, protocol.checksum(), 0);
        let sum = self.whole.common.with_word(narrow(transport.len())).with(transport).folded();
        let checksum = match (protocol, !sum) {
            // To UDP, zero means that there is none.
            (Protocol::Udp, 0) => 0xffff,
            (Protocol::Tcp | Protocol::Udp, checksum) => checksum,
        };
        put(transport, protocol.checksum(), checksum);
    }
}

impl Protocol {
    const fn number(self) -> u8 {
        match self {
            Self::Tcp => TCP,
            Self::Udp => UDP,
        }
    }

    /// Where in the transport header the checksum is.
    const fn checksum(self) -> usize {
        match self {
            Self::Tcp => at::TCP_CHECKSUM,
            Self::Udp => at::UDP_CHECKSUM,
        }
    }

    fn header_length(self, transport: &[u8]) -> Result<usize, FrameError> {
        match self {
            Self::Udp => Ok(length::UDP),
            Self::Tcp => {
                let offset = transport.get(at::TCP_DATA_OFFSET).ok_or(FrameError::Segments)?;
                let octets = usize::from(offset >> 4) * 4;
                if octets < length::TCP { Err(FrameError::Segments) } else { Ok(octets) }
            }
        }
    }
}

impl From<SegmentedProtocol> for Protocol {
    fn from(protocol: SegmentedProtocol) -> Self {
        match protocol {
            SegmentedProtocol::TcpV4 | SegmentedProtocol::TcpV6 => Self::Tcp,
            SegmentedProtocol::Udp => Self::Udp,
        }
    }
}

/// Checks that `packet` has the IP header of what is cut, with the transport header at `transport`.
fn check_ip(packet: &[u8], transport: usize, protocol: SegmentedProtocol) -> Result<(), FrameError> {
    let is_right = match (packet.first().map(|first| first >> 4), protocol) {
        (Some(4), SegmentedProtocol::TcpV4 | SegmentedProtocol::Udp) => is_ipv4(packet, transport, protocol),
        (Some(6), SegmentedProtocol::TcpV6 | SegmentedProtocol::Udp) => is_ipv6(packet, transport, protocol),
        _ => false,
    };
    if is_right { Ok(()) } else { Err(FrameError::Segments) }
}

fn is_ipv4(packet: &[u8], transport: usize, protocol: SegmentedProtocol) -> bool {
    packet.len() >= length::IPV4
        && transport >= length::IPV4
        && transport == usize::from(packet[0] & 0x0f) * 4
        && packet.len() == usize::from(word(packet, at::IPV4_LENGTH))
        && word(packet, at::IPV4_FRAGMENT) & FRAGMENT == 0
        && packet[at::IPV4_PROTOCOL] == Protocol::from(protocol).number()
}

/// Extension headers are the kernel's business, which says where they end.
fn is_ipv6(packet: &[u8], transport: usize, protocol: SegmentedProtocol) -> bool {
    packet.len() >= length::IPV6
        && packet.len() == length::IPV6 + usize::from(word(packet, at::IPV6_LENGTH))
        && match transport.checked_sub(length::IPV6) {
            Some(0) => packet[at::IPV6_NEXT_HEADER] == Protocol::from(protocol).number(),
            Some(extensions) => extensions.is_multiple_of(8),
            None => false,
        }
}

/// A length or number inside a super-packet, whose own length has 16 bits: [`check_ip`] sees to that.
#[expect(clippy::cast_possible_truncation, reason = "it lies within a packet of 16-bit length")]
const fn narrow(length: usize) -> u16 {
    length as u16
}

/// The offset and the flag for more fragments.
const FRAGMENT: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{self, Packet, Transport};
    use super::*;

    #[test]
    fn only_the_last_segment_keeps_fin_and_psh_and_only_the_first_cwr() {
        let mut packet = Packet { payload: vec![1; 25], ..Packet::tcp_v4() };
        let Transport::Tcp { flags, .. } = &mut packet.transport else { panic!() };
        *flags = flag::ACK | flag::FIN | flag::PSH | flag::CWR | 0x40;
        let flags: Vec<_> = cut(&packet, 10).iter().map(|segment| segment[33]).collect();
        let ece_ack = flag::ACK | 0x40;
        assert_eq!(flags, [ece_ack | flag::CWR, ece_ack, ece_ack | flag::FIN | flag::PSH]);
    }

    #[test]
    fn sequence_numbers_and_identifications_wrap() {
        let mut packet = Packet { payload: vec![1; 30], identification: 0xffff, ..Packet::tcp_v4() };
        let Transport::Tcp { sequence, .. } = &mut packet.transport else { panic!() };
        *sequence = u32::MAX - 9;
        let segments = cut(&packet, 10);
        let numbers = |segment: &Vec<u8>| {
            (word(segment, at::IPV4_IDENTIFICATION), word(segment, 24), word(segment, 26))
        };
        let numbers: Vec<_> = segments.iter().map(numbers).collect();
        assert_eq!(numbers, [(0xffff, 0xffff, 0xfff6), (0, 0, 0), (1, 0, 10)]);
    }

    #[test]
    fn a_payload_of_one_segment_is_one_packet() {
        let packet = Packet { payload: vec![9; 10], ..Packet::udp_v6() };
        assert_eq!(cut(&packet, 10), [packet.octets()]);
        assert_eq!(cut(&packet, 1000), [packet.octets()]);
    }

    #[test]
    fn the_largest_packet_of_the_smallest_segments_is_cut() {
        let packet = Packet { payload: vec![3; 65_535 - 40], ..Packet::tcp_v4() };
        assert_eq!(cut(&packet, 1).len(), 65_535 - 40);
    }

    #[test]
    fn headers_that_do_not_agree_are_refused() {
        let whole = Packet { payload: vec![1; 100], ..Packet::tcp_v4() };
        let (octets, header) = whole.frame(10);
        let (checksum, segmentation) = (header.checksum.unwrap(), header.segmentation.unwrap());
        let damaged = |at: usize, value: u8| {
            let mut octets = octets.clone();
            octets[at] = value;
            octets
        };
        for (at, value) in [(0, 0x65), (0, 0x44), (0, 0x46), (3, 0), (6, 0x20), (7, 1), (9, UDP), (32, 0x40)]
        {
            let octets = damaged(at, value);
            let is_refused = SuperPacket::parse(&octets[..], checksum, segmentation).is_err();
            assert!(is_refused, "octet {at}");
        }
        for length in 0..=40 {
            assert!(SuperPacket::parse(&octets[..length], checksum, segmentation).is_err(), "{length}");
        }
        let elsewhere = PartialChecksum { offset: 6, ..checksum };
        assert!(SuperPacket::parse(&octets, elsewhere, segmentation).is_err());
        let other_version = Segmentation { protocol: SegmentedProtocol::TcpV6, ..segmentation };
        assert!(SuperPacket::parse(&octets, checksum, other_version).is_err());
        let v6 = Packet { payload: vec![1; 100], ..Packet::tcp_v6() }.octets();
        let into_nowhere = PartialChecksum { start: 44, ..checksum };
        assert!(SuperPacket::parse(&v6, into_nowhere, other_version).is_err());
    }

    proptest! {
        #[test]
        fn segments_are_those_of_the_simple_way(
            packet in reference::packets(),
            segment in 1..400_u16,
        ) {
            prop_assume!(!packet.payload.is_empty());
            prop_assert_eq!(cut(&packet, segment), reference::cut(&packet, usize::from(segment)));
        }
    }

    fn cut(packet: &Packet, segment: u16) -> Vec<Vec<u8>> {
        let (octets, header) = packet.frame(segment);
        let whole =
            SuperPacket::parse(&octets, header.checksum.unwrap(), header.segmentation.unwrap()).unwrap();
        let write = |segment: Segment<'_>| {
            let mut packet = vec![0xee; segment.length()];
            segment.write(&mut packet);
            packet
        };
        let segments: Vec<_> = whole.segments().map(write).collect();
        assert_eq!(segments.len(), whole.count());
        segments
    }
}
