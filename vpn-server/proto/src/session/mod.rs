//! One client's session: a type per phase, and a shell that only forwards.
//!
//! ```text
//!              client's KM2         KM2 acknowledged,        farewell, exit, timeout
//!                                   granted, asked for
//!  Handshake ───────────► Admission ───────────► Active ─────────────────► Closing ──► gone
//!      │                     │                     ▲ │ soft reset              ▲
//!      │ TLS failure         │ denied              └─┘ (Rekey beside it)       │
//!      └─────────────────────┴─────────────────────────────────────────────────┘
//! ```
//!
//! Each phase consumes itself and returns the next one. What a phase needs of its surroundings comes in a
//! [`Context`]; what it has to say goes out as an [`Event`].

mod active;
mod admission;
mod allowance;
mod closing;
mod handshake;
mod keys;
mod rekey;

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::config::EndpointConfig;
use crate::control_channel::Ends;
use crate::entropy::Entropy;
use crate::event::{Authorization, CloseReason, Event, Farewell, Reauthorization, Wakeup};
use crate::identity::{Denial, PeerIdentity};
use crate::ids::SessionHandle;
use crate::moment::Moment;
use crate::path::Path;
use crate::tls::TlsFailure;
use crate::wire::control::ControlPacket;
use crate::wire::push::PushChange;
use crate::wire::static_key::{KeyDirection, StaticKey};
use crate::wrapping::SessionWrapping;
use active::Active;
use admission::Admission;
use closing::Closing;
use handshake::Handshake;

/// One session with one client.
pub(crate) struct Session {
    path: Path,
    ends: Ends,
    wrapping: SessionWrapping,
    phase: Phase,
}

/// How a session begins.
pub(crate) struct Opening {
    pub(crate) path: Path,
    pub(crate) ends: Ends,
    pub(crate) wrapping: SessionWrapping,
    pub(crate) reset: Reset,
    /// What the client's tls-crypt-v2 key says beside the key.
    pub(crate) metadata: Option<Vec<u8>>,
}

/// Where the resets of a new session stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    /// Both are over: the client has returned the cookie.
    Over,
    /// The client's is there, the server's is still to be sent.
    Received,
}

enum Phase {
    Handshake(Handshake),
    Admission(Box<Admission>),
    Active(Box<Active>),
    Closing(Closing),
    Gone,
}

/// What phases need of their surroundings.
pub(crate) struct Context<'a> {
    pub(crate) now: Moment,
    pub(crate) handle: SessionHandle,
    pub(crate) path: Path,
    pub(crate) ends: Ends,
    pub(crate) config: &'a EndpointConfig,
    pub(crate) entropy: &'a mut dyn Entropy,
    pub(crate) events: &'a mut VecDeque<Event>,
    /// Set by a phase that agreed with the client to wrap the packets of later keys with it.
    pub(crate) dynamic_wrapping: Option<Zeroizing<[u8; StaticKey::LENGTH]>>,
}

impl Context<'_> {
    fn closed(&mut self, reason: CloseReason) {
        self.events.push_back(Event::Closed { session: self.handle, reason });
    }
}

impl Session {
    /// A session of a client that `opening` describes.
    pub(crate) fn start(opening: Opening, config: &EndpointConfig, now: Moment) -> Result<Self, TlsFailure> {
        let Opening { path, ends, wrapping, reset, metadata } = opening;
        Ok(Self {
            path,
            ends,
            wrapping,
            phase: Phase::Handshake(Handshake::start(config, path.transport, reset, metadata, now)?),
        })
    }

    pub(crate) const fn path(&self) -> Path {
        self.path
    }

    pub(crate) const fn ends(&self) -> Ends {
        self.ends
    }

    /// The plain packet in a datagram for this session; `None` if it is not authentic or a replay.
    pub(crate) fn unwrap(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.wrapping.unwrap(datagram)
    }

