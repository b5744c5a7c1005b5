//! What the published list says, as far as its successor must respect it.
//!
//! Nothing is verified here: the list is our own, and its issuer is compared by whoever asks.

use super::PublishError;
use crate::cert::extension::oid;
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::x509::der::{DerError, Reader, only_sequence, tag};

/// The list in crl.pem.
pub(crate) struct PublishedList<'a> {
    issuer: &'a [u8],
    next_update: Option<Timestamp>,
    entries: &'a [u8],
    number: Option<Serial>,
}

impl<'a> PublishedList<'a> {
    pub(crate) fn from_der(der: &'a [u8]) -> Result<Self, PublishError> {
        Self::parse(der).map_err(|_| PublishError::PublishedDamaged)
    }

    fn parse(der: &'a [u8]) -> Result<Self, DerError> {
        let mut content = only_sequence(der)?.reader().sequence()?;
        let (issuer, _) = head(&mut content)?;
        let next_update = match content.peek() {
            Some(tag::UTC_TIME | tag::GENERALIZED_TIME) => Some(content.time()?),
            _ => None,
        };
        let entries = content.optional(tag::SEQUENCE)?.map(|entries| entries.content).unwrap_or_default();
        let extensions = content.optional(tag::context_constructed(0))?;
        let number = extensions.and_then(|extensions| crl_number(&mut extensions.reader()).ok().flatten());
        Ok(Self { issuer, next_update, entries, number })
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
            let number = entries.sequence().and_then(|mut entry| entry.element(tag::INTEGER));
            number.ok().map(|number| Serial::from_be_bytes(number.content))
        })
    }
}

/// thisUpdate of a list of which only the beginning is at hand: the head of a large file is enough.
pub(crate) fn this_update_of_prefix(der: &[u8]) -> Option<Timestamp> {
    let list = Reader::new(der).into_prefix(tag::SEQUENCE).ok()?;
    let mut content = list.into_prefix(tag::SEQUENCE).ok()?;
    head(&mut content).ok().map(|(_, this_update)| this_update)
}

/// nextUpdate of such a list, if it has one.
pub(crate) fn end_of_prefix(der: &[u8]) -> Option<Timestamp> {
    let list = Reader::new(der).into_prefix(tag::SEQUENCE).ok()?;
    let mut content = list.into_prefix(tag::SEQUENCE).ok()?;
    head(&mut content).ok()?;
    content.time().ok()
}

/// Issuer and thisUpdate, after version and algorithm; lists of version 1, which easy-rsa 2 wrote, do not say so.
fn head<'a>(content: &mut Reader<'a>) -> Result<(&'a [u8], Timestamp), DerError> {
    content.optional(tag::INTEGER)?;
    content.element(tag::SEQUENCE)?;
    let issuer = content.element(tag::SEQUENCE)?;
    Ok((issuer.encoded, content.time()?))
}

fn crl_number(extensions: &mut Reader<'_>) -> Result<Option<Serial>, DerError> {
    let mut list = extensions.sequence()?;
    while !list.is_empty() {
        let mut extension = list.sequence()?;
        let is_number = extension.object_identifier()? == oid::CRL_NUMBER.as_bytes();
        extension.optional(tag::BOOLEAN)?;
        let value = extension.octet_string()?;
        if is_number {
            let number = value.reader().element(tag::INTEGER)?;
            return Ok(Some(Serial::from_be_bytes(number.content)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_version_1_is_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/easyrsa2/keys/crl.pem");
        let text = std::fs::read(path).unwrap();
        let block = crate::pem::first(&text, "X509 CRL").unwrap();
        let list = PublishedList::from_der(&block.der).unwrap();
        let serials: Vec<String> = list.serials().map(|serial| serial.to_string()).collect();
        assert_eq!((serials.as_slice(), list.number()), (&["04".to_owned(), "05".to_owned()][..], None));
        assert!(this_update_of_prefix(&block.der).is_some() && end_of_prefix(&block.der).is_some());
    }

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
