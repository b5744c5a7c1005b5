//! The networks of a configuration: client addresses, networks behind the server and behind clients, authorized
//! destinations.
//!
//! A network is written with its host bits clear (`10.7.0.0/24`, `fd07::/64`); anything else is refused together with
//! the form that was probably meant, because silently masking would hide a typing error in a security rule.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::transport::tun::{DeviceName, InvalidDeviceName};

/// A network without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

impl Network {
    /// The network as the type that lookup tables use.
    #[must_use]
    pub const fn net(self) -> IpNet {
        self.0
    }

    /// Whether this is `0.0.0.0/0` or `::/0`.
    #[must_use]
    pub fn is_default_route(self) -> bool {
        self.0.prefix_len() == 0
    }

    /// Whether this is an IPv6 network.
    #[must_use]
    pub const fn is_ipv6(self) -> bool {
        matches!(self.0, IpNet::V6(_))
    }

    /// Whether one of the two networks contains the other.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }
}

/// The networks that client addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientCidrs {
    /// The IPv4 network.
    pub v4: ClientCidr,
    /// The IPv6 network; `None` where the tunnel carries IPv4 only.
    pub v6: Option<ClientCidrV6>,
}

impl ClientCidrs {
    /// All of them.
    pub fn networks(self) -> impl Iterator<Item = Network> {
        let v4 = Network(self.v4.net().into());
        std::iter::once(v4).chain(self.v6.map(|v6| Network(v6.net().into())))
    }

    /// Whether `address` can be a client's.
    #[must_use]
    pub fn has_for_client(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => {
                let net = self.v4.net();
                let others = [net.network(), net.broadcast(), self.v4.server_address()];
                net.contains(&v4) && !others.contains(&v4)
            }
            IpAddr::V6(v6) => self.v6.is_some_and(|own| {
                own.net().contains(&v6) && ![own.net().network(), own.server_address()].contains(&v6)
            }),
        }
    }

    /// Whether every address of `network` is a client's.
    #[must_use]
    pub fn contain(self, network: Network) -> bool {
        self.networks().any(|own| own.0.contains(&network.0))
    }
}

/// The IPv4 network that client addresses come from: /29 to /12. Its first host address is the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientCidr(Ipv4Net);

impl ClientCidr {
    /// The smallest one: six hosts.
    pub const LONGEST_PREFIX: u8 = 29;
    /// The largest one: a million hosts.
    pub const SHORTEST_PREFIX: u8 = 12;

    /// The network itself.
    #[must_use]
    pub const fn net(self) -> Ipv4Net {
        self.0
    }

    /// The address of the server inside the tunnel: the first host address.
    #[must_use]
    pub fn server_address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0.network().to_bits() + 1)
    }

    /// The netmask that clients are told.
    #[must_use]
    pub fn netmask(self) -> Ipv4Addr {
        self.0.netmask()
    }
}

/// The IPv6 network that client addresses come from: /48 to /124. Its first host address is the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientCidrV6(Ipv6Net);

impl ClientCidrV6 {
    /// The smallest one: fourteen clients.
    pub const LONGEST_PREFIX: u8 = 124;
    /// The largest one.
    pub const SHORTEST_PREFIX: u8 = 48;

    /// The network itself.
    #[must_use]
    pub const fn net(self) -> Ipv6Net {
        self.0
    }

    /// The address of the server inside the tunnel: the first host address.
    #[must_use]
    pub fn server_address(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.0.network().to_bits() + 1)
    }

    /// Whether these are unique local addresses (`fc00::/7`), which mean nothing outside of the organisation.
    #[must_use]
    pub fn is_unique_local(self) -> bool {
        self.0.network().is_unique_local()
    }
}

