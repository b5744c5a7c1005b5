//! `build-ca`: the authority's key, and its certificate or the request for one.

use std::path::PathBuf;

use super::gen_req::{NewKey, Prepared};
use super::issuing::draw_serial;
use super::{Authority, Context, SerialNumbers};
use crate::audit::{Action, Event};
use crate::cert::build::{Fields, Validity};
use crate::cert::extension::PathLength;
use crate::cert::terms::Terms;
use crate::cert::{CertificateKind, Customisation};
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::{Digest, KeyAlgorithm, Protection, SigningKey, generate};
use crate::name::CommonName;
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
    /// Extensions beyond those of every authority.
    pub customisation: Customisation,
}

impl BuildCa {
    /// An authority with a P-256 key and ten years of validity; every field can be set otherwise.
    #[must_use]
    pub fn new(name: CommonName, protection: Protection) -> Self {
        Self {
            subject: Subject::common_name_only(name),
            algorithm: KeyAlgorithm::P256,
            digest: None,
            protection,
            days: 3650,
            customisation: Customisation::default(),
        }
    }
}

/// A request for a new authority below another one.
pub struct BuildSubCa {
    /// Its name.
    pub subject: Subject,
    /// Kind of key.
    pub algorithm: KeyAlgorithm,
    /// Digest of the request's signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// Protection of the key file.
    pub protection: Protection,
}

/// The key and request of a new authority below another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltSubCa {
    /// reqs/ca.req.
    pub request: PathBuf,
    /// private/ca.key.
    pub key: PathBuf,
    /// Where the certificate belongs once it is signed: ca.crt.
    pub certificate: PathBuf,
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
    /// Refuses if the PKI already has an authority, a key that could be one's, or self-signed certificates.
    ///
    /// # Errors
    /// [`PkiError::AuthorityExists`].
    pub fn require_no_authority(&self) -> Result<(), PkiError> {
        let signs =
            [layout::authority_certificate(), layout::authority_key(), layout::peer_fingerprint_mode()];
        for path in signs {
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
        let subject = request.subject.to_der();
        let terms = Terms {
            profile: self.settings.profile,
            kind: CertificateKind::Authority(PathLength::Unlimited),
            names: None,
            customisation: &request.customisation,
            public_key_info: key.public_key_info(),
        };
        let fields = Fields {
            serial: &serial,
            issuer: &subject,
            subject: &subject,
            validity,
            public_key_info: key.public_key_info(),
            extensions: &terms.self_signed(&subject, &serial)?.extensions,
        };
        let digest = self.settings.profile.digest(request.digest, key.algorithm());
        let certificate = fields.sign(&SigningKey::new(&key, digest)?)?;

        let locked = self.store.lock(&self.settings.lock)?;
        self.require_no_authority()?;
        let mut changes = ChangeSet::default();
        prepare_directory(&mut changes);
        changes.create_secret(layout::authority_key(), &key_text);
        changes.create(layout::authority_certificate(), FileMode::Public, certificate.to_pem());
        let event = Event {
            action: Action::BuildCa,
            at: context.now,
            serial: &serial.to_string(),
            detail: &certificate.subject_line(),
        };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(BuiltCa {
            certificate: self.store.full_path(&layout::authority_certificate()),
            key: self.store.full_path(&layout::authority_key()),
            serial,
            not_after: validity.not_after(),
        })
    }

    /// Makes the key of an authority that stands below another one, and the request that the other one signs; its
    /// certificate then goes to ca.crt by hand.
    ///
    /// # Errors
    /// [`PkiError::AuthorityExists`]; what key generation, signing and the store answer.
    pub fn build_subca(
        &self,
        request: &BuildSubCa,
        context: &mut Context<'_>,
    ) -> Result<BuiltSubCa, PkiError> {
        self.require_no_authority()?;
        let new_key = NewKey {
            algorithm: request.algorithm,
            digest: request.digest,
            protection: &request.protection,
            subject: &request.subject.to_der(),
            extensions: &[],
        };
        let prepared = Prepared::new(&new_key, self.settings.profile, context.random)?;

        let locked = self.store.lock(&self.settings.lock)?;
        self.require_no_authority()?;
        let mut changes = ChangeSet::default();
        prepare_directory(&mut changes);
        changes.create_secret(layout::authority_key(), &prepared.key_text);
        changes.replace(layout::authority_request(), FileMode::Private, prepared.request.to_pem());
        let event = Event {
            action: Action::BuildCa,
            at: context.now,
            serial: "",
            detail: &prepared.request.subject_line(),
        };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(BuiltSubCa {
            request: self.store.full_path(&layout::authority_request()),
            key: self.store.full_path(&layout::authority_key()),
            certificate: self.store.full_path(&layout::authority_certificate()),
        })
    }
}

/// What every authority starts with besides its key.
fn prepare_directory(changes: &mut ChangeSet) {
    for directory in layout::authority_directories() {
        changes.directory(directory);
    }
    changes.replace(layout::index(), FileMode::Private, "");
    changes.replace(layout::index_attributes(), FileMode::Private, "unique_subject = no\n");
    changes.replace(layout::serial(), FileMode::Private, "01\n");
}
