//! `renew` and `expire`: a new certificate in the place of one that ends, and room for one.

use std::path::PathBuf;

use super::issue::Issued;
use super::issuing::{CertificateForm, SerialNumbers, certificate_text};
use super::{Authority, Context, Warning, read_certificates};
use crate::cert::Certificate;
use crate::cert::build::{Fields, Validity};
use crate::cert::extension::{Extension, oid};
use crate::error::PkiError;
use crate::key::Digest;
use crate::name::FileBase;
use crate::store::index_txt::issued_row;
use crate::store::{ChangeSet, FileMode, layout};

/// A request to renew issued/NAME.crt with the same key.
pub struct Renew {
    /// Name of the files.
    pub name: FileBase,
    /// Digest of the signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// When the new certificate is valid.
    pub validity: Validity,
    /// How it is numbered.
    pub serial_numbers: SerialNumbers,
    /// How the files look.
    pub form: CertificateForm,
}

impl Authority {
    /// The certificate that [`Self::renew`] would replace.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::NoCertificate`], [`PkiError::Certificate`]; [`PkiError::NameTaken`] while
    /// an older certificate of this name waits to be revoked; [`PkiError::ForeignRequest`] if the request is not the
    /// certificate's.
    pub fn renewable(&self, name: &FileBase) -> Result<Certificate, PkiError> {
        self.require_authority()?;
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
        Ok(certificate)
    }

    /// Issues the certificate again: same key, subject and extensions, new number and dates. The old one goes to
    /// `renewed/issued` and stays valid until it is revoked there.
    ///
    /// # Errors
    /// What [`Self::renewable`] answers; [`PkiError::ClockSetBack`]; what unlocking the CA key, signing and the store
    /// answer.
    pub fn renew(&self, renew: &Renew, context: &mut Context<'_>) -> Result<Issued, PkiError> {
        self.renewable(&renew.name)?;
        let signing = self.unlock(renew.digest, context)?;

        let locked = self.store.lock(&self.settings.lock)?;
        let old = self.renewable(&renew.name)?;
        let serial = self.next_serial(renew.serial_numbers, context.random)?;
        let authority_key = self.settings.profile.authority_key_identifier(&signing.certificate);
        let fields = Fields {
            serial: &serial,
            issuer: signing.certificate.subject_der(),
            subject: old.subject_der(),
            validity: renew.validity,
            public_key_info: old.public_key_info(),
            extensions: &with_authority_key(&old, authority_key),
        };
        let certificate = fields.sign(&signing.key)?;

        let path = layout::certificate(&renew.name);
        let old_text = self.store.read(&path)?.unwrap_or_default();
        let text = certificate_text(&certificate, renew.form);
        let mut changes = ChangeSet::default();
        layout::renewal_directories().into_iter().for_each(|directory| changes.directory(directory));
        let row = issued_row(certificate.not_after(), &serial, &certificate.subject_line());
        changes.replace(layout::serial(), FileMode::Private, format!("{}\n", serial.successor()));
        changes.append_line(layout::index(), row);
        changes.create(layout::certificate_by_serial(&serial), FileMode::Private, text.as_bytes());
        changes.create(layout::renewed_certificate(&renew.name), FileMode::Private, old_text);
        changes.replace(path, FileMode::Private, text);
        self.allow_two_valid_rows(&mut changes)?;
        self.remove_derived(&mut changes, &renew.name)?;
        let mut warnings = signing.warnings.clone();
        warnings.extend(self.record_inline(&mut changes, &renew.name, &certificate, None, renew.form)?);
        let authority_ends = signing.certificate.not_after();
        if certificate.not_after() > authority_ends {
            warnings.push(Warning::OutlivesAuthority { authority_ends });
        }
        locked.commit(changes)?;
        Ok(self.issued(&renew.name, &certificate, warnings))
    }

    /// Moves issued/NAME.crt to `expired`, so that its request can be signed again. The certificate stays valid until
    /// it ends or is revoked there.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::NoCertificate`]; [`PkiError::NameTaken`] while an older one is there.
    pub fn expire(&self, name: &FileBase) -> Result<PathBuf, PkiError> {
        self.require_authority()?;
        let locked = self.store.lock(&self.settings.lock)?;
        self.issued_certificate(name)?;
        let target = layout::expired_certificate(name);
        let full_path = self.store.full_path(&target);
        if self.store.exists(&target)? {
            return Err(PkiError::NameTaken { found: full_path });
        }
        let mut changes = ChangeSet::default();
        changes.directory(layout::expired_directory());
        changes.move_file(layout::certificate(name), target);
        locked.commit(changes)?;
        Ok(full_path)
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

    /// Removes the containers and profiles that were made from a certificate.
    pub(super) fn remove_derived(&self, changes: &mut ChangeSet, name: &FileBase) -> Result<(), PkiError> {
        for path in layout::derived_files(name) {
            if self.store.exists(&path)? {
                changes.remove(path);
            }
        }
        Ok(())
    }

    /// index.txt.attr must not forbid what a renewal is: two valid certificates of one subject.
    fn allow_two_valid_rows(&self, changes: &mut ChangeSet) -> Result<(), PkiError> {
        let attributes = self.store.read(&layout::index_attributes())?.unwrap_or_default();
        if crate::store::index_txt::demands_unique_subjects(&attributes) {
            changes.replace(layout::index_attributes(), FileMode::Private, "unique_subject = no\n");
        }
        Ok(())
    }
}

/// Every extension of a certificate, pointing to the key that signs its successor.
fn with_authority_key(old: &Certificate, authority_key: Extension) -> Vec<Extension> {
    let same = |(kind, is_critical, value): (&[u8], bool, &[u8])| {
        if kind == oid::AUTHORITY_KEY_IDENTIFIER.as_bytes() {
            return Some(authority_key.clone());
        }
        let oid = der::oid::ObjectIdentifier::from_bytes(kind).ok()?;
        Some(Extension::new(oid, value.to_vec()).critical(is_critical))
    };
    old.extension_values().into_iter().filter_map(same).collect()
}
