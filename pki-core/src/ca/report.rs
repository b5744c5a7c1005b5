//! What the directory holds, for those who only look: rows of the index and the certificates behind them.

use super::{Authority, read_certificates};
use crate::cert::Certificate;
use crate::crl::RevocationReason;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::serial::Serial;
use crate::store::index_txt::{Index, Row, Status};
use crate::store::layout;
use crate::time::Timestamp;

/// A row of index.txt that can be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// What the row says about its certificate.
    pub status: RowStatus,
    /// Serial number of the certificate.
    pub serial: Serial,
    /// Last second of its validity.
    pub not_after: Timestamp,
    /// Its subject in index.txt's notation.
    pub subject: String,
}

/// What a row says about its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStatus {
    /// It was not revoked; whether it has ended is another question.
    Valid,
    /// It had ended when `update-db` ran.
    Expired,
    /// It was revoked.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why, if that was said.
        reason: Option<RevocationReason>,
    },
}

impl IndexRow {
    /// The common name inside the subject's notation.
    #[must_use]
    pub fn common_name(&self) -> &str {
        let Some((_, rest)) = self.subject.rsplit_once("/CN=") else {
            return &self.subject;
        };
        let is_end = |(at, _): &(usize, &str)| *at == 0 || rest.as_bytes()[at - 1] != b'\\';
        rest.match_indices('/').find(is_end).map_or(rest, |(end, _)| &rest[..end])
    }

    fn read(row: Row<'_>) -> Option<Self> {
        let (date, reason) = row.revocation.split_once(',').unwrap_or((row.revocation, ""));
        Some(Self {
            status: match row.status {
                Status::Valid => RowStatus::Valid,
                Status::Expired => RowStatus::Expired,
                Status::Revoked => RowStatus::Revoked {
                    at: Timestamp::from_digits(date)?,
                    reason: RevocationReason::from_index(reason),
                },
            },
            serial: Serial::from_hex(row.serial)?,
            not_after: Timestamp::from_digits(row.expiry)?,
            subject: row.subject.to_owned(),
        })
    }
}

impl Authority {
    /// The rows of index.txt in its order.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::Store`].
    pub fn index_rows(&self) -> Result<Vec<IndexRow>, PkiError> {
        self.require_authority()?;
        let index = self.store.read(&layout::index())?.unwrap_or_default();
        Ok(Index::new(&index).rows().filter_map(IndexRow::read).collect())
    }

    /// Whether a certificate with this number was issued.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::Store`].
    pub fn row_of(&self, serial: &Serial) -> Result<Option<IndexRow>, PkiError> {
        self.require_authority()?;
        let line = self.store.index_row(serial)?;
        Ok(line.and_then(|line| Row::parse(&line.text).and_then(IndexRow::read)))
    }

    /// The certificate that a renewal replaced and nobody has revoked: renewed/issued/NAME.crt.
    ///
    /// # Errors
    /// [`PkiError::Certificate`], [`PkiError::Store`].
    pub fn renewed_certificate(&self, name: &FileBase) -> Result<Option<Certificate>, PkiError> {
        let path = layout::renewed_certificate(name);
        if !self.store.exists(&path)? {
            return Ok(None);
        }
        let found = read_certificates(&self.store, &path, |missing| PkiError::NoCertificate { missing })?;
        Ok(found.into_iter().next())
    }

    /// The content of crl.pem, if there is one.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn published_list_file(&self) -> Result<Option<Vec<u8>>, PkiError> {
        Ok(self.store.read(&layout::revocation_list())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &str) -> IndexRow {
        IndexRow {
            status: RowStatus::Valid,
            serial: Serial::from_be_bytes(&[1]),
            not_after: Timestamp::YEAR_2050,
            subject: subject.into(),
        }
    }

    #[test]
    fn common_names_end_where_the_next_attribute_begins() {
        assert_eq!(row("/CN=alice").common_name(), "alice");
        assert_eq!(row("/C=DE/CN=a\\/b/emailAddress=x").common_name(), "a\\/b");
        assert_eq!(row("/O=nobody").common_name(), "/O=nobody");
    }
}
