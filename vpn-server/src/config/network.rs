//! The networks of a configuration: client addresses, networks behind the server, authorized destinations.
//!
//! An IPv4 network is written with its host bits clear (`10.7.0.0/24`); anything else is refused together with
//! the form that was probably meant, because silently masking would hide a typing error in a security rule.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

use crate::transport::tun::{DeviceName, InvalidDeviceName};

/// An IPv4 network without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(Ipv4Net);

impl Network {
    /// The network as the type that lookup tables use.
    #[must_use]
    pub const fn net(self) -> Ipv4Net {
        self.0
    }

    /// Whether this is `0.0.0.0/0`.
    #[must_use]
    pub const fn is_default_route(self) -> bool {
        self.0.prefix_len() == 0
    }

    /// Whether one of the two networks contains the other.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }
}

/// The network that client addresses come from: /29 to /12. Its first host address is the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientCidr(Network);

impl ClientCidr {
    /// The smallest one: six hosts.
    pub const LONGEST_PREFIX: u8 = 29;
    /// The largest one: a million hosts.
    pub const SHORTEST_PREFIX: u8 = 12;

    /// The network itself.
    #[must_use]
    pub const fn network(self) -> Network {
        self.0
    }

    /// The address of the server inside the tunnel: the first host address.
    #[must_use]
    pub fn server_address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0.net().network().to_bits() + 1)
    }

    /// The netmask that clients are told.
    #[must_use]
    pub fn netmask(self) -> Ipv4Addr {
        self.0.net().netmask()
    }
}

/// A network behind the server, optionally with the interface that it lies behind: `10.7.0.0/24@eth1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutedNetwork {
    /// What clients are told to send through the tunnel.
    pub network: Network,
    /// The interface through which the server reaches it; `None` leaves that to the host's routing table.
    pub interface: Option<DeviceName>,
}

/// Why a text is not a network of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNetwork {
    /// Not of the form `a.b.c.d/n`.
    #[error("'{0}' is not an IPv4 network in CIDR notation")]
    NotCidr(String),
    /// An IPv6 network.
    #[error("'{0}' is an IPv6 network; the tunnel carries IPv4")]
    Ipv6(String),
    /// An address inside the network instead of the network's own.
    #[error("{given} has host bits set; the network is {normalized}")]
    HostBits {
        /// What was written.
        given: Ipv4Net,
        /// The network that contains it.
        normalized: Ipv4Net,
    },
    /// A client CIDR that is too small or too large.
    #[error("/{0} is not a size for client addresses: /29 to /12 are")]
    ClientCidrSize(u8),
    /// A range that no host can have.
    #[error("{0} is not unicast")]
    NotUnicast(Ipv4Net),
    /// What stands behind the `@` is not the name of an interface.
    #[error(transparent)]
    Interface(#[from] InvalidDeviceName),
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.parse::<ipnet::Ipv6Net>().is_ok() {
            return Err(InvalidNetwork::Ipv6(text.to_owned()));
        }
        let given: Ipv4Net = text.parse().map_err(|_| InvalidNetwork::NotCidr(text.to_owned()))?;
        let normalized = given.trunc();
        if given != normalized {
            return Err(InvalidNetwork::HostBits { given, normalized });
        }
        Ok(Self(given))
    }
}

impl FromStr for ClientCidr {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network: Network = text.parse()?;
        let prefix = network.net().prefix_len();
        if !(Self::SHORTEST_PREFIX..=Self::LONGEST_PREFIX).contains(&prefix) {
            return Err(InvalidNetwork::ClientCidrSize(prefix));
        }
        let (first, last) = (network.net().network(), network.net().broadcast());
        let usable = |address: Ipv4Addr| !address.is_loopback() && (1..224).contains(&address.octets()[0]);
        if !usable(first) || !usable(last) {
            return Err(InvalidNetwork::NotUnicast(network.net()));
        }
        Ok(Self(network))
    }
}

impl FromStr for RoutedNetwork {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (network, interface) = match text.split_once('@') {
            Some((network, interface)) => (network, Some(interface.parse()?)),
            None => (text, None),
        };
        Ok(Self { network: network.parse()?, interface })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for ClientCidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for RoutedNetwork {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(out, "{}@{interface}", self.network),
            None => self.network.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_networks_and_names_the_form_that_was_meant() {
        assert_eq!(network("10.7.0.0/24").to_string(), "10.7.0.0/24");
        assert!(network("0.0.0.0/0").is_default_route());
        let error = "10.7.0.9/24".parse::<Network>().unwrap_err();
        assert_eq!(error.to_string(), "10.7.0.9/24 has host bits set; the network is 10.7.0.0/24");
        for text in ["", "10.7.0.0", "10.7.0/24", "10.7.0.0/33", "10.7.0.0/", "10.7.0.0/24 "] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork::NotCidr(text.to_owned())));
        }
        assert_eq!("fd00::/64".parse::<Network>(), Err(InvalidNetwork::Ipv6("fd00::/64".to_owned())));
    }

    #[test]
    fn client_networks_reach_from_29_to_12_bits() {
        for text in ["10.8.0.0/29", "10.8.0.0/24", "10.16.0.0/12"] {
            assert_eq!(text.parse::<ClientCidr>().unwrap().to_string(), text);
        }
        assert_eq!("10.8.0.0/30".parse::<ClientCidr>(), Err(InvalidNetwork::ClientCidrSize(30)));
        assert_eq!("10.0.0.0/11".parse::<ClientCidr>(), Err(InvalidNetwork::ClientCidrSize(11)));
    }

    #[test]
    fn client_networks_are_unicast() {
        for text in ["0.0.0.0/12", "127.0.0.0/24", "224.0.0.0/24", "255.255.255.0/24"] {
            assert_eq!(
                text.parse::<ClientCidr>(),
                Err(InvalidNetwork::NotUnicast(text.parse().unwrap())),
                "{text}"
            );
        }
    }

    #[test]
    fn the_server_has_the_first_address() {
        let cidr: ClientCidr = "10.8.4.0/22".parse().unwrap();
        assert_eq!(cidr.server_address(), Ipv4Addr::new(10, 8, 4, 1));
        assert_eq!(cidr.netmask(), Ipv4Addr::new(255, 255, 252, 0));
    }

    #[test]
    fn routed_networks_may_name_their_interface() {
        let route: RoutedNetwork = "10.7.0.0/24@eth1.42".parse().unwrap();
        assert_eq!(route.interface.as_ref().unwrap().as_str(), "eth1.42");
        assert_eq!(route.to_string(), "10.7.0.0/24@eth1.42");
        assert_eq!("10.7.0.0/24".parse::<RoutedNetwork>().unwrap().interface, None);
    }

    #[test]
    fn interface_names_cannot_carry_a_second_meaning() {
        for name in ["", "eth 0", "eth0;", "eth\"0", "eth\n0", "a234567890123456", "eth/0", "ether%d", ".."] {
            assert!(format!("10.7.0.0/24@{name}").parse::<RoutedNetwork>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn overlap_is_symmetric_containment() {
        let cases = [
            ("10.8.0.0/24", "10.8.0.0/16", true),
            ("10.8.0.0/24", "10.8.0.128/25", true),
            ("10.8.0.0/24", "10.8.1.0/24", false),
            ("10.8.0.0/24", "0.0.0.0/0", true),
        ];
        for (a, b, expected) in cases {
            assert_eq!(network(a).overlaps(network(b)), expected);
            assert_eq!(network(b).overlaps(network(a)), expected);
        }
    }

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }
}
