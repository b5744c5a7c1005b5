//! Clients whose address changes, and others who would like to be taken for them (NET-10).

use std::sync::Arc;
use std::time::Duration;

use crate::certificates::CLIENTS;
use crate::quiet::{PORT, SECOND, config, connect, ping, world, world_with};
use crate::world::{World, path, path_from};
use vpn_proto::client::ClientConfig;
use vpn_proto::{CloseReason, Keepalive, OpenError, Path, Transport};

const OTHER_PORT: u16 = PORT + 1;
const MILLISECOND: Duration = Duration::from_millis(1);

/// Where clients move to: the number tells places apart.
fn elsewhere(number: u16) -> Path {
    path_from([198, 51, 100, 7], 40_000 + number)
}

fn connected_world() -> World {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    world
}

/// Lets the client send so many packets, a millisecond apart.
fn transfer(world: &mut World, packets: usize) {
    for number in 0..packets {
        let packet = format!("packet {number} at {:?}", world.now);
        world.with_client(PORT, |client, now| client.send_packet(now, packet.as_bytes()));
        world.run(MILLISECOND);
    }
}

fn answers(world: &World) -> usize {
    world.hosts[&PORT].received.len()
}

fn places(world: &World) -> Vec<Path> {
    world.server.floats.iter().map(|(_, to)| *to).collect()
}

#[test]
fn net_10_a_client_that_roams_in_the_middle_of_a_transfer_keeps_its_tunnel() {
    for protocol in [990, 8094, 2] {
        let (mut world, _) = world();
        let mut client = ClientConfig::new(CLIENTS[0].client_tls());
        client.peer_info = client.peer_info.replace("IV_PROTO=990", &format!("IV_PROTO={protocol}"));
        connect(&mut world, PORT, Arc::new(client));
        transfer(&mut world, 100);
        world.move_client(PORT, elsewhere(0));
        transfer(&mut world, 100);
        world.run(SECOND);
        assert_eq!(world.server.received.len(), 200, "no packet of the client is lost");
        // What was on its way to the former place: one round trip, and one way of answers.
        assert!(answers(&world) >= 200 - 30, "{} answers", answers(&world));
        assert_eq!(places(&world), [elsewhere(0)]);
        assert_eq!(world.server.closed, []);
    }
}

#[test]
fn net_10_an_idle_client_behind_a_nat_that_forgot_it_is_found_again_by_its_next_ping() {
    let mut settings = config(&Arc::default());
    settings.keepalive = Keepalive { ping: 5 * SECOND, ping_restart: 30 * SECOND };
    let mut world = world_with(settings);
    connect(&mut world, PORT, CLIENTS[0].client_config());
    for number in 0..20 {
        world.run(20 * SECOND);
        world.move_client(PORT, elsewhere(number));
    }
    world.run(20 * SECOND);
    assert_eq!(world.server.floats.len(), 20);
    assert_eq!(world.server.closed, []);
    assert!(ping(&mut world, PORT));
}

#[test]
fn net_10_packets_overtaken_on_the_way_do_not_move_the_session_back() {
    let mut world = connected_world();
    world.network.conditions.jitter = 40 * MILLISECOND;
    transfer(&mut world, 200);
    world.move_client(PORT, elsewhere(0));
    transfer(&mut world, 200);
    world.run(SECOND);
    assert_eq!(world.server.received.len(), 400);
    assert_eq!(places(&world), [elsewhere(0)]);
}

#[test]
fn renegotiations_of_either_side_go_on_at_the_new_place() {
    let mut settings = config(&Arc::default());
    settings.renegotiate_after = Some(20 * SECOND);
    let mut world = world_with(settings);
    connect(&mut world, PORT, CLIENTS[0].client_config());
    world.move_client(PORT, elsewhere(0));
    assert!(ping(&mut world, PORT));
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(2 * SECOND);
    assert_eq!((world.server.renegotiations, world.hosts[&PORT].renegotiations), (1, 1));
    world.move_client(PORT, elsewhere(1));
    assert!(ping(&mut world, PORT));
    world.run(21 * SECOND);
    assert_eq!((world.server.renegotiations, world.hosts[&PORT].renegotiations), (2, 2));
}

