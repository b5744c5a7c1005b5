//! The data plane: moves packets between UDP sockets, TCP connections and the TUN device, on threads of its own.
//!
//! ```text
//!            ┌───────────────────────── worker ─────────────────────────┐
//!  UDP ────► │ classify ─► open ─► source, routes, rules ─► clamp MSS ──┼─► TUN
//!  TCP       │    └─ control packets, exits, ends ─► ControlSink        │    │
//!   ▲        │                                                          │    │
//!   └────────┼── send per peer ◄─ seal ◄─ clamp MSS ◄─ peer by address ◄┼────┘
//!            └──────────────────────────────────────────────────────────┘
//! ```
//!
//! Workers read [`Tables`] (peers, addresses, policy) as immutable snapshots and write counters; control writes tables
//! and reads counters; the only other thing that passes from here to there goes through the [`ControlSink`]. Nothing
//! in here waits for the control side, and handshakes never run on these threads.
//!
//! [`pipeline`] is pure: buffers and tables in, buffers out. [`plane`] is where threads and sockets meet it. Packets
//! travel in super-packet buffers of 64 KiB from fixed pools; in the steady state no packet allocates, locks or waits.

pub mod counters;
mod egress;
mod mss;
pub mod offload;
mod outlets;
pub mod packet;
pub mod pipeline;
pub mod plane;
pub mod send_queue;
mod sink;
mod station;
mod streams;
pub mod tables;
#[cfg(test)]
mod testing;
mod verdict;
mod worker;

pub use counters::{DropReason, Event, PlaneCounters, WorkerCounters};
pub use mss::{OuterLimit, SegmentLimit};
pub use plane::{Edge, Plane, Transmitter, by_worker};
pub use sink::{ControlInput, ControlSink, LONGEST_CONTROL_DATAGRAM};
pub use streams::TcpEdge;
pub use tables::{InsertError, Peer, PeerCounters, PeerGuard, PeerSlot, Tables};
