//! Which extensions a certificate gets: by its kind, and by the profile that the authority follows.

use super::extension::{Extension, IssuerAndSerial, KeyUsage, PathLength, oid};
use super::extension_file::ExtensionContext;
use super::terms::Issued;
use crate::key::{Digest, KeyAlgorithm};
use crate::x509::der::only_sequence;
use crate::x509::{Certificate, PublicKey, PublicKeyKind};

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
    /// Signing programs.
    CodeSigning,
    /// Signing and encrypting mail.
    Email,
    /// A TLS peer that is its own authority: peers know it by its fingerprint.
    SelfSigned(SelfSigned),
}

/// Which end of TLS a self-signed certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SelfSigned {
    Server,
    Client,
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

    /// The extensions of a certificate of this kind.
    pub(crate) fn extensions(
        self,
        kind: CertificateKind,
        public_key_info: &[u8],
        context: &ExtensionContext<'_>,
        issued: Issued,
    ) -> Vec<Extension> {
        let basic_constraints = self.basic_constraints(kind);
        let key_usage = self.key_usage(kind, public_key_info);
        let subject_key = Extension::subject_key_identifier(context.subject_key);
        let long_form = (self == Self::EasyRsa).then_some(context.issuer);
        let authority_key = Extension::authority_key_identifier(context.issuer_key, long_form);
        match (self, issued) {
            (Self::Strict, Issued::ByItself) => {
                let purpose = extended_key_usage(kind);
                [Some(basic_constraints), Some(key_usage), purpose, Some(subject_key)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            (Self::Strict, Issued::ByAnother) | (Self::EasyRsa, _) => {
                let head = [basic_constraints, subject_key, authority_key];
                head.into_iter().chain(extended_key_usage(kind)).chain([key_usage]).collect()
            }
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
            CertificateKind::SelfSigned(_) => {
                Extension::basic_constraints(Some(PathLength::Unlimited)).critical(self == Self::Strict)
            }
            CertificateKind::Server
            | CertificateKind::Client
            | CertificateKind::ServerClient
            | CertificateKind::CodeSigning
            | CertificateKind::Email => Extension::basic_constraints(None).critical(self == Self::Strict),
        }
    }

    fn key_usage(self, kind: CertificateKind, public_key_info: &[u8]) -> Extension {
        let may_encipher = self == Self::EasyRsa || can_encipher_keys(public_key_info);
        let usages: &[KeyUsage] = match kind {
            CertificateKind::Authority(_) => &[KeyUsage::KeyCertSign, KeyUsage::CrlSign],
            CertificateKind::Client | CertificateKind::CodeSigning => &[KeyUsage::DigitalSignature],
            CertificateKind::SelfSigned(_) if self == Self::Strict => {
                &[KeyUsage::DigitalSignature, KeyUsage::KeyCertSign]
            }
            CertificateKind::Server | CertificateKind::ServerClient | CertificateKind::SelfSigned(_) => {
                if may_encipher {
                    &[KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]
                } else {
                    &[KeyUsage::DigitalSignature]
                }
            }
            CertificateKind::Email if may_encipher => {
                &[KeyUsage::DigitalSignature, KeyUsage::NonRepudiation, KeyUsage::KeyEncipherment]
            }
            CertificateKind::Email => &[KeyUsage::DigitalSignature, KeyUsage::NonRepudiation],
        };
        Extension::key_usage(usages).critical(self == Self::Strict)
    }
}

/// Whether TLS 1.2's key transport works with the key, which keyEncipherment permits.
fn can_encipher_keys(public_key_info: &[u8]) -> bool {
    let key = only_sequence(public_key_info).and_then(|info| PublicKey::parse(&info).map(|key| key.kind));
    matches!(key, Ok(PublicKeyKind::Rsa { .. }))
}

fn extended_key_usage(kind: CertificateKind) -> Option<Extension> {
    let purposes: &[_] = match kind {
        CertificateKind::Authority(_) => return None,
        CertificateKind::Server | CertificateKind::SelfSigned(SelfSigned::Server) => &[oid::SERVER_AUTH],
        CertificateKind::Client | CertificateKind::SelfSigned(SelfSigned::Client) => &[oid::CLIENT_AUTH],
        CertificateKind::ServerClient => &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
        CertificateKind::CodeSigning => &[oid::CODE_SIGNING],
        CertificateKind::Email => &[oid::EMAIL_PROTECTION],
    };
    Some(Extension::extended_key_usage(purposes))
}
