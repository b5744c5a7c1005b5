//! What the server changes on its host: packet forwarding and source NAT. Everything is put back at the end.
//!
//! Only own things are touched: one nftables table named after the TUN device, and the forwarding switches that were
//! off. What a killed predecessor left behind is taken over at the next start.

mod firewall;
mod forwarding;
mod host;
mod nft;
mod ruleset;

pub use forwarding::ForwardingError;
pub use host::{HostNetwork, HostNetworkSettings, NetworkError};
pub use nft::NftError;
