//! The number of a wrapped control packet: a counter within the lifetime of a wrapping context that began at a time.

use super::{Cursor, WireError};

/// Time and counter of one wrapped packet; ordered by time, then counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplayId {
    /// Unix time in seconds at which the sender's context sent its first packet.
    pub time: u32,
    /// Counts from 1; 0 is invalid.
    pub counter: u32,
}

impl ReplayId {
    /// Octets on the wire.
    pub const LENGTH: usize = 8;

    /// Clients that can do without state on the server start counting here (protocol reference section 3).
    #[cfg(feature = "client")]
    pub(crate) const EARLY_NEGOTIATION: u32 = 0x0f00_0001;

    /// Whether the sender of this first packet repeats its wrapped key later, so that the server need not keep it.
    pub(crate) const fn announces_early_negotiation(self) -> bool {
        self.counter >> 24 == 0x0f
    }

    /// Counter first, time second, as they stand on the wire.
    pub(crate) fn to_wire(self) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        octets[..4].copy_from_slice(&self.counter.to_be_bytes());
        octets[4..].copy_from_slice(&self.time.to_be_bytes());
        octets
    }

    pub(crate) fn take(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let counter = cursor.u32("replay counter")?;
        let time = cursor.u32("replay time")?;
        Ok(Self { time, counter })
    }
}
