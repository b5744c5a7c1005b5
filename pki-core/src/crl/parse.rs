//! Reading revocation lists, in one pass over the octets and without an allocation per entry.
//!
//! Nothing here is trusted yet: signatures are verified when lists go into an index. Lists that say less, or
//! something else, than "these certificates of my issuer are revoked" are refused with the reason: ignoring such an
//! extension would let revoked certificates pass.

use std::ops::Range;

use super::reason::RevocationReason;
use super::scope::{CrlScope, IssuingDistributionPoint};
use crate::pem::{self, PemError};
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::x509::der::{DerError, DerFault, Element, Reader, only_sequence, small_unsigned, tag};
use crate::x509::extensions::parse_authority_key;
use crate::x509::oid::{self, Oid};
use crate::x509::{
    Certificate, DistinguishedName, SerialOctets, SerialTooLong, SignatureAlgorithm, SignatureFailure,
};

/// The largest file that is read, in octets (threat model section 8).
pub const MAX_FILE_SIZE: usize = 64 << 20;

/// The largest number of entries in one list (threat model section 8).
pub const MAX_ENTRIES: usize = 2_000_000;

/// A decoded revocation list of unproven origin.
#[derive(Debug)]
pub struct Crl {
    der: Vec<u8>,
    signed_part: Range<usize>,
    signature_identifier: Range<usize>,
    signature: Range<usize>,
    signature_algorithm: SignatureAlgorithm,
    header: Header,
    entries: Vec<CrlEntry>,
    extensions: CrlExtensions,
}

/// One revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    revoked_at: Timestamp,
    pub(super) serial: SerialOctets,
    reason: Option<RevocationReason>,
}

impl CrlEntry {
    /// Which certificate.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial.to_serial()
    }

    /// When the CA revoked it.
    #[must_use]
    pub fn revoked_at(&self) -> Timestamp {
        self.revoked_at
    }

    /// Why, if the CA says so.
    #[must_use]
    pub fn reason(&self) -> Option<RevocationReason> {
        self.reason
    }
}

/// Why a file or an object in it is not a revocation list that can be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// The file is larger than [`MAX_FILE_SIZE`].
    #[error("{size} octets; at most {MAX_FILE_SIZE} are read")]
    FileTooLarge {
        /// Its size in octets.
        size: usize,
    },
    /// No list in the file, or a damaged one.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The octets are not the DER of a revocation list.
    #[error("not a revocation list in DER: {0}")]
    Der(#[from] DerError),
    /// A version of the format that does not exist.
    #[error("unknown version {0}")]
    Version(u32),
    /// The signature algorithm inside the signed part is not the one outside.
    #[error("the signature algorithm inside the signed part differs from the one outside")]
    AlgorithmMismatch,
    /// More than [`MAX_ENTRIES`] entries.
    #[error("more than {MAX_ENTRIES} entries")]
    TooManyEntries,
    /// A serial number that no certificate read here can have.
    #[error(transparent)]
    SerialTooLong(#[from] SerialTooLong),
    /// No nextUpdate: such a list could be replayed for ever.
    #[error("no nextUpdate: it would never expire")]
    NoNextUpdate,
    /// A list of changes to another list.
    #[error("a delta list: only complete lists are used")]
    Delta,
    /// A list that speaks about certificates of other issuers.
    #[error("an indirect list: only an issuer's own list is used")]
    Indirect,
    /// A list for some revocation reasons only.
    #[error("a list for some revocation reasons only: only complete lists are used")]
    SomeReasonsOnly,
    /// A list of attribute certificates.
    #[error("a list of attribute certificates")]
    AttributeCertificates,
    /// A critical extension of unknown meaning, on the list or an entry.
    #[error("unknown critical extension {0}")]
    UnknownCriticalExtension(Oid),
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
}

impl CrlError {
    /// A stable identifier for logs, metrics and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::FileTooLarge { .. } => "crl-file-too-large",
            Self::Pem(PemError::NothingFound { .. }) => "crl-file-empty",
            Self::Pem(PemError::Damaged(_)) => "crl-file-damaged",
            Self::Der(_) | Self::Version(_) | Self::AlgorithmMismatch => "crl-malformed",
            Self::MalformedExtension { .. } | Self::DuplicateExtension(_) => "crl-malformed",
            Self::TooManyEntries => "crl-too-many-entries",
            Self::SerialTooLong(_) => "crl-serial-too-long",
            Self::NoNextUpdate => "crl-without-next-update",
            Self::Delta => "crl-is-delta",
            Self::Indirect => "crl-is-indirect",
            Self::SomeReasonsOnly => "crl-for-some-reasons",
            Self::AttributeCertificates => "crl-of-attribute-certificates",
            Self::UnknownCriticalExtension(_) => "crl-unknown-critical-extension",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::FileTooLarge { .. } | Self::TooManyEntries => {
                "drop expired certificates from the list, or issue from a new CA"
            }
            Self::Pem(_) | Self::Der(_) => {
                "write the file again (gen-crl) and replace it by renaming, so that nobody reads half of it"
            }
            Self::Version(_)
            | Self::AlgorithmMismatch
            | Self::SerialTooLong(_)
            | Self::NoNextUpdate
            | Self::UnknownCriticalExtension(_)
            | Self::MalformedExtension { .. }
            | Self::DuplicateExtension(_) => "have the CA write the list again with other software",
            Self::Delta | Self::Indirect | Self::SomeReasonsOnly | Self::AttributeCertificates => {
                "use the CA's complete, direct revocation list"
            }
        }
    }
}

