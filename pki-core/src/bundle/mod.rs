//! What is handed to users: client profiles.

pub mod ovpn;
