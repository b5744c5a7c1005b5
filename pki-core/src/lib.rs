//! A certificate authority on easy-rsa's own directory layout.
//!
//! Issues, revokes and verifies certificates and writes client profiles. Synchronous; opens no socket and reads
//! no clock: the present is an argument everywhere.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use pki_core::ca::{BuildCa, Context, Init, Settings};
//! use pki_core::dn::Subject;
//! use pki_core::key::{KeyAlgorithm, Protection};
//! use pki_core::name::CommonName;
//! use pki_core::random::SystemSource;
//! use pki_core::{Authority, PkiError};
//!
//! # let temporary = tempfile::tempdir().unwrap();
//! # let directory = temporary.path().join("pki");
//! pki_core::ca::init(&directory, &Init::default())?;
//! let authority = Authority::open(&directory, Settings::default())?;
//! let request = BuildCa {
//!     subject: Subject::common_name_only(CommonName::parse("Example CA")?),
//!     algorithm: KeyAlgorithm::P256,
//!     digest: None,
//!     protection: Protection::None,
//!     days: 3650,
//!     customisation: Default::default(),
//! };
//! let mut context = Context {
//!     now: SystemTime::now().into(),
//!     random: &mut SystemSource::new(),
//!     passphrases: &mut |_| Err("the key is not encrypted".into()),
//! };
//! authority.build_ca(&request, &mut context)?;
//! # Ok::<(), PkiError>(())
//! ```
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
