//! How a decision comes back: at once or later, from any thread, exactly once.

use std::fmt;
use std::time::Duration;

use vpn_proto::{Advance, Denial, DynamicChallenge, Pending, PushOption};

/// What a decider thinks of a client.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It may come in, or stay.
    Accept(Acceptance),
    /// It may not.
    Deny(Denial),
    /// Not now: clients that can come back by themselves after that time.
    DenyFor {
        /// Why.
        denial: Denial,
        /// How long the client shall wait.
        backoff: Duration,
        /// Where it shall turn then.
        advance: Advance,
    },
    /// Its token is not valid any longer: the person is asked for credentials again.
    DenyToken(Denial),
    /// Not without the answer to a question.
    Challenge(DynamicChallenge),
}

/// What comes with a yes.
#[derive(Clone, Debug, Default)]
pub struct Acceptance {
    /// Lines as in a file of `client-config-dir`; of later deciders they come after those of earlier ones.
    pub directives: Vec<String>,
    /// Pushed to the client beside everything else: a fresh token.
    pub push: Vec<PushOption>,
    /// The groups that the client is in, beside those in its certificate.
    pub groups: Vec<String>,
    /// What was found out about the state of the device, for lists and logs.
    pub posture_statuses: Vec<String>,
}

impl Acceptance {
    /// Adds what a later decider says.
    pub fn extend(&mut self, later: Self) {
        self.directives.extend(later.directives);
        self.push.extend(later.push);
        self.groups.extend(later.groups);
        self.posture_statuses.extend(later.posture_statuses);
    }
}

/// News about a question.
#[derive(Clone, Debug)]
pub enum LoginUpdate {
    /// The decision takes time, and the person may be asked something meanwhile.
    Wait(Pending),
    /// The decision.
    Decided(Verdict),
}

/// The right to answer one question. Dropping it without a decision refuses the client.
pub struct Answer {
    tell: Option<Tell>,
}

type Tell = Box<dyn FnMut(LoginUpdate) + Send>;

impl Answer {
    /// An answer that `tell` carries to whoever asked.
    #[must_use]
    pub fn new(tell: impl FnMut(LoginUpdate) + Send + 'static) -> Self {
        Self { tell: Some(Box::new(tell)) }
    }

    /// Says that the decision takes time. May be said more than once; each time counts from then on.
    pub fn wait(&mut self, pending: Pending) {
        if let Some(tell) = &mut self.tell {
            tell(LoginUpdate::Wait(pending));
        }
    }

    /// Decides.
    pub fn decide(mut self, verdict: Verdict) {
        if let Some(mut tell) = self.tell.take() {
            tell(LoginUpdate::Decided(verdict));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(mut tell) = self.tell.take() {
            tell(LoginUpdate::Decided(Verdict::Deny(undecided())));
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Answer").field("is_open", &self.tell.is_some()).finish_non_exhaustive()
    }
}

impl Verdict {
    /// A yes with nothing beside it.
    #[must_use]
    pub fn accept() -> Self {
        Self::Accept(Acceptance::default())
    }

    /// A no for somebody who does not have the right credentials: the client hears nothing more, whatever it was.
    #[must_use]
    pub fn wrong_credentials(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Deny(Denial {
            code,
            public: "the user name or the password is wrong".to_owned(),
            detail: detail.into(),
        })
    }

    /// A no because those who decide have too much to do.
    #[must_use]
    pub fn busy(detail: impl Into<String>) -> Self {
        let denial = Denial {
            code: "login-busy",
            public: "too many logins at once, try again later".to_owned(),
            detail: detail.into(),
        };
        Self::DenyFor { denial, backoff: BUSY_BACKOFF, advance: Advance::No }
    }
}

/// How long clients wait that came when too many others did.
const BUSY_BACKOFF: Duration = Duration::from_secs(10);

fn undecided() -> Denial {
    Denial {
        code: "login-undecided",
        public: "authentication failed".to_owned(),
        detail: "whoever had to decide about the login gave no answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn an_answer_that_is_dropped_is_a_refusal() {
        let (sender, updates) = channel();
        drop(Answer::new(move |update| sender.send(update).unwrap()));
        let update = updates.recv().unwrap();
        assert!(
            matches!(&update, LoginUpdate::Decided(Verdict::Deny(denial)) if denial.code == "login-undecided"),
            "{update:?}"
        );
    }

    #[test]
    fn a_decision_is_told_once_and_after_it_nothing() {
        let (sender, updates) = channel();
        let mut answer = Answer::new(move |update| sender.send(update).unwrap());
        answer.wait(Pending { timeout: Duration::from_secs(60), prompt: None });
        answer.decide(Verdict::accept());
        let told: Vec<LoginUpdate> = updates.iter().collect();
        assert!(matches!(told[..], [LoginUpdate::Wait(_), LoginUpdate::Decided(Verdict::Accept(_))]));
    }

    #[test]
    fn a_panic_of_the_decider_is_a_refusal() {
        let (sender, updates) = channel();
        let answer = Answer::new(move |update| sender.send(update).unwrap());
        let decider = std::thread::spawn(move || {
            let _answer = answer;
            panic!("a test asked for this panic");
        });
        assert!(decider.join().is_err());
        assert!(matches!(updates.recv().unwrap(), LoginUpdate::Decided(Verdict::Deny(_))));
    }
}
