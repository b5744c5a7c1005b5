//! The verdict on a client's chain, against what is trusted at that moment.
//!
//! [`Trust`] is shared by all handshakes. What it trusts is a [`TrustSnapshot`] that is replaced whole; a handshake sees
//! one of them from beginning to end.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};
use pki_core::chain::{
    self, ChainPolicy, IdentityField, Purpose, Rejection, Revocation, TrustAnchors, VerifiedPath,
};
use pki_core::crl::{CertificateId, Freshness, RevocationStatus};
use pki_core::text::Printable;
use pki_core::time::Timestamp;
use pki_core::x509::Certificate;
use rustls::pki_types::CertificateDer;
use tracing::warn;
use vpn_proto::{CertificateCheck, CertificateRef, CertificateVerdict, Denial, PeerIdentity};

use super::client_checks::ClientChecks;
use super::memory::{CertificateChain, CertificatePath, PathMemory};
use super::refusal::public_reason;
use super::revocation::RevocationState;
use crate::config::CertificateGroups;

/// What is trusted, for whoever has to judge a chain.
#[derive(Debug)]
pub struct Trust {
    snapshot: ArcSwap<TrustSnapshot>,
    paths: PathMemory,
    group_attributes: ArcSwap<CertificateGroups>,
    identity: ArcSwap<IdentityField>,
}

/// What was trusted at one moment.
#[derive(Debug)]
pub struct TrustSnapshot {
    /// The authorities of clients.
    pub anchors: Arc<TrustAnchors>,
    /// What is known about revocations.
    pub revocation: RevocationState,
    /// How strict chains are judged.
    pub policy: ChainPolicy,
    /// What certificates have to pass beside that.
    pub checks: ClientChecks,
}

