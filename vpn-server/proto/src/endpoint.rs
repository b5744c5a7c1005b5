//! All sessions of one shard: finds the session of a packet, answers strangers without state, keeps the timers.
//!
//! Five verbs: feed datagrams, feed time, poll events, poll datagrams, poll the next deadline. After every input drain
//! [`Endpoint::poll_event`] first, so that a peer is known to the data plane before its configuration leaves, then
//! [`Endpoint::poll_transmit`], then ask [`Endpoint::poll_timeout`]. A transport with connections also feeds their ends
//! ([`Endpoint::disconnected`]) and hears when it may close one ([`Event::PathSettled`]).
//!
//! Not here: what happens inside a session (see `session`), tunnel packets (see [`crate::data`]), sockets, clocks.

mod float;
mod half_open;
#[cfg(test)]
mod limits;
mod reply_limiter;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::config::EndpointConfig;
use crate::control_channel::Ends;
use crate::cookie::CookieJar;
use crate::entropy::{Entropy, draw};
use crate::event::{Authorization, CloseReason, Event, Farewell, Reauthorization, Transmit, Wakeup};
use crate::ids::{KeyId, MessageId, SessionHandle, SessionId};
use crate::moment::Moment;
use crate::path::{Path, Transport};
use crate::session::{Context, Opening, Reset, Session};
use crate::source_network::SourceNetwork;
use crate::wire::control::{Acknowledgements, ControlPacket};
use crate::wire::opcode::ControlOpcode;
use crate::wire::push::PushChange;
use crate::wire::replay_id::ReplayId;
use crate::wire::wrapping;
use crate::wrapping::{Layer, SessionWrapping, Stranger};
use half_open::HalfOpenTable;

pub use half_open::HalfOpenLimits;
pub use reply_limiter::ReplyLimiter;

/// The protocol for any number of clients, without any I/O.
pub struct Endpoint {
    config: Arc<EndpointConfig>,
    entropy: Box<dyn Entropy>,
    cookies: CookieJar,
    sessions: BTreeMap<SessionHandle, Session>,
    paths: BTreeMap<Path, Vec<SessionHandle>>,
    wakeups: BTreeMap<SessionHandle, Wakeup>,
    agenda: BTreeSet<(Wakeup, SessionHandle)>,
    half_open: HalfOpenTable,
    /// Sessions that may still have something to say.
    unsettled: BTreeSet<SessionHandle>,
    next_handle: u64,
    events: VecDeque<Event>,
    transmits: VecDeque<Transmit>,
    counters: EndpointCounters,
}

/// What became of datagrams that led nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointCounters {
    /// Not a control packet, or a broken one.
    pub malformed: u64,
    /// The wrapping does not fit: forged, damaged, replayed, or of a kind that is not enabled.
    pub not_authentic: u64,
    /// Well-formed, but of no session and no start of one.
    pub unroutable: u64,
    /// Stateless answers to hard resets.
    pub resets_answered: u64,
    /// Hard resets that were not answered because their network had its share of answers.
    pub resets_unanswered: u64,
    /// Handshakes that gave way to newer ones because too many were under way.
    pub evicted: u64,
    /// Clients that had moved but may not: too often, or to where somebody else is (NET-10).
    pub floats_refused: u64,
}

/// What a stranger's packet deserves.
enum Welcome {
    /// A reset that costs no state.
    Reset,
    /// A session: the packet returned the cookie, which becomes the server's session id.
    Session(SessionId),
    /// A session and a reset: the client brings its key only once.
    StatefulReset,
    /// No answer.
    Nothing,
}

/// Payload of a reset that asks a tls-crypt-v2 client to send its wrapped key again: flags (type 1, length 2), bit 0
/// (protocol reference section 3).
const SEND_WRAPPED_KEY_AGAIN: [u8; 6] = [0, 1, 0, 2, 0, 1];

