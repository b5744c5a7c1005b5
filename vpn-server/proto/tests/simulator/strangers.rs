//! What the server does for those who have not shown a certificate: few answers, few places, little time.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::certificates::{Authority, CLIENTS};
use crate::quiet::{PORT, SECOND, config, connect, ping, world_with};
use crate::world::{World, path, path_from};
use vpn_proto::{EndpointConfig, HalfOpenLimits, Path, ReplyLimiter, Transport};

fn config_of_a_server() -> EndpointConfig {
    config(&Arc::<Authority>::default())
}

fn limited_to(replies_per_second: u32) -> EndpointConfig {
    let limiter = ReplyLimiter::new(NonZeroU32::new(replies_per_second).unwrap(), [9; 16]);
    EndpointConfig { reply_limiter: Some(Arc::new(limiter)), ..config_of_a_server() }
}

fn reset(client_id: u64) -> Vec<u8> {
    [&[0x38][..], &client_id.to_be_bytes(), &[0; 5]].concat()
}

/// Sends a hard reset; the answer, if there is one.
fn knock(world: &mut World, path: Path, client_id: u64) -> Option<Vec<u8>> {
    world.server.receive(world.now, path, reset(client_id));
    world.server.poll_transmit().map(|transmit| transmit.payload)
}

/// Begins a handshake as far as it goes without a word of TLS.
fn half_open(world: &mut World, path: Path) {
    let answer = knock(world, path, 7).unwrap();
    let acknowledgement = [&[0x28][..], &7_u64.to_be_bytes(), &[1, 0, 0, 0, 0], &answer[1..9]].concat();
    world.server.receive(world.now, path, acknowledgement);
}

#[test]
fn net_02_a_network_that_has_had_its_answers_costs_no_other_its_own() {
    let mut world = world_with(limited_to(50));
    let flood = (1..=2000).filter(|id| knock(&mut world, path_from([198, 51, 100, 7], 4000), *id).is_some());
    let answered = flood.count();
    assert!((50..=300).contains(&answered), "{answered}: 50, and about one in 16 of the others");
    let counters = world.server.endpoint.counters();
    assert_eq!(counters.resets_answered + counters.resets_unanswered, 2000);
    let before = world.now;
    connect(&mut world, PORT, CLIENTS[0].client_config());
    assert!(world.now.saturating_since(before) < SECOND, "at once");
}

#[test]
fn net_02_a_network_that_is_flooded_under_its_own_addresses_still_gets_in() {
    let mut world = world_with(limited_to(10));
    world.start_client(PORT, CLIENTS[0].client_config());
    for id in 1..20_000 {
        knock(&mut world, path(6000), id);
        if id % 100 == 0 {
            world.run(Duration::from_millis(100));
        }
    }
    assert!(world.run_until(60 * SECOND, |world| world.hosts[&PORT].connected.is_some()));
}

#[test]
fn net_02_clients_behind_one_address_that_return_the_cookie_are_not_limited() {
    let mut world = world_with(limited_to(3));
    for port in 6000..6100 {
        half_open(&mut world, path(port));
    }
    assert_eq!(world.server.endpoint.counters().resets_unanswered, 0);
}

#[test]
fn net_03_at_most_one_datagram_answers_one_and_none_follows_by_itself() {
    let mut world = world_with(config_of_a_server());
    let answer = knock(&mut world, path(PORT), 7).unwrap();
    assert_eq!(answer.len(), 26);
    assert_eq!(world.server.poll_transmit(), None);
    world.run(120 * SECOND);
    assert_eq!(world.server.poll_transmit(), None);
    assert_eq!(world.server.endpoint.poll_timeout(), None);
}

#[test]
fn net_04_4096_handshakes_find_a_place_and_one_more_costs_the_oldest_of_the_busiest_network() {
    let mut world = world_with(config_of_a_server());
    assert_eq!(HalfOpenLimits::default().total, 4096);
    connect(&mut world, PORT, CLIENTS[0].client_config());
    for number in 0..4096_u32 {
        let [.., third, fourth] = number.to_be_bytes();
        half_open(&mut world, path_from([198, 51, third, fourth], 4000));
    }
    assert_eq!((world.server.endpoint.half_open(), world.server.endpoint.counters().evicted), (4096, 0));
    half_open(&mut world, path_from([203, 0, 113, 1], 4000));
    assert_eq!((world.server.endpoint.half_open(), world.server.endpoint.counters().evicted), (4096, 1));
    connect(&mut world, PORT + 1, CLIENTS[1].client_config());
    assert!(ping(&mut world, PORT), "who is in stays in");
}

