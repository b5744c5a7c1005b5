//! Inner IP headers: parsed once, checked completely, then plain values.
//!
//! A header that comes out of [`InnerHeader::parse`] has lengths that fit the packet, no source routing, and, if it
//! starts a fragmented datagram, the ports that a packet filter further on may want to see. Rules look at addresses
//! only, so later fragments are judged like first ones and cannot bypass them (threat model ACL-03). Checksums and the
//! TTL are the kernel's business: every packet still goes through its network stack.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// The header of an inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InnerHeader {
    /// An IPv4 packet.
    V4(Ipv4Header),
    /// An IPv6 packet.
    V6(Ipv6Header),
}

/// What the data plane needs to know of an IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Header {
    /// The sender.
    pub source: Ipv4Addr,
    /// The receiver.
    pub destination: Ipv4Addr,
    /// The protocol of the payload.
    pub protocol: u8,
    /// Which part of a datagram this packet is.
    pub fragment: Fragment,
    header_length: u16,
    total_length: u16,
}

/// What the data plane needs to know of an IPv6 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Header {
    /// The sender.
    pub source: Ipv6Addr,
    /// The receiver.
    pub destination: Ipv6Addr,
}

/// Which part of an IPv4 datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The part with the transport header.
    First,
    /// A part without it.
    Later,
}

/// Why an inner packet is dropped for its form alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// Not IP, or lengths or options that do not fit.
    Malformed,
    /// A loose or strict source route option.
    SourceRouted,
    /// A first fragment without a whole transport header, or a later one that overlaps it.
    TinyFragment,
}

/// ICMP for IPv4.
pub const PROTOCOL_ICMP: u8 = 1;
/// TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// UDP.
pub const PROTOCOL_UDP: u8 = 17;

impl InnerHeader {
    /// Parses the header at the start of an inner packet.
    pub fn parse(packet: &[u8]) -> Result<Self, PacketError> {
        match packet.first().map(|first| first >> 4) {
            Some(4) => Ipv4Header::parse(packet).map(Self::V4),
            Some(6) => Ipv6Header::parse(packet).map(Self::V6),
            _ => Err(PacketError::Malformed),
        }
    }
}

impl Ipv4Header {
    fn parse(packet: &[u8]) -> Result<Self, PacketError> {
        let (fixed, _) = packet.split_first_chunk::<IPV4_MINIMUM>().ok_or(PacketError::Malformed)?;
        let header_length = u16::from(fixed[0] & 0x0f) * 4;
        let total_length = u16::from_be_bytes([fixed[2], fixed[3]]);
        if usize::from(header_length) < IPV4_MINIMUM
            || total_length < header_length
            || usize::from(total_length) > packet.len()
        {
            return Err(PacketError::Malformed);
        }
        check_options(&packet[IPV4_MINIMUM..usize::from(header_length)])?;
        let fragment = fragment(fixed, total_length - header_length)?;
        Ok(Self {
            source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]),
            destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]),
            protocol: fixed[9],
            fragment,
            header_length,
            total_length,
        })
    }

    /// Octets of the packet; what a sender put behind them is not part of it.
    #[must_use]
    pub fn total_length(&self) -> usize {
        usize::from(self.total_length)
    }

    /// Where in the packet the payload is.
    #[must_use]
    pub fn payload(&self) -> Range<usize> {
        usize::from(self.header_length)..usize::from(self.total_length)
    }

    /// Whether the payload starts with a TCP header.
    #[must_use]
    pub fn starts_tcp(&self) -> bool {
        self.protocol == PROTOCOL_TCP && self.fragment != Fragment::Later
    }
}

/// The addresses of the packet that an ICMP error message complains about: (source, destination).
///
/// `packet` is the whole packet that `header` was parsed from. `None` for everything that is not an ICMP error
/// (destination unreachable, time exceeded, parameter problem) with a whole quoted header.
#[must_use]
pub fn quoted_by_icmp_error(header: &Ipv4Header, packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    if header.protocol != PROTOCOL_ICMP || header.fragment == Fragment::Later {
        return None;
    }
    let (icmp, quote) = packet.get(header.payload())?.split_first_chunk::<8>()?;
    let quoted = quote.first_chunk::<IPV4_MINIMUM>()?;
    let is_error = matches!(icmp[0], 3 | 11 | 12);
    (is_error && quoted[0] >> 4 == 4).then(|| {
        (
            Ipv4Addr::new(quoted[12], quoted[13], quoted[14], quoted[15]),
            Ipv4Addr::new(quoted[16], quoted[17], quoted[18], quoted[19]),
        )
    })
}

