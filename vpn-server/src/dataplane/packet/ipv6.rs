//! IPv6 headers and the extension headers behind them.
//!
//! The chain is walked to the transport header, at most eight steps. Routing headers are refused like the source routes of
//! IPv4, and extension headers that have no use behind a VPN are refused altogether: whoever filters behind us may not
//! know them either.

use std::net::{IpAddr, Ipv6Addr};

use super::{Fragment, InnerHeader, PacketError, Quoted, judge_fragment, ports};
use crate::policy::Service;

pub(super) fn parse(packet: &[u8]) -> Result<InnerHeader, PacketError> {
    let (fixed, behind) = packet.split_first_chunk::<FIXED>().ok_or(PacketError::Malformed)?;
    let payload_length = u16::from_be_bytes([fixed[4], fixed[5]]);
    let payload = behind.get(..usize::from(payload_length)).ok_or(PacketError::Malformed)?;
    let (source, destination) = addresses(fixed);
    let Chain { protocol, fragment, length } = Chain::walk(fixed[6], payload)?;
    Ok(InnerHeader {
        source,
        destination,
        protocol,
        fragment,
        payload_start: FIXED_LENGTH + length,
        total_length: u32::from(FIXED_LENGTH) + u32::from(payload_length),
    })
}

/// The packet that an ICMP message of type `kind` quotes, if it is an error: destination unreachable, packet too big, time
/// exceeded, parameter problem. Behind extension headers its ports are not looked for.
pub(super) fn quoted(kind: u8, quote: &[u8]) -> Option<Quoted> {
    let (quoted, behind) = quote.split_first_chunk::<FIXED>()?;
    let is_error = matches!(kind, 1..=4);
    if !is_error || quoted[0] >> 4 != 6 {
        return None;
    }
    let ((source, destination), protocol) = (addresses(quoted), quoted[6]);
    let port = ports(protocol, behind).destination;
    Some(Quoted { source, destination, service: Service { protocol, port } })
}

/// What stands between the fixed header and the transport header.
struct Chain {
    protocol: u8,
    fragment: Fragment,
    /// Octets of it.
    length: u16,
}

impl Chain {
    /// Behind the header of a later fragment is nothing to be walked: it stands somewhere in the middle of the datagram.
    fn walk(first: u8, payload: &[u8]) -> Result<Self, PacketError> {
        let mut chain = Self { protocol: first, fragment: Fragment::Whole, length: 0 };
        for _ in 0..=MOST_EXTENSIONS {
            let rest = &payload[usize::from(chain.length)..];
            let length = match chain.protocol {
                HOP_BY_HOP if chain.length > 0 => return Err(PacketError::Malformed),
                HOP_BY_HOP | DESTINATION_OPTIONS => extension_length(rest, 8)?,
                AUTHENTICATION => extension_length(rest, 4)?,
                FRAGMENT if chain.fragment != Fragment::Whole => return Err(PacketError::Malformed),
                FRAGMENT => {
                    chain.fragment = fragment(rest)?;
                    FRAGMENT_LENGTH
                }
                ROUTING => return Err(PacketError::SourceRouted),
                MOBILITY | HOST_IDENTITY | SHIM6 | 253 | 254 => return Err(PacketError::ExtensionHeader),
                _ => return chain.arrive(rest),
            };
            chain.protocol = rest[0];
            chain.length += length;
            if chain.fragment == Fragment::Later {
                return Ok(chain);
            }
        }
        Err(PacketError::ExtensionHeader)
    }

    /// The transport header is reached.
    fn arrive(self, transport: &[u8]) -> Result<Self, PacketError> {
        let length = u16::try_from(transport.len()).map_err(|_| PacketError::Malformed)?;
        let is_first = self.fragment == Fragment::First;
        judge_fragment(self.protocol, 0, is_first, length).map(|_| self)
    }
}

/// The length of an extension header that counts itself in units of `unit` octets.
fn extension_length(header: &[u8], unit: u16) -> Result<u16, PacketError> {
    let [_, count, ..] = *header else { return Err(PacketError::Malformed) };
    let beyond = if unit == 8 { 1 } else { 2 };
    let length = (u16::from(count) + beyond) * unit;
    if usize::from(length) > header.len() {
        return Err(PacketError::Malformed);
    }
    Ok(length)
}

