//! `gen-crl`: a new revocation list in the place of the published one.

use std::path::PathBuf;

use super::signing::Signing;
use super::{Authority, Context, Warning};
use crate::audit::{Action, Event};
use crate::cert::build::Validity;
use crate::crl::build::ListContent;
use crate::crl::published::PublishedList;
use crate::crl::{PublishError, RevocationList, RevokedCertificate};
use crate::error::PkiError;
use crate::key::Digest;
use crate::pem;
use crate::serial::Serial;
use crate::store::index_txt::Index;
use crate::store::{ChangeSet, FileMode, layout};
use crate::time::Timestamp;

/// A request for a new list.
pub struct GenCrl {
    /// Days until the list must have been replaced.
    pub days: u32,
    /// Digest of its signature; by default what the profile says.
    pub digest: Option<Digest>,
    /// Whether the list may be worse than the published one: shorter lived, without certificates that are on it, or in
    /// the place of one that cannot be read.
    pub force: bool,
}

/// A new list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCrl {
    /// crl.pem.
    pub file: PathBuf,
    /// Revoked certificates on it.
    pub entries: usize,
    /// Its number; the easy-rsa profile writes none.
    pub number: Serial,
    /// When it must have been replaced.
    pub next_update: Timestamp,
    /// What should not stay as it is.
    pub warnings: Vec<Warning>,
}

impl Authority {
    /// Signs a list of everything that index.txt says is revoked, and publishes it as crl.pem and crl.der.
    ///
    /// # Errors
    /// [`PkiError::NoAuthority`], [`PkiError::ClockSetBack`]; [`PkiError::Crl`] when the list would be worse than the
    /// published one (threat model CRL-05); what unlocking the CA key, signing and the store answer.
    pub fn gen_crl(&self, request: &GenCrl, context: &mut Context<'_>) -> Result<PublishedCrl, PkiError> {
        let signing = self.unlock(request.digest, context)?;
        let validity = Validity::days_from(context.now, request.days)?;

        let locked = self.store.lock(&self.settings.lock)?;
        // Either may be a hundred megabytes.
        let (published, revoked) = std::thread::scope(|scope| {
            let published = scope.spawn(|| self.published_list());
            let revoked = self.revoked();
            (published.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), revoked)
        });
        let (published, revoked) = (published?, revoked?);
        let number = next_number(request, published, &signing, validity, &revoked)?;
        let entries = revoked.len();
        let content =
            ListContent { authority: &signing.certificate, revoked, number: number.clone(), validity };
        let list = content.sign(self.settings.profile, &*signing.key)?;
        let mut changes = publication(&list);
        let event = Event {
            action: if request.force { Action::ForceCrl } else { Action::GenCrl },
            at: context.now,
            serial: &number.to_string(),
            detail: &format!("{entries} entries"),
        };
        self.log(&[event], &mut changes)?;
        locked.commit(changes)?;
        Ok(PublishedCrl {
            file: self.store.full_path(&layout::revocation_list()),
            entries,
            number,
            next_update: validity.not_after(),
            warnings: signing.warnings,
        })
    }

    /// Everything that index.txt says is revoked, sorted by number.
    fn revoked(&self) -> Result<Vec<RevokedCertificate>, PkiError> {
        let index = self.store.read(&layout::index())?.unwrap_or_default();
        let mut revoked: Vec<RevokedCertificate> = Index::new(&index).revoked().collect::<Result<_, _>>()?;
        revoked.sort_unstable_by(|left, right| left.serial.cmp(&right.serial));
        Ok(revoked)
    }

    /// DER of crl.pem; `None` if there is no such file.
    fn published_list(&self) -> Result<Option<Result<Vec<u8>, PublishError>>, PkiError> {
        let Some(text) = self.store.read(&layout::revocation_list())? else {
            return Ok(None);
        };
        let block = pem::first(&text, "X509 CRL").ok_or(PublishError::PublishedDamaged);
        Ok(Some(block.map(|block| block.der.to_vec())))
    }
}

/// Checks the new list against the published one and gives it a number.
///
/// The number is the time in seconds unless the published one is already there: it then never goes down even if
/// crl.pem is lost, or is replaced by easy-rsa, which writes no number at all.
fn next_number(
    request: &GenCrl,
    published: Option<Result<Vec<u8>, PublishError>>,
    signing: &Signing,
    validity: Validity,
    revoked: &[RevokedCertificate],
) -> Result<Serial, PublishError> {
    let now = validity.not_before().unix_seconds();
    let by_time = Serial::from_be_bytes(&u64::try_from(now).unwrap_or_default().to_be_bytes());
    let Some(der) = published else {
        return Ok(by_time);
    };
    match der.and_then(|der| accepted_successor(&der, signing, validity, revoked, request.force)) {
        Ok(Some(number)) => Ok(by_time.max(number.successor())),
        Ok(None) => Ok(by_time),
        Err(_) if request.force => Ok(by_time),
        Err(refusal) => Err(refusal),
    }
}

/// The number of the published list, if the new one may follow it.
fn accepted_successor(
    published: &[u8],
    signing: &Signing,
    validity: Validity,
    revoked: &[RevokedCertificate],
    force: bool,
) -> Result<Option<Serial>, PublishError> {
    let published = PublishedList::from_der(published)?;
    if published.issuer() != signing.certificate.subject_der() {
        return Err(PublishError::PublishedForeign);
    }
    if !force {
        refuse_earlier_end(&published, validity)?;
        refuse_loss(&published, revoked)?;
    }
    Ok(published.number().cloned())
}

fn refuse_earlier_end(published: &PublishedList<'_>, validity: Validity) -> Result<(), PublishError> {
    let new = validity.not_after();
    match published.next_update().filter(|published| new < *published) {
        Some(published) => Err(PublishError::NextUpdateEarlier { new, published }),
        None => Ok(()),
    }
}

/// Both sides are sorted by number, unless somebody else wrote the published list.
fn refuse_loss(published: &PublishedList<'_>, revoked: &[RevokedCertificate]) -> Result<(), PublishError> {
    let mut next = 0;
    let mut is_lost = |serial: &Serial| {
        while revoked.get(next).is_some_and(|entry| entry.serial < *serial) {
            next += 1;
        }
        let is_next = revoked.get(next).is_some_and(|entry| entry.serial == *serial);
        !is_next && revoked.binary_search_by(|entry| entry.serial.cmp(serial)).is_err()
    };
    let mut lost = published.serials().filter(|serial| is_lost(serial));
    let Some(example) = lost.next() else {
        return Ok(());
    };
    Err(PublishError::WouldShrink { count: 1 + lost.count(), example: example.to_string() })
}

fn publication(list: &RevocationList) -> ChangeSet {
    let mut changes = ChangeSet::default();
    changes.replace(layout::revocation_list_der(), FileMode::Public, list.der());
    changes.replace(layout::revocation_list(), FileMode::Public, list.to_pem());
    changes
}
