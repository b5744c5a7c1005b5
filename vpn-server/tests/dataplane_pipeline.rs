//! The pipeline between real sessions: what a client sealed comes out as a packet for the network or as a counted drop,
//! and the other way round.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "support functions may fail a test")]

#[path = "support/packets.rs"]
mod packets;
#[path = "support/sessions.rs"]
mod sessions;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use packets::{
    announced_segment_size, announced_segment_size_v6, echo, icmp, icmp_v6, ipv4, ipv6, syn, syn_v6, udp,
    udp_v6,
};
use proptest::prelude::*;
use sessions::{Session, Sessions, path};
use vpn_proto::wire::tcp::{FrameError, Frames, prefix};
use vpn_proto::{ListenerId, Path, PeerId, Transport};
use vpn_server::dataplane::counters::{DropReason, Event, PlaneCounters, WorkerCounters};
use vpn_server::dataplane::pipeline::{Intake, Pipeline};
use vpn_server::dataplane::send_queue::SendQueue;
use vpn_server::dataplane::{ControlInput, ControlSink, LONGEST_CONTROL_DATAGRAM, Peer, PeerSlot, Tables};
use vpn_server::policy::{
    Audience, AuthorizationRule, Direction, Evaluation, PROTOCOL_UDP, Policy, RuleId, Ruleset, SecurityRule,
    ServiceRange, Tag, Tags, TunnelNetwork, TunnelNetworkV6,
};
use vpn_server::transport::{ReceiveBatch, Received};

const ALICE: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);
const BOB: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 3);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 9);
const ALICE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 0x1000);
const BOB_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 0x1001);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 1);
const TARGET_V6: Ipv6Addr = Ipv6Addr::new(0xfd07, 0, 0, 0, 0, 0, 0, 9);

#[test]
fn a_clients_packet_reaches_the_network_as_it_was() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let packet = udp(ALICE, TARGET, b"hello");
    assert_eq!(world.client_sends(&alice, &packet), Ok(packet));
    assert_eq!(world.counters().drops().filter(|(_, count)| *count > 0).count(), 0);
}

#[test]
fn a_packet_from_the_network_reaches_the_client_it_is_for() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let (mut alice, mut bob) = (world.join(ALICE), world.join(BOB));
    for client in [&mut alice, &mut bob] {
        let packet = udp(TARGET, client.address, b"answer");
        let sent = world.network_sends(std::slice::from_ref(&packet));
        let [(path, datagrams)] = &sent[..] else { panic!("{} groups", sent.len()) };
        assert_eq!(*path, client.path);
        assert_eq!(client.open(world.sessions.now(), &datagrams[0]), packet);
    }
}

#[test]
fn peer_ids_of_the_tables_are_the_ones_on_the_wire() {
    let mut world = World::new(&[]);
    let alice = world.join(ALICE);
    assert_eq!(alice.channel.peer_id(), PeerId::new(0).unwrap());
    assert_eq!(world.tables.peer_id_of(ALICE), PeerId::new(0));
    assert_eq!(&alice.seal(world.sessions.now(), b"")[..4], &[0x48, 0, 0, 0]);
}

#[test]
fn the_datagrams_of_a_super_packet_are_judged_one_by_one() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let now = world.sessions.now();
    let good = udp(ALICE, TARGET, &[1; 100]);
    let spoofed = udp(BOB, TARGET, &[2; 100]);
    let denied = udp(ALICE, Ipv4Addr::new(1, 1, 1, 1), &[3; 100]);
    let mut garbled = alice.seal(now, &good);
    garbled[30] ^= 1;
    let control = vec![0x38; garbled.len()];
    let datagrams = [
        alice.seal(now, &good),
        alice.seal(now, &spoofed),
        control,
        garbled,
        alice.seal(now, &denied),
        alice.seal(now, &good),
    ];
    let delivered = world.receive(alice.path.remote, datagrams[0].len(), &datagrams.concat());
    assert_eq!(delivered, [good.clone(), good]);
    let reasons = [DropReason::SourceNotAssigned, DropReason::NotAuthentic, DropReason::NoRoute];
    assert_eq!(world.drops(), reasons.map(|reason| (reason, 1)).into_iter().collect::<Vec<_>>().sorted());
    assert_eq!(world.heard().len(), 1);
}

#[test]
fn the_last_datagram_of_a_super_packet_may_be_shorter() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let now = world.sessions.now();
    let packets =
        [udp(ALICE, TARGET, &[1; 200]), udp(ALICE, TARGET, &[2; 200]), udp(ALICE, TARGET, &[3; 11])];
    let datagrams: Vec<_> = packets.iter().map(|packet| alice.seal(now, packet)).collect();
    assert_eq!(world.receive(alice.path.remote, datagrams[0].len(), &datagrams.concat()), packets);
}

