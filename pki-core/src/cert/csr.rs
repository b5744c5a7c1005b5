//! Certificate requests (PKCS#10), written for every certificate because renewal starts from them.

use super::CertificateError;
use super::build::signed;
use crate::asn1::Encoder;
use crate::dn::Subject;
use crate::key::CaSigner;
use crate::pem;
use crate::x509::der::tag;

/// A signed request for a certificate.
pub struct Request(Vec<u8>);

impl Request {
    /// A request for `subject`, signed with the key it is about; it asks for no extensions.
    ///
    /// # Errors
    /// [`CertificateError::Signing`].
    pub fn sign(subject: &Subject, signer: &dyn CaSigner) -> Result<Self, CertificateError> {
        Self::sign_for(&subject.to_der(), signer)
    }

    /// The same for a subject that exists already, octet by octet.
    pub(crate) fn sign_for(subject: &[u8], signer: &dyn CaSigner) -> Result<Self, CertificateError> {
        let information = Encoder::sequence_of(|information| {
            information.unsigned(&[VERSION_1]);
            information.raw(subject);
            information.raw(signer.public_key_info());
            information.value(tag::context_constructed(0), &[]);
        });
        signed(&information, signer).map(Self)
    }

    /// The request in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::armour("CERTIFICATE REQUEST", &self.0)
    }
}

const VERSION_1: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Digest, KeyAlgorithm, SigningKey, generate};
    use crate::name::CommonName;
    use crate::random::tests::CountingSource;
    use x509_parser::prelude::{FromDer, X509CertificationRequest};

    #[test]
    fn a_request_names_its_subject_and_proves_possession() {
        let key = generate(KeyAlgorithm::P384, &mut CountingSource(1)).unwrap();
        let signer = SigningKey::new(&key, Digest::Sha256).unwrap();
        let subject = Subject::common_name_only(CommonName::parse("alice").unwrap());
        let request = Request::sign(&subject, &signer).unwrap();
        let der = pem::first(request.to_pem().as_bytes(), "CERTIFICATE REQUEST").unwrap().der;
        let (rest, parsed) = X509CertificationRequest::from_der(&der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(parsed.certification_request_info.subject.to_string(), "CN=alice");
        assert_eq!(parsed.certification_request_info.subject_pki.raw, key.public_key_info());
    }
}
