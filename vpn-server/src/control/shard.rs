//! One control shard: a thread, a protocol endpoint, and the sessions in it.
//!
//! After every input the endpoint's events are handled before its datagrams leave, so that a client is in the data
//! plane's tables before it hears that it is connected. Paths on which nothing more will be said are given up last.
//!
//! A panic in the protocol core is contained (NET-12): the sessions at the address whose datagram caused it are dropped,
//! everybody else goes on. When timers panic again and again, there is no telling whose they are, and the shard starts
//! over with a new endpoint.

mod changes;
mod entrance;
mod lifetime;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tracing::{debug, error};
use vpn_proto::{
    CloseReason, DataChannel, Denial, Endpoint, EndpointConfig, Event, Farewell, KeyId, Moment, Path,
    PushOption, SessionHandle,
};

use self::entrance::{Candidate, Question};
use self::lifetime::Lifetime;
use super::SendDatagrams;
use super::admission::Admissions;
use super::chronicle::{Chronicle, wall_clock};
use super::connection::{Connection, DeviceFacts};
use super::counters::Counted;
use super::mailbox::{Arrival, Mailbox};
use super::registry::{SessionKey, usage};
use super::whereabouts::{Holder, Whereabouts};
use crate::auth::login::{ClientFacts, ClientWitness, LoginUpdate};
use crate::auth::{CertificatePath, Trust};
use crate::clock::Clock;
use crate::config::ClientDirectives;
use crate::dataplane::PeerSlot;
use crate::hooks::ClientHooks;
use crate::random::OperatingSystem;
use crate::transport::tcp::Standing;

/// How often the counters of a connection go to the connection log.
const USAGE_INTERVAL: Duration = Duration::from_secs(300);

/// Panics of timers in a row after which a shard starts over.
const TIMER_PANICS: u32 = 3;

/// What clients are told at the end.
const STOPPING: &str = "the server is stopping";

/// What a shard is told from inside this process.
pub(super) enum Command {
    /// The data plane opened the exit notification of a peer.
    PeerExit(SessionHandle),
    /// The data plane opened a packet of a peer that came by another path.
    PeerFloated { session: SessionHandle, path: Path },
    /// Close a session of this shard.
    Close { session: SessionHandle, farewell: Farewell, reason: &'static str },
    /// News about a question that somebody outside of the shard answers.
    Answered { session: SessionHandle, question: Question, update: LoginUpdate },
    /// What clients are pushed may have changed.
    LiveSettingsChanged,
    /// Revocations changed: close whoever is affected.
    CheckRevocations,
    /// Blocks changed: close whoever is affected.
    CheckBlocks,
    /// For handshakes from now on.
    SetEndpointConfig(Arc<EndpointConfig>),
    /// Say good-bye to everybody and end once all have heard it, or at that moment.
    Stop { at_the_latest: Moment },
}

/// What all shards share.
pub(super) struct Shared {
    pub(super) admissions: Admissions,
    pub(super) trust: Arc<Trust>,
    pub(super) hooks: Option<Arc<ClientHooks>>,
    pub(super) witness: Option<Arc<dyn ClientWitness>>,
    pub(super) chronicle: Chronicle,
    pub(super) clock: Clock,
    pub(super) whereabouts: Whereabouts,
    pub(super) mailboxes: Arc<[Mailbox<Command>]>,
    /// Nobody is let in any more, also by shards that have not read [`Command::Stop`] yet.
    pub(super) closed: AtomicBool,
}

/// One shard; [`Shard::run`] is its thread.
pub(super) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    endpoint: Endpoint,
    endpoint_config: Arc<EndpointConfig>,
    outbound: Box<dyn SendDatagrams>,
    candidates: BTreeMap<SessionHandle, Candidate>,
    next_question: u64,
    sessions: BTreeMap<SessionHandle, Session>,
    /// When the lifetimes of sessions are to be looked at.
    agenda: BTreeSet<(Moment, SessionHandle)>,
    settled: Vec<Path>,
    next_usage_report: Moment,
    timer_panics: u32,
    stopping: Option<Stopping>,
}