/// Which part of a datagram the fragment header at the start of `header` announces. One that is the only part of its datagram
/// (RFC 6946) is as good as whole.
fn fragment(header: &[u8]) -> Result<Fragment, PacketError> {
    let (fields, behind) =
        header.split_first_chunk::<{ FRAGMENT_LENGTH as usize }>().ok_or(PacketError::Malformed)?;
    let field = u16::from_be_bytes([fields[2], fields[3]]);
    let (offset, more_follow) = (u32::from(field & 0xfff8), field & 1 != 0);
    let behind = u16::try_from(behind.len()).map_err(|_| PacketError::Malformed)?;
    if more_follow && !behind.is_multiple_of(8) {
        return Err(PacketError::Malformed);
    }
    if offset == 0 {
        return Ok(if more_follow { Fragment::First } else { Fragment::Whole });
    }
    judge_fragment(fields[0], offset, more_follow, behind)
}

fn addresses(fixed: &[u8; FIXED]) -> (IpAddr, IpAddr) {
    let mut halves = [[0; 16]; 2];
    halves[0].copy_from_slice(&fixed[8..24]);
    halves[1].copy_from_slice(&fixed[24..]);
    let [source, destination] = halves.map(|octets| Ipv6Addr::from(octets).into());
    (source, destination)
}

