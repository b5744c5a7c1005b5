//! From the configuration of a server to the policy of its data plane, and from a verdict back to what was configured.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pki_core::time::Timestamp;

use crate::config::{AccessRule, ClientCidrs, InsideSettings, LiveSettings, Network};
use crate::dataplane::Tables;
use crate::policy::{
    AuthorizationRule, Explanation, Policy, RuleId, Ruleset, Service, Subject, TunnelNetwork, TunnelNetworkV6,
};

/// Where a rule of the policy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleOrigin {
    /// A network that everybody may reach (`authorize`).
    Authorized(Network),
    /// Clients may reach each other (`client-to-client`).
    ClientToClient(Network),
    /// A rule.
    Rule {
        /// Its number in the order of the configuration, from 0.
        number: usize,
        /// The rule.
        rule: AccessRule,
    },
}

/// The answer to what would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// How the policy judges.
    pub explanation: Explanation,
    /// The rule that decides, if one opens the destination.
    pub decided_by: Option<RuleOrigin>,
    /// The rules that were asked, in that order, as in the explanation.
    pub considered: Vec<RuleOrigin>,
}

/// A policy, and what is known about it beside.
pub(super) struct CompiledAccess {
    pub(super) policy: Policy,
    pub(super) record: AccessRecord,
}

/// What is known about the policy in force.
#[derive(Debug, Default)]
pub(super) struct AccessRecord {
    /// By number of the rule.
    origins: Vec<RuleOrigin>,
    next_expiry: Option<Timestamp>,
}

/// The record of the policy in force.
#[derive(Debug)]
pub(super) struct AccessDesk(Mutex<AccessRecord>);

impl CompiledAccess {
    /// Compiles what counts at that moment.
    pub(super) fn new(live: &LiveSettings, inside: &InsideSettings, now: Timestamp) -> Self {
        let origins = origins(live, inside, now);
        let rules = origins.iter().zip(0..).map(|(origin, id)| origin.to_rule(RuleId(id)));
        let policy = Policy::compile(&Ruleset {
            tunnel: tunnel_network(inside),
            client_networks: inside.client_networks.iter().map(|network| network.net()).collect(),
            routes: live.routes.iter().map(|route| route.network.net()).collect(),
            rules: rules.collect(),
            evaluation: live.access.evaluation,
            security: live.security.rules(inside),
        });
        Self { policy, record: AccessRecord { origins, next_expiry: live.access.next_expiry(now) } }
    }
}

fn origins(live: &LiveSettings, inside: &InsideSettings, now: Timestamp) -> Vec<RuleOrigin> {
    let inside = inside.client_cidrs.networks().chain(inside.client_networks.iter().copied());
    let authorized = live.authorized.iter().copied().map(RuleOrigin::Authorized);
    let between_clients = inside.filter(|_| live.client_to_client).map(RuleOrigin::ClientToClient);
    let rules =
        live.access.in_force(now).map(|(number, rule)| RuleOrigin::Rule { number, rule: rule.clone() });
    authorized.chain(between_clients).chain(rules).collect()
}

impl RuleOrigin {
    fn to_rule(&self, id: RuleId) -> AuthorizationRule {
        match self {
            Self::Authorized(network) | Self::ClientToClient(network) => {
                AuthorizationRule::for_everybody(id, network.net())
            }
            Self::Rule { rule, .. } => AuthorizationRule {
                id,
                destination: rule.destination.net(),
                audience: rule.audience(),
                services: rule.services,
            },
        }
    }
}

impl AccessDesk {
    pub(super) const fn new(record: AccessRecord) -> Self {
        Self(Mutex::new(record))
    }

    /// Puts another policy in force.
    pub(super) fn replace(&self, compiled: CompiledAccess, tables: &Tables) {
        let mut record = self.lock();
        tables.set_policy(compiled.policy);
        *record = compiled.record;
    }

