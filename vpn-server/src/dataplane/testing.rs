//! What the unit tests of the data plane share: real sessions, packets and a policy.

#[expect(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/packets.rs"]
pub(super) mod packets;
#[expect(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/sessions.rs"]
pub(super) mod sessions;

use std::net::Ipv4Addr;

use crate::policy::{AuthorizationRule, Policy, RuleId, Ruleset, TunnelNetwork};

/// A policy for 10.8.0.0/24 that routes and opens `networks`.
pub(super) fn policy(networks: &[&str]) -> Policy {
    let tunnel =
        TunnelNetwork { network: "10.8.0.0/24".parse().unwrap(), server: Ipv4Addr::new(10, 8, 0, 1) };
    let routes: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
    let rules =
        routes.iter().zip(0..).map(|(&destination, id)| AuthorizationRule { id: RuleId(id), destination });
    Policy::compile(&Ruleset { tunnel, rules: rules.collect(), routes })
}
