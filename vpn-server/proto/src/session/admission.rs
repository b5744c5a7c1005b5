//! Second phase: both key-method-2 messages are written; the client waits to be let in.
//!
//! It gets in, or is told why not, once three things have happened in whatever order: our own message was
//! acknowledged (OpenVPN 3 loses what comes before that), the client has asked for its configuration, and the
//! decision is there. Until then it has neither address nor keys (ACL-01).

use super::active::Active;
use super::closing::Closing;
use super::keys;
use super::{Context, Phase, earliest, wakeup};
use crate::control_channel::{ControlChannel, Ends, Messages};
use crate::event::{Authorization, CloseReason, Event, Farewell, Grant, Wakeup};
use crate::identity::{Denial, PeerIdentity};
use crate::keys::{DYNAMIC_TLS_CRYPT_LABEL, KeySources};
use crate::moment::Moment;
use crate::negotiate::Negotiated;
use crate::wire::control::ControlPacket;
use crate::wire::message::{ClientMessage, ServerMessage};

pub(super) struct Admission {
    channel: ControlChannel,
    standing: Standing,
    asked: bool,
    give_up_at: Moment,
}

/// How the client stands.
pub(super) enum Standing {
    Undecided(ClientHalf),
    Granted(ClientHalf, Grant),
    Refused(ServerMessage),
}

/// What is known of an accepted client.
pub(super) struct ClientHalf {
    pub(super) identity: PeerIdentity,
    pub(super) negotiated: Negotiated,
    pub(super) sources: KeySources,
}

impl Admission {
    pub(super) const fn start(
        channel: ControlChannel,
        standing: Standing,
        asked: bool,
        give_up_at: Moment,
    ) -> Self {
        Self { channel, standing, asked, give_up_at }
    }

    pub(super) fn receive(mut self, context: &mut Context<'_>, packet: &ControlPacket<'_>) -> Phase {
        if packet.key_id != self.channel.key_id() {
            return Phase::Admission(Box::new(self));
        }
        match self.channel.receive(packet) {
            Ok(messages) => self.take_messages(context, &messages),
            Err(failure) => self.fail(context, Denial::new(failure.code(), "", failure.to_string())),
        }
    }

    fn take_messages(mut self, context: &mut Context<'_>, messages: &Messages) -> Phase {
        for message in messages.iter().flat_map(|record| ClientMessage::parse_record(record)) {
            match message {
                ClientMessage::PushRequest => self.asked = true,
                ClientMessage::Exit => {
                    return self.fail(context, Denial::new("client-exit", "", "the client left"));
                }
                ClientMessage::Unknown(_) => {}
            }
        }
        self.advance(context)
    }

    pub(super) fn decide(mut self, context: &mut Context<'_>, decision: Authorization) -> Phase {
        self.standing = match (self.standing, decision) {
            (Standing::Undecided(client), Authorization::Grant(grant)) => Standing::Granted(client, grant),
            (Standing::Undecided(_), Authorization::Deny(denial)) => {
                Standing::Refused(ServerMessage::AuthFailed(denial.public))
            }
            (decided, _) => decided,
        };
        self.advance(context)
    }

    /// Goes on to the next phase if nothing is missing.
    pub(super) fn advance(self, context: &mut Context<'_>) -> Phase {
        if !self.asked || !self.channel.is_flushed() {
            return Phase::Admission(Box::new(self));
        }
        match self.standing {
            Standing::Undecided(_) => Phase::Admission(Box::new(self)),
            Standing::Refused(message) => {
                Phase::Closing(Closing::saying(self.channel, &message, context.now))
            }
            Standing::Granted(client, grant) => Self::admit(context, self.channel, client, grant),
        }
    }

    fn admit(context: &mut Context<'_>, channel: ControlChannel, client: ClientHalf, grant: Grant) -> Phase {
        match keys::derive(&channel, &client.negotiated, &client.sources, &context.ends) {
            Ok(key) => {
                if client.negotiated.dynamic_tls_crypt {
                    context.dynamic_wrapping = channel.tls().export(DYNAMIC_TLS_CRYPT_LABEL).ok();
                }
                Active::start(context, channel, client.identity, client.negotiated, grant, key)
            }
            Err(denial) => {
                context.closed(CloseReason::RenegotiationDenied(denial.clone()));
                let message = ServerMessage::AuthFailed(denial.public);
                Phase::Closing(Closing::saying(channel, &message, context.now))
            }
        }
    }

    /// Closes from this side: the client learns it when it asks.
    pub(super) fn close(
        mut self,
        context: &mut Context<'_>,
        reason: CloseReason,
        farewell: Farewell,
    ) -> Phase {
        if self.is_granted() {
            context.closed(reason);
        }
        match farewell.into_message() {
            Some(message) => {
                self.standing = Standing::Refused(message);
                self.advance(context)
            }
            None => Phase::Gone,
        }
    }

    pub(super) fn handle_timeout(self, context: &mut Context<'_>) -> Phase {
        if context.now < self.give_up_at {
            return Phase::Admission(Box::new(self));
        }
        self.fail(
            context,
            Denial::new("handshake-timeout", "", "the client did not take up its configuration in time"),
        )
    }

    fn fail(self, context: &mut Context<'_>, failure: Denial) -> Phase {
        match self.standing {
            Standing::Granted(..) => context.closed(CloseReason::HandshakeTimeout),
            Standing::Undecided(client) => {
                let identity = Some(client.identity);
                context.events.push_back(Event::AttemptFailed { path: context.path, identity, failure });
            }
            Standing::Refused(_) => {}
        }
        Phase::Closing(Closing::lingering(self.channel, context.now))
    }

    pub(super) fn poll(&mut self, now: Moment, ends: &Ends) -> Option<Vec<u8>> {
        self.channel.poll(now, ends)
    }

    pub(super) fn deadline(&self) -> Option<Wakeup> {
        earliest([
            self.channel.deadline().map(wakeup("control packets")),
            Some(wakeup("handshake timeout")(self.give_up_at)),
        ])
    }

    pub(super) const fn identity(&self) -> Option<&PeerIdentity> {
        match &self.standing {
            Standing::Undecided(client) | Standing::Granted(client, _) => Some(&client.identity),
            Standing::Refused(_) => None,
        }
    }

    pub(super) const fn is_granted(&self) -> bool {
        matches!(self.standing, Standing::Granted(..))
    }
}
