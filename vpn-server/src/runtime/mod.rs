//! rt
pub mod file_watch;
pub(crate) mod files;
mod state_directory;
pub use state_directory::*;
