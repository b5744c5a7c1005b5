//! Certificates and requests: what stands in them per profile, writing, and reading back.
//!
//! Writing goes through [`build`] only; it takes an issuer's name as the octets that stand in the issuer's own
//! certificate, because re-encoding a name breaks chains.

pub mod build;
pub mod csr;
mod describe;
mod error;
pub mod extension;
pub mod profile;
pub mod san;
pub mod successor;
mod view;

pub use describe::IssuedKind;
pub use error::CertificateError;
pub use profile::{CertificateKind, Profile};
pub use san::SubjectAltName;

pub use crate::x509::Certificate;
