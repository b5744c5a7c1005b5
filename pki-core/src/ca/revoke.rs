//! `revoke`: the index says so, the files go aside.

use std::path::PathBuf;

use super::{Authority, Context, read_certificates};
use crate::audit::{Action, Event};
use crate::crl::RevocationReason;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::serial::Serial;
use crate::store::index_txt::{Index, Status};
use crate::store::{ChangeSet, layout};
use crate::time::Timestamp;

/// A request to revoke the certificate in issued/NAME.crt.
pub struct Revoke {
    /// Name of the files.
    pub name: FileBase,
    /// Why.
    pub reason: Option<RevocationReason>,
}

/// A revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Serial,
    /// Its subject in index.txt's notation.
    pub subject: String,
    /// Where the certificate file went.
    pub certificate: PathBuf,
    /// When.
    pub at: Timestamp,
}

impl Authority {
    /// The serial number and subject of the certificate that [`Self::revoke`] would revoke.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::NoCertificate`], [`PkiError::Certificate`].
    pub fn revocable(&self, name: &FileBase) -> Result<(Serial, String), PkiError> {
        self.require_authority()?;
        let path = layout::certificate(name);
        let found = read_certificates(&self.store, &path, |missing| PkiError::NoCertificate { missing })?;
        let certificate =
            found.first().ok_or_else(|| PkiError::NoCertificate { missing: self.store.full_path(&path) })?;
        Ok((certificate.serial(), certificate.subject_line()))
    }

    /// Marks the certificate revoked and moves its files to `revoked/`; the published list changes with
    /// [`Self::gen_crl`] only.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::NotInIndex`], [`PkiError::AlreadyRevoked`]; what the store answers.
    pub fn revoke(&self, request: &Revoke, context: &mut Context<'_>) -> Result<Revoked, PkiError> {
        self.revocable(&request.name)?;
        let locked = self.store.lock(&self.settings.lock)?;
        let (serial, subject) = self.revocable(&request.name)?;
        let mut changes = ChangeSet::default();
        for directory in layout::revocation_directories() {
            changes.directory(directory);
        }
        let (old, new) = self.revised_row(&serial, request.reason, context.now)?;
        changes.revise_line(layout::index(), old, new);
        let moves = layout::revocation_moves(&request.name, &serial);
        let certificate = self.store.full_path(&moves[0].1);
        for (from, to) in moves {
            if self.store.exists(&from)? {
                changes.move_file(from, to);
            }
        }
        for path in layout::derived_files(&request.name) {
            if self.store.exists(&path)? {
                changes.remove(path);
            }
        }
        let event = Event {
            action: Action::Revoke,
            at: context.now,
            serial: &serial.to_string(),
            detail: &revocation_detail(&subject, request.reason),
        };
        self.record(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(Revoked { serial, subject, certificate, at: context.now })
    }

    pub(super) fn revised_row(
        &self,
        serial: &Serial,
        reason: Option<RevocationReason>,
        now: Timestamp,
    ) -> Result<(String, String), PkiError> {
        let revise = |index: &[u8]| {
            let row = Index::new(index).row_of(serial)?;
            Some(match row.status {
                Status::Revoked => Err(PkiError::AlreadyRevoked { serial: serial.clone() }),
                Status::Valid | Status::Expired => Ok((row.to_string(), row.revoked(now, reason))),
            })
        };
        // What is revoked was often issued lately: a large index is read as a whole only if it was not.
        let recent = self.store.read_end(&layout::index(), RECENT_ROWS)?.unwrap_or_default();
        if let Some(revised) = revise(&recent) {
            return revised;
        }
        let index = self.store.read(&layout::index())?.unwrap_or_default();
        revise(&index).unwrap_or_else(|| Err(PkiError::NotInIndex { serial: serial.clone() }))
    }
}

/// What the audit log says beside the serial number.
pub(super) fn revocation_detail(subject: &str, reason: Option<RevocationReason>) -> String {
    match reason {
        Some(reason) => format!("{subject} {reason}"),
        None => subject.to_owned(),
    }
}

/// Octets at the end of index.txt that are looked at first.
const RECENT_ROWS: usize = 32 << 10;
