//! The kinds of wrapping between a server and its clients.

use std::sync::Arc;
use std::time::Duration;

use vpn_proto::client::ClientConfig;
use vpn_proto::{
    AuthDigest, ClientWrapping, EndpointConfig, KeyDirection, StaticKey, TlsAuthSettings, TlsCryptV2Key,
    TlsVersion, WrappingSettings,
};

use crate::certificates::{Authority, CLIENTS, SERVER};
use crate::network::Conditions;
use crate::random::Random;
use crate::server::Server;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);
const PORT: u16 = 5000;
/// 2026-11-20, in seconds.
pub(crate) const UNIX_TIME: Duration = Duration::from_secs(1_795_132_800);

pub(crate) fn static_key() -> StaticKey {
    StaticKey::new(std::array::from_fn(|index| index as u8))
}

fn server_key() -> TlsCryptV2Key {
    TlsCryptV2Key::new(&[0x3c; TlsCryptV2Key::LENGTH])
}

fn tls_auth(direction: KeyDirection) -> TlsAuthSettings {
    TlsAuthSettings { key: static_key(), direction, digest: AuthDigest::Sha256 }
}

/// A key of one client, and the same wrapped for the server with a note.
fn client_key() -> (StaticKey, Vec<u8>) {
    let octets = [0x77; StaticKey::LENGTH];
    (StaticKey::new(octets), server_key().wrap(&octets, b"\0client1").unwrap())
}

/// Every kind that a client may have.
pub(crate) fn client_wrappings() -> Vec<ClientWrapping> {
    let (key, wrapped) = client_key();
    vec![
        ClientWrapping::Plain,
        ClientWrapping::TlsAuth(static_key(), KeyDirection::One, AuthDigest::Sha256),
        ClientWrapping::TlsCrypt(static_key()),
        ClientWrapping::TlsCryptV2(key.clone(), wrapped.clone()),
        ClientWrapping::TlsCryptV2WithoutEarlyNegotiation(key, wrapped),
    ]
}

/// A server that takes every kind.
pub(crate) fn all_wrappings() -> WrappingSettings {
    WrappingSettings::plain()
        .with_tls_auth(tls_auth(KeyDirection::Zero))
        .with_tls_crypt(static_key())
        .with_tls_crypt_v2(server_key(), false)
}

fn world(wrapping: WrappingSettings) -> World {
    let mut config =
        EndpointConfig::new(SERVER.server_settings(TlsVersion::Tls12), Arc::<Authority>::default());
    config.wrapping = wrapping;
    config.unix_time_of_origin = UNIX_TIME;
    let quiet = Conditions { latency: Duration::from_millis(10), ..Conditions::default() };
    World::new(1, Server::new(config, Random::new(2)), quiet)
}

fn client(wrapping: ClientWrapping) -> Arc<ClientConfig> {
    let mut config = ClientConfig::new(CLIENTS[0].client_tls());
    config.wrapping = wrapping;
    config.unix_time_of_origin = UNIX_TIME;
    Arc::new(config)
}

fn connects(world: &mut World, port: u16, wrapping: ClientWrapping) -> bool {
    world.start_client(port, client(wrapping));
    world.run_until(5 * SECOND, |world| world.hosts[&port].connected.is_some())
}

fn pings(world: &mut World, port: u16) -> bool {
    let before = world.hosts[&port].received.len();
    world.with_client(port, |client, now| client.send_packet(now, b"a tunnel packet"));
    world.run_until(SECOND, |world| world.hosts[&port].received.len() > before)
}

#[test]
fn clients_of_every_kind_connect_to_one_port_and_renegotiate() {
    let mut world = world(all_wrappings());
    for (port, wrapping) in (PORT..).zip(client_wrappings()) {
        assert!(connects(&mut world, port, wrapping), "client {port}: {:?}", world.server.failures);
        for _ in 0..9 {
            world.with_client(port, |client, now| client.renegotiate(now));
            world.run(SECOND);
            assert!(pings(&mut world, port), "client {port}");
        }
        assert_eq!(world.hosts[&port].renegotiations, 9);
    }
}

