//! The strict profile: RFC 5280 to the letter, with the Web PKI's narrower rules for keys and identifiers.
//!
//! Optional, because easy-rsa's own certificates depart from it (threat model CRT-02). Nothing here is needed for
//! security; it finds what other implementations may stumble over.

use super::authority::Fault;
use super::peer_name::is_host_name;
use super::policy::{Purpose, Revocation};
use super::rejection::Reason;
use super::{Request, identity};
use crate::crl::{CertificateId, CrlDefect};
use crate::x509::extensions::{Extensions, InformationAccess};
use crate::x509::general_name::GeneralName;
use crate::x509::{Certificate, PublicKeyKind};

/// A departure from the strict profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ProfileDefect {
    #[error("the serial number is not positive")]
    SerialNotPositive,
    #[error("the serial number is longer than 20 octets")]
    SerialTooLong,
    #[error("the RSA modulus is not a whole number of octets")]
    OddModulus,
    #[error("the authorityKeyIdentifier is missing")]
    NoAuthorityKey,
    #[error("the authorityKeyIdentifier has no key identifier")]
    NoAuthorityKeyIdentifier,
    #[error("the authorityKeyIdentifier names the issuer's certificate besides its key")]
    AuthorityKeyNamesCertificate,
    #[error("the authorityKeyIdentifier is not the issuer's subjectKeyIdentifier")]
    AuthorityKeyMismatch,
    #[error("a key identifier is marked critical")]
    CriticalKeyIdentifier,
    #[error("a CA has no subjectKeyIdentifier")]
    CaWithoutSubjectKey,
    #[error("the basicConstraints of a CA are not critical")]
    CaBasicConstraintsNotCritical,
    #[error("a CA has no keyUsage")]
    CaWithoutKeyUsage,
    #[error("a root CA restricts itself by extendedKeyUsage")]
    RootWithExtendedKeyUsage,
    #[error("an end entity claims any purpose")]
    AnyPurpose,
    #[error("the extendedKeyUsage is critical")]
    CriticalExtendedKeyUsage,
    #[error("an end entity carries name constraints")]
    NameConstraintsOnEndEntity,
    #[error("name constraints are not critical")]
    NameConstraintsNotCritical,
    #[error("alternative names are critical although there is a subject")]
    CriticalAlternativeNames,
    #[error("alternative names are not critical although there is no subject")]
    AlternativeNamesNotCritical,
    #[error("an alternative name is not a host name")]
    BadHostName,
    #[error("the common name is not among the alternative names")]
    CommonNameNotAlternative,
    #[error("the authorityInfoAccess is malformed")]
    MalformedInformationAccess,
    #[error("the revocation list has version 1")]
    CrlVersion1,
    #[error("the revocation list has no cRLNumber")]
    CrlWithoutNumber,
    #[error("the revocation list has no authorityKeyIdentifier")]
    CrlWithoutAuthorityKey,
}

pub(super) fn check(
    path: &[&Certificate],
    certificates: &[CertificateId],
    request: &Request<'_>,
) -> Result<(), Fault> {
    for (depth, certificate) in path.iter().enumerate() {
        let issuer = path.get(depth + 1).copied();
        check_certificate(certificate, issuer).map_err(|defect| at(depth, defect))?;
        if depth == 0 {
            check_leaf(certificate, request).map_err(|defect| at(0, defect))?;
        } else {
            check_authority(certificate, issuer.is_none()).map_err(|defect| at(depth, defect))?;
        }
    }
    check_lists(certificates, request)
}

fn at(depth: usize, defect: ProfileDefect) -> Fault {
    Fault { depth, reason: Reason::Profile(defect) }
}

fn require(holds: bool, defect: ProfileDefect) -> Result<(), ProfileDefect> {
    if holds { Ok(()) } else { Err(defect) }
}

fn check_certificate(certificate: &Certificate, issuer: Option<&Certificate>) -> Result<(), ProfileDefect> {
    let extensions = certificate.extensions();
    let serial = certificate.serial_octets();
    require(serial.is_positive(), ProfileDefect::SerialNotPositive)?;
    require(serial.as_bytes().len() <= 20, ProfileDefect::SerialTooLong)?;
    if let PublicKeyKind::Rsa { bits } = certificate.public_key_kind() {
        require(bits.is_multiple_of(8), ProfileDefect::OddModulus)?;
    }
    check_key_identifiers(certificate, issuer)?;
    let constraints = extensions.name_constraints.as_ref();
    require(
        constraints.is_none_or(|constraints| constraints.critical),
        ProfileDefect::NameConstraintsNotCritical,
    )?;
    check_alternative_names(certificate)?;
    require(
        extensions.information_access != Some(InformationAccess::Malformed),
        ProfileDefect::MalformedInformationAccess,
    )
}

