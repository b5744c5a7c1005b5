//! All that a login has to pass, in its order, and the tokens that come of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use pki_core::time::Timestamp;
use tracing::warn;
use vpn_proto::{Denial, Password, PushOption};

use super::token::{Session, TokenCheck, TokenOwner};
use super::{
    Acceptance, Answer, ClientNumber, ClientWitness, Decider, LoginAttempt, LoginUpdate, Occasion, Shown,
    TokenMint, Username, Verdict,
};
use crate::random;

/// Whether user names count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LoginPolicy {
    /// Certificates decide alone.
    #[default]
    NotAsked,
    /// Who sends a user name needs the right password, too.
    Optional,
    /// Everybody needs a user name and a password.
    Required,
}

/// Asks everybody who has to agree to a login.
pub struct Authenticator {
    policy: LoginPolicy,
    checks: Vec<Arc<dyn Decider>>,
    deciders: Vec<Arc<dyn Decider>>,
    tokens: Option<Arc<TokenMint>>,
}

/// Those who decide beside what the configuration names: the management interface, or a program that embeds the server.
#[derive(Clone, Default)]
pub struct LoginPlugins {
    /// Asked about everybody, whether credentials were sent or not.
    pub checks: Vec<Arc<dyn Decider>>,
    /// Asked about user names and passwords.
    pub deciders: Vec<Arc<dyn Decider>>,
    /// Hears of clients that come and go.
    pub witness: Option<Arc<dyn ClientWitness>>,
}

/// A login that is on its way from one decider to the next.
struct Round {
    attempt: Arc<LoginAttempt>,
    remaining: VecDeque<Arc<dyn Decider>>,
    gathered: Acceptance,
    answer: Answer,
}

impl Authenticator {
    /// Nobody is asked: certificates decide alone.
    #[must_use]
    pub const fn without_logins() -> Self {
        Self { policy: LoginPolicy::NotAsked, checks: Vec::new(), deciders: Vec::new(), tokens: None }
    }

    /// Logins by `policy`, which all of `deciders` have to accept.
    #[must_use]
    pub fn new(policy: LoginPolicy, deciders: Vec<Arc<dyn Decider>>, tokens: Option<TokenMint>) -> Self {
        Self { policy, checks: Vec::new(), deciders, tokens: tokens.map(Arc::new) }
    }

    /// The same, with checks that everybody has to pass before, whether credentials are asked for or not.
    #[must_use]
    pub fn with_checks(self, checks: Vec<Arc<dyn Decider>>) -> Self {
        Self { checks, ..self }
    }

    /// The same, with others beside those that are asked already. Where nobody was asked about user names, they are needed
    /// from then on if `plugins` has deciders.
    #[must_use]
    pub fn with_plugins(mut self, plugins: LoginPlugins) -> Self {
        if self.policy == LoginPolicy::NotAsked && !plugins.deciders.is_empty() {
            self.policy = LoginPolicy::Required;
        }
        self.checks.extend(plugins.checks);
        self.deciders.extend(plugins.deciders);
        self
    }