    /// Whether a rule of the policy in force has expired by now.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.lock().next_expiry.is_some_and(|at| at <= now)
    }

    /// Answers by the policy in force.
    pub(super) fn simulate(
        &self,
        tables: &Tables,
        who: &Subject,
        destination: IpAddr,
        service: Option<Service>,
    ) -> Simulation {
        let record = self.lock();
        let explanation = tables.policy().explain(&who.tags(), destination, service);
        let origin = |RuleId(id): RuleId| record.origins.get(usize::try_from(id).ok()?).cloned();
        Simulation {
            decided_by: explanation.outcome.ok().and_then(origin),
            considered: explanation.considered.iter().filter_map(|asked| origin(asked.rule)).collect(),
            explanation,
        }
    }

    fn lock(&self) -> MutexGuard<'_, AccessRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tunnel_network(inside: &InsideSettings) -> TunnelNetwork {
    let ClientCidrs { v4, v6 } = inside.client_cidrs;
    let ipv6 = v6.map(|v6| TunnelNetworkV6 { network: v6.net(), server: v6.server_address() });
    TunnelNetwork { network: v4.net(), server: v4.server_address(), ipv6 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Options};
    use crate::policy::DenyReason;

    const RULES: &str = "route='10.7.0.0/24'\nauthorize='10.7.0.0/25'\nclient-to-client=true\n\
        [[rule]]\ndestination='10.7.0.9/32'\ngroup='it'\nexpires='2026-12-01T00:00:00Z'\ndescription='audit'\n\
        [[rule]]\ndestination='10.7.0.128/25'\ncommon-name='alice'\n";

    #[test]
    fn a_simulation_names_what_was_configured() {
        let (desk, tables) = desk("2026-11-20T00:00:00Z");
        let ask = |who: &Subject, to: &str| desk.simulate(&tables, who, to.parse().unwrap(), None);
        let everybody = ask(&Subject::default(), "10.7.0.1").decided_by;
        assert_eq!(everybody, Some(RuleOrigin::Authorized("10.7.0.0/25".parse().unwrap())));
        let Some(RuleOrigin::Rule { number: 0, rule }) = ask(&group("it"), "10.7.0.9").decided_by else {
            panic!("another rule");
        };
        assert_eq!(rule.description.as_deref(), Some("audit"));
        let refused = ask(&group("sales"), "10.7.0.9");
        assert_eq!(refused.explanation.outcome, Err(DenyReason::NotAuthorized));
        assert!(
            refused.decided_by.is_none()
                && matches!(refused.considered[..], [RuleOrigin::Rule { number: 0, .. }])
        );
        let alice = Subject { common_name: Some("alice".to_owned()), groups: vec![] };
        assert!(matches!(ask(&alice, "10.7.0.200").decided_by, Some(RuleOrigin::Rule { number: 1, .. })));
        assert!(matches!(ask(&alice, "10.8.0.9").decided_by, Some(RuleOrigin::ClientToClient(_))));
    }

    #[test]
    fn an_expired_rule_neither_opens_nor_takes_away() {
        let (desk, tables) = desk("2026-12-01T00:00:00Z");
        let simulation = desk.simulate(&tables, &group("sales"), "10.7.0.9".parse().unwrap(), None);
        assert!(matches!(simulation.decided_by, Some(RuleOrigin::Authorized(_))), "{simulation:?}");
    }

    #[test]
    fn the_moment_of_the_next_expiry_is_noticed() {
        let (desk, _) = desk("2026-11-20T00:00:00Z");
        assert!(!desk.has_expired(at("2026-11-30T23:59:59Z")));
        assert!(desk.has_expired(at("2026-12-01T00:00:00Z")));
    }

    fn desk(now: &str) -> (AccessDesk, Tables) {
        let text = format!("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n{RULES}");
        let config = Config::check(toml::from_str::<Options>(&text).unwrap()).unwrap();
        let compiled = CompiledAccess::new(&config.live, &config.inside, at(now));
        (AccessDesk::new(compiled.record), Tables::new(1, compiled.policy))
    }

    fn group(name: &str) -> Subject {
        Subject { common_name: None, groups: vec![name.to_owned()] }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_rfc3339(text).unwrap()
    }
}
