//! Finding one certificate by name or serial number, whichever generation it is and wherever its file lies.
//!
//! A name means its only certificate in force; with several in force, or none and several others, it is ambiguous, and the
//! answer lists them. A serial number means that certificate.

use super::PkiReader;
use super::records::{Record, RecordState, Records};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::serial::Serial;
use crate::store::{PkiPath, layout};
use crate::time::Timestamp;

/// A certificate that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the index says about it.
    pub record: Record,
    /// Its file, if it still exists.
    pub file: Option<FoundFile>,
}

/// Where the file of a certificate lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Which part of the directory it lies in.
    pub place: Place,
    /// The path of the file.
    pub path: std::path::PathBuf,
    /// The certificate.
    pub certificate: Certificate,
}

/// The part of the directory that a certificate file lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// issued/NAME.crt.
    Issued(FileBase),
    /// renewed/issued/NAME.crt: replaced by a renewal.
    Renewed(FileBase),
    /// renewed/certs_by_serial/SERIAL.crt: replaced by a renewal that has been replaced itself.
    RenewedEarlier,
    /// expired/NAME.crt: put aside by `expire`.
    Expired(FileBase),
    /// revoked/certs_by_serial/SERIAL.crt.
    Revoked,
    /// certs_by_serial/SERIAL.pem only.
    BySerial,
}

impl PkiReader<'_> {
    /// Finds the certificate that is meant by a name or a serial number.
    ///
    /// # Errors
    /// [`PkiError::NoSuchCertificate`], [`PkiError::AmbiguousName`]; what reading the index answers.
    pub fn find(&self, wanted: &str, now: Timestamp) -> Result<Found, PkiError> {
        let records = self.records()?;
        let named = self.generations(&records, wanted)?;
        let record = match (only_one(&named, now), Serial::from_hex(wanted)) {
            (Some(record), _) => record,
            (None, Some(serial)) if named.is_empty() => records
                .records
                .iter()
                .find(|record| record.serial == serial)
                .ok_or_else(|| PkiError::NoSuchCertificate { wanted: wanted.to_owned() })?,
            (None, _) if named.is_empty() => {
                return Err(PkiError::NoSuchCertificate { wanted: wanted.to_owned() });
            }
            (None, _) => return Err(ambiguous(wanted, &named, now)),
        };
        Ok(Found { record: record.clone(), file: self.file_of(record)? })
    }

    /// The file of a certificate, read and compared by its serial number.
    ///
    /// # Errors
    /// [`PkiError::Store`]; a file that cannot be read as a certificate counts as none.
    pub fn file_of(&self, record: &Record) -> Result<Option<FoundFile>, PkiError> {
        for (path, place) in places(record) {
            let Some(text) = self.store().read(&path)? else {
                continue;
            };
            let certificate = Certificate::from_pem(&text).ok();
            if let Some(certificate) = certificate.filter(|found| found.serial() == record.serial) {
                return Ok(Some(FoundFile { place, path: self.store().full_path(&path), certificate }));
            }
        }
        Ok(None)
    }

    /// Every generation of a name: rows with this common name, and the row of the file of that name.
    pub(super) fn generations<'r>(
        &self,
        records: &'r Records,
        name: &str,
    ) -> Result<Vec<&'r Record>, PkiError> {
        let in_file = match FileBase::parse(name) {
            Ok(base) => self.store().read(&layout::certificate(&base))?,
            Err(_) => None,
        };
        let in_file = in_file.and_then(|text| Certificate::from_pem(&text).ok()).map(|found| found.serial());
        let is_meant =
            |record: &&Record| record.common_name == name || in_file.as_ref() == Some(&record.serial);
        Ok(records.records.iter().filter(is_meant).collect())
    }
}

/// The one in force, or else the only one.
fn only_one<'r>(named: &[&'r Record], now: Timestamp) -> Option<&'r Record> {
    let mut in_force = named.iter().filter(|record| record.state(now) == RecordState::Valid);
    match (in_force.next(), in_force.next(), named) {
        (Some(record), None, _) | (None, _, [record]) => Some(record),
        _ => None,
    }
}

fn ambiguous(name: &str, named: &[&Record], now: Timestamp) -> PkiError {
    let candidate = |record: &&Record| {
        format!("{} ({}, until {})", record.serial, record.state(now).as_str(), record.not_after)
    };
    PkiError::AmbiguousName { name: name.to_owned(), candidates: named.iter().map(candidate).collect() }
}

fn places(record: &Record) -> Vec<(PkiPath, Place)> {
    let mut places = Vec::with_capacity(6);
    if let Ok(name) = FileBase::parse(&record.common_name) {
        places.push((layout::certificate(&name), Place::Issued(name.clone())));
        places.push((layout::renewed_certificate(&name), Place::Renewed(name.clone())));
        places.push((layout::expired_certificate(&name), Place::Expired(name)));
    }
    let [renewed_earlier, ..] = layout::renewed_by_serial(&record.serial);
    places.push((renewed_earlier, Place::RenewedEarlier));
    places.push((layout::revoked_certificate(&record.serial), Place::Revoked));
    places.push((layout::certificate_by_serial(&record.serial), Place::BySerial));
    places
}
