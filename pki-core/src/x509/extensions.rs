//! Certificate extensions as typed values.
//!
//! Decoding only: a certificate with an unknown critical extension is read, and judged in [`crate::chain`], because
//! it may never be part of a path.

use super::der::{DerError, DerFault, Element, Reader, only_sequence, small_unsigned, tag};
use super::general_name::{self, GeneralName};
use super::name::DistinguishedName;
use super::oid::{self, Oid};

/// More extensions than any certificate has; a larger number only serves to cost time.
const MAX_EXTENSIONS: usize = 64;

/// A value and whether its extension is marked critical.
#[derive(Clone, Debug)]
pub(crate) struct Marked<T> {
    pub(crate) critical: bool,
    pub(crate) value: T,
}

/// The extensions of one certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extensions {
    pub(crate) basic_constraints: Option<Marked<BasicConstraints>>,
    pub(crate) key_usage: Option<Marked<KeyUsage>>,
    pub(crate) extended_key_usage: Option<Marked<ExtendedKeyUsage>>,
    pub(crate) alternative_names: Option<Marked<Vec<GeneralName>>>,
    pub(crate) name_constraints: Option<Marked<NameConstraints>>,
    pub(crate) authority_key_identifier: Option<Marked<AuthorityKeyIdentifier>>,
    pub(crate) subject_key_identifier: Option<Marked<Box<[u8]>>>,
    pub(crate) distribution_points: Vec<DistributionPoint>,
    /// Present, well-formed or not: nobody here follows such addresses.
    pub(crate) information_access: Option<InformationAccess>,
    pub(crate) has_policy_constraints: bool,
    /// The first critical extension that nothing here processes.
    pub(crate) unknown_critical: Option<Oid>,
}

/// Why the extensions of a certificate cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExtensionsError {
    Der(DerError),
    Malformed(Oid, DerError),
    Duplicate(Oid),
    TooMany,
}

impl From<DerError> for ExtensionsError {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BasicConstraints {
    pub(crate) is_ca: bool,
    pub(crate) path_length: Option<u32>,
}

/// The first sixteen bits of a keyUsage; the bit numbers are those of RFC 5280 section 4.2.1.3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyUsage(u16);

impl KeyUsage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 1 << 15;
    pub(crate) const KEY_ENCIPHERMENT: u16 = 1 << 13;
    pub(crate) const KEY_AGREEMENT: u16 = 1 << 11;
    pub(crate) const KEY_CERT_SIGN: u16 = 1 << 10;
    pub(crate) const CRL_SIGN: u16 = 1 << 9;

    pub(crate) fn allows(self, usage: u16) -> bool {
        self.0 & usage != 0
    }
}

/// The purposes named by an extendedKeyUsage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExtendedKeyUsage {
    pub(crate) any: bool,
    pub(crate) server_auth: bool,
    pub(crate) client_auth: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct AuthorityKeyIdentifier {
    pub(crate) key_identifier: Option<Box<[u8]>>,
    pub(crate) names_issuer_certificate: bool,
}

/// The names a CA may or may not certify.
#[derive(Clone, Debug)]
pub(crate) struct NameConstraints {
    pub(crate) permitted: GeneralSubtrees,
    pub(crate) excluded: GeneralSubtrees,
}

/// The bases of subtrees: tag and content of each GeneralName, in the order of the extension.
pub(crate) type GeneralSubtrees = Vec<SubtreeBase>;

#[derive(Clone, Debug)]
pub(crate) enum SubtreeBase {
    Email(String),
    Dns(String),
    Uri(String),
    Directory(DistinguishedName),
    /// Address and mask, 4 or 16 octets each.
    Ip(Box<[u8]>),
    Other(u8),
}

/// Where the CA publishes the revocation list that covers a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DistributionPoint {
    /// Alternative names of one point, in a form that compares octet by octet; empty if only a list issuer is named.
    pub(crate) names: Vec<Box<[u8]>>,
    /// Whether the list is for some reasons only, or issued by somebody else.
    pub(crate) partial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InformationAccess {
    WellFormed,
    Malformed,
}

impl Extensions {
    /// Reads the SEQUENCE OF Extension of a certificate issued by `issuer`.
    pub(crate) fn parse(list: &mut Reader<'_>, issuer: &DistinguishedName) -> Result<Self, ExtensionsError> {
        let mut extensions = Self::default();
        let mut seen: Vec<&[u8]> = Vec::with_capacity(8);
        while !list.is_empty() {
            let mut fields = list.sequence()?;
            let kind = fields.object_identifier()?;
            let critical = fields.boolean_default_false()?;
            let value = fields.octet_string()?;
            fields.finish()?;
            if seen.contains(&kind) {
                return Err(ExtensionsError::Duplicate(Oid::from_content(kind)));
            }
            if seen.len() == MAX_EXTENSIONS {
                return Err(ExtensionsError::TooMany);
            }
            seen.push(kind);
            extensions
                .insert(kind, critical, &value, issuer)
                .map_err(|error| ExtensionsError::Malformed(Oid::from_content(kind), error))?;
        }
        Ok(extensions)
    }

