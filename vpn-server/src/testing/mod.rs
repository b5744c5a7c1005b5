//! What tests of several modules share.

pub(crate) mod namespace;
pub(crate) mod pki;
