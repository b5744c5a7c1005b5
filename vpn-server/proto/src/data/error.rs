//! Why a packet does not pass. Each reason is counted, never logged for each packet.

/// Why a datagram was not opened. Count it and drop the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The session is closed; its keys are gone (CRL-04).
    #[error("the session is closed")]
    Closed,
    /// No data packet, or one of a format that this peer does not use.
    #[error("not a data packet of this session's format")]
    Format,
    /// The key it names is not there, not yet or not any longer.
    #[error("no such key")]
    NoSuchKey,
    /// Forged, damaged, or sealed for somebody else.
    #[error("authentication failed")]
    NotAuthentic,
    /// It came by another way than the one of the session, and one of both is a connection: sessions do not move between
    /// connections.
    #[error("not on the session's connection")]
    ForeignPath,
    /// It was seen before, or is too old to know.
    #[error("replayed")]
    Replayed,
    /// It is authentic, but its content is compressed, which this side never does nor undoes (KEY-01).
    #[error("compressed")]
    Compressed,
}

/// Why a packet was not sealed. Count it and drop the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The session is closed; its keys are gone.
    #[error("the session is closed")]
    Closed,
    /// All packet ids of the key are used up; the session must renegotiate first.
    #[error("the key is exhausted")]
    Exhausted,
    /// The buffer is not as long as [`SealLayout::datagram_length`](super::SealLayout::datagram_length) says.
    #[error("the buffer does not fit the packet")]
    WrongLength,
}
