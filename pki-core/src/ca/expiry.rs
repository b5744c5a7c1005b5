//! What ends soon: the authority, its revocation list, and certificates that nothing has replaced yet.

use super::PkiReader;
use super::records::{Record, RecordState};
use crate::crl::published::end_of_prefix;
use crate::error::PkiError;
use crate::pem;
use crate::store::layout;
use crate::time::Timestamp;

/// Everything that ends before some point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryReport {
    /// What ends, or has ended, the earliest first.
    pub endings: Vec<Ending>,
    /// How many certificates are in force.
    pub valid: usize,
    /// How many have expired.
    pub expired: usize,
    /// How many are revoked.
    pub revoked: usize,
    /// How many rows of index.txt cannot be understood.
    pub unreadable: usize,
    /// End of the authority's certificate.
    pub authority_ends: Option<Timestamp>,
    /// When the published list must have been replaced.
    pub list_ends: Option<Timestamp>,
}

/// Something that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What it is.
    pub what: Expiring,
    /// Its last second.
    pub at: Timestamp,
}

/// What can end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiring {
    /// The certificate of the authority: nothing that it signed works afterwards.
    Authority,
    /// The published revocation list: servers refuse everybody afterwards.
    RevocationList,
    /// A certificate.
    Certificate(Record),
}

impl Expiring {
    /// The word for lists and programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Authority => "ca",
            Self::RevocationList => "crl",
            Self::Certificate(_) => "certificate",
        }
    }
}

impl PkiReader<'_> {
    /// What ends before `until`. A certificate whose subject has one that lasts longer does not count: it has been renewed.
    ///
    /// # Errors
    /// What reading the index, ca.crt and crl.pem answers.
    pub fn expiry(&self, now: Timestamp, until: Timestamp) -> Result<ExpiryReport, PkiError> {
        let records = self.records()?;
        let last_ends = records.last_ends();
        let count = |state| records.records.iter().filter(|record| record.state(now) == state).count();
        let is_ending = |record: &&Record| {
            record.revoked.is_none()
                && record.not_after < until
                && last_ends.get(record.subject.as_str()) == Some(&record.not_after)
        };
        let ending = records.records.iter().filter(is_ending);
        let authority_ends = self.authority()?.first().map(crate::cert::Certificate::not_after);
        let list_ends = self.list_end()?;
        let mut endings: Vec<Ending> = ending
            .map(|record| Ending { what: Expiring::Certificate(record.clone()), at: record.not_after })
            .collect();
        let ends_soon = |at: &Timestamp| *at < until;
        endings.extend(list_ends.filter(ends_soon).map(|at| Ending { what: Expiring::RevocationList, at }));
        endings.extend(authority_ends.filter(ends_soon).map(|at| Ending { what: Expiring::Authority, at }));
        endings.sort_by_key(|ending| ending.at);
        Ok(ExpiryReport {
            endings,
            valid: count(RecordState::Valid),
            expired: count(RecordState::Expired),
            revoked: count(RecordState::Revoked),
            unreadable: records.unreadable,
            authority_ends,
            list_ends,
        })
    }

    /// nextUpdate of the published list; `None` if there is no list, or none that can be read.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn list_end(&self) -> Result<Option<Timestamp>, PkiError> {
        let Some(head) = self.store().read_range(&layout::revocation_list(), 0, LIST_HEAD)? else {
            return Ok(None);
        };
        Ok(pem::decode_head(&head, "X509 CRL").and_then(|der| end_of_prefix(&der)))
    }
}

/// Version, algorithm, issuer and both dates fit well into this.
const LIST_HEAD: usize = 8192;
