//! Everything the authority has issued, as index.txt tells it: for lists, reports, and to find a certificate again.
//!
//! Only the index is read here, never a certificate file, so a hundred thousand rows take a fraction of a second. Rows
//! that cannot be understood are counted, not guessed.

use std::collections::HashMap;

use super::PkiReader;
use crate::crl::RevocationReason;
use crate::error::PkiError;
use crate::serial::Serial;
use crate::store::index_txt::{Index, Row, Status};
use crate::store::layout;
use crate::time::Timestamp;

/// One issued certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its serial number.
    pub serial: Serial,
    /// Its subject in index.txt's notation.
    pub subject: String,
    /// The common name of the subject, unescaped; empty if it has none.
    pub common_name: String,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// When and why it was revoked, if it was.
    pub revoked: Option<RevocationMark>,
}

/// When and why a certificate was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationMark {
    /// When.
    pub at: Timestamp,
    /// Why, if somebody said so.
    pub reason: Option<RevocationReason>,
}

/// What a certificate is good for at some point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordState {
    /// In force.
    Valid,
    /// At its end.
    Expired,
    /// Revoked, whether or not it would have expired since.
    Revoked,
}

impl RecordState {
    /// The word for lists and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Record {
    /// Whether it is in force at this time; the index's own mark for expiry is not needed for that, and often missing.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> RecordState {
        match self.revoked {
            Some(_) => RecordState::Revoked,
            None if self.not_after < now => RecordState::Expired,
            None => RecordState::Valid,
        }
    }

    fn from_row(row: Row<'_>) -> Option<Self> {
        let revoked = match row.status {
            Status::Valid | Status::Expired => None,
            Status::Revoked => {
                let entry = row.to_revoked().ok()?;
                Some(RevocationMark { at: entry.at, reason: entry.reason })
            }
        };
        Some(Self {
            serial: Serial::from_hex(row.serial)?,
            subject: row.subject.to_owned(),
            common_name: row.common_name(),
            not_after: Timestamp::from_digits(row.expiry)?,
            revoked,
        })
    }
}

/// All issued certificates in the order of their issue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The rows that can be understood.
    pub records: Vec<Record>,
    /// How many rows cannot.
    pub unreadable: usize,
}

impl Records {
    /// Reads index.txt.
    #[must_use]
    pub fn parse(index: &[u8]) -> Self {
        let index = Index::new(index);
        let mut found = Self::default();
        for row in index.lines() {
            match row.and_then(Record::from_row) {
                Some(record) => found.records.push(record),
                None => found.unreadable += 1,
            }
        }
        found
    }

    /// For each subject, the end of its longest valid certificate: what expires earlier has been replaced already.
    #[must_use]
    pub fn last_ends(&self) -> HashMap<&str, Timestamp> {
        let mut ends = HashMap::with_capacity(self.records.len());
        for record in self.records.iter().filter(|record| record.revoked.is_none()) {
            let end = ends.entry(record.subject.as_str()).or_insert(record.not_after);
            *end = record.not_after.max(*end);
        }
        ends
    }
}

impl PkiReader<'_> {
    /// Everything that index.txt knows.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`] if there is no index yet; [`PkiError::Store`].
    pub fn records(&self) -> Result<Records, PkiError> {
        let path = layout::index();
        let index = self.store().read(&path)?;
        let index = index.ok_or_else(|| PkiError::NoAuthority { missing: self.store().full_path(&path) })?;
        Ok(Records::parse(&index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &[u8] =
        b"V\t480707074218Z\t\t0A\tunknown\t/C=DE/CN=j\\xC3\\xBCrgen\\/home/emailAddress=j@x\n\
        V\t260101000000Z\t\t0B\tunknown\t/CN=old\n\
        R\t480707074218Z\t261120074219Z,superseded\t0C\tunknown\t/CN=gone\n\
        V\t490707074218Z\t\t0D\tunknown\t/CN=old\n\
        R\t480707074218Z\tyesterday\t0E\tunknown\t/CN=odd\n\
        # a comment\n\n";

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_161_600);

    #[test]
    fn every_row_that_can_be_understood_becomes_a_record() {
        let found = Records::parse(INDEX);
        let states: Vec<_> = found.records.iter().map(|record| record.state(NOW).as_str()).collect();
        assert_eq!(states, ["valid", "expired", "revoked", "valid"]);
        assert_eq!(found.unreadable, 1, "a comment and an empty line are no rows");
        assert_eq!(found.records[0].common_name, "jürgen/home");
        assert_eq!(found.records[2].revoked.unwrap().reason, Some(RevocationReason::Superseded));
    }

    #[test]
    fn a_later_certificate_of_the_same_subject_is_the_last_end() {
        let found = Records::parse(INDEX);
        let ends = found.last_ends();
        assert_eq!(ends["/CN=old"].to_digits(), "490707074218Z");
        assert!(!ends.contains_key("/CN=gone"));
    }
}
