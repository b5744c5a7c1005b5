//! Which session a datagram belongs to, wherever it comes from; and what belongs to none.

use std::net::SocketAddr;

use vpn_proto::{ListenerId, Path, Transport};
use vpn_server::dataplane::counters::{DropReason, Event};
use vpn_server::dataplane::{ControlInput, LONGEST_CONTROL_DATAGRAM};

use crate::packets::udp;
use crate::sessions::{Session, Sessions};
use crate::world::{ALICE, BOB, Sorted, TARGET, World};

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