/// The end has come: nobody new is let in.
struct Stopping {
    at_the_latest: Moment,
    /// Where the clients are that are told.
    told: BTreeSet<SocketAddr>,
}

/// A session that was granted.
struct Session {
    slot: PeerSlot,
    path: Path,
    fingerprint: [u8; 32],
    connection: Arc<Connection>,
    facts: Arc<ClientFacts>,
    certificates: CertificatePath,
    /// What it is pushed in another way than others are.
    directives: ClientDirectives,
    /// What it has been pushed.
    pushed: Vec<PushOption>,
    /// How many TLS sessions asked for a decision.
    keys: u32,
    /// What somebody outside of the shard is asked about it.
    question: Option<Question>,
    live: Option<Live>,
    ending: Option<&'static str>,
}

/// A session that was established.
struct Live {
    since: Moment,
    channel: Arc<DataChannel>,
    lifetime: Lifetime,
}

impl Shard {
    pub(super) fn new(
        index: usize,
        shared: Arc<Shared>,
        endpoint_config: Arc<EndpointConfig>,
        outbound: Box<dyn SendDatagrams>,
    ) -> Self {
        let next_usage_report = shared.clock.now() + USAGE_INTERVAL;
        Self {
            index,
            endpoint: Endpoint::new(Arc::clone(&endpoint_config), Box::new(OperatingSystem)),
            endpoint_config,
            shared,
            outbound,
            candidates: BTreeMap::new(),
            next_question: 0,
            sessions: BTreeMap::new(),
            agenda: BTreeSet::new(),
            settled: Vec::new(),
            next_usage_report,
            timer_panics: 0,
            stopping: None,
        }
    }

    pub(super) fn run(mut self) {
        while !self.is_done() {
            let shared = Arc::clone(&self.shared);
            let delivery = shared.mailboxes[self.index].take(self.patience());
            for command in delivery.commands {
                self.obey(command);
            }
            for arrival in delivery.arrivals {
                self.receive(&arrival);
            }
            self.keep_time();
        }
        self.forget_candidates();
        self.forget_everybody("shutdown");
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        self.contain(|shard| match command {
            Command::PeerExit(session) => shard.endpoint.peer_exited(now, session),
            Command::PeerFloated { session, path } => shard.float(now, session, path),
            Command::Close { session, farewell, reason } => shard.close(now, session, farewell, reason),
            Command::Answered { session, question, update } => {
                shard.take_answer(now, session, question, update);
            }
            Command::LiveSettingsChanged => shard.follow_live_settings(now),
            Command::CheckRevocations => shard.check_revocations(now),
            Command::CheckBlocks => shard.check_blocks(now),
            Command::SetEndpointConfig(config) => {
                shard.endpoint.set_config(Arc::clone(&config));
                shard.endpoint_config = config;
            }
            Command::Stop { at_the_latest } => shard.say_good_bye(now, at_the_latest),
        });
    }

    fn receive(&mut self, arrival: &Arrival) {
        let remote = arrival.path().remote;
        if self.stopping.as_ref().is_some_and(|stopping| !stopping.told.contains(&remote)) {
            return;
        }
        let now = self.now();
        let survived = self.contain(|shard| match arrival {
            Arrival::Datagram { path, bytes } => shard.endpoint.handle_datagram(now, *path, bytes),
            Arrival::Disconnected { path } => shard.endpoint.disconnected(now, path),
        });
        if !survived {
            self.drop_sessions_at(*arrival.path());
        }
    }

    fn keep_time(&mut self) {
        let now = self.now();
        if self.endpoint.poll_timeout().is_some_and(|wakeup| wakeup.at <= now) {
            let survived = self.contain(|shard| shard.endpoint.handle_timeout(now));
            self.timer_panics = if survived { 0 } else { self.timer_panics + 1 };
            if self.timer_panics >= TIMER_PANICS {
                self.start_over();
            }
        }
        if self.agenda.first().is_some_and(|(at, _)| *at <= now) {
            self.contain(|shard| shard.look_at_lifetimes(now));
        }
        if self.next_usage_report <= now {
            self.next_usage_report = now + USAGE_INTERVAL;
            self.report_usage(now);
        }
    }

