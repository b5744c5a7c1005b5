//! What goes through a tunnel, and what must arrive.
//!
//! All of it runs inside this process on sockets made in the hosts' namespaces, so that its moments can be compared
//! with those of log lines.

pub mod datagram;
pub mod ping;
pub mod transfer;
