//! What tests of several modules share.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod login;
pub(crate) mod namespace;
pub(crate) mod pki;
pub(crate) mod script;
