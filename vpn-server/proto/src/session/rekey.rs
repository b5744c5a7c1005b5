//! A renegotiation beside an active session: a whole new TLS session under the next key id.
//!
//! The client is asked for its certificate again and must be the same one; so a revocation takes effect here at the
//! latest. Nothing is pushed: cipher, peer id and flags stay (protocol reference section 10.1).

use std::sync::Arc;

use super::keys;
use super::{Context, earliest, wakeup};
use crate::config::EndpointConfig;
use crate::control_channel::{ControlChannel, Ends};
use crate::data::DataKey;
use crate::event::Wakeup;
use crate::identity::{CertificateVerdict, Denial, PeerIdentity};
use crate::ids::KeyId;
use crate::keys::KeySources;
use crate::moment::Moment;
use crate::negotiate::Negotiated;
use crate::tls::{TlsFailure, TlsStream, VerdictRecord};
use crate::wire::control::ControlPacket;
use crate::wire::key_method2::{KeyMethod2, KeySource, Sender};
use crate::wire::occ;
use crate::wire::opcode::ControlOpcode;

pub(super) struct Rekey {
    channel: ControlChannel,
    record: VerdictRecord,
    is_keyed: bool,
    give_up_at: Moment,
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
}

impl Rekey {
    /// Begins with a reset of our own, whether it is the question or the answer.
    pub(super) fn start(config: &EndpointConfig, key_id: KeyId, now: Moment) -> Result<Self, TlsFailure> {
        let record = VerdictRecord::default();
        let connection =
            config.tls.server_connection(Arc::clone(&config.certificate_check), record.clone())?;
        let channel =
            ControlChannel::with_reset(key_id, ControlOpcode::SoftReset, TlsStream::new(connection));
        Ok(Self { channel, record, is_keyed: false, give_up_at: now + config.handshake_timeout })
    }

    pub(super) fn receive(
        &mut self,
        context: &mut Context<'_>,
        packet: &ControlPacket<'_>,
        identity: &PeerIdentity,
        negotiated: &Negotiated,
    ) -> Outcome {
        if packet.key_id != self.channel.key_id() {
            return Outcome::Running;
        }
        let Ok(messages) = self.channel.receive(packet) else {
            return self.failure();
        };
        match messages.first() {
            Some(first) if !self.is_keyed => match KeyMethod2::parse(first, Sender::Client) {
                Ok(message) => self.answer(context, &message, identity, negotiated),
                Err(_) => Outcome::Failed,
            },
            _ if self.is_keyed && self.channel.is_flushed() => Outcome::Finished,
            _ => Outcome::Running,
        }
    }

    fn answer(
        &mut self,
        context: &mut Context<'_>,
        message: &KeyMethod2,
        identity: &PeerIdentity,
        negotiated: &Negotiated,
    ) -> Outcome {
        if let Err(denial) = self.verify_same_client(identity) {
            return Outcome::Denied(denial);
        }
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
        self.is_keyed = true;
        let sources = KeySources { client: message.source.clone(), server };
        match keys::derive(&self.channel, negotiated, &sources, &context.ends) {
            Ok(key) => Outcome::KeyReady(Box::new(key)),
            Err(denial) => Outcome::Denied(denial),
        }
    }

    fn verify_same_client(&self, identity: &PeerIdentity) -> Result<(), Denial> {
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

    pub(super) fn into_channel(self) -> ControlChannel {
        self.channel
    }
}
