//! rt
pub(crate) mod files;
mod state_directory;
pub use state_directory::*;
