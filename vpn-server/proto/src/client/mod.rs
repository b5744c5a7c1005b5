//! The client side: small, for the simulator, load generators and connection probes.
//!
//! Speaks like a stock client of today, or as an older one if told so. It does what a server needs to be tested, not
//! what a user of a VPN client needs: no routes, no DNS, no reconnecting.
//!
//! The same five verbs as [`Endpoint`](crate::Endpoint).

mod config;
mod negotiation;
mod pushed;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use config::{ClientConfig, ClientTls};
pub use pushed::Pushed;

use crate::control_channel::Ends;
use crate::data::{DataChannel, DataFormat, DataKey, EXIT, Inbound, Opened, ReplayWindowSize};
use crate::entropy::Entropy;
use crate::event::{Transmit, Wakeup};
use crate::ids::{KeyId, MessageId, PeerId, SessionId};
use crate::keys::{BothIds, DYNAMIC_TLS_CRYPT_LABEL, KeyDerivation, KeyMaterial, Side};
use crate::moment::Moment;
use crate::path::Path;
use crate::wire::control::ControlPacket;
use crate::wire::message::{ClientMessage, ServerMessage};
use crate::wire::opcode::{Class, ControlOpcode, classify};
use crate::wire::push;
use crate::wire::static_key::KeyDirection;
use crate::wrapping::SessionWrapping;
use negotiation::{Keyed, Negotiation, Progress};

/// How often a client that got no configuration asks for it again.
const PUSH_REQUEST_INTERVAL: Duration = Duration::from_secs(5);
/// How long the old key still seals after a renegotiation.
const PROMOTION_DELAY: Duration = Duration::from_secs(5);
const OLD_KEY_LIFETIME: Duration = Duration::from_secs(3600);

/// One connection to one server.
pub struct Client {
    config: Arc<ClientConfig>,
    path: Path,
    ends: Ends,
    wrapping: SessionWrapping,
    server_is_known: bool,
    entropy: Box<dyn Entropy>,
    stage: Stage,
    events: VecDeque<ClientEvent>,
    transmits: VecDeque<Transmit>,
}

/// What the server did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The tunnel is up.
    Connected(Box<Pushed>),
    /// There is a new key.
    Renegotiated(KeyId),
    /// A tunnel packet arrived.
    Packet(Vec<u8>),
    /// The server's decision takes time; so many seconds, if it said.
    Pending(Option<u64>),
    /// The server has a question or a notice for the person.
    Prompt(String),
    /// The server changes the configuration: options, those to be removed with a `-` in front.
    Updated(Vec<String>),
    /// The server pushed options after a renegotiation.
    Pushed(Vec<String>),
    /// The server refuses this client, or ends its session: the reason.
    AuthFailed(String),
    /// The server wants this client to reconnect.
    Restart(String),
    /// The server wants this client to stop for good.
    Halt(String),
    /// The connection broke; the text is for humans.
    Failed(String),
}

enum Stage {
    /// Until the first key-method-2 exchange is done.
    Connecting { negotiation: Box<Negotiation>, give_up_at: Moment },
    /// Until the configuration is there.
    Configuring { keyed: Box<Keyed>, parts: Vec<String>, ask_at: Moment, give_up_at: Moment },
    /// The tunnel is up.
    Connected(Box<Connected>),
    /// Nothing is sent or taken any more, except what is still to be acknowledged.
    Ended(Option<Box<Keyed>>),
}

struct Connected {
    keyed: Keyed,
    rekey: Option<Negotiation>,
    /// When a renegotiation under way counts as failed.
    rekey_ends_at: Moment,
    data: DataChannel,
    format: DataFormat,
    pushed: Pushed,
}

/// What stands for the number of a session whose packets do not carry it.
const NO_PEER_ID: PeerId = PeerId::FIRST;

impl Client {
    /// Begins a connection: the first datagram waits in [`Client::poll_transmit`].
    #[must_use]
    pub fn connect(
        config: Arc<ClientConfig>,
        path: Path,
        now: Moment,
        mut entropy: Box<dyn Entropy>,
    ) -> Self {
        let local_id = SessionId::random(&mut *entropy);
        let reset = config
            .wrapping
            .wrapped_key()
            .map_or(ControlOpcode::HardResetClient, |_| ControlOpcode::HardResetClientV3);
        let stage = match Negotiation::start(&config, KeyId::FIRST, reset, path.transport) {
            Ok(negotiation) => Stage::Connecting {
                negotiation: Box::new(negotiation),
                give_up_at: now + config.handshake_timeout,
            },
            Err(_) => Stage::Ended(None),
        };
        let wrapping = config.wrapping.start(config.unix_time(now));
        let ends = Ends { local_id, remote_id: local_id };
        let mut client = Self {
            config,
            path,
            ends,
            wrapping,
            server_is_known: false,
            entropy,
            stage,
            events: VecDeque::new(),
            transmits: VecDeque::new(),
        };
        client.flush(now);
        client
    }

