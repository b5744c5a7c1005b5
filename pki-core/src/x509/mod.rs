//! Strict reading of X.509 structures: the values that `crl` and `chain` judge.
//!
//! Everything is parsed once, in distinguished encoding only: two readers that disagree about the same octets are an
//! attack (threat model CRT-05). This module decodes and verifies single signatures; whether a certificate is
//! acceptable is decided in [`crate::chain`].

mod certificate;
pub(crate) mod der;
pub(crate) mod extensions;
pub(crate) mod general_name;
mod name;
pub(crate) mod oid;
mod serial_octets;
mod signature;

pub use certificate::{Certificate, CertificateError, IssuerId};
pub use der::{DerError, DerFault};
pub use name::DistinguishedName;
pub use oid::Oid;
pub use serial_octets::SerialTooLong;
pub use signature::{PublicKeyKind, SignatureAlgorithm};

pub(crate) use certificate::sha256;
pub(crate) use serial_octets::SerialOctets;
pub(crate) use signature::{PublicKey, SignatureFailure};
