//! Where packets may go: routes, rules, groups, and what answers to what was allowed.

use std::net::Ipv4Addr;

use vpn_server::dataplane::counters::DropReason;
use vpn_server::policy::{
    Audience, AuthorizationRule, Direction, Evaluation, PROTOCOL_UDP, Policy, RuleId, Ruleset, SecurityRule,
    ServiceRange, Tag, TunnelNetwork, TunnelNetworkV6,
};

use crate::packets::{echo, icmp, icmp_v6, ipv4, ipv6, syn, udp, udp_v6};
use crate::policies::policy;
use crate::world::{ALICE, ALICE_V6, BOB, BOB_V6, SERVER, SERVER_V6, TARGET, TARGET_V6, World, fragment};

#[test]
fn acl_03_later_fragments_follow_the_rules_of_their_addresses() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let denied = Ipv4Addr::new(172, 16, 0, 1);
    for field in [0x2000_u16, 0x2003, 0x0003] {
        let allowed = fragment(ALICE, TARGET, field);
        assert_eq!(world.client_sends(&alice, &allowed), Ok(allowed), "{field:#x}");
        assert_eq!(
            world.client_sends(&alice, &fragment(ALICE, denied, field)),
            Err(DropReason::NoRoute),
            "{field:#x}"
        );
    }
    assert_eq!(world.client_sends(&alice, &fragment(ALICE, TARGET, 0x0001)), Err(DropReason::TinyFragment));
}

#[test]
fn acl_03_ipv6_follows_routes_and_rules_of_its_own() {
    let mut world = World::new(&["0.0.0.0/0", "fd07::/64"]);
    let alice = world.join_dual(ALICE);
    let routing = ipv6(ALICE_V6, TARGET_V6, 43, &[&[17, 2, 0, 1][..], &[0; 20], &[0; 8]].concat());
    let mobility = ipv6(ALICE_V6, TARGET_V6, 135, &[17, 0, 0, 0, 0, 0, 0, 0]);
    let later = ipv6(ALICE_V6, TARGET_V6, 44, &[&[6, 0, 0, 9, 0, 0, 0, 1], &[0; 16][..]].concat());
    let to = |address: &str| udp_v6(ALICE_V6, address.parse().unwrap(), b"x");
    for (packet, reason) in [
        (to("2001:db8::1"), DropReason::NoRoute),
        (to("fd07:0:0:1::1"), DropReason::NoRoute),
        (to("fd00:8::1"), DropReason::NoRule),
        (to("ff0e::1"), DropReason::Ipv6LinkChatter),
        (to("fe80::1"), DropReason::DestinationUnroutable),
        (to("::1"), DropReason::DestinationUnroutable),
        (to("2002:7f00:1::1"), DropReason::DestinationUnroutable),
        (routing, DropReason::SourceRouted),
        (mobility, DropReason::ExtensionHeader),
        (later, DropReason::TinyFragment),
        (to("fd07::9")[..47].to_vec(), DropReason::Malformed),
    ] {
        assert_eq!(world.client_sends(&alice, &packet), Err(reason), "{packet:02x?}");
    }
}

#[test]
fn acl_04_clients_reach_each_other_only_by_a_rule_about_the_tunnel_network() {
    for (rules, expected) in
        [(&["0.0.0.0/0"][..], Err(DropReason::ClientToClient)), (&["0.0.0.0/0", "10.8.0.0/24"][..], Ok(()))]
    {
        let mut world = World::new(rules);
        let (alice, mut bob) = (world.join(ALICE), world.join(BOB));
        let packet = echo(ALICE, BOB, b"hi");
        assert_eq!(world.client_sends(&alice, &packet).map(|_| ()), expected, "{rules:?}");
        // What the kernel would send back into the tunnel, had the packet passed.
        let sent = world.network_sends(std::slice::from_ref(&packet));
        assert_eq!(sent.len(), usize::from(expected.is_ok()), "{rules:?}");
        for (_, datagrams) in sent {
            assert_eq!(bob.open(world.sessions.now(), &datagrams[0]), packet);
        }
    }
}

#[test]
fn acl_04_a_group_may_call_clients_that_may_only_answer() {
    let rules = [rule("10.8.0.0/24", &["it"], ServiceRange::All)];
    let mut world = World::new(&[]);
    world.tables.set_policy(policy_of(&rules));
    let (alice, bob) = (world.join_as(ALICE, &["it"]), world.join_as(BOB, &[]));
    let (call, answer) = (udp_between(ALICE, 40_000, BOB, 9), udp_between(BOB, 9, ALICE, 40_000));

    assert_eq!(world.client_sends(&bob, &answer), Err(DropReason::NotAuthorized), "nobody called");
    assert_eq!(world.client_sends(&alice, &call), Ok(call.clone()));
    assert_eq!(world.network_sends(std::slice::from_ref(&call)).len(), 1);
    assert_eq!(world.client_sends(&bob, &answer), Ok(answer.clone()));
    assert_eq!(world.network_sends(std::slice::from_ref(&answer)).len(), 1);
    for (from, to) in [(9, 40_001), (10, 40_000)] {
        let call_back = udp_between(BOB, from, ALICE, to);
        assert_eq!(world.client_sends(&bob, &call_back), Err(DropReason::NotAuthorized), "{from} to {to}");
    }
    world.tables.set_policy(policy_of(&[rule("10.8.0.0/24", &["board"], ServiceRange::All)]));
    assert_eq!(world.client_sends(&bob, &answer), Err(DropReason::NotAuthorized), "alice may call no longer");
    assert!(world.network_sends(&[call]).is_empty());
}