impl Ipv6Header {
    fn parse(packet: &[u8]) -> Result<Self, PacketError> {
        let (fixed, payload) = packet.split_first_chunk::<IPV6_FIXED>().ok_or(PacketError::Malformed)?;
        if usize::from(u16::from_be_bytes([fixed[4], fixed[5]])) > payload.len() {
            return Err(PacketError::Malformed);
        }
        Ok(Self { source: address_v6(&fixed[8..24])?, destination: address_v6(&fixed[24..40])? })
    }

    /// Whether this is what hosts send on every interface unasked, and what no router passes on: neighbour discovery,
    /// router solicitations, multicast listener reports. Stock clients on Linux start with one (protocol reference
    /// section 9.5).
    #[must_use]
    pub fn is_link_chatter(&self) -> bool {
        self.source.is_unspecified() || self.source.is_unicast_link_local() || self.destination.is_multicast()
    }
}

fn address_v6(octets: &[u8]) -> Result<Ipv6Addr, PacketError> {
    let octets: [u8; 16] = octets.try_into().map_err(|_| PacketError::Malformed)?;
    Ok(Ipv6Addr::from(octets))
}

/// Walks the options of an IPv4 header.
fn check_options(mut options: &[u8]) -> Result<(), PacketError> {
    loop {
        match options {
            [] | [OPTION_END, ..] => return Ok(()),
            [OPTION_NOP, rest @ ..] => options = rest,
            [OPTION_LOOSE_ROUTE | OPTION_STRICT_ROUTE, ..] => return Err(PacketError::SourceRouted),
            [_, length, ..] if *length >= 2 => {
                options = options.get(usize::from(*length)..).ok_or(PacketError::Malformed)?;
            }
            _ => return Err(PacketError::Malformed),
        }
    }
}

/// Judges the fragment fields of a header with `payload` octets behind it.
///
/// A first fragment must hold the whole minimal transport header and a later TCP fragment must not reach back into it
/// (RFC 1858, RFC 3128): else filters that look at ports or flags could be led astray. No fragment may reach beyond
/// the largest possible datagram.
fn fragment(fixed: &[u8; IPV4_MINIMUM], payload: u16) -> Result<Fragment, PacketError> {
    let field = u16::from_be_bytes([fixed[6], fixed[7]]);
    let offset = u32::from(field & 0x1fff) * 8;
    let more_follow = field & 0x2000 != 0;
    let needed = match fixed[9] {
        PROTOCOL_TCP => 20,
        PROTOCOL_UDP | PROTOCOL_ICMP => 8,
        _ => 0,
    };
    match (offset, more_follow) {
        (0, false) => Ok(Fragment::Whole),
        (0, true) if payload < needed => Err(PacketError::TinyFragment),
        (0, true) => Ok(Fragment::First),
        _ if offset + u32::from(payload) > u32::from(u16::MAX) => Err(PacketError::Malformed),
        _ if offset < u32::from(needed) => Err(PacketError::TinyFragment),
        _ => Ok(Fragment::Later),
    }
}

