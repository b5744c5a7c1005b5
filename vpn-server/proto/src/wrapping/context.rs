//! The wrapping of one session: keys, the counter of what was sent, the window of what was received.

use std::sync::Arc;

use crate::ids::KeyId;
use crate::wire::replay_id::ReplayId;
use crate::wire::static_key::{KeyDirection, StaticKey};
use crate::wire::tls_auth::TlsAuth;
use crate::wire::tls_crypt::TlsCrypt;
use crate::wire::tls_crypt_v2::without_client_key;
use crate::wire::wrapping::{UnwrapError, Unwrapped};

/// The keys of one kind of wrapping; shared by all sessions that use the same.
#[derive(Clone)]
pub(crate) enum Keyed {
    Plain,
    TlsAuth(Arc<TlsAuth>),
    TlsCrypt(Arc<TlsCrypt>),
}

impl Keyed {
    pub(crate) fn wrap(&self, replay_id: ReplayId, packet: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Plain => packet,
            Self::TlsAuth(keys) => keys.wrap(replay_id, &packet),
            Self::TlsCrypt(keys) => keys.wrap(replay_id, &packet),
        }
    }

    pub(crate) fn unwrap(&self, datagram: &[u8]) -> Result<Unwrapped, UnwrapError> {
        match self {
            Self::Plain => Ok(Unwrapped { replay_id: None, packet: datagram.to_vec() }),
            Self::TlsAuth(keys) => keys.unwrap(datagram),
            Self::TlsCrypt(keys) => keys.unwrap(datagram),
        }
    }
}

/// One wrapping in use: keys and the state of both directions.
pub(crate) struct Layer {
    keyed: Keyed,
    next: ReplayId,
    window: ReplayWindow,
}

impl Layer {
    /// Sends with `time` and counters from `first` on.
    pub(crate) fn new(keyed: Keyed, time: u32, first: u32) -> Self {
        Self { keyed, next: ReplayId { time, counter: first }, window: ReplayWindow::default() }
    }

    fn wrap(&mut self, packet: Vec<u8>) -> Vec<u8> {
        let replay_id = self.next;
        self.next.counter = self.next.counter.wrapping_add(1);
        self.keyed.wrap(replay_id, packet)
    }

    fn unwrap(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let Unwrapped { replay_id, packet } = self.keyed.unwrap(datagram).ok()?;
        match replay_id {
            Some(id) if !self.window.accept(id) => None,
            Some(_) | None => Some(packet),
        }
    }
}

/// The wrapping of a session's control packets: one layer for its first key, and where both sides agreed on dynamic
/// tls-crypt another one for all later keys (protocol reference section 4.6).
pub(crate) struct SessionWrapping {
    first: Layer,
    later: Option<Layer>,
    /// The static key behind the first layer, if there is one: it goes into the dynamic key.
    static_key: Option<StaticKey>,
}

impl SessionWrapping {
    pub(crate) const fn new(first: Layer, static_key: Option<StaticKey>) -> Self {
        Self { first, later: None, static_key }
    }

    /// Notes the number of a packet that was unwrapped before the session existed.
    pub(crate) fn note(&mut self, replay_id: Option<ReplayId>) {
        if let Some(id) = replay_id {
            self.first.window.accept(id);
        }
    }

    /// Wraps packets of later keys with `exported`, masked with the static key.
    pub(crate) fn start_dynamic(
        &mut self,
        exported: &[u8; StaticKey::LENGTH],
        direction: KeyDirection,
        time: u32,
    ) {
        let key = match &self.static_key {
            Some(key) => key.masked(exported),
            None => StaticKey::new(*exported),
        };
        let keyed = Keyed::TlsCrypt(Arc::new(TlsCrypt::new(&key, direction)));
        self.later = Some(Layer::new(keyed, time, 1));
    }

    /// Wraps a plain packet.
    pub(crate) fn wrap(&mut self, packet: Vec<u8>) -> Vec<u8> {
        self.layer(&packet).wrap(packet)
    }

    /// The plain packet in `datagram`; `None` if it is not authentic or a replay. A client's key that follows the
    /// packet once more is left unread.
    pub(crate) fn unwrap(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let datagram = without_client_key(datagram)?;
        self.layer(datagram).unwrap(datagram)
    }

    fn layer(&mut self, packet: &[u8]) -> &mut Layer {
        let is_first = packet.first().is_none_or(|octet| KeyId::from_first_octet(*octet) == KeyId::FIRST);
        match &mut self.later {
            Some(later) if !is_first => later,
            Some(_) | None => &mut self.first,
        }
    }
}

/// Which numbers were received: those of the newest time, up to 63 behind the newest (protocol reference section 4.4).
#[derive(Debug, Default)]
struct ReplayWindow {
    newest: Option<ReplayId>,
    /// Bit n: the number n behind the newest was received.
    seen: u64,
}

impl ReplayWindow {
    /// Marks `id` as received; `false` if it was before, is too old, or is invalid.
    fn accept(&mut self, id: ReplayId) -> bool {
        if id.counter == 0 {
            return false;
        }
        match self.newest {
            Some(newest) if id.time < newest.time => false,
            Some(newest) if id.time == newest.time => self.accept_counter(newest, id),
            Some(_) | None => {
                *self = Self { newest: Some(id), seen: 1 };
                true
            }
        }
    }

    fn accept_counter(&mut self, newest: ReplayId, id: ReplayId) -> bool {
        if id.counter > newest.counter {
            let ahead = id.counter - newest.counter;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = Some(id);
            return true;
        }
        let Some(bit) = 1_u64.checked_shl(newest.counter - id.counter) else { return false };
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(time: u32, counter: u32) -> ReplayId {
        ReplayId { time, counter }
    }

    #[test]
    fn net_08_a_number_is_accepted_once_and_up_to_63_late() {
        let mut window = ReplayWindow::default();
        assert!(window.accept(id(10, 100)));
        assert!(!window.accept(id(10, 100)));
        assert!(window.accept(id(10, 37)));
        assert!(!window.accept(id(10, 36)));
        assert!(window.accept(id(10, 101)));
        assert!(!window.accept(id(10, 100)));
        assert!(!window.accept(id(10, 0)));
    }

    #[test]
    fn net_08_a_newer_time_starts_over_and_an_older_one_is_refused() {
        let mut window = ReplayWindow::default();
        assert!(window.accept(id(10, 100)));
        assert!(window.accept(id(11, 1)));
        assert!(!window.accept(id(10, 101)));
        assert!(window.accept(id(11, 2)));
    }

    #[test]
    fn net_08_a_jump_forgets_what_is_out_of_reach() {
        let mut window = ReplayWindow::default();
        assert!(window.accept(id(10, 1)));
        assert!(window.accept(id(10, 0x0f00_0001)));
        assert!(!window.accept(id(10, 2)));
        assert!(window.accept(id(10, 0x0f00_0000)));
    }
}
