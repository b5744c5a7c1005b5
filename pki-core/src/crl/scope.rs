//! Which certificates of its issuer a revocation list speaks about.

use crate::x509::DistinguishedName;
use crate::x509::der::{DerError, DerFault, Element, Reader, tag};
use crate::x509::extensions::{DistributionPoint, parse_distribution_point_name};

/// The part of an issuer's certificates that a list covers; everything, unless an issuingDistributionPoint narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CrlScope {
    /// Names of the one distribution point it is for; empty for all.
    point: Vec<Box<[u8]>>,
    subjects: Subjects,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Subjects {
    #[default]
    All,
    EndEntities,
    Authorities,
}

/// What an issuingDistributionPoint says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IssuingDistributionPoint {
    Scope(CrlScope),
    Indirect,
    SomeReasonsOnly,
    AttributeCertificates,
}

impl CrlScope {
    /// Whether a certificate with these distribution points lies in the scope.
    pub(super) fn covers(&self, is_ca: bool, points: &[DistributionPoint]) -> bool {
        let covers_subject = match self.subjects {
            Subjects::All => true,
            Subjects::EndEntities => !is_ca,
            Subjects::Authorities => is_ca,
        };
        covers_subject && (self.point.is_empty() || points.iter().any(|point| self.is_for(point)))
    }

    /// A partial point needs lists this crate does not combine: it counts as not covered.
    fn is_for(&self, point: &DistributionPoint) -> bool {
        !point.partial && point.names.iter().any(|name| self.point.contains(name))
    }
}

impl IssuingDistributionPoint {
    pub(super) fn parse(value: &Element<'_>, issuer: &DistinguishedName) -> Result<Self, DerError> {
        let mut outer = value.reader();
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let name = fields.optional(tag::context_constructed(0))?;
        let only_users = flag(&mut fields, 1)?;
        let only_authorities = flag(&mut fields, 2)?;
        let some_reasons = fields.optional(tag::context(3))?.is_some();
        let indirect = flag(&mut fields, 4)?;
        let only_attributes = flag(&mut fields, 5)?;
        fields.finish()?;
        let point = match name {
            Some(name) => parse_distribution_point_name(&name, issuer)?,
            None => Vec::new(),
        };
        let subjects = match (only_users, only_authorities) {
            (false, false) => Subjects::All,
            (true, false) => Subjects::EndEntities,
            (false, true) => Subjects::Authorities,
            (true, true) => return Err(value.error(DerFault::BadValue)),
        };
        Ok(if indirect {
            Self::Indirect
        } else if some_reasons {
            Self::SomeReasonsOnly
        } else if only_attributes {
            Self::AttributeCertificates
        } else {
            Self::Scope(CrlScope { point, subjects })
        })
    }
}

/// A BOOLEAN under an implicit context tag, false by default.
fn flag(fields: &mut Reader<'_>, number: u8) -> Result<bool, DerError> {
    match fields.optional(tag::context(number))? {
        None => Ok(false),
        Some(element) => match element.content {
            [0x00] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(element.error(DerFault::BadBoolean)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(encoded: &[u8]) -> Result<IssuingDistributionPoint, DerFault> {
        let mut octet_string = vec![tag::OCTET_STRING, u8::try_from(encoded.len()).unwrap()];
        octet_string.extend_from_slice(encoded);
        let element = Reader::new(&octet_string).octet_string().unwrap();
        let issuer = DistinguishedName::parse(&Reader::new(&[0x30, 0]).any().unwrap()).unwrap();
        IssuingDistributionPoint::parse(&element, &issuer).map_err(|error| error.fault)
    }

    fn scope(encoded: &[u8]) -> CrlScope {
        let IssuingDistributionPoint::Scope(scope) = parse(encoded).unwrap() else {
            panic!("not a plain scope");
        };
        scope
    }

    fn point(name: &[u8], partial: bool) -> DistributionPoint {
        DistributionPoint { names: vec![name.into()], partial }
    }

    #[test]
    fn a_list_without_restrictions_covers_everything() {
        assert_eq!(scope(&[0x30, 0]), CrlScope::default());
        assert!(CrlScope::default().covers(true, &[]));
        assert!(CrlScope::default().covers(false, &[point(b"elsewhere", true)]));
    }

    #[test]
    fn a_list_of_authorities_does_not_speak_about_users() {
        let authorities = scope(&[0x30, 3, 0x82, 1, 0xff]);
        assert!(authorities.covers(true, &[]));
        assert!(!authorities.covers(false, &[]));
        let users = scope(&[0x30, 3, 0x81, 1, 0xff]);
        assert!(users.covers(false, &[]) && !users.covers(true, &[]));
        assert_eq!(parse(&[0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0xff]), Err(DerFault::BadValue));
    }

    #[test]
    fn a_list_for_one_point_covers_only_certificates_that_name_it() {
        let named = scope(b"\x30\x07\xa0\x05\xa0\x03\x86\x01x");
        assert!(named.covers(false, &[point(b"y", false), point(b"\x86\x01x", false)]));
        assert!(!named.covers(false, &[point(b"\x86\x01x", true)]));
        assert!(!named.covers(false, &[]));
    }

    #[test]
    fn lists_that_would_have_to_be_combined_are_told_apart() {
        assert_eq!(parse(&[0x30, 3, 0x84, 1, 0xff]), Ok(IssuingDistributionPoint::Indirect));
        assert_eq!(parse(&[0x30, 4, 0x83, 2, 6, 0x40]), Ok(IssuingDistributionPoint::SomeReasonsOnly));
        assert_eq!(parse(&[0x30, 3, 0x85, 1, 0xff]), Ok(IssuingDistributionPoint::AttributeCertificates));
    }
}