const FIXED: usize = 40;
const FIXED_LENGTH: u16 = 40;
const FRAGMENT_LENGTH: u16 = 8;
/// Extension headers that one packet may have (threat model ACL-03).
const MOST_EXTENSIONS: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{PROTOCOL_ICMP_V6, PROTOCOL_TCP, PROTOCOL_UDP};
    use super::*;
    use crate::policy::Port;

    const NO_NEXT: u8 = 59;
    const ENCAPSULATED: u8 = 50;

    #[test]
    fn reads_a_plain_header() {
        let mut packet = ipv6(PROTOCOL_UDP, &[7; 12]);
        let header = InnerHeader::parse(&packet).unwrap();
        assert_eq!(header.source, "fd00:8::2".parse::<IpAddr>().unwrap());
        assert_eq!(header.destination, "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!((header.protocol, header.fragment), (PROTOCOL_UDP, Fragment::Whole));
        assert_eq!(&packet[header.payload()], &[7; 12]);
        packet.extend([0xee; 6]);
        assert_eq!(InnerHeader::parse(&packet).unwrap().total_length(), 52);
    }

    #[test]
    fn acl_03_lengths_that_do_not_fit_are_malformed() {
        let whole = ipv6(DESTINATION_OPTIONS, &[&options(PROTOCOL_UDP, 2)[..], &[7; 12]].concat());
        for length in 0..whole.len() {
            assert_eq!(InnerHeader::parse(&whole[..length]), Err(PacketError::Malformed), "{length}");
        }
        for (next, payload) in [
            (HOP_BY_HOP, &[][..]),
            (HOP_BY_HOP, &[PROTOCOL_UDP]),
            (DESTINATION_OPTIONS, &[PROTOCOL_UDP, 1, 0, 0, 0, 0, 0, 0]),
            (AUTHENTICATION, &[PROTOCOL_UDP, 1, 0, 0, 0, 0, 0, 0]),
            (FRAGMENT, &[PROTOCOL_UDP, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(InnerHeader::parse(&ipv6(next, payload)), Err(PacketError::Malformed), "{next}");
        }
    }

    #[test]
    fn extension_headers_are_walked_to_the_transport_header() {
        let chain = [
            options(DESTINATION_OPTIONS, 0),
            options(AUTHENTICATION, 1),
            authentication(PROTOCOL_TCP),
            vec![5; 24],
        ];
        let packet = ipv6(HOP_BY_HOP, &chain.concat());
        let header = InnerHeader::parse(&packet).unwrap();
        assert_eq!(header.protocol, PROTOCOL_TCP);
        assert!(header.starts_tcp());
        assert_eq!(&packet[header.payload()], &[5; 24]);
    }

    #[test]
    fn acl_03_the_ninth_extension_header_is_one_too_many() {
        for (count, expected) in [(8, Ok(PROTOCOL_UDP)), (9, Err(PacketError::ExtensionHeader))] {
            let mut payload: Vec<u8> = (1..count).flat_map(|_| options(DESTINATION_OPTIONS, 0)).collect();
            payload.extend(options(PROTOCOL_UDP, 0));
            payload.extend([0; 8]);
            let parsed = InnerHeader::parse(&ipv6(DESTINATION_OPTIONS, &payload));
            assert_eq!(parsed.map(|header| header.protocol), expected, "{count}");
        }
    }

    #[test]
    fn acl_03_routing_headers_are_refused_wherever_they_hide() {
        let routing = options(PROTOCOL_UDP, 2);
        for (first, chain) in [
            (ROUTING, routing.clone()),
            (HOP_BY_HOP, [options(ROUTING, 0), routing.clone()].concat()),
            (FRAGMENT, [fragment_header(ROUTING, 0), routing].concat()),
        ] {
            assert_eq!(InnerHeader::parse(&ipv6(first, &chain)), Err(PacketError::SourceRouted), "{first}");
        }
    }

    #[test]
    fn acl_03_unknown_extension_headers_are_refused() {
        for next in [MOBILITY, HOST_IDENTITY, SHIM6, 253, 254] {
            let parsed = InnerHeader::parse(&ipv6(next, &options(PROTOCOL_UDP, 0)));
            assert_eq!(parsed, Err(PacketError::ExtensionHeader), "{next}");
        }
        for next in [NO_NEXT, ENCAPSULATED, 132, 47, 4] {
            assert_eq!(InnerHeader::parse(&ipv6(next, &[])).map(|header| header.protocol), Ok(next));
        }
    }

    #[test]
    fn acl_03_headers_that_may_come_once_come_once() {
        let twice = [fragment_header(FRAGMENT, 1), fragment_header(PROTOCOL_UDP, 1), vec![0; 8]].concat();
        assert_eq!(InnerHeader::parse(&ipv6(FRAGMENT, &twice)), Err(PacketError::Malformed));
        let late = [options(HOP_BY_HOP, 0), options(PROTOCOL_UDP, 0), vec![0; 8]].concat();
        assert_eq!(InnerHeader::parse(&ipv6(DESTINATION_OPTIONS, &late)), Err(PacketError::Malformed));
    }

    #[test]
    fn acl_03_first_fragments_must_hold_the_whole_chain_and_the_transport_header() {
        let cut = [fragment_header(DESTINATION_OPTIONS, 1), options(PROTOCOL_TCP, 3)[..16].to_vec()].concat();
        assert_eq!(InnerHeader::parse(&ipv6(FRAGMENT, &cut)), Err(PacketError::Malformed));
        for (protocol, octets, expected) in [
            (PROTOCOL_TCP, 16, Err(PacketError::TinyFragment)),
            (PROTOCOL_TCP, 24, Ok(Fragment::First)),
            (PROTOCOL_UDP, 0, Err(PacketError::TinyFragment)),
            (PROTOCOL_UDP, 8, Ok(Fragment::First)),
            (PROTOCOL_ICMP_V6, 0, Err(PacketError::TinyFragment)),
            (ENCAPSULATED, 0, Ok(Fragment::First)),
        ] {
            assert_eq!(fragment_of(protocol, 1, octets), expected, "{protocol}, {octets} octets");
        }
        let behind_options =
            [fragment_header(DESTINATION_OPTIONS, 1), options(PROTOCOL_TCP, 0), vec![0; 16]].concat();
        assert_eq!(InnerHeader::parse(&ipv6(FRAGMENT, &behind_options)), Err(PacketError::TinyFragment));
    }

    #[test]
    fn acl_03_later_fragments_may_not_overlap_the_transport_header_or_the_end_of_the_datagram() {
        for (protocol, field, octets, expected) in [
            (PROTOCOL_TCP, 8, 24, Err(PacketError::TinyFragment)),
            (PROTOCOL_TCP, 16 | 1, 24, Err(PacketError::TinyFragment)),
            (PROTOCOL_TCP, 24, 24, Ok(Fragment::Later)),
            (PROTOCOL_TCP, 24 | 1, 24, Ok(Fragment::Later)),
            (PROTOCOL_UDP, 8, 24, Ok(Fragment::Later)),
            (PROTOCOL_UDP, 0xfff8, 24, Err(PacketError::Malformed)),
            (PROTOCOL_UDP, 8 | 1, 12, Err(PacketError::Malformed)),
            (ROUTING, 8, 24, Ok(Fragment::Later)),
        ] {
            assert_eq!(fragment_of(protocol, field, octets), expected, "{protocol}, field {field:#x}");
        }
    }

    #[test]
    fn a_fragment_that_is_all_of_its_datagram_is_whole() {
        let packet = ipv6(FRAGMENT, &[fragment_header(PROTOCOL_TCP, 0), vec![0; 20]].concat());
        let header = InnerHeader::parse(&packet).unwrap();
        assert_eq!((header.fragment, header.starts_tcp()), (Fragment::Whole, true));
        assert_eq!(header.payload(), 48..68);
    }

    #[test]
    fn only_icmp_errors_quote() {
        let quoted = ipv6(PROTOCOL_UDP, &[7; 8]);
        let complaint = Quoted {
            source: "fd00:8::2".parse().unwrap(),
            destination: "2001:db8::1".parse().unwrap(),
            service: Service { protocol: PROTOCOL_UDP, port: Port::Number(0x0707) },
        };
        for (kind, expected) in
            [(1, true), (2, true), (3, true), (4, true), (0, false), (5, false), (128, false), (137, false)]
        {
            let message = [&[kind, 0, 0, 0, 0, 0, 0, 0], &quoted[..]].concat();
            let packet = ipv6(PROTOCOL_ICMP_V6, &message);
            let quote = InnerHeader::parse(&packet).unwrap().quoted_by_icmp_error(&packet);
            assert_eq!(quote, expected.then_some(complaint), "type {kind}");
            let short = ipv6(PROTOCOL_ICMP_V6, &message[..47]);
            assert_eq!(InnerHeader::parse(&short).unwrap().quoted_by_icmp_error(&short), None);
            let other = ipv6(PROTOCOL_UDP, &message);
            assert_eq!(InnerHeader::parse(&other).unwrap().quoted_by_icmp_error(&other), None);
        }
    }

    proptest! {
        #[test]
        fn acl_03_whatever_parses_has_lengths_inside_the_packet(
            first in prop_oneof![Just(HOP_BY_HOP), Just(FRAGMENT), Just(AUTHENTICATION), any::<u8>()],
            payload in prop::collection::vec(
                prop_oneof![Just(0), Just(1), Just(FRAGMENT), Just(DESTINATION_OPTIONS), any::<u8>()],
                0..120,
            ),
            surplus in 0..9_usize,
        ) {
            let mut packet = ipv6(first, &payload);
            packet.extend(vec![0; surplus]);
            if let Ok(header) = InnerHeader::parse(&packet) {
                prop_assert_eq!(header.total_length(), 40 + payload.len());
                prop_assert!(header.payload().start >= 40 && header.payload().start <= header.payload().end);
                let _ = header.quoted_by_icmp_error(&packet);
            }
        }
    }

    fn fragment_of(protocol: u8, field: u16, octets: usize) -> Result<Fragment, PacketError> {
        let payload = [fragment_header(protocol, field), vec![0; octets]].concat();
        InnerHeader::parse(&ipv6(FRAGMENT, &payload)).map(|header| header.fragment)
    }

    fn fragment_header(next: u8, field: u16) -> Vec<u8> {
        let [high, low] = field.to_be_bytes();
        vec![next, 0, high, low, 0, 0, 0, 1]
    }

    /// A hop-by-hop, destination or routing header of 8 * (`more` + 1) octets.
    fn options(next: u8, more: u8) -> Vec<u8> {
        let mut header = vec![0; 8 * (usize::from(more) + 1)];
        (header[0], header[1]) = (next, more);
        header
    }

    fn authentication(next: u8) -> Vec<u8> {
        let mut header = vec![0; 24];
        (header[0], header[1]) = (next, 4);
        header
    }

    fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, next, 64];
        packet[4..6].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
        packet.extend("fd00:8::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend_from_slice(payload);
        packet
    }
}
