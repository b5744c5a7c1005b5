//! Puts the question for a code behind whoever decides about passwords.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use base64ct::{Base64, Encoding};
use pki_core::time::Timestamp;
use vpn_proto::{Advance, Denial, DynamicChallenge, Password, Question};

use super::super::{
    Acceptance, Answer, Authenticator, ClientNumber, Decider, LoginAttempt, LoginPolicy, LoginUpdate, Shown,
    Username, Verdict,
};
use super::challenges::Challenges;
use super::secrets::{OneTimeSecrets, OneTimeSecretsError};
use super::standing::{CodeRefusal, Standings};
use crate::errands::{Errands, Lane};
use crate::random;

/// Lets in who shows a right password, by those that decide about it, and a code that counts.
pub struct OneTimeDecider {
    passwords: Authenticator,
    deciders: Vec<Arc<dyn Decider>>,
    codes: Arc<Codes>,
}

/// Why codes cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OneTimeStartError {
    /// The secrets cannot be used.
    #[error(transparent)]
    Secrets(#[from] OneTimeSecretsError),
    /// What is remembered of used codes cannot be read: without it they would be good again.
    #[error("cannot read which codes were used, in {}: {source}", path.display())]
    Standings {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Threads could not be started.
    #[error("no thread for one-time codes: {0}")]
    Threads(#[source] io::Error),
}

impl OneTimeStartError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Secrets(error) => error.code(),
            Self::Standings { .. } => "one-time-state-unreadable",
            Self::Threads(_) => "one-time-threads",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Secrets(error) => error.help(),
            Self::Standings { .. } => {
                "repair the file, or delete it when the last login is more than two minutes ago"
            }
            Self::Threads(_) => "raise the limit of threads of the host",
        }
    }
}

/// What is known about codes.
struct Codes {
    secrets: PathBuf,
    standings: Standings,
    challenges: Challenges,
    errands: Errands,
}

/// The file in the state directory that remembers used codes.
const STATE_FILE: &str = "one-time.json";
const QUESTION: &str = "Enter the code that your authenticator app shows";
/// Looking at a code takes next to no time; writing it down may take a while.
const THREADS: usize = 2;

impl OneTimeDecider {
    /// Codes by the secrets in a file, for those whose passwords all of `deciders` accept.
    ///
    /// # Errors
    ///
    /// [`OneTimeStartError`]: the secrets or what is remembered of used codes cannot be read.
    pub fn start(
        secrets: &Path,
        state_directory: &Path,
        deciders: Vec<Arc<dyn Decider>>,
    ) -> Result<Self, OneTimeStartError> {
        OneTimeSecrets::load(secrets)?;
        let path = state_directory.join(STATE_FILE);
        let standings =
            Standings::open(&path).map_err(|source| OneTimeStartError::Standings { path, source })?;
        let errands = Errands::start("one-time", THREADS).map_err(OneTimeStartError::Threads)?;
        let secrets = secrets.to_owned();
        let codes = Arc::new(Codes { secrets, standings, challenges: Challenges::default(), errands });
        Ok(Self {
            passwords: Authenticator::new(LoginPolicy::Required, deciders.clone(), None),
            deciders,
            codes,
        })
    }

    /// Has the password decided, and then what `and_then` says.
    fn after_password(
        &self,
        attempt: &LoginAttempt,
        password: &Password,
        answer: Answer,
        and_then: impl FnOnce(Arc<Codes>, Acceptance, Answer) + Send + 'static,
    ) {
        let alone = LoginAttempt {
            password: Some(password.clone()),
            shown: Some(Shown::Password(password.clone())),
            ..attempt.clone()
        };
        let mut waiting = Some((answer, and_then, Arc::clone(&self.codes)));
        let tell = move |update| match update {
            LoginUpdate::Wait(pending) => {
                if let Some((answer, _, _)) = &mut waiting {
                    answer.wait(pending);
                }
            }
            LoginUpdate::Decided(verdict) => match (waiting.take(), verdict) {
                (Some((answer, and_then, codes)), Verdict::Accept(acceptance)) => {
                    and_then(codes, acceptance, answer);
                }
                (Some((answer, _, _)), refusal) => answer.decide(refusal),
                (None, _) => {}
            },
        };
        self.passwords.begin(alone, Answer::new(tell));
    }
}

