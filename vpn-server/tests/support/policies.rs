//! A policy as simple as can be.
//!
//! Unit tests of the crate include this as well as tests that see it from outside: whoever does has its module `policy`
//! in scope.

use std::net::Ipv4Addr;

use super::policy::{AuthorizationRule, Evaluation, Policy, RuleId, Ruleset, TunnelNetwork, TunnelNetworkV6};

/// A policy for the tunnel networks 10.8.0.0/24 and fd00:8::/64, with 10.20.0.0/16 behind clients, that routes and opens
/// `networks`.
pub(crate) fn policy(networks: &[&str]) -> Policy {
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
        client_networks: vec!["10.20.0.0/16".parse().unwrap()],
        rules: rules.collect(),
        routes,
        evaluation: Evaluation::default(),
        security: None,
    })
}
