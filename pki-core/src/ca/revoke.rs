//! `revoke`: the index says so, the files go aside.

use std::path::PathBuf;

use super::{Authority, Context, read_certificates};
use crate::audit::{Action, Event};
use crate::crl::RevocationReason;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::serial::Serial;
use crate::store::index_txt::{Row, Status};
use crate::store::{ChangeSet, PkiPath, layout};
use crate::time::Timestamp;

/// A request to revoke a certificate.
pub struct Revoke {
    /// Name of the files.
    pub name: FileBase,
    /// Which certificate of that name.
    pub generation: Generation,
    /// Why.
    pub reason: Option<RevocationReason>,
}

/// Which of the certificates of one name is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// The one in use: issued/NAME.crt.
    #[default]
    Issued,
    /// The one that `expire` put aside: expired/NAME.crt.
    Expired,
    /// The one that `renew` replaced: renewed/issued/NAME.crt.
    Renewed,
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
    pub fn revocable(&self, name: &FileBase, generation: Generation) -> Result<(Serial, String), PkiError> {
        self.require_authority()?;
        let path = generation.certificate(name);
        let found = read_certificates(&self.store, &path, |missing| PkiError::NoCertificate { missing })?;
        let certificate =
            found.first().ok_or_else(|| PkiError::NoCertificate { missing: self.store.full_path(&path) })?;
        Ok((certificate.serial(), certificate.subject_line()))
    }

    /// Older certificates of this name that wait to be revoked: renewed or expired ones.
    ///
    /// # Errors
    /// [`PkiError::Store`].
    pub fn older_generations(&self, name: &FileBase) -> Result<Vec<Generation>, PkiError> {
        let mut found = Vec::new();
        for generation in [Generation::Expired, Generation::Renewed] {
            if self.store.exists(&generation.certificate(name))? {
                found.push(generation);
            }
        }
        Ok(found)
    }

    /// Marks the certificate revoked and moves its files to `revoked/`; the published list changes with
    /// [`Self::gen_crl`] only. What belongs to another generation of the name stays.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::NotInIndex`], [`PkiError::AlreadyRevoked`]; what the store answers.
    pub fn revoke(&self, request: &Revoke, context: &mut Context<'_>) -> Result<Revoked, PkiError> {
        self.revocable(&request.name, request.generation)?;
        let locked = self.store.lock(&self.settings.lock)?;
        let (serial, subject) = self.revocable(&request.name, request.generation)?;
        let mut changes = ChangeSet::default();
        for directory in layout::revocation_directories() {
            changes.directory(directory);
        }
        self.revise_row(&serial, request.reason, context.now, &mut changes)?;
        let certificate = self.move_aside(&mut changes, request, &serial)?;
        if request.generation == Generation::Issued {
            self.remove_derived(&mut changes, &request.name, |_| false)?;
        }
        let event = Event {
            action: Action::Revoke,
            at: context.now,
            serial: &serial.to_string(),
            detail: &revocation_detail(&subject, request.reason),
        };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(Revoked { serial, subject, certificate, at: context.now })
    }

    /// Answers with the new place of the certificate.
    fn move_aside(
        &self,
        changes: &mut ChangeSet,
        request: &Revoke,
        serial: &Serial,
    ) -> Result<PathBuf, PkiError> {
        let targets = layout::revoked_files(serial);
        let certificate = self.store.full_path(&targets[0]);
        for (from, to) in request.generation.files(&request.name).into_iter().zip(targets) {
            let Some(from) = from else { continue };
            if self.store.exists(&from)? {
                changes.move_file(from, to);
            }
        }
        Ok(certificate)
    }

    /// Marks the row of the index revoked.
    pub(super) fn revise_row(
        &self,
        serial: &Serial,
        reason: Option<RevocationReason>,
        now: Timestamp,
        changes: &mut ChangeSet,
    ) -> Result<(), PkiError> {
        let not_there = || PkiError::NotInIndex { serial: serial.clone() };
        let line = self.store.index_row(serial)?.ok_or_else(not_there)?;
        let row = Row::parse(&line.text).ok_or_else(not_there)?;
        match row.status {
            Status::Revoked => Err(PkiError::AlreadyRevoked { serial: serial.clone() }),
            Status::Valid | Status::Expired => {
                changes.revise_line(layout::index(), line.offset, row.to_string(), row.revoked(now, reason));
                Ok(())
            }
        }
    }
}

impl Generation {
    fn certificate(self, name: &FileBase) -> PkiPath {
        match self {
            Self::Issued => layout::certificate(name),
            Self::Expired => layout::expired_certificate(name),
            Self::Renewed => layout::renewed_certificate(name),
        }
    }

    /// Certificate, key and request that belong to this generation only. easy-rsa 3.1 renewed keys as well.
    fn files(self, name: &FileBase) -> [Option<PkiPath>; 3] {
        let certificate = Some(self.certificate(name));
        match self {
            Self::Issued => [certificate, Some(layout::private_key(name)), Some(layout::request(name))],
            Self::Expired => [certificate, None, None],
            Self::Renewed => {
                let [key, request] = layout::renewed_key_files(name);
                [certificate, Some(key), Some(request)]
            }
        }
    }
}

/// What the audit log says beside the serial number.
pub(super) fn revocation_detail(subject: &str, reason: Option<RevocationReason>) -> String {
    match reason {
        Some(reason) => format!("{subject} {reason}"),
        None => subject.to_owned(),
    }
}
