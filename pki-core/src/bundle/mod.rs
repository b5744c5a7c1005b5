//! What is handed to users: client profiles, and the key files that belong to them.

pub mod ovpn;
pub mod static_key;
