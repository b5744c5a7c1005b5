//! Certificate requests (PKCS#10): written for every key, because renewal starts from them, and read from anywhere.
//!
//! A request is data from outside until [`Request::verify`] has shown that its maker holds the key; which of the
//! extensions it asks for are granted is decided in `terms`.

use std::ops::Range;

use der::oid::ObjectIdentifier;

use super::CertificateError;
use super::build::signed;
use super::extension::Extension;
use crate::asn1::Encoder;
use crate::dn;
use crate::key::{CaSigner, KeyError, verify_signature};
use crate::pem;
use crate::x509::PublicKey;
use crate::x509::der::{DerError, DerFault, Element, Reader, only_sequence, tag};

/// A request for a certificate.
#[derive(Clone, Debug)]
pub struct Request {
    der: Vec<u8>,
    information: Range<usize>,
    algorithm: Range<usize>,
    signature: Range<usize>,
    subject: Range<usize>,
    public_key_info: Range<usize>,
    extensions: Vec<Extension>,
}

impl Request {
    /// A request for the name `subject` (DER), signed with the key it is about.
    ///
    /// # Errors
    /// [`CertificateError::Signing`].
    pub fn sign(
        subject: &[u8],
        extensions: &[Extension],
        signer: &dyn CaSigner,
    ) -> Result<Self, CertificateError> {
        let information = Encoder::sequence_of(|information| {
            information.unsigned(&[VERSION_1]);
            information.raw(subject);
            information.raw(signer.public_key_info());
            information.nested(tag::context_constructed(0), |attributes| {
                if !extensions.is_empty() {
                    encode_extension_request(attributes, extensions);
                }
            });
        });
        Self::parse(signed(&information, signer)?)
    }

    /// Reads the first request of a file: PEM with any text around it, or DER.
    ///
    /// # Errors
    /// [`CertificateError::NoRequestInside`], [`CertificateError::DamagedRequest`].
    pub fn from_file(file: &[u8]) -> Result<Self, CertificateError> {
        let found = LABELS.iter().find_map(|label| pem::first(file, label));
        match found {
            Some(block) => Self::parse(block.der.to_vec()),
            None if file.first() == Some(&tag::SEQUENCE) => Self::parse(file.to_vec()),
            None => Err(CertificateError::NoRequestInside),
        }
    }

    /// Decodes the DER of one request; nothing may follow it.
    ///
    /// # Errors
    /// [`CertificateError::DamagedRequest`].
    pub fn parse(der: Vec<u8>) -> Result<Self, CertificateError> {
        Self::decode(der).map_err(CertificateError::DamagedRequest)
    }

    fn decode(der: Vec<u8>) -> Result<Self, DerError> {
        let mut outer = only_sequence(&der)?.reader();
        let information = outer.element(tag::SEQUENCE)?;
        let algorithm = outer.element(tag::SEQUENCE)?;
        let signature = outer.whole_octet_bit_string()?;
        outer.finish()?;
        let mut fields = information.reader();
        fields.element(tag::INTEGER)?;
        let subject = fields.element(tag::SEQUENCE)?;
        let public_key_info = fields.element(tag::SEQUENCE)?;
        PublicKey::parse(&public_key_info)?;
        let extensions = match fields.optional(tag::context_constructed(0))? {
            Some(attributes) => requested_extensions(&attributes)?,
            None => Vec::new(),
        };
        let ranges = (information.range(), algorithm.range(), signature.content_range());
        let (subject, public_key_info) = (subject.range(), public_key_info.range());
        let (information, algorithm, signature) = ranges;
        Ok(Self { information, algorithm, signature, subject, public_key_info, extensions, der })
    }

    /// Shows that the maker of the request holds its key.
    ///
    /// # Errors
    /// [`CertificateError::RequestSignature`]; [`CertificateError::RequestKey`] for a key of a kind that cannot be
    /// used here, such as Ed448.
    pub fn verify(&self) -> Result<(), CertificateError> {
        let message = &self.der[self.information.clone()];
        let algorithm = &self.der[self.algorithm.clone()];
        let signature = &self.der[self.signature.clone()];
        verify_signature(self.public_key_info(), algorithm, message, signature).map_err(|failure| {
            if failure == KeyError::CannotSign {
                return CertificateError::RequestKey { algorithm: self.key_kind() };
            }
            CertificateError::RequestSignature
        })
    }

