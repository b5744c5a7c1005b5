//! Who a verified certificate says its holder is: the common name of its subject, or another field that a policy names.
//!
//! One normalisation, to NFC; after it names are compared octet by octet. Anything a log, a file name or a person
//! could misread is refused rather than cleaned (threat model CRT-07). A field that is missing is never replaced by
//! another one.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

use super::rejection::Reason;
use crate::text::{Printable, is_deceptive};
use crate::x509::general_name::GeneralName;
use crate::x509::{Certificate, DistinguishedName, oid};

/// The part of a certificate that says who its holder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum IdentityField {
    /// The common name of the subject.
    #[default]
    CommonName,
    /// The user id of the subject.
    UserId,
    /// The serial number of the subject, as cards and devices have it.
    SerialNumber,
    /// The mail address in the subject, where certificates had it before there were alternative names.
    SubjectEmail,
    /// The mail address among the alternative names.
    Email,
    /// The principal name of Active Directory among the alternative names.
    Principal,
    /// The host name among the alternative names.
    Dns,
    /// The URI among the alternative names.
    Uri,
}

/// No [`IdentityField`] is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has to be cn, uid, serial-number, subject-email, email, upn, dns or uri")]
pub struct UnknownIdentityField;

/// What is wrong with a field that has to say who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityProblem {
    /// It is not there, or empty, or no text.
    Missing,
    /// It is there several times.
    Several,
    /// It has characters that deceive people or programs.
    Deceptive {
        /// The name with those characters escaped.
        shown: String,
    },
    /// It is too long.
    TooLong {
        /// Its length.
        characters: usize,
    },
}

/// X.520 ub-common-name.
const MAX_COMMON_NAME: usize = 64;
const MAX_OTHERS: usize = 255;

/// The common name; `None` if there is none.
pub(super) fn common_name(subject: &DistinguishedName) -> Result<Option<String>, Reason> {
    let mut values = attribute(subject, oid::COMMON_NAME).peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    the_only_one(values, MAX_COMMON_NAME).map(Some).map_err(|problem| match problem {
        IdentityProblem::Missing => Reason::NoIdentity,
        IdentityProblem::Several => Reason::AmbiguousIdentity,
        IdentityProblem::Deceptive { shown } => Reason::DeceptiveIdentity { shown },
        IdentityProblem::TooLong { characters } => Reason::IdentityTooLong { characters },
    })
}

/// What the field says; `None` only for a common name that is not there.
pub(super) fn identity(leaf: &Certificate, field: IdentityField) -> Result<Option<String>, Reason> {
    let subject = leaf.subject();
    let found = match field {
        IdentityField::CommonName => return common_name(subject),
        IdentityField::UserId => the_only_one(attribute(subject, oid::USER_ID), MAX_OTHERS),
        IdentityField::SerialNumber => the_only_one(attribute(subject, oid::SERIAL_NUMBER), MAX_OTHERS),
        IdentityField::SubjectEmail => the_only_one(attribute(subject, oid::EMAIL_ADDRESS), MAX_OTHERS),
        IdentityField::Email | IdentityField::Principal | IdentityField::Dns | IdentityField::Uri => {
            let names = leaf.extensions().alternative_names.as_ref();
            let names = names.map(|names| names.value.as_slice()).unwrap_or_default();
            the_only_one(names.iter().filter_map(|name| alternative(name, field)), MAX_OTHERS)
        }
    };
    found.map(Some).map_err(|problem| Reason::Identity { field, problem })
}

fn attribute<'a>(subject: &'a DistinguishedName, kind: &'a [u8]) -> impl Iterator<Item = Option<&'a str>> {
    let attributes = subject.attributes().iter().filter(move |attribute| attribute.kind.as_bytes() == kind);
    attributes.map(|attribute| attribute.text.as_deref())
}

fn alternative(name: &GeneralName, field: IdentityField) -> Option<Option<&str>> {
    let is_meant = |wanted: IdentityField, text| (field == wanted).then_some(Some(text));
    match name {
        GeneralName::Email(text) => is_meant(IdentityField::Email, text.as_str()),
        GeneralName::Principal(text) => is_meant(IdentityField::Principal, text.as_str()),
        GeneralName::Dns(text) => is_meant(IdentityField::Dns, text.as_str()),
        GeneralName::Uri(text) => is_meant(IdentityField::Uri, text.as_str()),
        GeneralName::Directory(_) | GeneralName::Ip(_) | GeneralName::Other(_) => None,
    }
}

