//! What the data plane hands to the control side.

use std::sync::Arc;

use vpn_proto::{Path, SessionHandle};

/// Takes a [`ControlInput`]; `false` if there is no room for it, which drops and counts it.
///
/// Called on a worker: it must return at once. A bounded queue's non-blocking send is what it is made for.
pub type ControlSink = Arc<dyn Fn(ControlInput) -> bool + Send + Sync>;

/// Something only the control side can deal with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlInput {
    /// A control datagram. Whoever takes it picks the shard.
    Datagram {
        /// Where it came from.
        path: Path,
        /// The whole datagram; 1 to [`LONGEST_CONTROL_DATAGRAM`] octets.
        bytes: Vec<u8>,
    },
    /// A connection is closed, of which the control side took note by a [`Standing`](crate::transport::tcp::Standing).
    /// Comes after every datagram of it, and must find room always.
    Disconnected {
        /// Where it was.
        path: Path,
    },
    /// A peer said, authentically, that it leaves.
    PeerExit {
        /// Its session.
        session: SessionHandle,
        /// The shard that owns the session.
        shard: usize,
    },
    /// A peer was heard, authentically, from elsewhere.
    PeerFloated {
        /// Its session.
        session: SessionHandle,
        /// The shard that owns the session.
        shard: usize,
        /// Where it seems to be.
        path: Path,
    },
}

/// The longest control datagram that is passed on (limits table of the threat model); honest ones have at most 1250.
pub const LONGEST_CONTROL_DATAGRAM: usize = 2048;
