//! One key exchange of the client: reset, TLS, key-method-2 messages both ways.

use crate::client::ClientConfig;
use crate::control_channel::ControlChannel;
use crate::entropy::Entropy;
use crate::ids::KeyId;
use crate::keys::KeySources;
use crate::path::Transport;
use crate::tls::{TlsFailure, TlsStream, client_connection};
use crate::wire::control::ControlPacket;
use crate::wire::key_method2::{KeyMethod2, KeySource, Sender};
use crate::wire::message::{ClientMessage, ServerMessage};
use crate::wire::opcode::ControlOpcode;

/// A key exchange under way.
pub(super) struct Negotiation {
    channel: ControlChannel,
    own: Option<KeySource>,
    server: Option<KeySource>,
}

/// A key exchange that is done.
pub(super) struct Keyed {
    pub(super) channel: ControlChannel,
    pub(super) sources: KeySources,
}

pub(super) enum Progress {
    Running,
    Keyed,
    Failed(String),
}

impl Negotiation {
    pub(super) fn start(
        config: &ClientConfig,
        key_id: KeyId,
        reset: ControlOpcode,
        transport: Transport,
    ) -> Result<Self, TlsFailure> {
        let tls = TlsStream::new(client_connection(&config.tls)?);
        let mut channel = ControlChannel::with_reset(key_id, reset, transport, tls);
        if let (KeyId::FIRST, Some(wrapped_key)) = (key_id, config.wrapping.wrapped_key()) {
            channel.leave_room(wrapped_key.len());
        }
        Ok(Self { channel, own: None, server: None })
    }

    pub(super) fn receive(
        &mut self,
        packet: &ControlPacket<'_>,
        config: &ClientConfig,
        entropy: &mut dyn Entropy,
    ) -> Progress {
        if packet.key_id != self.channel.key_id() {
            return Progress::Running;
        }
        let messages = match self.channel.receive(packet) {
            Ok(messages) => messages,
            Err(failure) => return Progress::Failed(failure.to_string()),
        };
        if self.own.is_none()
            && let Err(failure) = self.introduce(config, entropy)
        {
            return Progress::Failed(failure.to_string());
        }
        let Some(first) = messages.first() else {
            return Progress::Running;
        };
        match KeyMethod2::parse(first, Sender::Server) {
            Ok(message) => {
                self.server = Some(message.source.clone());
                Progress::Keyed
            }
            Err(error) => Progress::Failed(error.to_string()),
        }
    }

    /// Writes the key-method-2 message; TLS keeps it until its handshake is done.
    fn introduce(&mut self, config: &ClientConfig, entropy: &mut dyn Entropy) -> Result<(), TlsFailure> {
        let own = KeySource::of_client(entropy);
        let message = KeyMethod2 {
            source: own.clone(),
            options: config.options.clone(),
            username: config.credentials.as_ref().map(|(username, _)| username.clone()),
            password: config.credentials.as_ref().map(|(_, password)| password.clone()),
            peer_info: config.peer_info.clone(),
        };
        self.own = Some(own);
        self.channel.send(&message.to_wire())
    }

    pub(super) const fn channel(&self) -> &ControlChannel {
        &self.channel
    }

    pub(super) const fn channel_mut(&mut self) -> &mut ControlChannel {
        &mut self.channel
    }

    pub(super) fn into_keyed(self) -> Option<Keyed> {
        let sources = KeySources { client: self.own?, server: self.server? };
        Some(Keyed { channel: self.channel, sources })
    }
}

impl Keyed {
    /// Takes a packet of this key and returns what the server said.
    pub(super) fn hear(&mut self, packet: &ControlPacket<'_>) -> Vec<ServerMessage> {
        if packet.key_id != self.channel.key_id() {
            return vec![];
        }
        let records = self.channel.receive(packet).unwrap_or_default();
        records.iter().flat_map(|record| ServerMessage::parse_record(record).collect::<Vec<_>>()).collect()
    }

    /// Says something; without effect if TLS is broken.
    pub(super) fn say(&mut self, message: &ClientMessage) {
        let _ = self.channel.send(&message.to_record());
    }
}
