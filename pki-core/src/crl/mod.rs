//! Certificate revocation lists: written, read, verified once, and asked a million times.
//!
//! Writing: [`build`] makes lists, `published` says what the published one must not lose. Reading: [`Crl`] is one decoded
//! list of unproven origin; [`RevocationIndex`] holds lists whose signatures were verified against the CA keys, and answers
//! whether a certificate is revoked. What an answer means for a connection is decided in [`crate::chain`].

pub mod build;
mod error;
mod index;
mod parse;
pub(crate) mod published;
pub mod reason;
mod replace;
mod scope;

pub use build::{RevocationList, RevokedCertificate};
pub use error::PublishError;
pub use index::{
    CertificateId, CrlRefusal, CrlSummary, Freshness, RevocationIndex, RevocationIndexBuilder,
    RevocationStatus,
};
pub use parse::{Crl, CrlEntry, CrlError, MAX_ENTRIES, MAX_FILE_SIZE};
pub use reason::RevocationReason;
pub use replace::Replacement;

pub(crate) use index::may_sign_lists;
pub(crate) use parse::CrlDefect;
