//! What passes arrives as it was, in either direction, in every format.

use std::net::Ipv4Addr;

use vpn_proto::PeerId;
use vpn_server::dataplane::counters::DropReason;

use crate::packets::{announced_segment_size, announced_segment_size_v6, syn, syn_v6, udp, udp_v6};
use crate::sessions::Sessions;
use crate::world::{ALICE, ALICE_V6, BOB, BOB_V6, Sorted, TARGET, TARGET_V6, World};

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
