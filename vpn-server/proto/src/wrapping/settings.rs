//! The kinds of wrapping that a server takes, and what it makes of a stranger's datagram.

use std::sync::Arc;

use super::context::Keyed;
use crate::wire::opcode::{CONTROL_WITH_KEY, HARD_RESET_CLIENT_V3};
use crate::wire::replay_id::ReplayId;
use crate::wire::static_key::{KeyDirection, StaticKey};
use crate::wire::tls_auth::{AuthDigest, TlsAuth};
use crate::wire::tls_crypt::TlsCrypt;
use crate::wire::tls_crypt_v2::{ClientKey, TlsCryptV2Key};

/// Which wrappings a server takes. Several may be on at once; the default is plain only.
#[derive(Clone)]
pub struct WrappingSettings {
    plain: bool,
    tls_auth: Option<(StaticKey, Arc<TlsAuth>)>,
    tls_crypt: Option<(StaticKey, Arc<TlsCrypt>)>,
    tls_crypt_v2: Option<Arc<TlsCryptV2Key>>,
    needs_cookie: bool,
}

/// A tls-auth key and how it is used.
pub struct TlsAuthSettings {
    /// The key.
    pub key: StaticKey,
    /// The server's direction: the clients have the opposite one, or both have none.
    pub direction: KeyDirection,
    /// The hash, which must be the clients'.
    pub digest: AuthDigest,
}

/// What came off a stranger's datagram.
pub(crate) struct Stranger {
    /// The plain packet; opcodes of tls-crypt-v2 are still in it.
    pub(crate) packet: Vec<u8>,
    pub(crate) replay_id: Option<ReplayId>,
    /// How its answer is wrapped.
    pub(crate) keyed: Keyed,
    pub(crate) static_key: Option<StaticKey>,
    /// What stood beside the client's key, with tls-crypt-v2.
    pub(crate) metadata: Option<Vec<u8>>,
}

impl WrappingSettings {
    /// Takes packets without wrapping, and no others.
    #[must_use]
    pub const fn plain() -> Self {
        Self { plain: true, tls_auth: None, tls_crypt: None, tls_crypt_v2: None, needs_cookie: false }
    }

    /// Takes no packets at all, until a kind is added.
    #[must_use]
    pub fn none() -> Self {
        Self { plain: false, ..Self::plain() }
    }

    /// Takes tls-auth, too.
    #[must_use]
    pub fn with_tls_auth(self, settings: TlsAuthSettings) -> Self {
        let TlsAuthSettings { key, direction, digest } = settings;
        let keys = Arc::new(TlsAuth::new(&key, direction, digest));
        Self { tls_auth: Some((key, keys)), ..self }
    }

    /// Takes tls-crypt, too.
    #[must_use]
    pub fn with_tls_crypt(self, key: StaticKey) -> Self {
        let keys = Arc::new(TlsCrypt::new(&key, KeyDirection::Zero));
        Self { tls_crypt: Some((key, keys)), ..self }
    }

    /// Takes tls-crypt-v2, too. With `needs_cookie` only from clients that let the server start without state:
    /// OpenVPN 2.5 and older do not.
    #[must_use]
    pub fn with_tls_crypt_v2(self, key: TlsCryptV2Key, needs_cookie: bool) -> Self {
        Self { tls_crypt_v2: Some(Arc::new(key)), needs_cookie, ..self }
    }

    /// Whether clients that cannot do without state on the server are turned away.
    pub(crate) const fn needs_cookie(&self) -> bool {
        self.needs_cookie
    }

    /// Takes the wrapping off a datagram of no session; `None` if none of the enabled kinds fits.
    pub(crate) fn unwrap_stranger(&self, datagram: &[u8]) -> Option<Stranger> {
        let opcode = datagram.first()? >> 3;
        if matches!(opcode, HARD_RESET_CLIENT_V3 | CONTROL_WITH_KEY) {
            return self.unwrap_with_client_key(datagram);
        }
        let crypt = self.tls_crypt.as_ref().map(|(key, keys)| (Keyed::TlsCrypt(Arc::clone(keys)), key));
        let auth = self.tls_auth.as_ref().map(|(key, keys)| (Keyed::TlsAuth(Arc::clone(keys)), key));
        let wrapped = crypt.into_iter().chain(auth).find_map(|(keyed, key)| {
            let unwrapped = keyed.unwrap(datagram).ok()?;
            Some(Stranger {
                packet: unwrapped.packet,
                replay_id: unwrapped.replay_id,
                keyed,
                static_key: Some(key.clone()),
                metadata: None,
            })
        });
        wrapped.or_else(|| self.plain.then(|| Stranger::plain(datagram)))
    }

    fn unwrap_with_client_key(&self, datagram: &[u8]) -> Option<Stranger> {
        let (packet, ClientKey { key, metadata }) = self.tls_crypt_v2.as_ref()?.take(datagram).ok()?;
        let keyed = Keyed::TlsCrypt(Arc::new(TlsCrypt::new(&key, KeyDirection::Zero)));
        let unwrapped = keyed.unwrap(packet).ok()?;
        Some(Stranger {
            packet: unwrapped.packet,
            replay_id: unwrapped.replay_id,
            keyed,
            static_key: Some(key),
            metadata: Some(metadata),
        })
    }
}

impl Stranger {
    fn plain(datagram: &[u8]) -> Self {
        Self {
            packet: datagram.to_vec(),
            replay_id: None,
            keyed: Keyed::Plain,
            static_key: None,
            metadata: None,
        }
    }
}
