//! TCP connections: taken in, told apart, written to without ever waiting, and closed in time.
//!
//! ```text
//!   listener ──► connection ◄── find by path ── roster ◄── standing (stranger, handshake, session, over)
//!                   │ output                       └── strangers: how many, from where, since when
//!                   ▼
//!                 socket
//! ```
//!
//! A worker owns the reading side of a connection; any thread may send. A packet leaves at once or waits in a bounded
//! output queue until the socket takes it, so that a slow reader costs nobody else a moment. What is in a packet is
//! not looked at, beyond the [`Precedence`] that its sender gives it.
//!
//! A connection is closed from this side by shutting it down: its worker sees the end and lets go of it.

mod connection;
mod listener;
mod output;
mod roster;
mod strangers;

pub use connection::{Connection, ConnectionGone, Taken};
pub use listener::{Accepted, TcpListener};
pub use output::Precedence;
pub use roster::{Roster, Standing};
pub use strangers::StrangerLimits;
