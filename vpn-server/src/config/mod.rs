//! cfg
mod listen;
mod network;
pub use listen::*;
pub use network::*;
