//! Whether an endpoint takes clients at all.

/// Whether an endpoint takes clients. It answers handshakes in any case, so that clients learn why they are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointStanding {
    /// It takes clients.
    #[default]
    Available,
    /// It does not yet, or no longer for now: it is associated with no network. Clients try again by themselves.
    Pending,
    /// It is about to go. Clients stop.
    Closing,
}

impl EndpointStanding {
    /// Stable name for lists and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Pending => "pending",
            Self::Closing => "closing",
        }
    }
}
