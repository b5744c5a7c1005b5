//! A certificate as read: the fields that the authority and its reports work with.
//!
//! Whether a certificate may be trusted is decided in `chain`, not here.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use super::CertificateError;
use super::extension::key_identifier;
use crate::dn;
use crate::pem;
use crate::serial::Serial;
use crate::time::Timestamp;

/// A parsed certificate together with its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    serial: Serial,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    public_key_info: Vec<u8>,
    key_identifier: Vec<u8>,
    is_authority: bool,
}

impl Certificate {
    /// Reads the first certificate of a PEM text, whatever stands around it.
    ///
    /// # Errors
    /// [`CertificateError::NoCertificateInside`] or [`CertificateError::Damaged`].
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        Self::all_from_pem(text)?.into_iter().next().ok_or(CertificateError::NoCertificateInside)
    }

    /// Reads every certificate of a PEM text, in order.
    ///
    /// # Errors
    /// [`CertificateError::NoCertificateInside`] if there is none; [`CertificateError::Damaged`].
    pub fn all_from_pem(text: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let found: Result<Vec<Self>, _> = pem::blocks(text)
            .filter(|block| LABELS.contains(&block.label.as_str()))
            .map(|block| Self::from_der(block.der.to_vec()))
            .collect();
        found.and_then(
            |found| {
                if found.is_empty() { Err(CertificateError::NoCertificateInside) } else { Ok(found) }
            },
        )
    }

    /// Reads a certificate from its DER, which must hold nothing else.
    ///
    /// # Errors
    /// [`CertificateError::Damaged`].
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(&der).map_err(|_| CertificateError::Damaged)?;
        if !rest.is_empty() {
            return Err(CertificateError::Damaged);
        }
        let public_key_info = parsed.public_key().raw.to_vec();
        let constraints = parsed.basic_constraints().map_err(|_| CertificateError::Damaged)?;
        Ok(Self {
            serial: Serial::from_be_bytes(parsed.raw_serial()),
            issuer: parsed.issuer().as_raw().to_vec(),
            subject: parsed.subject().as_raw().to_vec(),
            not_before: Timestamp::from_unix_seconds(parsed.validity().not_before.timestamp()),
            not_after: Timestamp::from_unix_seconds(parsed.validity().not_after.timestamp()),
            key_identifier: subject_key_identifier(&parsed)
                .unwrap_or_else(|| key_identifier(&public_key_info)),
            public_key_info,
            is_authority: constraints.is_some_and(|constraints| constraints.value.ca),
            der,
        })
    }

    /// The octets of the certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate re-encoded in PEM, without any text around it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::armour("CERTIFICATE", &self.der)
    }

    /// The serial number.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// DER of the issuer's name.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer
    }

    /// DER of the subject's name.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// The subject in index.txt's notation.
    #[must_use]
    pub fn subject_line(&self) -> String {
        dn::one_line(&self.subject).unwrap_or_default()
    }

    /// The last common name of the subject.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        dn::common_name(&self.subject)
    }

    /// First second of validity.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Last second of validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// DER of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// The subject key identifier that stands in the certificate, or else the one its key would get.
    #[must_use]
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// Whether basicConstraints make it an authority.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        self.is_authority
    }
}

fn subject_key_identifier(parsed: &X509Certificate<'_>) -> Option<Vec<u8>> {
    parsed.extensions().iter().find_map(|extension| {
        let ParsedExtension::SubjectKeyIdentifier(identifier) = extension.parsed_extension() else {
            return None;
        };
        Some(identifier.0.to_vec())
    })
}

const LABELS: [&str; 2] = ["CERTIFICATE", "X509 CERTIFICATE"];
