//! A renegotiation beside an active session: a whole new TLS session under the next key id.
//!
//! The client is asked for its certificate again and must be the same one; so a revocation takes effect here at the
//! latest. Nothing is pushed: cipher, peer id and flags stay (protocol reference section 10.1).

use std::time::Duration;

use super::active::Client;
use super::admission::{Admission, Standing};
use super::handshake::Handshake;
use super::keys;
use super::{Context, Phase, earliest, wakeup};
use crate::control_channel::{ControlChannel, Ends, Messages};
use crate::data::DataKey;
use crate::event::{Event, Pending, Wakeup};
use crate::identity::{CertificateVerdict, Denial};
use crate::ids::KeyId;
use crate::keys::KeySources;
use crate::moment::Moment;
use crate::tls::{TlsFailure, TlsStream, VerdictRecord};
use crate::wire::control::ControlPacket;
use crate::wire::key_method2::{KeyMethod2, KeySource, Password, Sender};
use crate::wire::message::{ClientMessage, ServerMessage};
use crate::wire::occ;
use crate::wire::opcode::ControlOpcode;
use crate::wire::push::PushOption;

/// Time for a renegotiation at least: stock clients take as long (hand-window), and the tunnel goes on meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Rekey {
    channel: ControlChannel,
    record: VerdictRecord,
    progress: Progress,
    /// Whether the client has sent anything under the new key: then it listens to the old one no longer.
    is_heard: bool,
    /// To be pushed once the renegotiation is finished.
    options: Vec<PushOption>,
    /// Waits until our key-method-2 message was acknowledged.
    outgoing: Vec<ServerMessage>,
    give_up_at: Moment,
}

/// How far it is.
enum Progress {
    /// TLS runs, until the client's key-method-2 message is there.
    Handshake,
    /// The credentials are being checked; the key may not be used before.
    Reauthorizing(Box<DataKey>),
    /// Only the acknowledgement of our own message is missing.
    Keyed,
}

/// What a packet did to the renegotiation.
pub(super) enum Outcome {
    Running,
    /// The new key may be used; our own message is on its way.
    KeyReady(Box<DataKey>),
    /// The client has our message: the new control channel replaces the old one.
    Finished,
    /// It broke; the session goes on with its old keys for a while.
    Failed,
    /// The client may not go on.
    Denied(Denial),
    /// The client says that it leaves.
    Left,
}

impl Rekey {
    /// Begins with a reset of our own, whether it is the question or the answer.
    pub(super) fn start(context: &Context<'_>, key_id: KeyId) -> Result<Self, TlsFailure> {
        let config = context.config;
        let record = VerdictRecord::default();
        let tls = TlsStream::new(config.server_connection(record.clone())?);
        let transport = context.path.transport;
        let channel = ControlChannel::with_reset(key_id, ControlOpcode::SoftReset, transport, tls);
        let give_up_at = context.now + config.handshake_timeout.max(PATIENCE);
        Ok(Self {
            channel,
            record,
            progress: Progress::Handshake,
            is_heard: false,
            options: vec![],
            outgoing: vec![],
            give_up_at,
        })
    }

    pub(super) fn receive(
        &mut self,
        context: &mut Context<'_>,
        packet: &ControlPacket<'_>,
        client: &Client,
    ) -> Outcome {
        if packet.key_id != self.channel.key_id() {
            return Outcome::Running;
        }
        self.is_heard = true;
        let Ok(messages) = self.channel.receive(packet) else {
            return self.failure();
        };
        self.say_what_waits();
        match (&self.progress, messages.first()) {
            (Progress::Handshake, Some(first)) => match KeyMethod2::parse(first, Sender::Client) {
                Ok(message) => self.answer(context, message, client),
                Err(_) => Outcome::Failed,
            },
            (Progress::Reauthorizing(_) | Progress::Keyed, Some(_)) if self.converse(context, &messages) => {
                Outcome::Left
            }
            _ if self.is_finished() => Outcome::Finished,
            _ => Outcome::Running,
        }
    }

    /// While the credentials are being checked, a question may be asked and answered. Answers whether the client leaves.
    fn converse(&self, context: &mut Context<'_>, messages: &Messages) -> bool {
        let is_asked = matches!(self.progress, Progress::Reauthorizing(_));
        let mut leaves = false;
        for message in messages.iter().flat_map(|record| ClientMessage::parse_record(record)) {
            match message {
                ClientMessage::Exit => leaves = true,
                ClientMessage::ChallengeResponse(answer) if is_asked => {
                    let response = Password::new(answer);
                    context.events.push_back(Event::ChallengeResponse { session: context.handle, response });
                }
                ClientMessage::ChallengeResponse(_)
                | ClientMessage::PushRequest
                | ClientMessage::Unknown(_) => {}
            }
        }
        leaves
    }

    /// The decision about the credentials takes time; without effect when there is none to be made.
    pub(super) fn hold(&mut self, now: Moment, client: &Client, pending: Pending) {
        if matches!(self.progress, Progress::Reauthorizing(_)) {
            self.give_up_at = now + pending.timeout;
            self.outgoing.extend(pending.into_messages(client.negotiated.takes_pending_timeout));
            self.say_what_waits();
        }
    }

