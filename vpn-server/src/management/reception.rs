//! Where clients wait for the decision of the management client, and what it is to be told about them.
//!
//! The server's threads bring clients and news, the thread of the management interface takes them; a bell wakes it. As
//! with OpenVPN a client whose question nobody answers waits until its own patience or the server's ends; other than with
//! OpenVPN a management client that comes meanwhile is told of those that wait.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use vpn_proto::{Advance, Denial, Farewell, Password, Pending};

use crate::auth::login::{Answer, ClientFacts, ClientNumber, ClientWitness, Decider, LoginAttempt, Verdict};
use crate::control::connection::{Connection, Usage};

/// The most news that wait for the thread that takes them, which does so several times a second; the oldest are dropped.
const MOST_NEWS: usize = 65_536;

/// Clients that wait for a decision, and news for the management client.
pub(crate) struct Reception {
    state: Mutex<State>,
    bell: OwnedFd,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<(ClientNumber, u32), Waiting>,
    news: VecDeque<ClientNews>,
}

struct Waiting {
    attempt: Arc<LoginAttempt>,
    answer: Answer,
}

/// What happened to a client.
#[derive(Clone, Debug)]
pub(crate) enum ClientNews {
    /// It waits for a decision.
    Asks(Arc<LoginAttempt>),
    /// Its person answered a question while it waits; the answer is in base64.
    Responds(Arc<LoginAttempt>, Password),
    /// Its tunnel is up.
    Established(Arc<ClientFacts>, Arc<Connection>),
    /// It is gone; what it moved, if its tunnel was up.
    Left(Arc<ClientFacts>, Option<(Arc<Connection>, Usage)>),
}

impl Reception {
    pub(crate) fn open() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { state: Mutex::default(), bell })
    }

    /// Answers a client that waits; `false` if there is none such. `key_id` is the KID of the management interface.
    pub(super) fn answer(&self, client_id: u64, key_id: u32, verdict: Verdict) -> bool {
        let Some(key) = key(client_id, key_id) else { return false };
        let waiting = self.lock().waiting.remove(&key);
        waiting.map(|waiting| waiting.answer.decide(verdict)).is_some()
    }

    /// Asks a client that waits for more patience, and perhaps its person something; `false` if there is none such.
    pub(super) fn hold_on(&self, client_id: u64, key_id: u32, pending: Pending) -> bool {
        let Some(key) = key(client_id, key_id) else { return false };
        let mut state = self.lock();
        state.waiting.get_mut(&key).map(|waiting| waiting.answer.wait(pending)).is_some()
    }

    /// Sends away a client that waits, whichever of its keys is in question; `false` if there is none such.
    pub(super) fn dismiss(&self, client_id: u64, farewell: &Farewell) -> bool {
        let client = ClientNumber(client_id);
        let key = self.lock().waiting.range((client, 0)..=(client, u32::MAX)).next().map(|(key, _)| *key);
        let waiting = key.and_then(|key| self.lock().waiting.remove(&key));
        waiting.map(|waiting| waiting.answer.decide(dismissal(farewell))).is_some()
    }

    /// What happened since the last time.
    pub(super) fn take_news(&self) -> VecDeque<ClientNews> {
        let mut count = [0; 8];
        // There is nothing to read if it was not rung.
        let _ = rustix::io::read(&self.bell, &mut count);
        std::mem::take(&mut self.lock().news)
    }

    /// Everybody who waits, for somebody who has just come; what else happened before is not told.
    pub(super) fn roll_call(&self) -> Vec<ClientNews> {
        let mut state = self.lock();
        state.news.clear();
        state.waiting.values().map(|waiting| ClientNews::Asks(Arc::clone(&waiting.attempt))).collect()
    }

    /// What can be waited for until there are news.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn tell(&self, news: ClientNews) {
        self.announce(self.lock(), news);
    }

    fn announce(&self, mut state: MutexGuard<'_, State>, news: ClientNews) {
        state.news.push_back(news);
        if state.news.len() > MOST_NEWS {
            state.news.pop_front();
        }
        drop(state);
        // A bell that cannot be rung has been rung often enough; the thread also looks by itself.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Each change under the lock is complete, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Decider for Reception {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let mut state = self.lock();
        let key = (attempt.client.number, attempt.key);
        let former = state.waiting.insert(key, Waiting { attempt: Arc::clone(attempt), answer });
        self.announce(state, ClientNews::Asks(Arc::clone(attempt)));
        drop(former);
    }

    fn take_response(&self, client: ClientNumber, key: u32, response: &Password) {
        let state = self.lock();
        let Some(waiting) = state.waiting.get(&(client, key)) else { return };
        let news = ClientNews::Responds(Arc::clone(&waiting.attempt), response.clone());
        self.announce(state, news);
    }

    fn forget(&self, client: ClientNumber, key: u32) {
        let former = self.lock().waiting.remove(&(client, key));
        drop(former);
    }

    fn decides_about_nobody(&self) -> bool {
        true
    }
}

