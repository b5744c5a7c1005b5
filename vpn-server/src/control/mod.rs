//! The control plane: who may connect, who is connected, and who no longer is.
//!
//! ```text
//!   data plane ── control datagrams, exits, moves ──► mailbox ─► shard ─► datagrams ──► data plane
//!                                                                 │ ▲
//!              revocation, reload, shutdown ───── commands ───────┘ └── one protocol endpoint per shard
//! ```
//!
//! A shard is a thread that owns a protocol endpoint and the sessions in it. Sessions are spread over shards by the
//! client's address, so that one client's handshake never waits for its own shard's lock: there is none; a client that
//! moves stays with its shard. What shards share is the registry (places, addresses, peer ids), the paths that clients
//! are on, the trust snapshot and the connection log.
//!
//! Knows no sockets and no connections: datagrams leave through a trait that the data plane's transmitter implements,
//! whatever carries them.

mod admission;
mod blocks;
mod chronicle;
mod clients;
pub mod connection;
mod counters;
mod fair_queue;
mod mailbox;
mod plane;
mod push;
mod registry;
#[cfg(test)]
mod scenarios;
mod shard;
mod standing;
mod whereabouts;

use std::io;

use vpn_proto::Path;

use crate::transport::tcp::Standing;

pub use blocks::{Block, BlockedIdentity};
pub use clients::{ClientDirectory, ClientLookupError};
pub use counters::ControlTotals;
pub(crate) use plane::{ControlHandle, ControlPlane, ControlSettings, Mailroom};
pub use registry::ConnectionSnapshot;

/// The way out for control datagrams.
pub(crate) trait SendDatagrams: Send {
    /// Sends one datagram; what cannot be sent at once is lost, as on any network.
    fn send(&self, path: Path, datagram: &[u8]) -> io::Result<()>;

    /// Says how a path stands: a transport with connections closes those that nobody needs, or shall have.
    fn set_standing(&self, path: Path, standing: Standing);
}