    /// Takes a datagram of the server; data packets are opened in place.
    pub fn handle_datagram(&mut self, now: Moment, datagram: &mut [u8]) {
        match classify(datagram) {
            Class::Control => self.receive_control(now, datagram),
            Class::Data { .. } => self.receive_data(now, datagram),
            Class::Invalid => {}
        }
        self.flush(now);
    }

    /// Does whatever is due at `now`.
    pub fn handle_timeout(&mut self, now: Moment) {
        match &mut self.stage {
            Stage::Connecting { give_up_at, .. } | Stage::Configuring { give_up_at, .. }
                if now >= *give_up_at =>
            {
                self.fail("the server did not answer in time");
            }
            Stage::Configuring { keyed, ask_at, .. } if now >= *ask_at => {
                *ask_at = now + PUSH_REQUEST_INTERVAL;
                keyed.say(&ClientMessage::PushRequest);
            }
            Stage::Connected(connected) => {
                if now >= connected.data.last_received() + connected.pushed.ping_restart {
                    self.fail("the server was not heard for too long");
                } else if connected.rekey.is_some() && now >= connected.rekey_ends_at {
                    self.fail("the renegotiation did not finish in time");
                } else {
                    connected.data.tick(now);
                }
            }
            Stage::Connecting { .. } | Stage::Configuring { .. } | Stage::Ended(_) => {}
        }
        self.flush(now);
    }

    /// Sends a tunnel packet; lost without notice where there is no tunnel.
    pub fn send_packet(&mut self, now: Moment, packet: &[u8]) {
        if let Stage::Connected(connected) = &self.stage
            && let Ok(payload) = connected.data.seal_payload(now, packet)
        {
            self.transmits.push_back(Transmit { path: self.path, payload });
        }
    }

    /// Begins a renegotiation.
    pub fn renegotiate(&mut self, now: Moment) {
        if let Stage::Connected(connected) = &mut self.stage {
            connected.start_rekey(now, &self.config);
        }
        self.flush(now);
    }

    /// Asks for the configuration, also when it is there.
    pub fn ask(&mut self, now: Moment) {
        match &mut self.stage {
            Stage::Configuring { keyed, .. } => keyed.say(&ClientMessage::PushRequest),
            Stage::Connected(connected) => connected.keyed.say(&ClientMessage::PushRequest),
            Stage::Connecting { .. } | Stage::Ended(_) => {}
        }
        self.flush(now);
    }

    /// Answers a question of the server; `answer` is the text in base64.
    pub fn respond(&mut self, now: Moment, answer: &str) {
        if let Stage::Configuring { keyed, .. } = &mut self.stage {
            keyed.say(&ClientMessage::ChallengeResponse(answer.to_owned()));
        }
        self.flush(now);
    }

    /// Leaves: says so the way the server offered.
    pub fn exit(&mut self, now: Moment) {
        if let Stage::Connected(connected) = std::mem::replace(&mut self.stage, Stage::Ended(None)) {
            let Connected { mut keyed, data, pushed, .. } = *connected;
            if pushed.control_channel_exit {
                keyed.say(&ClientMessage::Exit);
            } else if let Ok(payload) = data.seal_payload(now, &EXIT) {
                self.transmits.push_back(Transmit { path: self.path, payload });
            }
            self.stage = Stage::Ended(Some(Box::new(keyed)));
        }
        self.flush(now);
    }

    /// The client's address changed.
    pub const fn set_path(&mut self, path: Path) {
        self.path = path;
    }