/// One harmless text; values that are no text are `None`.
fn the_only_one<'a>(
    mut values: impl Iterator<Item = Option<&'a str>>,
    longest: usize,
) -> Result<String, IdentityProblem> {
    let first = values.next().ok_or(IdentityProblem::Missing)?;
    if values.next().is_some() {
        return Err(IdentityProblem::Several);
    }
    let text = first.filter(|text| !text.trim().is_empty()).ok_or(IdentityProblem::Missing)?;
    if text.chars().any(is_deceptive) {
        return Err(IdentityProblem::Deceptive { shown: Printable(text).to_string() });
    }
    let normalised: String = text.nfc().collect();
    match normalised.chars().count() {
        characters if characters > longest => Err(IdentityProblem::TooLong { characters }),
        _ => Ok(normalised),
    }
}

impl IdentityProblem {
    /// Stable name of this cause.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "no-identity",
            Self::Several => "ambiguous-identity",
            Self::Deceptive { .. } => "deceptive-identity",
            Self::TooLong { .. } => "identity-too-long",
        }
    }
}

impl fmt::Display for IdentityProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str("is missing"),
            Self::Several => out.write_str("is there several times"),
            Self::Deceptive { shown } => write!(out, "contains control or invisible characters: {shown}"),
            Self::TooLong { characters } => {
                write!(out, "has {characters} characters, at most {MAX_OTHERS} are allowed")
            }
        }
    }
}

impl IdentityField {
    const WORDS: [(Self, &'static str); 8] = [
        (Self::CommonName, "cn"),
        (Self::UserId, "uid"),
        (Self::SerialNumber, "serial-number"),
        (Self::SubjectEmail, "subject-email"),
        (Self::Email, "email"),
        (Self::Principal, "upn"),
        (Self::Dns, "dns"),
        (Self::Uri, "uri"),
    ];
}

impl FromStr for IdentityField {
    type Err = UnknownIdentityField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::WORDS.into_iter().find(|(_, word)| *word == text);
        known.map(|(field, _)| field).ok_or(UnknownIdentityField)
    }
}

impl fmt::Display for IdentityField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.into_iter().find(|(field, _)| field == self);
        out.write_str(word.map_or("cn", |(_, word)| word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(values: &[Option<&str>]) -> Result<String, IdentityProblem> {
        the_only_one(values.iter().copied(), MAX_OTHERS)
    }

    #[test]
    fn crt_07_exactly_one_harmless_text_says_who_somebody_is() {
        assert_eq!(only(&[Some("alice@corp.example")]).unwrap(), "alice@corp.example");
        for values in [&[][..], &[None], &[Some("")], &[Some("  ")]] {
            assert_eq!(only(values), Err(IdentityProblem::Missing), "{values:?}");
        }
        assert_eq!(only(&[Some("a"), Some("a")]), Err(IdentityProblem::Several));
        for text in ["a\nb", "a\0b", "a\u{202e}b", "a\u{200b}"] {
            assert_eq!(only(&[Some(text)]).unwrap_err().code(), "deceptive-identity", "{text:?}");
        }
    }

    #[test]
    fn crt_07_names_are_composed_and_limited() {
        assert_eq!(only(&[Some("e\u{301}")]).unwrap(), "\u{e9}");
        assert!(only(&[Some(&"x".repeat(MAX_OTHERS))]).is_ok());
        let longer = "x".repeat(MAX_OTHERS + 1);
        assert_eq!(only(&[Some(&longer)]), Err(IdentityProblem::TooLong { characters: 256 }));
    }

    #[test]
    fn an_alternative_name_counts_only_where_it_is_asked_for() {
        let name = GeneralName::Principal("alice@corp".to_owned());
        assert_eq!(alternative(&name, IdentityField::Principal), Some(Some("alice@corp")));
        assert_eq!(alternative(&name, IdentityField::Email), None);
        assert_eq!(alternative(&GeneralName::Other(0xa0), IdentityField::Principal), None);
    }

    #[test]
    fn fields_read_back_as_they_are_written() {
        for (field, word) in IdentityField::WORDS {
            assert_eq!(word.parse::<IdentityField>(), Ok(field));
            assert_eq!(field.to_string(), word);
        }
        assert_eq!("ou".parse::<IdentityField>(), Err(UnknownIdentityField));
    }
}
