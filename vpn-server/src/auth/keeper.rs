//! Keeps the trust of a running server up to date with its files.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pki_core::chain::TrustAnchors;
use pki_core::time::Timestamp;
use tracing::{error, info, warn};

use super::client_checks::ClientChecks;
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
    checks: ClientChecks,
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
        let checks = ClientChecks::default();
        let trust = Arc::new(Trust::new(snapshot(&anchors, &state, &checks, grace)));
        let kept = Mutex::new(Kept { anchors, file, state, checks, announced: ExpiryStage::Fresh });
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

    /// Asks more of clients from now on. Answers whether that is something else than before: live sessions have to be
    /// checked then.
    pub fn set_checks(&self, change: impl FnOnce(&mut ClientChecks)) -> bool {
        let mut kept = self.lock();
        let former = kept.checks.clone();
        change(&mut kept.checks);
        self.trust.replace(kept.snapshot(self.grace));
        kept.checks != former
    }

    /// Trusts other authorities from now on. The revocation list has to be reloaded afterwards: it may be theirs.
    pub fn set_anchors(&self, anchors: TrustAnchors) {
        let mut kept = self.lock();
        kept.anchors = Arc::new(anchors);
        self.trust.replace(kept.snapshot(self.grace));
    }

    /// Says when the revocation list comes close to its expiry, once for each stage.
    pub fn watch_expiry(&self) {
        let mut kept = self.lock();
        let now = Timestamp::from(SystemTime::now());
        let Some((next_update, stage)) = kept
            .state
            .first_to_expire()
            .map(|list| (list.next_update, ExpiryStage::of(list.next_update, now, self.grace)))
        else {
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
        kept.state = state;
        self.trust.replace(kept.snapshot(self.grace));
        announce(&kept.state, kept.file.as_ref());
    }

    /// Every change under the lock is complete before anything can fail, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn snapshot(&self, grace: Duration) -> TrustSnapshot {
        snapshot(&self.anchors, &self.state, &self.checks, grace)
    }
}

fn snapshot(
    anchors: &Arc<TrustAnchors>,
    state: &RevocationState,
    checks: &ClientChecks,
    grace: Duration,
) -> TrustSnapshot {
    TrustSnapshot {
        anchors: Arc::clone(anchors),
        revocation: state.clone(),
        policy: TrustSnapshot::client_policy(grace),
        checks: checks.clone(),
    }
}

