//! Certificates and requests: what stands in them per profile, writing, and reading back.
//!
//! Writing goes through [`build`] only; it takes an issuer's name as the octets that stand in the issuer's own
//! certificate, because re-encoding a name breaks chains.

pub mod build;
pub mod csr;
mod describe;
pub mod dump;
mod error;
pub mod extension;
pub mod extension_file;
pub mod profile;
pub mod san;
pub mod successor;
pub(crate) mod terms;
mod view;

pub use describe::IssuedKind;
pub use error::CertificateError;
pub use extension_file::ExtensionFile;
pub use profile::{CertificateKind, Profile};
pub use san::SubjectAltName;
pub use terms::{CriticalMarks, Customisation};

pub use crate::x509::Certificate;
