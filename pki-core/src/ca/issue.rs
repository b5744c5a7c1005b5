//! `build-server-full`, `build-client-full`, `build-serverClient-full`: key, request and certificate in one step.

use std::path::PathBuf;

use super::signing::Signing;
use super::{Authority, Context, Warning};
use crate::audit::{Action, Event};
use crate::cert::build::{Leaf, Validity};
use crate::cert::csr::Request;
use crate::cert::profile::SubjectKey;
use crate::cert::{Certificate, CertificateKind, Profile, SubjectAltName};
use crate::dn::Subject;
use crate::error::PkiError;
use crate::key::{Digest, KeyAlgorithm, PrivateKey, Protection, SigningKey, generate};
use crate::name::FileBase;
use crate::random::{RandomError, RandomSource};
use crate::serial::Serial;
use crate::store::index_txt::{Index, demands_unique_subjects, issued_row};
use crate::store::{ChangeSet, FileMode, LockedStore, layout};
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
}

/// Where serial numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SerialNumbers {
    /// 159 random bits (threat model KEY-06).
    #[default]
    Random159,
    /// 128 random bits, as easy-rsa draws them.
    Random128,
    /// One after the other, from the file `serial`: easy-rsa's `EASYRSA_RAND_SN=no`.
    Sequential,
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

