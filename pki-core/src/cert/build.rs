//! Writing certificates: the to-be-signed part from its fields, then the signature.

use super::CertificateError;
use super::extension::{Extension, IssuerAndSerial, PathLength};
use super::profile::{CertificateKind, Profile, SubjectKey};
use super::san::SubjectAltName;
use crate::asn1::Encoder;
use crate::dn::Subject;
use crate::key::{CaSigner, SignatureAlgorithm};
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::x509::Certificate;
use crate::x509::der::tag;

/// First and last second of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    /// `days` times 86,400 seconds from `now`, as easy-rsa counts.
    ///
    /// # Errors
    /// [`CertificateError::Validity`] if the end does not fit into a certificate.
    pub fn days_from(now: Timestamp, days: u32) -> Result<Self, CertificateError> {
        Self::between(now, now.plus_days(days.into()))
    }

    /// From one second to another.
    ///
    /// # Errors
    /// [`CertificateError::Validity`] if the end does not come after the beginning or does not fit.
    pub fn between(not_before: Timestamp, not_after: Timestamp) -> Result<Self, CertificateError> {
        if not_after <= not_before || not_after > LAST_SECOND || not_before < FIRST_SECOND {
            return Err(CertificateError::Validity { not_before, not_after });
        }
        Ok(Self { not_before, not_after })
    }

    /// First second of validity.
    #[must_use]
    pub fn not_before(self) -> Timestamp {
        self.not_before
    }

    /// Last second of validity.
    #[must_use]
    pub fn not_after(self) -> Timestamp {
        self.not_after
    }
}

/// The certificate of somebody who is not an authority.
pub struct Leaf<'a> {
    /// What it is for.
    pub kind: CertificateKind,
    /// The key it certifies.
    pub key: SubjectKey<'a>,
    /// Whom it names.
    pub subject: &'a Subject,
    /// Further names.
    pub names: Option<&'a SubjectAltName>,
    /// When it is valid.
    pub validity: Validity,
    /// Its number.
    pub serial: &'a Serial,
}

impl Leaf<'_> {
    /// Signs the certificate with the key of `authority`.
    ///
    /// # Errors
    /// [`CertificateError::Signing`].
    pub fn sign(
        &self,
        profile: Profile,
        authority: &Certificate,
        signer: &dyn CaSigner,
    ) -> Result<Certificate, CertificateError> {
        let fields = Fields {
            serial: self.serial,
            issuer: authority.subject_der(),
            subject: &self.subject.to_der(),
            validity: self.validity,
            public_key_info: self.key.public_key_info,
            extensions: &profile.leaf_extensions(self.kind, self.key, authority, self.names),
        };
        fields.sign(signer)
    }
}

/// The certificate of an authority that nobody stands above.
pub struct Root<'a> {
    /// How many authorities may stand below it.
    pub path_length: PathLength,
    /// Its own key.
    pub key: SubjectKey<'a>,
    /// Its name.
    pub subject: &'a Subject,
    /// When it is valid.
    pub validity: Validity,
    /// Its number.
    pub serial: &'a Serial,
}

impl Root<'_> {
    /// Signs the certificate with its own key.
    ///
    /// # Errors
    /// [`CertificateError::Signing`].
    pub fn sign(&self, profile: Profile, signer: &dyn CaSigner) -> Result<Certificate, CertificateError> {
        let name = self.subject.to_der();
        let own = IssuerAndSerial { issuer: &name, serial: self.serial };
        let fields = Fields {
            serial: self.serial,
            issuer: &name,
            subject: &name,
            validity: self.validity,
            public_key_info: self.key.public_key_info,
            extensions: &profile.root_extensions(self.path_length, self.key, own),
        };
        fields.sign(signer)
    }
}

/// The to-be-signed part (RFC 5280 section 4.1).
pub(super) struct Fields<'a> {
    pub(super) serial: &'a Serial,
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) validity: Validity,
    pub(super) public_key_info: &'a [u8],
    pub(super) extensions: &'a [Extension],
}

