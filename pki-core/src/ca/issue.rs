//! `build-server-full`, `build-client-full`, `build-serverClient-full`: key, request and certificate in one step.

use std::path::PathBuf;

use super::gen_req::NewKey;
pub(super) use super::gen_req::Prepared;
use super::issuing::{CertificateForm, Order, SerialNumbers};
use super::signing::Signing;
use super::{Authority, Context, Warning};
use crate::cert::build::Validity;
use crate::cert::{Certificate, CertificateKind, Customisation, Profile, SubjectAltName};
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::{Digest, KeyAlgorithm, Protection};
use crate::name::FileBase;
use crate::random::RandomSource;
use crate::serial::Serial;
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

/// A request for a certificate with a new key.
pub struct Issue {
    /// What it is for.
    pub kind: CertificateKind,
    /// Name of the files.
    pub name: FileBase,
    /// Whom the certificate names.
    pub subject: Subject,
    /// Further names.
    pub names: Option<SubjectAltName>,
    /// Kind of key.
    pub algorithm: KeyAlgorithm,
    /// Digest of the signatures; by default what the profile says.
    pub digest: Option<Digest>,
    /// Protection of the key file.
    pub protection: Protection,
    /// When it is valid.
    pub validity: Validity,
    /// How it is numbered.
    pub serial_numbers: SerialNumbers,
    /// Extensions beyond those of the kind.
    pub customisation: Customisation,
    /// How the files look.
    pub form: CertificateForm,
}

impl Issue {
    /// A certificate whose subject is the name of its files, for a P-256 key that is not encrypted; every field can be
    /// set otherwise.
    #[must_use]
    pub fn new(kind: CertificateKind, name: FileBase, validity: Validity) -> Self {
        Self {
            kind,
            subject: Subject::common_name_only(name.common_name().clone()),
            name,
            names: None,
            algorithm: KeyAlgorithm::P256,
            digest: None,
            protection: Protection::None,
            validity,
            serial_numbers: SerialNumbers::default(),
            customisation: Customisation::default(),
            form: CertificateForm::default(),
        }
    }
}

/// A new certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// issued/NAME.crt.
    pub certificate: PathBuf,
    /// private/NAME.key.
    pub key: PathBuf,
    /// reqs/NAME.req.
    pub request: PathBuf,
    /// Its serial number.
    pub serial: Serial,
    /// Its subject in index.txt's notation.
    pub subject: String,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// What should not stay as it is.
    pub warnings: Vec<Warning>,
}

impl Authority {
    /// Refuses if a request, key or certificate of this name exists.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::NameTaken`].
    pub fn require_free_name(&self, name: &FileBase) -> Result<(), PkiError> {
        self.require_authority()?;
        for path in [layout::request(name), layout::private_key(name), layout::certificate(name)] {
            if self.store.exists(&path)? {
                return Err(PkiError::NameTaken { found: self.store.full_path(&path) });
            }
        }
        Ok(())
    }

    /// Makes a key and a certificate for it.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::NameTaken`], [`PkiError::SubjectTaken`], [`PkiError::ClockSetBack`];
    /// what unlocking the CA key, key generation, signing and the store answer.
    pub fn issue(&self, request: &Issue, context: &mut Context<'_>) -> Result<Issued, PkiError> {
        self.require_free_name(&request.name)?;
        let signing = self.unlock(request.digest, context)?;
        let prepared = prepare(request, self.settings.profile, context.random)?;

        let locked = self.store.lock(&self.settings.lock)?;
        self.require_free_name(&request.name)?;
        self.require_free_subject(&request.subject.to_der())?;
        let serial = self.next_serial(request.serial_numbers, context.random)?;
        let certificate = self.certify(request, &prepared, &serial, &signing)?;
        let mut changes = ChangeSet::default();
        self.add_next_serial(&certificate, &mut changes);
        let warnings = self.add_files(request, &prepared, &certificate, &mut changes)?;
        self.record_issued(std::slice::from_ref(&certificate), context.now, &mut changes)?;
        locked.commit(changes)?;
        let mut issued = self.described(&request.name, &certificate, &signing);
        issued.warnings.extend(warnings);
        Ok(issued)
    }

    pub(super) fn certify(
        &self,
        request: &Issue,
        prepared: &Prepared,
        serial: &Serial,
        signing: &Signing,
    ) -> Result<Certificate, PkiError> {
        let order = Order {
            kind: request.kind,
            names: request.names.as_ref(),
            customisation: &request.customisation,
            requested: &[],
            subject: &request.subject.to_der(),
            public_key_info: prepared.key.public_key_info(),
            validity: request.validity,
            serial,
        };
        Ok(self.sign_order(&order, signing)?.0)
    }

    /// The row in the index, and the files.
    pub(super) fn add_files(
        &self,
        request: &Issue,
        prepared: &Prepared,
        certificate: &Certificate,
        changes: &mut ChangeSet,
    ) -> Result<Vec<Warning>, PkiError> {
        let (name, form) = (&request.name, request.form);
        let text = self.add_certificate(certificate, form, changes);
        changes.create(layout::request(name), FileMode::Private, prepared.request.to_pem());
        changes.create_secret(layout::private_key(name), &prepared.key_text);
        changes.create(layout::certificate(name), FileMode::Private, text);
        self.add_inline(name, certificate, Some(&prepared.key_text), form, changes)
    }

    /// What the caller is told of a certificate in issued/.
    pub(super) fn described(&self, name: &FileBase, certificate: &Certificate, signing: &Signing) -> Issued {
        let mut warnings = signing.warnings.clone();
        let authority_ends = signing.certificate.not_after();
        if certificate.not_after() > authority_ends {
            warnings.push(Warning::OutlivesAuthority { authority_ends });
        }
        Issued {
            certificate: self.store.full_path(&layout::certificate(name)),
            key: self.store.full_path(&layout::private_key(name)),
            request: self.store.full_path(&layout::request(name)),
            serial: certificate.serial(),
            subject: certificate.subject_line(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            warnings,
        }
    }
}

/// Everything that needs neither the lock nor the authority.
pub(super) fn prepare(
    request: &Issue,
    profile: Profile,
    random: &mut dyn RandomSource,
) -> Result<Prepared, PkiError> {
    let new_key = NewKey {
        algorithm: request.algorithm,
        digest: request.digest,
        protection: &request.protection,
        subject: &request.subject.to_der(),
        extensions: &request.names.iter().map(SubjectAltName::to_extension).collect::<Vec<_>>(),
    };
    Prepared::new(&new_key, profile, random)
}