/// A part of the IPv4 client addresses, both ends included: `10.8.0.100-10.8.0.199`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address.
    pub last: Ipv4Addr,
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
    /// Not of the form `a.b.c.d/n` or `a:b::/n`.
    #[error("'{0}' is not a network in CIDR notation")]
    NotCidr(String),
    /// An address inside the network instead of the network's own.
    #[error("{given} has host bits set; the network is {normalized}")]
    HostBits {
        /// What was written.
        given: IpNet,
        /// The network that contains it.
        normalized: IpNet,
    },
    /// A client CIDR that is too small or too large.
    #[error("/{prefix} is not a size for client addresses: /{longest} to /{shortest} are")]
    ClientCidrSize {
        /// The size that was written.
        prefix: u8,
        /// The smallest size.
        longest: u8,
        /// The largest size.
        shortest: u8,
    },
    /// A range that no host can have.
    #[error("{0} is not unicast")]
    NotUnicast(IpNet),
    /// Not of the form `FIRST-LAST`.
    #[error("'{0}' is not a range of IPv4 addresses")]
    NotRange(String),
    /// What stands behind the `@` is not the name of an interface.
    #[error(transparent)]
    Interface(#[from] InvalidDeviceName),
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let given: IpNet = text.parse().map_err(|_| InvalidNetwork::NotCidr(text.to_owned()))?;
        let normalized = given.trunc();
        if given != normalized {
            return Err(InvalidNetwork::HostBits { given, normalized });
        }
        Ok(Self(given))
    }
}

impl TryFrom<Network> for ClientCidr {
    type Error = InvalidNetwork;

    fn try_from(network: Network) -> Result<Self, InvalidNetwork> {
        let IpNet::V4(net) = network.0 else { return Err(InvalidNetwork::NotCidr(network.to_string())) };
        check_size(network, Self::LONGEST_PREFIX, Self::SHORTEST_PREFIX)?;
        let usable = |address: Ipv4Addr| !address.is_loopback() && (1..224).contains(&address.octets()[0]);
        if !usable(net.network()) || !usable(net.broadcast()) {
            return Err(InvalidNetwork::NotUnicast(network.0));
        }
        Ok(Self(net))
    }
}

impl TryFrom<Network> for ClientCidrV6 {
    type Error = InvalidNetwork;

    /// Addresses that embed IPv4 addresses are judged as these, so they cannot be clients'.
    fn try_from(network: Network) -> Result<Self, InvalidNetwork> {
        let IpNet::V6(net) = network.0 else { return Err(InvalidNetwork::NotCidr(network.to_string())) };
        check_size(network, Self::LONGEST_PREFIX, Self::SHORTEST_PREFIX)?;
        let [first, second, ..] = net.network().segments();
        let is_global =
            (0x2000..0x4000).contains(&first) && first != 0x2002 && (first, second) != (0x2001, 0);
        if !is_global && !net.network().is_unique_local() {
            return Err(InvalidNetwork::NotUnicast(network.0));
        }
        Ok(Self(net))
    }
}

fn check_size(network: Network, longest: u8, shortest: u8) -> Result<(), InvalidNetwork> {
    let prefix = network.0.prefix_len();
    if (shortest..=longest).contains(&prefix) {
        return Ok(());
    }
    Err(InvalidNetwork::ClientCidrSize { prefix, longest, shortest })
}

