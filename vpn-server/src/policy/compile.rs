//! From what an operator wrote to a table that answers in nanoseconds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::joint::map::JointPrefixMap;
use prefix_trie::joint::set::JointPrefixSet;

use super::audience::{Audience, Tags};
use super::security::{Direction, SecurityFilter, SecurityRule};
use super::service::{Service, ServiceRange};

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
    /// Which of several rules about a destination decide.
    pub evaluation: Evaluation,
    /// What security groups allow between clients and the networks behind the server; `None` if there are none.
    pub security: Option<Vec<SecurityRule>>,
}

/// Which of the rules whose networks contain a destination decide about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evaluation {
    /// Those with the longest prefix among all, whomever they are for; there is no falling back to shorter ones. So a rule
    /// for one machine and one group takes that machine out of what a wider rule opens to others.
    #[default]
    LongestPrefix,
    /// All of them: one that is for the session is enough.
    Additive,
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

/// Lets sessions reach services at `destination`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRule {
    /// Names the rule in verdicts and logs.
    pub id: RuleId,
    /// The addresses it opens.
    pub destination: IpNet,
    /// Whom it opens them to.
    pub audience: Audience,
    /// The services that it opens there.
    pub services: ServiceRange,
}

/// Names one authorization rule; chosen by the control side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// A compiled [`Ruleset`]: immutable, shared between workers, asked through [`Policy::decide`].
pub struct Policy {
    tunnel: TunnelNetwork,
    client_networks: JointPrefixSet<IpNet>,
    routes: JointPrefixSet<IpNet>,
    rules: JointPrefixMap<IpNet, Vec<Entry>>,
    evaluation: Evaluation,
    lets_clients_meet: bool,
    security: Option<SecurityFilter>,
}

/// A rule among those of one prefix.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: RuleId,
    pub(super) audience: Audience,
    pub(super) services: ServiceRange,
}

/// The way that packets for a destination take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the server itself, another client, or what is behind one.
    Inside,
    /// By the route to this network.
    Network(IpNet),
}

impl AuthorizationRule {
    /// A rule that opens all of `destination` to everybody.
    #[must_use]
    pub const fn for_everybody(id: RuleId, destination: IpNet) -> Self {
        Self { id, destination, audience: Audience::Everybody, services: ServiceRange::All }
    }
}

impl Policy {
    /// Compiles a rule set. Of several rules for one prefix the first listed that fits is the one that verdicts name.
    #[must_use]
    pub fn compile(ruleset: &Ruleset) -> Self {
        let mut rules: JointPrefixMap<IpNet, Vec<Entry>> = JointPrefixMap::new();
        for AuthorizationRule { id, destination, audience, services } in &ruleset.rules {
            let entry = Entry { id: *id, audience: audience.clone(), services: *services };
            rules.entry(destination.trunc()).or_default().push(entry);
        }
        let set = |networks: &[IpNet]| networks.iter().map(IpNet::trunc).collect();
        let policy = Self {
            tunnel: ruleset.tunnel,
            client_networks: set(&ruleset.client_networks),
            routes: set(&ruleset.routes),
            rules,
            evaluation: ruleset.evaluation,
            lets_clients_meet: false,
            security: ruleset.security.as_deref().map(SecurityFilter::compile),
        };
        let lets_clients_meet = ruleset.rules.iter().any(|rule| policy.is_about_clients(rule.destination));
        Self { lets_clients_meet, ..policy }
    }

    /// The network inside the tunnel that this policy was compiled for.
    #[must_use]
    pub const fn tunnel(&self) -> TunnelNetwork {
        self.tunnel
    }

    /// Whether there is a rule about clients. Such a rule may let one client call another that may not call it, but has to
    /// answer: somebody has to remember who called whom.
    #[must_use]
    pub const fn lets_clients_meet(&self) -> bool {
        self.lets_clients_meet
    }

    /// Whether who began decides about what answers, so that somebody has to remember it.
    #[must_use]
    pub const fn asks_who_began(&self) -> bool {
        self.lets_clients_meet || self.security.is_some()
    }

    /// Whether security groups have a say about packets between clients and `address`.
    #[must_use]
    pub fn is_guarded(&self, address: IpAddr) -> bool {
        self.security.is_some() && !self.is_inside(address)
    }

    /// Whether the security groups let a session begin with `service` at `address`, or `address` with `service` of a session.
    #[must_use]
    pub fn permits(&self, direction: Direction, address: IpAddr, service: Service) -> bool {
        self.permits_some(direction, address, Some(service))
    }

    pub(super) fn permits_some(
        &self,
        direction: Direction,
        address: IpAddr,
        service: Option<Service>,
    ) -> bool {
        let guard = self.security.as_ref().filter(|_| !self.is_inside(address));
        guard.is_none_or(|guard| guard.permits(direction, address, service))
    }

    /// Whether `address` can be at another client: inside, and not the server's.
    #[must_use]
    pub fn is_client(&self, address: IpAddr) -> bool {
        self.is_inside(address) && !self.tunnel.is_server(address)
    }

    /// The way to `destination`, if its packets are forwarded at all.
    pub(super) fn route_to(&self, destination: IpAddr) -> Option<Route> {
        if self.is_inside(destination) {
            return Some(Route::Inside);
        }
        self.routes.get_lpm(&IpNet::from(destination)).map(Route::Network)
    }

    pub(super) const fn evaluation(&self) -> Evaluation {
        self.evaluation
    }

    /// The rules with the longest prefix that contains `destination`, and that prefix.
    pub(super) fn closest_rules(&self, destination: IpAddr) -> Option<(IpNet, &[Entry])> {
        let (prefix, entries) = self.rules.get_lpm(&IpNet::from(destination))?;
        Some((prefix, entries))
    }

    /// All rules whose prefix contains `destination`, the shortest prefix first.
    pub(super) fn covering_rules(&self, destination: IpAddr) -> impl Iterator<Item = (IpNet, &[Entry])> {
        self.rules.cover(&IpNet::from(destination)).map(|(prefix, entries)| (prefix, entries.as_slice()))
    }

    /// Whether every address of `prefix` is a client's or behind one.
    pub(super) fn is_about_clients(&self, prefix: IpNet) -> bool {
        self.tunnel.contains_network(prefix) || self.client_networks.get_lpm(&prefix).is_some()
    }

    fn is_inside(&self, address: IpAddr) -> bool {
        self.tunnel.contains(address) || self.client_networks.get_lpm(&IpNet::from(address)).is_some()
    }
}

impl Entry {
    pub(super) fn includes(&self, tags: &Tags, service: Option<Service>) -> bool {
        self.audience.includes(tags) && service.is_none_or(|service| self.services.includes(service))
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
