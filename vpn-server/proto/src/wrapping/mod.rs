//! The protection of control packets on the wire: which kinds a server takes, and the state each session keeps.
//!
//! The formats are in [`crate::wire`]; sessions see plain packets only. A server may take several kinds side by side,
//! each only if it was enabled; a datagram whose kind is not enabled, or whose MAC is wrong, gets no answer (NET-08).

#[cfg(feature = "client")]
mod client;
mod context;
mod settings;

#[cfg(feature = "client")]
pub use client::ClientWrapping;
pub(crate) use context::{Layer, SessionWrapping};
pub(crate) use settings::Stranger;
pub use settings::{TlsAuthSettings, WrappingSettings};