    fn say_what_waits(&mut self) {
        if self.channel.is_flushed() {
            for message in std::mem::take(&mut self.outgoing) {
                // A TLS session that broke ends the renegotiation by its time limit.
                let _ = self.channel.send(&message.to_record());
            }
        }
    }

    /// Whether both sides have all they need.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.progress, Progress::Keyed) && self.channel.is_flushed()
    }

    /// The credentials were good: the key that was held back may be used.
    pub(super) fn accept(&mut self, options: Vec<PushOption>) -> Outcome {
        match std::mem::replace(&mut self.progress, Progress::Keyed) {
            Progress::Reauthorizing(key) => {
                self.options = options;
                Outcome::KeyReady(key)
            }
            other @ (Progress::Handshake | Progress::Keyed) => {
                self.progress = other;
                Outcome::Running
            }
        }
    }

    fn answer(&mut self, context: &mut Context<'_>, message: KeyMethod2, client: &Client) -> Outcome {
        let server = KeySource::of_server(context.entropy);
        let reply = KeyMethod2 {
            source: server.clone(),
            options: occ::server_options(context.config.tun_mtu, &message.options),
            username: None,
            password: None,
            peer_info: String::new(),
        };
        if self.channel.send(&reply.to_wire()).is_err() {
            return Outcome::Failed;
        }
        self.progress = Progress::Keyed;
        if let Err(denial) = self.verify_same_client(client, message.username.as_deref()) {
            return Outcome::Denied(denial);
        }
        let sources = KeySources { client: message.source.clone(), server };
        match keys::derive(&self.channel, &client.negotiated, &sources, &context.ends) {
            Ok(key) if client.reauthenticate => {
                self.progress = Progress::Reauthorizing(Box::new(key));
                let event = Event::ReauthorizationRequested {
                    session: context.handle,
                    username: message.username,
                    password: message.password,
                };
                context.events.push_back(event);
                Outcome::Running
            }
            Ok(key) => Outcome::KeyReady(Box::new(key)),
            Err(denial) => Outcome::Denied(denial),
        }
    }

    fn verify_same_client(&self, client: &Client, username: Option<&str>) -> Result<(), Denial> {
        let is_of_token = username.is_some() && client.token_username.as_deref() == username;
        if client.username.as_deref() != username && !is_of_token {
            return Err(Denial::new(
                "username-changed",
                "the user name changed during the session",
                format!("the session of {:?} renegotiated as {username:?}", client.username),
            ));
        }
        let identity = &client.identity;
        match self.record.verdict() {
            Some(CertificateVerdict::Accepted(now)) if now.fingerprint == identity.fingerprint => Ok(()),
            Some(CertificateVerdict::Accepted(now)) => Err(Denial::new(
                "certificate-changed",
                "the certificate changed during the session",
                format!(
                    "the session of {:?} renegotiated with a certificate of {:?}",
                    identity.common_name, now.common_name
                ),
            )),
            Some(CertificateVerdict::Denied(_, denial) | CertificateVerdict::Untrusted(denial)) => {
                Err(denial.clone())
            }
            None if !identity.has_certificate() => Ok(()),
            None => {
                Err(Denial::new("no-client-certificate", "no certificate", "TLS ended without a verdict"))
            }
        }
    }

    /// A TLS failure: a certificate that is not trusted any longer ends the session, anything else may pass.
    fn failure(&self) -> Outcome {
        match self.record.verdict() {
            Some(CertificateVerdict::Untrusted(denial) | CertificateVerdict::Denied(_, denial)) => {
                Outcome::Denied(denial.clone())
            }
            Some(CertificateVerdict::Accepted(_)) | None => Outcome::Failed,
        }
    }

    pub(super) fn poll(&mut self, now: Moment, ends: &Ends) -> Option<Vec<u8>> {
        self.channel.poll(now, ends)
    }

    pub(super) fn deadline(&self) -> Option<Wakeup> {
        earliest([
            self.channel.deadline().map(wakeup("renegotiation packets")),
            Some(wakeup("renegotiation timeout")(self.give_up_at)),
        ])
    }

    pub(super) const fn give_up_at(&self) -> Moment {
        self.give_up_at
    }

    pub(super) const fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// Brings the negotiation to where the client can take a message, and says it.
    pub(super) fn say_farewell(self, context: &mut Context<'_>, message: ServerMessage) -> Phase {
        let Self { channel, record, progress, give_up_at, .. } = self;
        match progress {
            Progress::Handshake => {
                Phase::Handshake(Handshake::for_farewell(channel, record, message, give_up_at))
            }
            Progress::Reauthorizing(_) | Progress::Keyed => {
                Admission::start(channel, Standing::Refused(message), true, give_up_at).advance(context)
            }
        }
    }

    /// The new control channel, and what is to be pushed over it.
    pub(super) fn into_channel(self) -> (ControlChannel, Vec<PushOption>) {
        (self.channel, self.options)
    }
}
