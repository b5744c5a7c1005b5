//! The OpenVPN protocol as a sans-IO state machine.
//!
//! ```text
//!    datagrams ──► Endpoint::handle_datagram ┐                ┌ poll_event    ──► authorize, connection log
//!    time      ──► Endpoint::handle_timeout  ├─► sessions ──► ┤ poll_transmit ──► datagrams
//!    decisions ──► Endpoint::authorize       ┤                └ poll_timeout  ──► when to come back
//!    moves     ──► Endpoint::peer_floated    ┘
//!
//!    data packets ──► DataChannel::open / seal   (shared with the sessions; any thread, no session involved)
//! ```
//!
//! The core opens no socket, starts no thread, reads no clock and draws no randomness by itself: all of it comes in as
//! arguments. It knows no PKI files; a [`CertificateCheck`] decides about certificates.
//!
//! Arrows inside the crate: `endpoint` uses `session`, which uses `control_channel` (`reliable`, `tls`), `data` and
//! `keys`; everything uses `wire`, `ids` and `moment`; nothing points back.

#[cfg(test)]
mod captures;
#[cfg(feature = "client")]
pub mod client;
mod config;
mod control_channel;
mod cookie;
mod crypto;
pub mod data;
mod endpoint;
mod entropy;
mod event;
mod identity;
mod ids;
mod keys;
mod moment;
mod negotiate;
mod path;
mod reliable;
mod session;
mod source_network;
mod tls;
pub mod wire;
mod wrapping;

pub use config::{EndpointConfig, Keepalive};
pub use data::{
    CbcCipher, DATA_HEADROOM, DATA_TAILROOM, DataChannel, DataCipher, DataSender, Inbound, NegotiatedCipher,
    OpenError, Opened, ReplayWindowSize, SealError, SealLayout, Traffic, UnusableCipher,
};
pub use endpoint::{Endpoint, EndpointCounters, HalfOpenLimits, ReplyLimiter};
pub use entropy::Entropy;
pub use event::{
    Authorization, AuthorizationRequest, CloseReason, Event, Farewell, Grant, GrantV6, Pending,
    Reauthorization, Transmit, Wakeup,
};
pub use identity::{CertificateCheck, CertificateRef, CertificateVerdict, Denial, PeerIdentity};
pub use ids::{KeyId, ListenerId, MessageId, PeerId, SessionHandle, SessionId};
pub use moment::Moment;
pub use path::{Path, Transport};
pub use source_network::SourceNetwork;
pub use tls::{TlsSettings, TlsSettingsError, TlsSummary, TlsVersion};
pub use wire::challenge::{Advance, DynamicChallenge, Prompt, Question};
pub use wire::key_method2::Password;
pub use wire::peer_info::PeerInfo;
pub use wire::push::{InvalidPushOption, PushChange, PushOption};
pub use wire::static_key::{KeyDirection, StaticKey};
pub use wire::tls_auth::AuthDigest;
pub use wire::tls_crypt_v2::TlsCryptV2Key;
#[cfg(feature = "client")]
pub use wrapping::ClientWrapping;
pub use wrapping::{TlsAuthSettings, WrappingSettings};
