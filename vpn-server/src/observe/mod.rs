//! What the server tells about itself: the connection log.

pub mod connection_log;
mod decimal;
mod record;
mod throttle;

pub(crate) use decimal::decimal;
