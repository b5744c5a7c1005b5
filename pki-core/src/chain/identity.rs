//! Who a verified certificate says its holder is: the common name of its subject.
//!
//! One normalisation, to NFC; after it names are compared octet by octet. Anything a log, a file name or a person
//! could misread is refused rather than cleaned (threat model CRT-07).

use unicode_normalization::UnicodeNormalization as _;

use super::rejection::Reason;
use crate::text::{Printable, is_deceptive};
use crate::x509::DistinguishedName;
use crate::x509::oid;

/// X.520 ub-common-name.
const MAX_CHARACTERS: usize = 64;

/// The common name; `None` if there is none.
pub(super) fn common_name(subject: &DistinguishedName) -> Result<Option<String>, Reason> {
    let mut names =
        subject.attributes().iter().filter(|attribute| attribute.kind.as_bytes() == oid::COMMON_NAME);
    let Some(attribute) = names.next() else {
        return Ok(None);
    };
    if names.next().is_some() {
        return Err(Reason::AmbiguousIdentity);
    }
    let Some(text) = attribute.text.as_deref() else {
        return Err(Reason::NoIdentity);
    };
    if text.trim().is_empty() {
        return Err(Reason::NoIdentity);
    }
    if text.chars().any(is_deceptive) {
        return Err(Reason::DeceptiveIdentity { shown: Printable(text).to_string() });
    }
    let normalised: String = text.nfc().collect();
    let characters = normalised.chars().count();
    if characters > MAX_CHARACTERS {
        return Err(Reason::IdentityTooLong { characters });
    }
    Ok(Some(normalised))
}
