//! Roll-over: a new key, or a longer life, for the authority, while everything that it has issued goes on working.
//!
//! The name stays, so that one revocation list covers both keys (RFC 5280 section 6.3.3). Afterwards ca.crt holds the new
//! root, and the old key certified by it under the old number: whoever trusts that file accepts certificates of both
//! keys. ca-cross.crt holds the new key certified by the old one, for a server to send to clients that know only the old
//! root. The old root and its key lie in ca-history/.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::issuing::draw_serial;
use super::token_key::AcquiredKey;
use super::{
    Authority, Context, KeyPlace, PkiReader, Record, RecordState, SerialNumbers, WantedTokenKey, Warning,
};
use crate::audit::{Action, Event};
use crate::cert::Certificate;
use crate::cert::build::Validity;
use crate::cert::successor::Successor;
use crate::error::PkiError;
use crate::key::{CaSigner, Digest, KeyAlgorithm, Protection, SigningKey, generate};
use crate::serial::Serial;
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

/// A request for the next generation of the authority.
pub struct RollOver {
    /// Which key it has.
    pub key: AuthorityKey,
    /// Days of validity.
    pub days: u32,
    /// Digest of its signatures; by default what the profile says.
    pub digest: Option<Digest>,
}

/// The key of the next generation.
pub enum AuthorityKey {
    /// The same: only the dates and the number change, and nothing has to be distributed in a hurry.
    Same,
    /// A new one.
    New {
        /// Kind of key.
        algorithm: KeyAlgorithm,
        /// Protection of the key file.
        protection: Protection,
    },
    /// One in a token.
    InToken(WantedTokenKey),
}

/// The next generation of the authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledOver {
    /// ca.crt.
    pub bundle: PathBuf,
    /// ca-cross.crt, if there is a new key.
    pub cross: Option<PathBuf>,
    /// Serial number of the new root.
    pub serial: Serial,
    /// Its last second.
    pub not_after: Timestamp,
    /// What should not stay as it is.
    pub warnings: Vec<Warning>,
}

/// One certificate of ca.crt, and what depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityGeneration {
    /// The certificate.
    pub certificate: Certificate,
    /// Whether it is the one that signs.
    pub is_current: bool,
    /// Certificates in force that its key has signed.
    pub dependents: Vec<Record>,
}

/// The authority's generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityStatus {
    /// Where the directory says that the key of the current one is; nothing for an authority whose key is elsewhere.
    pub key: Option<KeyPlace>,
    /// The current one first.
    pub generations: Vec<AuthorityGeneration>,
    /// Certificates in force whose file is gone, so that nothing tells who has signed them.
    pub unknown: Vec<Record>,
}

impl Authority {
    /// Gives the authority its next generation.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`]; what unlocking the CA key, key generation, signing and the store answer.
    pub fn roll_over(&self, request: &RollOver, context: &mut Context<'_>) -> Result<RolledOver, PkiError> {
        let signing = self.unlock(request.digest, context)?;
        let next = Next {
            old: &signing.certificate,
            old_key: &*signing.key,
            serial: draw_serial(SerialNumbers::Random159, context.random)?,
            validity: Validity::days_from(context.now, request.days)?,
        };
        let mut changes = ChangeSet::default();
        let certificate = match &request.key {
            AuthorityKey::Same => {
                let certificate = next.with_same_key(&mut changes)?;
                self.write_generation(&next, &certificate, changes, context)?;
                certificate
            }
            AuthorityKey::New { algorithm, protection } => {
                let key = generate(*algorithm, context.random)?;
                let digest = self.settings.profile.digest(request.digest, *algorithm);
                self.move_key_to_file(&key.to_pem(protection, context.random)?, &mut changes)?;
                let certificate = next.with_new_key(&SigningKey::new(&key, digest)?, &mut changes)?;
                self.write_generation(&next, &certificate, changes, context)?;
                certificate
            }
            AuthorityKey::InToken(wanted) => {
                let key = self.acquire(wanted, request.digest, context)?;
                let made = self.roll_over_to(wanted, &key, &next, changes, context);
                key.conclude(made)?
            }
        };
        let has_new_key = certificate.public_key_info() != signing.certificate.public_key_info();
        Ok(RolledOver {
            bundle: self.store.full_path(&layout::authority_certificate()),
            cross: has_new_key.then(|| self.store.full_path(&layout::cross_certificate())),
            serial: certificate.serial(),
            not_after: certificate.not_after(),
            warnings: signing.warnings,
        })
    }

    fn roll_over_to(
        &self,
        wanted: &WantedTokenKey,
        key: &AcquiredKey,
        next: &Next<'_>,
        mut changes: ChangeSet,
        context: &Context<'_>,
    ) -> Result<Certificate, PkiError> {
        if key.signer.public_key_info() == next.old.public_key_info() {
            return Err(PkiError::SameTokenKey);
        }
        self.move_key_to_token(&wanted.uri, &mut changes)?;
        let certificate = next.with_new_key(&key.signer, &mut changes)?;
        self.write_generation(next, &certificate, changes, context)?;
        Ok(certificate)
    }

