//! Whoever decides about logins.

use std::sync::Arc;

use vpn_proto::Password;

use super::{Acceptance, Answer, ClientNumber, LoginAttempt, Username};

/// Decides about logins: a password file, a script, the management interface.
///
/// Implementations return at once. What takes time is done on other threads, with the answer in hand.
pub trait Decider: Send + Sync {
    /// Takes a question. `answer` may be kept; the client waits until it is used, or until its patience or the
    /// server's ends.
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer);

    /// The person at a client that waits answered a question of [`Answer::wait`]; `response` is in base64.
    fn take_response(&self, _client: ClientNumber, _key: u32, _response: &Password) {}

    /// A client whose question is open is gone, or its time is over: an answer comes to nothing.
    fn forget(&self, _client: ClientNumber, _key: u32) {}

    /// Whether it also decides about clients that send no user name, where that is optional.
    fn decides_about_nobody(&self) -> bool {
        false
    }

    /// Whether a user who once was accepted would still be known: tokens of others are refused.
    fn still_knows(&self, _username: &Username) -> bool {
        true
    }

    /// What it still says about a user who shows a token instead of a password; `None` for one who is not known any longer.
    fn recall(&self, username: &Username) -> Option<Acceptance> {
        self.still_knows(username).then(Acceptance::default)
    }
}
