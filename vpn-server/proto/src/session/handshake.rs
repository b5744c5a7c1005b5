//! First phase: TLS runs until the client's key-method-2 message is there.
//!
//! The certificate may already have been refused here; the client learns that in the next phase, by `AUTH_FAILED`.

use std::sync::Arc;

use super::admission::{Admission, ClientHalf, Standing};
use super::closing::Closing;
use super::{Context, Phase, Reset, earliest, wakeup};
use crate::config::EndpointConfig;
use crate::control_channel::{ControlChannel, Ends, Messages};
use crate::event::{AuthorizationRequest, Event, Wakeup};
use crate::identity::{CertificateVerdict, Denial, PeerIdentity};
use crate::ids::KeyId;
use crate::keys::KeySources;
use crate::moment::Moment;
use crate::negotiate::{self, Negotiated};
use crate::path::Transport;
use crate::tls::{TlsFailure, TlsStream, VerdictRecord};
use crate::wire::control::ControlPacket;
use crate::wire::key_method2::{KeyMethod2, KeySource, Sender};
use crate::wire::message::ServerMessage;
use crate::wire::occ;
use crate::wire::opcode::ControlOpcode;
use crate::wire::peer_info::PeerInfo;

pub(super) struct Handshake {
    channel: ControlChannel,
    record: VerdictRecord,
    metadata: Option<Vec<u8>>,
    /// What the client will hear whoever it proves to be: its session ended during a renegotiation.
    farewell: Option<ServerMessage>,
    give_up_at: Moment,
    /// When it is given up unless the client is heard before.
    silent_at: Moment,
}

/// A client that does not get in, and who it is, where its certificate chains to the authority.
struct Refusal {
    identity: Option<PeerIdentity>,
    denial: Denial,
}

impl Handshake {
    pub(super) fn start(
        config: &EndpointConfig,
        transport: Transport,
        reset: Reset,
        metadata: Option<Vec<u8>>,
        now: Moment,
    ) -> Result<Self, TlsFailure> {
        let record = VerdictRecord::default();
        let connection =
            config.tls.server_connection(Arc::clone(&config.certificate_check), record.clone())?;
        let tls = TlsStream::new(connection);
        let channel = match reset {
            Reset::Over => ControlChannel::after_reset(transport, tls),
            Reset::Received => {
                let reset = ControlOpcode::HardResetServer;
                ControlChannel::with_reset(KeyId::FIRST, reset, transport, tls)
            }
        };
        let give_up_at = now + config.handshake_timeout;
        let silent_at = now + config.handshake_silence;
        Ok(Self { channel, record, metadata, farewell: None, give_up_at, silent_at })
    }

    /// The rest of a renegotiation whose session ended: stock clients hear nothing on the old key any longer.
    pub(super) const fn for_farewell(
        channel: ControlChannel,
        record: VerdictRecord,
        farewell: ServerMessage,
        give_up_at: Moment,
    ) -> Self {
        Self { channel, record, metadata: None, farewell: Some(farewell), give_up_at, silent_at: give_up_at }
    }

    /// Whether it is still open how this ends.
    pub(super) const fn is_attempt(&self) -> bool {
        self.farewell.is_none()
    }

    pub(super) fn receive(mut self, context: &mut Context<'_>, packet: &ControlPacket<'_>) -> Phase {
        if packet.key_id != self.channel.key_id() {
            return Phase::Handshake(self);
        }
        self.silent_at = context.now + context.config.handshake_silence;
        match self.channel.receive(packet) {
            Ok(messages) => self.take_messages(context, messages),
            Err(failure) => self.fail(context, failure.code(), &failure.to_string()),
        }
    }

    fn take_messages(self, context: &mut Context<'_>, messages: Messages) -> Phase {
        let Some(first) = messages.first() else {
            return Phase::Handshake(self);
        };
        match KeyMethod2::parse(first, Sender::Client) {
            Ok(message) => self.answer(context, message),
            Err(error) => self.fail(context, "bad-key-method-2", &error.to_string()),
        }
    }

