//! An OpenVPN-protocol server that trusts a `pki-core` authority.
//!
//! ```text
//!              ┌──────────────────────── runtime ─────────────────────────┐
//!              │ start, reload, stop; knows all parts                     │
//!              └───┬───────────────┬──────────────┬──────────────┬────────┘
//!   sockets, TUN ◄ transport ◄ dataplane ◄──► control ──► addr  auth   net (forwarding, NAT)
//!                                  │    tables    │         (trust, revocation)
//!                                policy        vpn-proto          observe (connection log)
//! ```
//!
//! Control and data plane meet in two places: tables that control writes and workers read without a lock, and the
//! mailboxes into which workers put control datagrams. Handshakes never run on a worker.
//!
//! Arrows: `runtime` uses everything; `control` uses `addr`, `auth`, `observe` and the data plane's tables; `dataplane`
//! uses `policy` and never `control`; `policy`, `addr` and `config` are pure.

pub mod addr;
pub mod auth;
pub mod authorities;
pub mod clock;
pub mod config;
pub mod control;
pub mod dataplane;
pub mod errands;
pub mod hooks;
pub mod management;
pub mod net;
pub mod observe;
pub mod policy;
mod priority;
mod random;
pub mod runtime;
pub mod status;
pub mod stock;
#[cfg(test)]
mod testing;
pub mod transport;

pub use runtime::{Server, serve};
