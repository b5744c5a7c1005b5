//! Why a certificate cannot be read or made.

use crate::error::{ErrorKind, Explain};
use crate::key::KeyError;
use crate::pem::PemDamage;
use crate::time::Timestamp;
use crate::x509;

/// Why a certificate cannot be read or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No PEM block of a certificate.
    #[error("no certificate inside")]
    NoCertificateInside,
    /// A PEM block that cannot be decoded.
    #[error("the certificate file is damaged: {0}")]
    DamagedArmour(PemDamage),
    /// The octets are no X.509 version 3 certificate in DER.
    #[error("the certificate is damaged: {0}")]
    Damaged(#[from] x509::CertificateError),
    /// The certificate is no authority's.
    #[error("the certificate belongs to no certificate authority")]
    NotAnAuthority,
    /// The key cannot sign.
    #[error(transparent)]
    Signing(#[from] KeyError),
    /// The end would not come after the beginning, or lies beyond the year 9999.
    #[error("validity from {not_before} to {not_after} is not possible")]
    Validity {
        /// The first second.
        not_before: Timestamp,
        /// The last second.
        not_after: Timestamp,
    },
    /// A subject alternative name is not one.
    #[error("subject alternative name '{name}' is not acceptable: {rule}")]
    SubjectAltName {
        /// The name as it was given.
        name: String,
        /// What it should be.
        rule: &'static str,
    },
}

impl Explain for CertificateError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoCertificateInside => "certificate-not-found-in-file",
            Self::DamagedArmour(_) | Self::Damaged(_) => "certificate-damaged",
            Self::NotAnAuthority => "certificate-not-a-ca",
            Self::Signing(cause) => cause.code(),
            Self::Validity { .. } => "validity-impossible",
            Self::SubjectAltName { .. } => "san-unacceptable",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoCertificateInside | Self::DamagedArmour(_) | Self::Damaged(_) | Self::NotAnAuthority => {
                ErrorKind::Environment
            }
            Self::Signing(cause) => cause.kind(),
            Self::Validity { .. } | Self::SubjectAltName { .. } => ErrorKind::User,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::NoCertificateInside | Self::DamagedArmour(_) | Self::Damaged(_) => {
                "Put the right file back; `openssl x509 -in FILE -noout -text` tells whether a file is one."
                    .into()
            }
            Self::NotAnAuthority => {
                "Use the certificate of an authority (basicConstraints CA:TRUE) as ca.crt.".into()
            }
            Self::Signing(cause) => cause.help(),
            Self::Validity { .. } => "Choose a number of days that ends before the year 10000.".into(),
            Self::SubjectAltName { .. } => {
                "Write DNS:name, IP:address, email:address or URI:uri, joined with commas.".into()
            }
        }
    }
}
