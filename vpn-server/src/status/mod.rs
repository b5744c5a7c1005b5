//! Who is connected, in the three forms of OpenVPN's status files.
//!
//! [`StatusReport`] is a moment of the server as plain data; [`StatusVersion`] says how it is written. The same text goes
//! into the status file ([`StatusFile`]), to the management interface and, on SIGUSR2, into the log.

mod file;
mod report;
mod text;

pub use file::{StatusFile, StatusFileSettings};
pub use report::{ClientStatus, RouteStatus, StatusReport};
pub use text::StatusVersion;

/// What the server calls itself where OpenVPN shows its version.
pub const TITLE: &str = concat!("OpenVPN 2.6.14 compatible: Postern ", env!("CARGO_PKG_VERSION"));
