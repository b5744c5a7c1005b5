//! IP packets with right lengths and checksums.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An ICMP echo request.
pub(crate) fn echo(source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    icmp(source, destination, 8, payload)
}

/// An ICMP message: `kind`, code 0, four octets of identifier and sequence, then `payload`.
pub(crate) fn icmp(source: Ipv4Addr, destination: Ipv4Addr, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0, 0, 7, 0, 1], payload].concat();
    put_checksum(&mut message, 2, 0);
    ipv4(source, destination, 1, &message)
}

/// A UDP datagram from port 40000 to port 9.
pub(crate) fn udp(source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram =
        [&40_000_u16.to_be_bytes()[..], &9_u16.to_be_bytes(), &length.to_be_bytes(), &[0, 0]].concat();
    datagram.extend_from_slice(payload);
    put_checksum(&mut datagram, 6, pseudo_header(source, destination, 17, length));
    ipv4(source, destination, 17, &datagram)
}

/// A TCP segment from port 40000 to port 80 that announces `segment_size`, with SYN set.
pub(crate) fn syn(source: Ipv4Addr, destination: Ipv4Addr, segment_size: u16) -> Vec<u8> {
    let mut segment =
        vec![0x9c, 0x40, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 6 << 4, 0x02, 0xff, 0xff, 0, 0, 0, 0, 2, 4];
    segment.extend_from_slice(&segment_size.to_be_bytes());
    put_checksum(&mut segment, 16, pseudo_header(source, destination, 6, 24));
    ipv4(source, destination, 6, &segment)
}

/// The segment size that a packet of [`syn`] announces, if its TCP checksum is right.
pub(crate) fn announced_segment_size(packet: &[u8]) -> Option<u16> {
    let address = |at: usize| Ipv4Addr::from(*packet[at..].first_chunk::<4>().unwrap());
    let segment = &packet[20..];
    let sum = sum(segment, pseudo_header(address(12), address(16), 6, 24));
    (sum == 0xffff).then(|| u16::from_be_bytes([segment[22], segment[23]]))
}

/// A packet around any payload, not to be fragmented.
pub(crate) fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap();
    let mut header = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, protocol, 0, 0];
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header.extend(source.octets());
    header.extend(destination.octets());
    put_checksum(&mut header, 10, 0);
    [&header, payload].concat()
}

/// An ICMPv6 message: `kind`, code 0, four octets of identifier and sequence, then `payload`.
pub(crate) fn icmp_v6(source: Ipv6Addr, destination: Ipv6Addr, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0, 0, 7, 0, 1], payload].concat();
    let sum = pseudo_header_v6(source, destination, 58, message.len());
    put_checksum(&mut message, 2, sum);
    ipv6(source, destination, 58, &message)
}

/// A UDP datagram from port 40000 to port 9 over IPv6.
pub(crate) fn udp_v6(source: Ipv6Addr, destination: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram =
        [&40_000_u16.to_be_bytes()[..], &9_u16.to_be_bytes(), &length.to_be_bytes(), &[0, 0]].concat();
    datagram.extend_from_slice(payload);
    let sum = pseudo_header_v6(source, destination, 17, datagram.len());
    put_checksum(&mut datagram, 6, sum);
    ipv6(source, destination, 17, &datagram)
}

/// A TCP segment from port 40000 to port 80 over IPv6 that announces `segment_size`, with SYN set.
pub(crate) fn syn_v6(source: Ipv6Addr, destination: Ipv6Addr, segment_size: u16) -> Vec<u8> {
    let mut segment =
        vec![0x9c, 0x40, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 6 << 4, 0x02, 0xff, 0xff, 0, 0, 0, 0, 2, 4];
    segment.extend_from_slice(&segment_size.to_be_bytes());
    put_checksum(&mut segment, 16, pseudo_header_v6(source, destination, 6, 24));
    ipv6(source, destination, 6, &segment)
}

/// The segment size that a packet of [`syn_v6`] announces, if its TCP checksum is right.
pub(crate) fn announced_segment_size_v6(packet: &[u8]) -> Option<u16> {
    let address = |at: usize| Ipv6Addr::from(*packet[at..].first_chunk::<16>().unwrap());
    let segment = &packet[40..];
    let sum = sum(segment, pseudo_header_v6(address(8), address(24), 6, 24));
    (sum == 0xffff).then(|| u16::from_be_bytes([segment[22], segment[23]]))
}

/// An IPv6 packet around any payload.
pub(crate) fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
    packet[4..6].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend_from_slice(payload);
    packet
}

fn pseudo_header_v6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, length: usize) -> u32 {
    let octets: Vec<u8> = source.octets().into_iter().chain(destination.octets()).collect();
    u32::from(sum(&octets, 0)) + u32::from(protocol) + u32::try_from(length).unwrap()
}

fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> u32 {
    let words = source.octets().into_iter().chain(destination.octets()).chain([0, protocol]);
    let octets: Vec<u8> = words.chain(length.to_be_bytes()).collect();
    u32::from(sum(&octets, 0))
}

fn put_checksum(octets: &mut [u8], at: usize, initial: u32) {
    let checksum = !sum(octets, initial);
    octets[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn sum(octets: &[u8], initial: u32) -> u16 {
    let words = octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum = initial + words.sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}