    /// Whether anybody is asked at all, at the first time and at renegotiations.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.policy != LoginPolicy::NotAsked || !self.checks.is_empty()
    }

    /// Whether user names are checked, and so are names of somebody.
    #[must_use]
    pub fn checks_credentials(&self) -> bool {
        self.policy != LoginPolicy::NotAsked
    }

    /// Finds out whether a client gets in; `answer` hears of it, perhaps before this returns.
    pub fn begin(&self, mut attempt: LoginAttempt, answer: Answer) {
        let mut remaining: VecDeque<_> = self.checks.iter().cloned().collect();
        let mut gathered = Acceptance::default();
        match self.credentials_step(&mut attempt) {
            Step::Nothing => {}
            Step::Recalled(acceptance) => gathered = acceptance,
            Step::Ask(push) => {
                remaining.extend(self.deciders.iter().cloned());
                gathered.push = push;
            }
            Step::AskAboutNobody(push) => {
                gathered.push = push;
                let deciders = self.deciders.iter().filter(|decider| decider.decides_about_nobody());
                remaining.extend(deciders.cloned());
            }
            Step::Refuse(verdict) => return answer.decide(verdict),
        }
        Round { attempt: Arc::new(attempt), remaining, gathered, answer }.go_on();
    }

    /// Carries an answer to a question to whoever asked it.
    pub fn take_response(&self, client: ClientNumber, key: u32, response: &Password) {
        for decider in self.deciders.iter().chain(&self.checks) {
            decider.take_response(client, key, response);
        }
    }

    /// A client that waits for a decision is gone.
    pub fn forget(&self, client: ClientNumber, key: u32) {
        for decider in self.deciders.iter().chain(&self.checks) {
            decider.forget(client, key);
        }
    }

    fn credentials_step(&self, attempt: &mut LoginAttempt) -> Step {
        if self.policy == LoginPolicy::NotAsked {
            return Step::Nothing;
        }
        match (attempt.username.clone(), attempt.shown.clone()) {
            (Some(username), Some(Shown::Token(token))) if self.tokens.is_some() => {
                self.token_step(attempt, &username, &token)
            }
            (Some(username), _) => Step::Ask(self.first_token(attempt, TokenOwner::User(&username))),
            (None, _) if self.may_be_nobody(attempt) => Step::AskAboutNobody(self.token_of_nobody(attempt)),
            (None, _) => Step::Refuse(Verdict::Deny(no_credentials())),
        }
    }

    /// Whether the client may come without a user name.
    fn may_be_nobody(&self, attempt: &LoginAttempt) -> bool {
        self.policy == LoginPolicy::Optional && attempt.client.certificate.is_some()
    }

    fn token_step(&self, attempt: &mut LoginAttempt, username: &Username, token: &Password) -> Step {
        let Some(mint) = &self.tokens else { return Step::Nothing };
        let (now, client) = (now(), Arc::clone(&attempt.client));
        let holder =
            self.may_be_nobody(attempt).then_some(TokenOwner::Certificate(client.common_name.as_str()));
        let owners = [Some(TokenOwner::User(username)), holder].into_iter().flatten();
        let found = owners.map(|owner| (owner, mint.check(owner, token, now)));
        let Some((owner, check)) = found.into_iter().find(|(_, check)| *check != TokenCheck::Forged) else {
            return Step::Refuse(token_denied("token-invalid", "the token is not genuine"));
        };
        if let TokenOwner::Certificate(_) = owner {
            // It was told the name that it shows, and never asked who it is.
            attempt.username = None;
        }
        self.judge_token(mint, attempt, owner, check)
    }

    fn judge_token(
        &self,
        mint: &TokenMint,
        attempt: &mut LoginAttempt,
        owner: TokenOwner<'_>,
        check: TokenCheck,
    ) -> Step {
        let (session, is_expired) = match check {
            TokenCheck::Good(session) => (session, false),
            TokenCheck::Expired(session) => (session, true),
            TokenCheck::Forged => {
                return Step::Refuse(token_denied("token-invalid", "the token is not genuine"));
            }
        };
        let push = mint.push(owner, &session, now());
        if mint.settings().asks_deciders {
            attempt.token = Some(session.standing(standing(owner, is_expired)));
            return match owner {
                TokenOwner::User(_) => Step::Ask(push),
                TokenOwner::Certificate(_) => Step::AskAboutNobody(push),
            };
        }
        if is_expired {
            return Step::Refuse(token_denied("token-expired", "the token's time is over"));
        }
        let mut acceptance = Acceptance { push, ..Acceptance::default() };
        if let TokenOwner::User(username) = owner {
            for decider in &self.deciders {
                let Some(recalled) = decider.recall(username) else {
                    let detail = "the user of the token is not known any longer";
                    return Step::Refuse(token_denied("token-orphaned", detail));
                };
                acceptance.extend(recalled);
            }
        }
        Step::Recalled(acceptance)
    }

    /// A token that spares the client the next question; nothing where nobody asks one.
    fn token_of_nobody(&self, attempt: &mut LoginAttempt) -> Vec<PushOption> {
        if !self.deciders.iter().any(|decider| decider.decides_about_nobody()) {
            return Vec::new();
        }
        let client = Arc::clone(&attempt.client);
        self.first_token(attempt, TokenOwner::Certificate(&client.common_name))
    }

    /// What is pushed to somebody who turns out to be welcome.
    fn first_token(&self, attempt: &mut LoginAttempt, owner: TokenOwner<'_>) -> Vec<PushOption> {
        let Some(mint) = &self.tokens else { return Vec::new() };
        let now = now();
        let session: Session = match random::bytes() {
            Ok(id) => mint.begin(id, now),
            Err(error) => {
                warn!(%error, "no token could be made");
                return Vec::new();
            }
        };
        if mint.settings().asks_deciders {
            attempt.token = Some(session.standing("Initial"));
        }
        mint.push(owner, &session, now)
    }
}