    /// Answers the client's key-method-2 message and hands the client over to the next phase.
    fn answer(mut self, context: &mut Context<'_>, message: KeyMethod2) -> Phase {
        let server_source = KeySource::of_server(context.entropy);
        let reply = KeyMethod2 {
            source: server_source.clone(),
            options: occ::server_options(context.config.tun_mtu, &message.options),
            username: None,
            password: None,
            peer_info: String::new(),
        };
        if let Err(failure) = self.channel.send(&reply.to_wire()) {
            return self.fail(context, failure.code(), &failure.to_string());
        }
        if let Some(farewell) = self.farewell {
            let standing = Standing::Refused(farewell);
            return Admission::start(self.channel, standing, true, self.give_up_at).advance(context);
        }
        let info = PeerInfo::parse(&message.peer_info);
        let asked = negotiate::asks_by_itself(&info);
        let standing = match self.judge(context.config, &info, &message.options) {
            Ok((identity, negotiated)) => {
                let sources = KeySources { client: message.source.clone(), server: server_source };
                let username = message.username.clone();
                let request = self.request(context, message, info, identity.clone(), negotiated);
                context.events.push_back(request);
                Standing::Undecided(ClientHalf { identity, username, negotiated, sources })
            }
            Err(refusal) => {
                let Refusal { identity, denial } = *refusal;
                let standing = Standing::Refused(ServerMessage::AuthFailed(denial.public.clone()));
                context.events.push_back(Event::AttemptFailed {
                    path: context.path,
                    identity,
                    failure: denial,
                });
                standing
            }
        };
        Admission::start(self.channel, standing, asked, self.give_up_at).advance(context)
    }

    /// Whether this client may go on at all: its certificate first, then what its software can do.
    fn judge(
        &self,
        config: &EndpointConfig,
        info: &PeerInfo,
        options: &str,
    ) -> Result<(PeerIdentity, Negotiated), Box<Refusal>> {
        let refusal = |identity, denial| Err(Box::new(Refusal { identity, denial }));
        match self.record.verdict().cloned() {
            Some(CertificateVerdict::Accepted(identity)) => {
                match Negotiated::with_client(config, info, options) {
                    Ok(negotiated) => Ok((identity, negotiated)),
                    Err(denial) => refusal(Some(identity), denial),
                }
            }
            Some(CertificateVerdict::Denied(identity, denial)) => refusal(Some(identity), denial),
            Some(CertificateVerdict::Untrusted(denial)) => refusal(None, denial),
            None => {
                let detail = "TLS ended without a verdict";
                refusal(None, Denial::new("no-client-certificate", "no certificate", detail))
            }
        }
    }

    fn request(
        &self,
        context: &Context<'_>,
        message: KeyMethod2,
        peer_info: PeerInfo,
        identity: PeerIdentity,
        negotiated: Negotiated,
    ) -> Event {
        let request = AuthorizationRequest {
            path: context.path,
            identity,
            username: message.username,
            password: message.password,
            peer_info,
            tls: self.channel.tls().summary(),
            cipher: negotiated.format.cipher(),
            tls_crypt_v2_metadata: self.metadata.clone(),
        };
        Event::AuthorizationRequested { session: context.handle, request: Box::new(request) }
    }

    pub(super) fn handle_timeout(self, context: &mut Context<'_>) -> Phase {
        if context.now >= self.give_up_at {
            return self.fail(context, "handshake-timeout", "the TLS handshake did not finish in time");
        }
        if context.now >= self.silent_at {
            return self.fail(context, "handshake-timeout", "the client fell silent in the TLS handshake");
        }
        Phase::Handshake(self)
    }

    /// Ends the attempt; an alert that TLS may have prepared still leaves.
    fn fail(self, context: &mut Context<'_>, code: &'static str, detail: &str) -> Phase {
        let failure = match self.record.verdict() {
            Some(CertificateVerdict::Untrusted(denial)) => denial.clone(),
            Some(CertificateVerdict::Accepted(_) | CertificateVerdict::Denied(..)) | None => {
                Denial::new(code, "TLS handshake failed", detail)
            }
        };
        if self.farewell.is_none() {
            context.events.push_back(Event::AttemptFailed { path: context.path, identity: None, failure });
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
            Some(wakeup("handshake timeout")(self.give_up_at.min(self.silent_at))),
        ])
    }
}
