//! The way in: from a client that proved who it is to a session, and the credentials that are shown again later.
//!
//! ```text
//!   receive_client ─► login (whoever has to agree) ─► a place ─► client-connect ─► grant
//!                        │ no                           │ none       │ no: the place is given back
//!                        └──────────────────────────────┴────────────┴──► the client is told
//! ```
//!
//! Whoever is asked answers by a command to this shard, with the number of the question; an answer to another question
//! than the one that is open comes to nothing. Nothing here waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pki_core::text::Printable;
use tracing::{debug, warn};
use vpn_proto::{
    Authorization, AuthorizationRequest, Denial, Farewell, Password, Path, Pending, Prompt, PushOption,
    Reauthorization, SessionHandle,
};

use super::super::admission::{Admitted, certificate_facts, device_facts, internal};
use super::super::chronicle::wall_clock;
use super::super::counters::Counted;
use super::super::whereabouts::Holder;
use super::{Command, Moment, STOPPING, Session, Shard};
use crate::auth::CertificatePath;
use crate::auth::login::{
    Acceptance, Answer, ClientFacts, LoginAttempt, LoginUpdate, Occasion, Shown, Username, Verdict,
};
use crate::config::ClientDirectives;

/// Names one question of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct Question(u64);

/// A client that is not in yet.
pub(super) struct Candidate {
    request: Box<AuthorizationRequest>,
    facts: Arc<ClientFacts>,
    username: Option<Username>,
    certificates: CertificatePath,
    question: Question,
    stage: Stage,
}

/// What a candidate waits for.
enum Stage {
    /// Whoever has to agree to its login.
    Login,
    /// The program of `client-connect`; the place is taken.
    Introduction(Box<Admitted>, Acceptance),
}

impl Shard {
    /// A client proved who it is, as far as its certificate goes.
    pub(super) fn receive_client(&mut self, session: SessionHandle, request: Box<AuthorizationRequest>) {
        let now = self.now();
        if self.shared.closed.load(Ordering::Acquire) {
            self.endpoint.close(now, session, Farewell::Restart(STOPPING.to_owned()));
            return;
        }
        if let Some(denial) = self.shared.admissions.live.load().standing.refusal() {
            self.shared.chronicle.counters.count(Counted::Unavailable);
            return self.refuse(now, session, &request, None, Verdict::Deny(denial));
        }
        match self.candidate(request) {
            Ok(candidate) if self.shared.admissions.authenticator.asks() => self.ask(session, candidate),
            Ok(candidate) => self.seat(now, session, candidate, Acceptance::default()),
            Err(refusal) => {
                let (request, denial) = *refusal;
                self.refuse(now, session, &request, None, Verdict::Deny(denial));
            }
        }
    }

    /// News about a question; those about one that is not open any longer come to nothing.
    pub(super) fn take_answer(
        &mut self,
        now: Moment,
        session: SessionHandle,
        question: Question,
        update: LoginUpdate,
    ) {
        if let Some(candidate) =
            self.candidates.get(&session).filter(|candidate| candidate.question == question)
        {
            let facts = Arc::clone(&candidate.facts);
            match self.within_abilities(update, &facts, 0) {
                LoginUpdate::Wait(pending) => {
                    self.endpoint.authorize(now, session, Authorization::Pending(pending));
                }
                LoginUpdate::Decided(verdict) => self.proceed(now, session, verdict),
            }
        } else if let Some(granted) = self.sessions.get(&session)
            && granted.question == Some(question)
        {
            let (facts, key) = (Arc::clone(&granted.facts), granted.keys);
            let update = self.within_abilities(update, &facts, key);
            if matches!(update, LoginUpdate::Decided(_))
                && let Some(granted) = self.sessions.get_mut(&session)
            {
                granted.question = None;
            }
            self.reauthorize(now, session, update);
        }
    }

    /// The update as it is, or a refusal where it has the client ask its person what it cannot ask: nobody would ever
    /// answer.
    fn within_abilities(&self, update: LoginUpdate, client: &ClientFacts, key: u32) -> LoginUpdate {
        match &update {
            LoginUpdate::Wait(Pending { prompt: Some(prompt), .. })
                if !prompt.is_within_abilities_of(&client.peer_info) =>
            {
                self.shared.admissions.authenticator.forget(client.number, key);
                LoginUpdate::Decided(Verdict::Deny(cannot_ask(prompt)))
            }
            LoginUpdate::Wait(_) | LoginUpdate::Decided(_) => update,
        }
    }

