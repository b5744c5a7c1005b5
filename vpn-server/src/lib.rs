//! server

pub mod policy;