/// Everything that needs neither the lock nor the authority.
pub(super) struct Prepared {
    key: PrivateKey,
    key_text: zeroize::Zeroizing<String>,
    request: Request,
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
        self.require_free_subject(request)?;
        let serial = self.next_serial(request.serial_numbers, context.random)?;
        let certificate = self.certify(request, &prepared, &serial, &signing)?;
        self.write(&locked, request, &prepared, &certificate, context.now)?;
        Ok(self.described(&request.name, &certificate, &signing))
    }

    pub(super) fn require_free_subject(&self, request: &Issue) -> Result<(), PkiError> {
        let attributes = self.store.read(&layout::index_attributes())?.unwrap_or_default();
        if !demands_unique_subjects(&attributes) {
            return Ok(());
        }
        let subject = crate::dn::one_line(&request.subject.to_der()).unwrap_or_default();
        let index = self.store.read(&layout::index())?.unwrap_or_default();
        match Index::new(&index).valid_row_of_subject(&subject) {
            Some(_) => Err(PkiError::SubjectTaken { subject }),
            None => Ok(()),
        }
    }

    pub(super) fn certify(
        &self,
        request: &Issue,
        prepared: &Prepared,
        serial: &Serial,
        signing: &Signing,
    ) -> Result<Certificate, PkiError> {
        let leaf = Leaf {
            kind: request.kind,
            key: SubjectKey {
                algorithm: prepared.key.algorithm(),
                public_key_info: prepared.key.public_key_info(),
            },
            subject: &request.subject,
            names: request.names.as_ref(),
            validity: request.validity,
            serial,
        };
        Ok(leaf.sign(self.settings.profile, &signing.certificate, &signing.key)?)
    }

    fn write(
        &self,
        locked: &LockedStore<'_>,
        request: &Issue,
        prepared: &Prepared,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<(), PkiError> {
        let mut changes = ChangeSet::default();
        self.add_next_serial(certificate, &mut changes);
        self.add_files(request, prepared, certificate, &mut changes);
        self.record_issued(std::slice::from_ref(certificate), now, &mut changes)?;
        Ok(locked.commit(changes)?)
    }

    /// What the file `serial` holds after this certificate.
    pub(super) fn add_next_serial(&self, last: &Certificate, changes: &mut ChangeSet) {
        let next = last.serial().successor();
        changes.replace(layout::serial(), FileMode::Private, format!("{next}\n"));
    }

    /// The row in the index, and the files.
    pub(super) fn add_files(
        &self,
        request: &Issue,
        prepared: &Prepared,
        certificate: &Certificate,
        changes: &mut ChangeSet,
    ) {
        let serial = certificate.serial();
        let text = certificate.to_pem();
        changes.append_line(
            layout::index(),
            issued_row(certificate.not_after(), &serial, &certificate.subject_line()),
        );
        changes.create(layout::certificate_by_serial(&serial), FileMode::Private, text.as_bytes());
        changes.create(layout::request(&request.name), FileMode::Private, prepared.request.to_pem());
        changes.create_secret(layout::private_key(&request.name), &prepared.key_text);
        changes.create(layout::certificate(&request.name), FileMode::Private, text);
    }

    /// One line in the audit log for each.
    pub(super) fn record_issued(
        &self,
        made: &[Certificate],
        now: Timestamp,
        changes: &mut ChangeSet,
    ) -> Result<(), PkiError> {
        let named = |made: &Certificate| (made.serial().to_string(), made.subject_line());
        let texts: Vec<(String, String)> = made.iter().map(named).collect();
        let events: Vec<Event<'_>> = texts
            .iter()
            .map(|(serial, detail)| Event { action: Action::Issue, at: now, serial, detail })
            .collect();
        self.record(&events, changes)
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

    /// A number that no certificate of this authority has.
    pub(super) fn next_serial(
        &self,
        numbers: SerialNumbers,
        random: &mut dyn RandomSource,
    ) -> Result<Serial, PkiError> {
        if numbers == SerialNumbers::Sequential {
            return self.next_in_file();
        }
        for _ in 0..MAX_DRAWS {
            let serial = draw_serial(numbers, random)?;
            if !self.store.exists(&layout::certificate_by_serial(&serial))? {
                return Ok(serial);
            }
        }
        Err(RandomError.into())
    }

    fn next_in_file(&self) -> Result<Serial, PkiError> {
        let path = layout::serial();
        let unusable = || PkiError::SerialFile { file: self.store.full_path(&path) };
        let text = self.store.read(&path)?.ok_or_else(unusable)?;
        let digits = std::str::from_utf8(&text).map_err(|_| unusable())?.trim();
        let serial = Serial::from_hex(digits).ok_or_else(unusable)?;
        if serial.as_be_bytes().is_empty() || serial.as_be_bytes().len() > MAX_SERIAL_OCTETS {
            return Err(unusable());
        }
        let index = self.store.read(&layout::index())?.unwrap_or_default();
        match Index::new(&index).row_of(&serial) {
            Some(_) => Err(PkiError::SerialTaken { serial }),
            None => Ok(serial),
        }
    }
}

pub(super) fn prepare(
    request: &Issue,
    profile: Profile,
    random: &mut dyn RandomSource,
) -> Result<Prepared, PkiError> {
    let key = generate(request.algorithm, random)?;
    let key_text = key.to_pem(&request.protection, random)?;
    let digest = profile.digest(request.digest, key.algorithm());
    let signed = Request::sign(&request.subject, &SigningKey::new(&key, digest)?)?;
    Ok(Prepared { key, key_text, request: signed })
}

/// A random number of the usual length: positive, and without a leading zero octet, so that every notation of it has
/// the same number of digits.
pub(super) fn draw_serial(
    numbers: SerialNumbers,
    random: &mut dyn RandomSource,
) -> Result<Serial, RandomError> {
    let (length, first_octet_mask) = match numbers {
        SerialNumbers::Random159 => (20, 0x7f),
        SerialNumbers::Random128 | SerialNumbers::Sequential => (16, 0xff),
    };
    let mut octets = vec![0; length];
    for _ in 0..MAX_DRAWS {
        random.fill(&mut octets)?;
        octets[0] &= first_octet_mask;
        if octets[0] != 0 {
            return Ok(Serial::from_be_bytes(&octets));
        }
    }
    Err(RandomError)
}

const MAX_DRAWS: usize = 64;
const MAX_SERIAL_OCTETS: usize = 20;
