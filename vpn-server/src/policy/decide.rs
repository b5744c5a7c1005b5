//! The verdict on one packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::audience::Tags;
use super::compile::{Entry, Evaluation, Policy, Route, RuleId};
use super::destination::{effective, is_unroutable};
use super::service::Service;

/// What a policy knows of the session that a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal<'s> {
    /// The tunnel address that was assigned to it.
    pub address: Ipv4Addr,
    /// The IPv6 tunnel address that was assigned to it, if the tunnel carries IPv6.
    pub address_v6: Option<Ipv6Addr>,
    /// The network behind it that the packet at hand comes from, if it comes from one.
    pub network: Option<IpNet>,
    /// Who it is, as far as rules ask.
    pub tags: &'s Tags,
}

/// A policy's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The packet may pass.
    Allow {
        /// The rule that says so.
        rule: RuleId,
    },
    /// The packet must be dropped.
    Deny {
        /// The first check it failed.
        reason: DenyReason,
    },
}

/// Why a packet may not pass, in the order in which the checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenyReason {
    /// The inner source is neither an address that was assigned to the session nor behind it.
    SourceNotAssigned,
    /// The destination is multicast, broadcast, loopback, link-local or reserved.
    DestinationUnroutable,
    /// No route leads to the destination.
    NoRoute,
    /// No rule covers the destination.
    NoRule,
    /// The rules that decide about the destination are for others, or for other services.
    NotAuthorized,
    /// The destination is another client or behind one, and the deciding rule is not about clients.
    ClientToClient,
    /// The security groups of the endpoint do not allow it.
    SecurityGroup,
}

impl Principal<'_> {
    /// Whether packets from `source` are this session's.
    fn owns(&self, source: IpAddr) -> bool {
        let is_assigned = match source {
            IpAddr::V4(v4) => v4 == self.address,
            IpAddr::V6(v6) => Some(v6) == self.address_v6,
        };
        is_assigned || self.network.is_some_and(|network| network.contains(&source))
    }
}

impl DenyReason {
    /// Stable kebab-case code for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::SourceNotAssigned => "source-not-assigned",
            Self::DestinationUnroutable => "destination-unroutable",
            Self::NoRoute => "no-route",
            Self::NoRule => "no-rule",
            Self::NotAuthorized => "not-authorized",
            Self::ClientToClient => "client-to-client",
            Self::SecurityGroup => "security-group",
        }
    }
}

impl Verdict {
    /// Whether the packet may pass.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}

/// How a verdict came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Examination {
    /// The way to the destination, once it was looked for.
    pub(super) route: Option<Route>,
    /// The prefix of the rules that decided.
    pub(super) prefix: Option<IpNet>,
    pub(super) outcome: Result<RuleId, DenyReason>,
}

impl Policy {
    /// Judges a packet from `source` to `service` at `destination` that arrived through the tunnel of `principal`.
    #[must_use]
    pub fn decide(
        &self,
        principal: Principal<'_>,
        source: IpAddr,
        destination: IpAddr,
        service: Service,
    ) -> Verdict {
        if !principal.owns(source) {
            return Verdict::Deny { reason: DenyReason::SourceNotAssigned };
        }
        self.judge(principal.tags, destination, service)
    }

    /// Judges a packet on its way to a session with `tags`, sent by `service` at `remote`: the port is the sender's.
    ///
    /// A remote may send to a session exactly if the session may send to it. So return traffic passes without any
    /// connection state, networks that are not authorized cannot reach clients,
    /// and a rule that is taken away ends existing flows in both directions (threat model ACL-05).
    #[must_use]
    pub fn decide_return(&self, tags: &Tags, remote: IpAddr, service: Service) -> Verdict {
        self.judge(tags, remote, service)
    }

    /// Whether a session with `tags` may send to `service` at `destination`.
    #[must_use]
    pub fn judge(&self, tags: &Tags, destination: IpAddr, service: Service) -> Verdict {
        match self.examine(tags, effective(destination), Some(service)).outcome {
            Ok(rule) => Verdict::Allow { rule },
            Err(reason) => Verdict::Deny { reason },
        }
    }