    pub(crate) fn receive(&mut self, context: &mut Context<'_>, packet: &ControlPacket<'_>) {
        self.step(context, |phase, context| match phase {
            Phase::Handshake(handshake) => handshake.receive(context, packet),
            Phase::Admission(admission) => admission.receive(context, packet),
            Phase::Active(active) => active.receive(context, packet),
            Phase::Closing(closing) => closing.receive(packet),
            Phase::Gone => Phase::Gone,
        });
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        self.step(context, |phase, context| match phase {
            Phase::Handshake(handshake) => handshake.handle_timeout(context),
            Phase::Admission(admission) => admission.handle_timeout(context),
            Phase::Active(active) => active.handle_timeout(context),
            Phase::Closing(closing) => closing.handle_timeout(context.now),
            Phase::Gone => Phase::Gone,
        });
    }

    /// Takes the decision about a session that asked for it; without effect in other phases.
    pub(crate) fn authorize(&mut self, context: &mut Context<'_>, decision: Authorization) {
        self.step(context, |phase, context| match phase {
            Phase::Admission(admission) => admission.decide(context, decision),
            other @ (Phase::Handshake(_) | Phase::Active(_) | Phase::Closing(_) | Phase::Gone) => other,
        });
    }

    /// Takes the decision about credentials that were shown again; without effect in other phases.
    pub(crate) fn reauthorize(&mut self, context: &mut Context<'_>, decision: Reauthorization) {
        self.step(context, |phase, context| match phase {
            Phase::Active(active) => active.reauthorize(context, decision),
            other @ (Phase::Handshake(_) | Phase::Admission(_) | Phase::Closing(_) | Phase::Gone) => other,
        });
    }

    /// Changes the configuration of a connected client; says whether it could be done.
    pub(crate) fn push_update(&mut self, changes: &[PushChange]) -> bool {
        match &mut self.phase {
            Phase::Active(active) => active.push_update(changes),
            Phase::Handshake(_) | Phase::Admission(_) | Phase::Closing(_) | Phase::Gone => false,
        }
    }

    /// Closes the session from this side.
    pub(crate) fn close(&mut self, context: &mut Context<'_>, reason: CloseReason, farewell: Farewell) {
        self.step(context, |phase, context| match phase {
            Phase::Handshake(_) => Phase::Gone,
            Phase::Admission(admission) => admission.close(context, reason, farewell),
            Phase::Active(active) => active.close(context, reason, farewell),
            other @ (Phase::Closing(_) | Phase::Gone) => other,
        });
    }

    /// The connection to the client is gone: the session ends without a farewell and without lingering.
    pub(crate) fn disconnect(&mut self, context: &mut Context<'_>) {
        let identity = self.identity().cloned();
        let is_attempt = matches!(&self.phase, Phase::Handshake(handshake) if handshake.is_attempt());
        if is_attempt || self.is_undecided() {
            let detail = "the connection was lost before the client was let in";
            let failure = Denial::new(CloseReason::ConnectionLost.code(), "", detail);
            context.events.push_back(Event::AttemptFailed { path: context.path, identity, failure });
        }
        self.close(context, CloseReason::ConnectionLost, Farewell::Silent);
        self.phase = Phase::Gone;
    }

