//! Inner IP headers: parsed once, checked completely, then plain values.
//!
//! A header that comes out of [`InnerHeader::parse`] has lengths that fit the packet, no source routing, and, if it
//! starts a fragmented datagram, the ports that a packet filter further on may want to see. Rules look at addresses
//! only, so later fragments are judged like first ones and cannot bypass them (threat model ACL-03). Checksums and the
//! hop limit are the kernel's business: every packet still goes through its network stack.

mod ipv4;
mod ipv6;

use std::net::IpAddr;
use std::ops::Range;

use crate::policy::{Port, Service, has_ports};

/// What the data plane needs to know of the header of an inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerHeader {
    /// The sender.
    pub source: IpAddr,
    /// The receiver.
    pub destination: IpAddr,
    /// The protocol of the payload; of an IPv6 packet the one behind its extension headers.
    pub protocol: u8,
    /// Which part of a datagram this packet is.
    pub fragment: Fragment,
    payload_start: u16,
    total_length: u32,
}

/// Which part of a datagram a packet is.
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
    /// A loose or strict source route option, or an IPv6 routing header.
    SourceRouted,
    /// A first fragment without a whole transport header, or a later one that overlaps it.
    TinyFragment,
    /// More IPv6 extension headers than honest senders use, or one of a kind that they do not.
    ExtensionHeader,
}

pub use crate::policy::{PROTOCOL_ICMP, PROTOCOL_ICMP_V6, PROTOCOL_TCP, PROTOCOL_UDP};

/// The packet that an ICMP error message complains about, as far as the message quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Its sender.
    pub source: IpAddr,
    /// Its receiver.
    pub destination: IpAddr,
    /// What it asked for there.
    pub service: Service,
}

/// The two ports of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The sender's.
    pub source: Port,
    /// The receiver's.
    pub destination: Port,
}

impl InnerHeader {
    /// Parses the header at the start of an inner packet.
    pub fn parse(packet: &[u8]) -> Result<Self, PacketError> {
        match packet.first().map(|first| first >> 4) {
            Some(4) => ipv4::parse(packet),
            Some(6) => ipv6::parse(packet),
            _ => Err(PacketError::Malformed),
        }
    }

    /// Octets of the packet; what a sender put behind them is not part of it.
    #[must_use]
    pub const fn total_length(&self) -> usize {
        self.total_length as usize
    }

    /// Where in the packet the payload is.
    #[must_use]
    pub const fn payload(&self) -> Range<usize> {
        self.payload_start as usize..self.total_length()
    }

    /// Whether the payload starts with a TCP header.
    #[must_use]
    pub fn starts_tcp(&self) -> bool {
        self.protocol == PROTOCOL_TCP && self.fragment != Fragment::Later
    }

    /// Whether this is what IPv6 hosts send on every interface unasked, and what no router passes on: neighbour
    /// discovery, router solicitations, multicast listener reports. Stock clients on Linux start with one (protocol
    /// reference section 9.5).
    #[must_use]
    pub fn is_link_chatter(&self) -> bool {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (self.source, self.destination) else {
            return false;
        };
        source.is_unspecified() || source.is_unicast_link_local() || destination.is_multicast()
    }

    /// The ports of the packet that this header was parsed from.
    #[must_use]
    pub fn ports(&self, packet: &[u8]) -> Ports {
        if has_ports(self.protocol) && self.fragment == Fragment::Later {
            return Ports { source: Port::Elsewhere, destination: Port::Elsewhere };
        }
        ports(self.protocol, packet.get(self.payload()).unwrap_or_default())
    }

    /// What the packet that this header was parsed from asks for.
    #[must_use]
    pub fn service(&self, packet: &[u8]) -> Service {
        Service { protocol: self.protocol, port: self.ports(packet).destination }
    }

    /// What would have been asked for if the packet that this header was parsed from is an answer.
    #[must_use]
    pub fn answering_service(&self, packet: &[u8]) -> Service {
        Service { protocol: self.protocol, port: self.ports(packet).source }
    }

    /// What an ICMP error message complains about.
    ///
    /// `packet` is the whole packet that this header was parsed from. `None` for everything that is not an ICMP error with
    /// a whole quoted header.
    #[must_use]
    pub fn quoted_by_icmp_error(&self, packet: &[u8]) -> Option<Quoted> {
        if self.fragment == Fragment::Later {
            return None;
        }
        let (icmp, quote) = packet.get(self.payload())?.split_first_chunk::<8>()?;
        match (self.source, self.protocol) {
            (IpAddr::V4(_), PROTOCOL_ICMP) => ipv4::quoted(icmp[0], quote),
            (IpAddr::V6(_), PROTOCOL_ICMP_V6) => ipv6::quoted(icmp[0], quote),
            _ => None,
        }
    }
}

/// The ports at the start of a payload of `protocol`.
fn ports(protocol: u8, payload: &[u8]) -> Ports {
    match payload.first_chunk::<4>() {
        Some([a, b, c, d]) if has_ports(protocol) => Ports {
            source: Port::Number(u16::from_be_bytes([*a, *b])),
            destination: Port::Number(u16::from_be_bytes([*c, *d])),
        },
        Some(_) | None => Ports { source: Port::Absent, destination: Port::Absent },
    }
}

/// Octets of the smallest header of a transport protocol: what a first fragment has to hold, or nobody can filter by it.
const fn smallest_transport_header(protocol: u8) -> u16 {
    match protocol {
        PROTOCOL_TCP => 20,
        PROTOCOL_UDP | PROTOCOL_ICMP | PROTOCOL_ICMP_V6 => 8,
        _ => 0,
    }
}

/// Judges a packet that holds `payload` octets of a datagram of `protocol`, `offset` octets from its start.
///
/// A first fragment must hold the whole minimal transport header and a later one must not reach back into it (RFC 1858, RFC
/// 3128): else filters that look at ports or flags could be led astray. No fragment may reach beyond the largest possible
/// datagram.
fn judge_fragment(
    protocol: u8,
    offset: u32,
    more_follow: bool,
    payload: u16,
) -> Result<Fragment, PacketError> {
    let needed = smallest_transport_header(protocol);
    match (offset, more_follow) {
        (0, false) => Ok(Fragment::Whole),
        (0, true) if payload < needed => Err(PacketError::TinyFragment),
        (0, true) => Ok(Fragment::First),
        _ if offset + u32::from(payload) > u32::from(u16::MAX) => Err(PacketError::Malformed),
        _ if offset < u32::from(needed) => Err(PacketError::TinyFragment),
        _ => Ok(Fragment::Later),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn router_solicitations_and_their_like_are_link_chatter() {
        for (source, destination, expected) in [
            ("fe80::1", "ff02::2", true),
            ("::", "ff02::16", true),
            ("fe80::1", "fe80::2", true),
            ("fd00::1", "ff02::fb", true),
            ("fd00::1", "2001:db8::1", false),
            ("10.8.0.2", "224.0.0.251", false),
        ] {
            let header = InnerHeader {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                protocol: PROTOCOL_UDP,
                fragment: Fragment::Whole,
                payload_start: 40,
                total_length: 40,
            };
            assert_eq!(header.is_link_chatter(), expected, "{source} {destination}");
        }
    }

    #[test]
    fn acl_03_only_ip_of_known_versions_parses() {
        for first in (0..=255_u8).filter(|first| !matches!(first >> 4, 4 | 6)) {
            assert_eq!(InnerHeader::parse(&[first; 60]), Err(PacketError::Malformed), "{first:#x}");
        }
        assert_eq!(InnerHeader::parse(&[]), Err(PacketError::Malformed));
    }
}
