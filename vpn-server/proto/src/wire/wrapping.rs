//! What the wrappings of control packets have in common. The packet that goes in and comes out is a plain one:
//!
//! ```text
//!  op/key(1) | session id(8) | rest
//! ```

use super::WireError;
use super::replay_id::ReplayId;
use crate::ids::SessionId;

/// Octets in front that every wrapping leaves readable: opcode, key id and the sender's session id.
pub(crate) const HEADER: usize = 1 + SessionId::LENGTH;

/// A packet whose wrapping is off and was authentic.
pub(crate) struct Unwrapped {
    /// To be checked against the session's window; `None` without wrapping.
    pub(crate) replay_id: Option<ReplayId>,
    /// The plain packet.
    pub(crate) packet: Vec<u8>,
}

/// Why a wrapping does not come off. Such a datagram is dropped without an answer (NET-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnwrapError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("authentication failed")]
    NotAuthentic,
}

/// The sender's session id of a datagram, whatever its wrapping.
pub(crate) fn sender(datagram: &[u8]) -> Option<SessionId> {
    let octets = datagram.get(1..HEADER)?;
    SessionId::new(octets.try_into().ok()?)
}

/// A plain packet's header and what follows it.
pub(super) fn split(packet: &[u8]) -> (&[u8], &[u8]) {
    packet.split_at(HEADER.min(packet.len()))
}

pub(super) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