#[test]
fn net_10_control_packets_from_a_new_place_count_only_once_a_data_packet_came_from_there() {
    let mut world = connected_world();
    world.move_client(PORT, elsewhere(0));
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(8 * SECOND);
    assert_eq!(world.server.renegotiations, 0);
    assert!(world.server.endpoint.counters().unroutable > 0);
    assert!(ping(&mut world, PORT));
    world.run(8 * SECOND);
    assert_eq!((world.server.renegotiations, world.hosts[&PORT].renegotiations), (1, 1));
}

#[test]
fn net_10_replayed_packets_from_elsewhere_move_nothing() {
    let mut world = connected_world();
    world.network.keeps_copies = true;
    transfer(&mut world, 50);
    world.run(SECOND);
    let copies = world.network.copies_to_server.clone();
    assert!(copies.len() >= 50);
    for copy in copies {
        world.with_server(|server, now| server.receive(now, elsewhere(0), copy));
    }
    assert!(world.server.refused.iter().all(|error| *error == OpenError::Replayed));
    assert_eq!(places(&world), []);
    assert!(ping(&mut world, PORT));
}

#[test]
fn net_10_a_peer_id_alone_moves_nothing_even_under_the_keys_of_another_session() {
    let mut world = connected_world();
    connect(&mut world, OTHER_PORT, CLIENTS[1].client_config());
    let victim = world.hosts[&PORT].connected.as_ref().unwrap().peer_id.unwrap();
    world.network.keeps_copies = true;
    for _ in 0..50 {
        world.with_client(OTHER_PORT, |client, now| client.send_packet(now, b"mine"));
    }
    for mut forged in std::mem::take(&mut world.network.copies_to_server) {
        forged[1..4].copy_from_slice(&victim.get().to_be_bytes()[1..]);
        world.with_server(|server, now| server.receive(now, path(OTHER_PORT), forged));
    }
    assert_eq!(world.server.refused, vec![OpenError::NotAuthentic; 50]);
    assert_eq!(places(&world), []);
    world.run(SECOND);
    assert!(ping(&mut world, PORT) && ping(&mut world, OTHER_PORT));
}

/// Whoever can stop a packet on its way and send it from elsewhere gets the answers, which it cannot read, until the
/// client's next packet.
#[test]
fn net_10_a_stolen_packet_moves_the_session_only_until_the_next_one() {
    let mut world = connected_world();
    world.network.holds_back = true;
    world.with_client(PORT, |client, now| client.send_packet(now, b"stolen"));
    world.network.holds_back = false;
    let stolen = world.network.take_held_back();
    assert_eq!(stolen.len(), 1);
    for datagram in stolen {
        world.with_server(|server, now| server.receive(now, elsewhere(0), datagram.payload));
    }
    assert_eq!(places(&world), [elsewhere(0)]);
    world.run(SECOND);
    assert!(ping(&mut world, PORT));
    assert_eq!(places(&world), [elsewhere(0), path(PORT)]);
}

#[test]
fn net_10_moves_are_limited_to_a_few_at_once_and_one_a_second_and_no_packet_is_lost() {
    let mut world = connected_world();
    for number in 0..60 {
        world.move_client(PORT, elsewhere(number));
        world.with_client(PORT, |client, now| client.send_packet(now, b"on the run"));
        world.run(150 * MILLISECOND);
    }
    world.run(SECOND);
    assert_eq!(world.server.received.len(), 60);
    let moves = world.server.floats.len();
    assert!((12..=15).contains(&moves), "{moves} moves in nine seconds");
    assert!(world.server.endpoint.counters().floats_refused > 30);
    world.run(SECOND);
    assert!(ping(&mut world, PORT), "the last place counts as soon as it may");
}

