//! The data channel: sealed tunnel packets, their keys and their replay protection.
//!
//! A peer's [`DataChannel`] is shared between the session, which installs and drops keys, and the threads that move
//! packets. Nothing here looks into a tunnel packet or knows addresses inside the tunnel.
//!
//! One file per format: `classic`, `epoch`, `cbc`. What they have in common is above them (`key`, `state`, `channel`) or
//! below (`format` with the layouts, `framing`, `usage`, `replay`).

mod cbc;
mod channel;
mod cipher;
mod classic;
mod epoch;
mod error;
mod format;
mod framing;
mod key;
mod payload;
mod replay;
mod state;
mod usage;

pub use channel::{DataChannel, DataSender, Inbound, Opened, SealingBatch, Traffic};
pub use cipher::{CbcCipher, DataCipher, NegotiatedCipher, UnusableCipher};
pub use error::{OpenError, SealError};
pub use format::{DATA_HEADROOM, DATA_TAILROOM, SealLayout};
pub(crate) use format::{DataFormat, Protection};
pub(crate) use framing::Framing;
pub(crate) use key::DataKey;
#[cfg(any(feature = "client", test))]
pub(crate) use payload::EXIT;
#[cfg(test)]
pub(crate) use payload::PING;
pub use replay::ReplayWindowSize;