const IPV4_MINIMUM: usize = 20;
const IPV6_FIXED: usize = 40;
const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_LOOSE_ROUTE: u8 = 131;
const OPTION_STRICT_ROUTE: u8 = 137;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_a_plain_header() {
        let packet = ipv4(PROTOCOL_UDP, 0, &[], &[7; 12]);
        let header = parse_v4(&packet).unwrap();
        assert_eq!(header.source, Ipv4Addr::new(10, 8, 0, 2));
        assert_eq!(header.destination, Ipv4Addr::new(192, 168, 1, 1));
        assert_eq!(header.protocol, PROTOCOL_UDP);
        assert_eq!(header.fragment, Fragment::Whole);
        assert_eq!(&packet[header.payload()], &[7; 12]);
    }

    #[test]
    fn octets_behind_the_total_length_are_not_part_of_the_packet() {
        let mut packet = ipv4(PROTOCOL_UDP, 0, &[], &[7; 12]);
        packet.extend([0xee; 6]);
        assert_eq!(parse_v4(&packet).unwrap().total_length(), 32);
    }

    #[test]
    fn acl_03_lengths_that_do_not_fit_are_malformed() {
        let whole = ipv4(PROTOCOL_UDP, 0, &[1, 1, 1, 0], &[7; 12]);
        for length in 0..whole.len() {
            assert_eq!(InnerHeader::parse(&whole[..length]), Err(PacketError::Malformed), "{length}");
        }
        for (index, value) in [(0, 0x44), (0, 0x4f), (0, 0x15), (0, 0x75), (3, 23), (3, 37), (2, 1)] {
            let mut packet = whole.clone();
            packet[index] = value;
            assert_eq!(InnerHeader::parse(&packet), Err(PacketError::Malformed), "octet {index} = {value}");
        }
    }

    #[test]
    fn acl_03_source_routes_are_refused_wherever_they_hide() {
        for options in [
            &[131, 7, 4, 1, 2, 3, 4, 0][..],
            &[137, 7, 4, 1, 2, 3, 4, 0],
            &[1, 1, 1, 131],
            &[7, 4, 0, 0, 137, 4, 0, 0],
            &[148, 4, 0, 0, 1, 131, 0, 0],
        ] {
            let packet = ipv4(PROTOCOL_UDP, 0, options, &[7; 12]);
            assert_eq!(InnerHeader::parse(&packet), Err(PacketError::SourceRouted), "{options:?}");
        }
    }

    #[test]
    fn harmless_options_pass_and_broken_ones_do_not() {
        for (options, expected) in [
            (&[0, 131, 131, 131][..], Ok(())),
            (&[1, 1, 1, 1], Ok(())),
            (&[148, 4, 0, 0], Ok(())),
            (&[148, 5, 0, 0], Err(PacketError::Malformed)),
            (&[148, 0, 0, 0], Err(PacketError::Malformed)),
            (&[148, 1, 0, 0], Err(PacketError::Malformed)),
            (&[1, 1, 1, 148], Err(PacketError::Malformed)),
        ] {
            let packet = ipv4(PROTOCOL_UDP, 0, options, &[7; 12]);
            assert_eq!(InnerHeader::parse(&packet).map(|_| ()), expected, "{options:?}");
        }
    }

    #[test]
    fn acl_03_first_fragments_must_hold_the_transport_header() {
        for (protocol, payload, expected) in [
            (PROTOCOL_TCP, 16, Err(PacketError::TinyFragment)),
            (PROTOCOL_TCP, 24, Ok(Fragment::First)),
            (PROTOCOL_UDP, 0, Err(PacketError::TinyFragment)),
            (PROTOCOL_UDP, 8, Ok(Fragment::First)),
            (PROTOCOL_ICMP, 7, Err(PacketError::TinyFragment)),
            (50, 0, Ok(Fragment::First)),
        ] {
            let packet = ipv4(protocol, 0x2000, &[], &vec![0; payload]);
            assert_eq!(fragment_of(&packet), expected, "protocol {protocol}, {payload} octets");
        }
    }

    #[test]
    fn acl_03_later_fragments_may_not_overlap_the_transport_header_or_the_end_of_the_datagram() {
        for (protocol, field, expected) in [
            (PROTOCOL_TCP, 1, Err(PacketError::TinyFragment)),
            (PROTOCOL_TCP, 2, Err(PacketError::TinyFragment)),
            (PROTOCOL_TCP, 3, Ok(Fragment::Later)),
            (PROTOCOL_TCP, 0x2003, Ok(Fragment::Later)),
            (PROTOCOL_UDP, 1, Ok(Fragment::Later)),
            (PROTOCOL_ICMP, 0x1fff, Err(PacketError::Malformed)),
            (PROTOCOL_UDP, 8188, Ok(Fragment::Later)),
            (PROTOCOL_UDP, 8189, Err(PacketError::Malformed)),
        ] {
            let packet = ipv4(protocol, field, &[], &[0; 24]);
            assert_eq!(fragment_of(&packet), expected, "protocol {protocol}, field {field:#x}");
        }
    }

    #[test]
    fn reads_the_addresses_of_an_ipv6_packet() {
        let mut packet = vec![0; 48];
        packet[0] = 0x60;
        packet[5] = 8;
        packet[8..24].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
        packet[24] = 0xff;
        let Ok(InnerHeader::V6(header)) = InnerHeader::parse(&packet) else { panic!("not IPv6") };
        assert_eq!((header.source, header.destination.is_multicast()), (Ipv6Addr::LOCALHOST, true));
        packet[5] = 9;
        assert_eq!(InnerHeader::parse(&packet), Err(PacketError::Malformed));
        assert_eq!(InnerHeader::parse(&packet[..39]), Err(PacketError::Malformed));
    }

    #[test]
    fn router_solicitations_and_their_like_are_link_chatter() {
        for (source, destination, expected) in [
            ("fe80::1", "ff02::2", true),
            ("::", "ff02::16", true),
            ("fe80::1", "fe80::2", true),
            ("fd00::1", "ff02::fb", true),
            ("fd00::1", "2001:db8::1", false),
        ] {
            let header =
                Ipv6Header { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
            assert_eq!(header.is_link_chatter(), expected, "{source} {destination}");
        }
    }

    #[test]
    fn only_icmp_errors_quote() {
        let quoted = ipv4(PROTOCOL_UDP, 0, &[], &[7; 8]);
        for (kind, expected) in [(3, true), (11, true), (12, true), (0, false), (5, false), (8, false)] {
            let packet = ipv4(PROTOCOL_ICMP, 0, &[], &[&[kind, 0, 0, 0, 0, 0, 0, 0], &quoted[..]].concat());
            let quote = quoted_by_icmp_error(&parse_v4(&packet).unwrap(), &packet);
            let addresses = (Ipv4Addr::new(10, 8, 0, 2), Ipv4Addr::new(192, 168, 1, 1));
            assert_eq!(quote, expected.then_some(addresses), "type {kind}");
        }
        let short = ipv4(PROTOCOL_ICMP, 0, &[], &[&[3, 0, 0, 0, 0, 0, 0, 0], &quoted[..19]].concat());
        assert_eq!(quoted_by_icmp_error(&parse_v4(&short).unwrap(), &short), None);
    }

    proptest! {
        #[test]
        fn acl_03_whatever_parses_has_lengths_inside_the_packet(mut packet in prop::collection::vec(any::<u8>(), 0..96)) {
            if let Some(first) = packet.first_mut() {
                *first = 0x40 | (*first & 0x0f);
            }
            if let Ok(header) = parse_v4(&packet) {
                prop_assert!(header.total_length() <= packet.len());
                prop_assert!(header.payload().start >= 20 && header.payload().start <= header.payload().end);
                let _ = quoted_by_icmp_error(&header, &packet);
            }
        }
    }

    fn fragment_of(packet: &[u8]) -> Result<Fragment, PacketError> {
        parse_v4(packet).map(|header| header.fragment)
    }

    fn parse_v4(packet: &[u8]) -> Result<Ipv4Header, PacketError> {
        match InnerHeader::parse(packet)? {
            InnerHeader::V4(header) => Ok(header),
            InnerHeader::V6(header) => panic!("{header:?}"),
        }
    }

    fn ipv4(protocol: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
        let header = 20 + options.len();
        let mut packet = vec![0; 20];
        packet[0] = 0x40 | u8::try_from(header / 4).unwrap();
        packet[2..4].copy_from_slice(&u16::try_from(header + payload.len()).unwrap().to_be_bytes());
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet[8] = 64;
        packet[9] = protocol;
        packet[12..16].copy_from_slice(&[10, 8, 0, 2]);
        packet[16..20].copy_from_slice(&[192, 168, 1, 1]);
        packet.extend_from_slice(options);
        packet.extend_from_slice(payload);
        packet
    }
}