fn announce(state: &RevocationState, file: Option<&RevocationFile>) {
    let path = file.map(|file| file.path().display().to_string()).unwrap_or_default();
    match state {
        RevocationState::Unchecked => warn!("revocation is not checked: no revocation list is configured"),
        RevocationState::NothingRevokedYet => {
            info!(path, "there is no revocation list yet: nothing is revoked until gen-crl writes one");
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use vpn_proto::{CertificateCheck, CertificateVerdict};

    use super::super::revoked_serials::RevokedSerials;
    use super::*;
    use crate::testing::pki::{Issued, TestPki};

    #[test]
    fn crl_03_a_new_list_comes_into_force_and_its_copy_is_kept() {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let keeper = start(&pki).unwrap();
        assert_eq!(verdict(&keeper, &alice), "accepted");
        pki.revoke(&alice);
        pki.write_crl();
        assert!(matches!(reload(&keeper), CrlReload::Changed));
        assert_eq!(verdict(&keeper, &alice), "denied revoked: certificate revoked");
        assert!(pki.state_directory().join("crl-in-force.pem").exists());
        assert!(matches!(reload(&keeper), CrlReload::Unchanged));
    }

    #[test]
    fn the_certificates_of_a_client_end_with_the_authority_where_they_are_kept() {
        let mut pki = TestPki::new();
        let (alice, bob) = (pki.issue_client("alice"), pki.issue_client("bob"));
        let keeper = start(&pki).unwrap();
        let chain_of = |issued: &Issued| {
            let CertificateVerdict::Accepted(identity) =
                keeper.trust().check(std::slice::from_ref(&issued.certificate))
            else {
                panic!("not accepted");
            };
            keeper.trust().chain_of(&identity.fingerprint)
        };
        assert_eq!(chain_of(&alice), None);
        keeper.trust().keep_chains();
        let chain = chain_of(&bob).unwrap();
        let authority = anchors(&pki).anchors()[0].der().to_vec();
        assert_eq!(chain[..], [bob.certificate.clone(), authority.into()]);
    }

    #[test]
    fn crl_02_nothing_that_is_not_newer_and_sound_replaces_a_good_list() {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let older = pki.crl(time::Duration::DAY);
        pki.revoke(&alice);
        pki.write_crl();
        let keeper = start(&pki).unwrap();
        let good = fs::read_to_string(pki.crl_path()).unwrap();
        let foreign = TestPki::new().crl(time::Duration::DAY);
        let cases = [
            (older.as_str(), "crl-number-not-higher"),
            (foreign.as_str(), "crl-foreign-issuer"),
            ("", "crl-file-empty"),
            ("garbage", "crl-file-empty"),
            (&good[..good.len() / 2], "crl-file-damaged"),
        ];
        for (content, code) in cases {
            pki.put_crl(content);
            let CrlReload::Kept(error) = reload(&keeper) else { panic!("{code}") };
            assert_eq!(error.code(), code);
            assert_eq!(verdict(&keeper, &alice), "denied revoked: certificate revoked", "{code}");
        }
        pki.put_crl(&good);
        assert!(matches!(reload(&keeper), CrlReload::Unchanged));
    }

    #[test]
    fn crl_02_an_older_list_is_refused_after_a_restart_too() {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let older = pki.crl(time::Duration::DAY);
        pki.revoke(&alice);
        pki.write_crl();
        drop(start(&pki).unwrap());
        pki.put_crl(&older);
        let keeper = start(&pki).unwrap();
        assert_eq!(verdict(&keeper, &alice), "denied revoked: certificate revoked");
    }

    #[test]
    fn crl_01_a_list_that_is_gone_lets_nobody_in_until_it_is_back() {
        let mut pki = TestPki::new();
        let bob = pki.issue_client("bob");
        pki.write_crl();
        let keeper = start(&pki).unwrap();
        let good = fs::read_to_string(pki.crl_path()).unwrap();
        fs::remove_file(pki.crl_path()).unwrap();
        assert!(matches!(reload(&keeper), CrlReload::Changed));
        let refused = "denied crl-missing: certificate status not available, try again later";
        assert_eq!(verdict(&keeper, &bob), refused);
        assert!(matches!(reload(&keeper), CrlReload::Unchanged));
        pki.put_crl(&good);
        assert!(matches!(reload(&keeper), CrlReload::Changed));
        assert_eq!(verdict(&keeper, &bob), "accepted");
    }

    #[test]
    fn crl_01_a_list_that_vanished_while_the_server_was_down_is_missed() {
        let mut pki = TestPki::new();
        let bob = pki.issue_client("bob");
        pki.write_crl();
        drop(start(&pki).unwrap());
        fs::remove_file(pki.crl_path()).unwrap();
        let keeper = start(&pki).unwrap();
        assert!(verdict(&keeper, &bob).starts_with("denied crl-missing"));
    }

    #[test]
    fn crl_01_an_expired_list_lets_nobody_in_unless_there_is_grace() {
        let mut pki = TestPki::new();
        let bob = pki.issue_client("bob");
        let expired = pki.crl(-time::Duration::MINUTE);
        pki.put_crl(&expired);
        assert!(verdict(&start(&pki).unwrap(), &bob).starts_with("denied crl-expired"));
        let with_grace = |seconds| {
            let grace = Duration::from_secs(seconds);
            TrustKeeper::start(&pki.paths(), anchors(&pki), grace, &pki.state_directory()).unwrap()
        };
        assert_eq!(verdict(&with_grace(3600), &bob), "accepted");
        assert!(verdict(&with_grace(30), &bob).starts_with("denied crl-expired"));
    }

    #[test]
    fn an_unusable_list_at_the_first_start_is_an_error() {
        let pki = TestPki::new();
        pki.put_crl("garbage");
        assert_eq!(start(&pki).unwrap_err().code(), "crl-file-empty");
    }

    #[test]
    fn a_list_that_is_named_must_exist() {
        let mut pki = TestPki::new();
        let named = |crl: Option<PathBuf>| {
            let paths = pki.file_paths(crl);
            TrustKeeper::start(&paths, anchors(&pki), Duration::ZERO, &pki.state_directory())
        };
        let error = named(Some(pki.crl_path())).unwrap_err();
        assert_eq!(error.code(), "crl-file-missing");
        assert!(error.to_string().contains("crl.pem"), "{error}");
        assert!(named(None).unwrap().revocation_file().is_none());
        let alice = pki.issue_client("alice");
        pki.revoke(&alice);
        pki.write_crl();
        let paths = pki.file_paths(None);
        let unchecked =
            TrustKeeper::start(&paths, anchors(&pki), Duration::ZERO, &pki.state_directory()).unwrap();
        assert_eq!(verdict(&unchecked, &alice), "accepted");
    }

    #[test]
    fn a_new_pki_in_the_same_place_starts_from_nothing() {
        let mut old = TestPki::new();
        old.write_crl();
        drop(start(&old).unwrap());
        let mut new = TestPki::new();
        let bob = new.issue_client("bob");
        let keeper =
            TrustKeeper::start(&new.paths(), anchors(&new), Duration::ZERO, &old.state_directory()).unwrap();
        assert_eq!(verdict(&keeper, &bob), "accepted");
    }

    #[test]
    fn crt_03_what_is_not_a_client_is_told_so_and_strangers_are_told_nothing() {
        let mut pki = TestPki::new();
        let keeper = start(&pki).unwrap();
        let server = pki.issue("other", rcgen::ExtendedKeyUsagePurpose::ServerAuth);
        assert_eq!(verdict(&keeper, &server), "denied server-as-client: certificate not made for clients");
        let yesterday = time::OffsetDateTime::now_utc() - time::Duration::MINUTE;
        let expired = pki.issue_until("late", rcgen::ExtendedKeyUsagePurpose::ClientAuth, yesterday);
        assert_eq!(verdict(&keeper, &expired), "denied expired: certificate expired");
        let stranger = TestPki::new().issue_client("alice");
        assert!(verdict(&keeper, &stranger).starts_with("untrusted"), "{}", verdict(&keeper, &stranger));
    }

    #[test]
    fn crl_03_a_serial_number_in_the_directory_revokes_at_once_and_for_live_sessions() {
        let mut pki = TestPki::new();
        let (alice, bob) = (pki.issue_client("alice"), pki.issue_client("bob"));
        let keeper = start(&pki).unwrap();
        assert_eq!(verdict(&keeper, &alice), "accepted");
        let CertificateVerdict::Accepted(identity) =
            keeper.trust().check(std::slice::from_ref(&alice.certificate))
        else {
            panic!("not accepted");
        };
        let path = keeper.trust().path_of(&identity.fingerprint).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(alice.serial.to_string()), "").unwrap();
        let revoked = RevokedSerials::read(directory.path()).unwrap();
        assert!(keeper.set_checks(|checks| checks.revoked = revoked.clone()));
        assert!(!keeper.set_checks(|checks| checks.revoked = revoked));
        assert_eq!(verdict(&keeper, &alice), "denied revoked: certificate revoked");
        assert_eq!(verdict(&keeper, &bob), "accepted");
        let snapshot = keeper.trust().snapshot();
        assert_eq!(
            snapshot.revocation_of(&path, Timestamp::from(SystemTime::now())).unwrap().code,
            "revoked"
        );
    }

    #[test]
    fn crt_07_a_certificate_of_another_name_than_asked_for_is_refused() {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let keeper = start(&pki).unwrap();
        let with = |rule: &str| {
            keeper.set_checks(|checks| checks.name = Some(rule.parse().unwrap()));
            verdict(&keeper, &alice)
        };
        for rule in ["alice name", "ali name-prefix", "CN=alice subject"] {
            assert_eq!(with(rule), "accepted", "{rule}");
        }
        for rule in ["alic name", "alice name-prefixed name", "bob name-prefix", "alice subject"] {
            assert_eq!(with(rule), "denied name-not-allowed: certificate not accepted", "{rule}");
        }
    }

    #[test]
    fn other_authorities_can_be_trusted_without_a_restart() {
        let (pki, mut other) = (TestPki::new(), TestPki::new());
        let bob = other.issue_client("bob");
        let keeper = start(&pki).unwrap();
        assert!(verdict(&keeper, &bob).starts_with("untrusted"));
        keeper.set_anchors(anchors(&other));
        assert_eq!(verdict(&keeper, &bob), "accepted");
    }

    #[test]
    fn only_the_revoked_session_is_found_by_its_path() {
        let mut pki = TestPki::new();
        let (alice, bob) = (pki.issue_client("alice"), pki.issue_client("bob"));
        let keeper = start(&pki).unwrap();
        let path_of = |issued: &Issued| {
            let CertificateVerdict::Accepted(identity) =
                keeper.trust().check(std::slice::from_ref(&issued.certificate))
            else {
                panic!("not accepted");
            };
            keeper.trust().path_of(&identity.fingerprint).unwrap()
        };
        let (path_of_alice, path_of_bob) = (path_of(&alice), path_of(&bob));
        pki.revoke(&alice);
        pki.write_crl();
        reload(&keeper);
        let (snapshot, now) = (keeper.trust().snapshot(), Timestamp::from(SystemTime::now()));
        assert!(snapshot.revocation_of(&path_of_alice, now).unwrap().detail.contains("1001"));
        assert_eq!(snapshot.revocation_of(&path_of_bob, now), None);
    }

    fn start(pki: &TestPki) -> Result<TrustKeeper, RevocationError> {
        TrustKeeper::start(&pki.paths(), anchors(pki), Duration::ZERO, &pki.state_directory())
    }

    fn reload(keeper: &TrustKeeper) -> CrlReload {
        let mut called = false;
        let outcome = keeper.reload_revocations(|| called = true);
        assert_eq!(called, matches!(outcome, CrlReload::Changed));
        outcome
    }

    fn anchors(pki: &TestPki) -> TrustAnchors {
        TrustAnchors::from_pem(&fs::read(pki.directory().join("ca.crt")).unwrap()).unwrap()
    }

    fn verdict(keeper: &TrustKeeper, issued: &Issued) -> String {
        match keeper.trust().check(std::slice::from_ref(&issued.certificate)) {
            CertificateVerdict::Accepted(identity) => {
                assert!(keeper.trust().path_of(&identity.fingerprint).is_some());
                "accepted".to_owned()
            }
            CertificateVerdict::Denied(_, denial) => format!("denied {}: {}", denial.code, denial.public),
            CertificateVerdict::Untrusted(denial) => format!("untrusted {}", denial.code),
        }
    }
}
