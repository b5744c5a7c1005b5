//! One certificate, decoded strictly and kept together with its octets.

use std::fmt;
use std::ops::Range;

use super::der::{DerError, DerFault, Reader, only_sequence, small_unsigned, tag};
use super::extensions::{Extensions, ExtensionsError};
use super::name::DistinguishedName;
use super::oid::Oid;
use super::serial_octets::{SerialOctets, SerialTooLong};
use super::signature::{PublicKey, PublicKeyKind, SignatureAlgorithm, SignatureFailure, verify_signature};
use crate::crypto::backend::digest;
use crate::serial::Serial;
use crate::time::Timestamp;

/// A decoded X.509 version 3 certificate. Decoding judges its form only: it may be expired, forged or useless.
#[derive(Clone)]
pub struct Certificate {
    der: Box<[u8]>,
    signed_part: Range<usize>,
    signature_identifier: Range<usize>,
    signature: Range<usize>,
    public_key_info: Range<usize>,
    public_key_identifier: Range<usize>,
    public_key: Range<usize>,
    public_key_kind: PublicKeyKind,
    signature_algorithm: SignatureAlgorithm,
    serial: SerialOctets,
    issuer: DistinguishedName,
    issuer_name: Range<usize>,
    subject: DistinguishedName,
    subject_name: Range<usize>,
    validity: Validity,
    extensions: Extensions,
}

/// Why octets are not a certificate that this crate reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The octets are not the DER of a certificate.
    #[error("not a certificate in DER: {0}")]
    Der(#[from] DerError),
    /// Another version than 3, the only one that can say what a certificate is for.
    #[error("X.509 version {0}; only version 3 can say what a certificate may be used for")]
    Version(u32),
    /// The signature algorithm inside the signed part is not the one outside.
    #[error("the signature algorithm inside the signed part differs from the one outside")]
    AlgorithmMismatch,
    /// The serial number is too long to be compared with revocation lists.
    #[error(transparent)]
    SerialTooLong(#[from] SerialTooLong),
    /// An extension that cannot be decoded.
    #[error("extension {kind} is malformed: {error}")]
    MalformedExtension {
        /// Which extension.
        kind: Oid,
        /// What is wrong with it.
        error: DerError,
    },
    /// An extension that occurs twice.
    #[error("extension {0} occurs twice")]
    DuplicateExtension(Oid),
    /// More extensions than are read.
    #[error("too many extensions")]
    TooManyExtensions,
}

impl From<ExtensionsError> for CertificateError {
    fn from(error: ExtensionsError) -> Self {
        match error {
            ExtensionsError::Der(error) => Self::Der(error),
            ExtensionsError::Malformed(kind, error) => Self::MalformedExtension { kind, error },
            ExtensionsError::Duplicate(kind) => Self::DuplicateExtension(kind),
            ExtensionsError::TooMany => Self::TooManyExtensions,
        }
    }
}

impl fmt::Debug for IssuerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("IssuerId(")?;
        self.0.iter().try_for_each(|octet| write!(out, "{octet:02x}"))?;
        out.write_str(")")
    }
}

/// First and last second of validity, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Who issued a certificate or a revocation list: the SHA-256 of the issuer's name (canonical form) and public key.
///
/// The key alone would let two authorities that share a key answer for each other's serial numbers, the name alone
/// would mix up the generations of a renewed CA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId([u8; 32]);

impl IssuerId {
    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Certificate {
    /// Decodes the DER of one certificate; nothing may follow it.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let mut outer = only_sequence(der)?.reader();
        let signed_part = outer.element(tag::SEQUENCE)?;
        let identifier = outer.element(tag::SEQUENCE)?;
        let signature = outer.whole_octet_bit_string()?;
        outer.finish()?;

        let mut fields = signed_part.reader();
        check_version(&mut fields)?;
        let serial = SerialOctets::from_integer(fields.integer()?)?;
        if fields.element(tag::SEQUENCE)?.encoded != identifier.encoded {
            return Err(CertificateError::AlgorithmMismatch);
        }
        let issuer_name = fields.element(tag::SEQUENCE)?;
        let issuer = DistinguishedName::parse(&issuer_name)?;
        let validity = Validity::parse(&mut fields)?;
        let subject_name = fields.element(tag::SEQUENCE)?;
        let subject = DistinguishedName::parse(&subject_name)?;
        let public_key_info = fields.element(tag::SEQUENCE)?;
        let public_key = PublicKey::parse(&public_key_info)?;
        skip_unique_identifiers(&mut fields)?;
        let extensions = parse_extensions(&mut fields, &issuer)?;
        fields.finish()?;
        Ok(Self {
            der: der.into(),
            signed_part: signed_part.range(),
            signature_identifier: identifier.content_range(),
            signature: signature.content_range(),
            public_key_info: public_key_info.range(),
            public_key_identifier: public_key.algorithm.content_range(),
            public_key: public_key.key.content_range(),
            public_key_kind: public_key.kind,
            signature_algorithm: SignatureAlgorithm::parse(&identifier)?,
            serial,
            issuer,
            issuer_name: issuer_name.range(),
            subject,
            subject_name: subject_name.range(),
            validity,
            extensions,
        })
    }