    /// Without a service, a rule for any of them is enough.
    pub(super) fn examine(&self, tags: &Tags, destination: IpAddr, service: Option<Service>) -> Examination {
        let denied = |reason| Examination { route: None, prefix: None, outcome: Err(reason) };
        if is_unroutable(destination, &self.tunnel()) {
            return denied(DenyReason::DestinationUnroutable);
        }
        let Some(route) = self.route_to(destination) else {
            return denied(DenyReason::NoRoute);
        };
        let (prefix, outcome) = match self.evaluation() {
            Evaluation::LongestPrefix => self.ask_closest_rules(tags, destination, service),
            Evaluation::Additive => self.ask_all_rules(tags, destination, service),
        };
        Examination { route: Some(route), prefix, outcome }
    }

    fn ask_closest_rules(
        &self,
        tags: &Tags,
        destination: IpAddr,
        service: Option<Service>,
    ) -> (Option<IpNet>, Result<RuleId, DenyReason>) {
        let Some((prefix, rules)) = self.closest_rules(destination) else {
            return (None, Err(DenyReason::NoRule));
        };
        if self.is_client(destination) && !self.is_about_clients(prefix) {
            return (Some(prefix), Err(DenyReason::ClientToClient));
        }
        (Some(prefix), first_fitting(rules, tags, service).ok_or(DenyReason::NotAuthorized))
    }

    /// The longest prefix is named that opens the destination, or else that covers it.
    fn ask_all_rules(
        &self,
        tags: &Tags,
        destination: IpAddr,
        service: Option<Service>,
    ) -> (Option<IpNet>, Result<RuleId, DenyReason>) {
        let is_client = self.is_client(destination);
        let mut best = (None, Err(DenyReason::NoRule));
        for (prefix, rules) in self.covering_rules(destination) {
            let found = if is_client && !self.is_about_clients(prefix) {
                Err(DenyReason::ClientToClient)
            } else {
                first_fitting(rules, tags, service).ok_or(DenyReason::NotAuthorized)
            };
            if found.is_ok() || best.1.is_err() {
                best = (Some(prefix), found);
            }
        }
        best
    }
}

fn first_fitting(rules: &[Entry], tags: &Tags, service: Option<Service>) -> Option<RuleId> {
    rules.iter().find(|rule| rule.includes(tags, service)).map(|rule| rule.id)
}

#[cfg(test)]
mod tests {
    use ipnet::{IpNet, Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::super::audience::{Audience, Tag};
    use super::super::compile::{AuthorizationRule, Ruleset, TunnelNetwork, TunnelNetworkV6};
    use super::super::service::{PROTOCOL_TCP, PROTOCOL_UDP, Port, ServiceRange};
    use super::*;

    /// Routes, rules, a destination, and the number of the rule that opens it or why none does.
    type Case = (&'static [&'static str], &'static [&'static str], &'static str, Result<u32, DenyReason>);

    const CLIENT: &str = "10.8.0.2";
    const HTTPS: Service = Service { protocol: PROTOCOL_TCP, port: Port::Number(443) };
    static NOBODY: std::sync::LazyLock<Tags> = std::sync::LazyLock::new(Tags::default);

