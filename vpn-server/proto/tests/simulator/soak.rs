//! Half an hour of clients that send, renegotiate and move: nothing of it stays behind.

use std::time::Duration;

use crate::certificates::CLIENTS;
use crate::quiet::{PORT, SECOND, config, connect, ping, world_with};
use crate::world::{World, path_from};

const SESSIONS: u16 = 12;
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn half_an_hour_of_renegotiations_and_moves_under_traffic_leaves_nothing_behind() {
    let mut settings = config(&std::sync::Arc::default());
    settings.renegotiate_after = Some(3 * MINUTE);
    let mut world = world_with(settings);
    for port in ports() {
        connect(&mut world, port, CLIENTS[0].client_config());
    }
    for minute in 0..30 {
        for port in ports() {
            world.run(MINUTE / u32::from(SESSIONS));
            live(&mut world, port, minute);
        }
        world.run(10 * SECOND);
        assert_eq!(kept(&world), (usize::from(SESSIONS), usize::from(SESSIONS), 0), "after {minute} minutes");
    }
    assert_eq!(world.server.closed, []);
    assert!(world.server.renegotiations >= 12 * 10, "{}", world.server.renegotiations);
    assert!(world.server.floats.len() >= 12 * 10, "{}", world.server.floats.len());
}

/// What one client does in its turn: it sends, and now and then begins a renegotiation or comes from elsewhere.
fn live(world: &mut World, port: u16, minute: u16) {
    assert!(ping(world, port), "client {port} in minute {minute}");
    match (port + minute) % 3 {
        0 => world.move_client(port, path_from([198, 51, 100, 7], 1000 * (port - PORT + 1) + minute)),
        1 => world.with_client(port, |client, now| client.renegotiate(now)),
        _ => {}
    }
}

/// Sessions, paths, and handshakes under way.
fn kept(world: &World) -> (usize, usize, usize) {
    let endpoint = &world.server.endpoint;
    (endpoint.sessions(), endpoint.paths().count(), endpoint.half_open())
}

fn ports() -> impl Iterator<Item = u16> {
    PORT..PORT + SESSIONS
}
