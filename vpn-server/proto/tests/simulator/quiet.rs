//! A world whose network is quiet, and what most tests do first in it.

use std::sync::Arc;
use std::time::Duration;

use crate::certificates::{Authority, SERVER};
use crate::network::Conditions;
use crate::random::Random;
use crate::server::Server;
use crate::world::World;
use vpn_proto::client::ClientConfig;
use vpn_proto::{EndpointConfig, TlsVersion};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const PORT: u16 = 5000;

pub(crate) fn quiet() -> Conditions {
    Conditions { latency: Duration::from_millis(10), ..Conditions::default() }
}

pub(crate) fn config(authority: &Arc<Authority>) -> EndpointConfig {
    EndpointConfig::new(SERVER.server_settings(TlsVersion::Tls12), Arc::clone(authority) as _)
}

pub(crate) fn world_with(config: EndpointConfig) -> World {
    World::new(1, Server::new(config, Random::new(2)), quiet())
}

pub(crate) fn world() -> (World, Arc<Authority>) {
    let authority = Arc::new(Authority::default());
    (world_with(config(&authority)), authority)
}

pub(crate) fn connect(world: &mut World, port: u16, config: Arc<ClientConfig>) {
    world.start_client(port, config);
    let connected = world.run_until(10 * SECOND, |world| world.hosts[&port].connected.is_some());
    assert!(connected, "{:?} {:?}", world.hosts[&port].ended, world.server.failures);
}

pub(crate) fn ping(world: &mut World, port: u16) -> bool {
    let before = world.hosts[&port].received.len();
    world.with_client(port, |client, now| client.send_packet(now, b"a tunnel packet"));
    world.run_until(SECOND, |world| world.hosts[&port].received.len() > before)
}