    #[test]
    fn verdicts_follow_the_documented_order() {
        let cases: &[Case] = &[
            // Default deny: a route without a rule, a rule without a route, nothing at all.
            (&[], &[], "192.168.1.1", Err(DenyReason::NoRoute)),
            (&["192.168.0.0/16"], &[], "192.168.1.1", Err(DenyReason::NoRule)),
            (&[], &["192.168.0.0/16"], "192.168.1.1", Err(DenyReason::NoRoute)),
            (&["192.168.0.0/16"], &["192.168.0.0/16"], "192.168.1.1", Ok(0)),
            (&["192.168.0.0/16"], &["192.168.1.0/24"], "192.168.2.1", Err(DenyReason::NoRule)),
            // The longest prefix decides, wherever it stands in the list.
            (&["0.0.0.0/0"], &["0.0.0.0/0", "192.168.1.0/24", "192.168.1.1/32"], "192.168.1.1", Ok(2)),
            (&["0.0.0.0/0"], &["192.168.1.1/32", "0.0.0.0/0", "192.168.1.0/24"], "192.168.1.2", Ok(2)),
            (&["0.0.0.0/0"], &["192.168.1.1/32", "0.0.0.0/0", "192.168.1.0/24"], "8.8.8.8", Ok(1)),
            (&["10.0.0.0/8"], &["10.1.0.0/16", "10.1.0.0/16"], "10.1.2.3", Ok(0)),
            // Host bits in a rule or route do not matter.
            (&["192.168.7.9/16"], &["192.168.200.1/16"], "192.168.1.1", Ok(0)),
            // Destinations that no rule can open.
            (&["0.0.0.0/0"], &["0.0.0.0/0"], "224.0.0.251", Err(DenyReason::DestinationUnroutable)),
            (&["0.0.0.0/0"], &["0.0.0.0/0"], "255.255.255.255", Err(DenyReason::DestinationUnroutable)),
            (&["0.0.0.0/0"], &["127.0.0.0/8"], "127.0.0.1", Err(DenyReason::DestinationUnroutable)),
            (&["0.0.0.0/0"], &["10.8.0.0/24"], "10.8.0.255", Err(DenyReason::DestinationUnroutable)),
        ];
        for (routes, rules, destination, expected) in cases {
            let policy = policy(routes, rules);
            assert_eq!(outcome(&policy, destination), *expected, "{routes:?} {rules:?} {destination}");
        }
    }

    #[test]
    fn acl_02_the_inner_source_must_be_the_assigned_address_before_anything_else_is_asked() {
        let policy = policy(&["0.0.0.0/0", "::/0"], &["0.0.0.0/0", "::/0", "10.8.0.0/24"]);
        for source in [
            "10.8.0.3",
            "10.8.0.1",
            "192.168.1.1",
            "0.0.0.0",
            "224.0.0.1",
            "::ffff:10.8.0.2",
            "fd00::1",
            "fd00:8::1",
            "fd00:8::1001",
            "fe80::1",
            "::",
        ] {
            let verdict = policy.decide(principal(), parse(source), parse("127.0.0.1"), HTTPS);
            assert_eq!(verdict, Verdict::Deny { reason: DenyReason::SourceNotAssigned }, "{source}");
        }
    }

    #[test]
    fn acl_02_a_session_without_an_ipv6_address_has_no_ipv6_source() {
        let policy = policy(&["::/0"], &["::/0"]);
        let without = Principal { address_v6: None, ..principal() };
        let (assigned, destination) = (parse("fd00:8::1000"), parse("2001:db8::1"));
        assert!(policy.decide(principal(), assigned, destination, HTTPS).is_allowed());
        assert!(!policy.decide(without, assigned, destination, HTTPS).is_allowed());
    }

    #[test]
    fn acl_02_a_source_behind_the_session_is_its_own() {
        let policy = policy(&["192.168.0.0/16"], &["192.168.0.0/16"]);
        let behind = Principal { network: Some("10.20.0.0/16".parse().unwrap()), ..principal() };
        let target = parse("192.168.1.1");
        assert!(policy.decide(behind, parse("10.20.3.4"), target, HTTPS).is_allowed());
        assert!(!policy.decide(behind, parse("10.21.0.1"), target, HTTPS).is_allowed());
        assert!(!policy.decide(principal(), parse("10.20.3.4"), target, HTTPS).is_allowed());
    }

    #[test]
    fn acl_04_what_is_behind_a_client_is_reached_only_by_a_rule_about_it() {
        for (rules, expected) in [
            (&["0.0.0.0/0"][..], Err(DenyReason::ClientToClient)),
            (&["10.20.0.0/15"][..], Err(DenyReason::ClientToClient)),
            (&["10.20.0.0/16"][..], Ok(0)),
            (&["10.20.7.0/24"][..], Ok(0)),
            (&["10.8.0.0/24"][..], Err(DenyReason::NoRule)),
        ] {
            let rules: Vec<IpNet> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
            let client_networks = vec!["10.20.0.0/16".parse().unwrap()];
            let policy = Policy::compile(&Ruleset { client_networks, ..ruleset(vec![], rules.clone()) });
            assert_eq!(outcome(&policy, "10.20.7.1"), expected, "{rules:?}");
        }
    }