impl Endpoint {
    /// An endpoint without sessions.
    #[must_use]
    pub fn new(config: Arc<EndpointConfig>, mut entropy: Box<dyn Entropy>) -> Self {
        Self {
            config,
            cookies: CookieJar::new(&mut *entropy),
            entropy,
            sessions: BTreeMap::new(),
            paths: BTreeMap::new(),
            wakeups: BTreeMap::new(),
            agenda: BTreeSet::new(),
            half_open: HalfOpenTable::default(),
            unsettled: BTreeSet::new(),
            next_handle: 0,
            events: VecDeque::new(),
            transmits: VecDeque::new(),
            counters: EndpointCounters::default(),
        }
    }

    /// Takes a control datagram.
    pub fn handle_datagram(&mut self, now: Moment, path: Path, datagram: &[u8]) {
        let Some(sender) = wrapping::sender(datagram) else {
            self.counters.malformed += 1;
            return;
        };
        match self.session_of(&path, sender) {
            Some(handle) => self.feed_datagram(now, handle, datagram),
            None => self.greet(now, path, datagram),
        }
    }

    /// Does whatever is due at `now`.
    pub fn handle_timeout(&mut self, now: Moment) {
        let due: Vec<_> = self
            .agenda
            .iter()
            .take_while(|(wakeup, _)| wakeup.at <= now)
            .map(|(_, handle)| *handle)
            .collect();
        for handle in due {
            self.with_session(now, handle, |session, context| session.handle_timeout(context));
        }
    }

    /// Decides about a session that asked by [`Event::AuthorizationRequested`]; `false` if it does not wait for a
    /// decision any longer: whatever was kept for it has no owner, and no event will say so.
    pub fn authorize(&mut self, now: Moment, session: SessionHandle, decision: Authorization) -> bool {
        let is_awaited = self.sessions.get(&session).is_some_and(Session::is_undecided);
        self.with_session(now, session, |session, context| session.authorize(context, decision));
        is_awaited
    }

    /// Decides about a session that asked by [`Event::ReauthorizationRequested`].
    pub fn reauthorize(&mut self, now: Moment, session: SessionHandle, decision: Reauthorization) {
        self.with_session(now, session, |session, context| session.reauthorize(context, decision));
    }

    /// Changes the configuration of a connected client without a restart; `false` if the client cannot do that, or is
    /// not connected.
    pub fn push_update(&mut self, now: Moment, session: SessionHandle, changes: &[PushChange]) -> bool {
        let mut done = false;
        self.with_session(now, session, |session, _| done = session.push_update(changes));
        done
    }

    /// Closes a session from this side: its keys are gone when this returns.
    pub fn close(&mut self, now: Moment, session: SessionHandle, farewell: Farewell) {
        self.with_session(now, session, |session, context| {
            session.close(context, CloseReason::Farewell, farewell)
        });
    }

    /// The data plane opened an exit notification of this session's client.
    pub fn peer_exited(&mut self, now: Moment, session: SessionHandle) {
        self.with_session(now, session, |session, context| {
            session.close(context, CloseReason::ClientExit, Farewell::Silent);
        });
    }

    /// The connection that `path` stands for is gone: its sessions end at once, and nothing more is said there.
    ///
    /// For transports with connections; datagrams that arrive later begin anew.
    pub fn disconnected(&mut self, now: Moment, path: &Path) {
        for handle in self.paths.get(path).cloned().unwrap_or_default() {
            self.with_session(now, handle, Session::disconnect);
        }
    }

    /// Replaces the settings for handshakes and renegotiations that begin from here on.
    pub fn set_config(&mut self, config: Arc<EndpointConfig>) {
        self.config = config;
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// When [`Endpoint::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        self.agenda.first().map(|(wakeup, _)| *wakeup)
    }

    /// Sessions that take a place in the table of those that have not been let in: handshakes under way, clients that
    /// wait for a decision, and what is left of attempts that failed.
    #[must_use]
    pub fn half_open(&self) -> usize {
        self.half_open.len()
    }