impl FromStr for AddressRange {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_range = || InvalidNetwork::NotRange(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(not_range)?;
        let range = first.parse().ok().zip(last.parse().ok()).map(|(first, last)| Self { first, last });
        range.filter(|range| range.first <= range.last).ok_or_else(not_range)
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

impl fmt::Display for ClientCidrV6 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.first, self.last)
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
        for text in
            ["", "10.7.0.0", "10.7.0/24", "10.7.0.0/33", "10.7.0.0/", "10.7.0.0/24 ", "fd00::/129", "fd00::"]
        {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork::NotCidr(text.to_owned())));
        }
        assert!(network("fd07::/64").is_ipv6() && network("::/0").is_default_route());
        let error = "fd07::9/64".parse::<Network>().unwrap_err();
        assert_eq!(error.to_string(), "fd07::9/64 has host bits set; the network is fd07::/64");
    }

    #[test]
    fn client_networks_reach_from_29_to_12_bits_and_from_124_to_48() {
        for text in ["10.8.0.0/29", "10.8.0.0/24", "10.16.0.0/12"] {
            assert_eq!(client_cidr(text).unwrap().to_string(), text);
        }
        for text in ["fd00:8::/48", "2001:db8:8::/64", "fd00:8::/124"] {
            assert_eq!(client_cidr_v6(text).unwrap().to_string(), text);
        }
        let sizes = ["10.8.0.0/30", "10.0.0.0/11"].map(|text| client_cidr(text).unwrap_err().to_string());
        assert_eq!(
            sizes,
            [
                "/30 is not a size for client addresses: /29 to /12 are",
                "/11 is not a size for client addresses: /29 to /12 are"
            ]
        );
        for text in ["fd00:8::/47", "fd00:8::/125"] {
            let error = client_cidr_v6(&network(text).to_string()).unwrap_err();
            assert!(matches!(error, InvalidNetwork::ClientCidrSize { .. }), "{text}");
        }
    }

    #[test]
    fn client_networks_are_unicast_and_embed_no_ipv4() {
        for text in ["0.0.0.0/12", "127.0.0.0/24", "224.0.0.0/24", "255.255.255.0/24"] {
            assert_eq!(client_cidr(text), Err(InvalidNetwork::NotUnicast(text.parse().unwrap())), "{text}");
        }
        for text in [
            "::/64",
            "fe80::/64",
            "ff02::/64",
            "::ffff:0:0/96",
            "2002:a08::/48",
            "2001::/64",
            "64:ff9b::/96",
            "fec0::/64",
        ] {
            assert_eq!(
                client_cidr_v6(text),
                Err(InvalidNetwork::NotUnicast(text.parse().unwrap())),
                "{text}"
            );
        }
    }

    #[test]
    fn unique_local_addresses_are_told_from_global_ones() {
        assert!(client_cidr_v6("fd00:8::/64").unwrap().is_unique_local());
        assert!(!client_cidr_v6("2001:db8:8::/64").unwrap().is_unique_local());
    }

    #[test]
    fn a_range_has_two_ends_in_their_order() {
        assert_eq!("10.8.0.5-10.8.0.9".parse::<AddressRange>().unwrap().to_string(), "10.8.0.5-10.8.0.9");
        assert!("10.8.0.5-10.8.0.5".parse::<AddressRange>().is_ok());
        for text in ["", "10.8.0.5", "10.8.0.9-10.8.0.5", "10.8.0.5-", "fd00::1-fd00::2"] {
            assert_eq!(text.parse::<AddressRange>(), Err(InvalidNetwork::NotRange(text.to_owned())));
        }
    }

    #[test]
    fn the_server_has_the_first_address() {
        let cidr = client_cidr("10.8.4.0/22").unwrap();
        assert_eq!(cidr.server_address(), Ipv4Addr::new(10, 8, 4, 1));
        assert_eq!(cidr.netmask(), Ipv4Addr::new(255, 255, 252, 0));
        let server = client_cidr_v6("fd00:8::/64").unwrap().server_address();
        assert_eq!(server, "fd00:8::1".parse::<Ipv6Addr>().unwrap());
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
            ("fd00:8::/64", "fd00::/16", true),
            ("fd00:8::/64", "10.8.0.0/24", false),
            ("fd00:8::/64", "0.0.0.0/0", false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(network(a).overlaps(network(b)), expected);
            assert_eq!(network(b).overlaps(network(a)), expected);
        }
    }

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn client_cidr(text: &str) -> Result<ClientCidr, InvalidNetwork> {
        network(text).try_into()
    }

    fn client_cidr_v6(text: &str) -> Result<ClientCidrV6, InvalidNetwork> {
        network(text).try_into()
    }
}
