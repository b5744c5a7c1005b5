//! What the server changes on its host: packet forwarding, source NAT and routes. Everything is put back at the end.
//!
//! Only own things are touched: nftables tables named after the TUN device, routes into that device, and the forwarding
//! switches that were off. What a killed predecessor left behind is taken over at the next start.

mod client_routes;
mod firewall;
mod forwarding;
mod host;
mod members;
mod nft;
mod program;
mod ruleset;

pub use client_routes::ClientRouteError;
pub use forwarding::ForwardingError;
pub use host::{HostNetwork, HostNetworkChange, HostNetworkSettings, NetworkError};
pub use members::OutsideAddresses;
pub use nft::NftError;
