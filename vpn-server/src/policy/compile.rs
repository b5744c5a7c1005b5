//! From what an operator wrote to a table that answers in nanoseconds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::joint::map::JointPrefixMap;
use prefix_trie::joint::set::JointPrefixSet;

/// Everything a policy is made of, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// The networks the clients' addresses come from.
    pub tunnel: TunnelNetwork,
    /// Networks behind clients: part of the inside, as client addresses are.
    pub client_networks: Vec<IpNet>,
    /// Destinations that are forwarded at all; reaching one takes a rule as well.
    pub routes: Vec<IpNet>,
    /// Who may reach what.
    pub rules: Vec<AuthorizationRule>,
}

/// The network inside the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelNetwork {
    /// The client CIDR.
    pub network: Ipv4Net,
    /// The server's own address in it.
    pub server: Ipv4Addr,
    /// The same for IPv6; `None` where the tunnel carries IPv4 only.
    pub ipv6: Option<TunnelNetworkV6>,
}

/// The IPv6 network inside the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelNetworkV6 {
    /// The client CIDR.
    pub network: Ipv6Net,
    /// The server's own address in it.
    pub server: Ipv6Addr,
}

/// Lets every session reach `destination`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRule {
    /// Names the rule in verdicts and logs.
    pub id: RuleId,
    /// The addresses it opens.
    pub destination: IpNet,
}

/// Names one authorization rule; chosen by the control side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// A compiled [`Ruleset`]: immutable, shared between workers, asked through [`Policy::decide`].
pub struct Policy {
    tunnel: TunnelNetwork,
    client_networks: JointPrefixSet<IpNet>,
    routes: JointPrefixSet<IpNet>,
    rules: JointPrefixMap<IpNet, RuleId>,
}

impl Policy {
    /// Compiles a rule set. Of several rules for one prefix the first listed is the one that verdicts name.
    #[must_use]
    pub fn compile(ruleset: &Ruleset) -> Self {
        let mut rules = JointPrefixMap::new();
        for rule in ruleset.rules.iter().rev() {
            rules.insert(rule.destination.trunc(), rule.id);
        }
        let set = |networks: &[IpNet]| networks.iter().map(IpNet::trunc).collect();
        Self {
            tunnel: ruleset.tunnel,
            client_networks: set(&ruleset.client_networks),
            routes: set(&ruleset.routes),
            rules,
        }
    }

    /// The network inside the tunnel that this policy was compiled for.
    #[must_use]
    pub const fn tunnel(&self) -> TunnelNetwork {
        self.tunnel
    }

    /// Whether `address` can be at another client: inside, and not the server's.
    pub(super) fn is_client(&self, address: IpAddr) -> bool {
        self.is_inside(address) && !self.tunnel.is_server(address)
    }

    /// Whether packets for `destination` are forwarded at all.
    pub(super) fn is_routed(&self, destination: IpAddr) -> bool {
        self.is_inside(destination) || self.routes.get_lpm(&IpNet::from(destination)).is_some()
    }

    /// The rule with the longest prefix that contains `destination`, and that prefix.
    pub(super) fn deciding_rule(&self, destination: IpAddr) -> Option<(IpNet, RuleId)> {
        let (prefix, rule) = self.rules.get_lpm(&IpNet::from(destination))?;
        Some((prefix, *rule))
    }

    /// Whether every address of `prefix` is a client's or behind one.
    pub(super) fn is_about_clients(&self, prefix: IpNet) -> bool {
        self.tunnel.contains_network(prefix) || self.client_networks.get_lpm(&prefix).is_some()
    }

    fn is_inside(&self, address: IpAddr) -> bool {
        self.tunnel.contains(address) || self.client_networks.get_lpm(&IpNet::from(address)).is_some()
    }
}

impl TunnelNetwork {
    /// Whether `address` is in one of the two networks.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.network.contains(&v4),
            IpAddr::V6(v6) => self.ipv6.is_some_and(|ipv6| ipv6.network.contains(&v6)),
        }
    }

    fn contains_network(&self, prefix: IpNet) -> bool {
        match prefix {
            IpNet::V4(v4) => self.network.contains(&v4),
            IpNet::V6(v6) => self.ipv6.is_some_and(|ipv6| ipv6.network.contains(&v6)),
        }
    }

    fn is_server(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => v4 == self.server,
            IpAddr::V6(v6) => self.ipv6.is_some_and(|ipv6| ipv6.server == v6),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Policy")
            .field("tunnel", &self.tunnel)
            .field("client_networks", &self.client_networks.iter().count())
            .field("routes", &self.routes.iter().count())
            .field("rules", &self.rules.iter().count())
            .finish()
    }
}
