//! Revocation as a set: lists whose signatures were verified once, asked by certificate.
//!
//! An index never changes; a new list means a new index, swapped in as a whole. Memory is 32 octets per entry, a
//! lookup is one binary search.

use std::time::Duration;

use super::parse::{Crl, CrlDefect, CrlEntry, CrlError};
use super::reason::RevocationReason;
use super::scope::CrlScope;
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::x509::extensions::{DistributionPoint, KeyUsage};
use crate::x509::{Certificate, IssuerId, SerialOctets, SignatureAlgorithm, SignatureFailure, sha256};

/// Verified revocation lists, at most one per issuer and scope: the newest.
#[derive(Debug, Default)]
pub struct RevocationIndex {
    pub(super) known_issuers: Vec<IssuerId>,
    pub(super) lists: Vec<VerifiedCrl>,
}

#[derive(Debug)]
pub(super) struct VerifiedCrl {
    pub(super) issuer: IssuerId,
    pub(super) scope: CrlScope,
    pub(super) summary: CrlSummary,
    defect: Option<CrlDefect>,
    /// Ascending by serial number.
    entries: Vec<CrlEntry>,
}

/// What there is to tell about a verified list, for logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlSummary {
    /// The issuer's name.
    pub issuer_name: String,
    /// The cRLNumber, if it has one.
    pub number: Option<Serial>,
    /// When it was made.
    pub this_update: Timestamp,
    /// When it expires.
    pub next_update: Timestamp,
    /// How many certificates it revokes.
    pub entries: usize,
    /// SHA-256 of the list.
    pub fingerprint: [u8; 32],
}

/// What a revocation list knows a certificate by: its issuer and serial number, and which lists it is in scope of.
///
/// Taken from a verified path and kept with a session, it asks every later index whether the session may go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateId {
    issuer: IssuerId,
    list_issuers: Box<[IssuerId]>,
    serial: SerialOctets,
    is_ca: bool,
    distribution_points: Box<[DistributionPoint]>,
}

impl CertificateId {
    /// The identity of the first certificate of a path (or of what is left of it), which the second one signed.
    ///
    /// While a CA rolls its key over, either key may sign the list: every certificate of the issuer's name that
    /// vouches for the one below it counts, if it may sign lists at all.
    pub(crate) fn new(certificate: &Certificate, issuer: &Certificate, above: &[&Certificate]) -> Self {
        let mut generations = vec![issuer];
        generations.extend(above.iter().take_while(|other| other.subject() == issuer.subject()));
        let list_issuers = generations.into_iter().filter(|issuer| may_sign_lists(issuer));
        Self {
            issuer: issuer.issuer_id(),
            list_issuers: list_issuers.map(Certificate::issuer_id).collect(),
            serial: certificate.serial_octets(),
            is_ca: certificate.is_ca(),
            distribution_points: certificate.extensions().distribution_points.clone().into(),
        }
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &IssuerId {
        &self.issuer
    }

    /// Its serial number.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial.to_serial()
    }
}

/// How long a list may be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// How long after its nextUpdate a list is still used (`--crl-grace`); zero by default.
    pub grace: Duration,
    /// How far its thisUpdate may lie in the future, for clocks that disagree; zero by default.
    pub clock_skew: Duration,
}

/// What an index knows about a certificate. Anything but `Good` and `GoodInGrace` means: refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// Covered by a current list, and not on it.
    Good,
    /// Covered by a list that expired at `next_update`, within the grace period, and not on it.
    GoodInGrace {
        /// When the list expired.
        next_update: Timestamp,
    },
    /// On a list; how old the list is does not matter.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why, if the CA says so.
        reason: Option<RevocationReason>,
    },
    /// No list covers it.
    NoCrl,
    /// The list that covers it is expired.
    Expired {
        /// Since when.
        next_update: Timestamp,
    },
    /// The list that covers it is from the future.
    NotYetValid {
        /// When it will have been made.
        this_update: Timestamp,
    },
}