    /// The data channel, once the tunnel is up.
    #[must_use]
    pub const fn data_channel(&self) -> Option<&DataChannel> {
        match &self.stage {
            Stage::Connected(connected) => Some(&connected.data),
            Stage::Connecting { .. } | Stage::Configuring { .. } | Stage::Ended(_) => None,
        }
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// When [`Client::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        let wakeup = |reason| move |at| Wakeup { at, reason };
        match &self.stage {
            Stage::Connecting { negotiation, give_up_at } => {
                let packets = negotiation.channel().deadline().map(wakeup("control packets"));
                packets.into_iter().chain([wakeup("connect timeout")(*give_up_at)]).min()
            }
            Stage::Configuring { keyed, ask_at, give_up_at, .. } => {
                let packets = keyed.channel.deadline().map(wakeup("control packets"));
                let timers = [wakeup("push request")(*ask_at), wakeup("connect timeout")(*give_up_at)];
                packets.into_iter().chain(timers).min()
            }
            Stage::Connected(connected) => connected.deadline(),
            Stage::Ended(keyed) => keyed.as_ref()?.channel.deadline().map(wakeup("control packets")),
        }
    }

    fn receive_control(&mut self, now: Moment, datagram: &[u8]) {
        let Some(plain) = self.wrapping.unwrap(datagram) else { return };
        let Ok(packet) = ControlPacket::parse(&plain) else { return };
        if packet.acknowledgements.remote_id().is_some_and(|id| id != self.ends.local_id) {
            return;
        }
        if !self.server_is_known && packet.opcode == ControlOpcode::HardResetServer {
            self.ends.remote_id = packet.own_id;
            self.server_is_known = true;
        }
        if !self.server_is_known || packet.own_id != self.ends.remote_id {
            return;
        }
        match &mut self.stage {
            Stage::Connecting { negotiation, .. } => {
                let progress = negotiation.receive(&packet, &self.config, &mut *self.entropy);
                self.advance(now, progress);
            }
            Stage::Configuring { keyed, .. } => {
                let messages = keyed.hear(&packet);
                self.take_messages(now, messages);
            }
            Stage::Connected(connected) => {
                let messages = connected.receive(now, &packet, &self.config, &mut *self.entropy, &self.ends);
                self.take_connected(now, messages);
            }
            Stage::Ended(keyed) => {
                if let Some(keyed) = keyed {
                    keyed.hear(&packet);
                }
            }
        }
    }

    fn advance(&mut self, now: Moment, progress: Progress) {
        match progress {
            Progress::Running => {}
            Progress::Failed(reason) => self.fail(&reason),
            Progress::Keyed => {
                let stage = std::mem::replace(&mut self.stage, Stage::Ended(None));
                if let Stage::Connecting { negotiation, give_up_at } = stage
                    && let Some(keyed) = negotiation.into_keyed()
                {
                    let ask_at = if self.config.asks_by_itself() { now + PUSH_REQUEST_INTERVAL } else { now };
                    self.stage =
                        Stage::Configuring { keyed: Box::new(keyed), parts: vec![], ask_at, give_up_at };
                }
            }
        }
    }

    fn take_messages(&mut self, now: Moment, messages: Vec<ServerMessage>) {
        for message in messages {
            match message {
                ServerMessage::PushReply(part) => self.take_configuration(now, part),
                ServerMessage::AuthFailed(reason) => self.end(ClientEvent::AuthFailed(reason)),
                ServerMessage::Restart(reason) => self.end(ClientEvent::Restart(reason)),
                ServerMessage::Halt(reason) => self.end(ClientEvent::Halt(reason)),
                ServerMessage::PushUpdate(part) => {
                    let options = push::options(&part).map(str::to_owned).collect();
                    self.events.push_back(ClientEvent::Updated(options));
                }
                ServerMessage::AuthPending(seconds) => {
                    if let (Stage::Configuring { give_up_at, .. }, Some(seconds)) = (&mut self.stage, seconds)
                    {
                        *give_up_at = now + Duration::from_secs(seconds);
                    }
                    self.events.push_back(ClientEvent::Pending(seconds));
                }
                ServerMessage::InfoPre(text) => self.events.push_back(ClientEvent::Prompt(text)),
                ServerMessage::Unknown(_) => {}
            }
        }
    }

    fn take_configuration(&mut self, now: Moment, part: String) {
        let Stage::Configuring { parts, .. } = &mut self.stage else {
            let options = push::options(&part).map(str::to_owned).collect();
            self.events.push_back(ClientEvent::Pushed(options));
            return;
        };
        let is_last = !part.ends_with(",push-continuation 2");
        parts.push(part);
        if is_last
            && let Stage::Configuring { keyed, parts, .. } =
                std::mem::replace(&mut self.stage, Stage::Ended(None))
        {
            self.connect_tunnel(now, *keyed, &parts);
        }
    }