impl Trust {
    /// Trust that begins with `snapshot`.
    #[must_use]
    pub fn new(snapshot: TrustSnapshot) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            paths: PathMemory::default(),
            group_attributes: ArcSwap::default(),
            identity: ArcSwap::default(),
        }
    }

    /// What is trusted at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<TrustSnapshot>> {
        self.snapshot.load()
    }

    /// Judges handshakes by another snapshot from now on.
    pub fn replace(&self, snapshot: TrustSnapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    /// The verified path of a client that was accepted a moment ago.
    #[must_use]
    pub fn path_of(&self, fingerprint: &[u8; 32]) -> Option<CertificatePath> {
        self.paths.path_of(fingerprint)
    }

    /// Takes the names of clients from this field of their certificates, from the next handshake on.
    pub fn name_clients_by(&self, field: IdentityField) {
        self.identity.store(Arc::new(field));
    }

    /// Remembers the certificates of clients, too, from now on: programs are told what stands in them.
    pub fn keep_chains(&self) {
        self.paths.keep_chains();
    }

    /// The certificate of a client that was accepted a moment ago, where such are kept.
    #[must_use]
    pub fn chain_of(&self, fingerprint: &[u8; 32]) -> Option<CertificateChain> {
        self.paths.chain_of(fingerprint)
    }

    /// Takes groups of clients from these attributes of their certificates, from the next handshake on.
    pub fn take_groups_from(&self, attributes: CertificateGroups) {
        self.group_attributes.store(Arc::new(attributes));
    }

    /// The groups in the certificate of a client that was accepted a moment ago.
    #[must_use]
    pub fn groups_of(&self, fingerprint: &[u8; 32]) -> Arc<[String]> {
        self.paths.groups_of(fingerprint).unwrap_or_default()
    }

    fn judge(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> CertificateVerdict {
        let snapshot = self.snapshot.load();
        match snapshot.verify(chain, **self.identity.load(), now) {
            Ok(path) => self.accept(path, chain, &snapshot),
            Err(rejection) => snapshot.refuse(chain, &rejection),
        }
    }

    fn accept(
        &self,
        path: VerifiedPath,
        chain: &[CertificateDer<'_>],
        snapshot: &TrustSnapshot,
    ) -> CertificateVerdict {
        let objection = snapshot.checks.objection(&path);
        let Some(common_name) = path.common_name else {
            return CertificateVerdict::Untrusted(Denial {
                code: "no-identity",
                public: public_reason("no-identity").to_owned(),
                detail: format!("the certificate \"{}\" has no common name", path.subject),
            });
        };
        if let Some(expired_at) = path.crl_expired_at {
            warn!(
                client = Printable(&common_name).to_string(),
                cert.serial = %path.serial,
                %expired_at,
                "accepted within the grace period of an expired revocation list"
            );
        }
        let identity = PeerIdentity {
            common_name,
            fingerprint: path.fingerprint,
            path: path.certificates.iter().map(reference).collect(),
        };
        if let Some(denial) = objection {
            return CertificateVerdict::Denied(identity, denial);
        }
        let certificates: CertificatePath = path.certificates.into();
        let groups = groups_in(chain.first(), **self.group_attributes.load());
        self.paths.remember(path.fingerprint, Arc::clone(&certificates), groups, || {
            certificates_of(&certificates, &path.anchor_fingerprint, chain, &snapshot.anchors)
        });
        CertificateVerdict::Accepted(identity)
    }
}

impl CertificateCheck for Trust {
    fn check(&self, chain: &[CertificateDer<'_>]) -> CertificateVerdict {
        self.judge(chain, SystemTime::now().into())
    }
}

impl TrustSnapshot {
    /// The policy for clients whose revocation lists are accepted for `grace` after their expiry.
    #[must_use]
    pub fn client_policy(grace: std::time::Duration) -> ChainPolicy {
        let freshness = Freshness { grace, ..Freshness::default() };
        ChainPolicy { freshness, ..ChainPolicy::vpn() }
    }

    /// Why a session with these certificates has to end, if one of them is revoked.
    ///
    /// Only revocation itself ends a live session. A list that expires or disappears refuses new handshakes and
    /// renegotiations, and thereby ends sessions at their own pace.
    #[must_use]
    pub fn revocation_of(&self, path: &[CertificateId], now: Timestamp) -> Option<Denial> {
        if let Some(denial) = self.checks.revocation(path) {
            return Some(denial);
        }
        let index = self.revocation.latest_index()?;
        path.iter().find_map(|certificate| match index.status(certificate, now, self.policy.freshness) {
            RevocationStatus::Revoked { at, reason } => {
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                Some(Denial {
                    code: "revoked",
                    public: public_reason("revoked").to_owned(),
                    detail: format!(
                        "the certificate with serial {} was revoked at {at}{reason}",
                        certificate.serial()
                    ),
                })
            }
            RevocationStatus::Good
            | RevocationStatus::GoodInGrace { .. }
            | RevocationStatus::NoCrl
            | RevocationStatus::Expired { .. }
            | RevocationStatus::NotYetValid { .. } => None,
        })
    }

    fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        identity: IdentityField,
        now: Timestamp,
    ) -> Result<VerifiedPath, Rejection> {
        let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        let nothing_listed = pki_core::crl::RevocationIndex::default();
        let revocation = match &self.revocation {
            RevocationState::Unchecked | RevocationState::NothingRevokedYet => Revocation::Unchecked,
            RevocationState::InForce(index) => Revocation::Required(index),
            RevocationState::Lost { .. } => Revocation::Required(&nothing_listed),
        };
        chain::verify(&chain::Request {
            leaf_and_intermediates: &chain,
            anchors: &self.anchors,
            purpose: Purpose::Client,
            revocation,
            name: None,
            policy: &ChainPolicy { identity, ..self.policy.clone() },
            now,
        })
    }

    fn refuse(&self, chain: &[CertificateDer<'_>], rejection: &Rejection) -> CertificateVerdict {
        let denial = Denial {
            code: rejection.code(),
            public: public_reason(rejection.code()).to_owned(),
            detail: rejection.to_string(),
        };
        match self.refused_identity(chain, rejection) {
            Some(identity) if rejection.chains_to_anchor() => CertificateVerdict::Denied(identity, denial),
            Some(_) | None => CertificateVerdict::Untrusted(denial),
        }
    }

    /// Whom a refused certificate names; its signatures are good, so a trusted authority says so.
    fn refused_identity(&self, chain: &[CertificateDer<'_>], rejection: &Rejection) -> Option<PeerIdentity> {
        let leaf = rejection.leaf()?;
        let certificate = Certificate::parse(chain.first()?).ok()?;
        let issuer = self.anchors.crl_issuers().find(|issuer| issuer.subject() == certificate.issuer());
        Some(PeerIdentity {
            common_name: leaf.common_name.clone().unwrap_or_else(|| leaf.subject.clone()),
            fingerprint: leaf.fingerprint,
            path: vec![CertificateRef {
                issuer_key: issuer.map_or([0; 32], |issuer| *issuer.issuer_id().as_bytes()),
                serial: leaf.serial.as_be_bytes().to_vec(),
            }],
        })
    }
}

/// The groups that a verified leaf names.
fn groups_in(leaf: Option<&CertificateDer<'_>>, attributes: CertificateGroups) -> Arc<[String]> {
    if attributes == CertificateGroups::default() {
        return Arc::from([]);
    }
    let leaf = leaf.and_then(|leaf| Certificate::parse(leaf).ok());
    let fields = leaf.iter().flat_map(|leaf| leaf.subject().fields());
    fields.filter(|(kind, _)| attributes.include(kind)).map(|(_, value)| value.to_owned()).collect()
}

/// The certificates of a path out of those that were shown, and its anchor.
fn certificates_of(
    path: &[CertificateId],
    anchor: &[u8; 32],
    shown: &[CertificateDer<'_>],
    anchors: &TrustAnchors,
) -> Vec<CertificateDer<'static>> {
    let serial_of = |der: &CertificateDer<'_>| Certificate::parse(der).ok().map(|shown| shown.serial());
    let of_path = path.iter().filter_map(|wanted| {
        let found = shown.iter().find(|der| serial_of(der) == Some(wanted.serial()));
        found.map(|der| der.clone().into_owned())
    });
    let anchor = anchors.anchors().iter().find(|candidate| candidate.fingerprint() == *anchor);
    of_path.chain(anchor.map(|anchor| CertificateDer::from(anchor.der().to_vec()))).collect()
}

fn reference(certificate: &CertificateId) -> CertificateRef {
    CertificateRef {
        issuer_key: *certificate.issuer().as_bytes(),
        serial: certificate.serial().as_be_bytes().to_vec(),
    }
}
