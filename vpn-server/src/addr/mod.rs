//! Addresses of clients inside the tunnel.
//!
//! Pure: no I/O, no clock. The only writer is the session registry of the control plane.

mod book;
pub mod ledger;
mod pool;

pub use book::{AddressBook, AddressWish, Lease, NoAddress};
pub use pool::{Address, AddressPool, ClaimError, PoolExhausted};