#[test]
fn net_04_one_network_fills_its_own_share_only() {
    let limits = HalfOpenLimits { total: 100, per_network: 20 };
    let mut world = world_with(EndpointConfig { half_open: limits, ..config_of_a_server() });
    for port in 1..=20 {
        half_open(&mut world, path_from([198, 51, 100, 7], port));
    }
    assert_eq!(world.server.endpoint.counters().evicted, 0);
    for port in 21..=500 {
        half_open(&mut world, path_from([198, 51, 100, 7], port));
    }
    assert_eq!((world.server.endpoint.half_open(), world.server.endpoint.counters().evicted), (20, 480));
}

#[test]
fn net_04_who_is_silent_for_ten_seconds_in_the_handshake_is_given_up_and_who_is_slow_is_not() {
    let mut world = world_with(config_of_a_server());
    half_open(&mut world, path_from([198, 51, 100, 7], 1));
    world.run(9 * SECOND);
    assert_eq!(world.server.failures, []);
    world.run(2 * SECOND);
    let failures: Vec<_> = world.server.failures.iter().map(|failure| failure.code).collect();
    assert_eq!(failures, ["handshake-timeout"]);
    world.run(6 * SECOND);
    assert_eq!(world.server.endpoint.half_open(), 0);
    // Four seconds each way: no answer comes sooner than after eight.
    world.network.conditions.latency = 4 * SECOND;
    world.start_client(PORT, CLIENTS[0].client_config());
    assert!(world.run_until(60 * SECOND, |world| world.hosts[&PORT].connected.is_some()));
}

#[test]
fn net_04_thirty_seconds_are_the_time_for_a_handshake_however_lively_it_is() {
    let mut world = world_with(config_of_a_server());
    let path = path_from([198, 51, 100, 7], 1);
    half_open(&mut world, path);
    for _ in 0..31 {
        world.run(SECOND);
        let nothing_new = [&[0x28][..], &7_u64.to_be_bytes(), &[0]].concat();
        world.server.receive(world.now, path, nothing_new);
    }
    assert_eq!(world.server.failures.len(), 1, "{:?}", world.server.failures);
}

#[test]
fn net_04_failed_attempts_keep_their_place_until_they_are_gone() {
    let limits = HalfOpenLimits { total: 10, per_network: 10 };
    let mut world = world_with(EndpointConfig { half_open: limits, ..config_of_a_server() });
    for port in 1..=50 {
        let path = path_from([198, 51, 100, 7], port);
        half_open(&mut world, path);
        let no_tls = [&[0x20][..], &7_u64.to_be_bytes(), &[0], &[0, 0, 0, 1], &[0x55; 100]].concat();
        world.with_server(|server, now| server.receive(now, path, no_tls));
    }
    assert_eq!(world.server.failures.len(), 50);
    assert_eq!(world.server.endpoint.half_open(), 10);
    world.run(10 * SECOND);
    assert_eq!(world.server.endpoint.half_open(), 0);
}

#[test]
fn over_a_connection_the_server_says_everything_once() {
    let mut world = world_with(config_of_a_server());
    let over_tcp = Path { transport: Transport::Tcp, ..path(PORT) };
    world.start_client_at(PORT, over_tcp, CLIENTS[0].client_config());
    assert!(world.run_until(10 * SECOND, |world| world.hosts[&PORT].connected.is_some()));
    for _ in 0..3 {
        world.with_client(PORT, |client, now| client.renegotiate(now));
        world.run(SECOND);
        assert!(ping(&mut world, PORT));
    }
    assert_eq!(world.hosts[&PORT].renegotiations, 3);
    // A client that has stopped reading is not sent the farewell again and again.
    let session = world.server.session_of("client1").unwrap();
    world.hosts.clear();
    world.server.endpoint.close(world.now, session, vpn_proto::Farewell::Restart(String::new()));
    let mut sent = 0;
    for _ in 0..10 {
        while world.server.poll_transmit().is_some() {
            sent += 1;
        }
        world.run(SECOND);
    }
    assert_eq!(sent, 1);
}
