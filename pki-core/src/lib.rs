//! A certificate authority on easy-rsa's own directory layout.
//!
//! Issues, revokes and verifies certificates and writes client profiles. Synchronous; opens no socket and reads
//! no clock: the present is an argument everywhere.
//!
//! Arrows inside the crate: `ca` uses `cert`, `crl`, `key`, `store`, `time`; `store` and `bundle` use `name`,
//! `serial`, `pem`; `chain` uses `crl` and `x509`; `crl` uses `x509`; nothing uses `ca`.

mod asn1;
pub mod bundle;
pub mod ca;
pub mod cert;
pub mod chain;
pub mod crl;
mod crypto;
pub mod dn;
pub mod error;
pub mod key;
pub mod name;
pub mod pem;
pub mod random;
pub mod secret;
pub mod serial;
mod store;
pub mod time;
pub mod x509;

pub use ca::{Authority, PkiReader};
pub use error::{ErrorKind, Explain, PkiError};
pub use store::{LockPolicy, StoreError};