/// Why a revocation list was not taken into use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlRefusal {
    /// It cannot be read.
    #[error("the revocation list cannot be read: {0}")]
    Unreadable(#[from] CrlError),
    /// It comes from a CA that is not trusted here.
    #[error("the revocation list of \"{issuer}\" comes from a CA that is not trusted here")]
    ForeignIssuer {
        /// The name it carries.
        issuer: String,
    },
    /// No trusted key of that name made its signature.
    #[error("the signature on the revocation list of \"{issuer}\" is not that CA's")]
    BadSignature {
        /// The name it carries.
        issuer: String,
    },
    /// Its signature proves nothing, or cannot be computed.
    #[error("the revocation list of \"{issuer}\" is signed with {algorithm}, which is not accepted")]
    UnacceptableSignature {
        /// The name it carries.
        issuer: String,
        /// The signature algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// The CA's certificate does not allow it to sign revocation lists.
    #[error("the keyUsage of \"{issuer}\" does not allow it to sign revocation lists")]
    IssuerMayNotSign {
        /// The CA.
        issuer: String,
    },
    /// Its number is not higher than that of the list in force.
    #[error("the revocation list of \"{issuer}\" has number {candidate}, the one in force has {in_force}")]
    NumberNotHigher {
        /// The CA.
        issuer: String,
        /// Number of the refused list.
        candidate: Serial,
        /// Number of the list in force.
        in_force: Serial,
    },
    /// It was not made after the list in force.
    #[error("the revocation list of \"{issuer}\" is of {candidate}, the one in force of {in_force}")]
    NotLater {
        /// The CA.
        issuer: String,
        /// thisUpdate of the refused list.
        candidate: Timestamp,
        /// thisUpdate of the list in force.
        in_force: Timestamp,
    },
    /// A CA that has a list in force has none among the new ones.
    #[error("the revocation list of \"{issuer}\" is gone")]
    Gone {
        /// The CA.
        issuer: String,
    },
}

impl CrlRefusal {
    /// A stable identifier for logs, metrics and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(error) => error.code(),
            Self::ForeignIssuer { .. } => "crl-foreign-issuer",
            Self::BadSignature { .. } => "crl-bad-signature",
            Self::UnacceptableSignature { .. } => "crl-unacceptable-signature",
            Self::IssuerMayNotSign { .. } => "crl-issuer-may-not-sign",
            Self::NumberNotHigher { .. } => "crl-number-not-higher",
            Self::NotLater { .. } => "crl-not-later",
            Self::Gone { .. } => "crl-gone",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable(error) => error.help(),
            Self::ForeignIssuer { .. } | Self::BadSignature { .. } => {
                "write the list with the CA that issued the certificates (gen-crl), or add that CA to the trusted ones"
            }
            Self::UnacceptableSignature { .. } => "sign the list with SHA-256 or better",
            Self::IssuerMayNotSign { .. } => "issue the CA certificate again with cRLSign in its keyUsage",
            Self::NumberNotHigher { .. } | Self::NotLater { .. } => {
                "an old copy came back: write a new list (gen-crl); the list in force stays"
            }
            Self::Gone { .. } => "put the lists of all trusted CAs into the file; the list in force stays",
        }
    }
}

/// Collects lists into an index, verifying each against the certificates of possible issuers.
#[derive(Debug)]
pub struct RevocationIndexBuilder<'a> {
    issuers: Vec<&'a Certificate>,
    index: RevocationIndex,
}

impl<'a> RevocationIndexBuilder<'a> {
    /// Starts with the certificates whose keys may have signed lists: trust anchors and intermediates.
    ///
    /// An intermediate need not be trusted yet: its list is only ever asked about certificates below that same key,
    /// on a path that leads to an anchor.
    pub fn new(issuers: impl IntoIterator<Item = &'a Certificate>) -> Self {
        let issuers: Vec<&Certificate> = issuers.into_iter().collect();
        let index = RevocationIndex {
            known_issuers: issuers.iter().map(|issuer| issuer.issuer_id()).collect(),
            lists: Vec::new(),
        };
        Self { issuers, index }
    }

    /// Verifies a list and takes it in, unless a newer one of the same issuer and scope is already there.
    pub fn add(&mut self, crl: Crl) -> Result<(), CrlRefusal> {
        let verified = VerifiedCrl::new(self.find_signer(&crl)?, crl);
        let same = |list: &&mut VerifiedCrl| list.issuer == verified.issuer && list.scope == verified.scope;
        match self.index.lists.iter_mut().find(same) {
            Some(present) if verified.summary.is_newer_than(&present.summary) => *present = verified,
            Some(_) => {}
            None => self.index.lists.push(verified),
        }
        Ok(())
    }

    /// The index of everything added.
    #[must_use]
    pub fn finish(self) -> RevocationIndex {
        self.index
    }

    /// The issuer whose key made the signature. Names only narrow the search: a renewed CA has several keys.
    fn find_signer(&self, crl: &Crl) -> Result<&'a Certificate, CrlRefusal> {
        let issuer = crl.issuer().to_string();
        if crl.signature_algorithm().is_weak() {
            let algorithm = crl.signature_algorithm().clone();
            return Err(CrlRefusal::UnacceptableSignature { issuer, algorithm });
        }
        let mut refusal = CrlRefusal::ForeignIssuer { issuer: issuer.clone() };
        for &candidate in self.issuers.iter().filter(|candidate| candidate.subject() == crl.issuer()) {
            let issuer = issuer.clone();
            refusal = match crl.verify_signed_by(candidate) {
                Ok(()) if may_sign_lists(candidate) => return Ok(candidate),
                Ok(()) => CrlRefusal::IssuerMayNotSign { issuer },
                // Another generation of the CA; the key that is meant may come later, or not be trusted at all.
                Err(SignatureFailure::Invalid) if candidate.has_other_key_than(crl.authority_key()) => {
                    continue;
                }
                Err(SignatureFailure::Invalid) => CrlRefusal::BadSignature { issuer },
                Err(SignatureFailure::Unsupported | SignatureFailure::UnsupportedByBackend) => {
                    let algorithm = crl.signature_algorithm().clone();
                    CrlRefusal::UnacceptableSignature { issuer, algorithm }
                }
            };
        }
        Err(refusal)
    }
}