    /// A connected client renegotiated and showed its credentials again.
    pub(super) fn ask_again(
        &mut self,
        handle: SessionHandle,
        shown: Option<&str>,
        password: Option<Password>,
    ) {
        let question = self.new_question();
        let Some(session) = self.sessions.get_mut(&handle) else { return };
        if session.question.replace(question).is_some() {
            self.shared.admissions.authenticator.forget(session.facts.number, session.keys);
        }
        session.keys += 1;
        let username = session.connection.username.as_deref().or(shown);
        let username = username.and_then(|name| Username::parse(name).ok());
        let attempt = LoginAttempt {
            client: Arc::clone(&session.facts),
            key: session.keys,
            occasion: Occasion::Renegotiation,
            username,
            shown: password.as_ref().map(Shown::parse),
            password,
            token: None,
        };
        let answer = self.answer(handle, question);
        self.shared.admissions.authenticator.begin(attempt, answer);
    }

    /// The person at a client that waits answered a question.
    pub(super) fn pass_on(&self, session: SessionHandle, response: &Password) {
        let of_session = self.sessions.get(&session).map(|session| (session.facts.number, session.keys));
        let of_candidate = || self.candidates.get(&session).map(|candidate| (candidate.facts.number, 0));
        if let Some((client, key)) = of_session.or_else(of_candidate) {
            self.shared.admissions.authenticator.take_response(client, key, response);
        }
    }

    /// A candidate is gone, or its time is over.
    pub(super) fn forget_candidate(&mut self, session: SessionHandle) {
        let Some(candidate) = self.candidates.remove(&session) else { return };
        self.note_turned_away(&candidate.facts);
        match candidate.stage {
            Stage::Login => self.shared.admissions.authenticator.forget(candidate.facts.number, 0),
            Stage::Introduction(..) => {
                if let Some(hooks) = &self.shared.hooks {
                    hooks.forget(candidate.facts.number);
                }
                self.shared.admissions.registry.release(self.key(session));
            }
        }
    }

    pub(super) fn forget_candidates(&mut self) {
        for session in self.candidates.keys().copied().collect::<Vec<_>>() {
            self.forget_candidate(session);
        }
    }

    /// Who waits, and where.
    pub(super) fn candidate_addresses(&self) -> Vec<(SessionHandle, SocketAddr)> {
        let candidates = self.candidates.iter();
        candidates.map(|(handle, candidate)| (*handle, candidate.request.path.remote)).collect()
    }

    pub(super) fn forget_candidates_at(&mut self, path: &Path) {
        let is_there = |candidate: &Candidate| candidate.request.path.remote == path.remote;
        let there: Vec<SessionHandle> = self
            .candidates
            .iter()
            .filter(|(_, candidate)| is_there(candidate))
            .map(|(handle, _)| *handle)
            .collect();
        for session in there {
            self.forget_candidate(session);
        }
    }

    /// All that is known of a client before anybody is asked about it.
    fn candidate(
        &mut self,
        request: Box<AuthorizationRequest>,
    ) -> Result<Candidate, Box<(Box<AuthorizationRequest>, Denial)>> {
        let checked = self.certificates_of(&request).and_then(|certificates| {
            refuse_long_password(request.password.as_ref())?;
            let username = request.username.as_deref().map(Username::parse).transpose();
            username.map(|username| (certificates, username)).map_err(|error| bad_username(&error))
        });
        let (certificates, username) = match checked {
            Ok(checked) => checked,
            Err(denial) => return Err(Box::new((request, denial))),
        };
        let facts = Arc::new(self.facts(&request, username.as_ref()));
        Ok(Candidate {
            facts,
            username,
            certificates,
            question: self.new_question(),
            stage: Stage::Login,
            request,
        })
    }

    fn facts(&self, request: &AuthorizationRequest, username: Option<&Username>) -> ClientFacts {
        let identity = &request.identity;
        let admissions = &self.shared.admissions;
        let name = username.filter(|_| admissions.limits.username_as_common_name);
        ClientFacts {
            number: admissions.count_client(),
            remote: request.path.remote,
            common_name: name.map_or_else(|| identity.common_name.clone(), ToString::to_string),
            certificate: identity.has_certificate().then(|| certificate_facts(identity)),
            certificate_groups: self.shared.trust.groups_of(&identity.fingerprint),
            chain: self.shared.trust.chain_of(&identity.fingerprint),
            peer_info: request.peer_info.clone(),
            transport: request.path.transport,
            tls_crypt_v2_metadata: request.tls_crypt_v2_metadata.clone(),
        }
    }

    /// Without its verified path a session could not be found again by a revocation, so it is not let in. And what was
    /// revoked since its certificate was checked has passed by: the session was not among those to be closed yet.
    fn certificates_of(&self, request: &AuthorizationRequest) -> Result<CertificatePath, Denial> {
        if !request.identity.has_certificate() {
            return Ok(CertificatePath::from([]));
        }
        let certificates = self
            .shared
            .trust
            .path_of(&request.identity.fingerprint)
            .ok_or_else(|| internal("the verified path of the certificate was forgotten"))?;
        self.refuse_revoked(&certificates)?;
        Ok(certificates)
    }

