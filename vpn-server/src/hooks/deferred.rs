//! Decisions that programs take later: a program ends with exit code 2 and something else writes the decision to a
//! file, `1` for yes and `0` for no. Meanwhile it may ask the client to wait longer, and the person a question.
//!
//! One thread looks at all files ten times a second.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::warn;
use vpn_proto::{Denial, Pending, Prompt};

use super::scratch::ScratchFile;
use crate::auth::login::{Answer, ClientNumber, Verdict};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// The longest that a program may ask a client to wait.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// All decisions that are to come.
#[derive(Debug)]
pub(super) struct Deferrals {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Deferral>,
    is_closed: bool,
}

/// One decision that is to come.
pub(super) struct Deferral {
    /// Whose.
    pub(super) client: ClientNumber,
    /// For which of its keys.
    pub(super) key: u32,
    /// Where the decision will stand.
    pub(super) control: ScratchFile,
    /// Where a wish to wait longer will stand; programs that let clients in know none.
    pub(super) pending: Option<ScratchFile>,
    /// To whom it is told.
    pub(super) answer: Answer,
    /// What the decision means.
    pub(super) conclude: Box<dyn FnOnce(bool) -> Verdict + Send>,
    /// When it comes too late.
    pub(super) deadline: Instant,
}

impl std::fmt::Debug for Deferral {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Deferral").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What became of a decision since it was last looked at.
enum Progress {
    None,
    Asked(Pending),
    Decided(bool),
    TooLate,
}

impl Deferrals {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let worker = Arc::clone(&shared);
        let builder = std::thread::Builder::new().name("deferred".to_owned());
        let thread = Some(builder.spawn(move || worker.watch())?);
        Ok(Self { shared, thread })
    }

    /// Waits for a decision.
    pub(super) fn wait(&self, deferral: Deferral) {
        self.shared.lock().waiting.push(deferral);
        self.shared.changed.notify_one();
    }

    /// Nobody needs the decision any longer.
    pub(super) fn forget(&self, client: ClientNumber, key: u32) {
        let is_other = |deferral: &mut Deferral| (deferral.client, deferral.key) != (client, key);
        let forgotten: Vec<_> = self.shared.lock().waiting.extract_if(.., |it| !is_other(it)).collect();
        drop(forgotten);
    }

    /// The file in which a decision about this client will stand, if one is to come.
    pub(super) fn control_file(&self, client: ClientNumber, key: u32) -> Option<std::path::PathBuf> {
        let state = self.shared.lock();
        let mut waiting = state.waiting.iter();
        let deferral = waiting.find(|deferral| (deferral.client, deferral.key) == (client, key))?;
        Some(deferral.control.path().to_owned())
    }
}

impl Drop for Deferrals {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the thread for deferred decisions ended with a panic");
        }
    }
}