    /// The octets it was decoded from.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whom it names.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Who signed it, by its own account.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// DER of the subject's name, octet by octet: a name that is encoded anew breaks chains.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.der[self.subject_name.clone()]
    }

    /// DER of the issuer's name.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.der[self.issuer_name.clone()]
    }

    /// Its serial number; the sign of a negative one is lost.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial.to_serial()
    }

    /// The first second of its validity.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.validity.not_before
    }

    /// The last second of its validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.validity.not_after
    }

    /// The kind and size of its public key.
    #[must_use]
    pub fn public_key_kind(&self) -> &PublicKeyKind {
        &self.public_key_kind
    }

    /// The algorithm it claims to be signed with.
    #[must_use]
    pub fn signature_algorithm(&self) -> &SignatureAlgorithm {
        &self.signature_algorithm
    }

    /// SHA-256 of the whole certificate, as `openvpn --peer-fingerprint` takes it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&[&self.der])
    }

    /// The identity that certificates and lists issued by this certificate's key refer to.
    #[must_use]
    pub fn issuer_id(&self) -> IssuerId {
        let name = self.subject.canonical();
        let length = (name.len() as u64).to_be_bytes();
        IssuerId(sha256(&[&length, name, self.public_key_info()]))
    }

    /// Whether subject and issuer are one name, as in roots and key roll-over certificates.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// DER of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key_info(&self) -> &[u8] {
        &self.der[self.public_key_info.clone()]
    }

    pub(crate) fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    pub(crate) fn serial_octets(&self) -> SerialOctets {
        self.serial
    }

    /// Whether a key identifier is wanted, this certificate has one, and it is another.
    pub(crate) fn has_other_key_than(&self, wanted: Option<&[u8]>) -> bool {
        let present = self.extensions.subject_key_identifier.as_ref();
        match (wanted, present) {
            (Some(wanted), Some(present)) => *wanted != *present.value,
            _ => false,
        }
    }

    /// The key identifier of its issuer, by its own account.
    pub(crate) fn authority_key(&self) -> Option<&[u8]> {
        let identifier = self.extensions.authority_key_identifier.as_ref();
        identifier.and_then(|identifier| identifier.value.key_identifier.as_deref())
    }

    /// Whether basicConstraints call it a certification authority.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        let constraints = self.extensions.basic_constraints.as_ref();
        constraints.is_some_and(|constraints| constraints.value.is_ca)
    }

    /// Verifies a signature made with this certificate's key. `algorithm` is the content of an AlgorithmIdentifier.
    pub(crate) fn verify(
        &self,
        algorithm: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFailure> {
        let key_algorithm = &self.der[self.public_key_identifier.clone()];
        let key = &self.der[self.public_key.clone()];
        verify_signature((&self.public_key_kind, key_algorithm, key), algorithm, message, signature)
    }

    /// Verifies that `issuer`'s key signed this certificate.
    pub(crate) fn verify_signed_by(&self, issuer: &Self) -> Result<(), SignatureFailure> {
        issuer.verify(
            &self.der[self.signature_identifier.clone()],
            &self.der[self.signed_part.clone()],
            &self.der[self.signature.clone()],
        )
    }
}

/// The same octets.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Certificate({}, serial {})", self.subject, self.serial())
    }
}

impl Validity {
    fn parse(fields: &mut Reader<'_>) -> Result<Self, DerError> {
        let mut times = fields.sequence()?;
        let not_before = times.time()?;
        let not_after = times.time()?;
        times.finish()?;
        Ok(Self { not_before, not_after })
    }
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut output = [0; 32];
    output.copy_from_slice(context.finish().as_ref());
    output
}

fn check_version(fields: &mut Reader<'_>) -> Result<(), CertificateError> {
    let Some(explicit) = fields.optional(tag::context_constructed(0))? else {
        return Err(CertificateError::Version(1));
    };
    let mut reader = explicit.reader();
    let version = small_unsigned(&reader.element(tag::INTEGER)?)?;
    reader.finish()?;
    match version {
        2 => Ok(()),
        other => Err(CertificateError::Version(other.saturating_add(1))),
    }
}

fn skip_unique_identifiers(fields: &mut Reader<'_>) -> Result<(), DerError> {
    fields.optional(tag::context(1))?;
    fields.optional(tag::context(2))?;
    Ok(())
}

fn parse_extensions(
    fields: &mut Reader<'_>,
    issuer: &DistinguishedName,
) -> Result<Extensions, CertificateError> {
    let Some(explicit) = fields.optional(tag::context_constructed(3))? else {
        return Ok(Extensions::default());
    };
    let mut reader = explicit.reader();
    let mut list = reader.sequence()?;
    reader.finish()?;
    if list.is_empty() {
        return Err(list.error(DerFault::Empty).into());
    }
    Ok(Extensions::parse(&mut list, issuer)?)
}