    fn refuse_revoked(&self, certificates: &CertificatePath) -> Result<(), Denial> {
        self.shared.trust.snapshot().revocation_of(certificates, wall_clock()).map_or(Ok(()), Err)
    }

    fn ask(&mut self, session: SessionHandle, candidate: Candidate) {
        let attempt = LoginAttempt {
            client: Arc::clone(&candidate.facts),
            key: 0,
            occasion: Occasion::Connect,
            username: candidate.username.clone(),
            password: candidate.request.password.clone(),
            shown: candidate.request.password.as_ref().map(Shown::parse),
            token: None,
        };
        let answer = self.answer(session, candidate.question);
        self.candidates.insert(session, candidate);
        self.shared.admissions.authenticator.begin(attempt, answer);
    }

    /// A candidate has passed what it waited for, or not.
    fn proceed(&mut self, now: Moment, session: SessionHandle, verdict: Verdict) {
        let Some(candidate) = self.candidates.remove(&session) else { return };
        match (verdict, candidate.stage) {
            (Verdict::Accept(acceptance), Stage::Login) => {
                self.seat(now, session, Candidate { stage: Stage::Login, ..candidate }, acceptance);
            }
            (Verdict::Accept(acceptance), Stage::Introduction(admitted, mut login)) => {
                let admitted = (*admitted).with_more_from(&acceptance);
                login.extend(acceptance);
                let candidate = Candidate { stage: Stage::Login, ..candidate };
                self.let_in(now, session, candidate, admitted, login);
            }
            (refusal, stage) => {
                if matches!(stage, Stage::Introduction(..)) {
                    self.shared.admissions.registry.release(self.key(session));
                }
                self.refuse(now, session, &candidate.request, Some(&candidate.facts), refusal);
            }
        }
    }

    /// Finds a place for a client whose login is good. Its certificate may have been revoked meanwhile.
    fn seat(&mut self, now: Moment, session: SessionHandle, candidate: Candidate, login: Acceptance) {
        let Candidate { request, facts, .. } = &candidate;
        let admissions = &self.shared.admissions;
        let username = candidate.username.as_ref().filter(|_| admissions.authenticator.checks_credentials());
        let admitted = self.refuse_revoked(&candidate.certificates).and_then(|()| {
            admissions.admit(self.key(session), request, facts, username, &login, wall_clock())
        });
        match admitted {
            Ok(admitted) => {
                if let Some(evicted) = admitted.admission.evicted {
                    self.evict(evicted, request.path);
                }
                self.introduce(now, session, candidate, admitted, login);
            }
            Err(denial) => self.refuse(now, session, request, Some(facts), Verdict::Deny(denial)),
        }
    }

    fn introduce(
        &mut self,
        now: Moment,
        session: SessionHandle,
        candidate: Candidate,
        admitted: Admitted,
        login: Acceptance,
    ) {
        let Some(hooks) = self.shared.hooks.clone().filter(|hooks| hooks.introduces()) else {
            return self.let_in(now, session, candidate, admitted, login);
        };
        let question = self.new_question();
        let (facts, connection) = (Arc::clone(&candidate.facts), Arc::clone(&admitted.connection));
        let groups = login.groups.clone();
        let stage = Stage::Introduction(Box::new(admitted), login);
        self.candidates.insert(session, Candidate { question, stage, ..candidate });
        hooks.introduce(&facts, &connection, &groups, self.answer(session, question));
    }

    /// Nothing is missing: the candidate becomes a session.
    fn let_in(
        &mut self,
        now: Moment,
        handle: SessionHandle,
        candidate: Candidate,
        admitted: Admitted,
        login: Acceptance,
    ) {
        let Candidate { request, facts, certificates, .. } = candidate;
        let Admitted { connection, admission } = admitted;
        let (directives, ignored) = ClientDirectives::parse(&login.directives);
        for line in ignored {
            let client = Printable(&facts.common_name).to_string();
            warn!(
                client,
                line = Printable(&line.line).to_string(),
                reason = line.reason,
                "a directive is ignored"
            );
        }
        let late = self.refuse_revoked(&certificates).and_then(|()| refuse_disabled(&directives));
        if let Err(denial) = late {
            self.shared.admissions.registry.release(self.key(handle));
            return self.refuse(now, handle, &request, Some(&facts), Verdict::Deny(denial));
        }
        let has_ipv6 = admission.lease.v6.is_some();
        let pushed = match self.shared.admissions.options(&facts, &directives, has_ipv6) {
            Ok(pushed) => pushed,
            Err(denial) => {
                self.shared.admissions.registry.release(self.key(handle));
                return self.refuse(now, handle, &request, Some(&facts), Verdict::Deny(denial));
            }
        };
        let options: Vec<PushOption> = pushed.iter().cloned().chain(login.push).collect();
        let grant = self.shared.admissions.grant(&admission, options);
        let fingerprint = request.identity.fingerprint;
        let holder = Holder { key: self.key(handle), fingerprint };
        let session = Session {
            slot: admission.slot,
            path: request.path,
            fingerprint,
            connection,
            facts,
            certificates,
            directives,
            pushed,
            keys: 0,
            question: None,
            live: None,
            ending: None,
        };
        self.sessions.insert(handle, session);
        self.shared.whereabouts.settle(request.path, holder);
        if !self.endpoint.authorize(now, handle, Authorization::Grant(grant)) {
            self.forget(handle, "client-gone");
        }
    }

