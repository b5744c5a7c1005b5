//! The CAs that are trusted, as they come from a `ca.crt`.

use std::sync::Arc;

use super::known_signatures::KnownSignatures;
use crate::pem::{self, PemError};
use crate::x509::{Certificate, CertificateError};

/// Trusted CA certificates, and intermediates that are known without being trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustAnchors {
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    known_signatures: Arc<KnownSignatures>,
}

/// Why a file does not hold trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustAnchorsError {
    /// No certificate in the file, or a damaged one.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// One of the certificates cannot be read.
    #[error("certificate {position} of the file: {error}")]
    Certificate {
        /// Which one, counted from 1.
        position: usize,
        /// What is wrong with it.
        error: CertificateError,
    },
}

impl TrustAnchorsError {
    /// A stable identifier for logs, metrics and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pem(PemError::NothingFound { .. }) => "ca-file-empty",
            Self::Pem(PemError::Damaged(_)) => "ca-file-damaged",
            Self::Certificate { .. } => "ca-certificate-malformed",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Pem(_) => "give the CA's certificate (pki/ca.crt), not a key or a request",
            Self::Certificate { .. } => {
                "remove that certificate from the file, or have the CA certificate issued again"
            }
        }
    }
}

impl TrustAnchors {
    /// Reads the certificates of a `ca.crt`: one in DER, or any number in PEM with text around them.
    ///
    /// A certificate that another key in the file signed becomes an intermediate, so that its revocation by that
    /// key is honoured; everything else is trusted. CAs that only sign each other are all trusted. Duplicates are
    /// dropped.
    pub fn from_pem(file: &[u8]) -> Result<Self, TrustAnchorsError> {
        Ok(Self::from_certificates(parse_all(file)?))
    }

    /// Trust anchors and known intermediates out of certificates, as [`TrustAnchors::from_pem`] sorts them.
    #[must_use]
    pub fn from_certificates(certificates: Vec<Certificate>) -> Self {
        let certificates = without_duplicates(certificates);
        let is_issued_within = |certificate: &&Certificate| is_issued_by_another(certificate, &certificates);
        let (intermediates, anchors): (Vec<&Certificate>, Vec<&Certificate>) =
            certificates.iter().partition(is_issued_within);
        if anchors.is_empty() {
            return Self { anchors: certificates, ..Self::default() };
        }
        Self {
            anchors: anchors.into_iter().cloned().collect(),
            intermediates: intermediates.into_iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// Adds intermediates that peers need not send. They are not trusted by themselves.
    pub fn add_intermediates_pem(&mut self, file: &[u8]) -> Result<(), TrustAnchorsError> {
        let mut intermediates = std::mem::take(&mut self.intermediates);
        intermediates.extend(parse_all(file)?);
        self.intermediates = without_duplicates(intermediates);
        Ok(())
    }

    /// The trusted certificates.
    #[must_use]
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// The known intermediates.
    #[must_use]
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// What validations against these anchors need not compute again.
    pub(super) fn known_signatures(&self) -> &KnownSignatures {
        &self.known_signatures
    }

    /// Every certificate whose key may have signed a revocation list.
    pub fn crl_issuers(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter().chain(&self.intermediates)
    }
}

fn parse_all(file: &[u8]) -> Result<Vec<Certificate>, TrustAnchorsError> {
    let parse = |(index, der): (usize, Vec<u8>)| {
        Certificate::parse(&der)
            .map_err(|error| TrustAnchorsError::Certificate { position: index + 1, error })
    };
    pem::certificates(file)?.into_iter().enumerate().map(parse).collect()
}

fn without_duplicates(certificates: Vec<Certificate>) -> Vec<Certificate> {
    let mut unique: Vec<Certificate> = Vec::with_capacity(certificates.len());
    for certificate in certificates {
        if !unique.iter().any(|present| present.der() == certificate.der()) {
            unique.push(certificate);
        }
    }
    unique
}

/// The own key does not count: a root signs itself, and the certificates of a renewed root vouch for each other.
fn is_issued_by_another(certificate: &Certificate, all: &[Certificate]) -> bool {
    all.iter().any(|issuer| {
        issuer.is_ca()
            && issuer.subject() == certificate.issuer()
            && issuer.public_key_info() != certificate.public_key_info()
            && certificate.verify_signed_by(issuer).is_ok()
    })
}
