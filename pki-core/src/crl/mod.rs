//! Certificate revocation lists: writing them, and what the published one says.

pub mod build;
mod error;
pub(crate) mod published;
pub mod reason;

pub use build::{RevocationList, RevokedCertificate};
pub use error::PublishError;
pub use reason::RevocationReason;