    /// Sends a client away and tells the operator.
    fn refuse(
        &mut self,
        now: Moment,
        session: SessionHandle,
        request: &AuthorizationRequest,
        facts: Option<&Arc<ClientFacts>>,
        refusal: Verdict,
    ) {
        let (denial, decision) = match refusal {
            Verdict::Accept(_) => return,
            Verdict::Deny(denial) => (denial.clone(), Authorization::Deny(denial)),
            Verdict::DenyFor { denial, backoff, advance } => {
                (denial.clone(), Authorization::DenyFor { denial, backoff, advance })
            }
            Verdict::DenyToken(denial) => (denial.clone(), Authorization::DenyToken(denial)),
            Verdict::Challenge(challenge) => (asked(), Authorization::Challenge(challenge)),
        };
        let device = device_facts(&request.peer_info);
        self.shared.chronicle.refused(request.path, Some(&request.identity), device, &denial);
        self.endpoint.authorize(now, session, decision);
        if let Some(facts) = facts {
            self.note_turned_away(facts);
        }
    }

    fn reauthorize(&mut self, now: Moment, session: SessionHandle, update: LoginUpdate) {
        let decision = match update {
            LoginUpdate::Wait(Pending { timeout, prompt }) => {
                Reauthorization::Pending(Pending { timeout, prompt })
            }
            LoginUpdate::Decided(Verdict::Accept(acceptance)) => Reauthorization::Accept(acceptance.push),
            LoginUpdate::Decided(Verdict::Deny(denial) | Verdict::DenyFor { denial, .. }) => {
                Reauthorization::Deny(denial)
            }
            LoginUpdate::Decided(Verdict::DenyToken(denial)) => Reauthorization::DenyToken(denial),
            LoginUpdate::Decided(Verdict::Challenge(_)) => {
                debug!(?session, "a question at a renegotiation makes the client log in anew");
                Reauthorization::DenyToken(asked())
            }
        };
        self.endpoint.reauthorize(now, session, decision);
    }

    fn answer(&self, session: SessionHandle, question: Question) -> Answer {
        let (shared, shard) = (Arc::clone(&self.shared), self.index);
        Answer::new(move |update| {
            shared.command(shard, Command::Answered { session, question, update });
        })
    }

    const fn new_question(&mut self) -> Question {
        self.next_question += 1;
        Question(self.next_question)
    }
}

/// The longest password that is taken, in octets: a client that waits may not cost much (NET-04).
const LONGEST_PASSWORD: usize = 8192;

fn refuse_long_password(password: Option<&Password>) -> Result<(), Denial> {
    let length = password.map_or(0, |password| password.as_str().len());
    if length <= LONGEST_PASSWORD {
        return Ok(());
    }
    Err(Denial {
        code: "password-too-long",
        public: format!("Username or password is too long. Maximum length is {LONGEST_PASSWORD} bytes"),
        detail: format!("a password of {length} octets"),
    })
}

fn bad_username(error: &crate::auth::login::InvalidUsername) -> Denial {
    Denial {
        code: "invalid-user-name",
        public: "the user name or the password is wrong".to_owned(),
        detail: error.to_string(),
    }
}

fn refuse_disabled(directives: &ClientDirectives) -> Result<(), Denial> {
    if !directives.is_disabled() {
        return Ok(());
    }
    Err(Denial {
        code: "client-disabled",
        public: "this client is disabled".to_owned(),
        detail: "a directive about the client disables it".to_owned(),
    })
}

fn cannot_ask(prompt: &Prompt) -> Denial {
    Denial {
        code: "login-prompt-unsupported",
        public: "this client does not support what the login needs".to_owned(),
        detail: format!("the client does not name '{}' in IV_SSO", prompt.ability()),
    }
}

fn asked() -> Denial {
    Denial {
        code: "login-challenge",
        public: "an answer to a question is needed".to_owned(),
        detail: "the client was asked a question and comes back with the answer".to_owned(),
    }
}