#[test]
fn acl_02_a_spoofed_inner_source_is_dropped_before_routes_and_rules() {
    let mut world = World::new(&["0.0.0.0/0", "10.8.0.0/24"]);
    let (alice, _bob) = (world.join(ALICE), world.join(BOB));
    for source in [BOB, SERVER, TARGET, Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST] {
        let outcome = world.client_sends(&alice, &udp(source, TARGET, b"x"));
        assert_eq!(outcome, Err(DropReason::SourceNotAssigned), "{source}");
    }
    let mut v6 = vec![0x60, 0, 0, 0, 0, 0, 59, 64];
    v6.extend([0xfd; 16]);
    v6.extend([0x20; 16]);
    assert_eq!(world.client_sends(&alice, &v6), Err(DropReason::SourceNotAssigned));
}

#[test]
fn acl_02_fragments_with_a_spoofed_source_are_dropped_too() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    for field in [0x2000_u16, 0x2003, 0x0003] {
        let fragment = fragment(BOB, TARGET, field);
        assert_eq!(world.client_sends(&alice, &fragment), Err(DropReason::SourceNotAssigned), "{field:#x}");
    }
}

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
fn acl_03_source_routed_malformed_and_unroutable_packets_are_dropped() {
    let mut world = World::new(&["0.0.0.0/0"]);
    let alice = world.join(ALICE);
    let mut source_routed = udp(ALICE, TARGET, &[0; 8]);
    source_routed[0] = 0x47;
    source_routed[20..28].copy_from_slice(&[131, 7, 4, 10, 8, 0, 3, 0]);
    let cut = udp(ALICE, TARGET, &[0; 8])[..30].to_vec();
    for (packet, reason) in [
        (source_routed, DropReason::SourceRouted),
        (cut, DropReason::Malformed),
        (vec![], DropReason::Malformed),
        (vec![0x00; 40], DropReason::Malformed),
        (udp(ALICE, Ipv4Addr::new(224, 0, 0, 251), b"x"), DropReason::DestinationUnroutable),
        (udp(ALICE, Ipv4Addr::BROADCAST, b"x"), DropReason::DestinationUnroutable),
        (udp(ALICE, Ipv4Addr::new(10, 8, 0, 255), b"x"), DropReason::DestinationUnroutable),
        (udp(ALICE, Ipv4Addr::LOCALHOST, b"x"), DropReason::DestinationUnroutable),
        (udp(ALICE, Ipv4Addr::new(169, 254, 169, 254), b"x"), DropReason::DestinationUnroutable),
    ] {
        assert_eq!(world.client_sends(&alice, &packet), Err(reason), "{packet:02x?}");
    }
}

#[test]
fn ipv6_packets_pass_both_ways_as_they_were() {
    let mut world = World::new(&["fd07::/64"]);
    let (mut alice, mut bob) = (world.join_dual(ALICE), world.join_dual(BOB));
    let packet = udp_v6(ALICE_V6, TARGET_V6, b"hello");
    assert_eq!(world.client_sends(&alice, &packet), Ok(packet));
    for (client, address) in [(&mut alice, ALICE_V6), (&mut bob, BOB_V6)] {
        let packet = udp_v6(TARGET_V6, address, b"answer");
        let sent = world.network_sends(std::slice::from_ref(&packet));
        let [(path, datagrams)] = &sent[..] else { panic!("{} groups", sent.len()) };
        assert_eq!(*path, client.path);
        assert_eq!(client.open(world.sessions.now(), &datagrams[0]), packet);
    }
}

