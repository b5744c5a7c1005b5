//! Offboarding: every certificate of a name that is still in force is revoked, the list says so, and the files that were
//! handed out are gone.
//!
//! Each step is a durable change by itself, in the order that protects soonest; after an interruption the same call does
//! what is left, and a call with nothing left to do changes nothing.

use std::path::PathBuf;

use super::records::{Record, RecordState};
use super::{Authority, Context, GenCrl, PublishedCrl, Revocable, Revoked};
use crate::crl::RevocationReason;
use crate::crl::published::PublishedList;
use crate::error::PkiError;
use crate::name::FileBase;
use crate::pem;
use crate::serial::Serial;
use crate::store::{ChangeSet, layout};
use crate::time::Timestamp;

/// A request to offboard a name.
pub struct Offboard {
    /// The name: of the files, and of the subjects.
    pub name: FileBase,
    /// Why.
    pub reason: Option<RevocationReason>,
    /// Days until the new list must have been replaced; never earlier than the published one.
    pub list_days: u32,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offboarded {
    /// The certificates that were still in force.
    pub revoked: Vec<Revoked>,
    /// Serial numbers of the certificates of this name that had been revoked before.
    pub revoked_before: Vec<Serial>,
    /// The new list; none if the published one says it all.
    pub list: Option<PublishedCrl>,
    /// Profiles, keys in other containers, and inline files that are gone.
    pub removed: Vec<PathBuf>,
}

impl Authority {
    /// The certificates of this name that [`Self::offboard`] would revoke.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`]; [`PkiError::NoSuchCertificate`] if there never was one of this name.
    pub fn in_force(&self, name: &FileBase, now: Timestamp) -> Result<Vec<Record>, PkiError> {
        let records = self.of_name(name)?;
        Ok(records.into_iter().filter(|record| record.state(now) == RecordState::Valid).collect())
    }

    /// Revokes everything of this name that is in force, publishes that, and removes what was made from it.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`]; [`PkiError::NoSuchCertificate`] if there never was a certificate of this name; as
    /// [`Self::revoke`] and [`Self::gen_crl`].
    pub fn offboard(&self, request: &Offboard, context: &mut Context<'_>) -> Result<Offboarded, PkiError> {
        let before = self.of_name(&request.name)?;
        let derived = self.derived(&request.name)?;
        let now = context.now;
        let mut revoked = Vec::new();
        for record in before.iter().filter(|record| record.state(now) == RecordState::Valid) {
            let found = self.revocable_generation(&request.name, record, now)?;
            revoked.push(self.revoke_found(found, request.reason, context)?);
        }
        self.remove_rest(&request.name)?;
        let revoked_before: Vec<Serial> = before
            .iter()
            .filter(|record| record.revoked.is_some())
            .map(|record| record.serial.clone())
            .collect();
        let gone = revoked.iter().map(|revoked| &revoked.serial).chain(&revoked_before);
        let list = if self.list_names_all(gone)? { None } else { Some(self.republish(request, context)?) };
        Ok(Offboarded { revoked, revoked_before, list, removed: derived })
    }

    fn of_name(&self, name: &FileBase) -> Result<Vec<Record>, PkiError> {
        self.require_authority()?;
        let reader = self.reader();
        let records = reader.records()?;
        let named: Vec<Record> = reader.generations(&records, name.as_str())?.into_iter().cloned().collect();
        if named.is_empty() {
            return Err(PkiError::NoSuchCertificate { wanted: name.to_string() });
        }
        Ok(named)
    }

    /// The certificate in issued/NAME.crt takes its key and request along, whatever name it bears itself.
    fn revocable_generation(
        &self,
        name: &FileBase,
        record: &Record,
        now: Timestamp,
    ) -> Result<Revocable, PkiError> {
        let is_current = self.issued_certificate(name).is_ok_and(|found| found.serial() == record.serial);
        if is_current {
            return Ok(Revocable::Current(name.clone()));
        }
        self.find_revocable(&record.serial.to_string(), now)
    }

    fn derived(&self, name: &FileBase) -> Result<Vec<PathBuf>, PkiError> {
        let mut found = Vec::new();
        for path in layout::derived_files(name) {
            if self.store.exists(&path)? {
                found.push(self.store.full_path(&path));
            }
        }
        Ok(found)
    }

    /// Revoking removes them with the certificate in issued/; without one they would stay.
    fn remove_rest(&self, name: &FileBase) -> Result<(), PkiError> {
        if self.derived(name)?.is_empty() {
            return Ok(());
        }
        let locked = self.store.lock(&self.settings.lock)?;
        let mut changes = ChangeSet::default();
        self.remove_derived(&mut changes, name, |_| false)?;
        locked.commit(changes)?;
        Ok(())
    }

    fn list_names_all<'s>(&self, mut serials: impl Iterator<Item = &'s Serial>) -> Result<bool, PkiError> {
        let Some(text) = self.published_list_file()? else {
            return Ok(false);
        };
        let Some(block) = pem::first(&text, "X509 CRL") else {
            return Ok(false);
        };
        let Ok(published) = PublishedList::from_der(&block.der) else {
            return Ok(false);
        };
        let mut listed: Vec<Serial> = published.serials().collect();
        listed.sort_unstable();
        Ok(serials.all(|serial| listed.binary_search(serial).is_ok()))
    }

    fn republish(&self, request: &Offboard, context: &mut Context<'_>) -> Result<PublishedCrl, PkiError> {
        let days = match self.reader().list_end()? {
            Some(end) => request.list_days.max(days_until(context.now, end)),
            None => request.list_days,
        };
        self.gen_crl(&GenCrl { days, digest: None, force: false }, context)
    }
}

/// Whole days, rounded up.
fn days_until(now: Timestamp, end: Timestamp) -> u32 {
    let seconds = end.unix_seconds().saturating_sub(now.unix_seconds()).max(0);
    u32::try_from(seconds.saturating_add(SECONDS_OF_A_DAY - 1) / SECONDS_OF_A_DAY).unwrap_or(u32::MAX)
}

const SECONDS_OF_A_DAY: i64 = 86_400;
