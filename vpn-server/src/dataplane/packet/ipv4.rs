//! IPv4 headers.

use std::net::{IpAddr, Ipv4Addr};

use super::{InnerHeader, PacketError, Quoted, judge_fragment, ports};
use crate::policy::{Port, Service};

pub(super) fn parse(packet: &[u8]) -> Result<InnerHeader, PacketError> {
    let (fixed, _) = packet.split_first_chunk::<MINIMUM>().ok_or(PacketError::Malformed)?;
    let header_length = u16::from(fixed[0] & 0x0f) * 4;
    let total_length = u16::from_be_bytes([fixed[2], fixed[3]]);
    if usize::from(header_length) < MINIMUM
        || total_length < header_length
        || usize::from(total_length) > packet.len()
    {
        return Err(PacketError::Malformed);
    }
    check_options(&packet[MINIMUM..usize::from(header_length)])?;
    let (source, destination) = addresses(fixed);
    let (protocol, field) = (fixed[9], u16::from_be_bytes([fixed[6], fixed[7]]));
    let (offset, more_follow) = (u32::from(field & 0x1fff) * 8, field & 0x2000 != 0);
    Ok(InnerHeader {
        source,
        destination,
        protocol,
        fragment: judge_fragment(protocol, offset, more_follow, total_length - header_length)?,
        payload_start: header_length,
        total_length: total_length.into(),
    })
}

/// The packet that an ICMP message of type `kind` quotes, if it is an error: destination unreachable, time exceeded,
/// parameter problem.
pub(super) fn quoted(kind: u8, quote: &[u8]) -> Option<Quoted> {
    let quoted = quote.first_chunk::<MINIMUM>()?;
    let is_error = matches!(kind, 3 | 11 | 12);
    if !is_error || quoted[0] >> 4 != 4 {
        return None;
    }
    let (source, destination) = addresses(quoted);
    let (protocol, behind) = (quoted[9], usize::from(quoted[0] & 0x0f) * 4);
    let is_later_fragment = u16::from_be_bytes([quoted[6], quoted[7]]) & 0x1fff != 0;
    let port = match is_later_fragment {
        true => Port::Elsewhere,
        false => ports(protocol, quote.get(behind..).unwrap_or_default()).destination,
    };
    Some(Quoted { source, destination, service: Service { protocol, port } })
}

fn addresses(fixed: &[u8; MINIMUM]) -> (IpAddr, IpAddr) {
    let source = Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]);
    let destination = Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]);
    (source.into(), destination.into())
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

const MINIMUM: usize = 20;
const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_LOOSE_ROUTE: u8 = 131;
const OPTION_STRICT_ROUTE: u8 = 137;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Fragment, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP};
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
    fn acl_03_ports_are_read_where_the_packet_shows_them() {
        let numbers = [0x12, 0x34, 0x01, 0xbb, 0, 0, 0, 0];
        for (protocol, fragment, payload, expected) in [
            (PROTOCOL_TCP, 0, &numbers[..], Port::Number(443)),
            (PROTOCOL_UDP, 0x2000, &numbers, Port::Number(443)),
            (PROTOCOL_UDP, 2, &numbers, Port::Elsewhere),
            (PROTOCOL_UDP, 0, &numbers[..3], Port::Absent),
            (PROTOCOL_ICMP, 0, &numbers, Port::Absent),
            (PROTOCOL_ICMP, 2, &numbers, Port::Absent),
        ] {
            let mut packet = ipv4(protocol, fragment, &[], payload);
            packet.extend(numbers);
            let header = parse_v4(&packet).unwrap();
            assert_eq!(
                header.service(&packet),
                Service { protocol, port: expected },
                "{protocol} {fragment:#x}"
            );
            let answer = header.answering_service(&packet).port;
            assert_eq!(answer == Port::Number(0x1234), matches!(expected, Port::Number(_)));
        }
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
    fn only_icmp_errors_quote() {
        let quoted = ipv4(PROTOCOL_UDP, 0, &[], &[7; 8]);
        for (kind, expected) in [(3, true), (11, true), (12, true), (0, false), (5, false), (8, false)] {
            let packet = ipv4(PROTOCOL_ICMP, 0, &[], &[&[kind, 0, 0, 0, 0, 0, 0, 0], &quoted[..]].concat());
            let quote = parse_v4(&packet).unwrap().quoted_by_icmp_error(&packet);
            let port = Port::Number(0x0707);
            let complaint = Quoted {
                source: Ipv4Addr::new(10, 8, 0, 2).into(),
                destination: Ipv4Addr::new(192, 168, 1, 1).into(),
                service: Service { protocol: PROTOCOL_UDP, port },
            };
            assert_eq!(quote, expected.then_some(complaint), "type {kind}");
        }
        let short = ipv4(PROTOCOL_ICMP, 0, &[], &[&[3, 0, 0, 0, 0, 0, 0, 0], &quoted[..19]].concat());
        assert_eq!(parse_v4(&short).unwrap().quoted_by_icmp_error(&short), None);
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
                let _ = header.quoted_by_icmp_error(&packet);
            }
        }
    }

    fn fragment_of(packet: &[u8]) -> Result<Fragment, PacketError> {
        parse_v4(packet).map(|header| header.fragment)
    }

    fn parse_v4(packet: &[u8]) -> Result<InnerHeader, PacketError> {
        InnerHeader::parse(packet)
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
