//! What a packet is about beside its addresses: a protocol and, where it has some, a port.

use std::fmt;

/// ICMP for IPv4.
pub const PROTOCOL_ICMP: u8 = 1;
/// TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// UDP.
pub const PROTOCOL_UDP: u8 = 17;
/// ICMP for IPv6.
pub const PROTOCOL_ICMP_V6: u8 = 58;
/// SCTP.
pub const PROTOCOL_SCTP: u8 = 132;

/// What a packet asks for at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The number of the protocol.
    pub protocol: u8,
    /// The port at the far end.
    pub port: Port,
}

/// A port as far as a packet shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one.
    Number(u16),
    /// None: the protocol has no ports, or the packet is too short for them.
    Absent,
    /// It stands in another fragment. Without that one nobody can put the datagram together, so that a rule for the
    /// protocol may let it pass.
    Elsewhere,
}

/// Which services a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceRange {
    /// All.
    #[default]
    All,
    /// All of one protocol.
    Protocol(u8),
    /// Ports of one protocol, the first and the last included.
    Ports {
        /// The number of the protocol.
        protocol: u8,
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
}

impl ServiceRange {
    /// Whether `service` is among them.
    #[must_use]
    pub const fn includes(self, service: Service) -> bool {
        match self {
            Self::All => true,
            Self::Protocol(protocol) => protocol == service.protocol,
            Self::Ports { protocol, first, last } => {
                protocol == service.protocol
                    && match service.port {
                        Port::Number(port) => first <= port && port <= last,
                        Port::Absent => false,
                        Port::Elsewhere => true,
                    }
            }
        }
    }
}

/// Whether packets of a protocol begin with two ports.
#[must_use]
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, PROTOCOL_TCP | PROTOCOL_UDP | PROTOCOL_SCTP)
}

/// As in a configuration: `tcp`, `tcp/443`, `udp/5000-5100`, a number for protocols without a name here.
impl fmt::Display for ServiceRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("all"),
            Self::Protocol(protocol) => write!(out, "{}", ProtocolName(*protocol)),
            Self::Ports { protocol, first, last } if first == last => {
                write!(out, "{}/{first}", ProtocolName(*protocol))
            }
            Self::Ports { protocol, first, last } => {
                write!(out, "{}/{first}-{last}", ProtocolName(*protocol))
            }
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Port::Number(port) => write!(out, "{}/{port}", ProtocolName(self.protocol)),
            Port::Absent | Port::Elsewhere => ProtocolName(self.protocol).fmt(out),
        }
    }
}

/// A protocol under the name that configurations have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolName(pub u8);

impl ProtocolName {
    const NAMES: [(&'static str, u8); 5] = [
        ("icmp", PROTOCOL_ICMP),
        ("tcp", PROTOCOL_TCP),
        ("udp", PROTOCOL_UDP),
        ("icmpv6", PROTOCOL_ICMP_V6),
        ("sctp", PROTOCOL_SCTP),
    ];

    /// Reads what [`fmt::Display`] prints.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let named = Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
        named.or_else(|| text.parse().ok()).map(Self)
    }
}

impl fmt::Display for ProtocolName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => out.write_str(name),
            None => self.0.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_includes_its_ends_and_no_other_protocol() {
        let range = ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 80, last: 90 };
        for (protocol, port, expected) in [
            (PROTOCOL_TCP, Port::Number(79), false),
            (PROTOCOL_TCP, Port::Number(80), true),
            (PROTOCOL_TCP, Port::Number(90), true),
            (PROTOCOL_TCP, Port::Number(91), false),
            (PROTOCOL_UDP, Port::Number(85), false),
            (PROTOCOL_TCP, Port::Absent, false),
        ] {
            assert_eq!(range.includes(Service { protocol, port }), expected, "{protocol} {port:?}");
        }
        let icmp = Service { protocol: PROTOCOL_ICMP, port: Port::Absent };
        assert!(ServiceRange::Protocol(PROTOCOL_ICMP).includes(icmp) && ServiceRange::All.includes(icmp));
        assert!(!ServiceRange::Protocol(PROTOCOL_UDP).includes(icmp));
    }

    #[test]
    fn acl_03_a_later_fragment_follows_a_rule_for_its_protocol() {
        let range = ServiceRange::Ports { protocol: PROTOCOL_UDP, first: 53, last: 53 };
        assert!(range.includes(Service { protocol: PROTOCOL_UDP, port: Port::Elsewhere }));
        assert!(!range.includes(Service { protocol: PROTOCOL_TCP, port: Port::Elsewhere }));
    }

    #[test]
    fn protocols_are_written_by_name_where_they_have_one() {
        for (number, name) in
            [(6, "tcp"), (17, "udp"), (1, "icmp"), (58, "icmpv6"), (132, "sctp"), (47, "47")]
        {
            assert_eq!(ProtocolName(number).to_string(), name);
            assert_eq!(ProtocolName::parse(name), Some(ProtocolName(number)));
        }
        for text in ["", "TCP", "256", "-1", "any"] {
            assert_eq!(ProtocolName::parse(text), None, "{text}");
        }
        let range = ServiceRange::Ports { protocol: 17, first: 5000, last: 5100 };
        assert_eq!(range.to_string(), "udp/5000-5100");
        assert_eq!(ServiceRange::Ports { protocol: 6, first: 22, last: 22 }.to_string(), "tcp/22");
        assert_eq!(
            (ServiceRange::All.to_string(), ServiceRange::Protocol(1).to_string()),
            ("all".into(), "icmp".into())
        );
    }
}