    /// The octets of the request.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The request in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::armour(LABELS[0], &self.der)
    }

    /// DER of the name that is asked for.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.der[self.subject.clone()]
    }

    /// The name that is asked for, in index.txt's notation.
    #[must_use]
    pub fn subject_line(&self) -> String {
        dn::one_line(self.subject_der()).unwrap_or_default()
    }

    /// The last common name of the subject.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        dn::common_name(self.subject_der())
    }

    /// DER of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key_info(&self) -> &[u8] {
        &self.der[self.public_key_info.clone()]
    }

    /// The extensions that are asked for.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    pub(crate) fn algorithm_der(&self) -> &[u8] {
        &self.der[self.algorithm.clone()]
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.der[self.signature.clone()]
    }

    fn key_kind(&self) -> String {
        let info = only_sequence(self.public_key_info());
        let kind = info.and_then(|info| PublicKey::parse(&info).map(|key| key.kind.to_string()));
        kind.unwrap_or_else(|_| "unknown".into())
    }
}

fn encode_extension_request(attributes: &mut Encoder, extensions: &[Extension]) {
    attributes.sequence(|attribute| {
        attribute.oid(&EXTENSION_REQUEST);
        attribute.nested(tag::SET, |values| {
            values.sequence(|list| extensions.iter().for_each(|extension| extension.encode(list)));
        });
    });
}

/// Extensions in every attribute of that kind, OpenSSL's and Microsoft's.
fn requested_extensions(attributes: &Element<'_>) -> Result<Vec<Extension>, DerError> {
    let mut reader = attributes.reader();
    let mut found = Vec::new();
    while !reader.is_empty() {
        let mut attribute = reader.sequence()?;
        let kind = attribute.object_identifier()?;
        let mut values = attribute.nested(tag::SET)?;
        if kind == EXTENSION_REQUEST.as_bytes() || kind == MICROSOFT_EXTENSION_REQUEST.as_bytes() {
            found.extend(extension_list(&mut values.sequence()?)?);
        }
    }
    Ok(found)
}

pub(crate) fn extension_list(list: &mut Reader<'_>) -> Result<Vec<Extension>, DerError> {
    let mut found = Vec::new();
    while !list.is_empty() {
        let mut fields = list.sequence()?;
        let oid = ObjectIdentifier::from_bytes(fields.object_identifier()?)
            .map_err(|_| fields.error(DerFault::BadObjectIdentifier))?;
        let is_critical = fields.boolean_default_false()?;
        let value = fields.octet_string()?.content.to_vec();
        fields.finish()?;
        found.push(Extension { oid, is_critical, value });
    }
    Ok(found)
}

const VERSION_1: u8 = 0;
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const MICROSOFT_EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::SubjectAltName;
    use crate::dn::Subject;
    use crate::key::{Digest, KeyAlgorithm, SigningKey, generate};
    use crate::name::CommonName;
    use crate::random::tests::CountingSource;

    fn request(extensions: &[Extension]) -> (Request, Vec<u8>) {
        let key = generate(KeyAlgorithm::P384, &mut CountingSource(1)).unwrap();
        let signer = SigningKey::new(&key, Digest::Sha256).unwrap();
        let subject = Subject::common_name_only(CommonName::parse("alice").unwrap());
        let request = Request::sign(&subject.to_der(), extensions, &signer).unwrap();
        (request, key.public_key_info().to_vec())
    }

    #[test]
    fn a_request_names_its_subject_and_proves_possession() {
        let (made, public_key_info) = request(&[]);
        let read = Request::from_file(format!("some text\n{}", made.to_pem()).as_bytes()).unwrap();
        assert_eq!(read.subject_line(), "/CN=alice");
        assert_eq!(read.public_key_info(), public_key_info);
        assert_eq!(read.extensions(), []);
        read.verify().unwrap();
    }

    #[test]
    fn requested_extensions_are_read_back() {
        let names = SubjectAltName::parse("DNS:a.example").unwrap().to_extension();
        let (made, _) = request(std::slice::from_ref(&names));
        assert_eq!(Request::from_file(made.der()).unwrap().extensions(), [names]);
    }

    #[test]
    fn pki_11_a_changed_request_does_not_verify() {
        let (made, _) = request(&[]);
        let position = made.der.windows(5).position(|window| window == b"alice").unwrap();
        let mut forged = made.der.clone();
        forged[position] = b'm';
        let forged = Request::parse(forged).unwrap();
        assert_eq!(forged.verify(), Err(CertificateError::RequestSignature));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(Request::from_file(b"hello").unwrap_err(), CertificateError::NoRequestInside);
        let (made, _) = request(&[]);
        let mut long = made.der.clone();
        long.push(0);
        assert!(matches!(Request::parse(long), Err(CertificateError::DamagedRequest(_))));
        assert!(Request::from_file(&made.der[..60]).is_err());
    }
}
