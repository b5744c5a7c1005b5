//! server

pub mod clock;
pub mod dataplane;
pub mod policy;
pub mod transport;