impl RevocationIndex {
    /// Builds an index from lists that must all be good.
    pub fn build<'a>(
        issuers: impl IntoIterator<Item = &'a Certificate>,
        lists: impl IntoIterator<Item = Crl>,
    ) -> Result<Self, CrlRefusal> {
        let mut builder = RevocationIndexBuilder::new(issuers);
        lists.into_iter().try_for_each(|list| builder.add(list))?;
        Ok(builder.finish())
    }

    /// Whether a certificate is revoked, and whether the answer can be relied on at `now`.
    #[must_use]
    pub fn status(
        &self,
        certificate: &CertificateId,
        now: Timestamp,
        freshness: Freshness,
    ) -> RevocationStatus {
        let mut status = RevocationStatus::NoCrl;
        for list in self.covering(certificate) {
            if let Some(entry) = list.find(certificate.serial) {
                return RevocationStatus::Revoked { at: entry.revoked_at(), reason: entry.reason() };
            }
            status = status.or_better(list.freshness(now, freshness));
        }
        status
    }

    /// The lists in use.
    pub fn summaries(&self) -> impl Iterator<Item = &CrlSummary> {
        self.lists.iter().map(|list| &list.summary)
    }

    /// How a list that covers the certificate departs from RFC 5280.
    pub(crate) fn defect(&self, certificate: &CertificateId) -> Option<CrlDefect> {
        self.covering(certificate).find_map(|list| list.defect)
    }

    fn covering(&self, certificate: &CertificateId) -> impl Iterator<Item = &VerifiedCrl> {
        self.lists.iter().filter(|list| {
            certificate.list_issuers.contains(&list.issuer)
                && list.scope.covers(certificate.is_ca, &certificate.distribution_points)
        })
    }
}

impl VerifiedCrl {
    fn new(issuer: &Certificate, crl: Crl) -> Self {
        let summary = CrlSummary {
            issuer_name: crl.issuer().to_string(),
            number: crl.number().cloned(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            entries: crl.entries().len(),
            fingerprint: sha256(&[crl.der()]),
        };
        let (scope, defect) = (crl.scope().clone(), crl.defect());
        let mut entries = crl.into_entries();
        if !entries.is_sorted_by_key(|entry| entry.serial) {
            entries.sort_unstable_by_key(|entry| entry.serial);
        }
        Self { issuer: issuer.issuer_id(), scope, summary, defect, entries }
    }

    /// Whether every certificate revoked by `other` is revoked by this list too.
    pub(super) fn revokes_all_of(&self, other: &Self) -> bool {
        other.entries.iter().all(|entry| self.find(entry.serial).is_some())
    }

    fn find(&self, serial: SerialOctets) -> Option<&CrlEntry> {
        let found = self.entries.binary_search_by_key(&serial, |entry| entry.serial);
        found.ok().map(|position| &self.entries[position])
    }

    fn freshness(&self, now: Timestamp, freshness: Freshness) -> RevocationStatus {
        let CrlSummary { this_update, next_update, .. } = self.summary;
        if this_update > now.plus_seconds(seconds(freshness.clock_skew)) {
            RevocationStatus::NotYetValid { this_update }
        } else if now <= next_update {
            RevocationStatus::Good
        } else if now <= next_update.plus_seconds(seconds(freshness.grace)) {
            RevocationStatus::GoodInGrace { next_update }
        } else {
            RevocationStatus::Expired { next_update }
        }
    }
}

impl RevocationStatus {
    /// The answer of two lists of which neither revokes: one list that can be relied on is enough.
    fn or_better(self, other: Self) -> Self {
        const fn rank(status: RevocationStatus) -> u8 {
            match status {
                RevocationStatus::NoCrl => 0,
                RevocationStatus::NotYetValid { .. } => 1,
                RevocationStatus::Expired { .. } => 2,
                RevocationStatus::GoodInGrace { .. } => 3,
                RevocationStatus::Good => 4,
                RevocationStatus::Revoked { .. } => 5,
            }
        }
        if rank(other) > rank(self) { other } else { self }
    }
}

/// A CA without keyUsage may do everything (RFC 5280 section 6.3.3 (f)).
pub(crate) fn may_sign_lists(issuer: &Certificate) -> bool {
    let usage = issuer.extensions().key_usage.as_ref();
    usage.is_none_or(|usage| usage.value.allows(KeyUsage::CRL_SIGN))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
