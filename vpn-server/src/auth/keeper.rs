//! Keeps the trust of a running server up to date with its files.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pki_core::chain::TrustAnchors;
use pki_core::time::Timestamp;
use tracing::{error, info, warn};

use super::expiry::ExpiryStage;
use super::revocation::{Reading, RevocationError, RevocationFile, RevocationState};
use super::trust::{Trust, TrustSnapshot};
use crate::config::CredentialPaths;

/// The only writer of a [`Trust`].
#[derive(Debug)]
pub struct TrustKeeper {
    trust: Arc<Trust>,
    grace: Duration,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    anchors: Arc<TrustAnchors>,
    file: Option<RevocationFile>,
    state: RevocationState,
    announced: ExpiryStage,
}

/// What became of an attempt to take a revocation list into force.
#[derive(Debug)]
pub enum CrlReload {
    /// There is no list to reload, or it is the one in force.
    Unchanged,
    /// Something else is in force: live sessions have to be checked.
    Changed,
    /// What was in force stays; the file is not usable.
    Kept(RevocationError),
}

impl TrustKeeper {
    /// Trust in `anchors`, with the revocation list that `credentials` name.
    ///
    /// # Errors
    ///
    /// [`RevocationError`] when the list is not usable and no former one is known.
    pub fn start(
        credentials: &CredentialPaths,
        anchors: TrustAnchors,
        grace: Duration,
        state_directory: &Path,
    ) -> Result<Self, RevocationError> {
        let mut file = RevocationFile::new(credentials, state_directory, &anchors);
        let state = match &mut file {
            Some(file) => file.initial_state(&anchors)?,
            None => RevocationState::Unchecked,
        };
        if let (Some(file), RevocationState::InForce(_)) = (&file, &state) {
            file.remember();
        }
        announce(&state, file.as_ref());
        let anchors = Arc::new(anchors);
        let trust = Arc::new(Trust::new(snapshot(&anchors, &state, grace)));
        let kept = Mutex::new(Kept {
            anchors,
            file,
            state,
            announced: ExpiryStage::Fresh,
        });
        let keeper = Self { trust, grace, kept };
        keeper.watch_expiry();
        Ok(keeper)
    }

    /// What handshakes ask.
    #[must_use]
    pub const fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// The revocation list to watch, if there is one.
    #[must_use]
    pub fn revocation_file(&self) -> Option<std::path::PathBuf> {
        self.lock().file.as_ref().map(|file| file.path().to_owned())
    }

    /// What is known about revocations.
    #[must_use]
    pub fn revocation_state(&self) -> RevocationState {
        self.lock().state.clone()
    }

    /// Reads the revocation list again and takes it into force if it may be. Once for each change of the file.
    pub fn reload_revocations(&self, on_change: impl FnOnce()) -> CrlReload {
        let mut kept = self.lock();
        let anchors = Arc::clone(&kept.anchors);
        let Some(file) = &mut kept.file else {
            return CrlReload::Unchanged;
        };
        match file.read(&anchors) {
            Reading::Unchanged => CrlReload::Unchanged,
            Reading::Changed(state) => {
                self.publish(&mut kept, state);
                on_change();
                if let (Some(file), RevocationState::InForce(_)) = (&kept.file, &kept.state) {
                    file.remember();
                }
                drop(kept);
                self.watch_expiry();
                CrlReload::Changed
            }
            Reading::Kept(error) => {
                error!(code = error.code(), %error, help = error.help(), "the revocation list in force stays");
                CrlReload::Kept(error)
            }
        }
    }

    /// Trusts other authorities from now on. The revocation list has to be reloaded afterwards: it may be theirs.
    pub fn set_anchors(&self, anchors: TrustAnchors) {
        let mut kept = self.lock();
        kept.anchors = Arc::new(anchors);
        let state = kept.state.clone();
        self.trust.replace(snapshot(&kept.anchors, &state, self.grace));
    }

    /// Says when the revocation list comes close to its expiry, once for each stage.
    pub fn watch_expiry(&self) {
        let mut kept = self.lock();
        let now = Timestamp::from(SystemTime::now());
        let Some((next_update, stage)) = kept.state.first_to_expire().map(|list| {
            (
                list.next_update,
                ExpiryStage::of(list.next_update, now, self.grace),
            )
        }) else {
            return;
        };
        let former = std::mem::replace(&mut kept.announced, stage);
        match stage {
            _ if stage == former => {}
            ExpiryStage::Fresh => {}
            ExpiryStage::WithinAWeek | ExpiryStage::WithinADay | ExpiryStage::InGrace => {
                warn!(%next_update, "{stage}; write a new one with 'postern gen-crl'");
            }
            ExpiryStage::Expired => error!(%next_update, "{stage}; write it with 'postern gen-crl'"),
        }
    }

    fn publish(&self, kept: &mut Kept, state: RevocationState) {
        self.trust.replace(snapshot(&kept.anchors, &state, self.grace));
        kept.state = state;
        announce(&kept.state, kept.file.as_ref());
    }

    /// Every change under the lock is complete before anything can fail, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot(anchors: &Arc<TrustAnchors>, state: &RevocationState, grace: Duration) -> TrustSnapshot {
    TrustSnapshot {
        anchors: Arc::clone(anchors),
        revocation: state.clone(),
        policy: TrustSnapshot::client_policy(grace),
    }
}

fn announce(state: &RevocationState, file: Option<&RevocationFile>) {
    let path = file
        .map(|file| file.path().display().to_string())
        .unwrap_or_default();
    match state {
        RevocationState::Unchecked => warn!("revocation is not checked: no revocation list is configured"),
        RevocationState::NothingRevokedYet => {
            info!(
                path,
                "there is no revocation list yet: nothing is revoked until gen-crl writes one"
            );
        }
        RevocationState::InForce(index) => {
            for list in index.summaries() {
                info!(
                    path,
                    issuer = list.issuer_name,
                    number = list.number.as_ref().map(ToString::to_string),
                    entries = list.entries,
                    next_update = %list.next_update,
                    "a revocation list is in force"
                );
            }
        }
        RevocationState::Lost { .. } => {
            error!(
                path,
                "the revocation list is gone: nobody is let in until it is back; write it with 'postern gen-crl'"
            );
        }
    }
}
