//! Why a verdict is what it is: what `rule simulate` prints, by the code that judges packets.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::audience::Tags;
use super::compile::{Entry, Evaluation, Policy, Route, RuleId};
use super::decide::DenyReason;
use super::destination::effective;
use super::security::Direction;
use super::service::{Service, ServiceRange};

/// How a policy judges what one session asks for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The address that was judged: the one that was asked about, or the IPv4 address inside it.
    pub destination: IpAddr,
    /// The service that was asked about; without one, any that a rule opens counts.
    pub service: Option<Service>,
    /// The way there, if there is one.
    pub route: Option<Route>,
    /// The prefix of the rules that decide.
    pub prefix: Option<IpNet>,
    /// The rule that opens the destination, or the first check that fails.
    pub outcome: Result<RuleId, DenyReason>,
    /// The rules that were asked, in the order in which they were asked.
    pub considered: Vec<Considered>,
}

/// A rule that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The rule.
    pub rule: RuleId,
    /// Its prefix.
    pub prefix: IpNet,
    /// The services that it opens.
    pub services: ServiceRange,
    /// Why it does not open the destination to the session; `None` if it does.
    pub mismatch: Option<Mismatch>,
}

/// Why a rule does not open its destination to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It is for others.
    Audience,
    /// It is about other services.
    Service,
    /// The destination is another client, and the rule is about more than clients.
    ClientToClient,
}

impl Policy {
    /// Explains how a session with `tags` is judged when it sends to `destination`: to this service there, or to any.
    #[must_use]
    pub fn explain(&self, tags: &Tags, destination: IpAddr, service: Option<Service>) -> Explanation {
        let destination = effective(destination);
        let examination = self.examine(tags, destination, service);
        let considered = match examination.route {
            Some(_) => self.considered(tags, destination, service),
            None => Vec::new(),
        };
        Explanation {
            destination,
            service,
            route: examination.route,
            prefix: examination.prefix,
            outcome: match self.permits_some(Direction::Egress, destination, service) {
                true => examination.outcome,
                false => examination.outcome.and(Err(DenyReason::SecurityGroup)),
            },
            considered,
        }
    }

    fn considered(&self, tags: &Tags, destination: IpAddr, service: Option<Service>) -> Vec<Considered> {
        let asked: Vec<(IpNet, &[Entry])> = match self.evaluation() {
            Evaluation::LongestPrefix => self.closest_rules(destination).into_iter().collect(),
            Evaluation::Additive => self.covering_rules(destination).collect(),
        };
        let is_client = self.is_client(destination);
        let rules =
            asked.into_iter().rev().flat_map(|(prefix, rules)| rules.iter().map(move |rule| (prefix, rule)));
        rules
            .map(|(prefix, rule)| Considered {
                rule: rule.id,
                prefix,
                services: rule.services,
                mismatch: if is_client && !self.is_about_clients(prefix) {
                    Some(Mismatch::ClientToClient)
                } else {
                    rule.mismatch(tags, service)
                },
            })
            .collect()
    }
}

impl Entry {
    fn mismatch(&self, tags: &Tags, service: Option<Service>) -> Option<Mismatch> {
        match (self.audience.includes(tags), self.includes(tags, service)) {
            (_, true) => None,
            (false, false) => Some(Mismatch::Audience),
            (true, false) => Some(Mismatch::Service),
        }
    }
}

impl Explanation {
    /// Whether the destination is open to the session.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.outcome.is_ok()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Audience => "it is for others",
            Self::Service => "it is about other services",
            Self::ClientToClient => {
                "the destination is another client, and the rule is about more than clients"
            }
        })
    }
}

/// One line: the answer and its reason.
impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { destination, .. } = self;
        match (self.outcome, self.prefix) {
            (Ok(_), Some(prefix)) => write!(out, "{destination} is reachable: a rule for {prefix} opens it"),
            (Ok(_), None) => write!(out, "{destination} is reachable"),
            (Err(reason), prefix) => {
                write!(out, "{destination} is not reachable: {}", reason.in_words())?;
                prefix.map_or(Ok(()), |prefix| write!(out, " (rules for {prefix} decide)"))
            }
        }
    }
}