impl Fields<'_> {
    pub(super) fn sign(&self, signer: &dyn CaSigner) -> Result<Certificate, CertificateError> {
        let to_be_signed = self.to_der(signer.algorithm());
        Ok(Certificate::parse(&signed(&to_be_signed, signer)?)?)
    }

    fn to_der(&self, algorithm: SignatureAlgorithm) -> Vec<u8> {
        Encoder::sequence_of(|certificate| {
            certificate.nested(tag::context_constructed(0), |version| version.unsigned(&[VERSION_3]));
            certificate.unsigned(self.serial.as_be_bytes());
            certificate.raw(&algorithm.to_der());
            certificate.raw(self.issuer);
            certificate.sequence(|validity| {
                validity.time(self.validity.not_before);
                validity.time(self.validity.not_after);
            });
            certificate.raw(self.subject);
            certificate.raw(self.public_key_info);
            certificate.nested(tag::context_constructed(3), |explicit| {
                explicit.sequence(|list| self.extensions.iter().for_each(|extension| extension.encode(list)));
            });
        })
    }
}

/// SEQUENCE of the signed part, algorithm and signature: the outer form of certificates, requests and lists.
pub(crate) fn signed(to_be_signed: &[u8], signer: &dyn CaSigner) -> Result<Vec<u8>, CertificateError> {
    let signature = signer.sign_checked(to_be_signed)?;
    Ok(Encoder::sequence_of(|outer| {
        outer.raw(to_be_signed);
        outer.raw(&signer.algorithm().to_der());
        outer.bit_string(&signature);
    }))
}

