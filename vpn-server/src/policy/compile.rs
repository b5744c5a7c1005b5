//! From what an operator wrote to a table that answers in nanoseconds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use prefix_trie::joint::map::JointPrefixMap;
use prefix_trie::joint::set::JointPrefixSet;

/// Everything a policy is made of, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// The network the clients' addresses come from.
    pub tunnel: TunnelNetwork,
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
        Self { tunnel: ruleset.tunnel, routes: ruleset.routes.iter().map(IpNet::trunc).collect(), rules }
    }

    /// The network inside the tunnel that this policy was compiled for.
    #[must_use]
    pub const fn tunnel(&self) -> TunnelNetwork {
        self.tunnel
    }

    /// Whether `address` can be another client: in the tunnel network and not the server.
    pub(super) fn is_client(&self, address: IpAddr) -> bool {
        self.is_in_tunnel(address) && address != IpAddr::V4(self.tunnel.server)
    }

    /// Whether packets for `destination` are forwarded at all.
    pub(super) fn is_routed(&self, destination: IpAddr) -> bool {
        self.is_in_tunnel(destination) || self.routes.get_lpm(&IpNet::from(destination)).is_some()
    }

    /// The rule with the longest prefix that contains `destination`, and that prefix.
    pub(super) fn deciding_rule(&self, destination: IpAddr) -> Option<(IpNet, RuleId)> {
        let (prefix, rule) = self.rules.get_lpm(&IpNet::from(destination))?;
        Some((prefix, *rule))
    }

    /// Whether every address of `prefix` is in the tunnel network.
    pub(super) fn is_about_tunnel(&self, prefix: IpNet) -> bool {
        matches!(prefix, IpNet::V4(v4) if self.tunnel.network.contains(&v4))
    }

    fn is_in_tunnel(&self, address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(v4) if self.tunnel.network.contains(&v4))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Policy")
            .field("tunnel", &self.tunnel)
            .field("routes", &self.routes.iter().count())
            .field("rules", &self.rules.iter().count())
            .finish()
    }
}
