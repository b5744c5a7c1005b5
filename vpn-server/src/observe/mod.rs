//! What the server tells about itself: the connection log and text that is safe to print.

pub mod connection_log;
mod decimal;
mod escape;
mod record;
mod throttle;

pub(crate) use decimal::decimal;
pub use escape::Escaped;
pub(crate) use escape::is_unsafe_to_print;