#[test]
fn net_08_a_kind_that_is_not_enabled_gets_no_answer() {
    let only = [
        WrappingSettings::plain(),
        WrappingSettings::none().with_tls_auth(tls_auth(KeyDirection::Zero)),
        WrappingSettings::none().with_tls_crypt(static_key()),
        WrappingSettings::none().with_tls_crypt_v2(server_key(), false),
    ];
    for (enabled, settings) in only.into_iter().enumerate() {
        for (kind, wrapping) in client_wrappings().into_iter().take(4).enumerate() {
            let mut world = world(settings.clone());
            assert_eq!(
                connects(&mut world, PORT, wrapping),
                kind == enabled,
                "kind {kind} with only {enabled}"
            );
            if kind != enabled {
                assert_eq!(
                    world.server.endpoint.counters().resets_answered,
                    0,
                    "kind {kind} with only {enabled}"
                );
                assert_eq!(world.server.endpoint.half_open(), 0);
            }
        }
    }
}

#[test]
fn net_08_a_wrong_key_or_direction_gets_no_answer() {
    let wrong = StaticKey::new([1; StaticKey::LENGTH]);
    let strangers = [
        ClientWrapping::TlsAuth(wrong.clone(), KeyDirection::One, AuthDigest::Sha256),
        ClientWrapping::TlsAuth(static_key(), KeyDirection::Zero, AuthDigest::Sha256),
        ClientWrapping::TlsAuth(static_key(), KeyDirection::One, AuthDigest::Sha512),
        ClientWrapping::TlsCrypt(wrong.clone()),
        ClientWrapping::TlsCryptV2(wrong, client_key().1),
    ];
    let settings = WrappingSettings::none()
        .with_tls_auth(tls_auth(KeyDirection::Zero))
        .with_tls_crypt(static_key())
        .with_tls_crypt_v2(server_key(), false);
    for (number, stranger) in strangers.into_iter().enumerate() {
        let mut world = world(settings.clone());
        assert!(!connects(&mut world, PORT, stranger), "stranger {number}");
        assert_eq!(world.server.endpoint.counters().resets_answered, 0, "stranger {number}");
    }
}

#[test]
fn tls_auth_without_directions_works() {
    let mut world = world(WrappingSettings::none().with_tls_auth(tls_auth(KeyDirection::Bidirectional)));
    let wrapping = ClientWrapping::TlsAuth(static_key(), KeyDirection::Bidirectional, AuthDigest::Sha256);
    assert!(connects(&mut world, PORT, wrapping));
}

#[test]
fn net_08_a_server_may_insist_on_cookies_for_tls_crypt_v2() {
    let (key, wrapped) = client_key();
    let mut world = world(WrappingSettings::none().with_tls_crypt_v2(server_key(), true));
    let old = ClientWrapping::TlsCryptV2WithoutEarlyNegotiation(key.clone(), wrapped.clone());
    assert!(!connects(&mut world, PORT, old));
    assert!(connects(&mut world, PORT + 1, ClientWrapping::TlsCryptV2(key, wrapped)));
}

#[test]
fn net_01_a_reset_with_a_wrapped_key_costs_the_server_no_state() {
    let (key, wrapped) = client_key();
    let mut world = world(all_wrappings());
    world.network.conditions.latency = Duration::from_secs(3600);
    world.start_client(PORT, client(ClientWrapping::TlsCryptV2(key, wrapped)));
    let reset = world.network.last_sent().unwrap();
    for port in 6000..6500 {
        world.server.receive(world.now, crate::world::path(port), reset.clone());
    }
    assert_eq!(world.server.endpoint.counters().resets_answered, 500);
    assert_eq!(world.server.endpoint.half_open(), 0);
}

#[test]
fn net_08_what_stands_beside_a_clients_key_comes_with_the_request() {
    let (key, wrapped) = client_key();
    let mut world = world(all_wrappings());
    assert!(connects(&mut world, PORT, ClientWrapping::TlsCryptV2(key, wrapped)));
    assert_eq!(world.server.metadata, [Some(b"\0client1".to_vec())]);
}

#[test]
fn net_08_replayed_control_packets_change_nothing() {
    for (kind, wrapping) in client_wrappings().into_iter().enumerate().skip(1) {
        let mut world = world(all_wrappings());
        world.network.keeps_copies = true;
        assert!(connects(&mut world, PORT, wrapping));
        world.run(SECOND);
        let copies = world.network.copies_to_server.clone();
        assert!(copies.len() > 3);
        for copy in copies {
            world.with_server(|server, now| server.receive(now, crate::world::path(PORT), copy));
        }
        world.run(SECOND);
        assert!(pings(&mut world, PORT), "kind {kind}");
        assert_eq!(world.server.closed, [], "kind {kind}");
    }
}
