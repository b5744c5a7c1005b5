//! What is handed to users: client profiles, key and certificate containers, easy-rsa's inline files, and the key files
//! that belong to them.

pub mod archive;
pub mod dh_groups;
pub mod document;
mod error;
pub mod inline;
pub mod lint;
pub mod onc;
pub mod ovpn;
pub mod pkcs12;
pub mod pkcs7;
pub mod static_key;

pub use error::BundleError;
