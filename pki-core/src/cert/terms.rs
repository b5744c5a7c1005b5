//! The extensions of a certificate: from its kind, from people's own files, and from what a request asks for.
//!
//! The order of precedence is fixed: the type (its own file, or the kind's form in the profile), then `COMMON`, then
//! extra extensions, then the names that were given, then criticality, and last, if that is wanted, what the request
//! asks for and nothing has set. Of a request only what cannot widen the certificate's powers is granted (threat model
//! PKI-11).

use der::oid::ObjectIdentifier;

use super::CertificateError;
use super::extension::{Extension, IssuerAndSerial, oid};
use super::extension_file::{ExtensionContext, ExtensionFile};
use super::profile::{CertificateKind, Profile};
use super::san::SubjectAltName;
use crate::serial::Serial;
use crate::x509::Certificate;

/// What people set about the extensions of their certificates; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customisation {
    /// Extensions in the place of those of the kind: a user's own `x509-types/TYPE`.
    pub type_file: Option<ExtensionFile>,
    /// Extensions of every certificate: `x509-types/COMMON`.
    pub common: Option<ExtensionFile>,
    /// Extensions of this request and certificate: `EASYRSA_EXTRA_EXTS`.
    pub extra: Option<ExtensionFile>,
    /// What shall be critical.
    pub critical: CriticalMarks,
    /// Whether extensions of the request are granted.
    pub copies_request: bool,
}

/// Extensions that are marked critical whatever their origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CriticalMarks {
    pub basic_constraints: bool,
    pub key_usage: bool,
    pub extended_key_usage: bool,
    pub names: bool,
}

/// Everything that decides about the extensions of one certificate.
pub(crate) struct Terms<'a> {
    pub(crate) profile: Profile,
    pub(crate) kind: CertificateKind,
    pub(crate) names: Option<&'a SubjectAltName>,
    pub(crate) customisation: &'a Customisation,
    pub(crate) public_key_info: &'a [u8],
}

/// Extensions that stand in the certificate, and requested ones that do not.
pub(crate) struct Granted {
    pub(crate) extensions: Vec<Extension>,
    pub(crate) refused: Vec<ObjectIdentifier>,
}

impl Terms<'_> {
    /// The extensions of a certificate that `authority` issues.
    pub(crate) fn issued_by(
        &self,
        authority: &Certificate,
        requested: &[Extension],
    ) -> Result<Granted, CertificateError> {
        let serial = authority.serial();
        let names = authority.extension_value(oid::SUBJECT_ALT_NAME.as_bytes());
        let context = ExtensionContext {
            subject_key: &super::extension::key_identifier(self.public_key_info),
            issuer_key: &authority.key_identifier(),
            issuer: IssuerAndSerial { issuer: authority.issuer_der(), serial: &serial },
            issuer_names: names.as_deref(),
        };
        self.resolve(&context, Issued::ByAnother, requested)
    }

    /// The extensions of a certificate that signs itself.
    pub(crate) fn self_signed(&self, name: &[u8], serial: &Serial) -> Result<Granted, CertificateError> {
        let identifier = super::extension::key_identifier(self.public_key_info);
        let context = ExtensionContext {
            subject_key: &identifier,
            issuer_key: &identifier,
            issuer: IssuerAndSerial { issuer: name, serial },
            issuer_names: None,
        };
        self.resolve(&context, Issued::ByItself, &[])
    }

    fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        issued: Issued,
        requested: &[Extension],
    ) -> Result<Granted, CertificateError> {
        let custom = self.customisation;
        let mut extensions = match &custom.type_file {
            Some(file) => file.resolve(context)?,
            None => self.profile.extensions(self.kind, self.public_key_info, context, issued),
        };
        for file in [&custom.common, &custom.extra].into_iter().flatten() {
            file.resolve(context)?.into_iter().for_each(|extension| put(&mut extensions, extension));
        }
        if let Some(names) = self.names {
            put(&mut extensions, names.to_extension());
        }
        self.mark(&mut extensions);
        let refused = if custom.copies_request { grant(&mut extensions, requested) } else { Vec::new() };
        Ok(Granted { extensions, refused })
    }

    fn mark(&self, extensions: &mut [Extension]) {
        let marks = self.customisation.critical;
        for extension in extensions {
            let is_marked = match extension.oid {
                oid::BASIC_CONSTRAINTS => marks.basic_constraints,
                oid::KEY_USAGE => marks.key_usage,
                oid::EXTENDED_KEY_USAGE => marks.extended_key_usage,
                oid::SUBJECT_ALT_NAME => marks.names,
                _ => false,
            };
            extension.is_critical |= is_marked;
        }
    }
}

/// Whether a certificate has an issuer besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Issued {
    ByAnother,
    ByItself,
}

