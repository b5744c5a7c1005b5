//! `renew-ca` and `update-db`: what time does to an authority and to its index.

use std::path::PathBuf;

use super::issuing::{CertificateForm, SerialNumbers, certificate_text, draw_serial};
use super::{Authority, Context, Warning};
use crate::audit::{Action, Event};
use crate::cert::build::{Fields, Validity};
use crate::cert::extension::PathLength;
use crate::cert::terms::Terms;
use crate::cert::{CertificateKind, Customisation};
use crate::error::PkiError;
use crate::key::Digest;
use crate::serial::Serial;
use crate::store::index_txt::{Index, Row, Status};
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

/// A request to renew the authority's own certificate with the same key.
pub struct RenewCa {
    /// Days of validity.
    pub days: u32,
    /// Digest of its signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// Extensions beyond those of every authority.
    pub customisation: Customisation,
}

/// A renewed authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewedCa {
    /// ca.crt.
    pub certificate: PathBuf,
    /// expired-ca.list, which the previous certificate was added to.
    pub previous: PathBuf,
    /// Serial number of the new certificate.
    pub serial: Serial,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// What should not stay as it is.
    pub warnings: Vec<Warning>,
}

impl Authority {
    /// Makes a new self-signed certificate of the same key and name; the old one goes to expired-ca.list.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::ClockSetBack`]; [`PkiError::NotSelfSigned`] for an authority that stands
    /// below another, which alone can renew it; what unlocking the CA key, signing and the store answer.
    pub fn renew_ca(&self, request: &RenewCa, context: &mut Context<'_>) -> Result<RenewedCa, PkiError> {
        let signing = self.unlock(request.digest, context)?;
        let old = &signing.certificate;
        if !old.is_self_issued() {
            let certificate = self.store.full_path(&layout::authority_certificate());
            return Err(PkiError::NotSelfSigned { certificate });
        }
        let validity = Validity::days_from(context.now, request.days)?;
        let serial = draw_serial(SerialNumbers::Random159, context.random)?;
        let terms = Terms {
            profile: self.settings.profile,
            kind: CertificateKind::Authority(PathLength::Unlimited),
            names: None,
            customisation: &request.customisation,
            public_key_info: old.public_key_info(),
        };
        let fields = Fields {
            serial: &serial,
            issuer: old.subject_der(),
            subject: old.subject_der(),
            validity,
            public_key_info: old.public_key_info(),
            extensions: &terms.self_signed(old.subject_der(), &serial)?.extensions,
        };
        let certificate = fields.sign(&*signing.key)?;

        let locked = self.store.lock(&self.settings.lock)?;
        let with_text = CertificateForm { text: true, inline: false };
        let mut previous = certificate_text(old, with_text).into_bytes();
        previous.extend(self.store.read(&layout::expired_authorities())?.unwrap_or_default());
        let mut changes = ChangeSet::default();
        changes.replace(layout::expired_authorities(), FileMode::Private, previous);
        changes.replace(layout::authority_certificate(), FileMode::Public, certificate.to_pem());
        let event = Event {
            action: Action::RollOver,
            at: context.now,
            serial: &serial.to_string(),
            detail: &certificate.subject_line(),
        };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(RenewedCa {
            certificate: self.store.full_path(&layout::authority_certificate()),
            previous: self.store.full_path(&layout::expired_authorities()),
            serial,
            not_after: validity.not_after(),
            warnings: signing.warnings,
        })
    }

    /// Marks the rows of certificates that have ended; answers with how many there were.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::Store`].
    pub fn update_db(&self, now: Timestamp) -> Result<usize, PkiError> {
        self.require_authority()?;
        let locked = self.store.lock(&self.settings.lock)?;
        let index = self.store.read(&layout::index())?.unwrap_or_default();
        let ended: Vec<(u64, Row<'_>)> =
            Index::new(&index).rows_in_place().filter(|(_, row)| has_ended(row, now)).collect();
        for rows in ended.chunks(ROWS_AT_ONCE) {
            let mut changes = ChangeSet::default();
            for (offset, row) in rows {
                changes.revise_line(layout::index(), *offset, row.to_string(), row.expired());
            }
            locked.commit(changes)?;
        }
        Ok(ended.len())
    }
}

fn has_ended(row: &Row<'_>, now: Timestamp) -> bool {
    row.status == Status::Valid && Timestamp::from_digits(row.expiry).is_some_and(|expiry| expiry < now)
}

/// So many rows one change marks.
const ROWS_AT_ONCE: usize = 1000;