    fn insert(
        &mut self,
        kind: &[u8],
        critical: bool,
        value: &Element<'_>,
        issuer: &DistinguishedName,
    ) -> Result<(), DerError> {
        match kind {
            oid::BASIC_CONSTRAINTS => {
                self.basic_constraints = mark(critical, parse_basic_constraints(value)?)
            }
            oid::KEY_USAGE => self.key_usage = mark(critical, parse_key_usage(value)?),
            oid::EXTENDED_KEY_USAGE => {
                self.extended_key_usage = mark(critical, parse_extended_key_usage(value)?)
            }
            oid::SUBJECT_ALTERNATIVE_NAME => {
                self.alternative_names = mark(critical, GeneralName::parse_list(&whole_sequence(value)?)?);
            }
            oid::NAME_CONSTRAINTS => self.name_constraints = mark(critical, parse_name_constraints(value)?),
            oid::AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key_identifier = mark(critical, parse_authority_key_identifier(value)?);
            }
            oid::SUBJECT_KEY_IDENTIFIER => {
                self.subject_key_identifier = mark(critical, parse_subject_key_identifier(value)?);
            }
            oid::CRL_DISTRIBUTION_POINTS => {
                self.distribution_points = parse_distribution_points(value, issuer)?
            }
            oid::POLICY_CONSTRAINTS => {
                self.has_policy_constraints = true;
                self.note_unknown(critical, kind);
            }
            oid::AUTHORITY_INFORMATION_ACCESS => {
                self.information_access = Some(judge_information_access(value));
                self.note_unknown(critical, kind);
            }
            // Without policy constraints a path is acceptable under any policy, so there is nothing to process.
            oid::CERTIFICATE_POLICIES => {}
            _ => self.note_unknown(critical, kind),
        }
        Ok(())
    }

    fn note_unknown(&mut self, critical: bool, kind: &[u8]) {
        if critical && self.unknown_critical.is_none() {
            self.unknown_critical = Some(Oid::from_content(kind));
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every extension field is optional")]
fn mark<T>(critical: bool, value: T) -> Option<Marked<T>> {
    Some(Marked { critical, value })
}

/// The single SEQUENCE inside an extension value, with offsets counted in the whole certificate.
fn whole_sequence<'a>(value: &Element<'a>) -> Result<Element<'a>, DerError> {
    let mut reader = value.reader();
    let sequence = reader.element(tag::SEQUENCE)?;
    reader.finish()?;
    Ok(sequence)
}

fn parse_basic_constraints(value: &Element<'_>) -> Result<BasicConstraints, DerError> {
    let mut fields = whole_sequence(value)?.reader();
    let is_ca = fields.boolean_default_false()?;
    let path_length = fields.optional(tag::INTEGER)?.map(|length| small_unsigned(&length)).transpose()?;
    fields.finish()?;
    Ok(BasicConstraints { is_ca, path_length })
}

fn parse_key_usage(value: &Element<'_>) -> Result<KeyUsage, DerError> {
    let mut reader = value.reader();
    let bits = reader.element(tag::BIT_STRING)?;
    reader.finish()?;
    check_bit_string(&bits)?;
    let octet = |index: usize| bits.content.get(index).copied().unwrap_or(0);
    Ok(KeyUsage(u16::from_be_bytes([octet(1), octet(2)])))
}

/// Unused bits are fewer than eight and zero.
fn check_bit_string(bits: &Element<'_>) -> Result<(), DerError> {
    let well_formed = match bits.content {
        [0] => true,
        [unused @ 0..=7, .., last] => last.trailing_zeros() >= u32::from(*unused),
        _ => false,
    };
    if well_formed { Ok(()) } else { Err(bits.error(DerFault::BadBitString)) }
}

fn parse_extended_key_usage(value: &Element<'_>) -> Result<ExtendedKeyUsage, DerError> {
    let mut purposes = whole_sequence(value)?.reader();
    if purposes.is_empty() {
        return Err(value.error(DerFault::Empty));
    }
    let mut usage = ExtendedKeyUsage::default();
    while !purposes.is_empty() {
        match purposes.object_identifier()? {
            oid::ANY_EXTENDED_KEY_USAGE => usage.any = true,
            oid::SERVER_AUTH => usage.server_auth = true,
            oid::CLIENT_AUTH => usage.client_auth = true,
            _ => {}
        }
    }
    Ok(usage)
}

