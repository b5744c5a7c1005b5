//! What the server tells about itself: the connection log.

pub mod connection_log;
mod record;
mod throttle;
