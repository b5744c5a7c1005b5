//! What the merger needs to know of a packet: which flow it is of, and whether it can be joined with others at all.

use std::net::IpAddr;

use super::checksum::pseudo_header;
use super::{TCP, UDP, at, flag, length, word};

/// What a packet is to the merger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Form and flags allow to join it with its neighbours.
    Joinable(Shape),
    /// It stays alone, between those of its flow.
    Alone(Flow),
    /// It stays alone, and may be of any flow between two addresses; between any two if they are not known.
    Unclear(Option<Addresses>),
}

/// Where things are in a packet that can be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) flow: Flow,
    /// Where the transport header begins.
    pub(super) transport: usize,
    /// Where the payload begins; it is not empty and reaches to the end.
    pub(super) payload: usize,
}

/// The packets of one connection or exchange in one direction: their order is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) addresses: Addresses,
    pub(super) protocol: u8,
    ports: [u8; 4],
}

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    source: IpAddr,
    destination: IpAddr,
}

/// A packet up to its transport header.
struct Outer {
    addresses: Addresses,
    transport: usize,
    protocol: u8,
    /// Whether there are no options or extensions, and nothing behind the packet.
    is_simple: bool,
}

impl Nature {
    pub(super) fn of(packet: &[u8]) -> Self {
        match packet.first().map(|first| first >> 4) {
            Some(4) => Self::of_ipv4(packet),
            Some(6) => Self::of_ipv6(packet),
            _ => Self::Unclear(None),
        }
    }

    fn of_ipv4(packet: &[u8]) -> Self {
        let Some(ip) = packet.first_chunk::<{ length::IPV4 }>() else { return Self::Unclear(None) };
        let address = |from: usize| IpAddr::from([ip[from], ip[from + 1], ip[from + 2], ip[from + 3]]);
        let addresses = Addresses { source: address(12), destination: address(16) };
        if word(ip, at::IPV4_FRAGMENT) & FRAGMENT != 0 {
            return Self::Unclear(Some(addresses));
        }
        let transport = usize::from(ip[0] & 0x0f) * 4;
        let is_simple = transport == length::IPV4 && usize::from(word(ip, at::IPV4_LENGTH)) == packet.len();
        Outer { addresses, transport, protocol: ip[at::IPV4_PROTOCOL], is_simple }.nature(packet)
    }

    fn of_ipv6(packet: &[u8]) -> Self {
        let Some(ip) = packet.first_chunk::<{ length::IPV6 }>() else { return Self::Unclear(None) };
        let (_, addresses) = ip.split_at(at::IPV6_ADDRESSES);
        let ([source, destination], _) = addresses.as_chunks::<16>() else { return Self::Unclear(None) };
        let addresses = Addresses { source: (*source).into(), destination: (*destination).into() };
        let is_simple = length::IPV6 + usize::from(word(ip, at::IPV6_LENGTH)) == packet.len();
        let protocol = ip[at::IPV6_NEXT_HEADER];
        Outer { addresses, transport: length::IPV6, protocol, is_simple }.nature(packet)
    }
}

impl Outer {
    fn nature(self, packet: &[u8]) -> Nature {
        let Self { addresses, transport, protocol, is_simple } = self;
        let segment = packet.get(transport..).unwrap_or(&[]);
        let Some(ports) = segment.first_chunk().filter(|_| matches!(protocol, TCP | UDP)) else {
            return Nature::Unclear(Some(addresses));
        };
        let flow = Flow { addresses, protocol, ports: *ports };
        let header = if protocol == TCP { tcp_header(segment) } else { udp_header(segment) };
        match header.filter(|header| is_simple && *header < segment.len()) {
            Some(header) => Nature::Joinable(Shape { flow, transport, payload: transport + header }),
            None => Nature::Alone(flow),
        }
    }
}

impl Shape {
    /// Whether the checksum of `packet`, which has this shape, is right.
    pub(super) fn has_right_checksum(&self, packet: &[u8]) -> bool {
        let segment = &packet[self.transport..];
        let Ok(length) = u16::try_from(segment.len()) else { return false };
        pseudo_header(packet, self.flow.protocol, length).with(segment).folded() == 0xffff
    }
}

/// The length of the header of a segment that does nothing but carry data.
fn tcp_header(segment: &[u8]) -> Option<usize> {
    let header = segment.first_chunk::<{ length::TCP }>()?;
    let length = usize::from(header[at::TCP_DATA_OFFSET] >> 4) * 4;
    let carries_data_only = header[at::TCP_FLAGS] & !flag::PSH == flag::ACK;
    (carries_data_only && length >= length::TCP).then_some(length)
}

