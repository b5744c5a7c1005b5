//! Use cases.
pub mod connection;
