//! A client sends in its own name only, and sound packets only.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use vpn_server::dataplane::counters::DropReason;

use crate::packets::{icmp, ipv6, syn, udp, udp_v6};
use crate::world::{ALICE, ALICE_V6, BOB, BOB_V6, SERVER, SERVER_V6, TARGET, TARGET_V6, World, fragment};

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