/// Replaces the extension of the same kind, or appends it.
fn put(extensions: &mut Vec<Extension>, extension: Extension) {
    match extensions.iter_mut().find(|existing| existing.oid == extension.oid) {
        Some(existing) => *existing = extension,
        None => extensions.push(extension),
    }
}

/// Adds what is asked for, not set, and harmless; answers with what is not granted.
fn grant(extensions: &mut Vec<Extension>, requested: &[Extension]) -> Vec<ObjectIdentifier> {
    let mut refused = Vec::new();
    for extension in requested {
        if extensions.iter().any(|existing| existing.oid == extension.oid) {
            continue;
        }
        if HARMLESS.contains(&extension.oid) {
            extensions.push(extension.clone());
        } else {
            refused.push(extension.oid);
        }
    }
    refused
}

/// Names and hints; nothing that gives a certificate a purpose or a power.
const HARMLESS: [ObjectIdentifier; 4] =
    [oid::SUBJECT_ALT_NAME, oid::TLS_FEATURE, oid::NETSCAPE_COMMENT, oid::CERTIFICATE_POLICIES];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyAlgorithm, generate};
    use crate::random::tests::CountingSource;

    fn file(text: &str) -> ExtensionFile {
        ExtensionFile::parse(text, |_| None).unwrap()
    }

    fn granted(customisation: &Customisation, requested: &[Extension]) -> Granted {
        let key = generate(KeyAlgorithm::P256, &mut CountingSource(1)).unwrap();
        let names = SubjectAltName::parse("DNS:given.example").unwrap();
        let terms = Terms {
            profile: Profile::EasyRsa,
            kind: CertificateKind::Server,
            names: customisation.extra.is_none().then_some(&names),
            customisation,
            public_key_info: key.public_key_info(),
        };
        let serial = Serial::from_be_bytes(&[7]);
        let context = ExtensionContext {
            subject_key: &[1; 20],
            issuer_key: &[2; 20],
            issuer: IssuerAndSerial { issuer: &[0x30, 0], serial: &serial },
            issuer_names: None,
        };
        terms.resolve(&context, Issued::ByAnother, requested).unwrap()
    }

    fn value(granted: &Granted, oid: ObjectIdentifier) -> Option<(bool, Vec<u8>)> {
        let found = granted.extensions.iter().find(|extension| extension.oid == oid);
        found.map(|extension| (extension.is_critical, extension.value.clone()))
    }

    #[test]
    fn a_users_own_type_wins_and_common_and_extra_add_to_it() {
        let made = granted(
            &Customisation {
                type_file: Some(file("extendedKeyUsage = clientAuth\n")),
                common: Some(file(
                    "crlDistributionPoints = URI:http://a.example/\nkeyUsage = digitalSignature\n",
                )),
                extra: Some(file("keyUsage = keyAgreement\n")),
                ..Customisation::default()
            },
            &[],
        );
        assert_eq!(made.extensions.len(), 3);
        assert_eq!(value(&made, oid::KEY_USAGE).unwrap().1, [3, 2, 3, 8]);
        assert!(value(&made, oid::CRL_DISTRIBUTION_POINTS).is_some());
    }

    #[test]
    fn marks_make_critical_and_nothing_makes_uncritical() {
        let critical =
            CriticalMarks { basic_constraints: true, key_usage: true, extended_key_usage: true, names: true };
        let made = granted(&Customisation { critical, ..Customisation::default() }, &[]);
        for kind in [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE, oid::EXTENDED_KEY_USAGE, oid::SUBJECT_ALT_NAME] {
            assert!(value(&made, kind).unwrap().0, "{kind}");
        }
        assert!(!value(&made, oid::SUBJECT_KEY_IDENTIFIER).unwrap().0);
    }

    #[test]
    fn pki_11_a_request_gets_names_and_no_powers() {
        let requested = [
            Extension::basic_constraints(Some(super::super::extension::PathLength::Unlimited)),
            Extension::new(oid::NAME_CONSTRAINTS, vec![0x30, 0]),
            SubjectAltName::parse("DNS:asked.example").unwrap().to_extension(),
        ];
        let copies =
            Customisation { copies_request: true, extra: Some(file("")), ..Customisation::default() };
        let made = granted(&copies, &requested);
        assert_eq!(value(&made, oid::BASIC_CONSTRAINTS).unwrap().1, [0x30, 0]);
        assert_eq!(value(&made, oid::SUBJECT_ALT_NAME).unwrap().1, requested[2].value);
        assert_eq!(made.refused, [oid::NAME_CONSTRAINTS]);
        let made = granted(&Customisation { copies_request: true, ..Customisation::default() }, &requested);
        assert_ne!(value(&made, oid::SUBJECT_ALT_NAME).unwrap().1, requested[2].value, "given names win");
        let made = granted(&Customisation { extra: Some(file("")), ..Customisation::default() }, &requested);
        assert!(value(&made, oid::SUBJECT_ALT_NAME).is_none() && made.refused.is_empty());
    }
}
