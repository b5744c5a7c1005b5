//! A laboratory for tests and the demonstration: machines in network namespaces, stock OpenVPN peers, a certificate
//! authority, and traffic of which every packet is accounted for.
//!
//! It knows Postern from outside only, as a program, so that a scenario shows what a user sees, and so that the
//! server under test can be exchanged for stock OpenVPN (see [`server`]).
//!
//! What it is not: a model of slow or lossy networks. Those are simulated in virtual time by `vpn-proto`'s own tests.
//!
//! Everything waits with a time limit, and everything that was set up goes away when its value is dropped, also
//! when a test panics. What a killed run left behind is removed by the next one (see [`leftovers`]).

pub mod command;
pub mod directory;
pub mod failure;
pub mod figures;
pub mod host;
pub mod lab;
pub mod leftovers;
pub mod log;
pub mod namespace;
pub mod pki;
pub mod postern;
pub mod process;
pub mod server;
pub mod stock;
pub mod traffic;
pub mod vpn;
pub mod wait;

pub use directory::Directory;
pub use failure::{Context, Failure, Result};
pub use host::Host;
pub use lab::Lab;
pub use pki::{KeyKind, Pki};
pub use server::{Implementation, Server, ServerPlan};
pub use stock::client::StockClient;
pub use vpn::Vpn;
