//! The next generation of a certificate (`postern renew`): everything that the last one said, both in force side by side.
//!
//! The old certificate stays valid until it expires or is revoked. Its file goes where easy-rsa puts it, to
//! renewed/issued/; what lay there before goes to renewed/certs_by_serial/, so that every generation keeps a file.

use zeroize::Zeroizing;

use super::issuing::{CertificateForm, SerialNumbers};
use super::{Authority, Context, Issued, Warning, read_certificates};
use crate::audit::{Action, Event};
use crate::cert::Certificate;
use crate::cert::build::Validity;
use crate::cert::csr::Request;
use crate::cert::successor::Successor;
use crate::error::PkiError;
use crate::key::{Digest, KeyAlgorithm, KeyError, Protection, SigningKey, generate};
use crate::name::FileBase;
use crate::serial::Serial;
use crate::store::index_txt::{Row, Status, demands_unique_subjects};
use crate::store::{ChangeSet, FileMode, PkiPath, layout};

/// A request to renew the certificate in issued/NAME.crt.
pub struct NextGeneration {
    /// Name of the files.
    pub name: FileBase,
    /// Which key it certifies.
    pub key: RenewedKey,
    /// Digest of the signatures; by default what the profile says.
    pub digest: Option<Digest>,
    /// When it is valid.
    pub validity: Validity,
    /// How it is numbered.
    pub serial_numbers: SerialNumbers,
    /// How the files look.
    pub form: CertificateForm,
}

/// The key of a renewed certificate.
pub enum RenewedKey {
    /// The same; its private half is not needed.
    Same,
    /// A new one.
    New {
        /// Kind of key; by default that of the old one.
        algorithm: Option<KeyAlgorithm>,
        /// Protection of the key file.
        protection: Protection,
    },
}

/// A renewed certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The new certificate.
    pub issued: Issued,
    /// Serial number of the one before, which stays in force.
    pub predecessor: Serial,
}

/// A new key with its files; nothing for the same key.
struct NewKey {
    public_key_info: Vec<u8>,
    text: Zeroizing<String>,
    request: String,
}

impl Authority {
    /// Issues the next generation of a certificate.
    ///
    /// # Errors
    /// [`PkiError::NoCertificate`], [`PkiError::NotInIndex`], [`PkiError::AlreadyRevoked`], [`PkiError::ClockSetBack`];
    /// what unlocking the CA key, key generation, signing and the store answer.
    pub fn next_generation(
        &self,
        request: &NextGeneration,
        context: &mut Context<'_>,
    ) -> Result<Renewed, PkiError> {
        self.current_generation(&request.name)?;
        let signing = self.unlock(request.digest, context)?;
        let locked = self.store.lock(&self.settings.lock)?;
        let old = self.current_generation(&request.name)?;
        let new_key = self.new_key(request, &old, context)?;
        let serial = self.next_serial(request.serial_numbers, context.random)?;
        let successor = Successor {
            of: &old,
            public_key_info: new_key.as_ref().map_or(old.public_key_info(), |key| &key.public_key_info),
            validity: request.validity,
            serial: &serial,
        };
        let certificate = successor.sign(&signing.certificate, &*signing.key)?;
        let mut changes = ChangeSet::default();
        self.put_aside(&request.name, &old, new_key.is_some(), &mut changes)?;
        let warnings = self.put_in_place(request, &certificate, new_key, &mut changes)?;
        let event = Event {
            action: Action::Renew,
            at: context.now,
            serial: &serial.to_string(),
            detail: &format!("{} after {}", old.subject_line(), old.serial()),
        };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        let mut issued = self.described(&request.name, &certificate, &signing);
        issued.warnings.extend(warnings);
        Ok(Renewed { issued, predecessor: old.serial() })
    }

    /// The certificate that would be renewed.
    ///
    /// # Errors
    /// As [`Self::next_generation`].
    pub fn current_generation(&self, name: &FileBase) -> Result<Certificate, PkiError> {
        self.require_authority()?;
        let path = layout::certificate(name);
        let found = read_certificates(&self.store, &path, |missing| PkiError::NoCertificate { missing })?;
        let certificate = found
            .into_iter()
            .next()
            .ok_or_else(|| PkiError::NoCertificate { missing: self.store.full_path(&path) })?;
        let serial = certificate.serial();
        let line = self.store.index_row(&serial)?;
        match line.and_then(|line| Row::parse(&line.text).map(|row| row.status)) {
            None => Err(PkiError::NotInIndex { serial }),
            Some(Status::Revoked) => Err(PkiError::AlreadyRevoked { serial }),
            Some(Status::Valid | Status::Expired) => Ok(certificate),
        }
    }

