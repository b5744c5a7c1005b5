//! What the endpoint tells its surroundings, and what they answer.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::data::{DataChannel, NegotiatedCipher};
use crate::identity::{Denial, PeerIdentity};
use crate::ids::{KeyId, PeerId, SessionHandle};
use crate::moment::Moment;
use crate::path::Path;
use crate::tls::TlsSummary;
use crate::wire::challenge::{Advance, DynamicChallenge, Prompt};
use crate::wire::key_method2::Password;
use crate::wire::message::ServerMessage;
use crate::wire::peer_info::PeerInfo;
use crate::wire::push::PushOption;

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub path: Path,
    /// The whole datagram.
    pub payload: Vec<u8>,
}

/// When the endpoint wants [`Endpoint::handle_timeout`](crate::Endpoint::handle_timeout) to be called, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wakeup {
    /// At the latest then; a point in the past means at once.
    pub at: Moment,
    /// For logs: what will happen.
    pub reason: &'static str,
}

/// Something happened in a session.
#[derive(Debug)]
pub enum Event {
    /// A stranger has proved that it receives what is sent to it; its handshake is timed from here on. For transports
    /// with connections, which tell strangers from guests.
    HandshakeBegun {
        /// Where it is.
        path: Path,
    },
    /// A client proved who it is; answer with [`Endpoint::authorize`](crate::Endpoint::authorize).
    AuthorizationRequested {
        /// The session to answer for.
        session: SessionHandle,
        /// Who asks.
        request: Box<AuthorizationRequest>,
    },
    /// A session that asked by [`Event::AuthorizationRequested`] is over, and no decision was there: none is needed any
    /// longer.
    Abandoned {
        /// The session.
        session: SessionHandle,
    },
    /// The tunnel of a session is up: its keys are live and its configuration is about to leave.
    Established {
        /// The session.
        session: SessionHandle,
        /// Its data channel, for the threads that move packets.
        channel: Arc<DataChannel>,
    },
    /// The person at a client that waits answered a question.
    ChallengeResponse {
        /// The session.
        session: SessionHandle,
        /// The answer, in base64 as the client sent it.
        response: Password,
    },
    /// A client that had to show credentials shows them again at a renegotiation; answer with
    /// [`Endpoint::reauthorize`](crate::Endpoint::reauthorize).
    ReauthorizationRequested {
        /// The session.
        session: SessionHandle,
        /// The user name: the one of the beginning, or [`Grant::token_username`].
        username: Option<String>,
        /// The password or token.
        password: Option<Password>,
    },
    /// The client of a session has another address: control and data packets go there from here on.
    Floated {
        /// The session.
        session: SessionHandle,
        /// Where the client was.
        from: Path,
        /// Where it is.
        to: Path,
    },
    /// A session has a new key.
    Renegotiated {
        /// The session.
        session: SessionHandle,
        /// The new key's id.
        key_id: KeyId,
    },
    /// A session that had been granted is over; comes exactly once for each.
    Closed {
        /// The session.
        session: SessionHandle,
        /// Why.
        reason: CloseReason,
    },
    /// An attempt ended before it was granted, unless the surroundings denied it themselves.
    AttemptFailed {
        /// Where it came from.
        path: Path,
        /// Who it was, where the certificate told.
        identity: Option<PeerIdentity>,
        /// Why it failed.
        failure: Denial,
    },
    /// All sessions of a path are over, and what there was to say was acknowledged or given up: a connection can be
    /// closed once the datagrams that wait in [`Endpoint::poll_transmit`](crate::Endpoint::poll_transmit) have left.
    PathSettled {
        /// The path.
        path: Path,
    },
}

/// A client that waits to be let in. Its certificate was accepted.
pub struct AuthorizationRequest {
    /// Where it is.
    pub path: Path,
    /// Whom its certificate names.
    pub identity: PeerIdentity,
    /// The user name it sent, if any.
    pub username: Option<String>,
    /// The password it sent, if any.
    pub password: Option<Password>,
    /// What it says of itself.
    pub peer_info: PeerInfo,
    /// Its TLS session.
    pub tls: TlsSummary,
    /// The data cipher that was agreed on.
    pub cipher: NegotiatedCipher,
    /// What stands beside the key in the client's tls-crypt-v2 key: a type octet and its content.
    pub tls_crypt_v2_metadata: Option<Vec<u8>>,
}

impl std::fmt::Debug for AuthorizationRequest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("AuthorizationRequest")
            .field("path", &self.path)
            .field("identity", &self.identity)
            .field("peer_info", &self.peer_info)
            .field("tls", &self.tls)
            .field("cipher", &self.cipher)
            .finish_non_exhaustive()
    }
}

