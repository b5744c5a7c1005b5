//! Third phase: the tunnel is up.
//!
//! Answers repeated requests for the configuration, keeps the session alive or finds it dead, and lets a
//! renegotiation ([`Rekey`]) run beside it. Tunnel packets do not come through here.

use std::sync::Arc;
use std::time::Duration;

use super::allowance::Allowance;
use super::closing::Closing;
use super::rekey::{Outcome, Rekey};
use super::{Context, Phase, earliest, wakeup};
use crate::control_channel::{ControlChannel, Ends, Messages};
use crate::data::{DataChannel, DataKey};
use crate::entropy::{Entropy, draw};
use crate::event::{CloseReason, Event, Farewell, Grant, Reauthorization, Wakeup};
use crate::identity::{Denial, PeerIdentity};
use crate::ids::KeyId;
use crate::moment::Moment;
use crate::negotiate::Negotiated;
use crate::path::Path;
use crate::wire::control::ControlPacket;
use crate::wire::message::{ClientMessage, ServerMessage};
use crate::wire::opcode::ControlOpcode;
use crate::wire::push::{PushChange, push_reply, push_update, updated_reply};

/// How long an old key still opens after its successor was negotiated (stock: tran-window).
const OLD_KEY_LIFETIME: Duration = Duration::from_secs(3600);
/// How long the old key still seals at most, unless the client seals with the new one (stock: hand-window).
const LONGEST_PROMOTION_DELAY: Duration = Duration::from_secs(60);
/// Pause before a failed renegotiation is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(60);
/// The least time between two answers to a client that asks for its configuration again.
const PUSH_INTERVAL: Duration = Duration::from_secs(1);
/// How many renegotiations a client may begin at once (ACL-06); after that one in [`RENEGOTIATION_INTERVAL`].
const RENEGOTIATION_BURST: u32 = 10;
const RENEGOTIATION_INTERVAL: Duration = Duration::from_secs(60);
/// How many messages of a client count at once (ACL-06); after that one in [`MESSAGE_INTERVAL`].
const MESSAGE_BURST: u32 = 10;
const MESSAGE_INTERVAL: Duration = Duration::from_millis(100);
/// How often a client may change its address at once (NET-10); after that once in [`FLOAT_INTERVAL`].
const FLOAT_BURST: u32 = 5;
const FLOAT_INTERVAL: Duration = Duration::from_secs(1);
/// The keepalives of all sessions leave at so many moments of an interval: each is late by less than this share of it,
/// and thousands of idle sessions cost no more than these wakeups.
const KEEPALIVE_TURNS: u32 = 32;

/// Whose session it is, and what was agreed on for all its keys.
pub(super) struct Client {
    pub(super) identity: PeerIdentity,
    pub(super) username: Option<String>,
    /// The name that it was pushed with a token.
    pub(super) token_username: Option<String>,
    pub(super) negotiated: Negotiated,
    /// Whether credentials are to be shown at each renegotiation.
    pub(super) reauthenticate: bool,
}

pub(super) struct Active {
    channel: ControlChannel,
    client: Client,
    configuration: Vec<String>,
    pushed_at: Moment,
    data: Arc<DataChannel>,
    floats: Allowance,
    renegotiations: Allowance,
    messages: Allowance,
    rekey: Option<Rekey>,
    renegotiate_at: Option<Moment>,
    /// When the keys run out if no renegotiation succeeds; set once one is due.
    keys_end_at: Option<Moment>,
    ping: Duration,
    dead_after: Duration,
}

/// Something to send.
pub(super) enum Outgoing {
    /// A control packet, still to be wrapped.
    Control(Vec<u8>),
    /// A whole datagram of the data channel.
    Ping(Vec<u8>),
}

impl Active {
    pub(super) fn start(
        context: &mut Context<'_>,
        channel: ControlChannel,
        client: Client,
        grant: &Grant,
        key: DataKey,
    ) -> Phase {
        let data = Arc::new(DataChannel::new(
            grant.peer_id,
            context.path,
            &client.negotiated.format,
            key,
            context.now,
        ));
        context.events.push_back(Event::Established { session: context.handle, channel: Arc::clone(&data) });
        let keepalive = context.config.keepalive;
        let mut active = Self {
            channel,
            configuration: push_reply(&client.negotiated.push_options(context.config, grant)),
            client,
            pushed_at: context.now,
            data,
            floats: Allowance::new(FLOAT_BURST, FLOAT_INTERVAL),
            renegotiations: Allowance::new(RENEGOTIATION_BURST, RENEGOTIATION_INTERVAL),
            messages: Allowance::new(MESSAGE_BURST, MESSAGE_INTERVAL),
            rekey: None,
            renegotiate_at: next_renegotiation(context),
            keys_end_at: None,
            ping: keepalive.ping,
            dead_after: keepalive.ping_restart * 2,
        };
        active.push_configuration(context.now);
        Phase::Active(Box::new(active))
    }

