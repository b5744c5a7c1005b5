//! Why a certificate was not accepted, for the operator's eyes.

use std::fmt;

use super::identity::{self, IdentityField, IdentityProblem};
use super::strict::ProfileDefect;
use crate::crl::RevocationReason;
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::x509::{Certificate, CertificateError, Oid, PublicKeyKind, SignatureAlgorithm};

/// A refused certificate: the reason, which certificate of the path it concerns, and whose it is.
///
/// The peer should learn little of this; see [`Rejection::chains_to_anchor`] for how it is to be told.
#[derive(Clone, Debug)]
pub struct Rejection(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    reason: Reason,
    culprit: Option<String>,
    leaf: Option<LeafSummary>,
    stage: Stage,
}

/// The certificate that was to be verified, whatever is wrong with it. Nothing in it is proven unless the rejection
/// [chains](Rejection::chains_to_anchor).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafSummary {
    /// Its common name, if there is exactly one and it is harmless.
    pub common_name: Option<String>,
    /// Its subject on one line.
    pub subject: String,
    /// Its serial number.
    pub serial: Serial,
    /// SHA-256 of it.
    pub fingerprint: [u8; 32],
}

/// How far a certificate came; of several paths the one that came furthest explains the rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Input,
    UnknownIssuer,
    MalformedIntermediate,
    TooDeep,
    BadSignature,
    UncheckableSignature,
    WorkLimit,
    Authority,
    Admission,
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The peer sent nothing.
    #[error("no certificate was sent")]
    NoCertificate,
    /// The peer sent more certificates than are looked at.
    #[error("{count} certificates were sent, at most {limit} are read")]
    TooManyCertificates {
        /// How many came.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The peer sent more octets than are looked at.
    #[error("{octets} octets of certificates were sent, at most {limit} are read")]
    ChainTooLarge {
        /// How many came.
        octets: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A certificate cannot be read.
    #[error(transparent)]
    Malformed(CertificateError),
    /// No trusted CA issued it.
    #[error("no trusted CA is called \"{issuer}\" and has the key that signed it")]
    UnknownCa {
        /// The issuer it names.
        issuer: String,
    },
    /// A trusted CA of the right name exists, but did not make the signature.
    #[error("the signature is not that of \"{issuer}\"")]
    BadSignature {
        /// The issuer it names.
        issuer: String,
    },
    /// Its signature cannot be computed here.
    #[error("signed with {algorithm}, which is not supported")]
    UnsupportedSignature {
        /// The algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// Its signature cannot be computed by the cryptographic library of this build.
    #[error("signed with {algorithm} on such a key, which the `ring` build cannot verify")]
    SignatureNeedsOtherBackend {
        /// The algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// The path is longer than allowed.
    #[error("more than {limit} intermediate certificates up to a trusted CA")]
    TooDeep {
        /// The most intermediates allowed.
        limit: usize,
    },
    /// The certificates are so many or so intertwined that the search was given up.
    #[error("too much work to verify: the certificates are excessively many or intertwined")]
    WorkLimit,

    /// An issuer is not a CA.
    #[error("it is not a CA certificate, but issued one")]
    NotACa,
    /// An issuer may not sign certificates.
    #[error("its keyUsage does not allow it to sign certificates, but it did")]
    MayNotSignCertificates,
    /// An issuer may not have so many CAs below it.
    #[error("it allows {limit} CAs below it, there are more")]
    PathLength {
        /// Its pathLenConstraint.
        limit: u32,
    },
    /// A name lies outside what an issuer may certify.
    #[error("it names {name}, which the CA above it may not certify")]
    NameConstraint {
        /// The name.
        name: String,
    },
    /// Name constraints that cannot be applied.
    #[error("name constraints cannot be applied to {name}")]
    UnusableNameConstraint {
        /// The name they should have been applied to.
        name: String,
    },
    /// A CA without a name.
    #[error("its issuer has no name")]
    NamelessIssuer,
    /// A critical extension that is not understood.
    #[error("critical extension {0} is not understood")]
    UnknownCriticalExtension(Oid),
    /// Constraints on certificate policies, which are not processed.
    #[error("it constrains certificate policies, which is not supported")]
    PolicyConstraints,

    /// A CA's validity has ended.
    #[error("the CA certificate expired at {not_after}")]
    CaExpired {
        /// Its last valid second.
        not_after: Timestamp,
    },
    /// A CA's validity has not begun.
    #[error("the CA certificate is not valid before {not_before}")]
    CaNotYetValid {
        /// Its first valid second.
        not_before: Timestamp,
    },
    /// The certificate's validity has ended.
    #[error("expired at {not_after}")]
    Expired {
        /// Its last valid second.
        not_after: Timestamp,
    },
    /// The certificate's validity has not begun.
    #[error("not valid before {not_before}")]
    NotYetValid {
        /// Its first valid second.
        not_before: Timestamp,
    },
    /// A signature that could be forged.
    #[error("signed with {algorithm}, which can be forged")]
    WeakSignature {
        /// The algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// A key that is too short.
    #[error("its key is {key}, at least RSA 2048 is required")]
    WeakKey {
        /// The key.
        key: PublicKeyKind,
    },
    /// A key of a kind that is not used here.
    #[error("its key is {key}; only RSA up to 8192, P-256, P-384, P-521 and Ed25519 are accepted")]
    UnsupportedKey {
        /// The key.
        key: PublicKeyKind,
    },
    /// A key that the cryptographic library of this build cannot use.
    #[error("its key is {key}, which the `ring` build cannot use")]
    KeyNeedsOtherBackend {
        /// The key.
        key: PublicKeyKind,
    },
    /// A CA certificate presented by a peer as its own.
    #[error("it is a CA certificate")]
    CaAsEndEntity,
    /// An end-entity certificate that claims to sign certificates.
    #[error("its keyUsage claims to sign certificates, but it is not a CA")]
    SigningEndEntity,
    /// A server's certificate presented by a client.
    #[error("it is a server certificate (serverAuth), not a client's")]
    ServerAsClient,
    /// A client's certificate presented by a server.
    #[error("it is a client certificate (clientAuth), not a server's")]
    ClientAsServer,
    /// A certificate for another purpose.
    #[error("its extendedKeyUsage does not include {needed}")]
    WrongPurpose {
        /// `clientAuth` or `serverAuth`.
        needed: &'static str,
    },
    /// A certificate that does not say what it is for.
    #[error("it has no extendedKeyUsage; {needed} is required")]
    MissingPurpose {
        /// `clientAuth` or `serverAuth`.
        needed: &'static str,
    },
    /// A CA whose certificates are for another purpose.
    #[error("the CA's extendedKeyUsage does not include {needed}")]
    CaPurpose {
        /// `clientAuth` or `serverAuth`.
        needed: &'static str,
    },
    /// A key that may not sign a handshake.
    #[error("its keyUsage does not allow to sign a TLS handshake (digitalSignature)")]
    MayNotSignHandshakes,
    /// It is revoked.
    #[error("revoked at {at}{}", reason.map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Revoked {
        /// When.
        at: Timestamp,
        /// Why, if the CA says so.
        reason: Option<RevocationReason>,
    },
    /// No revocation list covers it.
    #[error("there is no revocation list of \"{issuer}\" that covers it")]
    CrlMissing {
        /// Whose list is missing.
        issuer: String,
    },
    /// The revocation list that covers it is too old.
    #[error("the revocation list of \"{issuer}\" expired at {next_update}")]
    CrlExpired {
        /// Whose list.
        issuer: String,
        /// Since when.
        next_update: Timestamp,
    },
    /// The revocation list that covers it is from the future.
    #[error("the revocation list of \"{issuer}\" is from the future: {this_update}")]
    CrlNotYetValid {
        /// Whose list.
        issuer: String,
        /// When it will have been made.
        this_update: Timestamp,
    },
    /// The CA on this path may not sign revocation lists.
    #[error("the keyUsage of \"{issuer}\" does not allow it to sign revocation lists")]
    CrlIssuerMayNotSign {
        /// The CA.
        issuer: String,
    },
    /// No common name to go by.
    #[error("its subject has no common name")]
    NoIdentity,
    /// The field that a policy takes names from does not say who it is.
    #[error("its {field} {problem}")]
    Identity {
        /// The field.
        field: IdentityField,
        /// What is wrong with it.
        problem: IdentityProblem,
    },
    /// Several common names.
    #[error("its subject has several common names")]
    AmbiguousIdentity,
    /// A common name with characters that deceive people or programs.
    #[error("its common name contains control or invisible characters: {shown}")]
    DeceptiveIdentity {
        /// The name with those characters escaped.
        shown: String,
    },
    /// A common name longer than X.520 allows.
    #[error("its common name has {characters} characters, at most 64 are allowed")]
    IdentityTooLong {
        /// Its length.
        characters: usize,
    },
    /// It does not carry the expected name.
    #[error("it is not for {expected}")]
    NameMismatch {
        /// The name asked for.
        expected: String,
    },
    /// It departs from RFC 5280, and the policy is strict.
    #[error("strict profile: {0}")]
    Profile(ProfileDefect),
}

impl Rejection {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// Whose certificate it is, if it could be read at all.
    #[must_use]
    pub fn leaf(&self) -> Option<&LeafSummary> {
        self.0.leaf.as_ref()
    }

    /// Whether signatures prove that a trusted CA issued the certificate, through CAs that were allowed to.
    ///
    /// Such a peer is known and only not admitted: let it finish TLS and answer `AUTH_FAILED`, which every client
    /// shows at once. Anybody else gets a TLS alert.
    #[must_use]
    pub fn chains_to_anchor(&self) -> bool {
        self.0.stage == Stage::Admission
    }

    /// A stable identifier for logs, metrics and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.reason.code()
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.0.reason.help()
    }

    pub(super) fn before_search(reason: Reason) -> Self {
        Self::new(Stage::Input, reason, None)
    }

    pub(super) fn new(stage: Stage, reason: Reason, culprit: Option<&Certificate>) -> Self {
        Self(Box::new(Details {
            reason,
            culprit: culprit.map(|certificate| certificate.subject().to_string()),
            leaf: None,
            stage,
        }))
    }

    pub(super) fn of_leaf(mut self, leaf: &Certificate) -> Self {
        self.0.leaf = Some(LeafSummary {
            common_name: identity::common_name(leaf.subject()).ok().flatten(),
            subject: leaf.subject().to_string(),
            serial: leaf.serial(),
            fingerprint: leaf.fingerprint(),
        });
        self
    }

    pub(super) fn stage(&self) -> Stage {
        self.0.stage
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.culprit {
            Some(subject) => write!(out, "certificate \"{subject}\": {}", self.0.reason),
            None => write!(out, "{}", self.0.reason),
        }
    }
}

impl std::error::Error for Rejection {}

impl Reason {
    /// A stable identifier for logs, metrics and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no-certificate",
            Self::TooManyCertificates { .. } => "too-many-certificates",
            Self::ChainTooLarge { .. } => "chain-too-large",
            Self::Malformed(_) => "malformed-certificate",
            Self::UnknownCa { .. } => "unknown-ca",
            Self::BadSignature { .. } => "bad-signature",
            Self::UnsupportedSignature { .. } => "unsupported-signature",
            Self::SignatureNeedsOtherBackend { .. } => "signature-needs-other-backend",
            Self::TooDeep { .. } => "path-too-deep",
            Self::WorkLimit => "work-limit",
            Self::NotACa => "issuer-not-a-ca",
            Self::MayNotSignCertificates => "issuer-may-not-sign-certificates",
            Self::PathLength { .. } => "path-length",
            Self::NameConstraint { .. } => "name-constraint",
            Self::UnusableNameConstraint { .. } => "unusable-name-constraint",
            Self::NamelessIssuer => "nameless-issuer",
            Self::UnknownCriticalExtension(_) => "unknown-critical-extension",
            Self::PolicyConstraints => "policy-constraints",
            Self::CaExpired { .. } => "ca-expired",
            Self::CaNotYetValid { .. } => "ca-not-yet-valid",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::WeakSignature { .. } => "weak-signature",
            Self::WeakKey { .. } => "weak-key",
            Self::UnsupportedKey { .. } => "unsupported-key",
            Self::KeyNeedsOtherBackend { .. } => "key-needs-other-backend",
            Self::CaAsEndEntity => "ca-as-end-entity",
            Self::SigningEndEntity => "signing-end-entity",
            Self::ServerAsClient => "server-as-client",
            Self::ClientAsServer => "client-as-server",
            Self::WrongPurpose { .. } => "wrong-purpose",
            Self::MissingPurpose { .. } => "missing-purpose",
            Self::CaPurpose { .. } => "ca-purpose",
            Self::MayNotSignHandshakes => "may-not-sign-handshakes",
            Self::Revoked { .. } => "revoked",
            Self::CrlMissing { .. } => "crl-missing",
            Self::CrlExpired { .. } => "crl-expired",
            Self::CrlNotYetValid { .. } => "crl-not-yet-valid",
            Self::CrlIssuerMayNotSign { .. } => "crl-issuer-may-not-sign",
            Self::Identity { problem, .. } => problem.code(),
            Self::NoIdentity => "no-identity",
            Self::AmbiguousIdentity => "ambiguous-identity",
            Self::DeceptiveIdentity { .. } => "deceptive-identity",
            Self::IdentityTooLong { .. } => "identity-too-long",
            Self::NameMismatch { .. } => "name-mismatch",
            Self::Profile(_) => "strict-profile",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoCertificate => "give the client a certificate and key (build-client-full, export)",
            Self::TooManyCertificates { .. } | Self::ChainTooLarge { .. } | Self::WorkLimit => {
                "send only the certificate and the intermediates between it and the CA"
            }
            Self::Malformed(_) => {
                "issue the certificate again; other software wrote it in a form nobody should accept"
            }
            Self::UnknownCa { .. } | Self::BadSignature { .. } => {
                "issue the certificate with a trusted CA, or add its CA (and intermediates) to the trusted ones"
            }
            Self::UnsupportedSignature { .. } | Self::WeakSignature { .. } => {
                "issue the certificate again with SHA-256 or better"
            }
            Self::SignatureNeedsOtherBackend { .. } | Self::KeyNeedsOtherBackend { .. } => {
                "use the default build (aws_lc_rs), or P-256 with SHA-256"
            }
            Self::TooDeep { .. } => "issue from a CA closer to the root, or allow a longer path",
            Self::NotACa | Self::MayNotSignCertificates => {
                "somebody issued a certificate without being a CA: find out who"
            }
            Self::PathLength { .. } | Self::NameConstraint { .. } => {
                "issue the certificate with a CA that is allowed to"
            }
            Self::UnusableNameConstraint { .. } | Self::NamelessIssuer | Self::PolicyConstraints => {
                "issue the CA certificate again without it"
            }
            Self::UnknownCriticalExtension(_) => "issue the certificate again without that extension",
            Self::CaExpired { .. } => "renew the CA (renew-ca) and distribute its new certificate",
            Self::Expired { .. } => "renew the certificate (renew) and hand out the new one",
            Self::CaNotYetValid { .. } | Self::NotYetValid { .. } => {
                "check the clocks of this host and of the CA's"
            }
            Self::WeakKey { .. } | Self::UnsupportedKey { .. } => {
                "issue it again with an EC P-256 or RSA 2048 key"
            }
            Self::CaAsEndEntity | Self::SigningEndEntity => {
                "never use a CA's key for a peer: issue a client certificate"
            }
            Self::ServerAsClient
            | Self::ClientAsServer
            | Self::WrongPurpose { .. }
            | Self::MissingPurpose { .. } => {
                "issue the certificate for this purpose (build-client-full, build-server-full)"
            }
            Self::CaPurpose { .. } => "issue the certificate with a CA for this purpose",
            Self::MayNotSignHandshakes => "issue the certificate again with digitalSignature in its keyUsage",
            Self::Revoked { .. } => "if the revocation was a mistake, issue a new certificate",
            Self::CrlMissing { .. } | Self::CrlExpired { .. } => {
                "write a new revocation list (gen-crl) and install it"
            }
            Self::CrlNotYetValid { .. } => "check the clocks of this host and of the CA's",
            Self::CrlIssuerMayNotSign { .. } => "issue the CA certificate again with cRLSign in its keyUsage",
            Self::Identity { .. } => {
                "issue the certificate with exactly one plain value in that field, or take names from another field"
            }
            Self::NoIdentity | Self::AmbiguousIdentity => {
                "issue the certificate with exactly one common name"
            }
            Self::DeceptiveIdentity { .. } | Self::IdentityTooLong { .. } => {
                "issue the certificate with a plain common name of at most 64 characters"
            }
            Self::NameMismatch { .. } => "ask for a name that the certificate carries as alternative name",
            Self::Profile(_) => {
                "verify without the strict option, or issue the certificate in the strict profile"
            }
        }
    }
}
