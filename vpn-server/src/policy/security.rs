//! Security groups: what an endpoint lets out of the tunnel and into it, whoever its clients are.
//!
//! Decided after the authorization rules, for packets between clients and the networks behind the server. Between clients, and
//! towards the server itself, they have no say. What answers an allowed packet passes; who remembers that is not decided
//! here.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::map::JointPrefixMap;

use super::destination::effective;
use super::service::{Service, ServiceRange};

/// What the security groups of an endpoint allow; everything else is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityRule {
    /// Who begins.
    pub direction: Direction,
    /// The services: of the network for what clients begin, of clients for what the network begins.
    pub services: ServiceRange,
    /// The addresses in the network.
    pub peer: IpNet,
}

/// Who begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Clients, towards the network.
    Egress,
    /// The network, towards clients.
    Ingress,
}

/// Compiled [`SecurityRule`]s.
pub(super) struct SecurityFilter {
    egress: JointPrefixMap<IpNet, Vec<ServiceRange>>,
    ingress: JointPrefixMap<IpNet, Vec<ServiceRange>>,
}

impl SecurityFilter {
    pub(super) fn compile(rules: &[SecurityRule]) -> Self {
        let mut filter = Self { egress: JointPrefixMap::new(), ingress: JointPrefixMap::new() };
        for rule in rules {
            let map = match rule.direction {
                Direction::Egress => &mut filter.egress,
                Direction::Ingress => &mut filter.ingress,
            };
            map.entry(rule.peer.trunc()).or_default().push(rule.services);
        }
        filter
    }

    /// Without a service, a rule for any of them is enough.
    pub(super) fn permits(&self, direction: Direction, peer: IpAddr, service: Option<Service>) -> bool {
        let map = match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        };
        let includes = |range: &ServiceRange| service.is_none_or(|service| range.includes(service));
        map.cover(&IpNet::from(effective(peer))).any(|(_, ranges)| ranges.iter().any(includes))
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::service::{PROTOCOL_TCP, PROTOCOL_UDP, Port};
    use super::*;

    #[test]
    fn any_rule_that_contains_the_address_and_the_service_is_enough() {
        let https = ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 443, last: 443 };
        let filter = SecurityFilter::compile(&[
            rule(Direction::Egress, https, "10.7.0.0/16"),
            rule(Direction::Egress, ServiceRange::Protocol(PROTOCOL_UDP), "10.7.1.0/24"),
            rule(Direction::Ingress, ServiceRange::All, "10.9.0.1/32"),
        ]);
        for (direction, peer, protocol, port, expected) in [
            (Direction::Egress, "10.7.1.5", PROTOCOL_TCP, 443, true),
            (Direction::Egress, "10.7.1.5", PROTOCOL_UDP, 53, true),
            (Direction::Egress, "10.7.2.5", PROTOCOL_UDP, 53, false),
            (Direction::Egress, "10.7.2.5", PROTOCOL_TCP, 80, false),
            (Direction::Egress, "10.9.0.1", PROTOCOL_TCP, 443, false),
            (Direction::Ingress, "10.9.0.1", PROTOCOL_TCP, 22, true),
            (Direction::Ingress, "10.7.1.5", PROTOCOL_TCP, 443, false),
            (Direction::Egress, "::ffff:10.7.1.5", PROTOCOL_TCP, 443, true),
        ] {
            let service = Service { protocol, port: Port::Number(port) };
            let permitted = filter.permits(direction, peer.parse().unwrap(), Some(service));
            assert_eq!(permitted, expected, "{direction} {peer} {service}");
        }
        assert!(filter.permits(Direction::Egress, "10.7.2.5".parse().unwrap(), None));
    }

    #[test]
    fn without_rules_nothing_is_allowed() {
        let filter = SecurityFilter::compile(&[]);
        assert!(!filter.permits(Direction::Egress, "10.7.0.1".parse().unwrap(), None));
    }

    fn rule(direction: Direction, services: ServiceRange, peer: &str) -> SecurityRule {
        SecurityRule { direction, services, peer: peer.parse().unwrap() }
    }
}
