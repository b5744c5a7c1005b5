//! IPv4 packets with right lengths and checksums.

use std::net::Ipv4Addr;

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