/// A departure from RFC 5280 that the strict policy refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CrlDefect {
    #[error("the revocation list has version 1")]
    Version1,
    #[error("the revocation list has no cRLNumber")]
    NoNumber,
    #[error("the revocation list has no authorityKeyIdentifier")]
    NoAuthorityKey,
}

#[derive(Debug)]
struct Header {
    version: u32,
    issuer: DistinguishedName,
    this_update: Timestamp,
    next_update: Timestamp,
}

#[derive(Debug, Default)]
struct CrlExtensions {
    number: Option<Serial>,
    authority_key: Option<Box<[u8]>>,
    scope: CrlScope,
}

impl Crl {
    /// Every list of a file: one in DER, or any number in PEM with text around them.
    pub fn parse_file(file: &[u8]) -> Result<Vec<Self>, CrlError> {
        if file.len() > MAX_FILE_SIZE {
            return Err(CrlError::FileTooLarge { size: file.len() });
        }
        pem::revocation_lists(file)?.into_iter().map(Self::parse).collect()
    }

    /// Decodes the DER of one list; nothing may follow it.
    pub fn parse(der: Vec<u8>) -> Result<Self, CrlError> {
        let mut outer = only_sequence(&der)?.reader();
        let signed_part = outer.element(tag::SEQUENCE)?;
        let identifier = outer.element(tag::SEQUENCE)?;
        let signature = outer.whole_octet_bit_string()?;
        outer.finish()?;

        let mut fields = signed_part.reader();
        let version = parse_version(&mut fields)?;
        if fields.element(tag::SEQUENCE)?.encoded != identifier.encoded {
            return Err(CrlError::AlgorithmMismatch);
        }
        let header = Header::parse(version, &mut fields)?;
        let entries = match fields.optional(tag::SEQUENCE)? {
            Some(list) => parse_entries(&list)?,
            None => Vec::new(),
        };
        let extensions = CrlExtensions::parse(&mut fields, &header.issuer)?;
        fields.finish()?;
        Ok(Self {
            signed_part: signed_part.range(),
            signature_identifier: identifier.content_range(),
            signature: signature.content_range(),
            signature_algorithm: SignatureAlgorithm::parse(&identifier)?,
            header,
            entries,
            extensions,
            der,
        })
    }