#[test]
fn net_10_nobody_moves_to_where_another_certificates_session_is() {
    let mut world = connected_world();
    connect(&mut world, OTHER_PORT, CLIENTS[1].client_config());
    world.move_client(OTHER_PORT, elsewhere(9));
    world.move_client(PORT, path(OTHER_PORT));
    world.with_client(PORT, |client, now| client.send_packet(now, b"mine"));
    world.run(SECOND);
    assert_eq!(world.server.received, [("client1".to_owned(), b"mine".to_vec())]);
    assert_eq!((places(&world), world.server.endpoint.counters().floats_refused), (vec![], 1));
    assert!(ping(&mut world, OTHER_PORT), "it has moved on itself");
    assert!(ping(&mut world, PORT), "now the place is free");
    assert_eq!(places(&world), [elsewhere(9), path(OTHER_PORT)]);
    assert_eq!(world.server.closed, []);
}

#[test]
fn net_10_a_client_that_moves_to_where_another_session_of_its_own_is_takes_its_place() {
    let mut world = connected_world();
    connect(&mut world, OTHER_PORT, CLIENTS[0].client_config());
    let other = world.server.session_at(&path(OTHER_PORT), "client1").unwrap();
    world.hosts.remove(&OTHER_PORT);
    world.move_client(PORT, path(OTHER_PORT));
    assert!(ping(&mut world, PORT));
    assert_eq!(world.server.closed, [(other, CloseReason::ReplacedByFloat)]);
    assert_eq!(places(&world), [path(OTHER_PORT)]);
}

#[test]
fn net_10_a_handshake_that_is_not_finished_holds_no_place() {
    let mut world = connected_world();
    world.start_client(OTHER_PORT, CLIENTS[1].client_config());
    // Its certificate is not on its way yet.
    world.run(35 * MILLISECOND);
    assert_eq!(world.server.endpoint.half_open(), 1);
    world.hosts.remove(&OTHER_PORT);
    world.move_client(PORT, path(OTHER_PORT));
    assert!(ping(&mut world, PORT));
    assert_eq!(places(&world), [path(OTHER_PORT)]);
}

#[test]
fn net_10_sessions_on_tcp_never_move_and_none_moves_there() {
    let over_tcp = |path: Path| Path { transport: Transport::Tcp, ..path };
    for (start, target) in [
        (path(PORT), over_tcp(elsewhere(0))),
        (over_tcp(path(PORT)), elsewhere(0)),
        (over_tcp(path(PORT)), over_tcp(elsewhere(0))),
    ] {
        let (mut world, _) = world();
        world.start_client_at(PORT, start, CLIENTS[0].client_config());
        assert!(world.run_until(SECOND, |world| world.hosts[&PORT].connected.is_some()));
        world.move_client(PORT, target);
        world.with_client(PORT, |client, now| client.send_packet(now, b"x"));
        world.run(SECOND);
        assert_eq!((places(&world), &world.server.refused[..]), (vec![], &[OpenError::ForeignPath][..]));
        let session = world.server.session_of("client1").unwrap();
        world.with_server(|server, now| server.endpoint.peer_floated(now, session, target));
        assert_eq!((places(&world), world.server.endpoint.counters().floats_refused), (vec![], 1));
        world.move_client(PORT, start);
        assert!(ping(&mut world, PORT));
    }
}

#[test]
fn an_old_client_without_peer_id_cannot_be_followed_and_connects_anew() {
    let (mut world, _) = world();
    let mut client = ClientConfig::new(CLIENTS[0].client_tls());
    client.peer_info = client.peer_info.replace("IV_PROTO=990", "IV_PROTO=0");
    let client = Arc::new(client);
    connect(&mut world, PORT, Arc::clone(&client));
    assert!(ping(&mut world, PORT));
    world.move_client(PORT, elsewhere(0));
    assert!(!ping(&mut world, PORT));
    assert_eq!((places(&world), world.server.refused.len()), (vec![], 0));
    connect(&mut world, PORT, client);
    assert!(ping(&mut world, PORT));
}

#[test]
fn crl_04_a_closed_session_does_not_move() {
    let mut world = connected_world();
    let session = world.server.session_of("client1").unwrap();
    world.with_server(|server, now| {
        server.endpoint.close(now, session, vpn_proto::Farewell::Silent);
        server.endpoint.peer_floated(now, session, elsewhere(0));
    });
    assert_eq!(places(&world), []);
}