/// The length of the header of a datagram that has a checksum.
fn udp_header(datagram: &[u8]) -> Option<usize> {
    let header = datagram.first_chunk::<{ length::UDP }>()?;
    let is_whole = usize::from(word(header, at::UDP_LENGTH)) == datagram.len();
    (is_whole && word(header, at::UDP_CHECKSUM) != 0).then_some(length::UDP)
}

/// The offset and the flag for more fragments.
const FRAGMENT: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{self, Packet, Transport};
    use super::*;

    #[test]
    fn data_of_tcp_and_udp_can_be_joined() {
        for packet in Packet::one_of_each() {
            let packet = Packet { payload: vec![1; 10], ..packet };
            assert!(matches!(Nature::of(&packet.octets()), Nature::Joinable(_)), "{packet:?}");
            let empty = Packet { payload: vec![], ..packet };
            assert!(matches!(Nature::of(&empty.octets()), Nature::Alone(_)), "{empty:?}");
        }
    }

    #[test]
    fn segments_that_do_more_than_carry_data_stay_alone() {
        for extra in [0x01, 0x02, 0x04, 0x20, 0x40, 0x80] {
            let mut packet = Packet { payload: vec![1; 10], ..Packet::tcp_v4() };
            let Transport::Tcp { flags, .. } = &mut packet.transport else { panic!() };
            *flags |= extra;
            assert!(matches!(Nature::of(&packet.octets()), Nature::Alone(_)), "{extra:#x}");
        }
        let mut packet = Packet { payload: vec![1; 10], ..Packet::tcp_v4() };
        let Transport::Tcp { flags, .. } = &mut packet.transport else { panic!() };
        *flags = 0;
        assert!(matches!(Nature::of(&packet.octets()), Nature::Alone(_)), "without ACK");
    }

    #[test]
    fn udp_without_checksum_stays_alone() {
        let mut packet = Packet { payload: vec![1; 10], ..Packet::udp_v4() };
        packet.transport = Transport::Udp { ports: [1, 2], has_checksum: false };
        assert!(matches!(Nature::of(&packet.octets()), Nature::Alone(_)));
    }

    #[test]
    fn packets_with_ip_options_stay_alone() {
        let packet = Packet { payload: vec![1; 10], options: vec![1; 4], ..Packet::tcp_v4() };
        assert!(matches!(Nature::of(&packet.octets()), Nature::Alone(_)));
    }

    #[test]
    fn fragments_other_protocols_and_extension_headers_are_of_any_flow() {
        let whole = Packet { payload: vec![1; 10], ..Packet::udp_v4() }.octets();
        for (at, value) in [(6, 0x20), (7, 1), (9, 1), (9, 50)] {
            let mut packet = whole.clone();
            packet[at] = value;
            assert!(matches!(Nature::of(&packet), Nature::Unclear(Some(_))), "octet {at}");
        }
        let extended = Packet { payload: vec![1; 10], options: vec![0; 8], ..Packet::udp_v6() };
        assert!(matches!(Nature::of(&extended.octets()), Nature::Unclear(Some(_))));
        for nothing in [&[][..], &[0x45; 19], &[0x60; 39], &[0x50; 60]] {
            assert_eq!(Nature::of(nothing), Nature::Unclear(None));
        }
    }

    #[test]
    fn what_lies_behind_a_packet_keeps_it_alone() {
        for packet in Packet::one_of_each() {
            let mut octets = Packet { payload: vec![1; 10], ..packet }.octets();
            octets.push(0);
            assert!(matches!(Nature::of(&octets), Nature::Alone(_)));
        }
    }

    proptest! {
        #[test]
        fn right_checksums_are_told_from_wrong_ones(packet in reference::packets(), at: prop::sample::Index) {
            let mut octets = packet.octets();
            if let Nature::Joinable(shape) = Nature::of(&octets) {
                prop_assert!(shape.has_right_checksum(&octets));
                let damaged = shape.transport + at.index(octets.len() - shape.transport);
                octets[damaged] ^= 0x10;
                prop_assert!(!shape.has_right_checksum(&octets));
            }
        }

        #[test]
        fn any_octets_are_survived(mut octets in prop::collection::vec(any::<u8>(), 1..120), version in 4..8_u8) {
            octets[0] = (octets[0] & 0x0f) | (version << 4);
            if let Nature::Joinable(shape) = Nature::of(&octets) {
                prop_assert!(shape.transport < shape.payload && shape.payload < octets.len());
                let _ = shape.has_right_checksum(&octets);
            }
        }
    }
}