    fn new_key(
        &self,
        request: &NextGeneration,
        old: &Certificate,
        context: &mut Context<'_>,
    ) -> Result<Option<NewKey>, PkiError> {
        let RenewedKey::New { algorithm, protection } = &request.key else {
            return Ok(None);
        };
        let foreign = || KeyError::UnsupportedAlgorithm { algorithm: old.public_key_kind().to_string() };
        let algorithm = algorithm.or_else(|| old.key_algorithm()).ok_or_else(foreign)?;
        let key = generate(algorithm, context.random)?;
        let digest = self.settings.profile.digest(request.digest, algorithm);
        let signed = Request::sign(old.subject_der(), &[], &SigningKey::new(&key, digest)?)?;
        Ok(Some(NewKey {
            public_key_info: key.public_key_info().to_vec(),
            text: key.to_pem(protection, context.random)?,
            request: signed.to_pem(),
        }))
    }

    /// Copies instead of moves: a step of a change must not depend on whether another one has happened.
    fn put_aside(
        &self,
        name: &FileBase,
        old: &Certificate,
        with_key: bool,
        changes: &mut ChangeSet,
    ) -> Result<(), PkiError> {
        for directory in layout::renewal_directories() {
            changes.directory(directory);
        }
        self.put_further_aside(name, changes)?;
        let text = self.store.read(&layout::certificate(name))?.unwrap_or_else(|| old.to_pem().into());
        changes.replace(layout::renewed_certificate(name), FileMode::Private, text);
        let current = [layout::private_key(name), layout::request(name)];
        for (from, to) in current.iter().zip(layout::renewed_key_files(name)) {
            if with_key {
                changes.directory(to.parent());
                self.copy_secret(from, to, changes)?;
            } else if self.store.exists(&to)? {
                // It belongs to an earlier generation and has been put further aside.
                changes.remove(to);
            }
        }
        Ok(())
    }

    /// What an earlier renewal has put aside makes room and stays reachable by its serial number.
    fn put_further_aside(&self, name: &FileBase, changes: &mut ChangeSet) -> Result<(), PkiError> {
        let Some(text) = self.store.read(&layout::renewed_certificate(name))? else {
            return Ok(());
        };
        let Ok(earlier) = Certificate::from_pem(&text) else {
            return Ok(());
        };
        let [certificate, key, request] = layout::renewed_by_serial(&earlier.serial());
        let [earlier_key, earlier_request] = layout::renewed_key_files(name);
        changes.directory(certificate.parent());
        changes.replace(certificate, FileMode::Private, text);
        for (from, to) in [(earlier_key, key), (earlier_request, request)] {
            if self.store.exists(&from)? {
                changes.directory(to.parent());
                self.copy_secret(&from, to, changes)?;
            }
        }
        Ok(())
    }

    fn copy_secret(&self, from: &PkiPath, to: PkiPath, changes: &mut ChangeSet) -> Result<(), PkiError> {
        if let Some(content) = self.store.read(from)? {
            changes.replace_secret(to, Zeroizing::new(content));
        }
        Ok(())
    }

    fn put_in_place(
        &self,
        request: &NextGeneration,
        certificate: &Certificate,
        new_key: Option<NewKey>,
        changes: &mut ChangeSet,
    ) -> Result<Vec<Warning>, PkiError> {
        let name = &request.name;
        let attributes = self.store.read(&layout::index_attributes())?.unwrap_or_default();
        if demands_unique_subjects(&attributes) {
            // Two certificates in force for one subject are what a renewal is about; easy-rsa does the same here.
            changes.replace(layout::index_attributes(), FileMode::Private, "unique_subject = no\n");
        }
        self.add_next_serial(certificate, changes);
        let text = self.add_certificate(certificate, request.form, changes);
        let inline = [layout::private_inline(name), layout::public_inline(name)];
        self.remove_derived(changes, name, |path| request.form.inline && inline.contains(path))?;
        let key_text = new_key.as_ref().map(|key| key.text.as_str());
        let warnings = self.add_inline(name, certificate, key_text, request.form, changes)?;
        if let Some(key) = new_key {
            changes.replace_secret(layout::private_key(name), Zeroizing::new(key.text.as_bytes().to_vec()));
            changes.replace(layout::request(name), FileMode::Private, key.request);
        }
        changes.replace(layout::certificate(name), FileMode::Private, text);
        Ok(warnings)
    }
}