#[test]
fn acl_03_a_rule_for_one_group_and_port_opens_nothing_else() {
    let dns = ServiceRange::Ports { protocol: PROTOCOL_UDP, first: 53, last: 53 };
    let mut world = World::new(&[]);
    world.tables.set_policy(policy_of(&[rule("192.168.0.0/16", &["it"], dns)]));
    let (alice, bob) = (world.join_as(ALICE, &["sales", "it"]), world.join_as(BOB, &["sales"]));
    let question = udp_between(ALICE, 40_000, TARGET, 53);
    assert_eq!(world.client_sends(&alice, &question), Ok(question.clone()));
    for packet in [udp_between(ALICE, 40_000, TARGET, 54), echo(ALICE, TARGET, b""), syn(ALICE, TARGET, 1460)]
    {
        assert_eq!(world.client_sends(&alice, &packet), Err(DropReason::NotAuthorized));
    }
    let of_bob = udp_between(BOB, 40_000, TARGET, 53);
    assert_eq!(world.client_sends(&bob, &of_bob), Err(DropReason::NotAuthorized));
    assert_eq!(world.network_sends(&[udp_between(TARGET, 53, ALICE, 40_000)]).len(), 1);
    assert!(world.network_sends(&[udp_between(TARGET, 54, ALICE, 40_000)]).is_empty());
    assert!(world.network_sends(&[udp_between(TARGET, 53, BOB, 40_000)]).is_empty());
    let complaint = [&[0; 4][..], &question[..28]].concat();
    let unreachable = ipv4(TARGET, ALICE, 1, &[&[3, 3, 0, 0][..], &complaint].concat());
    assert_eq!(world.network_sends(&[unreachable]).len(), 1, "an error about an open service");
}

#[test]
fn security_groups_decide_who_may_begin_and_answers_pass() {
    let https = ServiceRange::Ports { protocol: PROTOCOL_UDP, first: 443, last: 443 };
    let ssh = ServiceRange::Ports { protocol: PROTOCOL_UDP, first: 22, last: 22 };
    let security =
        |direction, services| SecurityRule { direction, services, peer: "192.168.7.0/24".parse().unwrap() };
    let rules = [AuthorizationRule::for_everybody(RuleId(0), "192.168.0.0/16".parse().unwrap())];
    let guarded = vec![security(Direction::Egress, https), security(Direction::Ingress, ssh)];
    let mut world = World::new(&[]);
    world.tables.set_policy(Policy::compile(&Ruleset { security: Some(guarded), ..ruleset_of(&rules) }));
    let alice = world.join(ALICE);
    let (out, back) = (udp_between(ALICE, 4000, TARGET, 443), udp_between(TARGET, 443, ALICE, 4000));
    assert!(world.network_sends(std::slice::from_ref(&back)).is_empty(), "nobody asked");
    assert_eq!(world.client_sends(&alice, &out), Ok(out));
    assert_eq!(world.network_sends(std::slice::from_ref(&back)).len(), 1);
    assert!(world.network_sends(&[udp_between(TARGET, 443, ALICE, 4001)]).is_empty(), "another port");
    assert_eq!(
        world.client_sends(&alice, &udp_between(ALICE, 4000, TARGET, 80)),
        Err(DropReason::SecurityGroup)
    );
    let elsewhere = udp_between(ALICE, 4000, Ipv4Addr::new(192, 168, 8, 1), 443);
    assert_eq!(world.client_sends(&alice, &elsewhere), Err(DropReason::SecurityGroup));

    let (call, answer) = (udp_between(TARGET, 5000, ALICE, 22), udp_between(ALICE, 22, TARGET, 5000));
    assert_eq!(world.client_sends(&alice, &answer), Err(DropReason::SecurityGroup), "nobody called");
    assert_eq!(world.network_sends(&[call]).len(), 1);
    assert_eq!(world.client_sends(&alice, &answer), Ok(answer.clone()));

    let closed = Ruleset { security: Some(vec![]), ..ruleset_of(&rules) };
    world.tables.set_policy(Policy::compile(&closed));
    assert!(world.network_sends(&[back]).is_empty(), "what was open is closed at once");
    assert_eq!(world.client_sends(&alice, &answer), Err(DropReason::SecurityGroup));
}