    /// Runs one step of the endpoint and handles what comes out of it. Answers whether it went without a panic.
    fn contain(&mut self, step: impl FnOnce(&mut Self)) -> bool {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            step(self);
            self.drain();
        }));
        if outcome.is_err() {
            self.shared.chronicle.counters.count(Counted::Panic);
            error!(shard = self.index, "a panic in the protocol core was contained; please report it");
        }
        outcome.is_ok()
    }

    fn drain(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            self.handle(event);
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            if let Err(error) = self.outbound.send(transmit.path, &transmit.payload) {
                self.shared.chronicle.counters.count(Counted::SendFailure);
                debug!(remote = %transmit.path.remote, %error, "a control datagram was not sent");
            }
        }
        for path in self.settled.drain(..) {
            self.outbound.set_standing(path, Standing::Over);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::AuthorizationRequested { session, request } => self.receive_client(session, request),
            Event::Abandoned { session } => self.forget_candidate(session),
            Event::Established { session, channel } => self.establish(session, channel),
            Event::Floated { session, from, to } => self.note_float(session, from, to),
            Event::Renegotiated { session, key_id } => self.note_renegotiation(session, key_id),
            Event::Closed { session, reason } => self.finish(session, &reason),
            Event::ChallengeResponse { session, response } => self.pass_on(session, &response),
            Event::ReauthorizationRequested { session, username, password } => {
                self.ask_again(session, username.as_deref(), password);
            }
            Event::AttemptFailed { path, identity, failure } => {
                self.shared.chronicle.refused(path, identity.as_ref(), DeviceFacts::default(), &failure);
            }
            Event::HandshakeBegun { path } => self.outbound.set_standing(path, Standing::Handshake),
            Event::PathSettled { path } => self.settled.push(path),
        }
    }

    /// Tells the client's oldest session that another one has taken its place.
    fn evict(&self, evicted: SessionKey, successor: Path) {
        let is_same_place = self
            .sessions
            .get(&evicted.session)
            .is_some_and(|session| evicted.shard == self.index && session.path.remote == successor.remote);
        let farewell = if is_same_place {
            Farewell::Silent
        } else {
            Farewell::Halt("this client connected from another place".to_owned())
        };
        let command =
            Command::Close { session: evicted.session, farewell, reason: "replaced-by-newer-session" };
        self.shared.command(evicted.shard, command);
    }

    fn establish(&mut self, handle: SessionHandle, channel: Arc<DataChannel>) {
        let (now, key) = (self.now(), self.key(handle));
        let Some(session) = self.sessions.get_mut(&handle) else {
            return;
        };
        let connection = Arc::clone(&session.connection);
        let registry = &self.shared.admissions.registry;
        if let Err(error) =
            registry.establish(key, session.slot, Arc::clone(&connection), Arc::clone(&channel))
        {
            debug!(%error, connection.id = %connection.id, "the session lost its place before it was established");
            return;
        }
        self.outbound.set_standing(channel.path(), Standing::Session);
        let lifetime = Lifetime::start(&self.shared.admissions.limits, now);
        self.agenda.extend(lifetime.next().map(|at| (at, handle)));
        if let Some(hooks) = &self.shared.hooks {
            hooks.connected(&session.facts, &connection);
        }
        if let Some(witness) = &self.shared.witness {
            witness.connected(&session.facts, &connection);
        }
        session.live = Some(Live { since: now, channel, lifetime });
        self.shared.chronicle.connected(&connection);
    }

    /// The endpoint decides, but it does not see the sessions of other shards.
    fn float(&mut self, now: Moment, handle: SessionHandle, to: Path) {
        let holder = self.shared.whereabouts.holder(&to).filter(|holder| holder.key.shard != self.index);
        match (self.sessions.get(&handle), holder) {
            (Some(session), Some(holder)) if holder.fingerprint != session.fingerprint => {
                self.shared.chronicle.counters.count(Counted::FloatRefused);
            }
            _ => self.endpoint.peer_floated(now, handle, to),
        }
    }

    fn note_float(&mut self, handle: SessionHandle, from: Path, to: Path) {
        let key = self.key(handle);
        let Some(session) = self.sessions.get_mut(&handle) else {
            return;
        };
        session.path = to;
        let whereabouts = &self.shared.whereabouts;
        let displaced = whereabouts.holder(&to).filter(|holder| holder.key.shard != self.index);
        whereabouts.leave(&from, key);
        whereabouts.settle(to, Holder { key, fingerprint: session.fingerprint });
        debug!(connection.id = %session.connection.id, from = %from.remote, to = %to.remote, "floated");
        if let Some(Holder { key: SessionKey { shard, session }, .. }) = displaced {
            let reason = CloseReason::ReplacedByFloat.code();
            self.shared.command(shard, Command::Close { session, farewell: Farewell::Silent, reason });
        }
    }

    /// The certificate is the same, but the way to its authority can be another one.
    fn note_renegotiation(&mut self, handle: SessionHandle, key_id: KeyId) {
        let Some(session) = self.sessions.get_mut(&handle) else {
            return;
        };
        if let Some(certificates) = self.shared.trust.path_of(&session.fingerprint) {
            session.certificates = certificates;
        }
        debug!(connection.id = %session.connection.id, ?key_id, "renegotiated");
    }

    /// A granted session is over: out of the data plane first, then into the logs.
    fn finish(&mut self, handle: SessionHandle, reason: &CloseReason) {
        self.shared.admissions.registry.release(self.key(handle));
        let Some(session) = self.sessions.remove(&handle) else {
            return;
        };
        self.shared.whereabouts.leave(&session.path, self.key(handle));
        let reason = if let CloseReason::RenegotiationDenied(denial) = reason {
            self.shared.chronicle.renegotiation_refused(&session.connection, denial);
            denial.code
        } else {
            session.ending.unwrap_or_else(|| reason.code())
        };
        self.note_end(&session, reason);
    }

    fn note_end(&self, session: &Session, reason: &str) {
        if session.question.is_some() {
            self.shared.admissions.authenticator.forget(session.facts.number, session.keys);
        }
        let (chronicle, connection) = (&self.shared.chronicle, &session.connection);
        match &session.live {
            Some(live) => {
                let duration = self.now().saturating_since(live.since);
                let usage = usage(&live.channel);
                chronicle.disconnected(connection, duration, usage, reason);
                if let Some(hooks) = &self.shared.hooks {
                    hooks.disconnected(&session.facts, connection, duration, usage, reason);
                }
                if let Some(witness) = &self.shared.witness {
                    witness.disconnected(&session.facts, connection, usage);
                }
            }
            None => {
                chronicle.abandoned(connection, reason);
                self.note_turned_away(&session.facts);
            }
        }
    }

    fn note_turned_away(&self, client: &Arc<ClientFacts>) {
        if let Some(witness) = &self.shared.witness {
            witness.turned_away(client);
        }
    }

    fn close(&mut self, now: Moment, handle: SessionHandle, farewell: Farewell, reason: &'static str) {
        if let Some(session) = self.sessions.get_mut(&handle) {
            session.ending = Some(reason);
            self.endpoint.close(now, handle, farewell);
        }
    }

    /// Closes every session whose path has a certificate that is revoked by now (CRL-03).
    fn check_revocations(&mut self, now: Moment) {
        let (trust, today) = (self.shared.trust.snapshot(), wall_clock());
        let revoked: Vec<(SessionHandle, Denial)> = self
            .sessions
            .iter()
            .filter_map(|(handle, session)| {
                Some((*handle, trust.revocation_of(&session.certificates, today)?))
            })
            .collect();
        for (handle, denial) in revoked {
            self.shared.chronicle.counters.count(Counted::Revoked);
            self.close(now, handle, Farewell::AuthFailed(denial.public), denial.code);
        }
    }

    fn check_blocks(&mut self, now: Moment) {
        let (blocks, today) = (&self.shared.admissions.blocks, wall_clock());
        let refusal = |connection: &Connection| {
            blocks.refusal(&connection.client, connection.username.as_deref(), today)
        };
        let sessions = self.sessions.iter();
        let blocked: Vec<(SessionHandle, Denial)> =
            sessions.filter_map(|(handle, session)| Some((*handle, refusal(&session.connection)?))).collect();
        for (handle, denial) in blocked {
            self.close(now, handle, Farewell::AuthFailed(denial.public), denial.code);
        }
    }

    fn report_usage(&self, now: Moment) {
        for session in self.sessions.values() {
            if let Some(live) = &session.live {
                let duration = now.saturating_since(live.since);
                self.shared.chronicle.usage(&session.connection, duration, usage(&live.channel));
            }
        }
    }

    fn say_good_bye(&mut self, now: Moment, at_the_latest: Moment) {
        let candidates: Vec<(SessionHandle, SocketAddr)> = self.candidate_addresses();
        let remotes = self.sessions.values().map(|session| session.path.remote);
        let told = remotes.chain(candidates.iter().map(|(_, remote)| *remote)).collect();
        self.stopping = Some(Stopping { at_the_latest, told });
        for (handle, _) in candidates {
            self.endpoint.close(now, handle, Farewell::Restart(STOPPING.to_owned()));
        }
        let everybody: Vec<SessionHandle> = self.sessions.keys().copied().collect();
        for handle in everybody {
            self.close(now, handle, Farewell::Restart(STOPPING.to_owned()), "server-stopping");
        }
    }

    /// What is left of a session after a panic is unknown, so nothing of it is kept.
    fn drop_sessions_at(&mut self, path: Path) {
        let now = self.now();
        let there: Vec<SessionHandle> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.path.remote == path.remote)
            .map(|(handle, _)| *handle)
            .collect();
        self.forget_candidates_at(&path);
        for handle in there {
            self.contain(|shard| shard.close(now, handle, Farewell::Silent, "internal-error"));
            self.forget(handle, "internal-error");
        }
        self.outbound.set_standing(path, Standing::Over);
    }

    fn start_over(&mut self) {
        error!(
            shard = self.index,
            sessions = self.sessions.len(),
            "the shard starts over; its clients reconnect"
        );
        for path in self.endpoint.paths() {
            self.outbound.set_standing(*path, Standing::Over);
        }
        self.endpoint = Endpoint::new(Arc::clone(&self.endpoint_config), Box::new(OperatingSystem));
        self.timer_panics = 0;
        self.forget_candidates();
        self.forget_everybody("internal-error");
    }

    fn forget_everybody(&mut self, reason: &str) {
        let everybody: Vec<SessionHandle> = self.sessions.keys().copied().collect();
        for handle in everybody {
            self.forget(handle, reason);
        }
    }

    fn forget(&mut self, handle: SessionHandle, reason: &str) {
        self.shared.admissions.registry.release(self.key(handle));
        if let Some(session) = self.sessions.remove(&handle) {
            self.shared.whereabouts.leave(&session.path, self.key(handle));
            self.note_end(&session, reason);
        }
    }

    /// Everybody heard the good-bye, or had long enough.
    fn is_done(&self) -> bool {
        let is_heard = || self.endpoint.sessions() == 0 && self.endpoint.farewells_under_way() == 0;
        self.stopping.as_ref().is_some_and(|stopping| is_heard() || self.now() >= stopping.at_the_latest)
    }

    fn patience(&self) -> Duration {
        let now = self.now();
        let deadlines = [
            self.endpoint.poll_timeout().map(|wakeup| wakeup.at),
            Some(self.next_usage_report),
            self.agenda.first().map(|(at, _)| *at),
            self.stopping.as_ref().map(|stopping| stopping.at_the_latest),
        ];
        let next = deadlines.into_iter().flatten().min();
        next.map_or(USAGE_INTERVAL, |deadline| deadline.saturating_since(now))
    }

    const fn key(&self, session: SessionHandle) -> SessionKey {
        SessionKey { shard: self.index, session }
    }

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }
}