    #[test]
    fn acl_03_ipv6_is_denied_by_default_and_opened_by_prefix() {
        let cases: &[Case] = &[
            (&[], &[], "2001:db8::1", Err(DenyReason::NoRoute)),
            (&["2001:db8::/32"], &[], "2001:db8::1", Err(DenyReason::NoRule)),
            (&["2001:db8::/32"], &["0.0.0.0/0"], "2001:db8::1", Err(DenyReason::NoRule)),
            (&["0.0.0.0/0"], &["::/0"], "2001:db8::1", Err(DenyReason::NoRoute)),
            (&["::/0"], &["::/0", "2001:db8:7::/48"], "2001:db8:7::1", Ok(1)),
            (&["::/0"], &["::/0"], "fd00:8::1001", Err(DenyReason::ClientToClient)),
            (&[], &["fd00:8::/64"], "fd00:8::1001", Ok(0)),
            (&[], &["fd00::/16"], "fd00:8::1", Ok(0)),
            (&["::/0"], &["::/0"], "fd00:8::", Err(DenyReason::DestinationUnroutable)),
            (&["::/0"], &["::/0"], "fe80::1", Err(DenyReason::DestinationUnroutable)),
            (&["::/0"], &["::/0"], "ff02::1", Err(DenyReason::DestinationUnroutable)),
        ];
        for (routes, rules, destination, expected) in cases {
            let policy = policy(routes, rules);
            assert_eq!(outcome(&policy, destination), *expected, "{routes:?} {rules:?} {destination}");
        }
    }

    #[test]
    fn acl_03_embedded_ipv4_destinations_do_not_bypass_ipv4_rules() {
        let policy = policy(&["0.0.0.0/0", "::/0"], &["::/0", "192.168.0.0/16"]);
        assert_eq!(outcome(&policy, "::ffff:10.1.1.1"), Err(DenyReason::NoRule));
        assert_eq!(outcome(&policy, "2002:7f00:0001::1"), Err(DenyReason::DestinationUnroutable));
        assert_eq!(outcome(&policy, "::ffff:192.168.1.1"), Ok(1));
        assert_eq!(outcome(&policy, "2001:db8::1"), Ok(0));
    }

    #[test]
    fn acl_04_other_clients_are_reached_only_by_a_rule_about_the_tunnel_network() {
        for (rules, expected) in [
            (&[][..], Err(DenyReason::NoRule)),
            (&["0.0.0.0/0"][..], Err(DenyReason::ClientToClient)),
            (&["10.0.0.0/8"][..], Err(DenyReason::ClientToClient)),
            (&["0.0.0.0/0", "10.8.0.0/24"][..], Ok(1)),
            (&["10.8.0.0/25"][..], Ok(0)),
            (&["10.8.0.9/32"][..], Ok(0)),
            (&["10.8.0.8/32"][..], Err(DenyReason::NoRule)),
        ] {
            let policy = policy(&["0.0.0.0/0"], rules);
            assert_eq!(outcome(&policy, "10.8.0.9"), expected, "{rules:?}");
        }
    }

    #[test]
    fn acl_04_the_server_answers_in_the_tunnel_only_if_a_rule_covers_its_address() {
        assert_eq!(outcome(&policy(&[], &[]), "10.8.0.1"), Err(DenyReason::NoRule));
        assert_eq!(
            outcome(&policy(&["0.0.0.0/0"], &["192.168.0.0/16"]), "10.8.0.1"),
            Err(DenyReason::NoRule)
        );
        assert_eq!(outcome(&policy(&[], &["10.8.0.1/32"]), "10.8.0.1"), Ok(0));
        assert_eq!(outcome(&policy(&[], &["10.8.0.0/24"]), "10.8.0.1"), Ok(0));
        assert_eq!(outcome(&policy(&[], &["10.0.0.0/8"]), "10.8.0.1"), Ok(0));
    }