impl DenyReason {
    const fn in_words(self) -> &'static str {
        match self {
            Self::SourceNotAssigned => "the source is not the session's",
            Self::DestinationUnroutable => "it is no destination for packets of a tunnel",
            Self::NoRoute => "no route leads there",
            Self::NoRule => "no rule covers it",
            Self::NotAuthorized => "no rule that decides about it is for this session and service",
            Self::ClientToClient => "it is another client, and the rule is about more than clients",
            Self::SecurityGroup => "the security groups of the endpoint do not let it out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::audience::{Audience, Tag};
    use super::super::compile::{AuthorizationRule, Ruleset, TunnelNetwork};
    use super::super::service::{PROTOCOL_TCP, Port};
    use super::*;

    #[test]
    fn the_deciding_rule_its_prefix_and_the_route_are_named() {
        let policy = policy(Evaluation::LongestPrefix);
        let explained = policy.explain(&group("it"), address("10.7.0.9"), Some(tcp(22)));
        assert_eq!(explained.outcome, Ok(RuleId(1)));
        assert_eq!(explained.prefix, Some("10.7.0.0/24".parse().unwrap()));
        assert_eq!(explained.route, Some(Route::Network("10.0.0.0/8".parse().unwrap())));
        assert_eq!(explained.to_string(), "10.7.0.9 is reachable: a rule for 10.7.0.0/24 opens it");
        let mismatches: Vec<_> =
            explained.considered.iter().map(|asked| (asked.rule.0, asked.mismatch)).collect();
        assert_eq!(mismatches, [(1, None), (2, Some(Mismatch::Audience))]);
    }

    #[test]
    fn a_refusal_says_which_rules_decided_and_why_each_did_not_fit() {
        let policy = policy(Evaluation::LongestPrefix);
        let explained = policy.explain(&group("it"), address("10.7.0.9"), Some(tcp(80)));
        assert_eq!(explained.outcome, Err(DenyReason::NotAuthorized));
        let mismatches: Vec<_> = explained.considered.iter().map(|asked| asked.mismatch).collect();
        assert_eq!(mismatches, [Some(Mismatch::Service), Some(Mismatch::Audience)]);
        assert!(explained.to_string().ends_with("(rules for 10.7.0.0/24 decide)"), "{explained}");
        for (destination, reason) in [
            ("192.0.2.1", DenyReason::NoRoute),
            ("127.0.0.1", DenyReason::DestinationUnroutable),
            ("10.8.0.7", DenyReason::ClientToClient),
        ] {
            assert_eq!(
                policy.explain(&group("it"), address(destination), None).outcome,
                Err(reason),
                "{destination}"
            );
        }
    }

    #[test]
    fn without_a_port_any_service_counts() {
        let policy = policy(Evaluation::LongestPrefix);
        assert!(policy.explain(&group("it"), address("10.7.0.9"), None).is_allowed());
        assert!(!policy.explain(&group("sales"), address("10.7.0.9"), None).is_allowed());
    }

    #[test]
    fn security_groups_have_the_last_word() {
        let ruleset = Ruleset { security: Some(vec![]), ..ruleset(Evaluation::LongestPrefix) };
        let explained = Policy::compile(&ruleset).explain(&group("it"), address("10.7.0.9"), Some(tcp(22)));
        assert_eq!(explained.outcome, Err(DenyReason::SecurityGroup));
        assert_eq!(explained.prefix, Some("10.7.0.0/24".parse().unwrap()));
    }

    #[test]
    fn additive_policies_ask_all_rules_the_closest_first() {
        let policy = policy(Evaluation::Additive);
        let explained = policy.explain(&group("it"), address("10.7.0.9"), Some(tcp(80)));
        assert_eq!(
            (explained.outcome, explained.prefix),
            (Ok(RuleId(0)), Some("10.0.0.0/8".parse().unwrap()))
        );
        assert_eq!(explained.considered.iter().map(|asked| asked.rule.0).collect::<Vec<_>>(), [1, 2, 0]);
    }

    fn policy(evaluation: Evaluation) -> Policy {
        Policy::compile(&ruleset(evaluation))
    }

    fn ruleset(evaluation: Evaluation) -> Ruleset {
        let network = |text: &str| text.parse::<IpNet>().unwrap();
        let ssh = ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 22, last: 22 };
        let rule = |id, destination, audience, services| AuthorizationRule {
            id: RuleId(id),
            destination: network(destination),
            audience,
            services,
        };
        Ruleset {
            tunnel: TunnelNetwork {
                network: "10.8.0.0/24".parse().unwrap(),
                server: "10.8.0.1".parse().unwrap(),
                ipv6: None,
            },
            client_networks: vec![],
            routes: vec![network("10.0.0.0/8")],
            rules: vec![
                AuthorizationRule::for_everybody(RuleId(0), network("10.0.0.0/8")),
                rule(1, "10.7.0.0/24", Audience::AnyOf(group("it")), ssh),
                rule(2, "10.7.0.0/24", Audience::AnyOf(group("board")), ServiceRange::All),
            ],
            evaluation,
            security: None,
        }
    }

    fn group(name: &str) -> Tags {
        [Tag::group(name)].into_iter().collect()
    }

    fn tcp(port: u16) -> Service {
        Service { protocol: PROTOCOL_TCP, port: Port::Number(port) }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
}
