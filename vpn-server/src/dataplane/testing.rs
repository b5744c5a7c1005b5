//! What the unit tests of the data plane share: real sessions, packets and a policy.

#[expect(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/packets.rs"]
pub(super) mod packets;
#[expect(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/sessions.rs"]
pub(super) mod sessions;

use std::net::Ipv4Addr;

use crate::policy::{AuthorizationRule, Evaluation, Policy, RuleId, Ruleset, TunnelNetwork, TunnelNetworkV6};

/// A policy for 10.8.0.0/24 and fd00:8::/64 that routes and opens `networks`.
pub(super) fn policy(networks: &[&str]) -> Policy {
    let (network, server) = ("fd00:8::/64".parse().unwrap(), "fd00:8::1".parse().unwrap());
    let tunnel = TunnelNetwork {
        network: "10.8.0.0/24".parse().unwrap(),
        server: Ipv4Addr::new(10, 8, 0, 1),
        ipv6: Some(TunnelNetworkV6 { network, server }),
    };
    let routes: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
    let rules = routes
        .iter()
        .zip(0..)
        .map(|(&destination, id)| AuthorizationRule::for_everybody(RuleId(id), destination));
    Policy::compile(&Ruleset {
        tunnel,
        client_networks: vec![],
        rules: rules.collect(),
        routes,
        evaluation: Evaluation::default(),
        security: None,
    })
}
