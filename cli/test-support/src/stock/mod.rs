//! The distribution's OpenVPN, unmodified, as client and as server.

pub mod client;
pub mod program;
pub mod server;