    /// Who signed it, by its own account.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.header.issuer
    }

    /// When it was made.
    #[must_use]
    pub fn this_update(&self) -> Timestamp {
        self.header.this_update
    }

    /// By when a newer one is due; from then on it is expired.
    #[must_use]
    pub fn next_update(&self) -> Timestamp {
        self.header.next_update
    }

    /// Its cRLNumber; easy-rsa writes none.
    #[must_use]
    pub fn number(&self) -> Option<&Serial> {
        self.extensions.number.as_ref()
    }

    /// The key identifier of its issuer.
    #[must_use]
    pub fn authority_key(&self) -> Option<&[u8]> {
        self.extensions.authority_key.as_deref()
    }

    /// The revoked certificates, in the order of the list.
    #[must_use]
    pub fn entries(&self) -> &[CrlEntry] {
        &self.entries
    }

    /// The octets it was decoded from.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The algorithm it claims to be signed with.
    #[must_use]
    pub fn signature_algorithm(&self) -> &SignatureAlgorithm {
        &self.signature_algorithm
    }

    pub(super) fn scope(&self) -> &CrlScope {
        &self.extensions.scope
    }

    pub(super) fn into_entries(self) -> Vec<CrlEntry> {
        self.entries
    }

    pub(super) fn defect(&self) -> Option<CrlDefect> {
        if self.header.version == 1 {
            Some(CrlDefect::Version1)
        } else if self.extensions.number.is_none() {
            Some(CrlDefect::NoNumber)
        } else if self.extensions.authority_key.is_none() {
            Some(CrlDefect::NoAuthorityKey)
        } else {
            None
        }
    }

    pub(super) fn verify_signed_by(&self, issuer: &Certificate) -> Result<(), SignatureFailure> {
        issuer.verify(
            &self.der[self.signature_identifier.clone()],
            &self.der[self.signed_part.clone()],
            &self.der[self.signature.clone()],
        )
    }
}

impl Header {
    fn parse(version: u32, fields: &mut Reader<'_>) -> Result<Self, CrlError> {
        let issuer = DistinguishedName::parse(&fields.element(tag::SEQUENCE)?)?;
        let this_update = fields.time()?;
        if !matches!(fields.peek(), Some(tag::UTC_TIME | tag::GENERALIZED_TIME)) {
            return Err(CrlError::NoNextUpdate);
        }
        Ok(Self { version, issuer, this_update, next_update: fields.time()? })
    }
}

impl CrlExtensions {
    fn parse(fields: &mut Reader<'_>, issuer: &DistinguishedName) -> Result<Self, CrlError> {
        let mut extensions = Self::default();
        let Some(explicit) = fields.optional(tag::context_constructed(0))? else {
            return Ok(extensions);
        };
        let mut outer = explicit.reader();
        let list = outer.element(tag::SEQUENCE)?;
        outer.finish()?;
        for_each_extension(&list, |kind, critical, value| extensions.insert(kind, critical, value, issuer))?;
        Ok(extensions)
    }

    fn insert(
        &mut self,
        kind: &[u8],
        critical: bool,
        value: &Element<'_>,
        issuer: &DistinguishedName,
    ) -> Result<(), CrlError> {
        let malformed = |error| malformed(kind, error);
        match kind {
            // RFC 5280 section 5.2.3 forbids to mark it: software that does means something else by it.
            oid::CRL_NUMBER if !critical => self.number = Some(parse_number(value).map_err(malformed)?),
            oid::AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key = parse_authority_key(value).map_err(malformed)?;
            }
            oid::ISSUING_DISTRIBUTION_POINT => {
                self.scope = match IssuingDistributionPoint::parse(value, issuer).map_err(malformed)? {
                    IssuingDistributionPoint::Scope(scope) => scope,
                    IssuingDistributionPoint::Indirect => return Err(CrlError::Indirect),
                    IssuingDistributionPoint::SomeReasonsOnly => return Err(CrlError::SomeReasonsOnly),
                    IssuingDistributionPoint::AttributeCertificates => {
                        return Err(CrlError::AttributeCertificates);
                    }
                };
            }
            oid::DELTA_CRL_INDICATOR => return Err(CrlError::Delta),
            unknown if critical => {
                return Err(CrlError::UnknownCriticalExtension(Oid::from_content(unknown)));
            }
            _ => {}
        }
        Ok(())
    }
}

