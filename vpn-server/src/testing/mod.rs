//! What tests of several modules share.

pub(crate) mod client;
pub(crate) mod namespace;
pub(crate) mod pki;
