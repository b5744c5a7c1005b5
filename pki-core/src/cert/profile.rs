//! Which extensions a certificate gets: by its kind, and by the profile that the authority follows.

use super::extension::{Extension, IssuerAndSerial, KeyUsage, PathLength, key_identifier, oid};
use super::san::SubjectAltName;
use crate::key::{Digest, KeyAlgorithm};
use crate::x509::Certificate;

/// Whose idea of a certificate is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// RFC 5280 without loose ends: critical basicConstraints and keyUsage, short authority key identifier.
    #[default]
    Strict,
    /// The field forms of easy-rsa 3.2.
    EasyRsa,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKind {
    /// Signing certificates and revocation lists.
    Authority(PathLength),
    /// A TLS server.
    Server,
    /// A TLS client.
    Client,
    /// Both ends of TLS.
    ServerClient,
}

/// The key of a certificate that is about to be made.
#[derive(Clone, Copy)]
pub struct SubjectKey<'a> {
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its SubjectPublicKeyInfo in DER.
    pub public_key_info: &'a [u8],
}

impl Profile {
    /// The digest for signatures with a key: the chosen one, or else SHA-256 throughout as in easy-rsa, or one that is
    /// as strong as the key.
    #[must_use]
    pub fn digest(self, chosen: Option<Digest>, key: KeyAlgorithm) -> Digest {
        chosen.unwrap_or_else(|| match self {
            Self::Strict => Digest::matching(key),
            Self::EasyRsa => Digest::Sha256,
        })
    }

    /// The extensions of a certificate that `authority` issues.
    #[must_use]
    pub fn leaf_extensions(
        self,
        kind: CertificateKind,
        key: SubjectKey<'_>,
        authority: &Certificate,
        names: Option<&SubjectAltName>,
    ) -> Vec<Extension> {
        let subject_key = Extension::subject_key_identifier(&key_identifier(key.public_key_info));
        let mut extensions =
            vec![self.basic_constraints(kind), subject_key, self.authority_key_identifier(authority)];
        extensions.extend(extended_key_usage(kind));
        extensions.push(self.key_usage(kind, key.algorithm));
        extensions.extend(names.map(SubjectAltName::to_extension));
        extensions
    }

    /// The extensions of a self-signed authority with this serial number and subject.
    #[must_use]
    pub(crate) fn root_extensions(
        self,
        path_length: PathLength,
        key: SubjectKey<'_>,
        own: IssuerAndSerial<'_>,
    ) -> Vec<Extension> {
        let kind = CertificateKind::Authority(path_length);
        let identifier = key_identifier(key.public_key_info);
        let subject_key = Extension::subject_key_identifier(&identifier);
        match self {
            Self::Strict => {
                vec![self.basic_constraints(kind), self.key_usage(kind, key.algorithm), subject_key]
            }
            Self::EasyRsa => vec![
                Extension::basic_constraints(Some(path_length)).critical(true),
                subject_key,
                Extension::authority_key_identifier(&identifier, Some(own)),
                self.key_usage(kind, key.algorithm),
            ],
        }
    }

    /// How certificates and lists point to the key that signed them.
    pub(crate) fn authority_key_identifier(self, authority: &Certificate) -> Extension {
        let identifier = authority.key_identifier();
        let serial = authority.serial();
        let long_form = IssuerAndSerial { issuer: authority.issuer_der(), serial: &serial };
        match self {
            Self::Strict => Extension::authority_key_identifier(&identifier, None),
            Self::EasyRsa => Extension::authority_key_identifier(&identifier, Some(long_form)),
        }
    }

    fn basic_constraints(self, kind: CertificateKind) -> Extension {
        match kind {
            CertificateKind::Authority(length) => Extension::basic_constraints(Some(length)).critical(true),
            CertificateKind::Server | CertificateKind::Client | CertificateKind::ServerClient => {
                Extension::basic_constraints(None).critical(self == Self::Strict)
            }
        }
    }

    fn key_usage(self, kind: CertificateKind, key: KeyAlgorithm) -> Extension {
        let may_encipher = self == Self::EasyRsa || key.can_encipher_keys();
        let usages: &[KeyUsage] = match kind {
            CertificateKind::Authority(_) => &[KeyUsage::KeyCertSign, KeyUsage::CrlSign],
            CertificateKind::Client => &[KeyUsage::DigitalSignature],
            CertificateKind::Server | CertificateKind::ServerClient if may_encipher => {
                &[KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]
            }
            CertificateKind::Server | CertificateKind::ServerClient => &[KeyUsage::DigitalSignature],
        };
        Extension::key_usage(usages).critical(self == Self::Strict)
    }
}

fn extended_key_usage(kind: CertificateKind) -> Option<Extension> {
    match kind {
        CertificateKind::Authority(_) => None,
        CertificateKind::Server => Some(Extension::extended_key_usage(&[oid::SERVER_AUTH])),
        CertificateKind::Client => Some(Extension::extended_key_usage(&[oid::CLIENT_AUTH])),
        CertificateKind::ServerClient => {
            Some(Extension::extended_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]))
        }
    }
}
