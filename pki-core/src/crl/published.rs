//! What the published list says, as far as its successor must respect it.
//!
//! Nothing is verified here: the list is our own, and its issuer is compared by whoever asks.

use super::PublishError;
use crate::asn1::{Reader, tag};
use crate::cert::extension::oid;
use crate::serial::Serial;
use crate::time::Timestamp;

/// The list in crl.pem.
pub(crate) struct PublishedList<'a> {
    issuer: &'a [u8],
    next_update: Option<Timestamp>,
    entries: &'a [u8],
    number: Option<Serial>,
}

impl<'a> PublishedList<'a> {
    pub(crate) fn from_der(der: &'a [u8]) -> Result<Self, PublishError> {
        Self::parse(der).ok_or(PublishError::PublishedDamaged)
    }

    fn parse(der: &'a [u8]) -> Option<Self> {
        let mut list = Reader::only(der, tag::SEQUENCE)?;
        let mut content = Reader::new(list.expect(tag::SEQUENCE)?);
        let (issuer, _) = head(&mut content)?;
        let next_update = match content.next_tag() {
            Some(tag::UTC_TIME | tag::GENERALIZED_TIME) => Some(content.time()?),
            _ => None,
        };
        let entries = content.optional(tag::SEQUENCE).unwrap_or_default();
        let number = content.optional(tag::context(0)).and_then(crl_number);
        Some(Self { issuer, next_update, entries, number })
    }

    /// DER of the issuer's name.
    pub(crate) fn issuer(&self) -> &'a [u8] {
        self.issuer
    }

    pub(crate) fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }

    pub(crate) fn number(&self) -> Option<&Serial> {
        self.number.as_ref()
    }

    /// The revoked serial numbers in the order of the list.
    pub(crate) fn serials(&self) -> impl Iterator<Item = Serial> + 'a {
        let mut entries = Reader::new(self.entries);
        std::iter::from_fn(move || {
            let entry = entries.expect(tag::SEQUENCE)?;
            Reader::new(entry).expect(tag::INTEGER).map(Serial::from_be_bytes)
        })
    }
}

/// thisUpdate of a list of which only the beginning is at hand: the head of a large file is enough.
pub(crate) fn this_update_of_prefix(der: &[u8]) -> Option<Timestamp> {
    let mut content = Reader::new(der);
    content.enter_prefix(tag::SEQUENCE)?;
    content.enter_prefix(tag::SEQUENCE)?;
    head(&mut content).map(|(_, this_update)| this_update)
}

/// Issuer and thisUpdate, after version and algorithm.
fn head<'a>(content: &mut Reader<'a>) -> Option<(&'a [u8], Timestamp)> {
    content.expect(tag::INTEGER)?;
    content.expect(tag::SEQUENCE)?;
    let issuer = content.element().filter(|element| element.tag == tag::SEQUENCE)?;
    Some((issuer.whole, content.time()?))
}

fn crl_number(extensions: &[u8]) -> Option<Serial> {
    let mut list = Reader::only(extensions, tag::SEQUENCE)?;
    while !list.is_empty() {
        let mut extension = Reader::new(list.expect(tag::SEQUENCE)?);
        let is_number = extension.expect(tag::OID)? == oid::CRL_NUMBER.as_bytes();
        extension.optional(tag::BOOLEAN);
        let value = extension.expect(tag::OCTET_STRING)?;
        if is_number {
            return Reader::new(value).expect(tag::INTEGER).map(Serial::from_be_bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_called_damaged() {
        assert_eq!(PublishedList::from_der(b"\x30\x00").err(), Some(PublishError::PublishedDamaged));
        assert_eq!(PublishedList::from_der(b"").err(), Some(PublishError::PublishedDamaged));
        assert_eq!(this_update_of_prefix(b"\x30\x82\xff\xff\x30"), None);
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_panics(der in proptest::collection::vec(0_u8.., 0..100)) {
            let _ = this_update_of_prefix(&der);
            if let Ok(list) = PublishedList::from_der(&der) {
                let _ = list.serials().count();
            }
        }
    }
}
