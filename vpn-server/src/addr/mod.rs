//! Addresses of clients inside the tunnel.
//!
//! Pure: no I/O, no clock. The only writer is the session registry of the control plane.

mod pool;

pub use pool::{AddressPool, PoolExhausted};