#[test]
fn acl_02_a_spoofed_ipv6_source_is_dropped_before_routes_and_rules() {
    let mut world = World::new(&["::/0", "fd00:8::/64"]);
    let (alice, _bob) = (world.join_dual(ALICE), world.join_dual(BOB));
    let without = world.join(Ipv4Addr::new(10, 8, 0, 9));
    let mapped: Ipv6Addr = "::ffff:10.8.0.2".parse().unwrap();
    for source in [BOB_V6, SERVER_V6, TARGET_V6, Ipv6Addr::LOCALHOST, mapped] {
        let outcome = world.client_sends(&alice, &udp_v6(source, TARGET_V6, b"x"));
        assert_eq!(outcome, Err(DropReason::SourceNotAssigned), "{source}");
    }
    let outcome = world.client_sends(&without, &udp_v6(ALICE_V6, TARGET_V6, b"x"));
    assert_eq!(outcome, Err(DropReason::SourceNotAssigned));
    let spoofed_fragment = ipv6(BOB_V6, TARGET_V6, 44, &[&[17, 0, 0, 25, 0, 0, 0, 1], &[0; 16][..]].concat());
    assert_eq!(world.client_sends(&alice, &spoofed_fragment), Err(DropReason::SourceNotAssigned));
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
fn the_segment_size_of_ipv6_connections_is_lowered_both_ways() {
    let mut world = World::new(&["fd07::/64"]);
    let mut alice = world.join_dual(ALICE);
    let up = world.client_sends(&alice, &syn_v6(ALICE_V6, TARGET_V6, 1440)).unwrap();
    assert_eq!(announced_segment_size_v6(&up), Some(1380));
    let sent = world.network_sends(&[syn_v6(TARGET_V6, ALICE_V6, 1440)]);
    let down = alice.open(world.sessions.now(), &sent[0].1[0]);
    assert_eq!(announced_segment_size_v6(&down), Some(1380));
    let small = syn_v6(ALICE_V6, TARGET_V6, 1200);
    assert_eq!(world.client_sends(&alice, &small), Ok(small));
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

#[test]
fn acl_02_a_client_speaks_and_is_reached_for_the_network_behind_it_and_no_other() {
    let mut world = World::new(&["192.168.0.0/16", "10.8.0.0/24", "10.20.0.0/16"]);
    let network = vec!["10.20.7.0/24".parse().unwrap()];
    let mut alice = world.join_with(ALICE, |peer| peer.with_networks(network));
    let bob = world.join(BOB);
    let (behind, elsewhere) = (Ipv4Addr::new(10, 20, 7, 5), Ipv4Addr::new(10, 20, 8, 5));
    let packet = udp(behind, TARGET, b"from behind");
    assert_eq!(world.client_sends(&alice, &packet), Ok(packet));
    for (client, source) in [(&alice, elsewhere), (&bob, behind)] {
        let outcome = world.client_sends(client, &udp(source, TARGET, b"x"));
        assert_eq!(outcome, Err(DropReason::SourceNotAssigned), "{source}");
    }
    let to_behind = udp(BOB, behind, b"hi");
    assert_eq!(world.client_sends(&bob, &to_behind), Ok(to_behind.clone()));
    let sent = world.network_sends(std::slice::from_ref(&to_behind));
    assert_eq!(alice.open(world.sessions.now(), &sent[0].1[0]), to_behind);
    assert!(world.network_sends(&[udp(BOB, elsewhere, b"hi")]).is_empty());
    let quoted = udp(behind, TARGET, &[0; 40]);
    let router = Ipv4Addr::new(203, 0, 113, 1);
    assert_eq!(world.network_sends(&[icmp(router, behind, 3, &quoted)]).len(), 1);
    world.leave(&alice);
    assert!(world.network_sends(&[to_behind]).is_empty());
}

#[test]
fn router_solicitations_are_dropped_quietly_in_both_directions() {
    let mut world = World::new(&["0.0.0.0/0"]);
    let alice = world.join(ALICE);
    let mut solicitation = vec![0x60, 0, 0, 0, 0, 8, 58, 255, 0xfe, 0x80];
    solicitation.extend([0; 14]);
    solicitation.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    solicitation.extend([133, 0, 0x7b, 0xb8, 0, 0, 0, 0]);
    assert_eq!(world.client_sends(&alice, &solicitation), Err(DropReason::Ipv6LinkChatter));
    assert!(world.network_sends(&[solicitation]).is_empty());
    assert_eq!(world.drops(), [(DropReason::Ipv6LinkChatter, 2)]);
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
fn the_segment_size_is_clamped_in_both_directions() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let mut alice = world.join(ALICE);
    let passed = world.client_sends(&alice, &syn(ALICE, TARGET, 1460)).unwrap();
    assert_eq!(announced_segment_size(&passed), Some(1400));
    let sent = world.network_sends(&[syn(TARGET, ALICE, 1460), syn(TARGET, ALICE, 536)]);
    let [(_, datagrams)] = &sent[..] else { panic!("{} groups", sent.len()) };
    let sizes: Vec<_> = datagrams
        .iter()
        .map(|datagram| announced_segment_size(&alice.open(world.sessions.now(), datagram)))
        .collect();
    assert_eq!(sizes, [Some(1400), Some(536)]);
}

#[test]
fn equal_packets_for_one_peer_leave_in_one_send_in_their_order() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let (mut alice, mut bob) = (world.join(ALICE), world.join(BOB));
    let packets: Vec<_> =
        (0..10_u8).map(|n| udp(TARGET, if n % 2 == 0 { ALICE } else { BOB }, &[n; 500])).collect();
    let sent = world.network_sends(&packets);
    assert_eq!(sent.iter().map(|(path, _)| *path).collect::<Vec<_>>(), [alice.path, bob.path]);
    for (index, client) in [&mut alice, &mut bob].into_iter().enumerate() {
        let opened: Vec<_> =
            sent[index].1.iter().map(|datagram| client.open(world.sessions.now(), datagram)).collect();
        assert_eq!(opened, packets.iter().skip(index).step_by(2).cloned().collect::<Vec<_>>());
    }
}

#[test]
fn crl_04_a_closed_session_passes_nothing_in_either_direction() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let datagram = alice.seal(world.sessions.now(), &udp(ALICE, TARGET, b"x"));
    world.sessions.close(&alice);
    assert!(world.receive(alice.path.remote, datagram.len(), &datagram).is_empty());
    assert!(world.network_sends(&[udp(TARGET, ALICE, b"x")]).is_empty());
    assert_eq!(world.drops(), [(DropReason::ChannelClosed, 2)]);
}

