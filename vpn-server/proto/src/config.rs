//! What an endpoint is told about the sessions it shall have.

use std::sync::Arc;
use std::time::Duration;

use crate::data::{CbcCipher, DataCipher, ReplayWindowSize};
use crate::endpoint::{HalfOpenLimits, ReplyLimiter};
use crate::identity::CertificateCheck;
use crate::moment::Moment;
use crate::tls::TlsSettings;
use crate::wire::tls_auth::AuthDigest;
use crate::wrapping::WrappingSettings;

/// The settings of an [`Endpoint`](crate::Endpoint). What was pushed to a client stays as it was pushed.
pub struct EndpointConfig {
    /// How control packets may be wrapped.
    pub wrapping: WrappingSettings,
    /// The Unix time of [`Moment`] 0: wrapped packets carry the time.
    pub unix_time_of_origin: Duration,
    /// The server's certificate, key and TLS versions.
    pub tls: TlsSettings,
    /// Who may connect.
    pub certificate_check: Arc<dyn CertificateCheck>,
    /// Data ciphers, best first; never empty in a useful configuration.
    pub data_ciphers: Vec<DataCipher>,
    /// Ciphers for clients that have none of `data_ciphers`, best first; none by default (KEY-01). The digest of their
    /// HMAC is the one that the client says in its options string.
    pub cbc_ciphers: Vec<CbcCipher>,
    /// The digest for those of them that say none there: clients whose `cipher` is an AEAD.
    pub cbc_digest: AuthDigest,
    /// How much of order data packets may be in.
    pub replay_window: ReplayWindowSize,
    /// How dead peers are found.
    pub keepalive: Keepalive,
    /// Age of a key at which the server renegotiates, less up to a tenth of it at random; `None`: never.
    pub renegotiate_after: Option<Duration>,
    /// Time from the first packet to the tunnel, and for each renegotiation.
    pub handshake_timeout: Duration,
    /// Time in which a client must be heard again until its certificate is there.
    pub handshake_silence: Duration,
    /// MTU of the tunnel, pushed to clients that can change theirs.
    pub tun_mtu: u16,
    /// How many clients may be on their way in at once.
    pub half_open: HalfOpenLimits,
    /// How many stateless answers each part of the Internet gets; without it everybody is answered.
    pub reply_limiter: Option<Arc<ReplyLimiter>>,
}

impl EndpointConfig {
    /// Everything but the identity at its default.
    #[must_use]
    pub fn new(tls: TlsSettings, certificate_check: Arc<dyn CertificateCheck>) -> Self {
        Self {
            wrapping: WrappingSettings::plain(),
            unix_time_of_origin: Duration::ZERO,
            tls,
            certificate_check,
            data_ciphers: DataCipher::DEFAULT.to_vec(),
            cbc_ciphers: vec![],
            cbc_digest: AuthDigest::default(),
            replay_window: ReplayWindowSize::default(),
            keepalive: Keepalive::default(),
            renegotiate_after: Some(Duration::from_secs(3600)),
            handshake_timeout: Duration::from_secs(30),
            handshake_silence: Duration::from_secs(10),
            tun_mtu: 1500,
            half_open: HalfOpenLimits::default(),
            reply_limiter: None,
        }
    }

    /// Unix time in whole seconds, as wrapped packets carry it.
    pub(crate) fn unix_time(&self, now: Moment) -> u32 {
        let since_epoch = self.unix_time_of_origin + now.saturating_since(Moment::default());
        u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX)
    }
}

/// Intervals of the keepalive, as the directive of that name has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence after which either side sends a ping.
    pub ping: Duration,
    /// Silence after which the client restarts; the server gives up after twice that.
    pub ping_restart: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { ping: Duration::from_secs(10), ping_restart: Duration::from_secs(60) }
    }
}
