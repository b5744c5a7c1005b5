//! Alternative names: the forms a certificate can name its subject by, besides the distinguished name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::der::{DerError, DerFault, Element, Reader, tag};
use super::name::DistinguishedName;
use super::oid;

/// One GeneralName (RFC 5280 section 4.2.1.6); text is ASCII, its grammar is checked where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GeneralName {
    Email(String),
    Dns(String),
    Uri(String),
    Directory(DistinguishedName),
    Ip(IpAddr),
    /// The principal name of an account in Active Directory (`userPrincipalName` in an otherName).
    Principal(String),
    /// A form that is carried but never interpreted, by its tag.
    Other(u8),
}

impl GeneralName {
    pub(crate) const OTHER_TAG: u8 = tag::context_constructed(0);
    pub(crate) const EMAIL_TAG: u8 = tag::context(1);
    pub(crate) const DNS_TAG: u8 = tag::context(2);
    pub(crate) const DIRECTORY_TAG: u8 = tag::context_constructed(4);
    pub(crate) const URI_TAG: u8 = tag::context(6);
    pub(crate) const IP_TAG: u8 = tag::context(7);

    /// Reads a SEQUENCE OF GeneralName, which must not be empty.
    pub(crate) fn parse_list(list: &Element<'_>) -> Result<Vec<Self>, DerError> {
        let mut reader = list.reader();
        if reader.is_empty() {
            return Err(list.error(DerFault::Empty));
        }
        let mut names = Vec::new();
        while !reader.is_empty() {
            names.push(Self::parse(&reader.any()?)?);
        }
        Ok(names)
    }

    fn parse(name: &Element<'_>) -> Result<Self, DerError> {
        Ok(match name.tag {
            Self::EMAIL_TAG => Self::Email(ascii(name)?),
            Self::DNS_TAG => Self::Dns(ascii(name)?),
            Self::URI_TAG => Self::Uri(ascii(name)?),
            Self::DIRECTORY_TAG => Self::Directory(parse_directory_name(name)?),
            Self::IP_TAG => Self::Ip(parse_address(name)?),
            Self::OTHER_TAG => parse_principal(name).map_or(Self::Other(Self::OTHER_TAG), Self::Principal),
            other if is_general_name_tag(other) => Self::Other(other),
            _ => return Err(name.error(DerFault::BadValue)),
        })
    }
}

/// The name inside a directoryName, whose tag is explicit.
pub(crate) fn parse_directory_name(name: &Element<'_>) -> Result<DistinguishedName, DerError> {
    let mut reader = name.reader();
    let inner = reader.element(tag::SEQUENCE)?;
    reader.finish()?;
    DistinguishedName::parse(&inner)
}

/// The principal name in an otherName; `None` for other names, and for one that is no text.
fn parse_principal(name: &Element<'_>) -> Option<String> {
    let mut reader = name.reader();
    if reader.object_identifier().ok()? != oid::USER_PRINCIPAL_NAME {
        return None;
    }
    let mut value = reader.nested(tag::context_constructed(0)).ok()?;
    let text = value.element(tag::UTF8_STRING).ok()?;
    value.finish().and(reader.finish()).ok()?;
    String::from_utf8(text.content.to_vec()).ok()
}

pub(crate) fn ascii(element: &Element<'_>) -> Result<String, DerError> {
    match std::str::from_utf8(element.content) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(element.error(DerFault::BadString)),
    }
}

/// A form in which two distribution point names can be compared octet by octet.
pub(crate) fn canonical_list(names: &mut Reader<'_>) -> Result<Vec<Box<[u8]>>, DerError> {
    let mut forms = Vec::new();
    while !names.is_empty() {
        let name = names.any()?;
        if name.tag == GeneralName::DIRECTORY_TAG {
            forms.push(canonical_directory(&parse_directory_name(&name)?));
        } else {
            forms.push(name.encoded.into());
        }
    }
    Ok(forms)
}

pub(crate) fn canonical_directory(name: &DistinguishedName) -> Box<[u8]> {
    [&[GeneralName::DIRECTORY_TAG], name.canonical()].concat().into()
}

fn parse_address(element: &Element<'_>) -> Result<IpAddr, DerError> {
    if let Ok(octets) = <[u8; 4]>::try_from(element.content) {
        return Ok(Ipv4Addr::from(octets).into());
    }
    match <[u8; 16]>::try_from(element.content) {
        Ok(octets) => Ok(Ipv6Addr::from(octets).into()),
        Err(_) => Err(element.error(DerFault::BadValue)),
    }
}

fn is_general_name_tag(found: u8) -> bool {
    [0, 3, 5].map(tag::context_constructed).contains(&found) || found == tag::context(8)
}

#[cfg(test)]
mod tests {
    use super::super::der::only_sequence;
    use super::*;

    fn parse(encoded: &[u8]) -> Result<Vec<GeneralName>, DerFault> {
        GeneralName::parse_list(&only_sequence(encoded).unwrap()).map_err(|error| error.fault)
    }

    #[test]
    fn reads_the_forms_it_knows() {
        let encoded = b"\x30\x0e\x82\x01a\x87\x04\xc0\x00\x02\x01\x86\x01u\x88\x00";
        assert_eq!(
            parse(encoded).unwrap(),
            [
                GeneralName::Dns("a".into()),
                GeneralName::Ip(Ipv4Addr::new(192, 0, 2, 1).into()),
                GeneralName::Uri("u".into()),
                GeneralName::Other(tag::context(8)),
            ]
        );
    }

    #[test]
    fn reads_a_principal_name_and_carries_other_other_names() {
        let name = |object: &[u8], text: &[u8]| {
            let text = [&[0x0c, u8::try_from(text.len()).unwrap()][..], text].concat();
            let value = [&[0xa0, u8::try_from(text.len()).unwrap()][..], &text].concat();
            let object = [&[0x06, u8::try_from(object.len()).unwrap()][..], object].concat();
            let length = u8::try_from(object.len() + value.len()).unwrap();
            let other = [&[0xa0, length][..], &object, &value].concat();
            [&[0x30, length + 2][..], &other].concat()
        };
        let principal = parse(&name(oid::USER_PRINCIPAL_NAME, b"alice@corp")).unwrap();
        assert_eq!(principal, [GeneralName::Principal("alice@corp".into())]);
        let others = [name(&[0x2a, 0x03], b"alice@corp"), name(oid::USER_PRINCIPAL_NAME, b"\xff")];
        for other in others {
            assert_eq!(parse(&other).unwrap(), [GeneralName::Other(GeneralName::OTHER_TAG)]);
        }
    }

    #[test]
    fn refuses_what_is_no_alternative_name() {
        assert_eq!(parse(b"\x30\x00"), Err(DerFault::Empty));
        assert_eq!(parse(b"\x30\x03\x16\x01a"), Err(DerFault::BadValue));
        assert_eq!(parse(b"\x30\x03\x82\x01\x80"), Err(DerFault::BadString));
        assert_eq!(parse(b"\x30\x05\x87\x03\x01\x02\x03"), Err(DerFault::BadValue));
    }
}