#[test]
fn acl_04_the_server_itself_is_reached_and_answers_only_by_rule() {
    for (rules, expected) in
        [(&["192.168.0.0/16"][..], Err(DropReason::NoRule)), (&["10.8.0.1/32"][..], Ok(()))]
    {
        let mut world = World::new(rules);
        let alice = world.join(ALICE);
        assert_eq!(world.client_sends(&alice, &echo(ALICE, SERVER, b"")).map(|_| ()), expected);
        assert_eq!(world.network_sends(&[icmp(SERVER, ALICE, 0, b"")]).len(), usize::from(expected.is_ok()));
    }
}

#[test]
fn acl_05_a_new_policy_acts_on_the_next_packet_in_both_directions() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let (up, down) = (udp(ALICE, TARGET, b"x"), udp(TARGET, ALICE, b"x"));
    assert!(world.client_sends(&alice, &up).is_ok());
    assert_eq!(world.network_sends(std::slice::from_ref(&down)).len(), 1);
    world.tables.set_policy(policy(&[]));
    assert_eq!(world.client_sends(&alice, &up), Err(DropReason::NoRoute));
    assert!(world.network_sends(&[down]).is_empty());
}

#[test]
fn networks_that_a_client_may_not_reach_do_not_reach_the_client() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let _alice = world.join(ALICE);
    assert!(world.network_sends(&[udp(Ipv4Addr::new(172, 16, 0, 1), ALICE, b"x")]).is_empty());
    assert_eq!(world.drops(), [(DropReason::NoRoute, 1)]);
    assert_eq!(world.tables.peers().next().unwrap().counters.dropped_to_peer(), 1);
}

#[test]
fn an_icmp_error_of_a_router_on_the_way_reaches_the_client_that_caused_it() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let _alice = world.join(ALICE);
    let router = Ipv4Addr::new(172, 16, 0, 254);
    let error_about = |quoted: Vec<u8>| icmp(router, ALICE, 3, &quoted[..28]);
    assert_eq!(world.network_sends(&[error_about(udp(ALICE, TARGET, &[0; 20]))]).len(), 1);
    let somebody_elses = error_about(udp(BOB, TARGET, &[0; 20]));
    let about_the_unreachable = error_about(udp(ALICE, Ipv4Addr::new(1, 1, 1, 1), &[0; 20]));
    assert!(world.network_sends(&[somebody_elses, about_the_unreachable]).is_empty());
    assert_eq!(world.drops(), [(DropReason::NoRoute, 2)]);
}

#[test]
fn icmp_v6_errors_reach_a_client_from_any_router_about_what_it_may_send() {
    let mut world = World::new(&["fd07::/64"]);
    let mut alice = world.join_dual(ALICE);
    let _bob = world.join_dual(BOB);
    let router = "2001:db8:ffff::1".parse().unwrap();
    let about = |source, destination| udp_v6(source, destination, &[0; 40]);
    for kind in [1, 2, 3, 4] {
        let error = icmp_v6(router, ALICE_V6, kind, &about(ALICE_V6, TARGET_V6));
        let sent = world.network_sends(std::slice::from_ref(&error));
        assert_eq!(alice.open(world.sessions.now(), &sent[0].1[0]), error, "type {kind}");
    }
    for (kind, quoted) in [
        (1, about(BOB_V6, TARGET_V6)),
        (1, about(ALICE_V6, "2001:db8::5".parse().unwrap())),
        (129, about(ALICE_V6, TARGET_V6)),
        (1, vec![0x60; 20]),
    ] {
        assert!(world.network_sends(&[icmp_v6(router, ALICE_V6, kind, &quoted)]).is_empty(), "type {kind}");
    }
}

fn udp_between(source: Ipv4Addr, from: u16, destination: Ipv4Addr, to: u16) -> Vec<u8> {
    let datagram = [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0, 9, 0, 0, b'x']].concat();
    ipv4(source, destination, 17, &datagram)
}

fn rule(destination: &str, groups: &[&str], services: ServiceRange) -> AuthorizationRule {
    let audience = Audience::AnyOf(groups.iter().map(|name| Tag::group(name)).collect());
    AuthorizationRule { id: RuleId(0), destination: destination.parse().unwrap(), audience, services }
}

/// A policy of these rules, which routes what they are about.
fn policy_of(rules: &[AuthorizationRule]) -> Policy {
    Policy::compile(&ruleset_of(rules))
}

fn ruleset_of(rules: &[AuthorizationRule]) -> Ruleset {
    let ipv6 = TunnelNetworkV6 { network: "fd00:8::/64".parse().unwrap(), server: SERVER_V6 };
    Ruleset {
        tunnel: TunnelNetwork { network: "10.8.0.0/24".parse().unwrap(), server: SERVER, ipv6: Some(ipv6) },
        client_networks: vec![],
        routes: rules.iter().map(|rule| rule.destination).collect(),
        rules: rules.to_vec(),
        evaluation: Evaluation::default(),
        security: None,
    }
}
