//! Distinguished names: building a subject, and printing any name the way index.txt does.
//!
//! Names that already exist in a certificate are never re-encoded: they travel as their DER octets.

use der::oid::ObjectIdentifier;

use crate::asn1::Encoder;
use crate::name::{CommonName, NameError, normalised};
use crate::x509::der::{DerError, only_sequence, tag};

/// The subject of a certificate that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    common_name: CommonName,
    organisation: Option<Organisation>,
}

impl Subject {
    /// A subject of a common name only: easy-rsa's `cn_only`.
    #[must_use]
    pub fn common_name_only(common_name: CommonName) -> Self {
        Self { common_name, organisation: None }
    }

    /// A subject with the fields of easy-rsa's `org` mode.
    #[must_use]
    pub fn in_organisation(common_name: CommonName, organisation: Organisation) -> Self {
        Self { common_name, organisation: Some(organisation) }
    }

    /// The common name.
    #[must_use]
    pub fn common_name(&self) -> &CommonName {
        &self.common_name
    }

    /// The RDNSequence: C, ST, L, O, OU, CN, emailAddress, serialNumber, as far as they are there.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        Encoder::sequence_of(|names| {
            let fields = self.organisation.as_ref().map(|organisation| &organisation.fields);
            let before = fields.into_iter().flatten().filter(|(field, _)| field.comes_before_common_name());
            let after = fields.into_iter().flatten().filter(|(field, _)| !field.comes_before_common_name());
            for (field, value) in before {
                relative_name(names, field.oid(), field.string_tag(), value);
            }
            relative_name(names, &COMMON_NAME, tag::UTF8_STRING, self.common_name.as_str());
            for (field, value) in after {
                relative_name(names, field.oid(), field.string_tag(), value);
            }
        })
    }
}

fn relative_name(names: &mut Encoder, oid: &ObjectIdentifier, string_tag: u8, value: &str) {
    names.nested(tag::SET, |set| {
        set.sequence(|attribute| {
            attribute.oid(oid);
            attribute.value(string_tag, value.as_bytes());
        });
    });
}

/// The fields around the common name in easy-rsa's `org` mode, checked one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organisation {
    fields: Vec<(OrganisationField, String)>,
}

impl Organisation {
    /// Sets one field; an empty value drops it.
    ///
    /// # Errors
    /// When the value does not fit the field.
    pub fn set(&mut self, field: OrganisationField, value: &str) -> Result<(), NameError> {
        self.fields.retain(|(existing, _)| *existing != field);
        if value.is_empty() {
            return Ok(());
        }
        let value = normalised(value)?;
        if let Some(rule) = field.violated_rule(&value) {
            return Err(NameError::Attribute { attribute: field.name(), value, rule });
        }
        self.fields.push((field, value));
        self.fields.sort_by_key(|(field, _)| *field);
        Ok(())
    }
}

/// A field of [`Organisation`], in the order of easy-rsa's CA policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OrganisationField {
    Country,
    Province,
    City,
    Organisation,
    Unit,
    Email,
    SerialNumber,
}

impl OrganisationField {
    fn name(self) -> &'static str {
        match self {
            Self::Country => "countryName",
            Self::Province => "stateOrProvinceName",
            Self::City => "localityName",
            Self::Organisation => "organizationName",
            Self::Unit => "organizationalUnitName",
            Self::Email => "emailAddress",
            Self::SerialNumber => "serialNumber",
        }
    }

    fn oid(self) -> &'static ObjectIdentifier {
        match self {
            Self::Country => &COUNTRY,
            Self::Province => &PROVINCE,
            Self::City => &LOCALITY,
            Self::Organisation => &ORGANISATION,
            Self::Unit => &UNIT,
            Self::Email => &EMAIL_ADDRESS,
            Self::SerialNumber => &SERIAL_NUMBER,
        }
    }

    fn string_tag(self) -> u8 {
        match self {
            Self::Country | Self::SerialNumber => tag::PRINTABLE_STRING,
            Self::Email => tag::IA5_STRING,
            Self::Province | Self::City | Self::Organisation | Self::Unit => tag::UTF8_STRING,
        }
    }

    fn comes_before_common_name(self) -> bool {
        !matches!(self, Self::Email | Self::SerialNumber)
    }

    /// X.520's upper bounds and character sets.
    fn violated_rule(self, value: &str) -> Option<&'static str> {
        let characters = value.chars().count();
        match self {
            Self::Country => (!(value.len() == 2
                && value.bytes().all(|letter| letter.is_ascii_alphabetic())))
            .then_some("a country is two letters"),
            Self::Province | Self::City => (characters > 128).then_some("at most 128 characters"),
            Self::Organisation | Self::Unit => (characters > 64).then_some("at most 64 characters"),
            Self::Email => (!value.is_ascii() || characters > 255).then_some("at most 255 ASCII characters"),
            Self::SerialNumber => (characters > 64 || !value.bytes().all(is_printable_string))
                .then_some("at most 64 letters, digits and '()+,-./:=?"),
        }
    }
}

fn is_printable_string(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&octet)
}

/// A name in OpenSSL's one-line notation, as in index.txt: `/C=DE/CN=j\xC3\xBCrgen`; `None` if it is no name.
pub(crate) fn one_line(name_der: &[u8]) -> Option<String> {
    let mut line = String::new();
    for attribute in attributes(name_der).ok()? {
        line.push('/');
        line.push_str(&attribute.short_name());
        line.push('=');
        for octet in attribute.octets {
            match octet {
                b'/' | b'+' => {
                    line.push('\\');
                    line.push(char::from(*octet));
                }
                0x20..=0x7e => line.push(char::from(*octet)),
                _ => line.push_str(&format!("\\x{octet:02X}")),
            }
        }
    }
    Some(line)
}