/// What the credentials of an attempt need.
enum Step {
    /// Nothing.
    Nothing,
    /// Nothing; this is known of the user.
    Recalled(Acceptance),
    /// The deciders' consent; then this is pushed.
    Ask(Vec<PushOption>),
    /// The consent of those deciders that need no user name; then this is pushed.
    AskAboutNobody(Vec<PushOption>),
    /// They are not good.
    Refuse(Verdict),
}

impl Round {
    fn go_on(mut self) {
        let Some(decider) = self.remaining.pop_front() else {
            return self.answer.decide(Verdict::Accept(with_one_name(self.gathered, self.attempt.occasion)));
        };
        let attempt = Arc::clone(&self.attempt);
        let mut round = Some(self);
        let tell = move |update| match update {
            LoginUpdate::Wait(pending) => {
                if let Some(round) = &mut round {
                    round.answer.wait(pending);
                }
            }
            LoginUpdate::Decided(verdict) => {
                if let Some(round) = round.take() {
                    round.take(verdict);
                }
            }
        };
        decider.decide(&attempt, Answer::new(tell));
    }

    fn take(mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accept(acceptance) => {
                self.gathered.extend(acceptance);
                self.go_on();
            }
            other @ (Verdict::Deny(_)
            | Verdict::DenyFor { .. }
            | Verdict::DenyToken(_)
            | Verdict::Challenge(_)) => self.answer.decide(other),
        }
    }
}

/// A decider that gives the client a name to show with its token has the last word, and a connected client keeps the one
/// that it has.
fn with_one_name(mut acceptance: Acceptance, occasion: Occasion) -> Acceptance {
    const NAME: &str = "auth-token-user";
    let has_one = acceptance.directives.iter().any(|line| line.contains(NAME));
    if has_one || occasion == Occasion::Renegotiation {
        acceptance.push.retain(|option| option.name() != NAME);
    }
    acceptance
}

