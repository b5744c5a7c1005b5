//! The running server: everything put together, told what changed, taken apart again.
//!
//! [`Server`] is for programs that embed the server; [`serve()`] is the daemon around it, with signals and systemd. The
//! only module that knows all others.

mod access;
mod address_ledger;
mod belongings;
mod check;
mod confinement;
mod error;
mod file_limit;
pub mod file_watch;
pub(crate) mod files;
mod hardening;
mod listeners;
mod logins;
mod managed;
mod privileges;
mod reload;
#[cfg(test)]
mod scenarios;
mod serve;
mod server;
mod state_directory;
mod systemd;
#[cfg(test)]
mod tcp_scenarios;
mod terminate;

pub use access::{RuleOrigin, Simulation};
pub use check::check;
pub use confinement::ConfinementError;
pub use error::{ServeError, StartError};
pub use logins::LoginError;
pub use privileges::PrivilegeError;
pub use reload::{ReloadReport, RereadError};
pub use serve::{Ending, Hooks, serve};
pub use server::{Ready, Server};
pub use state_directory::{StateDirectory, StateError};
pub use terminate::ConnectionSelector;