fn parse_version(fields: &mut Reader<'_>) -> Result<u32, CrlError> {
    match fields.optional(tag::INTEGER)? {
        None => Ok(1),
        Some(version) => match small_unsigned(&version)? {
            1 => Ok(2),
            other => Err(CrlError::Version(other.saturating_add(1))),
        },
    }
}

fn parse_entries(list: &Element<'_>) -> Result<Vec<CrlEntry>, CrlError> {
    /// The fewest octets of an entry: two headers, a serial number of one octet, a UTCTime.
    const SHORTEST_ENTRY: usize = 20;
    let possible = list.content.len() / SHORTEST_ENTRY;
    let mut entries = Vec::with_capacity(possible.min(MAX_ENTRIES) / 2);
    let mut reader = list.reader();
    while !reader.is_empty() {
        if entries.len() == MAX_ENTRIES {
            return Err(CrlError::TooManyEntries);
        }
        entries.push(parse_entry(&mut reader.sequence()?)?);
    }
    entries.shrink_to_fit();
    Ok(entries)
}

fn parse_entry(fields: &mut Reader<'_>) -> Result<CrlEntry, CrlError> {
    let serial = SerialOctets::from_integer(fields.integer()?)?;
    let revoked_at = fields.time()?;
    let reason = match fields.optional(tag::SEQUENCE)? {
        Some(extensions) => parse_entry_extensions(&extensions)?,
        None => None,
    };
    fields.finish()?;
    Ok(CrlEntry { revoked_at, serial, reason })
}

fn parse_entry_extensions(list: &Element<'_>) -> Result<Option<RevocationReason>, CrlError> {
    let mut reason = None;
    for_each_extension(list, |kind, critical, value| {
        match kind {
            oid::REASON_CODE => reason = Some(parse_reason(value).map_err(|error| malformed(kind, error))?),
            oid::CERTIFICATE_ISSUER => return Err(CrlError::Indirect),
            oid::INVALIDITY_DATE => {}
            unknown if critical => {
                return Err(CrlError::UnknownCriticalExtension(Oid::from_content(unknown)));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(reason)
}

/// Walks a SEQUENCE OF Extension, each kind at most once. Lists are short: an entry has one or two extensions.
fn for_each_extension<'a>(
    list: &Element<'a>,
    mut take: impl FnMut(&'a [u8], bool, &Element<'a>) -> Result<(), CrlError>,
) -> Result<(), CrlError> {
    const MAX_EXTENSIONS: usize = 16;
    let mut seen: [&[u8]; MAX_EXTENSIONS] = [&[]; MAX_EXTENSIONS];
    let mut count = 0;
    let mut reader = list.reader();
    while !reader.is_empty() {
        let mut fields = reader.sequence()?;
        let kind = fields.object_identifier()?;
        let critical = fields.boolean_default_false()?;
        let value = fields.octet_string()?;
        fields.finish()?;
        if seen[..count].contains(&kind) {
            return Err(CrlError::DuplicateExtension(Oid::from_content(kind)));
        }
        *seen.get_mut(count).ok_or(list.error(DerFault::BadValue))? = kind;
        count += 1;
        take(kind, critical, &value)?;
    }
    Ok(())
}

fn parse_reason(value: &Element<'_>) -> Result<RevocationReason, DerError> {
    let mut reader = value.reader();
    let element = reader.element(tag::ENUMERATED)?;
    reader.finish()?;
    let code = u8::try_from(small_unsigned(&element)?).ok();
    code.and_then(RevocationReason::from_code).ok_or(element.error(DerFault::BadValue))
}

fn parse_number(value: &Element<'_>) -> Result<Serial, DerError> {
    /// RFC 5280 section 5.2.3.
    const MAX_OCTETS: usize = 20;
    let mut reader = value.reader();
    let octets = reader.integer()?;
    reader.finish()?;
    if octets.len() > MAX_OCTETS || octets[0] & 0x80 != 0 {
        return Err(value.error(DerFault::IntegerOutOfRange));
    }
    Ok(Serial::from_be_bytes(octets))
}

fn malformed(kind: &[u8], error: DerError) -> CrlError {
    CrlError::MalformedExtension { kind: Oid::from_content(kind), error }
}