    fn step(&mut self, context: &mut Context<'_>, transition: impl FnOnce(Phase, &mut Context<'_>) -> Phase) {
        self.phase = transition(std::mem::replace(&mut self.phase, Phase::Gone), context);
        if let Some(exported) = context.dynamic_wrapping.take() {
            let time = context.config.unix_time(context.now);
            self.wrapping.start_dynamic(&exported, KeyDirection::Zero, time);
        }
    }

    /// Whether the client may move now: it may not do so too often.
    pub(crate) fn spend_float(&mut self, now: Moment) -> bool {
        match &mut self.phase {
            Phase::Active(active) => active.spend_float(now),
            Phase::Handshake(_) | Phase::Admission(_) | Phase::Closing(_) | Phase::Gone => false,
        }
    }

    /// The client is elsewhere now.
    pub(crate) fn move_to(&mut self, path: Path) {
        self.path = path;
        if let Phase::Active(active) = &self.phase {
            active.move_to(path);
        }
    }

    /// The next datagram to send, if any.
    pub(crate) fn poll(&mut self, now: Moment) -> Option<Vec<u8>> {
        let packet = match &mut self.phase {
            Phase::Handshake(handshake) => handshake.poll(now, &self.ends),
            Phase::Admission(admission) => admission.poll(now, &self.ends),
            Phase::Active(active) => match active.poll(now, &self.ends) {
                Some(active::Outgoing::Control(packet)) => Some(packet),
                Some(active::Outgoing::Ping(datagram)) => return Some(datagram),
                None => None,
            },
            Phase::Closing(closing) => closing.poll(now, &self.ends),
            Phase::Gone => None,
        };
        packet.map(|packet| self.wrapping.wrap(packet))
    }

    pub(crate) fn deadline(&self) -> Option<Wakeup> {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.deadline(),
            Phase::Admission(admission) => admission.deadline(),
            Phase::Active(active) => active.deadline(),
            Phase::Closing(closing) => closing.deadline(),
            Phase::Gone => None,
        }
    }

    /// Whose session this is, once the certificate told.
    pub(crate) fn identity(&self) -> Option<&PeerIdentity> {
        match &self.phase {
            Phase::Admission(admission) => admission.identity(),
            Phase::Active(active) => Some(active.identity()),
            Phase::Handshake(_) | Phase::Closing(_) | Phase::Gone => None,
        }
    }

    /// Ends a session that was not granted, at once and without a word.
    pub(crate) fn evict(&mut self) {
        self.phase = Phase::Gone;
    }

    /// Whether the client waits for a decision.
    pub(crate) fn is_undecided(&self) -> bool {
        matches!(&self.phase, Phase::Admission(admission) if admission.is_undecided())
    }

    /// Whether the client was let in.
    pub(crate) fn is_granted(&self) -> bool {
        match &self.phase {
            Phase::Admission(admission) => admission.is_granted(),
            Phase::Active(_) => true,
            Phase::Handshake(_) | Phase::Closing(_) | Phase::Gone => false,
        }
    }

    /// TLS octets that a client has sent that was not let in.
    pub(crate) fn received_from_stranger(&self) -> usize {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.received(),
            Phase::Admission(admission) => admission.received(),
            Phase::Closing(closing) => closing.received(),
            Phase::Active(_) | Phase::Gone => 0,
        }
    }

    /// Whether the tunnel is up.
    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    /// Whether a farewell is on its way that the client has not acknowledged.
    pub(crate) fn is_saying_farewell(&self) -> bool {
        match &self.phase {
            Phase::Closing(closing) => !closing.is_flushed(),
            Phase::Handshake(handshake) => !handshake.is_attempt(),
            Phase::Admission(admission) => admission.is_saying_farewell(),
            Phase::Active(_) | Phase::Gone => false,
        }
    }

    /// Whether the session is over and nothing that was said is unacknowledged.
    pub(crate) fn is_settled(&self) -> bool {
        match &self.phase {
            Phase::Closing(closing) => closing.is_flushed(),
            Phase::Gone => true,
            Phase::Handshake(_) | Phase::Admission(_) | Phase::Active(_) => false,
        }
    }

    /// Whether nothing is left to do.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }
}

/// The earliest of several wakeups.
fn earliest<const N: usize>(wakeups: [Option<Wakeup>; N]) -> Option<Wakeup> {
    wakeups.into_iter().flatten().min()
}

fn wakeup(reason: &'static str) -> impl Fn(Moment) -> Wakeup {
    move |at| Wakeup { at, reason }
}