impl ClientWitness for Reception {
    fn connected(&self, client: &Arc<ClientFacts>, connection: &Arc<Connection>) {
        self.tell(ClientNews::Established(Arc::clone(client), Arc::clone(connection)));
    }

    fn disconnected(&self, client: &Arc<ClientFacts>, connection: &Arc<Connection>, usage: Usage) {
        self.tell(ClientNews::Left(Arc::clone(client), Some((Arc::clone(connection), usage))));
    }

    fn turned_away(&self, client: &Arc<ClientFacts>) {
        self.tell(ClientNews::Left(Arc::clone(client), None));
    }
}

/// The first TLS session of a client has the number 1 on the management interface.
fn key(client_id: u64, key_id: u32) -> Option<(ClientNumber, u32)> {
    Some((ClientNumber(client_id), key_id.checked_sub(1)?))
}

/// How a client is sent away that has no session yet to be ended.
fn dismissal(farewell: &Farewell) -> Verdict {
    let denial = |public: &str| Denial {
        code: "ended-by-management",
        public: public.to_owned(),
        detail: "the management client ended the attempt".to_owned(),
    };
    match farewell {
        Farewell::Restart(text) => Verdict::DenyFor {
            denial: denial(text),
            backoff: std::time::Duration::from_secs(1),
            advance: Advance::No,
        },
        Farewell::AuthFailed(text) | Farewell::Halt(text) => Verdict::Deny(denial(text)),
        Farewell::Silent => Verdict::Deny(denial("")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use crate::auth::login::LoginUpdate;
    use crate::testing::login::attempt;

    fn ask(reception: &Reception) -> Receiver<LoginUpdate> {
        let (sender, updates) = channel();
        let answer = Answer::new(move |update| drop(sender.send(update)));
        reception.decide(&Arc::new(attempt("alice", "secret")), answer);
        updates
    }

    #[test]
    fn a_client_waits_until_it_is_decided_about_once() {
        let reception = Reception::open().unwrap();
        let updates = ask(&reception);
        assert!(updates.try_recv().is_err());
        for (client_id, key_id) in [(7, 0), (7, 2), (8, 1)] {
            assert!(!reception.answer(client_id, key_id, Verdict::accept()));
        }
        assert!(reception.hold_on(7, 1, Pending { timeout: Duration::from_secs(60), prompt: None }));
        assert!(reception.answer(7, 1, Verdict::accept()));
        assert!(!reception.answer(7, 1, Verdict::accept()));
        let told: Vec<LoginUpdate> = updates.iter().collect();
        assert!(matches!(told[..], [LoginUpdate::Wait(_), LoginUpdate::Decided(Verdict::Accept(_))]));
    }

    #[test]
    fn who_left_cannot_be_decided_about() {
        let reception = Reception::open().unwrap();
        let updates = ask(&reception);
        reception.forget(ClientNumber(7), 0);
        assert!(!reception.answer(7, 1, Verdict::accept()));
        assert!(matches!(updates.recv(), Ok(LoginUpdate::Decided(Verdict::Deny(_)))), "nobody gets in");
    }

    #[test]
    fn who_waits_is_told_to_those_who_come_later_and_nothing_twice() {
        let reception = Reception::open().unwrap();
        let _updates = ask(&reception);
        assert!(matches!(reception.roll_call()[..], [ClientNews::Asks(_)]));
        assert!(reception.take_news().is_empty());
        assert!(matches!(reception.roll_call()[..], [ClientNews::Asks(_)]));
    }

    #[test]
    fn an_answer_of_a_person_is_passed_on_for_clients_that_wait() {
        let reception = Reception::open().unwrap();
        let response = Password::new("MTIz".to_owned());
        reception.take_response(ClientNumber(7), 0, &response);
        assert!(reception.take_news().is_empty());
        let _updates = ask(&reception);
        reception.take_response(ClientNumber(7), 0, &response);
        let news = reception.take_news();
        assert!(
            matches!(news.back(), Some(ClientNews::Responds(_, response)) if response.as_str() == "MTIz")
        );
    }

    #[test]
    fn a_client_that_waits_can_be_sent_away() {
        let reception = Reception::open().unwrap();
        let updates = ask(&reception);
        assert!(reception.dismiss(7, &Farewell::Halt("bye".to_owned())));
        assert!(!reception.dismiss(7, &Farewell::Halt("bye".to_owned())));
        let update = updates.recv().unwrap();
        assert!(matches!(&update, LoginUpdate::Decided(Verdict::Deny(denial)) if denial.public == "bye"));
    }

    #[test]
    fn net_04_news_that_nobody_takes_are_bounded() {
        let reception = Reception::open().unwrap();
        let client = Arc::clone(&attempt("alice", "secret").client);
        (0..=MOST_NEWS).for_each(|_| reception.turned_away(&client));
        assert_eq!(reception.take_news().len(), MOST_NEWS);
    }
}
