//! The wrapping of a client: one kind, known from its profile.

use std::sync::Arc;

use super::context::{Keyed, Layer, SessionWrapping};
use crate::wire::replay_id::ReplayId;
use crate::wire::static_key::{KeyDirection, StaticKey};
use crate::wire::tls_auth::{AuthDigest, TlsAuth};
use crate::wire::tls_crypt::TlsCrypt;

/// How a client wraps its control packets.
#[derive(Clone)]
pub enum ClientWrapping {
    /// Not at all.
    Plain,
    /// tls-auth with the client's direction.
    TlsAuth(StaticKey, KeyDirection, AuthDigest),
    /// tls-crypt.
    TlsCrypt(StaticKey),
    /// tls-crypt-v2: the client's key, and the same wrapped for the server.
    TlsCryptV2(StaticKey, Vec<u8>),
    /// tls-crypt-v2 as clients of OpenVPN 2.5 speak it: the wrapped key comes in the first packet only.
    TlsCryptV2WithoutEarlyNegotiation(StaticKey, Vec<u8>),
}

impl ClientWrapping {
    /// The wrapping of a new session that begins at Unix time `time`.
    pub(crate) fn start(&self, time: u32) -> SessionWrapping {
        let tls_crypt = |key: &StaticKey| Keyed::TlsCrypt(Arc::new(TlsCrypt::new(key, KeyDirection::One)));
        let (keyed, static_key, first) = match self {
            Self::Plain => (Keyed::Plain, None, 1),
            Self::TlsAuth(key, direction, digest) => {
                (Keyed::TlsAuth(Arc::new(TlsAuth::new(key, *direction, *digest))), Some(key.clone()), 1)
            }
            Self::TlsCrypt(key) | Self::TlsCryptV2WithoutEarlyNegotiation(key, _) => {
                (tls_crypt(key), Some(key.clone()), 1)
            }
            Self::TlsCryptV2(key, _) => (tls_crypt(key), Some(key.clone()), ReplayId::EARLY_NEGOTIATION),
        };
        SessionWrapping::new(Layer::new(keyed, time, first), static_key)
    }

    /// The wrapped key of a tls-crypt-v2 client.
    pub(crate) fn wrapped_key(&self) -> Option<&[u8]> {
        match self {
            Self::TlsCryptV2(_, wrapped) | Self::TlsCryptV2WithoutEarlyNegotiation(_, wrapped) => {
                Some(wrapped)
            }
            Self::Plain | Self::TlsAuth(..) | Self::TlsCrypt(_) => None,
        }
    }

    /// Whether the wrapped key is repeated in the first packet of the TLS handshake.
    pub(crate) const fn repeats_wrapped_key(&self) -> bool {
        matches!(self, Self::TlsCryptV2(..))
    }
}
