//! server
pub mod addr;
pub mod config;
pub mod control;
pub mod observe;