/// The signer of an anchor is the anchor itself if it is self-issued, otherwise unknown.
fn check_key_identifiers(
    certificate: &Certificate,
    issuer: Option<&Certificate>,
) -> Result<(), ProfileDefect> {
    let extensions = certificate.extensions();
    let is_critical = extensions.subject_key_identifier.as_ref().is_some_and(|own| own.critical)
        || extensions.authority_key_identifier.as_ref().is_some_and(|authority| authority.critical);
    require(!is_critical, ProfileDefect::CriticalKeyIdentifier)?;
    let Some(authority) = &extensions.authority_key_identifier else {
        let is_root = issuer.is_none() && certificate.is_self_issued();
        return require(is_root, ProfileDefect::NoAuthorityKey);
    };
    require(!authority.value.names_issuer_certificate, ProfileDefect::AuthorityKeyNamesCertificate)?;
    let Some(wanted) = &authority.value.key_identifier else {
        return Err(ProfileDefect::NoAuthorityKeyIdentifier);
    };
    let signer = issuer.or_else(|| certificate.is_self_issued().then_some(certificate));
    let present = signer.and_then(|signer| signer.extensions().subject_key_identifier.as_ref());
    require(present.is_none_or(|present| present.value == *wanted), ProfileDefect::AuthorityKeyMismatch)
}

fn check_alternative_names(certificate: &Certificate) -> Result<(), ProfileDefect> {
    let Some(names) = &certificate.extensions().alternative_names else {
        return Ok(());
    };
    if certificate.subject().is_empty() {
        require(names.critical, ProfileDefect::AlternativeNamesNotCritical)?;
    } else {
        require(!names.critical, ProfileDefect::CriticalAlternativeNames)?;
    }
    let well_formed = |name: &GeneralName| match name {
        GeneralName::Dns(host) => {
            !host.contains('_') && is_host_name(host.strip_prefix("*.").unwrap_or(host))
        }
        GeneralName::Email(_)
        | GeneralName::Uri(_)
        | GeneralName::Directory(_)
        | GeneralName::Ip(_)
        | GeneralName::Principal(_)
        | GeneralName::Other(_) => true,
    };
    require(names.value.iter().all(well_formed), ProfileDefect::BadHostName)
}

fn check_authority(authority: &Certificate, is_anchor: bool) -> Result<(), ProfileDefect> {
    let extensions = authority.extensions();
    require(extensions.subject_key_identifier.is_some(), ProfileDefect::CaWithoutSubjectKey)?;
    let constraints = extensions.basic_constraints.as_ref();
    require(
        constraints.is_some_and(|constraints| constraints.critical),
        ProfileDefect::CaBasicConstraintsNotCritical,
    )?;
    require(extensions.key_usage.is_some(), ProfileDefect::CaWithoutKeyUsage)?;
    require(!is_anchor || extensions.extended_key_usage.is_none(), ProfileDefect::RootWithExtendedKeyUsage)
}

fn check_leaf(leaf: &Certificate, request: &Request<'_>) -> Result<(), ProfileDefect> {
    let extensions = leaf.extensions();
    if let Some(purposes) = &extensions.extended_key_usage {
        require(!purposes.value.any, ProfileDefect::AnyPurpose)?;
        require(!purposes.critical, ProfileDefect::CriticalExtendedKeyUsage)?;
    }
    require(
        leaf.is_ca() || extensions.name_constraints.is_none(),
        ProfileDefect::NameConstraintsOnEndEntity,
    )?;
    if request.purpose == Purpose::Server && request.name.is_some() {
        check_common_name(leaf, extensions)?;
    }
    Ok(())
}

/// Where host names count, a common name is a copy of one of them, octet by octet.
fn check_common_name(leaf: &Certificate, extensions: &Extensions) -> Result<(), ProfileDefect> {
    let (Ok(Some(common_name)), Some(names)) =
        (identity::common_name(leaf.subject()), &extensions.alternative_names)
    else {
        return Ok(());
    };
    let is_copy = |name: &GeneralName| match name {
        GeneralName::Dns(text) | GeneralName::Email(text) => *text == common_name,
        GeneralName::Ip(address) => address.to_string() == common_name,
        GeneralName::Uri(_)
        | GeneralName::Directory(_)
        | GeneralName::Principal(_)
        | GeneralName::Other(_) => false,
    };
    require(names.value.iter().any(is_copy), ProfileDefect::CommonNameNotAlternative)
}

fn check_lists(certificates: &[CertificateId], request: &Request<'_>) -> Result<(), Fault> {
    let Revocation::Required(index) = request.revocation else {
        return Ok(());
    };
    for (depth, certificate) in certificates.iter().enumerate() {
        if let Some(defect) = index.defect(certificate) {
            return Err(at(depth, defect.into()));
        }
    }
    Ok(())
}

impl From<CrlDefect> for ProfileDefect {
    fn from(defect: CrlDefect) -> Self {
        match defect {
            CrlDefect::Version1 => Self::CrlVersion1,
            CrlDefect::NoNumber => Self::CrlWithoutNumber,
            CrlDefect::NoAuthorityKey => Self::CrlWithoutAuthorityKey,
        }
    }
}
