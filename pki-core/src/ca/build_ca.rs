//! `build-ca`: the authority's key and self-signed certificate.

use std::path::PathBuf;

use super::issue::draw_serial;
use super::{Authority, Context, SerialNumbers};
use crate::audit::{Action, Event};
use crate::cert::build::{Root, Validity};
use crate::cert::extension::PathLength;
use crate::cert::profile::SubjectKey;
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::{Digest, KeyAlgorithm, Protection, SigningKey, generate};
use crate::serial::Serial;
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

/// A request for a new authority.
pub struct BuildCa {
    /// Its name.
    pub subject: Subject,
    /// Kind of key.
    pub algorithm: KeyAlgorithm,
    /// Digest of its signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// Protection of the key file.
    pub protection: Protection,
    /// Days of validity.
    pub days: u32,
}

/// A new authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltCa {
    /// ca.crt.
    pub certificate: PathBuf,
    /// private/ca.key.
    pub key: PathBuf,
    /// Serial number of the certificate.
    pub serial: Serial,
    /// Last second of validity.
    pub not_after: Timestamp,
}

impl Authority {
    /// Refuses if the PKI already has an authority or a key that could be one's.
    ///
    /// # Errors
    /// [`PkiError::AuthorityExists`].
    pub fn require_no_authority(&self) -> Result<(), PkiError> {
        for path in [layout::authority_certificate(), layout::authority_key()] {
            if self.store.exists(&path)? {
                return Err(PkiError::AuthorityExists { found: self.store.full_path(&path) });
            }
        }
        Ok(())
    }

    /// Makes the key and certificate of the authority.
    ///
    /// # Errors
    /// [`PkiError::AuthorityExists`]; what key generation, signing and the store answer.
    pub fn build_ca(&self, request: &BuildCa, context: &mut Context<'_>) -> Result<BuiltCa, PkiError> {
        self.require_no_authority()?;
        let validity = Validity::days_from(context.now, request.days)?;
        let key = generate(request.algorithm, context.random)?;
        let key_text = key.to_pem(&request.protection, context.random)?;
        let serial = draw_serial(SerialNumbers::Random159, context.random)?;
        let root = Root {
            path_length: PathLength::Unlimited,
            key: SubjectKey { algorithm: key.algorithm(), public_key_info: key.public_key_info() },
            subject: &request.subject,
            validity,
            serial: &serial,
        };
        let digest = self.settings.profile.digest(request.digest, key.algorithm());
        let certificate = root.sign(self.settings.profile, &SigningKey::new(&key, digest)?)?;

        let locked = self.store.lock(&self.settings.lock)?;
        self.require_no_authority()?;
        let mut changes = ChangeSet::default();
        for directory in layout::authority_directories() {
            changes.directory(directory);
        }
        changes.create_secret(layout::authority_key(), &key_text);
        changes.replace(layout::index(), FileMode::Private, "");
        changes.replace(layout::index_attributes(), FileMode::Private, "unique_subject = no\n");
        changes.replace(layout::serial(), FileMode::Private, "01\n");
        changes.create(layout::authority_certificate(), FileMode::Public, certificate.to_pem());
        let event = Event {
            action: Action::BuildCa,
            at: context.now,
            serial: &serial.to_string(),
            detail: &certificate.subject_line(),
        };
        self.record(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(BuiltCa {
            certificate: self.store.full_path(&layout::authority_certificate()),
            key: self.store.full_path(&layout::authority_key()),
            serial,
            not_after: validity.not_after(),
        })
    }
}
