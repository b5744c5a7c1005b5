//! A certificate in the place of another one: the same subject, names, extensions and field forms, with new dates, a new
//! number, and possibly a new key.

use der::oid::ObjectIdentifier;

use super::build::{Fields, Validity};
use super::extension::{Extension, IssuerAndSerial, key_identifier, oid};
use super::{Certificate, CertificateError};
use crate::key::CaSigner;
use crate::serial::Serial;
use crate::x509::der::{DerError, Reader, only_sequence, tag};

/// The next certificate of somebody who has one.
pub struct Successor<'a> {
    /// The certificate that it replaces.
    pub of: &'a Certificate,
    /// SubjectPublicKeyInfo of the key that it certifies.
    pub public_key_info: &'a [u8],
    /// When it is valid.
    pub validity: Validity,
    /// Its number.
    pub serial: &'a Serial,
}

impl Successor<'_> {
    /// Signs the certificate with the key of `authority`, which need not be the one that signed the predecessor.
    ///
    /// # Errors
    /// [`CertificateError::Signing`], [`CertificateError::Damaged`].
    pub fn sign(
        &self,
        authority: &Certificate,
        signer: &dyn CaSigner,
    ) -> Result<Certificate, CertificateError> {
        let extensions = extensions_of(self.of).map_err(crate::x509::CertificateError::from)?;
        let extensions: Vec<Extension> =
            extensions.into_iter().map(|extension| self.adapted(extension, authority)).collect();
        let fields = Fields {
            serial: self.serial,
            issuer: authority.subject_der(),
            subject: self.of.subject_der(),
            validity: self.validity,
            public_key_info: self.public_key_info,
            extensions: &extensions,
        };
        fields.sign(signer)
    }

    /// Key identifiers name the keys of this certificate; everything else stays octet by octet.
    fn adapted(&self, extension: Extension, authority: &Certificate) -> Extension {
        let is_critical = extension.is_critical;
        if extension.oid == oid::SUBJECT_KEY_IDENTIFIER && self.public_key_info != self.of.public_key_info() {
            let identifier = key_identifier(self.public_key_info);
            return Extension::subject_key_identifier(&identifier).critical(is_critical);
        }
        if extension.oid == oid::AUTHORITY_KEY_IDENTIFIER {
            return self.authority_key_identifier(authority).critical(is_critical);
        }
        extension
    }

    /// In the form that the predecessor has.
    fn authority_key_identifier(&self, authority: &Certificate) -> Extension {
        let present = self.of.extensions().authority_key_identifier.as_ref();
        let is_long = present.is_some_and(|present| present.value.names_issuer_certificate);
        let serial = authority.serial();
        let issuer = IssuerAndSerial { issuer: authority.issuer_der(), serial: &serial };
        Extension::authority_key_identifier(&authority.key_identifier(), is_long.then_some(issuer))
    }
}

/// The extensions as they stand in the certificate, in their order.
fn extensions_of(certificate: &Certificate) -> Result<Vec<Extension>, DerError> {
    let mut outer = only_sequence(certificate.der())?.reader();
    let mut fields = outer.sequence()?;
    let mut found = Vec::new();
    while !fields.is_empty() {
        let field = fields.any()?;
        if field.tag == tag::context_constructed(3) {
            let mut list = field.reader().sequence()?;
            while !list.is_empty() {
                found.push(extension(&mut list.sequence()?)?);
            }
        }
    }
    Ok(found)
}

fn extension(fields: &mut Reader<'_>) -> Result<Extension, DerError> {
    let kind = fields.object_identifier()?;
    let oid =
        ObjectIdentifier::from_bytes(kind).map_err(|_| fields.error(crate::x509::der::DerFault::BadValue))?;
    let is_critical = fields.boolean_default_false()?;
    Ok(Extension::new(oid, fields.octet_string()?.content.to_vec()).critical(is_critical))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Profile;
    use crate::cert::build::Root;
    use crate::cert::extension::PathLength;
    use crate::cert::profile::SubjectKey;
    use crate::dn::Subject;
    use crate::key::{Digest, KeyAlgorithm, PrivateKey, SigningKey, generate};
    use crate::name::CommonName;
    use crate::random::tests::CountingSource;
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_161_600);

    fn authority() -> (Certificate, SigningKey) {
        let key = generate(KeyAlgorithm::P256, &mut CountingSource(1)).unwrap();
        let signer = SigningKey::new(&key, Digest::Sha256).unwrap();
        let root = Root {
            path_length: PathLength::Unlimited,
            key: SubjectKey { algorithm: key.algorithm(), public_key_info: key.public_key_info() },
            subject: &Subject::common_name_only(CommonName::parse("New CA").unwrap()),
            validity: Validity::days_from(NOW, 3650).unwrap(),
            serial: &Serial::from_be_bytes(&[7]),
        };
        (root.sign(Profile::Strict, &signer).unwrap(), signer)
    }

    fn easy_rsas(path: &str) -> Certificate {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/easyrsa/");
        Certificate::from_pem(&std::fs::read(format!("{root}{path}")).unwrap()).unwrap()
    }

    fn successor(of: &Certificate, public_key_info: &[u8]) -> Certificate {
        let (authority, signer) = authority();
        let validity = Validity::days_from(NOW, 30).unwrap();
        let serial = Serial::from_be_bytes(&[9]);
        Successor { of, public_key_info, validity, serial: &serial }.sign(&authority, &signer).unwrap()
    }

    fn shape(certificate: &Certificate) -> Vec<(ObjectIdentifier, bool, Option<Vec<u8>>)> {
        let renewed = [oid::SUBJECT_KEY_IDENTIFIER, oid::AUTHORITY_KEY_IDENTIFIER];
        let all = extensions_of(certificate).unwrap().into_iter();
        all.map(|found| {
            let value = (!renewed.contains(&found.oid)).then_some(found.value);
            (found.oid, found.is_critical, value)
        })
        .collect()
    }

    #[test]
    fn a_successor_keeps_subject_and_every_extension_of_easy_rsas_certificates() {
        for path in ["rsa/issued/server1.crt", "ec/issued/org1.crt", "v310-ec/issued/server1.crt"] {
            let old = easy_rsas(path);
            let new = successor(&old, old.public_key_info());
            assert_eq!(new.subject_der(), old.subject_der(), "{path}");
            assert_eq!(new.public_key_info(), old.public_key_info(), "{path}");
            assert_eq!(new.key_identifier(), old.key_identifier(), "{path}");
            assert_eq!(shape(&new), shape(&old), "{path}");
        }
    }

    #[test]
    fn key_identifiers_name_the_new_keys_in_the_old_form() {
        let old = easy_rsas("rsa/issued/server1.crt");
        let key: PrivateKey = generate(KeyAlgorithm::Ed25519, &mut CountingSource(5)).unwrap();
        let new = successor(&old, key.public_key_info());
        assert_eq!(new.key_identifier(), key_identifier(key.public_key_info()));
        assert_eq!(new.authority_key(), Some(&*authority().0.key_identifier()));
        let long_form = new.extensions().authority_key_identifier.as_ref().unwrap();
        assert!(long_form.value.names_issuer_certificate);
    }
}
