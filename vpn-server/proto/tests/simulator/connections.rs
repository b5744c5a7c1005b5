//! What a transport with connections hears of the endpoint and tells it, on a quiet network.

use std::sync::Arc;
use std::time::Duration;

use crate::certificates::{Authority, CLIENTS, SERVER, Standing};
use crate::network::Conditions;
use crate::random::Random;
use crate::server::Server;
use crate::world::{World, path};
use vpn_proto::{CloseReason, EndpointConfig, Farewell, TlsVersion};

const SECOND: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(10);
const PORT: u16 = 5000;

fn world() -> (World, Arc<Authority>) {
    let authority = Arc::new(Authority::default());
    let config = EndpointConfig::new(SERVER.server_settings(TlsVersion::Tls12), Arc::clone(&authority) as _);
    let conditions = Conditions { latency: LATENCY, ..Conditions::default() };
    (World::new(1, Server::new(config, Random::new(2)), conditions), authority)
}

fn connect(world: &mut World, port: u16, client: usize) {
    world.start_client(port, CLIENTS[client].client_config());
    assert!(world.run_until(10 * SECOND, |world| world.hosts[&port].connected.is_some()));
}

fn disconnect(world: &mut World, port: u16) {
    world.with_server(|server, now| server.endpoint.disconnected(now, &path(port)));
}

#[test]
fn a_lost_connection_ends_its_session_at_once_and_nothing_is_said_to_it() {
    let (mut world, _) = world();
    connect(&mut world, PORT, 0);
    connect(&mut world, PORT + 1, 1);
    let session = world.server.session_of("client1").unwrap();
    let channel = Arc::clone(world.server.peers[&session].channel.as_ref().unwrap());
    disconnect(&mut world, PORT);
    assert!(!channel.is_open());
    assert_eq!(world.server.closed, [(session, CloseReason::ConnectionLost)]);
    assert_eq!(CloseReason::ConnectionLost.code(), "connection-lost");
    assert!(world.server.poll_transmit().is_none());
    assert_eq!(world.server.endpoint.paths().collect::<Vec<_>>(), [&path(PORT + 1)]);
    assert_eq!(world.server.settled, [path(PORT)]);
    disconnect(&mut world, PORT);
    assert_eq!(world.server.closed.len(), 1, "once is enough");
}

#[test]
fn a_connection_lost_during_the_handshake_is_a_failed_attempt() {
    let (mut world, _) = world();
    world.start_client(PORT, CLIENTS[0].client_config());
    assert!(world.run_until(SECOND, |world| world.server.endpoint.half_open() == 1));
    disconnect(&mut world, PORT);
    let failures: Vec<_> = world.server.failures.iter().map(|failure| failure.code).collect();
    assert_eq!((failures, world.server.endpoint.half_open()), (vec!["connection-lost"], 0));
    assert_eq!(world.server.closed, []);
}

#[test]
fn a_failure_that_was_told_is_not_told_again_when_the_connection_is_lost() {
    let (mut world, authority) = world();
    authority.set("client1", Standing::Revoked);
    world.start_client(PORT, CLIENTS[0].client_config());
    assert!(world.run_until(SECOND, |world| !world.server.failures.is_empty()));
    disconnect(&mut world, PORT);
    assert_eq!(world.server.failures.len(), 1);
}

#[test]
fn a_stranger_is_known_from_the_moment_it_returns_the_cookie() {
    let (mut world, _) = world();
    world.start_client(PORT, CLIENTS[0].client_config());
    world.run(LATENCY + LATENCY);
    assert_eq!(world.server.begun, [], "the reset alone proves nothing");
    world.run(LATENCY + LATENCY);
    assert_eq!(world.server.begun, [path(PORT)]);
    assert!(world.run_until(SECOND, |world| world.hosts[&PORT].connected.is_some()));
    assert_eq!((world.server.begun.len(), world.server.settled.len()), (1, 0));
}

#[test]
fn a_path_is_settled_when_the_farewell_was_heard_and_not_before() {
    let (mut world, _) = world();
    connect(&mut world, PORT, 0);
    let session = world.server.session_of("client1").unwrap();
    world.with_server(|server, now| {
        server.endpoint.close(now, session, Farewell::Restart(String::new()));
    });
    world.run(LATENCY + LATENCY / 2);
    assert_eq!(world.server.settled, []);
    world.run(LATENCY);
    assert_eq!(world.server.settled, [path(PORT)]);
    world.run(10 * SECOND);
    assert_eq!(world.server.settled.len(), 1, "once is enough");
}

#[test]
fn a_path_whose_client_never_answers_is_settled_by_the_end_of_the_session() {
    let (mut world, _) = world();
    connect(&mut world, PORT, 0);
    let session = world.server.session_of("client1").unwrap();
    world.hosts.clear();
    world.with_server(|server, now| {
        server.endpoint.close(now, session, Farewell::Restart(String::new()));
    });
    assert!(!world.run_until(4 * SECOND, |world| !world.server.settled.is_empty()));
    assert!(world.run_until(2 * SECOND, |world| !world.server.settled.is_empty()));
}

#[test]
fn a_path_is_not_settled_while_another_session_on_it_goes_on() {
    let (mut world, _) = world();
    connect(&mut world, PORT, 0);
    connect(&mut world, PORT, 0);
    assert_eq!(world.server.closed.len(), 1, "the former session of the same client");
    world.run(10 * SECOND);
    assert_eq!(world.server.settled, []);
    let session = world.server.session_of("client1").unwrap();
    world.with_server(|server, now| server.endpoint.close(now, session, Farewell::Silent));
    assert_eq!(world.server.settled, [path(PORT)]);
}