    #[test]
    fn acl_05_a_rule_that_is_gone_ends_both_directions() {
        let before = policy(&["192.168.0.0/16"], &["192.168.1.0/24"]);
        let after = policy(&["192.168.0.0/16"], &[]);
        assert!(before.decide_return(&NOBODY, parse("192.168.1.1"), HTTPS).is_allowed());
        assert!(!after.decide_return(&NOBODY, parse("192.168.1.1"), HTTPS).is_allowed());
        assert!(!before.decide_return(&NOBODY, parse("192.168.2.1"), HTTPS).is_allowed());
        assert!(!before.decide_return(&NOBODY, parse("10.8.0.9"), HTTPS).is_allowed());
    }

    proptest! {
        #[test]
        fn acl_03_the_table_agrees_with_a_linear_scan(
            routes in prop::collection::vec(network(), 0..12),
            rules in prop::collection::vec((network(), audience(), services()), 0..12),
            client_networks in prop::collection::vec(network(), 0..3),
            groups in prop::collection::vec(0..3_usize, 0..3),
            additive in any::<bool>(),
            destination in destination(),
        ) {
            let rules = rules.into_iter().zip(0..).map(|((destination, audience, services), id)| {
                AuthorizationRule { id: RuleId(id), destination, audience, services }
            });
            let evaluation = if additive { Evaluation::Additive } else { Evaluation::LongestPrefix };
            let ruleset =
                Ruleset { client_networks, rules: rules.collect(), evaluation, ..ruleset(routes, vec![]) };
            let tags: Tags = groups.into_iter().map(group).collect();
            let principal = Principal { tags: &tags, ..principal() };
            let policy = Policy::compile(&ruleset);
            let verdict = policy.decide(principal, parse(CLIENT), destination, HTTPS);
            prop_assert_eq!(verdict, reference(&ruleset, &tags, destination));
            let explained = policy.explain(&tags, destination, Some(HTTPS));
            prop_assert_eq!(explained.is_allowed(), verdict.is_allowed());
            let fits = explained.considered.iter().filter(|rule| rule.mismatch.is_none());
            prop_assert_eq!(fits.map(|rule| rule.rule).next(), explained.outcome.ok());
        }
    }

    /// The specification, word for word and slow.
    fn reference(ruleset: &Ruleset, tags: &Tags, destination: IpAddr) -> Verdict {
        let deny = |reason| Verdict::Deny { reason };
        let destination = effective(destination);
        let TunnelNetwork { network, server, ipv6 } = ruleset.tunnel;
        let ipv6 = ipv6.unwrap();
        let mut inside = vec![IpNet::V4(network), IpNet::V6(ipv6.network)];
        inside.extend(&ruleset.client_networks);
        let is_inside = inside.iter().any(|network| network.contains(&destination));
        if is_unroutable(destination, &ruleset.tunnel) {
            return deny(DenyReason::DestinationUnroutable);
        }
        if !is_inside && !ruleset.routes.iter().any(|route| route.contains(&destination)) {
            return deny(DenyReason::NoRoute);
        }
        let is_server = destination == IpAddr::V4(server) || destination == IpAddr::V6(ipv6.server);
        let is_client = is_inside && !is_server;
        let is_barred = |rule: &AuthorizationRule| {
            is_client && !inside.iter().any(|network| network.contains(&rule.destination))
        };
        let fits = |rule: &AuthorizationRule| {
            !is_barred(rule) && rule.audience.includes(tags) && rule.services.includes(HTTPS)
        };
        let mut asked: Vec<_> =
            ruleset.rules.iter().filter(|rule| rule.destination.contains(&destination)).collect();
        asked.sort_by_key(|rule| std::cmp::Reverse(rule.destination.prefix_len()));
        let Some(longest) = asked.first().map(|rule| rule.destination.prefix_len()) else {
            return deny(DenyReason::NoRule);
        };
        let closest = asked.clone();
        if ruleset.evaluation == Evaluation::LongestPrefix {
            asked.retain(|rule| rule.destination.prefix_len() == longest);
        }
        match asked.iter().find(|rule| fits(rule)) {
            Some(rule) => Verdict::Allow { rule: rule.id },
            None if is_barred(closest[0]) => deny(DenyReason::ClientToClient),
            None => deny(DenyReason::NotAuthorized),
        }
    }

