//! What every operation that makes a certificate shares: the certificate itself, its number, and its files.

use super::inline::add_inline;
use super::signing::Signing;
use super::{Authority, Warning};
use crate::audit::{Action, Event};
use crate::cert::build::{Fields, Validity};
use crate::cert::dump;
use crate::cert::extension::Extension;
use crate::cert::terms::Terms;
use crate::cert::{Certificate, CertificateKind, Customisation, SubjectAltName};
use crate::error::PkiError;
use crate::name::FileBase;
use crate::random::{RandomError, RandomSource};
use crate::serial::Serial;
use crate::store::index_txt::{Index, demands_unique_subjects, issued_row};
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

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

/// How the file of a certificate looks, and what is made along with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateForm {
    /// Whether OpenSSL's text stands in front of the certificate, as in easy-rsa.
    pub text: bool,
    /// Whether easy-rsa's inline file is made as well.
    pub inline: bool,
}

/// One certificate to be made.
pub(super) struct Order<'a> {
    pub(super) kind: CertificateKind,
    pub(super) names: Option<&'a SubjectAltName>,
    pub(super) customisation: &'a Customisation,
    /// Extensions that the request asks for.
    pub(super) requested: &'a [Extension],
    /// DER of the subject's name.
    pub(super) subject: &'a [u8],
    pub(super) public_key_info: &'a [u8],
    pub(super) validity: Validity,
    pub(super) serial: &'a Serial,
}

impl Authority {
    /// Signs a certificate, with remarks on what it did not get.
    pub(super) fn sign_order(
        &self,
        order: &Order<'_>,
        signing: &Signing,
    ) -> Result<(Certificate, Vec<Warning>), PkiError> {
        let terms = Terms {
            profile: self.settings.profile,
            kind: order.kind,
            names: order.names,
            customisation: order.customisation,
            public_key_info: order.public_key_info,
        };
        let granted = terms.issued_by(&signing.certificate, order.requested)?;
        let fields = Fields {
            serial: order.serial,
            issuer: signing.certificate.subject_der(),
            subject: order.subject,
            validity: order.validity,
            public_key_info: order.public_key_info,
            extensions: &granted.extensions,
        };
        let certificate = fields.sign(&*signing.key)?;
        let refused = granted.refused.iter().map(|oid| Warning::NotGranted { extension: oid.to_string() });
        Ok((certificate, refused.collect()))
    }

    /// What the file `serial` holds after this certificate.
    pub(super) fn add_next_serial(&self, last: &Certificate, changes: &mut ChangeSet) {
        let next = last.serial().successor();
        changes.replace(layout::serial(), FileMode::Private, format!("{next}\n"));
    }

    /// The row and the file by serial number that every issued certificate gets; answers with the text for issued/NAME.crt.
    pub(super) fn add_certificate(
        &self,
        certificate: &Certificate,
        form: CertificateForm,
        changes: &mut ChangeSet,
    ) -> String {
        let serial = certificate.serial();
        let row = issued_row(certificate.not_after(), &serial, &certificate.subject_line());
        let text = certificate_text(certificate, form);
        changes.append_line(layout::index(), row);
        changes.create(layout::certificate_by_serial(&serial), FileMode::Private, text.as_bytes());
        text
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
        self.log(&events, changes)
    }

    /// easy-rsa's inline file, if it is wanted; `key` is the text of the key file, if that is only being made.
    pub(super) fn add_inline(
        &self,
        name: &FileBase,
        certificate: &Certificate,
        key: Option<&str>,
        form: CertificateForm,
        changes: &mut ChangeSet,
    ) -> Result<Vec<Warning>, PkiError> {
        if !form.inline || certificate.is_ca() {
            return Ok(Vec::new());
        }
        let inline = self.inline_text(name, certificate, key)?;
        Ok(add_inline(&self.store, changes, name, &inline)?.1)
    }

    /// Refuses a second valid certificate of one subject where index.txt.attr says so.
    pub(super) fn require_free_subject(&self, subject: &[u8]) -> Result<(), PkiError> {
        let attributes = self.store.read(&layout::index_attributes())?.unwrap_or_default();
        if !demands_unique_subjects(&attributes) {
            return Ok(());
        }
        let subject = crate::dn::one_line(subject).unwrap_or_default();
        let index = self.store.read(&layout::index())?.unwrap_or_default();
        match Index::new(&index).valid_row_of_subject(&subject) {
            Some(_) => Err(PkiError::SubjectTaken { subject }),
            None => Ok(()),
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
        match self.store.index_row(&serial)? {
            Some(_) => Err(PkiError::SerialTaken { serial }),
            None => Ok(serial),
        }
    }
}

/// The content of a certificate file.
pub(super) fn certificate_text(certificate: &Certificate, form: CertificateForm) -> String {
    let dump = if form.text { dump::certificate(certificate, dump::Extent::Full) } else { String::new() };
    dump + &certificate.to_pem()
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
