//! Revoking any generation of a certificate, not only the one in issued/: by the name if that is unambiguous, or by the
//! serial number.

use super::find::{Found, Place};
use super::revoke::revocation_detail;
use super::{Authority, Context, Generation, Revoke, Revoked};
use crate::audit::{Action, Event};
use crate::crl::RevocationReason;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::store::{ChangeSet, PkiPath, layout};
use crate::time::Timestamp;

/// What [`Authority::revoke_found`] would revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocable {
    /// The certificate in issued/NAME.crt, with its key and request.
    Current(FileBase),
    /// Another generation.
    Other(Box<Found>),
}

impl Authority {
    /// Finds the certificate that is meant by a name or a serial number.
    ///
    /// # Errors
    /// [`PkiError::Name`] for what can be neither; otherwise as [`super::PkiReader::find`].
    pub fn find_revocable(&self, wanted: &str, now: Timestamp) -> Result<Revocable, PkiError> {
        self.require_authority()?;
        let name = FileBase::parse(wanted)?;
        if self.has_one_generation(&name)? {
            return Ok(Revocable::Current(name));
        }
        let found = self.reader().find(wanted, now)?;
        Ok(match found.file.as_ref().map(|file| &file.place) {
            Some(Place::Issued(name)) => Revocable::Current(name.clone()),
            Some(
                Place::Renewed(_)
                | Place::RenewedEarlier
                | Place::Expired(_)
                | Place::Revoked
                | Place::BySerial,
            )
            | None => Revocable::Other(Box::new(found)),
        })
    }

    /// Revokes what was found. Files of the certificate in force are not touched for another generation.
    ///
    /// # Errors
    /// As [`Authority::revoke`].
    pub fn revoke_found(
        &self,
        found: Revocable,
        reason: Option<RevocationReason>,
        context: &mut Context<'_>,
    ) -> Result<Revoked, PkiError> {
        match found {
            Revocable::Current(name) => {
                self.revoke(&Revoke { name, generation: Generation::Issued, reason }, context)
            }
            Revocable::Other(found) => self.revoke_generation(&found, reason, context.now),
        }
    }

    /// Without anything put aside, the file of that name is all there is, and nobody needs to read the index for it.
    fn has_one_generation(&self, name: &FileBase) -> Result<bool, PkiError> {
        let is_there = |path: &PkiPath| self.store.exists(path);
        Ok(is_there(&layout::certificate(name))?
            && !is_there(&layout::renewals())?
            && !is_there(&layout::expired_certificate(name))?)
    }

    fn revoke_generation(
        &self,
        found: &Found,
        reason: Option<RevocationReason>,
        now: Timestamp,
    ) -> Result<Revoked, PkiError> {
        let serial = &found.record.serial;
        let locked = self.store.lock(&self.settings.lock)?;
        let mut changes = ChangeSet::default();
        self.revise_row(serial, reason, now, &mut changes)?;
        for directory in layout::revocation_directories() {
            changes.directory(directory);
        }
        let targets = layout::revoked_files(serial);
        let certificate = self.store.full_path(&targets[0]);
        for (from, to) in files_of(found).into_iter().zip(targets) {
            if self.store.exists(&from)? && !self.store.exists(&to)? {
                changes.move_file(from, to);
            }
        }
        let event = Event {
            action: Action::Revoke,
            at: now,
            serial: &serial.to_string(),
            detail: &revocation_detail(&found.record.subject, reason),
        };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        let subject = found.record.subject.clone();
        Ok(Revoked { serial: serial.clone(), subject, certificate, at: now })
    }
}

/// Certificate, key and request of a generation, as far as they are its own.
fn files_of(found: &Found) -> Vec<PkiPath> {
    let Some(file) = &found.file else {
        return Vec::new();
    };
    match &file.place {
        Place::Renewed(name) => {
            let [key, request] = layout::renewed_key_files(name);
            vec![layout::renewed_certificate(name), key, request]
        }
        Place::RenewedEarlier => layout::renewed_by_serial(&found.record.serial).to_vec(),
        Place::Expired(name) => vec![layout::expired_certificate(name)],
        Place::Issued(_) | Place::Revoked | Place::BySerial => Vec::new(),
    }
}
