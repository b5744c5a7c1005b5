//! A certificate authority on easy-rsa's own directory layout.
//!
//! Issues, revokes and verifies certificates and writes client profiles. Synchronous; opens no socket, reads no clock and
//! draws no randomness by itself: both are arguments. It touches one directory, or none with [`Authority::in_memory`].
//!
//! [`Authority`] has a method for each thing an authority does; what a method needs is a struct ([`ca::Issue`],
//! [`ca::Revoke`], [`ca::GenCrl`] ...), so that a new field breaks nobody who starts from a constructor. [`PkiReader`] only
//! looks. [`chain::verify`] judges a certificate as Postern's VPN server does. Errors answer
//! [`code`](Explain::code), [`kind`](Explain::kind) and [`help`](Explain::help).
//!
//! ```
//! use std::time::SystemTime;
//!
//! use pki_core::ca::{BuildCa, Context, Issue, Settings};
//! use pki_core::cert::{CertificateKind, build::Validity};
//! use pki_core::key::Protection;
//! use pki_core::name::{CommonName, FileBase};
//! use pki_core::random::SystemSource;
//! use pki_core::{Authority, PkiError};
//!
//! # fn main() -> Result<(), PkiError> {
//! let mut context = Context {
//!     now: SystemTime::now().into(),
//!     random: &mut SystemSource::new(),
//!     passphrases: &mut |_| Err("no key is encrypted here".into()),
//! };
//! // `ca::init` and `Authority::open` do the same in a directory.
//! let authority = Authority::in_memory(Settings::default())?;
//! authority.build_ca(&BuildCa::new(CommonName::parse("Example CA")?, Protection::None), &mut context)?;
//!
//! let alice = FileBase::parse("alice@example.org")?;
//! let validity = Validity::days_from(context.now, 825)?;
//! let issued = authority.issue(&Issue::new(CertificateKind::Client, alice.clone(), validity), &mut context)?;
//! let certificate = authority.reader().certificate_chain(&alice)?.remove(0);
//! assert_eq!(certificate.serial(), issued.serial);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/` has longer ones: a directory that is easy-rsa's as well, revocation, and verification.
//!
//! Arrows inside the crate: `ca` uses `cert`, `crl`, `key`, `store`, `time`; `store` and `bundle` use `name`,
//! `serial`, `pem`; `chain` uses `crl` and `x509`; `crl` uses `x509`; nothing uses `ca`.

mod asn1;
pub mod audit;
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
pub mod text;
pub mod time;
pub mod x509;

pub use ca::{Authority, PkiReader};
pub use error::{ErrorKind, Explain, PkiError};
pub use store::{LockPolicy, StoreError};
