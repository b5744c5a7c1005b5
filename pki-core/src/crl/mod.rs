//! Certificate revocation lists: read, verified once, and asked a million times.
//!
//! [`Crl`] is one decoded list of unproven origin. [`RevocationIndex`] holds lists whose signatures were verified
//! against the CA keys, and answers whether a certificate is revoked. What an answer means for a connection is
//! decided in [`crate::chain`].

mod index;
mod parse;
mod reason;
mod replace;
mod scope;

pub use index::{
    CertificateId, CrlRefusal, CrlSummary, Freshness, RevocationIndex, RevocationIndexBuilder,
    RevocationStatus,
};
pub use parse::{Crl, CrlEntry, CrlError, MAX_ENTRIES, MAX_FILE_SIZE};
pub use reason::RevocationReason;
pub use replace::Replacement;

pub(crate) use index::may_sign_lists;
pub(crate) use parse::CrlDefect;
