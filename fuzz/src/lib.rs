//! Fuzz targets: the functions that the ordinary tests replay seeds with, for a fuzzer.
//!
//! They live beside those tests, with the simulated world that some of them need.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "test code that is used in part")]

#[path = "../../vpn-server/proto/tests/simulator/certificates.rs"]
mod certificates;
#[path = "../../pki-core/tests/support/fuzzing.rs"]
mod files;
#[path = "../../vpn-server/proto/tests/simulator/fuzzing.rs"]
mod fuzzing;
#[path = "../../vpn-server/tests/support/inner_packets.rs"]
mod inner;
#[path = "../../vpn-server/proto/tests/simulator/network.rs"]
mod network;
#[path = "../../cli/src/easyrsa/plain_vars.rs"]
mod plain_vars;
#[path = "../../vpn-server/proto/tests/simulator/random.rs"]
mod random;
#[path = "../../vpn-server/proto/tests/simulator/random_worlds.rs"]
mod random_worlds;
#[path = "../../vpn-server/proto/tests/simulator/server.rs"]
mod server;
#[path = "../../vpn-server/tests/support/stock_files.rs"]
mod stock_files;
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

/// OpenSSL's certificate index.
pub fn index_txt(octets: &[u8]) {
    files::index_txt(octets);
}

/// `x509-types` and what people type.
pub fn extension_file(octets: &[u8]) {
    files::extension_file(octets);
}

/// Certificate requests.
pub fn request(octets: &[u8]) {
    files::request(octets);
}

/// Certificates.
pub fn certificate(octets: &[u8]) {
    files::certificate(octets);
}

/// Revocation lists.
pub fn revocation_list(octets: &[u8]) {
    files::revocation_list(octets);
}

/// Private keys in every form that is read.
pub fn private_key(octets: &[u8]) {
    files::private_key(octets);
}

/// PKCS#12 containers.
pub fn container(octets: &[u8]) {
    files::container(octets);
}

/// easy-rsa's settings, as far as no shell is needed for them.
pub fn vars(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let environment = |name: &str| (name == "HOME").then(|| "/home/somebody".to_owned());
    let found = plain_vars::parse(&text, &environment);
    assert_eq!(plain_vars::parse(&format!("# comment\n{text}\n# comment"), &environment), found);
}

/// Profiles and configurations of OpenVPN.
pub fn profile(octets: &[u8]) {
    stock_files::profile(octets);
}

/// Profiles of others, judged.
pub fn lint(octets: &[u8]) {
    files::lint(octets);
}
