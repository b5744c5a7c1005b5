//! `expire`, and what easy-rsa asks for before it renews: the generations of a name that lie side by side.

use std::path::PathBuf;

use super::{Authority, read_certificates};
use crate::audit::{Action, Event};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::store::{ChangeSet, PkiPath, layout};
use crate::time::Timestamp;

impl Authority {
    /// Moves issued/NAME.crt to `expired`, so that its request can be signed again. The certificate stays valid until
    /// it ends or is revoked there.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::NoCertificate`]; [`PkiError::NameTaken`] while an older one is there.
    pub fn expire(&self, name: &FileBase, now: Timestamp) -> Result<PathBuf, PkiError> {
        self.require_authority()?;
        let locked = self.store.lock(&self.settings.lock)?;
        let certificate = self.issued_certificate(name)?;
        let target = layout::expired_certificate(name);
        let full_path = self.store.full_path(&target);
        if self.store.exists(&target)? {
            return Err(PkiError::NameTaken { found: full_path });
        }
        let mut changes = ChangeSet::default();
        changes.directory(target.parent());
        changes.move_file(layout::certificate(name), target);
        let (serial, detail) = (certificate.serial().to_string(), certificate.subject_line());
        let event = Event { action: Action::Expire, at: now, serial: &serial, detail: &detail };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(full_path)
    }

    /// Refuses a renewal that easy-rsa refuses: while an older certificate of this name waits to be revoked, or when the
    /// request of this name is not the certificate's.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::NameTaken`], [`PkiError::NoRequest`], [`PkiError::ForeignRequest`].
    pub fn require_renewable_once(&self, name: &FileBase) -> Result<(), PkiError> {
        let certificate = self.issued_certificate(name)?;
        let older = layout::renewed_certificate(name);
        if self.store.exists(&older)? {
            return Err(PkiError::NameTaken { found: self.store.full_path(&older) });
        }
        let request = self.request(name)?;
        let is_same_key = request.public_key_info() == certificate.public_key_info();
        if !is_same_key || request.common_name() != certificate.common_name() {
            return Err(PkiError::ForeignRequest { request: self.store.full_path(&layout::request(name)) });
        }
        Ok(())
    }

    /// The certificate in issued/NAME.crt.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::Certificate`].
    pub fn issued_certificate(&self, name: &FileBase) -> Result<Certificate, PkiError> {
        let path = layout::certificate(name);
        let full_path = self.store.full_path(&path);
        let found = read_certificates(&self.store, &path, |missing| PkiError::NoCertificate { missing })?;
        found.into_iter().next().ok_or(PkiError::NoCertificate { missing: full_path })
    }

    /// Removes the containers and profiles that were made from a certificate; `stays` tells which are made anew anyway.
    pub(super) fn remove_derived(
        &self,
        changes: &mut ChangeSet,
        name: &FileBase,
        stays: impl Fn(&PkiPath) -> bool,
    ) -> Result<(), PkiError> {
        for path in layout::derived_files(name) {
            if !stays(&path) && self.store.exists(&path)? {
                changes.remove(path);
            }
        }
        Ok(())
    }
}