    fn write_generation(
        &self,
        next: &Next<'_>,
        certificate: &Certificate,
        mut changes: ChangeSet,
        context: &Context<'_>,
    ) -> Result<(), PkiError> {
        self.keep_history(next.old, &mut changes)?;
        let locked = self.store.lock(&self.settings.lock)?;
        if self.authority_certificate()? != *next.old {
            // Somebody else has rolled the authority over in the meantime.
            return Err(PkiError::ForeignAuthorityKey { key: self.key_place()?.to_string().into() });
        }
        let (number, detail) = (certificate.serial().to_string(), certificate.subject_line());
        let event = Event { action: Action::RollOver, at: context.now, serial: &number, detail: &detail };
        self.log(&[event], &mut changes)?;
        Ok(locked.commit(changes)?)
    }

    fn keep_history(&self, old: &Certificate, changes: &mut ChangeSet) -> Result<(), PkiError> {
        let [certificate, key] = layout::authority_history(&old.serial());
        changes.directory(certificate.parent());
        changes.replace(certificate, FileMode::Private, old.to_pem());
        match self.key_place()? {
            KeyPlace::Token(uri) => {
                let place = layout::authority_token_history(&old.serial());
                changes.replace(place, FileMode::Private, format!("{uri}\n"));
            }
            KeyPlace::File(_) => {
                if let Some(text) = self.store.read(&layout::authority_key())? {
                    changes.replace_secret(key, Zeroizing::new(text));
                }
            }
        }
        Ok(())
    }
}

/// The next generation on its way.
struct Next<'a> {
    old: &'a Certificate,
    old_key: &'a dyn CaSigner,
    serial: Serial,
    validity: Validity,
}

impl Next<'_> {
    fn with_same_key(&self, changes: &mut ChangeSet) -> Result<Certificate, PkiError> {
        let certificate = self.root(self.old_key)?;
        changes.replace(layout::authority_certificate(), FileMode::Public, certificate.to_pem());
        Ok(certificate)
    }

    fn with_new_key(&self, key: &dyn CaSigner, changes: &mut ChangeSet) -> Result<Certificate, PkiError> {
        let certificate = self.root(key)?;
        cross_certify(self.old, &certificate, self.old_key, key, changes)?;
        Ok(certificate)
    }

    fn root(&self, key: &dyn CaSigner) -> Result<Certificate, PkiError> {
        let root = Successor {
            of: self.old,
            public_key_info: key.public_key_info(),
            validity: self.validity,
            serial: &self.serial,
        };
        Ok(root.sign_itself(key)?)
    }
}

/// Each key certifies the other, within the life of the old root.
fn cross_certify(
    old: &Certificate,
    new: &Certificate,
    old_key: &dyn CaSigner,
    new_key: &dyn CaSigner,
    changes: &mut ChangeSet,
) -> Result<(), PkiError> {
    let until_old_ends = Validity::between(new.not_before(), old.not_after())?;
    // The old number: authority key identifiers of easy-rsa's certificates name it.
    let old_serial = old.serial();
    let old_by_new = Successor {
        of: old,
        public_key_info: old.public_key_info(),
        validity: Validity::between(old.not_before(), old.not_after())?,
        serial: &old_serial,
    };
    let new_serial = new.serial();
    let new_by_old = Successor {
        of: new,
        public_key_info: new.public_key_info(),
        validity: until_old_ends,
        serial: &new_serial,
    };
    let bundle = new.to_pem() + &old_by_new.sign(new, new_key)?.to_pem();
    changes.replace(layout::authority_certificate(), FileMode::Public, bundle);
    let cross = new_by_old.sign(old, old_key)?.to_pem();
    changes.replace(layout::cross_certificate(), FileMode::Public, cross);
    Ok(())
}

impl PkiReader<'_> {
    /// Which certificates in force depend on which generation of the authority.
    ///
    /// # Errors
    /// What reading ca.crt and the index answers.
    pub fn authority_status(&self, now: Timestamp) -> Result<AuthorityStatus, PkiError> {
        let generation = |(position, certificate): (usize, Certificate)| AuthorityGeneration {
            certificate,
            is_current: position == 0,
            dependents: Vec::new(),
        };
        let mut generations: Vec<AuthorityGeneration> =
            self.authority()?.into_iter().enumerate().map(generation).collect();
        let mut unknown = Vec::new();
        let in_force = |record: &Record| record.state(now) == RecordState::Valid;
        for record in self.records()?.records.into_iter().filter(in_force) {
            let file = self.file_of(&record)?;
            let signer = file.and_then(|file| {
                generations
                    .iter_mut()
                    .find(|generation| file.certificate.verify_signed_by(&generation.certificate).is_ok())
            });
            match signer {
                Some(generation) => generation.dependents.push(record),
                None => unknown.push(record),
            }
        }
        let key = match self.key_place() {
            Ok(place) => Some(place),
            Err(PkiError::NoAuthority { .. }) => None,
            Err(other) => return Err(other),
        };
        Ok(AuthorityStatus { key, generations, unknown })
    }
}