impl Decider for OneTimeDecider {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let attempt = Arc::clone(attempt);
        match attempt.shown.clone() {
            Some(Shown::PasswordAndResponse { password, response }) => {
                let asking = Arc::clone(&attempt);
                self.after_password(&asking, &password, answer, move |codes, acceptance, answer| {
                    codes.submit(attempt, response, acceptance, answer);
                });
            }
            Some(Shown::Password(password)) => {
                let asking = Arc::clone(&attempt);
                self.after_password(&asking, &password, answer, move |codes, acceptance, answer| {
                    answer.decide(codes.ask(&attempt, acceptance));
                });
            }
            Some(Shown::ChallengeResponse { state_id, response }) => {
                match self.codes.challenges.close(&state_id, &attempt, Instant::now()) {
                    Some(acceptance) => self.codes.submit(attempt, response, acceptance, answer),
                    None => answer.decide(Verdict::wrong_credentials(
                        "unexpected-response",
                        "the client answered a question that was not asked, not of it, or too long ago",
                    )),
                }
            }
            Some(Shown::Token(_)) | None => {
                answer.decide(Verdict::wrong_credentials(
                    "no-credentials",
                    "neither password nor code was sent",
                ));
            }
        }
    }

    fn take_response(&self, client: ClientNumber, key: u32, response: &Password) {
        self.passwords.take_response(client, key, response);
    }

    fn forget(&self, client: ClientNumber, key: u32) {
        self.passwords.forget(client, key);
    }

    fn still_knows(&self, username: &Username) -> bool {
        self.deciders.iter().all(|decider| decider.still_knows(username))
    }

    fn recall(&self, username: &Username) -> Option<Acceptance> {
        let mut acceptance = Acceptance::default();
        for decider in &self.deciders {
            acceptance.extend(decider.recall(username)?);
        }
        Some(acceptance)
    }
}

impl Codes {
    /// The client is told to come back with a code.
    fn ask(&self, attempt: &LoginAttempt, acceptance: Acceptance) -> Verdict {
        let Some(username) = &attempt.username else {
            return Verdict::wrong_credentials("no-credentials", "no user name was sent");
        };
        let state_id = match random::bytes::<16>() {
            Ok(octets) => octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>(),
            Err(error) => return unavailable(format!("no random number for a question: {error}")),
        };
        self.challenges.open(state_id.clone(), attempt, acceptance, Instant::now());
        Verdict::Challenge(DynamicChallenge {
            question: Question { text: QUESTION.to_owned(), echo: true, response_required: true },
            state_id,
            username_base64: Base64::encode_string(username.as_str().as_bytes()),
        })
    }

    /// Has a code looked at where that may take time.
    fn submit(
        self: &Arc<Self>,
        attempt: Arc<LoginAttempt>,
        code: Password,
        acceptance: Acceptance,
        answer: Answer,
    ) {
        let codes = Arc::clone(self);
        let lane = Lane::of_source(attempt.client.remote.ip());
        let work = move |answer: Answer| answer.decide(codes.judge(&attempt, &code, acceptance, now()));
        self.errands.submit(lane, answer, work, |answer| {
            answer.decide(Verdict::busy("too many codes wait to be looked at"));
        });
    }

    fn judge(
        &self,
        attempt: &LoginAttempt,
        code: &Password,
        acceptance: Acceptance,
        now: Timestamp,
    ) -> Verdict {
        let Some(username) = &attempt.username else {
            return Verdict::wrong_credentials("no-credentials", "no user name was sent");
        };
        let secrets = match OneTimeSecrets::load(&self.secrets) {
            Ok(secrets) => secrets,
            Err(error) => return unavailable(error.to_string()),
        };
        let Some(secret) = secrets.get(username) else {
            let detail = format!("user {:?} has no secret in {}", username.as_str(), self.secrets.display());
            return Verdict::wrong_credentials("one-time-secret-missing", detail);
        };
        match self.standings.judge(username, secret, code.as_str(), now) {
            Ok(()) => Verdict::Accept(acceptance),
            Err(refusal) => refused(username, refusal),
        }
    }
}

fn refused(username: &Username, refusal: CodeRefusal) -> Verdict {
    let detail = format!("user {:?}: {refusal}", username.as_str());
    match refusal {
        CodeRefusal::Wrong { .. } => Verdict::wrong_credentials("wrong-code", detail),
        CodeRefusal::Used => Verdict::wrong_credentials("code-used", detail),
        CodeRefusal::Blocked { wait, .. } => {
            let public = "too many wrong codes, try again later".to_owned();
            let denial = Denial { code: "codes-blocked", public, detail };
            Verdict::DenyFor { denial, backoff: wait, advance: Advance::No }
        }
        CodeRefusal::NotNoted(_) => unavailable(detail),
    }
}