/// What deciders and programs are told about a token, in OpenVPN's words.
const fn standing(owner: TokenOwner<'_>, is_expired: bool) -> &'static str {
    match (owner, is_expired) {
        (TokenOwner::User(_), false) => "Authenticated",
        (TokenOwner::User(_), true) => "Expired",
        (TokenOwner::Certificate(_), false) => "AuthenticatedEmptyUser",
        (TokenOwner::Certificate(_), true) => "ExpiredEmptyUser",
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn no_credentials() -> Denial {
    Denial {
        code: "no-credentials",
        public: "a user name and a password are needed".to_owned(),
        detail: "the client sent no user name".to_owned(),
    }
}

fn token_denied(code: &'static str, detail: &str) -> Verdict {
    let public = "the login has expired".to_owned();
    Verdict::DenyToken(Denial { code, public, detail: detail.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use vpn_proto::Pending;
    use zeroize::Zeroizing;

    use super::*;
    use crate::auth::login::{TokenKey, TokenSettings, TokenStanding};
    use crate::testing::login::{attempt, nobody};

    /// Accepts whoever shows this password, and notes whom it was asked about.
    struct Table {
        password: &'static str,
        knows: bool,
        asked: Mutex<Vec<Option<TokenStanding>>>,
    }

    impl Table {
        fn new(password: &'static str) -> Arc<Self> {
            Arc::new(Self { password, knows: true, asked: Mutex::default() })
        }

        fn times_asked(&self) -> usize {
            self.asked.lock().unwrap().len()
        }
    }

    impl Decider for Table {
        fn decide(&self, attempt: &Arc<LoginAttempt>, mut answer: Answer) {
            self.asked.lock().unwrap().push(attempt.token.clone());
            answer.wait(Pending { timeout: Duration::from_secs(9), prompt: None });
            let is_right =
                attempt.password.as_ref().is_some_and(|password| password.as_str() == self.password);
            let directives = vec![format!("push \"echo {}\"", self.password)];
            answer.decide(if is_right {
                Verdict::Accept(Acceptance { directives, ..Acceptance::default() })
            } else {
                Verdict::wrong_credentials("wrong-password", "")
            });
        }

        fn still_knows(&self, _username: &Username) -> bool {
            self.knows
        }
    }

    /// Decides about clients without a user name, too.
    struct Doorkeeper(Arc<Table>);

    impl Decider for Doorkeeper {
        fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
            self.0.decide(attempt, answer);
        }

        fn decides_about_nobody(&self) -> bool {
            true
        }
    }

    /// Lets everybody in, and remembers whether there was a user name, and how the token stood.
    #[derive(Default)]
    struct Gate(Mutex<Vec<(bool, Option<&'static str>)>>);

    impl Gate {
        fn asked(&self) -> Vec<(bool, Option<&'static str>)> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Decider for Gate {
        fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
            let state = attempt.token.as_ref().map(|token| token.state);
            self.0.lock().unwrap().push((attempt.username.is_some(), state));
            answer.decide(Verdict::accept());
        }

        fn decides_about_nobody(&self) -> bool {
            true
        }
    }

    fn begin(authenticator: &Authenticator, attempt: LoginAttempt) -> Receiver<LoginUpdate> {
        let (sender, updates) = channel();
        authenticator.begin(attempt, Answer::new(move |update| sender.send(update).unwrap()));
        updates
    }

    fn verdict(authenticator: &Authenticator, attempt: LoginAttempt) -> Verdict {
        let decided = begin(authenticator, attempt).iter().find_map(|update| match update {
            LoginUpdate::Decided(verdict) => Some(verdict),
            LoginUpdate::Wait(_) => None,
        });
        decided.unwrap()
    }

    fn code(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Accept(_) => "accepted",
            Verdict::Deny(denial) | Verdict::DenyFor { denial, .. } | Verdict::DenyToken(denial) => {
                denial.code
            }
            Verdict::Challenge(_) => "challenge",
        }
    }

    fn mint(asks_deciders: bool, renewal: Duration) -> TokenMint {
        let settings = TokenSettings { lifetime: None, renewal, asks_deciders };
        TokenMint::new(TokenKey::new(Zeroizing::new([7; 32])), settings)
    }

    /// The token that is pushed with this verdict.
    fn token_of(verdict: &Verdict) -> String {
        let Verdict::Accept(acceptance) = verdict else { panic!("{verdict:?}") };
        acceptance.push[0].as_str().strip_prefix("auth-token ").unwrap().to_owned()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn without_logins_nobody_is_asked() {
        let authenticator = Authenticator::without_logins();
        assert!(!authenticator.asks());
        assert_eq!(code(&verdict(&authenticator, attempt("alice", "whatever"))), "accepted");
    }

    #[test]
    fn every_decider_has_to_accept_and_the_first_no_counts() {
        let (first, second) = (Table::new("a"), Table::new("b"));
        let of = |deciders| Authenticator::new(LoginPolicy::Required, deciders, None);
        let both = of(vec![first.clone(), second.clone()]);
        assert_eq!(code(&verdict(&both, attempt("alice", "a"))), "wrong-password");
        assert_eq!((first.times_asked(), second.times_asked()), (1, 1));
        assert_eq!(code(&verdict(&both, attempt("alice", "b"))), "wrong-password");
        assert_eq!((first.times_asked(), second.times_asked()), (2, 1));
        let twice = of(vec![first.clone(), first]);
        let Verdict::Accept(acceptance) = verdict(&twice, attempt("alice", "a")) else { panic!() };
        assert_eq!(acceptance.directives, ["push \"echo a\"", "push \"echo a\""]);
    }

    #[test]
    fn patience_that_a_decider_asks_for_is_passed_on() {
        let authenticator = Authenticator::new(LoginPolicy::Required, vec![Table::new("a")], None);
        let updates: Vec<_> = begin(&authenticator, attempt("alice", "a")).iter().collect();
        assert!(matches!(updates[..], [LoginUpdate::Wait(_), LoginUpdate::Decided(Verdict::Accept(_))]));
    }

    #[test]
    fn who_sends_no_name_gets_in_only_where_names_are_optional_and_with_a_certificate() {
        for (policy, with_certificate, expected) in [
            (LoginPolicy::Required, true, "no-credentials"),
            (LoginPolicy::Optional, true, "accepted"),
            (LoginPolicy::Optional, false, "no-credentials"),
        ] {
            let authenticator = Authenticator::new(policy, vec![Table::new("a")], None);
            assert_eq!(code(&verdict(&authenticator, nobody(with_certificate))), expected, "{policy:?}");
        }
    }

    #[test]
    fn where_names_are_optional_a_wrong_password_is_still_wrong() {
        let authenticator = Authenticator::new(LoginPolicy::Optional, vec![Table::new("a")], None);
        assert_eq!(code(&verdict(&authenticator, attempt("alice", "b"))), "wrong-password");
    }

    #[test]
    fn where_names_are_optional_those_who_need_none_are_asked_about_clients_without_one() {
        let (plain, doorkeeper) = (Table::new("a"), Arc::new(Doorkeeper(Table::new("b"))));
        let deciders: Vec<Arc<dyn Decider>> = vec![plain.clone(), doorkeeper.clone()];
        let optional = Authenticator::new(LoginPolicy::Optional, deciders.clone(), None);
        assert_eq!(code(&verdict(&optional, nobody(true))), "wrong-password");
        assert_eq!(code(&verdict(&optional, nobody(false))), "no-credentials");
        assert_eq!((plain.times_asked(), doorkeeper.0.times_asked()), (0, 1));
        let required = Authenticator::new(LoginPolicy::Required, deciders, None);
        assert_eq!(code(&verdict(&required, nobody(true))), "no-credentials");
    }

    #[test]
    fn checks_come_first_and_count_for_everybody() {
        let (check, decider) = (Table::new("a"), Table::new("b"));
        let authenticator =
            Authenticator::new(LoginPolicy::Required, vec![decider.clone()], None).with_checks(vec![check]);
        assert_eq!(code(&verdict(&authenticator, attempt("alice", "b"))), "wrong-password");
        assert_eq!(decider.times_asked(), 0);
        let alone = Authenticator::without_logins().with_checks(vec![Table::new("a")]);
        assert!(alone.asks() && !alone.checks_credentials());
        assert_eq!(code(&verdict(&alone, nobody(true))), "wrong-password");
    }

    #[test]
    fn plugins_are_asked_beside_the_others_and_make_user_names_count() {
        let plugins = LoginPlugins { deciders: vec![Table::new("a")], ..LoginPlugins::default() };
        let authenticator = Authenticator::without_logins().with_plugins(plugins);
        assert!(authenticator.checks_credentials());
        assert_eq!(code(&verdict(&authenticator, nobody(true))), "no-credentials");
        assert_eq!(code(&verdict(&authenticator, attempt("alice", "a"))), "accepted");
        let plugins = LoginPlugins { checks: vec![Table::new("b")], ..LoginPlugins::default() };
        let authenticator = Authenticator::without_logins().with_plugins(plugins);
        assert!(authenticator.asks() && !authenticator.checks_credentials());
        assert_eq!(code(&verdict(&authenticator, attempt("alice", "b"))), "accepted");
    }

    #[test]
    fn a_token_replaces_the_password_and_is_renewed() {
        let table = Table::new("secret");
        let authenticator =
            Authenticator::new(LoginPolicy::Required, vec![table.clone()], Some(mint(false, HOUR)));
        let first = token_of(&verdict(&authenticator, attempt("alice", "secret")));
        let second = verdict(&authenticator, attempt("alice", &first));
        assert!(token_of(&second).starts_with(&first[..27]), "the session id and the first login stay");
        assert_eq!(table.times_asked(), 1);
        assert_eq!(code(&verdict(&authenticator, attempt("bob", &first))), "token-invalid");
    }

    #[test]
    fn who_got_in_without_a_name_gets_a_token_for_its_certificate_and_is_not_asked_again() {
        let gate = Arc::new(Gate::default());
        let with = |policy, asks| Authenticator::new(policy, vec![gate.clone()], Some(mint(asks, HOUR)));
        let first = verdict(&with(LoginPolicy::Optional, false), nobody(true));
        let Verdict::Accept(acceptance) = &first else { panic!("{first:?}") };
        assert!(acceptance.push[1].as_str().starts_with("auth-token-user "), "{:?}", acceptance.push);
        let token = token_of(&first);
        let again = || attempt("whatever it was told", &token);
        assert!(token_of(&verdict(&with(LoginPolicy::Optional, false), again())).starts_with(&token[..27]));
        assert_eq!(gate.asked(), [(false, None)]);
        assert_eq!(code(&verdict(&with(LoginPolicy::Optional, true), again())), "accepted");
        assert_eq!(gate.asked()[1], (false, Some("AuthenticatedEmptyUser")), "it proved no user name");
        let required = verdict(&with(LoginPolicy::Required, false), again());
        assert_eq!(code(&required), "token-invalid");
    }

    #[test]
    fn a_decider_may_choose_the_name_that_goes_with_the_token() {
        let option = |text: &str| PushOption::parse(text).unwrap();
        let both = [option("auth-token x"), option("auth-token-user YWxpY2U=")];
        let ours = Acceptance { push: both.to_vec(), ..Acceptance::default() };
        assert_eq!(with_one_name(ours.clone(), Occasion::Connect).push, both);
        assert_eq!(with_one_name(ours.clone(), Occasion::Renegotiation).push, both[..1], "it has one by now");
        let theirs = Acceptance { directives: vec!["push \"auth-token-user Ym9i\"".to_owned()], ..ours };
        assert_eq!(with_one_name(theirs, Occasion::Connect).push, both[..1]);
    }

    #[test]
    fn a_wrong_password_gets_no_token() {
        let authenticator =
            Authenticator::new(LoginPolicy::Required, vec![Table::new("a")], Some(mint(false, HOUR)));
        assert_eq!(code(&verdict(&authenticator, attempt("alice", "b"))), "wrong-password");
    }

    #[test]
    fn an_old_token_makes_the_client_ask_its_person_again() {
        let authenticator = Authenticator::new(
            LoginPolicy::Required,
            vec![Table::new("a")],
            Some(mint(false, Duration::ZERO)),
        );
        let token = token_of(&verdict(&authenticator, attempt("alice", "a")));
        let refused = verdict(&authenticator, attempt("alice", &token));
        assert!(
            matches!(&refused, Verdict::DenyToken(denial) if denial.code == "token-expired"),
            "{refused:?}"
        );
    }

    #[test]
    fn the_token_of_a_user_that_was_deleted_is_worth_nothing() {
        let decider = Arc::new(Table { password: "a", knows: false, asked: Mutex::default() });
        let authenticator = Authenticator::new(LoginPolicy::Required, vec![decider], Some(mint(false, HOUR)));
        let token = token_of(&verdict(&authenticator, attempt("alice", "a")));
        assert_eq!(code(&verdict(&authenticator, attempt("alice", &token))), "token-orphaned");
    }

    #[test]
    fn deciders_that_want_to_hear_of_tokens_do() {
        let table = Table::new("a");
        let authenticator =
            Authenticator::new(LoginPolicy::Required, vec![table.clone()], Some(mint(true, Duration::ZERO)));
        let token = token_of(&verdict(&authenticator, attempt("alice", "a")));
        assert_eq!(code(&verdict(&authenticator, attempt("alice", &token))), "wrong-password");
        let asked = table.asked.lock().unwrap();
        let states: Vec<_> = asked.iter().flatten().map(|standing| standing.state).collect();
        assert_eq!(states, ["Initial", "Expired"]);
        assert_eq!(asked[0].as_ref().unwrap().session_id, asked[1].as_ref().unwrap().session_id);
    }

    #[test]
    fn without_tokens_a_token_is_a_password_like_any_other() {
        let authenticator = Authenticator::new(LoginPolicy::Required, vec![Table::new("SESS_ID_AT_x")], None);
        assert_eq!(code(&verdict(&authenticator, attempt("alice", "SESS_ID_AT_x"))), "accepted");
    }
}
