//! Who is trusted: certificates of authorities, revocation lists, and the verdict on a client's chain.
//!
//! ```text
//!   ca, cert, key ──► Credentials ──► anchors ─┐
//!                                              ├──► TrustSnapshot ──► Trust ──► verdicts, live re-checks
//!   crl ────────────► RevocationFile ── index ─┘      (swapped whole)
//! ```
//!
//! The rules of chain validation are pki-core's. Here is what a running server adds: files that change under it, what
//! happens while a revocation list is missing or broken, and how much of a refusal a client gets to know.

mod client_checks;
mod client_keys;
pub mod connect_handler;
mod credentials;
pub mod directory;
mod expiry;
mod keeper;
pub mod login;
mod memory;
mod refusal;
mod revocation;
mod revoked_serials;
mod trust;
mod wrapping;

pub use client_checks::{ClientChecks, InvalidNameRule, NameRule};
pub use client_keys::{ClientKeyError, ClientKeyMetadata, ClientKeys};
pub use credentials::{CredentialFile, CredentialSource, Credentials, CredentialsError};
pub use expiry::ExpiryStage;
pub use keeper::{CrlReload, TrustKeeper};
pub use memory::{CertificateChain, CertificatePath};
pub use revocation::{RevocationError, RevocationState};
pub use revoked_serials::{RevokedSerials, RevokedSerialsError};
pub use trust::{Trust, TrustSnapshot};
pub use wrapping::{WrappingKeyError, load_wrapping, read_static_key};