/// The last common name of a name, as text.
pub(crate) fn common_name(name_der: &[u8]) -> Option<String> {
    let last =
        attributes(name_der).ok()?.into_iter().rfind(|attribute| attribute.oid == COMMON_NAME.as_bytes())?;
    String::from_utf8(last.octets.to_vec()).ok()
}

struct Attribute<'a> {
    oid: &'a [u8],
    octets: &'a [u8],
}

impl Attribute<'_> {
    /// OpenSSL's short name, or the dotted form.
    fn short_name(&self) -> String {
        let known = SHORT_NAMES.iter().find(|(oid, _)| oid.as_bytes() == self.oid);
        match known {
            Some((_, name)) => (*name).to_owned(),
            None => ObjectIdentifier::from_bytes(self.oid).map_or_else(|_| "?".into(), |oid| oid.to_string()),
        }
    }
}

fn attributes(name_der: &[u8]) -> Result<Vec<Attribute<'_>>, DerError> {
    let mut names = only_sequence(name_der)?.reader();
    let mut found = Vec::new();
    while !names.is_empty() {
        let mut set = names.nested(tag::SET)?;
        while !set.is_empty() {
            let mut attribute = set.sequence()?;
            let oid = attribute.object_identifier()?;
            let octets = attribute.any()?.content;
            found.push(Attribute { oid, octets });
        }
    }
    Ok(found)
}

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");
const PROVINCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.8");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

const SHORT_NAMES: &[(ObjectIdentifier, &str)] = &[
    (COUNTRY, "C"),
    (PROVINCE, "ST"),
    (LOCALITY, "L"),
    (ORGANISATION, "O"),
    (UNIT, "OU"),
    (COMMON_NAME, "CN"),
    (EMAIL_ADDRESS, "emailAddress"),
    (SERIAL_NUMBER, "serialNumber"),
    (ObjectIdentifier::new_unwrap("2.5.4.4"), "SN"),
    (ObjectIdentifier::new_unwrap("2.5.4.9"), "street"),
    (ObjectIdentifier::new_unwrap("2.5.4.12"), "title"),
    (ObjectIdentifier::new_unwrap("2.5.4.13"), "description"),
    (ObjectIdentifier::new_unwrap("2.5.4.17"), "postalCode"),
    (ObjectIdentifier::new_unwrap("2.5.4.41"), "name"),
    (ObjectIdentifier::new_unwrap("2.5.4.42"), "GN"),
    (ObjectIdentifier::new_unwrap("2.5.4.43"), "initials"),
    (ObjectIdentifier::new_unwrap("2.5.4.44"), "generationQualifier"),
    (ObjectIdentifier::new_unwrap("2.5.4.45"), "x500UniqueIdentifier"),
    (ObjectIdentifier::new_unwrap("2.5.4.46"), "dnQualifier"),
    (ObjectIdentifier::new_unwrap("2.5.4.65"), "pseudonym"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1"), "UID"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.2"), "unstructuredName"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(common_name: &str) -> Subject {
        Subject::common_name_only(CommonName::parse(common_name).unwrap())
    }

    fn line(subject: &Subject) -> String {
        one_line(&subject.to_der()).unwrap()
    }

    #[test]
    fn pki_09_one_line_escapes_as_openssl_does() {
        assert_eq!(line(&subject("jürgen")), "/CN=j\\xC3\\xBCrgen");
        assert_eq!(line(&subject("a/b+c=d")), "/CN=a\\/b\\+c=d");
        assert_eq!(line(&subject("back\\slash")), "/CN=back\\slash");
    }

    #[test]
    fn organisation_fields_stand_in_policy_order() {
        let mut organisation = Organisation::default();
        for (field, value) in [
            (OrganisationField::Email, "me@example.net"),
            (OrganisationField::SerialNumber, "42"),
            (OrganisationField::Unit, "Unit"),
            (OrganisationField::Organisation, "Org"),
            (OrganisationField::City, "City"),
            (OrganisationField::Province, "Province"),
            (OrganisationField::Country, "DE"),
        ] {
            organisation.set(field, value).unwrap();
        }
        let subject = Subject::in_organisation(CommonName::parse("x").unwrap(), organisation);
        assert_eq!(
            line(&subject),
            "/C=DE/ST=Province/L=City/O=Org/OU=Unit/CN=x/emailAddress=me@example.net/serialNumber=42"
        );
        assert_eq!(common_name(&subject.to_der()).as_deref(), Some("x"));
    }

    #[test]
    fn an_empty_field_is_dropped_and_a_wrong_one_is_refused() {
        let mut organisation = Organisation::default();
        organisation.set(OrganisationField::Country, "DE").unwrap();
        organisation.set(OrganisationField::Country, "").unwrap();
        assert_eq!(organisation, Organisation::default());
        assert!(organisation.set(OrganisationField::Country, "Germany").is_err());
        assert!(organisation.set(OrganisationField::Email, "jürgen@x").is_err());
        assert!(organisation.set(OrganisationField::Organisation, "a\nb").is_err());
    }

    #[test]
    fn garbage_is_no_name() {
        assert_eq!(one_line(&[0x30, 3, 1, 1]), None);
        assert_eq!(one_line(b""), None);
    }
}
