//! server
pub mod addr;
pub mod config;
pub mod control;
pub mod net;
pub mod observe;
mod random;
pub mod runtime;