    fn push_configuration(&mut self, now: Moment) {
        self.pushed_at = now;
        for part in &self.configuration {
            // A TLS session that broke is replaced by the next renegotiation.
            let _ = self.channel.send(&ServerMessage::PushReply(part.clone()).to_record());
        }
    }

    pub(super) fn receive(mut self, context: &mut Context<'_>, packet: &ControlPacket<'_>) -> Phase {
        if packet.key_id == self.channel.key_id() {
            return match self.channel.receive(packet) {
                Ok(messages) => self.take_messages(context, &messages),
                Err(_) => {
                    // Whoever broke it, the tunnel does not depend on it: a new TLS session replaces it.
                    self.start_rekey(context);
                    Phase::Active(Box::new(self))
                }
            };
        }
        if packet.opcode == ControlOpcode::SoftReset
            && packet.key_id == self.next_key_id()
            && self.rekey.is_none()
            && self.renegotiations.spend(context.now)
        {
            self.start_rekey(context);
        }
        self.feed_rekey(context, packet)
    }

    fn take_messages(mut self, context: &mut Context<'_>, messages: &Messages) -> Phase {
        for message in messages.iter().flat_map(|record| ClientMessage::parse_record(record)) {
            match message {
                ClientMessage::Exit => return self.close(context, CloseReason::ClientExit, Farewell::Silent),
                _ if !self.messages.spend(context.now) => {}
                ClientMessage::PushRequest => {
                    if context.now.saturating_since(self.pushed_at) >= PUSH_INTERVAL {
                        self.push_configuration(context.now);
                    }
                }
                ClientMessage::ChallengeResponse(_) | ClientMessage::Unknown(_) => {}
            }
        }
        Phase::Active(Box::new(self))
    }

    fn next_key_id(&self) -> KeyId {
        self.channel.key_id().next()
    }

    fn start_rekey(&mut self, context: &Context<'_>) {
        if self.rekey.is_some() {
            return;
        }
        self.keys_end_at.get_or_insert(context.now + OLD_KEY_LIFETIME);
        match Rekey::start(context, self.next_key_id()) {
            Ok(rekey) => self.rekey = Some(rekey),
            Err(_) => self.renegotiate_at = Some(context.now + RETRY_PAUSE),
        }
    }

    fn feed_rekey(mut self, context: &mut Context<'_>, packet: &ControlPacket<'_>) -> Phase {
        let Some(rekey) = &mut self.rekey else {
            return Phase::Active(Box::new(self));
        };
        match rekey.receive(context, packet, &self.client) {
            Outcome::Running => {}
            Outcome::KeyReady(key) => self.data.install(*key, context.now + OLD_KEY_LIFETIME),
            Outcome::Finished => self.finish_rekey(context),
            Outcome::Failed => self.abandon_rekey(context.now),
            Outcome::Denied(denial) => return self.deny(context, denial),
            Outcome::Left => return self.close(context, CloseReason::ClientExit, Farewell::Silent),
        }
        Phase::Active(Box::new(self))
    }

    /// Takes the decision about credentials that were shown again.
    pub(super) fn reauthorize(mut self, context: &mut Context<'_>, decision: Reauthorization) -> Phase {
        let Some(rekey) = &mut self.rekey else {
            return Phase::Active(Box::new(self));
        };
        match decision {
            Reauthorization::Accept(options) => match rekey.accept(options) {
                Outcome::KeyReady(key) => self.data.install(*key, context.now + OLD_KEY_LIFETIME),
                Outcome::Finished
                | Outcome::Running
                | Outcome::Failed
                | Outcome::Denied(_)
                | Outcome::Left => {}
            },
            Reauthorization::Pending(pending) => rekey.hold(context.now, &self.client, pending),
            Reauthorization::Deny(denial) => return self.deny(context, denial),
            Reauthorization::DenyToken(denial) => {
                let farewell = Farewell::AuthFailed(format!("SESSION:{}", denial.public));
                return self.close(context, CloseReason::RenegotiationDenied(denial), farewell);
            }
        }
        if self.rekey.as_ref().is_some_and(Rekey::is_finished) {
            self.finish_rekey(context);
        }
        Phase::Active(Box::new(self))
    }

    /// Changes the configuration of a client that takes changes; says whether it does.
    pub(super) fn push_update(&mut self, changes: &[PushChange]) -> bool {
        // Stock clients hear nothing on the old key once a renegotiation has begun.
        let listens = !self.rekey.as_ref().is_some_and(Rekey::is_heard);
        let takes_it = self.client.negotiated.takes_push_update && listens;
        if takes_it {
            self.configuration = updated_reply(&self.configuration, changes);
            for part in push_update(changes) {
                // A TLS session that broke is replaced by the next renegotiation.
                let _ = self.channel.send(&ServerMessage::PushUpdate(part).to_record());
            }
        }
        takes_it
    }