    fn connect_tunnel(&mut self, now: Moment, keyed: Keyed, parts: &[String]) {
        let connected = Pushed::parse(parts).and_then(|pushed| {
            let format = pushed.data_format(&self.config.options)?;
            let key = data_key(&keyed, &pushed, &format, self.config.replay_window, &self.ends)?;
            let peer_id = pushed.peer_id.unwrap_or(NO_PEER_ID);
            let data = DataChannel::new(peer_id, self.path, &format, key, now);
            Ok(Connected { keyed, rekey: None, rekey_ends_at: now, data, format, pushed })
        });
        match connected {
            Ok(connected) => {
                self.start_dynamic_wrapping(now, &connected);
                self.events.push_back(ClientEvent::Connected(Box::new(connected.pushed.clone())));
                self.stage = Stage::Connected(Box::new(connected));
            }
            Err(reason) => self.fail(&reason),
        }
    }

    fn start_dynamic_wrapping(&mut self, now: Moment, connected: &Connected) {
        if connected.pushed.dynamic_tls_crypt
            && let Ok(exported) = connected.keyed.channel.tls().export(DYNAMIC_TLS_CRYPT_LABEL)
        {
            self.wrapping.start_dynamic(&exported, KeyDirection::One, self.config.unix_time(now));
        }
    }

    fn take_connected(&mut self, now: Moment, news: ConnectedNews) {
        match news {
            ConnectedNews::Messages(messages) => self.take_messages(now, messages),
            ConnectedNews::Renegotiated(key_id) => self.events.push_back(ClientEvent::Renegotiated(key_id)),
            ConnectedNews::Failed(reason) => self.fail(&reason),
        }
    }

    fn receive_data(&mut self, now: Moment, datagram: &mut [u8]) {
        let Stage::Connected(connected) = &self.stage else {
            return;
        };
        if let Ok(Opened { content: Inbound::Packet(packet), .. }) =
            connected.data.open(now, &connected.data.path(), datagram)
        {
            self.events.push_back(ClientEvent::Packet(packet.to_vec()));
        }
    }

    fn fail(&mut self, reason: &str) {
        self.end(ClientEvent::Failed(reason.to_owned()));
    }

    /// Ends the connection but still acknowledges what ended it.
    fn end(&mut self, event: ClientEvent) {
        self.events.push_back(event);
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended(None)) {
            Stage::Configuring { keyed, .. } => Stage::Ended(Some(keyed)),
            Stage::Connected(connected) => Stage::Ended(Some(Box::new(connected.keyed))),
            Stage::Connecting { .. } => Stage::Ended(None),
            ended @ Stage::Ended(_) => ended,
        };
    }

    fn flush(&mut self, now: Moment) {
        while let Some(outgoing) = self.stage.poll(now, &self.ends) {
            let payload = match outgoing {
                Outgoing::Control(packet) => self.wrap(packet),
                Outgoing::Ping(datagram) => datagram,
            };
            self.transmits.push_back(Transmit { path: self.path, payload });
        }
    }

    /// Wraps a packet; a tls-crypt-v2 client adds its wrapped key to its reset and to the packet after that.
    fn wrap(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let opens_handshake = self.config.wrapping.repeats_wrapped_key() && opens_handshake(&packet);
        if opens_handshake {
            packet[0] = ControlOpcode::ControlWithKey.first_octet(KeyId::FIRST);
        }
        let is_reset = packet[0] == ControlOpcode::HardResetClientV3.first_octet(KeyId::FIRST);
        let mut datagram = self.wrapping.wrap(packet);
        if is_reset || opens_handshake {
            datagram.extend_from_slice(self.config.wrapping.wrapped_key().unwrap_or_default());
        }
        datagram
    }
}

/// Whether this is the packet that follows the client's reset.
fn opens_handshake(packet: &[u8]) -> bool {
    ControlPacket::parse(packet).is_ok_and(|packet| {
        let is_second = packet.message_id == Some(MessageId::FIRST.plus(1));
        packet.opcode == ControlOpcode::Control && packet.key_id == KeyId::FIRST && is_second
    })
}

/// Something to send.
enum Outgoing {
    /// A control packet, still to be wrapped.
    Control(Vec<u8>),
    /// A whole datagram of the data channel.
    Ping(Vec<u8>),
}

impl Stage {
    fn poll(&mut self, now: Moment, ends: &Ends) -> Option<Outgoing> {
        let control = match self {
            Self::Connecting { negotiation, .. } => negotiation.channel_mut().poll(now, ends),
            Self::Configuring { keyed, .. } | Self::Ended(Some(keyed)) => keyed.channel.poll(now, ends),
            Self::Connected(connected) => return connected.poll(now, ends),
            Self::Ended(None) => None,
        };
        control.map(Outgoing::Control)
    }
}