#[test]
fn crl_04_a_removed_peer_is_unknown_at_once_and_its_successor_is_not_disturbed_by_its_packets() {
    let mut world = World::with_capacity(1, &["192.168.0.0/16"], Sessions::new());
    let alice = world.join(ALICE);
    let datagram = || alice.seal(Default::default(), &udp(ALICE, TARGET, b"x"));
    world.leave(&alice);
    assert!(world.receive(alice.path.remote, 1500, &datagram()).is_empty());
    assert!(world.network_sends(&[udp(TARGET, ALICE, b"x")]).is_empty());
    let bob = world.join(BOB);
    assert_eq!(bob.channel.peer_id(), alice.channel.peer_id());
    assert!(world.receive(alice.path.remote, 1500, &datagram()).is_empty());
    assert!(world.receive(bob.path.remote, 1500, &datagram()).is_empty());
    let drops = [(DropReason::UnknownPeer, 1), (DropReason::NoSession, 1), (DropReason::NotAuthentic, 2)];
    assert_eq!(world.drops(), drops.to_vec().sorted());
    assert!(world.client_sends(&bob, &udp(BOB, TARGET, b"x")).is_ok());
}

#[test]
fn packets_of_every_format_pass_both_ways() {
    let kinds = [
        Sessions::new(),
        Sessions::with_modern_clients(),
        Sessions::with_clients_without_peer_id(),
        Sessions::with_cbc_clients(),
    ];
    for (kind, sessions) in kinds.into_iter().enumerate() {
        let mut world = World::with_capacity(4, &["192.168.0.0/16"], sessions);
        let mut alice = world.join(ALICE);
        for length in [0, 1, 15, 16, 17, 1300] {
            let (up, down) = (udp(ALICE, TARGET, &vec![1; length]), udp(TARGET, ALICE, &vec![2; length]));
            assert_eq!(world.client_sends(&alice, &up), Ok(up), "kind {kind}, {length} octets");
            let sent = world.network_sends(std::slice::from_ref(&down));
            assert_eq!(alice.open(world.sessions.now(), &sent[0].1[0]), down, "kind {kind}, {length} octets");
        }
    }
}

#[test]
fn a_client_without_peer_id_is_found_where_it_is_and_nowhere_else() {
    let mut world = World::with_capacity(4, &["192.168.0.0/16"], Sessions::with_clients_without_peer_id());
    let (alice, bob) = (world.join(ALICE), world.join(BOB));
    for client in [&alice, &bob] {
        assert!(world.client_sends(client, &udp(client.address, TARGET, b"x")).is_ok());
    }
    let datagram = alice.seal(world.sessions.now(), &udp(ALICE, TARGET, b"x"));
    assert!(world.receive("203.0.113.1:9".parse().unwrap(), 1500, &datagram).is_empty());
    assert!(world.receive(bob.path.remote, 1500, &datagram).is_empty());
    assert_eq!(world.drops(), [(DropReason::NoPeerId, 1), (DropReason::NotAuthentic, 1)]);
    world.leave(&alice);
    assert!(world.receive(alice.path.remote, 1500, &datagram).is_empty());
    assert!(world.heard().is_empty());
}

#[test]
fn net_10_packets_from_elsewhere_pass_and_are_reported_until_the_session_has_moved() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let remote: SocketAddr = "203.0.113.1:4000".parse().unwrap();
    let (now, packet) = (world.sessions.now(), udp(ALICE, TARGET, b"x"));
    for _ in 0..100 {
        assert_eq!(world.receive(remote, 1500, &alice.seal(now, &packet)), std::slice::from_ref(&packet));
    }
    let path = Path { remote, ..alice.path };
    assert_eq!(world.heard(), [ControlInput::PeerFloated { session: alice.handle, shard: 3, path }]);
    assert_eq!(world.counters().happened(Event::FloatForwarded), 1);
    assert_eq!(world.network_sends(&[udp(TARGET, ALICE, b"x")])[0].0, alice.path);
    world.sessions.report_float(alice.handle, path);
    assert_eq!(world.network_sends(&[udp(TARGET, ALICE, b"x")])[0].0, path);
}

