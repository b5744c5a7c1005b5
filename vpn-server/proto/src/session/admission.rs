//! Second phase: both key-method-2 messages are written; the client waits to be let in.
//!
//! It gets in, or is told why not, once three things have happened in whatever order: our own message was
//! acknowledged (OpenVPN 3 loses what comes before that), the client has asked for its configuration, and the
//! decision is there. Until then it has neither address nor keys (ACL-01).

use std::time::Duration;

use super::active::{Active, Client};
use super::allowance::Allowance;
use super::closing::Closing;
use super::keys;
use super::{Context, Phase, earliest, wakeup};
use crate::control_channel::{ControlChannel, Ends, Messages};
use crate::event::{Authorization, CloseReason, Event, Farewell, Grant, Wakeup};
use crate::identity::{Denial, PeerIdentity};
use crate::keys::{DYNAMIC_TLS_CRYPT_LABEL, KeySources};
use crate::moment::Moment;
use crate::negotiate::Negotiated;
use crate::wire::challenge::temporary_reason;
use crate::wire::control::ControlPacket;
use crate::wire::key_method2::Password;
use crate::wire::message::{ClientMessage, ServerMessage};

/// How many answers of the person count at once (ACL-06); after that one in [`ANSWER_INTERVAL`].
const ANSWER_BURST: u32 = 3;
const ANSWER_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Admission {
    channel: ControlChannel,
    standing: Standing,
    asked: bool,
    /// Waits until our key-method-2 message was acknowledged.
    outgoing: Vec<ServerMessage>,
    /// How often the person may answer: each answer is work for whoever decides.
    answers: Allowance,
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
    pub(super) username: Option<String>,
    pub(super) negotiated: Negotiated,
    pub(super) sources: KeySources,
}

impl Standing {
    const fn refused(reason: String) -> Self {
        Self::Refused(ServerMessage::AuthFailed(reason))
    }
}

impl Admission {
    pub(super) const fn start(
        channel: ControlChannel,
        standing: Standing,
        asked: bool,
        give_up_at: Moment,
    ) -> Self {
        Self {
            channel,
            standing,
            asked,
            outgoing: vec![],
            answers: Allowance::new(ANSWER_BURST, ANSWER_INTERVAL),
            give_up_at,
        }
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
                ClientMessage::ChallengeResponse(answer) => self.take_answer(context, answer),
                ClientMessage::Unknown(_) => {}
            }
        }
        self.advance(context)
    }

    fn take_answer(&mut self, context: &mut Context<'_>, answer: String) {
        if matches!(self.standing, Standing::Undecided(_)) && self.answers.spend(context.now) {
            let response = Password::new(answer);
            context.events.push_back(Event::ChallengeResponse { session: context.handle, response });
        }
    }

    /// Takes a decision; one that was taken already stays.
    pub(super) fn decide(mut self, context: &mut Context<'_>, decision: Authorization) -> Phase {
        let Standing::Undecided(client) = self.standing else {
            return Phase::Admission(Box::new(self));
        };
        self.standing = match decision {
            Authorization::Grant(grant) => Standing::Granted(client, grant),
            Authorization::Deny(denial) => Standing::refused(denial.public),
            Authorization::DenyFor { denial, backoff, advance }
                if client.negotiated.takes_temporary_failure =>
            {
                Standing::refused(temporary_reason(&denial.public, backoff, advance))
            }
            Authorization::DenyFor { denial, .. } => Standing::refused(denial.public),
            Authorization::DenyToken(denial) => Standing::refused(format!("SESSION:{}", denial.public)),
            Authorization::Challenge(challenge) => Standing::refused(challenge.to_reason()),
            Authorization::Pending(pending) => {
                self.give_up_at = context.now + pending.timeout;
                self.outgoing.extend(pending.into_messages(client.negotiated.takes_pending_timeout));
                Standing::Undecided(client)
            }
        };
        self.advance(context)
    }

    /// Goes on to the next phase if nothing is missing.
    pub(super) fn advance(mut self, context: &mut Context<'_>) -> Phase {
        if self.channel.is_flushed() {
            for message in std::mem::take(&mut self.outgoing) {
                // A TLS session that broke ends the attempt by its time limit.
                let _ = self.channel.send(&message.to_record());
            }
        }
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
                let ClientHalf { identity, username, negotiated, .. } = client;
                let client = Client {
                    identity,
                    username,
                    token_username: grant.token_username.clone(),
                    negotiated,
                    reauthenticate: grant.reauthenticate,
                };
                Active::start(context, channel, client, &grant, key)
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
        match self.standing {
            Standing::Granted(..) => context.closed(reason),
            Standing::Undecided(_) => context.events.push_back(Event::Abandoned { session: context.handle }),
            Standing::Refused(_) => {}
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
                context.events.push_back(Event::Abandoned { session: context.handle });
                context.events.push_back(Event::AttemptFailed { path: context.path, identity, failure });
            }
            Standing::Refused(_) => {}
        }
        Phase::Closing(Closing::lingering(self.channel, context.now))
    }

    pub(super) const fn received(&self) -> usize {
        self.channel.received()
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

    /// Who the client is. Without a certificate that is a claim until the decision is there.
    pub(super) fn identity(&self) -> Option<&PeerIdentity> {
        match &self.standing {
            Standing::Undecided(client) => {
                Some(&client.identity).filter(|identity| identity.has_certificate())
            }
            Standing::Granted(client, _) => Some(&client.identity),
            Standing::Refused(_) => None,
        }
    }

    /// Whether it is still open how the attempt ends.
    pub(super) const fn is_undecided(&self) -> bool {
        matches!(self.standing, Standing::Undecided(_))
    }

    /// Whether the client was let in.
    pub(super) const fn is_granted(&self) -> bool {
        matches!(self.standing, Standing::Granted(..))
    }

    /// Whether the client is still to hear that it may not go on.
    pub(super) const fn is_saying_farewell(&self) -> bool {
        matches!(self.standing, Standing::Refused(_))
    }
}
