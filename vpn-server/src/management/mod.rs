//! OpenVPN's management interface: what monitors, panels and authentication helpers talk to.
//!
//! ```text
//!   socket ── service (thread) ── Conversation ── Command ──► Managed (the server, through its control plane)
//!                                     ▲
//!      log, states ── notice ─────────┤
//!      shards ── clients that come, go, and wait to be let in ── Reception
//! ```
//!
//! `Conversation` is the protocol without sockets and clocks: octets in, octets out. What it may ask of the server is
//! `Managed`; no rule of the server is made here. Its texts are those of OpenVPN 2.6.14, against whose transcripts it is
//! tested (protocol reference, section 11.4).

mod command;
mod conversation;
mod error;
mod history;
mod input;
mod managed;
mod notice;
mod reception;
mod service;
mod settings;

pub use error::ManagementError;
pub use history::{LogLine, LogTap};
pub(crate) use managed::{LoadStatistics, Managed, ProcessSignal};
pub(crate) use notice::ServerState;
pub(crate) use reception::Reception;
pub(crate) use service::Management;
pub use settings::{InvalidManagementAddress, ManagementAddress, ManagementSettings};