fn unavailable(detail: String) -> Verdict {
    let public = "logins are not possible at the moment".to_owned();
    Verdict::Deny(Denial { code: "one-time-unavailable", public, detail })
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::super::code::OneTimeSecret;
    use super::*;
    use crate::testing::login::attempt;

    /// Knows one password, and a group of whoever has it.
    struct Secret;

    impl Decider for Secret {
        fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
            let is_right = attempt.shown == Some(Shown::Password(Password::new("secret".to_owned())))
                && attempt.password == Some(Password::new("secret".to_owned()));
            answer.decide(if is_right {
                Verdict::Accept(Acceptance { groups: vec!["staff".to_owned()], ..Acceptance::default() })
            } else {
                Verdict::wrong_credentials("wrong-password", "")
            });
        }
    }

    struct World {
        decider: OneTimeDecider,
        _directory: tempfile::TempDir,
        secret: OneTimeSecret,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let secret = OneTimeSecret::generate().unwrap();
            let mut secrets = OneTimeSecrets::default();
            secrets.set(Username::parse("alice").unwrap(), secret.clone());
            let path = directory.path().join("secrets");
            secrets.save(&path).unwrap();
            let decider = OneTimeDecider::start(&path, directory.path(), vec![Arc::new(Secret)]).unwrap();
            Self { decider, _directory: directory, secret }
        }

        fn decide(&self, user: &str, shown: &str) -> Verdict {
            let (sender, updates) = channel();
            let answer = Answer::new(move |update| sender.send(update).unwrap());
            self.decider.decide(&Arc::new(attempt(user, shown)), answer);
            match updates.recv_timeout(Duration::from_secs(60)).unwrap() {
                LoginUpdate::Decided(verdict) => verdict,
                LoginUpdate::Wait(_) => panic!("nobody asks for patience"),
            }
        }

        fn code(&self) -> String {
            self.secret.code_at(now()).to_string()
        }
    }

    fn code_of(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Accept(acceptance) if acceptance.groups == ["staff"] => "accepted",
            Verdict::Accept(_) => "accepted without what the password decided",
            Verdict::Deny(denial) | Verdict::DenyFor { denial, .. } | Verdict::DenyToken(denial) => {
                denial.code
            }
            Verdict::Challenge(_) => "challenge",
        }
    }

    fn scrv1(password: &str, code: &str) -> String {
        let encoded = |text: &str| Base64::encode_string(text.as_bytes());
        format!("SCRV1:{}:{}", encoded(password), encoded(code))
    }

    #[test]
    fn password_and_code_together_let_in_once() {
        let world = World::new();
        let code = world.code();
        assert_eq!(code_of(&world.decide("alice", &scrv1("secret", &code))), "accepted");
        assert_eq!(code_of(&world.decide("alice", &scrv1("secret", &code))), "code-used");
    }

    #[test]
    fn a_password_alone_is_answered_by_a_question() {
        let world = World::new();
        let Verdict::Challenge(challenge) = world.decide("alice", "secret") else { panic!("no question") };
        let response = |code: &str| format!("CRV1::{}::{code}", challenge.state_id);
        let code = world.code();
        assert_eq!(code_of(&world.decide("bob", &response(&code))), "unexpected-response");
        assert_eq!(code_of(&world.decide("alice", &response(&code))), "accepted");
        assert_eq!(code_of(&world.decide("alice", &response(&code))), "unexpected-response");
    }

    #[test]
    fn strangers_neither_learn_of_codes_nor_use_up_tries() {
        let world = World::new();
        let code = world.code();
        for _ in 0..20 {
            assert_eq!(code_of(&world.decide("alice", &scrv1("guess", &code))), "wrong-password");
            assert_eq!(code_of(&world.decide("alice", "guess")), "wrong-password");
        }
        assert_eq!(code_of(&world.decide("alice", &scrv1("secret", &code))), "accepted");
    }

    #[test]
    fn too_many_wrong_codes_of_somebody_with_the_password_have_to_wait() {
        let world = World::new();
        for _ in 0..5 {
            assert_eq!(code_of(&world.decide("alice", &scrv1("secret", "nonsense"))), "wrong-code");
        }
        let verdict = world.decide("alice", &scrv1("secret", &world.code()));
        assert!(
            matches!(&verdict, Verdict::DenyFor { backoff, .. } if backoff.as_secs() > 20),
            "{verdict:?}"
        );
        assert_eq!(code_of(&verdict), "codes-blocked");
    }

    #[test]
    fn who_has_no_secret_does_not_get_in_by_the_password_alone() {
        let world = World::new();
        assert_eq!(code_of(&world.decide("bob", &scrv1("secret", "123456"))), "one-time-secret-missing");
        assert_eq!(code_of(&world.decide("bob", "secret")), "challenge");
    }

    #[test]
    fn key_05_nothing_of_it_is_in_a_verdict() {
        let world = World::new();
        let verdict = world.decide("alice", &scrv1("secret", "hunter2"));
        assert!(!format!("{verdict:?}").contains("hunter2"));
    }
}
