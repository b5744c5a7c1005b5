//! The data channel: sealed tunnel packets, their keys and their replay protection.
//!
//! A peer's [`DataChannel`] is shared between the session, which installs and drops keys, and the threads that move
//! packets. Nothing here looks into a tunnel packet or knows addresses inside the tunnel.

mod channel;
mod cipher;
mod key;
mod payload;
mod replay;

pub use channel::{DataChannel, Inbound, OpenError, SealError, Traffic};
pub use cipher::{DataCipher, UnknownCipher};
pub(crate) use key::DataKey;
pub use key::HEADROOM as DATA_HEADROOM;
#[cfg(any(feature = "client", test))]
pub(crate) use payload::EXIT;
