//! What the authority and its reports ask of a certificate beyond what [`crate::x509`] decodes: files, index.txt's
//! notation of its subject, and the identifier of its key.
//!
//! Whether a certificate may be trusted is decided in [`crate::chain`], not here.

use std::borrow::Cow;

use super::CertificateError;
use super::extension::key_identifier;
use crate::dn;
use crate::pem::{self, PemError};
use crate::x509::Certificate;

impl Certificate {
    /// Reads the first certificate of a file, whatever stands around it.
    ///
    /// # Errors
    /// [`CertificateError::NoCertificateInside`] or [`CertificateError::Damaged`].
    pub fn from_pem(file: &[u8]) -> Result<Self, CertificateError> {
        Self::all_from_pem(file)?.into_iter().next().ok_or(CertificateError::NoCertificateInside)
    }

    /// Reads every certificate of a file, in order.
    ///
    /// # Errors
    /// [`CertificateError::NoCertificateInside`] if there is none; [`CertificateError::DamagedArmour`],
    /// [`CertificateError::Damaged`].
    pub fn all_from_pem(file: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let found = pem::certificates(file).map_err(|error| match error {
            PemError::NothingFound { .. } => CertificateError::NoCertificateInside,
            PemError::Damaged(damage) => CertificateError::DamagedArmour(damage),
        })?;
        found.iter().map(|der| Ok(Self::parse(der)?)).collect()
    }

    /// The certificate re-encoded in PEM, without any text around it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::armour("CERTIFICATE", self.der())
    }

    /// The subject in index.txt's notation.
    #[must_use]
    pub fn subject_line(&self) -> String {
        dn::one_line(self.subject_der()).unwrap_or_default()
    }

    /// The last common name of the subject, if it is UTF-8.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        dn::common_name(self.subject_der())
    }

    /// The subject key identifier that stands in the certificate, or else the one its key would get.
    #[must_use]
    pub fn key_identifier(&self) -> Cow<'_, [u8]> {
        match &self.extensions().subject_key_identifier {
            Some(identifier) => Cow::Borrowed(&identifier.value),
            None => Cow::Owned(key_identifier(self.public_key_info())),
        }
    }
}
