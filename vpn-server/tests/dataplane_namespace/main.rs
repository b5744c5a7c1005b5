//! The running data plane between real sockets and a real TUN device, each test in a network namespace of its own.
//!
//! A namespace lives as long as the threads of its test: nothing is left behind, whatever happens, and tests do not see
//! each other. Needs root; says so and passes when it is not.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "support functions may fail a test, and say why they skip one"
)]

#[expect(dead_code, reason = "this binary needs a part of it")]
#[path = "../support/packets.rs"]
mod packets;
#[path = "../support/policies.rs"]
mod policies;
#[expect(dead_code, reason = "this binary needs a part of it")]
#[path = "../support/sessions.rs"]
mod sessions;

mod client;
mod device;
mod edge;
mod host;
mod plane;
mod server;

use std::net::Ipv4Addr;
use std::time::Duration;

use vpn_server::policy;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const PATIENCE: Duration = Duration::from_secs(60);
