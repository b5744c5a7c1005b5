//! Questions for codes that clients take back with them, and what was decided about the passwords before.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::{Acceptance, LoginAttempt, Username};

/// The open questions.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    /// The oldest first.
    open: Mutex<VecDeque<Challenge>>,
}

#[derive(Debug)]
struct Challenge {
    state_id: String,
    username: Username,
    /// The certificate with which the password was shown.
    certificate: Option<String>,
    acceptance: Acceptance,
    since: Instant,
}

/// How long somebody may take to look at the app and type.
const LIFETIME: Duration = Duration::from_secs(180);
/// Questions that may be open; each of them cost somebody a right password.
const CAPACITY: usize = 4096;
/// Those of one user.
const PER_USER: usize = 4;

impl Challenges {
    /// Opens a question; the oldest gives way where there are too many.
    pub(super) fn open(
        &self,
        state_id: String,
        attempt: &LoginAttempt,
        acceptance: Acceptance,
        now: Instant,
    ) {
        let Some(username) = attempt.username.clone() else { return };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|challenge| now.saturating_duration_since(challenge.since) < LIFETIME);
        let of_user = |challenge: &Challenge| challenge.username == username;
        if open.iter().filter(|challenge| of_user(challenge)).count() >= PER_USER
            && let Some(oldest) = open.iter().position(of_user)
        {
            open.remove(oldest);
        }
        if open.len() >= CAPACITY {
            open.pop_front();
        }
        let certificate = certificate_of(attempt);
        open.push_back(Challenge { state_id, username, certificate, acceptance, since: now });
    }

    /// Closes the question that a client answers; what was said about its password, if the question is its own.
    pub(super) fn close(&self, state_id: &str, attempt: &LoginAttempt, now: Instant) -> Option<Acceptance> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let index = open.iter().position(|challenge| challenge.state_id == state_id)?;
        let is_own = open.get(index).is_some_and(|challenge| {
            Some(&challenge.username) == attempt.username.as_ref()
                && challenge.certificate == certificate_of(attempt)
        });
        let challenge = if is_own { open.remove(index)? } else { return None };
        (now.saturating_duration_since(challenge.since) < LIFETIME).then_some(challenge.acceptance)
    }
}

fn certificate_of(attempt: &LoginAttempt) -> Option<String> {
    attempt.client.certificate.as_ref().map(|certificate| certificate.fingerprint.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::login::{attempt, facts};
    use std::sync::Arc;

    fn accepted(group: &str) -> Acceptance {
        Acceptance { groups: vec![group.to_owned()], ..Acceptance::default() }
    }

    #[test]
    fn an_answer_finds_its_question_once() {
        let (challenges, now) = (Challenges::default(), Instant::now());
        let alice = attempt("alice", "");
        challenges.open("s".to_owned(), &alice, accepted("a"), now);
        assert_eq!(challenges.close("s", &alice, now).unwrap().groups, ["a"]);
        assert!(challenges.close("s", &alice, now).is_none());
    }

    #[test]
    fn a_question_is_for_its_user_and_certificate_and_others_do_not_spoil_it() {
        let (challenges, now) = (Challenges::default(), Instant::now());
        let alice = attempt("alice", "");
        challenges.open("s".to_owned(), &alice, accepted("a"), now);
        assert!(challenges.close("s", &attempt("bob", ""), now).is_none());
        let elsewhere = LoginAttempt { client: Arc::new(facts(false)), ..alice.clone() };
        assert!(challenges.close("s", &elsewhere, now).is_none());
        assert!(challenges.close("s", &alice, now).is_some());
    }

    #[test]
    fn questions_end_after_a_time_and_a_user_has_a_few_of_them() {
        let (challenges, now) = (Challenges::default(), Instant::now());
        let alice = attempt("alice", "");
        for number in 0..=PER_USER {
            challenges.open(number.to_string(), &alice, accepted("a"), now);
        }
        assert!(challenges.close("0", &alice, now).is_none());
        assert!(challenges.close("1", &alice, now).is_some());
        assert!(challenges.close("2", &alice, now + LIFETIME).is_none());
    }

    #[test]
    fn ops_05_all_users_together_have_so_many_and_not_one_more() {
        let (challenges, now) = (Challenges::default(), Instant::now());
        for number in 0..=CAPACITY {
            let user = attempt(&format!("user{number}"), "");
            challenges.open(number.to_string(), &user, accepted("a"), now);
        }
        assert!(challenges.close("0", &attempt("user0", ""), now).is_none());
        assert!(challenges.close("1", &attempt("user1", ""), now).is_some());
    }
}