    fn audience() -> impl Strategy<Value = Audience> {
        let groups = prop::collection::vec(0..3_usize, 0..3);
        prop_oneof![
            Just(Audience::Everybody),
            groups.prop_map(|groups| Audience::AnyOf(groups.into_iter().map(group).collect())),
        ]
    }

    fn services() -> impl Strategy<Value = ServiceRange> {
        prop_oneof![
            2 => Just(ServiceRange::All),
            1 => Just(ServiceRange::Protocol(PROTOCOL_UDP)),
            1 => Just(ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 400, last: 500 }),
            1 => Just(ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 1, last: 442 }),
        ]
    }

    fn group(number: usize) -> Tag {
        Tag::group(["it", "sales", "board"][number])
    }

    /// Networks that nest and overlap: few distinct high bits, any prefix length.
    fn network() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            4 => (address_v4(), 0..=32_u8).prop_map(|(address, prefix)| Ipv4Net::new(address, prefix).unwrap().into()),
            1 => (address_v6(), 0..=128_u8).prop_map(|(address, prefix)| Ipv6Net::new(address, prefix).unwrap().into()),
        ]
    }

    fn destination() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            4 => address_v4().prop_map(IpAddr::V4),
            1 => address_v6().prop_map(IpAddr::V6),
            1 => any::<u32>().prop_map(|address| IpAddr::V4(Ipv4Addr::from(address))),
        ]
    }

    fn address_v4() -> impl Strategy<Value = Ipv4Addr> {
        let first = prop_oneof![Just(10_u8), Just(192), Just(127), Just(224)];
        let second = prop_oneof![Just(8_u8), Just(168), Just(0)];
        (first, second, 0..=1_u8, any::<u8>()).prop_map(|(a, b, c, d)| Ipv4Addr::new(a, b, c, d))
    }

    fn address_v6() -> impl Strategy<Value = Ipv6Addr> {
        let prefix = prop_oneof![
            Just(0x2001_0db8_u128),
            Just(0x2002_0a08),
            Just(0x2001_0000),
            Just(0xfd00_0008),
            Just(0)
        ];
        (prefix, 0..=3_u128).prop_map(|(prefix, rest)| Ipv6Addr::from(prefix << 96 | rest))
    }

    fn outcome(policy: &Policy, destination: &str) -> Result<u32, DenyReason> {
        match policy.decide(principal(), parse(CLIENT), parse(destination), HTTPS) {
            Verdict::Allow { rule: RuleId(number) } => Ok(number),
            Verdict::Deny { reason } => Err(reason),
        }
    }

    fn policy(routes: &[&str], rules: &[&str]) -> Policy {
        let parse = |network: &&str| network.parse().unwrap();
        Policy::compile(&ruleset(routes.iter().map(parse).collect(), rules.iter().map(parse).collect()))
    }

    fn ruleset(routes: Vec<IpNet>, destinations: Vec<IpNet>) -> Ruleset {
        let (network, server) = ("fd00:8::/64".parse().unwrap(), "fd00:8::1".parse().unwrap());
        let tunnel = TunnelNetwork {
            network: "10.8.0.0/24".parse().unwrap(),
            server: Ipv4Addr::new(10, 8, 0, 1),
            ipv6: Some(TunnelNetworkV6 { network, server }),
        };
        let numbered = destinations.into_iter().zip(0..);
        let rules = numbered
            .map(|(destination, id)| AuthorizationRule::for_everybody(RuleId(id), destination))
            .collect();
        Ruleset {
            tunnel,
            client_networks: vec![],
            routes,
            rules,
            evaluation: Evaluation::default(),
            security: None,
        }
    }

    fn principal() -> Principal<'static> {
        Principal {
            address: CLIENT.parse().unwrap(),
            address_v6: Some("fd00:8::1000".parse().unwrap()),
            network: None,
            tags: &NOBODY,
        }
    }

    fn parse(address: &str) -> IpAddr {
        address.parse().unwrap()
    }
}