fn parse_authority_key_identifier(value: &Element<'_>) -> Result<AuthorityKeyIdentifier, DerError> {
    let mut fields = whole_sequence(value)?.reader();
    let key_identifier = fields.optional(tag::context(0))?;
    let issuer = fields.optional(tag::context_constructed(1))?;
    let serial = fields.optional(tag::context(2))?;
    fields.finish()?;
    Ok(AuthorityKeyIdentifier {
        key_identifier: key_identifier.map(|identifier| identifier.content.into()),
        names_issuer_certificate: issuer.is_some() || serial.is_some(),
    })
}

/// The key identifier of an authority, as revocation lists carry it too.
pub(crate) fn parse_authority_key(value: &Element<'_>) -> Result<Option<Box<[u8]>>, DerError> {
    parse_authority_key_identifier(value).map(|identifier| identifier.key_identifier)
}

fn parse_subject_key_identifier(value: &Element<'_>) -> Result<Box<[u8]>, DerError> {
    let mut reader = value.reader();
    let identifier = reader.octet_string()?;
    reader.finish()?;
    Ok(identifier.content.into())
}

fn parse_name_constraints(value: &Element<'_>) -> Result<NameConstraints, DerError> {
    let mut fields = whole_sequence(value)?.reader();
    let permitted = parse_subtrees(fields.optional(tag::context_constructed(0))?)?;
    let excluded = parse_subtrees(fields.optional(tag::context_constructed(1))?)?;
    fields.finish()?;
    if permitted.is_empty() && excluded.is_empty() {
        return Err(value.error(DerFault::Empty));
    }
    Ok(NameConstraints { permitted, excluded })
}

fn parse_subtrees(list: Option<Element<'_>>) -> Result<GeneralSubtrees, DerError> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    let mut reader = list.reader();
    let mut bases = Vec::new();
    while !reader.is_empty() {
        let mut subtree = reader.sequence()?;
        bases.push(parse_subtree_base(&subtree.any()?)?);
        // A minimum other than 0 or any maximum has no defined meaning in this profile (RFC 5280 section 4.2.1.10).
        subtree.finish()?;
    }
    if bases.is_empty() {
        return Err(list.error(DerFault::Empty));
    }
    Ok(bases)
}

fn parse_subtree_base(base: &Element<'_>) -> Result<SubtreeBase, DerError> {
    Ok(match base.tag {
        GeneralName::EMAIL_TAG => SubtreeBase::Email(general_name::ascii(base)?),
        GeneralName::DNS_TAG => SubtreeBase::Dns(general_name::ascii(base)?),
        GeneralName::URI_TAG => SubtreeBase::Uri(general_name::ascii(base)?),
        GeneralName::DIRECTORY_TAG => SubtreeBase::Directory(general_name::parse_directory_name(base)?),
        GeneralName::IP_TAG => SubtreeBase::Ip(base.content.into()),
        other => SubtreeBase::Other(other),
    })
}

fn parse_distribution_points(
    value: &Element<'_>,
    issuer: &DistinguishedName,
) -> Result<Vec<DistributionPoint>, DerError> {
    let mut points = whole_sequence(value)?.reader();
    let mut parsed = Vec::new();
    while !points.is_empty() {
        let mut fields = points.sequence()?;
        let name = fields.optional(tag::context_constructed(0))?;
        let reasons = fields.optional(tag::context(1))?;
        let list_issuer = fields.optional(tag::context_constructed(2))?;
        fields.finish()?;
        parsed.push(DistributionPoint {
            names: match name {
                Some(name) => parse_distribution_point_name(&name, issuer)?,
                None => Vec::new(),
            },
            partial: reasons.is_some() || list_issuer.is_some(),
        });
    }
    Ok(parsed)
}

/// Reads a DistributionPointName inside its explicit tag; a relative name continues the name of `issuer`.
pub(crate) fn parse_distribution_point_name(
    name: &Element<'_>,
    issuer: &DistinguishedName,
) -> Result<Vec<Box<[u8]>>, DerError> {
    let mut choice = name.reader();
    let chosen = choice.any()?;
    choice.finish()?;
    if chosen.tag == tag::context_constructed(0) {
        return general_name::canonical_list(&mut chosen.reader());
    }
    if chosen.tag == tag::context_constructed(1) {
        let full = issuer.with_relative_name(&chosen)?;
        return Ok(vec![general_name::canonical_directory(&full)]);
    }
    Err(chosen.error(DerFault::BadValue))
}

