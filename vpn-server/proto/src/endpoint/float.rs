//! Clients that move: a session follows its client to another address.
//!
//! The data plane reports a packet that came from elsewhere, once it has authenticated and proved to be the newest
//! (see [`Opened::has_floated`](crate::data::Opened)): a peer id alone proves nothing. What is decided here is whether
//! the session may follow (NET-10, protocol reference section 10.2).

use super::Endpoint;
use crate::event::{CloseReason, Event, Farewell};
use crate::ids::SessionHandle;
use crate::moment::Moment;
use crate::path::{Path, Transport};
use crate::session::Session;

impl Endpoint {
    /// The data plane opened a packet of `session` that shows the client at `to`.
    ///
    /// If the session may move there, its data channel and its control packets do from here on, and
    /// [`Event::Floated`] says so. It may not, and all stays as it is, if one of both ways is a TCP connection, if
    /// another certificate's session is there, or if the client has moved too often of late.
    pub fn peer_floated(&mut self, now: Moment, session: SessionHandle, to: Path) {
        let Some(from) = self.sessions.get(&session).filter(|it| it.is_active()).map(Session::path) else {
            return;
        };
        if from == to {
            return;
        }
        if !self.may_float(now, session, &from, &to) {
            self.counters.floats_refused += 1;
            return;
        }
        self.close_sessions_at(now, &to);
        self.move_session(session, &from, to);
        self.events.push_back(Event::Floated { session, from, to });
    }

    fn may_float(&mut self, now: Moment, session: SessionHandle, from: &Path, to: &Path) -> bool {
        let is_datagram = |path: &Path| path.transport == Transport::Udp;
        is_datagram(from)
            && is_datagram(to)
            && !self.is_held_by_another(session, to)
            && self.sessions.get_mut(&session).is_some_and(|session| session.spend_float(now))
    }

    /// Whether a client with another certificate than that of `session` is at `path`.
    fn is_held_by_another(&self, session: SessionHandle, path: &Path) -> bool {
        let fingerprint = |handle: &SessionHandle| {
            self.sessions.get(handle).and_then(Session::identity).map(|identity| identity.fingerprint)
        };
        let own = fingerprint(&session);
        self.paths.get(path).into_iter().flatten().filter_map(fingerprint).any(|other| Some(other) != own)
    }

    /// Sessions whose client is known to have gone: another one of the same certificate is in their place.
    fn close_sessions_at(&mut self, now: Moment, path: &Path) {
        for handle in self.paths.get(path).cloned().unwrap_or_default() {
            if self.sessions.get(&handle).is_some_and(|session| session.identity().is_some()) {
                self.with_session(now, handle, |session, context| {
                    session.close(context, CloseReason::ReplacedByFloat, Farewell::Silent);
                });
            }
        }
    }

    fn move_session(&mut self, handle: SessionHandle, from: &Path, to: Path) {
        self.forget_path(handle, from);
        self.paths.entry(to).or_default().push(handle);
        if let Some(session) = self.sessions.get_mut(&handle) {
            session.move_to(to);
        }
    }
}
