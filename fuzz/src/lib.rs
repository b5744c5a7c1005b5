//! Fuzz targets: the functions that the ordinary tests replay seeds with, for a fuzzer.
//!
//! They live beside those tests, with the simulated world that some of them need.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "test code that is used in part")]

#[path = "../../vpn-server/proto/tests/simulator/certificates.rs"]
mod certificates;
#[path = "../../vpn-server/proto/tests/simulator/fuzzing.rs"]
mod fuzzing;
#[path = "../../vpn-server/tests/support/inner_packets.rs"]
mod inner;
#[path = "../../vpn-server/proto/tests/simulator/network.rs"]
mod network;
#[path = "../../vpn-server/proto/tests/simulator/random.rs"]
mod random;
#[path = "../../vpn-server/proto/tests/simulator/random_worlds.rs"]
mod random_worlds;
#[path = "../../vpn-server/proto/tests/simulator/server.rs"]
mod server;
#[path = "../../vpn-server/proto/tests/simulator/world.rs"]
mod world;
#[path = "../../vpn-server/proto/tests/simulator/wrappings.rs"]
mod wrappings;

/// A whole life: clients, a server and a network.
pub fn world(octets: &[u8]) {
    fuzzing::world(octets);
}

/// Datagrams of strangers to one server.
pub fn datagrams(octets: &[u8]) {
    fuzzing::datagrams(octets);
}

/// Every decoder of packets and messages.
pub fn messages(octets: &[u8]) {
    fuzzing::messages(octets);
}

/// A TCP stream in pieces.
pub fn frames(octets: &[u8]) {
    fuzzing::frames(octets);
}

/// IP packets out of a tunnel.
pub fn inner_packets(octets: &[u8]) {
    inner::inner_packets(octets);
}