fn judge_information_access(value: &Element<'_>) -> InformationAccess {
    let well_formed = || -> Result<(), DerError> {
        let mut descriptions = only_sequence(value.content)?.reader();
        while !descriptions.is_empty() {
            let mut fields = descriptions.sequence()?;
            fields.object_identifier()?;
            fields.any()?;
            fields.finish()?;
        }
        Ok(())
    };
    match well_formed() {
        Ok(()) => InformationAccess::WellFormed,
        Err(_) => InformationAccess::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::encode_common_name;
    use super::*;

    fn parse(encoded: &[u8]) -> Result<Extensions, ExtensionsError> {
        let issuer = encode_common_name(tag::UTF8_STRING, b"issuer");
        let issuer = DistinguishedName::parse(&only_sequence(&issuer).unwrap()).unwrap();
        Extensions::parse(&mut Reader::new(encoded), &issuer)
    }

    fn extension(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
        let mut content = vec![tag::OBJECT_IDENTIFIER, u8::try_from(kind.len()).unwrap()];
        content.extend_from_slice(kind);
        if critical {
            content.extend_from_slice(&[tag::BOOLEAN, 1, 0xff]);
        }
        content.extend_from_slice(&[tag::OCTET_STRING, u8::try_from(value.len()).unwrap()]);
        content.extend_from_slice(value);
        let mut encoded = vec![tag::SEQUENCE, u8::try_from(content.len()).unwrap()];
        encoded.extend_from_slice(&content);
        encoded
    }

    #[test]
    fn crt_05_a_second_extension_of_one_kind_is_refused() {
        let one = extension(oid::KEY_USAGE, true, &[3, 2, 7, 0x80]);
        assert!(parse(&one).is_ok());
        let error = parse(&[one.clone(), one].concat()).unwrap_err();
        assert_eq!(error, ExtensionsError::Duplicate(Oid::from_content(oid::KEY_USAGE)));
    }

    #[test]
    fn crt_06_the_number_of_extensions_is_limited() {
        let many = |count: u8| -> Vec<u8> {
            (0..count).flat_map(|number| extension(&[0x2a, number], false, &[])).collect()
        };
        assert!(parse(&many(64)).is_ok());
        assert_eq!(parse(&many(65)).unwrap_err(), ExtensionsError::TooMany);
    }

    #[test]
    fn key_usage_bits_have_their_places() {
        let usage = |value: &[u8]| {
            let extensions = parse(&extension(oid::KEY_USAGE, false, value)).unwrap();
            extensions.key_usage.unwrap().value
        };
        assert!(usage(&[3, 2, 7, 0x80]).allows(KeyUsage::DIGITAL_SIGNATURE));
        assert!(usage(&[3, 2, 1, 0x06]).allows(KeyUsage::KEY_CERT_SIGN));
        assert!(usage(&[3, 2, 1, 0x06]).allows(KeyUsage::CRL_SIGN));
        assert!(!usage(&[3, 2, 1, 0x06]).allows(KeyUsage::DIGITAL_SIGNATURE));
        assert!(usage(&[3, 2, 3, 0x08]).allows(KeyUsage::KEY_AGREEMENT));
        assert!(parse(&extension(oid::KEY_USAGE, false, &[3, 2, 7, 0x81])).is_err());
        assert!(parse(&extension(oid::KEY_USAGE, false, &[3, 2, 8, 0x80])).is_err());
    }

    #[test]
    fn only_critical_extensions_that_nobody_processes_are_noted() {
        let unknown = [0x2a, 0x03];
        assert!(parse(&extension(&unknown, false, &[5, 0])).unwrap().unknown_critical.is_none());
        let noted = parse(&extension(&unknown, true, &[5, 0])).unwrap().unknown_critical.unwrap();
        assert_eq!(noted.to_string(), "1.2.3");
    }

    #[test]
    fn a_relative_distribution_point_equals_the_full_name_it_stands_for() {
        let issuer = encode_common_name(tag::UTF8_STRING, b"issuer");
        let relative = encode_common_name(tag::UTF8_STRING, b"list 1");
        let set_content = &relative[4..];
        let point = |name: Vec<u8>| {
            let inner = wrap(tag::context_constructed(0), &name);
            let value = wrap(tag::SEQUENCE, &wrap(tag::SEQUENCE, &inner));
            let parsed = parse(&extension(oid::CRL_DISTRIBUTION_POINTS, false, &value)).unwrap();
            parsed.distribution_points
        };
        let by_relative_name = point(wrap(tag::context_constructed(1), set_content));
        let full = wrap(tag::SEQUENCE, &[&issuer[2..], &relative[2..]].concat());
        let directory = wrap(GeneralName::DIRECTORY_TAG, &full);
        assert_eq!(by_relative_name, point(wrap(tag::context_constructed(0), &directory)));
    }

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut encoded = vec![tag, u8::try_from(content.len()).unwrap()];
        encoded.extend_from_slice(content);
        encoded
    }
}
