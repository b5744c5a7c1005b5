//! Stock OpenVPN configurations: read, and translated into the server's own options.
//!
//! ```text
//!   server.conf, command line ── document ──► directives ── translate ──► Options, process settings, report
//!                                  words
//! ```
//!
//! [`translate()`] says of every directive what becomes of it: done, adapted, ignored with the reason, or refused with the
//! way out. No rule of the server is made here: what is translated is checked by [`Config::check`](crate::config::Config).
//! Files are read by [`load()`], by [`ClientConfigDirectory`] and by [`free_device`]; everything else is pure.

mod client_file;
mod device;
mod load;
mod report;
mod translate;
mod unneeded;

use pki_core::bundle::document;

pub use crate::config::InvalidLine;
pub use client_file::ClientConfigDirectory;
pub use device::free_device;
pub use load::{StockError, files, load};
pub use pki_core::bundle::document::{
    Directive, InlineText, MAXIMUM_SIZE, Place, SyntaxError, parse, parse_command_line,
};
pub use report::{Fate, Finding, Problem, Report};
pub use translate::{InlineFile, LogFile, ProcessSettings, Surroundings, Translation, translate};