/// The answer to [`Event::AuthorizationRequested`].
#[derive(Clone, Debug)]
pub enum Authorization {
    /// Let the client in.
    Grant(Grant),
    /// Send it away with a reason.
    Deny(Denial),
    /// Send it away for a time: clients that can come back by themselves, others stop as at [`Authorization::Deny`].
    DenyFor {
        /// Why.
        denial: Denial,
        /// How long the client shall wait.
        backoff: Duration,
        /// Where it shall turn then.
        advance: Advance,
    },
    /// Send it away because its token is not valid any longer: the client asks the person for credentials again.
    DenyToken(Denial),
    /// Send it away with a question; the client comes back with the answer.
    Challenge(DynamicChallenge),
    /// The decision takes time; it comes later by [`Endpoint::authorize`](crate::Endpoint::authorize).
    Pending(Pending),
}

/// How long a client is asked to wait for a decision, and what its person is asked meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The attempt fails if no decision comes within this time.
    pub timeout: Duration,
    /// A question to the person.
    pub prompt: Option<Prompt>,
}

impl Pending {
    /// What the client is told; some clients understand no time.
    pub(crate) fn into_messages(self, takes_timeout: bool) -> impl Iterator<Item = ServerMessage> {
        let seconds = takes_timeout.then_some(self.timeout.as_secs());
        let prompt = self.prompt.map(|prompt| ServerMessage::InfoPre(prompt.to_text()));
        std::iter::once(ServerMessage::AuthPending(seconds)).chain(prompt)
    }
}

/// The answer to [`Event::ReauthorizationRequested`].
#[derive(Clone, Debug)]
pub enum Reauthorization {
    /// The session goes on; the options are pushed, for example a fresh `auth-token`.
    Accept(Vec<PushOption>),
    /// The decision takes time; it comes later by [`Endpoint::reauthorize`](crate::Endpoint::reauthorize). The tunnel
    /// goes on with its former key.
    Pending(Pending),
    /// The session ends.
    Deny(Denial),
    /// The session ends because the token is not valid any longer.
    DenyToken(Denial),
}

/// What a client gets.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The number for its data packets; unique among all sessions that share a data plane.
    pub peer_id: PeerId,
    /// Its address inside the tunnel.
    pub address: Ipv4Addr,
    /// The netmask of the tunnel's network.
    pub netmask: Ipv4Addr,
    /// The server's address inside the tunnel.
    pub gateway: Ipv4Addr,
    /// Its IPv6 address inside the tunnel, if the tunnel carries IPv6 for it.
    pub ipv6: Option<GrantV6>,
    /// Whether the client must show its credentials again at each renegotiation.
    pub reauthenticate: bool,
    /// The user name that it is pushed with a token (`auth-token-user`): it may show that one from now on.
    pub token_username: Option<String>,
    /// Routes, DNS servers and whatever else is pushed beside what the endpoint adds by itself: route-gateway,
    /// topology, ping, ping-restart, ifconfig-ipv6, ifconfig, peer-id, cipher, protocol-flags or key-derivation, tun-mtu, and what
    /// keeps clients from compressing.
    pub options: Vec<PushOption>,
}

/// What a client gets for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantV6 {
    /// Its address inside the tunnel.
    pub address: Ipv6Addr,
    /// The prefix length of the tunnel's network.
    pub prefix_length: u8,
    /// The server's address inside the tunnel.
    pub gateway: Ipv6Addr,
}

/// What a client is told when its session is closed from this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It may not be connected any longer: stock clients stop and show the reason.
    AuthFailed(String),
    /// It shall reconnect.
    Restart(String),
    /// It shall stop for good.
    Halt(String),
    /// Nothing.
    Silent,
}

impl Farewell {
    pub(crate) fn into_message(self) -> Option<ServerMessage> {
        match self {
            Self::AuthFailed(reason) => Some(ServerMessage::AuthFailed(reason)),
            Self::Restart(reason) => Some(ServerMessage::Restart(reason)),
            Self::Halt(reason) => Some(ServerMessage::Halt(reason)),
            Self::Silent => None,
        }
    }
}

/// Why a granted session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client said that it leaves.
    ClientExit,
    /// Nothing was heard of the client for too long.
    PingTimeout,
    /// The connection to the client was lost, or it closed it without a word.
    ConnectionLost,
    /// The same client began a new session from the same address and port.
    ReplacedBySamePort,
    /// Another session of the same client moved to the address and port of this one.
    ReplacedByFloat,
    /// The client did not take up the tunnel it had been granted.
    HandshakeTimeout,
    /// A renegotiation could not be finished before the keys ran out.
    RenegotiationFailed,
    /// At a renegotiation the certificate was refused, or was another one.
    RenegotiationDenied(Denial),
    /// So many packets were forged under one of its keys that the key is not safe any longer (KEY-03).
    TooManyForgeries,
    /// [`Endpoint::close`](crate::Endpoint::close) was called.
    Farewell,
}

impl CloseReason {
    /// Stable kebab-case code for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ClientExit => "client-exit",
            Self::PingTimeout => "ping-timeout",
            Self::ConnectionLost => "connection-lost",
            Self::ReplacedBySamePort => "replaced-by-same-port",
            Self::ReplacedByFloat => "replaced-by-float",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::RenegotiationFailed => "renegotiation-failed",
            Self::RenegotiationDenied(_) => "renegotiation-denied",
            Self::TooManyForgeries => "too-many-forgeries",
            Self::Farewell => "farewell",
        }
    }
}