/// What a control packet meant to a connected client.
enum ConnectedNews {
    Messages(Vec<ServerMessage>),
    Renegotiated(KeyId),
    Failed(String),
}

impl Connected {
    fn receive(
        &mut self,
        now: Moment,
        packet: &ControlPacket<'_>,
        config: &ClientConfig,
        entropy: &mut dyn Entropy,
        ends: &Ends,
    ) -> ConnectedNews {
        if packet.key_id == self.keyed.channel.key_id() {
            return ConnectedNews::Messages(self.keyed.hear(packet));
        }
        if packet.opcode == ControlOpcode::SoftReset && packet.key_id == self.keyed.channel.key_id().next() {
            self.start_rekey(now, config);
        }
        let Some(rekey) = self.rekey.as_mut().filter(|rekey| rekey.channel().key_id() == packet.key_id)
        else {
            return ConnectedNews::Messages(vec![]);
        };
        match rekey.receive(packet, config, entropy) {
            Progress::Running => ConnectedNews::Messages(vec![]),
            Progress::Failed(reason) => ConnectedNews::Failed(reason),
            Progress::Keyed => self.finish_rekey(now, config, ends),
        }
    }

    fn start_rekey(&mut self, now: Moment, config: &ClientConfig) {
        if self.rekey.is_none() {
            self.rekey_ends_at = now + config.handshake_timeout;
            let key_id = self.keyed.channel.key_id().next();
            let transport = self.data.path().transport;
            self.rekey = Negotiation::start(config, key_id, ControlOpcode::SoftReset, transport).ok();
        }
    }

    fn finish_rekey(&mut self, now: Moment, config: &ClientConfig, ends: &Ends) -> ConnectedNews {
        let Some(keyed) = self.rekey.take().and_then(Negotiation::into_keyed) else {
            return ConnectedNews::Messages(vec![]);
        };
        match data_key(&keyed, &self.pushed, &self.format, config.replay_window, ends) {
            Ok(key) => {
                let key_id = key.key_id();
                self.data.install(key, now + OLD_KEY_LIFETIME);
                self.data.promote(now + PROMOTION_DELAY);
                self.keyed = keyed;
                ConnectedNews::Renegotiated(key_id)
            }
            Err(reason) => ConnectedNews::Failed(reason),
        }
    }

    fn poll(&mut self, now: Moment, ends: &Ends) -> Option<Outgoing> {
        let control = self.keyed.channel.poll(now, ends);
        let control =
            control.or_else(|| self.rekey.as_mut().and_then(|rekey| rekey.channel_mut().poll(now, ends)));
        control.map(Outgoing::Control).or_else(|| {
            let is_silent = now >= self.data.last_sent() + self.pushed.ping;
            is_silent.then(|| self.data.seal_ping(now).ok()).flatten().map(Outgoing::Ping)
        })
    }

    fn deadline(&self) -> Option<Wakeup> {
        let wakeup = |reason| move |at| Wakeup { at, reason };
        let rekey = self.rekey.as_ref().and_then(|rekey| rekey.channel().deadline());
        [
            self.keyed.channel.deadline().map(wakeup("control packets")),
            rekey.map(wakeup("renegotiation packets")),
            self.rekey.as_ref().map(|_| wakeup("renegotiation timeout")(self.rekey_ends_at)),
            self.data.next_tick().map(wakeup("key change")),
            Some(wakeup("ping")(self.data.last_sent() + self.pushed.ping)),
            Some(wakeup("ping restart")(self.data.last_received() + self.pushed.ping_restart)),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

fn data_key(
    keyed: &Keyed,
    pushed: &Pushed,
    format: &DataFormat,
    window: ReplayWindowSize,
    ends: &Ends,
) -> Result<DataKey, String> {
    let derivation = if pushed.tls_exporter { KeyDerivation::TlsExporter } else { KeyDerivation::Prf };
    let ids = BothIds { client: ends.local_id, server: ends.remote_id };
    let material: KeyMaterial =
        derivation.derive(keyed.channel.tls(), &keyed.sources, ids).map_err(|error| error.to_string())?;
    DataKey::new(keyed.channel.key_id(), format.protection, window, &material, Side::Client)
        .ok_or_else(|| "the key material does not fit the cipher".to_owned())
}