const VERSION_3: u8 = 2;
const FIRST_SECOND: Timestamp = Timestamp::from_unix_seconds(-631_152_000);
const LAST_SECOND: Timestamp = Timestamp::from_unix_seconds(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Digest, KeyAlgorithm, PrivateKey, SigningKey, generate};
    use crate::name::CommonName;
    use crate::random::tests::CountingSource;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_161_600);

    fn subject(name: &str) -> Subject {
        Subject::common_name_only(CommonName::parse(name).unwrap())
    }

    fn subject_key(key: &PrivateKey) -> SubjectKey<'_> {
        SubjectKey { algorithm: key.algorithm(), public_key_info: key.public_key_info() }
    }

    struct Authority {
        key: PrivateKey,
        certificate: Certificate,
    }

    fn authority(profile: Profile) -> Authority {
        let key = generate(KeyAlgorithm::P256, &mut CountingSource(1)).unwrap();
        let root = Root {
            path_length: PathLength::Unlimited,
            key: subject_key(&key),
            subject: &subject("Test CA"),
            validity: Validity::days_from(NOW, 3650).unwrap(),
            serial: &Serial::from_be_bytes(&[7]),
        };
        let signer = SigningKey::new(&key, Digest::Sha256).unwrap();
        let certificate = root.sign(profile, &signer).unwrap();
        Authority { key, certificate }
    }

    fn leaf(profile: Profile, kind: CertificateKind, algorithm: KeyAlgorithm) -> Certificate {
        let authority = authority(profile);
        let key = generate(algorithm, &mut CountingSource(2)).unwrap();
        let leaf = Leaf {
            kind,
            key: subject_key(&key),
            subject: &subject("alice@company.com"),
            names: None,
            validity: Validity::days_from(NOW, 825).unwrap(),
            serial: &Serial::from_be_bytes(&[0x80, 1]),
        };
        let signer = SigningKey::new(&authority.key, Digest::Sha256).unwrap();
        leaf.sign(profile, &authority.certificate, &signer).unwrap()
    }

    /// Identifier, criticality and value of every extension, in order.
    fn extensions(certificate: &Certificate) -> Vec<(String, bool, Vec<u8>)> {
        use x509_parser::prelude::FromDer;

        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(certificate.der()).unwrap();
        let extensions = parsed.extensions().iter();
        extensions
            .map(|extension| (extension.oid.to_id_string(), extension.critical, extension.value.to_vec()))
            .collect()
    }

    fn shape(certificate: &Certificate) -> Vec<(String, bool)> {
        let all = extensions(certificate).into_iter();
        all.map(|(oid, critical, _)| (oid.replace("2.5.29.", ""), critical)).collect()
    }

    fn expected(shape: &[(&str, bool)]) -> Vec<(String, bool)> {
        shape.iter().map(|(oid, critical)| ((*oid).to_owned(), *critical)).collect()
    }

    #[test]
    fn a_strict_certificate_marks_constraints_and_usage_critical() {
        let made = leaf(Profile::Strict, CertificateKind::Client, KeyAlgorithm::P256);
        let shape_of_leaf = [("19", true), ("14", false), ("35", false), ("37", false), ("15", true)];
        assert_eq!(shape(&made), expected(&shape_of_leaf));
        let root = authority(Profile::Strict).certificate;
        assert_eq!(shape(&root), expected(&[("19", true), ("15", true), ("14", false)]));
    }

    #[test]
    fn an_easyrsa_certificate_has_easy_rsas_order_and_nothing_critical_in_leaves() {
        let made = leaf(Profile::EasyRsa, CertificateKind::Server, KeyAlgorithm::P256);
        let shape_of_leaf = [("19", false), ("14", false), ("35", false), ("37", false), ("15", false)];
        assert_eq!(shape(&made), expected(&shape_of_leaf));
        let root = authority(Profile::EasyRsa).certificate;
        assert_eq!(shape(&root), expected(&[("19", true), ("14", false), ("35", false), ("15", false)]));
    }

    #[test]
    fn only_rsa_servers_encipher_keys_in_the_strict_profile() {
        let usage = |profile, kind, algorithm| {
            let made = leaf(profile, kind, algorithm);
            let found = extensions(&made).into_iter().find(|(oid, _, _)| oid == "2.5.29.15");
            found.unwrap().2
        };
        const SIGN: [u8; 4] = [3, 2, 7, 0x80];
        const SIGN_AND_ENCIPHER: [u8; 4] = [3, 2, 5, 0xa0];
        let strict = Profile::Strict;
        assert_eq!(usage(strict, CertificateKind::Server, KeyAlgorithm::P256), SIGN);
        assert_eq!(usage(strict, CertificateKind::Server, KeyAlgorithm::Ed25519), SIGN);
        assert_eq!(usage(strict, CertificateKind::Server, KeyAlgorithm::RSA_2048), SIGN_AND_ENCIPHER);
        assert_eq!(usage(strict, CertificateKind::Client, KeyAlgorithm::RSA_2048), SIGN);
        let easyrsa = Profile::EasyRsa;
        assert_eq!(usage(easyrsa, CertificateKind::Server, KeyAlgorithm::P256), SIGN_AND_ENCIPHER);
    }

    #[test]
    fn the_authority_key_identifier_has_three_parts_in_the_easyrsa_profile_only() {
        let identifier = |profile| {
            let made = leaf(profile, CertificateKind::Client, KeyAlgorithm::P256);
            let found = extensions(&made).into_iter().find(|(oid, _, _)| oid == "2.5.29.35");
            found.unwrap().2
        };
        assert_eq!(identifier(Profile::Strict).len(), 24);
        let long = identifier(Profile::EasyRsa);
        assert!(long.ends_with(&[0x82, 1, 7]), "serial of the authority comes last");
        assert!(long.windows(7).any(|octets| octets == b"Test CA"));
    }

    #[test]
    fn issuer_octets_are_the_authoritys_own() {
        let made = leaf(Profile::Strict, CertificateKind::Client, KeyAlgorithm::P256);
        let authority = authority(Profile::Strict).certificate;
        assert_eq!(made.issuer_der(), authority.subject_der());
        assert_eq!(made.subject_line(), "/CN=alice@company.com");
        assert_eq!(made.serial().to_string(), "8001");
        assert!(authority.is_ca() && !made.is_ca());
    }

    #[test]
    fn pki_08_impossible_validities_are_refused() {
        assert!(Validity::days_from(NOW, 0).is_err());
        assert!(Validity::days_from(NOW, 3_000_000).is_err());
        assert!(Validity::between(NOW, NOW.plus_seconds(-1)).is_err());
        assert!(Validity::days_from(NOW, 36_500).is_ok());
    }
}