impl Shared {
    fn watch(&self) {
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() && !state.is_closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.is_closed {
                return;
            }
            let ended = state.look(Instant::now());
            drop(state);
            for (deferral, progress) in ended {
                deferral.end(&progress);
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// The list is valid at every moment, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Looks at every file; takes out those that are decided or too late.
    fn look(&mut self, now: Instant) -> Vec<(Deferral, Progress)> {
        let mut ended = Vec::new();
        for deferral in std::mem::take(&mut self.waiting) {
            match deferral.look(now) {
                Progress::None => self.waiting.push(deferral),
                Progress::Asked(pending) => self.waiting.push(deferral.extend(now, pending)),
                progress @ (Progress::Decided(_) | Progress::TooLate) => ended.push((deferral, progress)),
            }
        }
        ended
    }
}

impl Deferral {
    fn look(&self, now: Instant) -> Progress {
        match self.control.text().trim() {
            "1" => return Progress::Decided(true),
            "0" => return Progress::Decided(false),
            _ if now >= self.deadline => return Progress::TooLate,
            _ => {}
        }
        let asked = self.pending.as_ref().and_then(|file| parse_pending(&file.text()));
        asked.map_or(Progress::None, Progress::Asked)
    }

    fn extend(mut self, now: Instant, pending: Pending) -> Self {
        self.deadline = now + pending.timeout;
        self.pending = None;
        self.answer.wait(pending);
        self
    }

    fn end(self, progress: &Progress) {
        match progress {
            Progress::Decided(decision) => self.answer.decide((self.conclude)(*decision)),
            Progress::None | Progress::Asked(_) | Progress::TooLate => {
                self.answer.decide(Verdict::Deny(too_late()));
            }
        }
    }
}

/// The lines of `auth_pending_file`: seconds, the method, and the text that goes behind `INFO_PRE`.
fn parse_pending(text: &str) -> Option<Pending> {
    let mut lines = text.lines();
    let timeout = Duration::from_secs(lines.next()?.trim().parse().ok()?).min(LONGEST);
    let prompt = lines.nth(1).map(str::trim).filter(|line| !line.is_empty()).and_then(Prompt::parse);
    Some(Pending { timeout, prompt })
}

fn too_late() -> Denial {
    Denial {
        code: "login-timed-out",
        public: "authentication took too long".to_owned(),
        detail: "a program deferred its decision and did not make it in time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::auth::login::LoginUpdate;
    use crate::hooks::ScratchDirectory;

    const LONG: Duration = Duration::from_secs(60);

    struct World {
        deferrals: Deferrals,
        scratch: ScratchDirectory,
        _parent: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let parent = tempfile::tempdir().unwrap();
            let scratch = ScratchDirectory::open(parent.path()).unwrap();
            Self { deferrals: Deferrals::start().unwrap(), scratch, _parent: parent }
        }

        /// A decision that has `time` from now; answers with its two files as well.
        fn deferral(&self, number: u64, time: Duration) -> (Deferral, Files, Receiver<LoginUpdate>) {
            let file = || self.scratch.file("test", b"").unwrap();
            let (control, pending, (sender, updates)) = (file(), file(), channel());
            let files = Files { control: control.path().to_owned(), pending: pending.path().to_owned() };
            let deferral = Deferral {
                client: ClientNumber(number),
                key: 0,
                control,
                pending: Some(pending),
                answer: Answer::new(move |update| sender.send(update).unwrap()),
                conclude: Box::new(|decision| {
                    if decision { Verdict::accept() } else { Verdict::wrong_credentials("no", "") }
                }),
                deadline: Instant::now() + time,
            };
            (deferral, files, updates)
        }

        /// Waits for a decision that has `time`.
        fn defer(&self, number: u64, time: Duration) -> (Files, Receiver<LoginUpdate>) {
            let (deferral, files, updates) = self.deferral(number, time);
            self.deferrals.wait(deferral);
            (files, updates)
        }
    }

    /// Where the decision and the wish to wait longer will stand.
    struct Files {
        control: PathBuf,
        pending: PathBuf,
    }

    fn next(updates: &Receiver<LoginUpdate>) -> String {
        match updates.recv_timeout(LONG).unwrap() {
            LoginUpdate::Decided(Verdict::Accept(_)) => "accepted".to_owned(),
            LoginUpdate::Decided(Verdict::Deny(denial)) => denial.code.to_owned(),
            LoginUpdate::Wait(Pending { timeout, prompt }) => {
                format!("wait {} {prompt:?}", timeout.as_secs())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_decision_is_read_from_the_file() {
        let world = World::new();
        let (yes, of_yes) = world.defer(1, LONG);
        let (no, of_no) = world.defer(2, LONG);
        fs::write(no.control, "0").unwrap();
        fs::write(yes.control, "1\n").unwrap();
        assert_eq!((next(&of_yes), next(&of_no)), ("accepted".to_owned(), "no".to_owned()));
    }

    #[test]
    fn a_decision_that_does_not_come_in_time_is_a_no() {
        let world = World::new();
        let (_, updates) = world.defer(1, Duration::from_millis(300));
        assert_eq!(next(&updates), "login-timed-out");
    }

    #[test]
    fn a_program_may_ask_for_time_and_have_the_person_asked() {
        let world = World::new();
        let (deferral, files, updates) = world.deferral(1, LONG);
        let first_deadline = deferral.deadline;
        let mut state = State { waiting: vec![deferral], is_closed: false };
        let just_before = first_deadline - Duration::from_secs(1);
        fs::write(files.pending, "60\nopenurl\nOPEN_URL:https://login.test/\n").unwrap();
        assert!(state.look(just_before).is_empty());
        assert_eq!(next(&updates), "wait 60 Some(OpenUrl(\"https://login.test/\"))");
        assert!(state.look(first_deadline).is_empty(), "it was extended");
        fs::write(files.control, "1").unwrap();
        let (deferral, progress) = state.look(just_before + Duration::from_secs(60)).remove(0);
        deferral.end(&progress);
        assert_eq!(next(&updates), "accepted");
    }

    #[test]
    fn the_time_that_a_program_asked_for_ends_too() {
        let world = World::new();
        let (deferral, files, updates) = world.deferral(1, LONG);
        let now = deferral.deadline - LONG;
        let mut state = State { waiting: vec![deferral], is_closed: false };
        fs::write(files.pending, "5").unwrap();
        assert!(state.look(now).is_empty());
        assert_eq!(next(&updates), "wait 5 None");
        assert!(state.look(now + Duration::from_secs(4)).is_empty());
        let (deferral, progress) = state.look(now + Duration::from_secs(5)).remove(0);
        deferral.end(&progress);
        assert_eq!(next(&updates), "login-timed-out");
    }

    #[test]
    fn nobody_waits_for_a_client_that_is_gone() {
        let world = World::new();
        let (Files { control, .. }, updates) = world.defer(1, LONG);
        assert_eq!(world.deferrals.control_file(ClientNumber(1), 0), Some(control.clone()));
        world.deferrals.forget(ClientNumber(1), 1);
        assert!(control.exists());
        world.deferrals.forget(ClientNumber(1), 0);
        assert!(!control.exists());
        assert_eq!(next(&updates), "login-undecided");
    }

    #[test]
    fn half_written_wishes_are_read_later() {
        assert_eq!(parse_pending(""), None);
        assert_eq!(parse_pending("soon\n"), None);
        assert_eq!(parse_pending("60").unwrap().prompt, None);
        assert_eq!(parse_pending("99999999").unwrap().timeout, LONGEST);
    }
}
