//! The data plane.

pub mod mss;
pub mod packet;