    /// The paths on which there is a session, whatever its state.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.keys()
    }

    /// Sessions whose tunnel is up.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.values().filter(|session| session.is_active()).count()
    }

    /// Closed sessions whose client has not acknowledged the farewell yet.
    #[must_use]
    pub fn farewells_under_way(&self) -> usize {
        self.sessions.values().filter(|session| session.is_saying_farewell()).count()
    }

    /// What became of datagrams that led nowhere.
    #[must_use]
    pub const fn counters(&self) -> EndpointCounters {
        self.counters
    }

    fn session_of(&self, path: &Path, sender: SessionId) -> Option<SessionHandle> {
        let is_sender = |session: &Session| session.ends().remote_id == sender;
        self.paths.get(path)?.iter().copied().find(|handle| self.sessions.get(handle).is_some_and(is_sender))
    }

    fn feed_datagram(&mut self, now: Moment, handle: SessionHandle, datagram: &[u8]) {
        // Not after the datagram: whoever asks to be let in with it is not evicted before the answer.
        self.make_room_for_a_handshake(now, None);
        let Some(session) = self.sessions.get_mut(&handle) else { return };
        let Some(plain) = session.unwrap(datagram) else {
            self.counters.not_authentic += 1;
            return;
        };
        let local_id = session.ends().local_id;
        match ControlPacket::parse(&plain) {
            Ok(packet) if packet.acknowledgements.remote_id().is_none_or(|id| id == local_id) => {
                self.feed(now, handle, &packet);
            }
            Ok(_) => self.counters.unroutable += 1,
            Err(_) => self.counters.malformed += 1,
        }
    }

    /// Hands a packet to a session and, if that made a client known, lets it take the place of its former session.
    fn feed(&mut self, now: Moment, handle: SessionHandle, packet: &ControlPacket<'_>) {
        let was_known = self.is_identified(handle);
        let earlier = std::mem::take(&mut self.events);
        self.with_session(now, handle, |session, context| session.receive(context, packet));
        let news = std::mem::replace(&mut self.events, earlier);
        if !was_known && self.is_identified(handle) {
            self.replace_former_session(now, handle);
        }
        self.events.extend(news);
    }

    fn is_identified(&self, handle: SessionHandle) -> bool {
        self.sessions.get(&handle).is_some_and(|session| session.identity().is_some())
    }

    /// A client that came back from the same address and port has proved who it is: its former session is dead
    /// (NET-10: not before, and only if it is the same certificate).
    fn replace_former_session(&mut self, now: Moment, handle: SessionHandle) {
        let Some(session) = self.sessions.get(&handle) else {
            return;
        };
        let Some(fingerprint) = session.identity().map(|identity| identity.fingerprint) else {
            return;
        };
        let siblings = self.paths.get(&session.path()).cloned().unwrap_or_default();
        for former in siblings.into_iter().filter(|sibling| *sibling != handle) {
            let is_same =
                |session: &Session| session.identity().is_some_and(|other| other.fingerprint == fingerprint);
            if self.sessions.get(&former).is_some_and(is_same) {
                self.with_session(now, former, |session, context| {
                    session.close(context, CloseReason::ReplacedBySamePort, Farewell::Silent);
                });
            }
        }
    }

    /// Answers a datagram that belongs to no session: with a reset, with a new session, or not at all.
    fn greet(&mut self, now: Moment, path: Path, datagram: &[u8]) {
        let Some(stranger) = self.config.wrapping.unwrap_stranger(datagram) else {
            self.counters.not_authentic += 1;
            return;
        };
        let plain = stranger.packet.clone();
        match ControlPacket::parse(&plain) {
            Ok(packet) => self.greet_stranger(now, path, stranger, &packet),
            Err(_) => self.counters.malformed += 1,
        }
    }

    fn greet_stranger(&mut self, now: Moment, path: Path, stranger: Stranger, packet: &ControlPacket<'_>) {
        match self.welcome(now, &path, &stranger, packet) {
            Welcome::Reset => self.answer_reset(now, path, &stranger, packet),
            Welcome::Session(local_id) => {
                if let Some(limiter) = &self.config.reply_limiter {
                    limiter.refund(path.remote.ip());
                }
                self.start_session(now, path, stranger, packet, local_id, Reset::Over);
            }
            Welcome::StatefulReset => {
                let local_id = SessionId::random(&mut *self.entropy);
                self.start_session(now, path, stranger, packet, local_id, Reset::Received);
            }
            Welcome::Nothing => self.counters.unroutable += 1,
        }
    }

    /// What a stranger's packet deserves (protocol reference section 3).
    fn welcome(&self, now: Moment, path: &Path, stranger: &Stranger, packet: &ControlPacket<'_>) -> Welcome {
        if packet.key_id != KeyId::FIRST {
            return Welcome::Nothing;
        }
        let is_first = packet.message_id == Some(MessageId::FIRST);
        let is_early = packet.message_id.is_none_or(|id| id <= MessageId::FIRST.plus(1));
        match (packet.opcode, packet.acknowledgements.remote_id()) {
            (ControlOpcode::HardResetClient, None) if is_first => Welcome::Reset,
            (ControlOpcode::HardResetClientV3, None) if is_first => {
                let repeats_key = stranger.replay_id.is_some_and(ReplayId::announces_early_negotiation);
                match (repeats_key, self.config.wrapping.needs_cookie()) {
                    (true, _) => Welcome::Reset,
                    (false, false) => Welcome::StatefulReset,
                    (false, true) => Welcome::Nothing,
                }
            }
            // A client that acknowledges each packet once has lost that acknowledgement: remind it.
            (ControlOpcode::Control, None) if is_early => Welcome::Reset,
            (ControlOpcode::Control | ControlOpcode::ControlWithKey | ControlOpcode::Ack, Some(cookie))
                if is_early && self.returns_cookie(now, path, packet, cookie) =>
            {
                Welcome::Session(cookie)
            }
            _ => Welcome::Nothing,
        }
    }

    /// Answers without keeping anything: the session id in the answer is a cookie.
    fn answer_reset(&mut self, now: Moment, path: Path, stranger: &Stranger, packet: &ControlPacket<'_>) {
        if !self.has_answer_for(now, &path) {
            self.counters.resets_unanswered += 1;
            return;
        }
        let wants_key_again = packet.opcode == ControlOpcode::HardResetClientV3;
        let reset = ControlPacket {
            opcode: ControlOpcode::HardResetServer,
            key_id: KeyId::FIRST,
            own_id: self.cookies.bake(now, &path, packet.own_id),
            acknowledgements: Acknowledgements::new(packet.own_id, vec![MessageId::FIRST]),
            message_id: Some(MessageId::FIRST),
            payload: if wants_key_again { &SEND_WRAPPED_KEY_AGAIN } else { &[] },
        };
        let mut plain = vec![];
        reset.write(&mut plain);
        let replay_id = ReplayId { time: self.config.unix_time(now), counter: 1 };
        self.transmits.push_back(Transmit { path, payload: stranger.keyed.wrap(replay_id, plain) });
        self.counters.resets_answered += 1;
    }

    fn has_answer_for(&mut self, now: Moment, path: &Path) -> bool {
        let Some(limiter) = &self.config.reply_limiter else { return true };
        let [lot] = draw(&mut *self.entropy);
        path.transport == Transport::Tcp || limiter.admits(now, path.remote.ip(), lot)
    }

    fn returns_cookie(
        &self,
        now: Moment,
        path: &Path,
        packet: &ControlPacket<'_>,
        cookie: SessionId,
    ) -> bool {
        packet.acknowledgements.message_ids().iter().all(|id| *id <= MessageId::FIRST.plus(1))
            && self.cookies.is_valid(now, path, packet.own_id, cookie)
    }

    fn start_session(
        &mut self,
        now: Moment,
        path: Path,
        stranger: Stranger,
        packet: &ControlPacket<'_>,
        local_id: SessionId,
        reset: Reset,
    ) {
        let network = SourceNetwork::of(path.remote.ip());
        self.make_room_for_a_handshake(now, Some(network));
        // The stateless answer took the number 1 of its second.
        let layer = Layer::new(stranger.keyed, self.config.unix_time(now), 2);
        let mut wrapping = SessionWrapping::new(layer, stranger.static_key);
        wrapping.note(stranger.replay_id);
        let ends = Ends { local_id, remote_id: packet.own_id };
        let opening = Opening { path, ends, wrapping, reset, metadata: stranger.metadata };
        let Ok(session) = Session::start(opening, &self.config, now) else { return };
        let handle = SessionHandle(self.next_handle);
        self.next_handle += 1;
        self.sessions.insert(handle, session);
        self.paths.entry(path).or_default().push(handle);
        self.half_open.insert(handle, network);
        self.unsettled.insert(handle);
        self.events.push_back(Event::HandshakeBegun { path });
        self.feed(now, handle, packet);
    }

    fn make_room_for_a_handshake(&mut self, now: Moment, newcomer: Option<SourceNetwork>) {
        while let Some(evicted) = self.half_open.first_to_go(self.config.half_open, newcomer) {
            self.counters.evicted += 1;
            self.with_session(now, evicted, |session, _| session.evict());
            self.half_open.remove(evicted);
        }
    }

    /// Lets a session do something, then sends what it has to send and notes when it wants to be woken.
    fn with_session(
        &mut self,
        now: Moment,
        handle: SessionHandle,
        act: impl FnOnce(&mut Session, &mut Context<'_>),
    ) {
        let Some(session) = self.sessions.get_mut(&handle) else {
            return;
        };
        let path = session.path();
        let ends = session.ends();
        let mut context = Context {
            now,
            handle,
            path,
            ends,
            config: &self.config,
            entropy: &mut *self.entropy,
            events: &mut self.events,
            dynamic_wrapping: None,
        };
        act(session, &mut context);
        while let Some(payload) = session.poll(now) {
            self.transmits.push_back(Transmit { path, payload });
        }
        self.refresh(handle);
    }

    fn refresh(&mut self, handle: SessionHandle) {
        let Some(session) = self.sessions.get(&handle) else {
            return;
        };
        let (wakeup, is_gone, is_granted) = (session.deadline(), session.is_gone(), session.is_granted());
        let (path, is_settled) = (session.path(), session.is_settled());
        let received = session.received_from_stranger();
        self.reschedule(handle, wakeup);
        if is_granted || is_gone {
            self.half_open.remove(handle);
        } else {
            self.half_open.weigh(handle, received);
        }
        if is_settled && self.unsettled.remove(&handle) {
            self.note_settled(path);
        }
        if is_gone {
            self.forget(handle);
        }
    }

    /// Tells that nothing will be said on `path` any more, unless another session there goes on.
    fn note_settled(&mut self, path: Path) {
        let siblings = self.paths.get(&path).map_or(&[][..], Vec::as_slice);
        if !siblings.iter().any(|sibling| self.unsettled.contains(sibling)) {
            self.events.push_back(Event::PathSettled { path });
        }
    }

    fn reschedule(&mut self, handle: SessionHandle, wakeup: Option<Wakeup>) {
        if let Some(old) = self.wakeups.remove(&handle) {
            self.agenda.remove(&(old, handle));
        }
        if let Some(wakeup) = wakeup {
            self.wakeups.insert(handle, wakeup);
            self.agenda.insert((wakeup, handle));
        }
    }

    fn forget(&mut self, handle: SessionHandle) {
        let Some(session) = self.sessions.remove(&handle) else {
            return;
        };
        self.forget_path(handle, &session.path());
    }

    fn forget_path(&mut self, handle: SessionHandle, path: &Path) {
        if let Some(siblings) = self.paths.get_mut(path) {
            siblings.retain(|sibling| *sibling != handle);
            if siblings.is_empty() {
                self.paths.remove(path);
            }
        }
    }
}
