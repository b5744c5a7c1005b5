//! `build-ca`: the authority's key, and its certificate or the request for one.

use std::path::PathBuf;

use super::gen_req::{NewKey, Prepared};
use super::issuing::draw_serial;
use super::{Authority, Context, SerialNumbers};
use crate::audit::{Action, Event};
use crate::cert::build::{Fields, Validity};
use crate::cert::csr::Request;
use crate::cert::extension::PathLength;
use crate::cert::terms::Terms;
use crate::cert::{Certificate, CertificateKind, Customisation};
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::{CaSigner, Digest, KeyAlgorithm, Protection, SigningKey, generate};
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
    /// private/ca.key, or private/ca.pkcs11, which names the token.
    pub key: PathBuf,
    /// Where the certificate belongs once it is signed: ca.crt.
    pub certificate: PathBuf,
}

/// A new authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltCa {
    /// ca.crt.
    pub certificate: PathBuf,
    /// private/ca.key, or private/ca.pkcs11, which names the token.
    pub key: PathBuf,
    /// Whether the key was made; one that was in the token already is used as it is.
    pub is_key_new: bool,
    /// Serial number of the certificate.
    pub serial: Serial,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// What a self-signed authority says about itself.
pub(super) struct Root<'a> {
    /// DER of its name.
    pub(super) subject: &'a [u8],
    pub(super) validity: Validity,
    pub(super) customisation: &'a Customisation,
}

impl Authority {
    /// Refuses if the PKI already has an authority, a key that could be one's, or self-signed certificates.
    ///
    /// # Errors
    /// [`PkiError::AuthorityExists`].
    pub fn require_no_authority(&self) -> Result<(), PkiError> {
        let signs = [
            layout::authority_certificate(),
            layout::authority_key(),
            layout::authority_token(),
            layout::peer_fingerprint_mode(),
        ];
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
        let digest = self.settings.profile.digest(request.digest, key.algorithm());
        let root =
            Root { subject: &request.subject.to_der(), validity, customisation: &request.customisation };
        let mut changes = ChangeSet::default();
        changes.create_secret(layout::authority_key(), &key.to_pem(&request.protection, context.random)?);
        self.build_root(&root, &SigningKey::new(&key, digest)?, changes, context)
    }

    /// Signs a root with its own key and puts it into the directory, together with `changes` that keep the key.
    pub(super) fn build_root(
        &self,
        root: &Root<'_>,
        signer: &dyn CaSigner,
        mut changes: ChangeSet,
        context: &mut Context<'_>,
    ) -> Result<BuiltCa, PkiError> {
        let serial = draw_serial(SerialNumbers::Random159, context.random)?;
        let certificate = self.sign_root(root, &serial, signer)?;

        let locked = self.store.lock(&self.settings.lock)?;
        self.require_no_authority()?;
        prepare_directory(&mut changes);
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
            is_key_new: true,
            serial,
            not_after: root.validity.not_after(),
        })
    }

    fn sign_root(
        &self,
        root: &Root<'_>,
        serial: &Serial,
        signer: &dyn CaSigner,
    ) -> Result<Certificate, PkiError> {
        let terms = Terms {
            profile: self.settings.profile,
            kind: CertificateKind::Authority(PathLength::Unlimited),
            names: None,
            customisation: root.customisation,
            public_key_info: signer.public_key_info(),
        };
        let fields = Fields {
            serial,
            issuer: root.subject,
            subject: root.subject,
            validity: root.validity,
            public_key_info: signer.public_key_info(),
            extensions: &terms.self_signed(root.subject, serial)?.extensions,
        };
        Ok(fields.sign(signer)?)
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

        let mut changes = ChangeSet::default();
        changes.create_secret(layout::authority_key(), &prepared.key_text);
        self.write_subca(&prepared.request, changes, context)
    }

    /// Puts the request of a subordinate authority into the directory, together with `changes` that keep the key.
    pub(super) fn write_subca(
        &self,
        request: &Request,
        mut changes: ChangeSet,
        context: &Context<'_>,
    ) -> Result<BuiltSubCa, PkiError> {
        let locked = self.store.lock(&self.settings.lock)?;
        self.require_no_authority()?;
        prepare_directory(&mut changes);
        changes.replace(layout::authority_request(), FileMode::Private, request.to_pem());
        let event =
            Event { action: Action::BuildCa, at: context.now, serial: "", detail: &request.subject_line() };
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
