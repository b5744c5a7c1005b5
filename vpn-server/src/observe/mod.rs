//! What the server tells about itself: the connection log and text that is safe to print.

pub mod connection_log;
mod escape;
mod record;
mod throttle;

pub use escape::Escaped;