    fn finish_rekey(&mut self, context: &mut Context<'_>) {
        let Some(rekey) = self.rekey.take() else { return };
        let options;
        (self.channel, options) = rekey.into_channel();
        if !options.is_empty() {
            for part in push_reply(&options) {
                let _ = self.channel.send(&ServerMessage::PushReply(part).to_record());
            }
        }
        self.data.promote(context.now + promotion_delay(context.config.renegotiate_after));
        self.renegotiate_at = next_renegotiation(context);
        self.keys_end_at = None;
        let key_id = self.channel.key_id();
        context.events.push_back(Event::Renegotiated { session: context.handle, key_id });
    }

    fn abandon_rekey(&mut self, now: Moment) {
        self.rekey = None;
        self.renegotiate_at = Some(now + RETRY_PAUSE);
    }

    fn deny(self, context: &mut Context<'_>, denial: Denial) -> Phase {
        let farewell = Farewell::AuthFailed(denial.public.clone());
        self.close(context, CloseReason::RenegotiationDenied(denial), farewell)
    }

    /// Drops the keys at once and says farewell.
    pub(super) fn close(self, context: &mut Context<'_>, reason: CloseReason, farewell: Farewell) -> Phase {
        self.data.close();
        context.closed(reason);
        match (farewell.into_message(), self.rekey) {
            (Some(message), Some(rekey)) if rekey.is_heard() => rekey.say_farewell(context, message),
            (Some(message), _) => Phase::Closing(Closing::saying(self.channel, &message, context.now)),
            (None, _) => Phase::Closing(Closing::lingering(self.channel, context.now)),
        }
    }

    pub(super) fn handle_timeout(mut self, context: &mut Context<'_>) -> Phase {
        let now = context.now;
        if now >= self.data.last_received() + self.dead_after {
            return self.close(context, CloseReason::PingTimeout, Farewell::Silent);
        }
        if self.data.is_forfeit() {
            return self.close(context, CloseReason::TooManyForgeries, Farewell::Restart(String::new()));
        }
        if self.keys_end_at.is_some_and(|at| now >= at) {
            return self.close(context, CloseReason::RenegotiationFailed, Farewell::Restart(String::new()));
        }
        if self.rekey.as_ref().is_some_and(|rekey| now >= rekey.give_up_at()) {
            self.abandon_rekey(now);
        }
        if self.renegotiate_at.is_some_and(|at| now >= at) || (self.rekey.is_none() && self.data.is_worn()) {
            self.renegotiate_at = None;
            self.start_rekey(context);
        }
        self.data.tick(now);
        Phase::Active(Box::new(self))
    }

    pub(super) fn spend_float(&mut self, now: Moment) -> bool {
        self.floats.spend(now)
    }

    pub(super) fn move_to(&self, path: Path) {
        self.data.move_to(path);
    }

    pub(super) fn poll(&mut self, now: Moment, ends: &Ends) -> Option<Outgoing> {
        let of_rekey = |rekey: &mut Rekey| rekey.poll(now, ends);
        let control = self.channel.poll(now, ends).or_else(|| self.rekey.as_mut().and_then(of_rekey));
        control.map(Outgoing::Control).or_else(|| self.ping_if_silent(now).map(Outgoing::Ping))
    }

    fn ping_if_silent(&self, now: Moment) -> Option<Vec<u8>> {
        let is_due = now >= self.data.last_sent() + self.ping;
        is_due.then(|| self.data.seal_ping(now).ok()).flatten()
    }

    pub(super) fn deadline(&self) -> Option<Wakeup> {
        earliest([
            self.channel.deadline().map(wakeup("control packets")),
            self.rekey.as_ref().and_then(Rekey::deadline),
            Some(wakeup("ping")(
                (self.data.last_sent() + self.ping).rounded_up_to(self.ping / KEEPALIVE_TURNS),
            )),
            Some(wakeup("ping timeout")(self.data.last_received() + self.dead_after)),
            self.renegotiate_at.map(wakeup("renegotiation")),
            self.keys_end_at.map(wakeup("end of keys")),
            self.data.next_tick().map(wakeup("key change")),
        ])
    }

    pub(super) const fn identity(&self) -> &PeerIdentity {
        &self.client.identity
    }
}

/// A key's lifetime less up to a tenth at random, so that sessions that began together do not renegotiate together.
fn next_renegotiation(context: &mut Context<'_>) -> Option<Moment> {
    let lifetime = context.config.renegotiate_after?;
    Some(context.now + lifetime - random_tenth(lifetime, context.entropy))
}

/// As stock does: half a key's lifetime at most.
fn promotion_delay(lifetime: Option<Duration>) -> Duration {
    lifetime.map_or(LONGEST_PROMOTION_DELAY, |lifetime| LONGEST_PROMOTION_DELAY.min(lifetime / 2))
}

fn random_tenth(duration: Duration, entropy: &mut dyn Entropy) -> Duration {
    let share = u32::from(u16::from_be_bytes(draw(entropy)));
    duration / 10 * share / u32::from(u16::MAX)
}