#[test]
fn net_10_forged_and_replayed_packets_from_elsewhere_are_dropped_without_a_report() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let elsewhere = "203.0.113.1:4000".parse().unwrap();
    let datagram = alice.seal(world.sessions.now(), &udp(ALICE, TARGET, b"x"));
    let mut forged = datagram.clone();
    forged[30] ^= 1;
    assert!(world.receive(elsewhere, 1500, &forged).is_empty());
    assert_eq!(world.receive(alice.path.remote, 1500, &datagram).len(), 1);
    assert!(world.receive(elsewhere, 1500, &datagram).is_empty());
    assert_eq!(world.drops(), [(DropReason::NotAuthentic, 1), (DropReason::Replayed, 1)]);
    assert!(world.heard().is_empty());
}

#[test]
fn net_10_a_report_that_finds_no_room_costs_no_packet() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let packet = udp(ALICE, TARGET, b"x");
    world.heard.lock().unwrap().is_full = true;
    let datagram = alice.seal(world.sessions.now(), &packet);
    assert_eq!(world.receive("203.0.113.1:4000".parse().unwrap(), 1500, &datagram), [packet]);
    assert_eq!(world.drops(), [(DropReason::ControlQueueFull, 1)]);
}

#[test]
fn a_replayed_datagram_is_dropped() {
    let mut world = World::new(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let datagram = alice.seal(world.sessions.now(), &udp(ALICE, TARGET, b"x"));
    assert_eq!(world.receive(alice.path.remote, 1500, &datagram).len(), 1);
    assert_eq!(world.receive(alice.path.remote, 1500, &datagram).len(), 0);
    assert_eq!(world.drops(), [(DropReason::Replayed, 1)]);
}

#[test]
fn data_packets_of_nobody_are_dropped_and_counted() {
    let mut world = World::new(&[]);
    let stranger = "203.0.113.1:1".parse().unwrap();
    for datagram in [
        &[0x48, 0, 0, 0, 9, 9][..],
        &[0x4f, 0xff, 0xff, 0xfe],
        &[0x48, 0xff, 0xff, 0xff],
        &[0x30, 1, 2],
        &[0xff, 1],
    ] {
        assert!(world.receive(stranger, 1500, datagram).is_empty());
    }
    assert!(world.receive(stranger, 0, &[]).is_empty());
    let expected = [(DropReason::NotOpenVpn, 2), (DropReason::NoPeerId, 2), (DropReason::UnknownPeer, 2)];
    assert_eq!(world.drops(), expected);
    assert!(world.heard().is_empty());
}

#[test]
fn control_datagrams_go_to_the_control_side_with_their_path() {
    let mut world = World::new(&[]);
    let stranger: SocketAddr = "203.0.113.1:4000".parse().unwrap();
    let reset = vec![0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0];
    assert!(world.receive(stranger, 1500, &reset).is_empty());
    let path = Path { listener: ListenerId(0), transport: Transport::Udp, remote: stranger, local: None };
    assert_eq!(world.heard(), [ControlInput::Datagram { path, bytes: reset }]);
    assert_eq!(world.counters().happened(Event::ControlForwarded), 1);
}

#[test]
fn net_06_control_datagrams_that_are_too_long_unanswerable_or_too_many_are_dropped() {
    let mut world = World::new(&[]);
    let stranger = |port| SocketAddr::from(([203, 0, 113, 1], port));
    let control = |length| [&[0x20][..], &vec![7; length - 1]].concat();
    world.receive(stranger(1), 9000, &control(LONGEST_CONTROL_DATAGRAM));
    assert_eq!(world.heard().len(), 1);
    world.receive(stranger(1), 9000, &control(LONGEST_CONTROL_DATAGRAM + 1));
    world.receive(stranger(0), 9000, &control(20));
    world.heard.lock().unwrap().is_full = true;
    world.receive(stranger(1), 9000, &control(20));
    let reasons = [DropReason::UnanswerableSource, DropReason::ControlTooLong, DropReason::ControlQueueFull];
    assert_eq!(world.drops(), reasons.map(|reason| (reason, 1)));
    assert!(world.heard().is_empty());
}

#[test]
fn an_exit_notification_is_passed_on_once_it_finds_room_and_not_again() {
    let mut world = World::with_capacity(4, &[], Sessions::with_old_clients());
    let mut alice = world.join(ALICE);
    let exits = exit_notifications(&world, &mut alice);
    world.heard.lock().unwrap().is_full = true;
    world.receive(alice.path.remote, 1500, &exits[0]);
    assert_eq!(world.drops(), [(DropReason::ControlQueueFull, 1)]);
    world.heard.lock().unwrap().is_full = false;
    for exit in &exits[1..] {
        world.receive(alice.path.remote, 1500, exit);
    }
    assert_eq!(world.heard(), [ControlInput::PeerExit { session: alice.handle, shard: 3 }]);
    assert_eq!(world.counters().happened(Event::ExitForwarded), 1);
}

#[test]
fn the_frames_of_a_connection_are_judged_like_datagrams() {
    let mut world = World::over_tcp(&["192.168.0.0/16"]);
    let (alice, bob) = (world.join(ALICE), world.join(BOB));
    let now = world.sessions.now();
    let good = udp(ALICE, TARGET, b"hello");
    let reset = vec![0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0];
    let packets = [
        alice.seal(now, &good),
        alice.seal(now, &udp(BOB, TARGET, &[2; 900])),
        reset.clone(),
        alice.seal(now, &good),
    ];
    let (delivered, outcome) = world.receive_frames(bob.path.remote, &framed(&packets));
    assert_eq!(
        (delivered, outcome),
        (vec![], Ok(Intake::Complete)),
        "a peer's packets on another peer's connection"
    );
    assert_eq!(world.drops(), [(DropReason::ForeignPath, 3)]);
    world.heard();
    let (delivered, outcome) = world.receive_frames(alice.path.remote, &framed(&packets));
    assert_eq!((delivered, outcome), (vec![good.clone(), good], Ok(Intake::Complete)));
    assert_eq!(world.drops(), [(DropReason::ForeignPath, 3), (DropReason::SourceNotAssigned, 1)]);
    assert_eq!(world.heard(), [ControlInput::Datagram { path: alice.path, bytes: reset }]);
}

#[test]
fn net_06_what_comes_before_a_bad_frame_is_taken_and_nothing_after_it() {
    let mut world = World::over_tcp(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let now = world.sessions.now();
    let [first, second] = [(); 2].map(|()| alice.seal(now, &udp(ALICE, TARGET, b"hello")));
    let octets = [framed(&[first]), vec![0, 0], framed(&[second])].concat();
    let (delivered, outcome) = world.receive_frames(alice.path.remote, &octets);
    assert_eq!((delivered.len(), outcome), (1, Err(FrameError::Empty)));
}

#[test]
fn over_tcp_segments_are_smaller_in_both_directions() {
    let mut world = World::over_tcp(&["192.168.0.0/16"]);
    let mut alice = world.join(ALICE);
    let datagram = alice.seal(world.sessions.now(), &syn(ALICE, TARGET, 1460));
    let (delivered, _) = world.receive_frames(alice.path.remote, &framed(&[datagram]));
    assert_eq!(announced_segment_size(&delivered[0]), Some(1386));
    let sent = world.network_sends(&[syn(TARGET, ALICE, 1460)]);
    let opened = alice.open(world.sessions.now(), &sent[0].1[0]);
    assert_eq!(announced_segment_size(&opened), Some(1386));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever a client puts into its tunnel: nothing panics, and what passes has the client's own source address and
    /// a destination that the rules open.
    #[test]
    fn acl_03_no_inner_packet_gets_past_source_check_and_rules(
        packets in prop::collection::vec(hostile_packet(), 1..40),
    ) {
        let mut world = World::new(&["192.168.0.0/16"]);
        let alice = world.join(ALICE);
        for packet in packets {
            if let Ok(passed) = world.client_sends(&alice, &packet) {
                prop_assert_eq!(&passed[12..16], &ALICE.octets()[..]);
                prop_assert_eq!(&passed[16..18], &[192, 168][..]);
                prop_assert_eq!(passed[0] >> 4, 4);
                prop_assert_eq!(passed.len(), usize::from(u16::from_be_bytes([passed[2], passed[3]])));
            }
        }
    }

    /// Whatever a stranger sends and however it is cut: nothing panics and nothing passes.
    #[test]
    fn net_12_no_datagram_of_a_stranger_reaches_the_network(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        stride in 0..400_usize,
        first in prop_oneof![Just(0x48_u8), Just(0x49), Just(0x30), any::<u8>()],
    ) {
        let mut world = World::new(&["0.0.0.0/0"]);
        let alice = world.join(ALICE);
        let datagram = [&[first, 0, 0, 0][..], &octets].concat();
        prop_assert!(world.receive("203.0.113.1:9".parse().unwrap(), stride, &datagram).is_empty());
        prop_assert!(world.receive(alice.path.remote, stride, &datagram).is_empty());
    }
}

/// Packets that are nearly right: one from Alice to the target with some octets overwritten and an end cut off.
fn hostile_packet() -> impl Strategy<Value = Vec<u8>> {
    let base = prop_oneof![
        Just(udp(ALICE, TARGET, &[1; 30])),
        Just(syn(ALICE, TARGET, 1460)),
        Just(fragment(ALICE, TARGET, 0x2000)),
        Just(udp(BOB, TARGET, &[1; 30])),
        Just(udp(ALICE, BOB, &[1; 30])),
    ];
    let changes = prop::collection::vec((0..40_usize, any::<u8>()), 0..4);
    (base, changes, 0..50_usize, any::<bool>()).prop_map(|(mut packet, changes, length, is_cut)| {
        for (at, value) in changes {
            if let Some(octet) = packet.get_mut(at) {
                *octet = value;
            }
        }
        packet.truncate(if is_cut { length } else { packet.len() });
        packet
    })
}

/// What an old client sends when it leaves, several times over.
fn exit_notifications(world: &World, session: &mut Session) -> Vec<Vec<u8>> {
    let exit = [
        0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81, 0x2d, 0x56, 0xb8, 0xd3, 0xaf, 0xc5, 0x45, 0x9c, 0x06,
    ];
    let now = world.sessions.now();
    let mut notifications: Vec<_> = (0..3).map(|_| session.seal(now, &exit)).collect();
    session.client.exit(now);
    let sent = std::iter::from_fn(|| session.client.poll_transmit()).map(|transmit| transmit.payload);
    notifications.extend(sent.filter(|datagram| datagram[0] == session_opcode()));
    assert_eq!(notifications.len(), 4, "three of ours and the client's own");
    notifications
}

/// The first octet of data packets under a session's first key.
fn session_opcode() -> u8 {
    9 << 3
}

/// A fragment of a TCP segment, with the given fragment field.
fn fragment(source: Ipv4Addr, destination: Ipv4Addr, field: u16) -> Vec<u8> {
    let mut packet = ipv4(source, destination, 6, &[0; 40]);
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    packet
}

/// Tables, a control side that writes down what it hears, and buffers.
struct World {
    transport: Transport,
    sessions: Sessions,
    tables: Tables,
    sink: ControlSink,
    heard: Arc<Mutex<Heard>>,
    counters: WorkerCounters,
    batch: ReceiveBatch,
    queue: SendQueue,
    slots: Vec<PeerSlot>,
}

#[derive(Default)]
struct Heard {
    inputs: Vec<ControlInput>,
    is_full: bool,
}

impl World {
    /// `authorized` is what is routed and may be reached.
    fn new(authorized: &[&str]) -> Self {
        Self::with_capacity(4, authorized, Sessions::new())
    }

    /// Clients use connections instead of datagrams.
    fn over_tcp(authorized: &[&str]) -> Self {
        Self { transport: Transport::Tcp, ..Self::new(authorized) }
    }

    fn with_capacity(capacity: usize, authorized: &[&str], sessions: Sessions) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = Arc::clone(&heard);
        let sink: ControlSink = Arc::new(move |input| {
            let mut heard = listener.lock().unwrap();
            if !heard.is_full {
                heard.inputs.push(input);
            }
            !heard.is_full
        });
        Self {
            sessions,
            tables: Tables::new(capacity, policy(authorized)),
            transport: Transport::Udp,
            sink,
            heard,
            counters: WorkerCounters::new(),
            batch: ReceiveBatch::new(),
            queue: SendQueue::new(8),
            slots: vec![],
        }
    }

    fn join(&mut self, address: Ipv4Addr) -> Session {
        self.join_with(address, |peer| peer)
    }

    /// Joins with an IPv6 address as well, which ends like the other one.
    fn join_dual(&mut self, address: Ipv4Addr) -> Session {
        let address_v6 = if address == ALICE { ALICE_V6 } else { BOB_V6 };
        self.join_with(address, |peer| peer.with_ipv6(Some(address_v6)))
    }

    fn join_with(&mut self, address: Ipv4Addr, change: impl FnOnce(Peer) -> Peer) -> Session {
        let slot = self.tables.reserve().unwrap();
        let remote = SocketAddr::from((Ipv4Addr::new(198, 51, 100, address.octets()[3]), 4000));
        let session = self.sessions.connect(slot.peer_id(), path(self.transport, remote), address);
        let peer = change(Peer::new(session.handle, 3, Arc::clone(&session.channel), address));
        self.tables.insert(slot, peer).unwrap();
        self.slots.push(slot);
        session
    }

    fn join_as(&mut self, address: Ipv4Addr, groups: &[&str]) -> Session {
        let tags: Tags = groups.iter().map(|name| Tag::group(name)).collect();
        self.join_with(address, |peer| peer.with_tags(tags))
    }

    fn leave(&mut self, session: &Session) {
        let index = self.slots.iter().position(|slot| slot.peer_id() == session.channel.peer_id()).unwrap();
        assert!(self.tables.remove(self.slots.remove(index)).is_some());
    }

    /// Lets the client seal and send one packet: what the network gets, or why it gets nothing.
    fn client_sends(&mut self, session: &Session, packet: &[u8]) -> Result<Vec<u8>, DropReason> {
        let before = self.counters();
        let datagram = session.seal(self.sessions.now(), packet);
        let delivered = self.receive(session.path.remote, datagram.len(), &datagram);
        match delivered.into_iter().next() {
            Some(packet) => Ok(packet),
            None => {
                let after = self.counters();
                let grown =
                    after.drops().zip(before.drops()).find(|((_, after), (_, before))| after > before);
                Err(grown.expect("neither delivered nor dropped").0.0)
            }
        }
    }

    /// Runs one received super-packet through the pipeline: the packets for the network.
    fn receive(&mut self, remote: SocketAddr, stride: usize, octets: &[u8]) -> Vec<Vec<u8>> {
        let fill = |buffers: &mut [Box<[u8]>; ReceiveBatch::BUFFERS], received: &mut Vec<Received>| {
            buffers[0][..octets.len()].copy_from_slice(octets);
            received.push(Received { length: octets.len(), stride, remote, local: None });
            Ok(())
        };
        self.batch.refill(fill).unwrap();
        let Self { tables, sink, counters, batch, .. } = self;
        let pipeline = Pipeline { tables, sink, counters };
        let mut delivered = Vec::new();
        pipeline.inbound(self.sessions.now(), ListenerId(0), batch, |packet| delivered.push(packet.to_vec()));
        delivered
    }

    /// Runs what one read of a connection brought through the pipeline: the packets for the network, and whether the
    /// connection consists of frames.
    fn receive_frames(
        &mut self,
        remote: SocketAddr,
        octets: &[u8],
    ) -> (Vec<Vec<u8>>, Result<Intake, FrameError>) {
        let Self { tables, sink, counters, .. } = self;
        let pipeline = Pipeline { tables, sink, counters };
        let path = path(Transport::Tcp, remote);
        let (mut octets, mut delivered) = (octets.to_vec(), Vec::new());
        let mut frames = Frames::new(&mut octets);
        let deliver = |packet: &mut [u8]| delivered.push(packet.to_vec());
        let outcome = pipeline.inbound_frames(self.sessions.now(), path, &mut frames, deliver);
        (delivered, outcome)
    }

    /// Runs packets of the tunnel device through the pipeline: the sends that come of it, cut into datagrams.
    fn network_sends(&mut self, packets: &[Vec<u8>]) -> Vec<(Path, Vec<Vec<u8>>)> {
        let Self { tables, sink, counters, queue, .. } = self;
        let pipeline = Pipeline { tables, sink, counters };
        for packet in packets {
            pipeline.outbound(self.sessions.now(), &tables.policy(), packet, queue);
        }
        let mut sent = Vec::new();
        self.queue.drain(|group| {
            let datagrams = group.datagrams().chunks(group.segment()).map(<[u8]>::to_vec).collect();
            sent.push((*group.path().unwrap(), datagrams));
        });
        sent
    }

    fn counters(&self) -> PlaneCounters {
        PlaneCounters::sum([&self.counters])
    }

    fn drops(&self) -> Vec<(DropReason, u64)> {
        self.counters().drops().filter(|(_, count)| *count > 0).collect()
    }

    fn heard(&self) -> Vec<ControlInput> {
        std::mem::take(&mut self.heard.lock().unwrap().inputs)
    }
}

fn framed(packets: &[Vec<u8>]) -> Vec<u8> {
    let frame = |packet: &Vec<u8>| [&prefix(packet.len()).unwrap()[..], packet].concat();
    packets.iter().flat_map(frame).collect()
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

fn policy(authorized: &[&str]) -> Policy {
    let ipv6 = TunnelNetworkV6 { network: "fd00:8::/64".parse().unwrap(), server: SERVER_V6 };
    let tunnel = TunnelNetwork { network: "10.8.0.0/24".parse().unwrap(), server: SERVER, ipv6: Some(ipv6) };
    let rules = authorized.iter().zip(0..).map(|(network, id)| {
        let destination = network.parse().unwrap();
        AuthorizationRule::for_everybody(RuleId(id), destination)
    });
    let routes = authorized.iter().map(|network| network.parse().unwrap()).collect();
    Policy::compile(&Ruleset {
        tunnel,
        client_networks: vec!["10.20.0.0/16".parse().unwrap()],
        routes,
        rules: rules.collect(),
        evaluation: Evaluation::default(),
        security: None,
    })
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<T: Ord> Sorted for Vec<T> {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}
