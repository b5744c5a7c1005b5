//! What threads that move packets read of a peer, in one snapshot: its keys, old and new, and where it is.
//!
//! Which of the keys seals, which still open, and when that changes, is decided here and by the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::key::DataKey;
use crate::ids::KeyId;
use crate::moment::Moment;
use crate::path::Path;

/// Keys that are kept at most: the newest, the one before it, and a lame duck (KEY-04).
const MAX_KEYS: usize = 3;

/// The state of a channel. Only the session changes it; whoever moves packets reads it.
pub(super) struct PeerState {
    current: ArcSwap<Snapshot>,
    sending: AtomicU8,
}

/// The state of a channel at one moment.
pub(super) struct Snapshot {
    path: Path,
    /// The newest key first; empty once the channel is closed.
    keys: Vec<Held>,
    /// When the newest key begins to seal; `None` while the peer may not have it.
    promote_newest_at: Option<Moment>,
}

#[derive(Clone)]
struct Held {
    key: Arc<DataKey>,
    retire_at: Option<Moment>,
}

impl PeerState {
    pub(super) fn new(path: Path, key: DataKey, now: Moment) -> Self {
        Self {
            sending: AtomicU8::new(key.key_id().get()),
            current: ArcSwap::from_pointee(Snapshot {
                path,
                keys: vec![Held { key: Arc::new(key), retire_at: None }],
                promote_newest_at: Some(now),
            }),
        }
    }

    /// The state as it is now.
    pub(super) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The key in `snapshot` that seals; `None` once the channel is closed.
    pub(super) fn sealing<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s DataKey> {
        snapshot.find(self.sending()).or_else(|| snapshot.newest())
    }

    /// The peer seals with `key_id`: if that is the newest key, so does this side from here on.
    ///
    /// Says whether it is one of the keys in use: the one that this side seals with, or the newest (NET-10).
    pub(super) fn note_use(&self, snapshot: &Snapshot, key_id: KeyId) -> bool {
        let is_newest = snapshot.newest().is_some_and(|newest| newest.key_id() == key_id);
        let is_sending = self.sending() == key_id;
        if is_newest && !is_sending {
            self.send_with(key_id);
        }
        is_newest || is_sending
    }

    /// Adds a key that opens at once; it seals once the peer seals with it, or from [`PeerState::promote`] on. The keys
    /// before it are dropped at `retire_others_at`.
    pub(super) fn install(&self, key: DataKey, retire_others_at: Moment) {
        let old = self.load();
        let Some(predecessor) = old.newest() else { return };
        if old.promote_newest_at.is_some() {
            // Both sides have it; without this, renegotiations that follow each other faster than promotions would
            // leave the sealing key behind.
            self.send_with(predecessor.key_id());
        }
        let sending = self.sending();
        let (in_use, others): (Vec<_>, Vec<_>) = old
            .keys
            .iter()
            .filter(|held| held.key.key_id() != key.key_id())
            .map(|held| Held { retire_at: Some(held.retire_at.unwrap_or(retire_others_at)), ..held.clone() })
            .partition(|held| held.key.key_id() == sending);
        let newest = Held { key: Arc::new(key), retire_at: None };
        let keys = std::iter::once(newest).chain(in_use).chain(others).take(MAX_KEYS).collect();
        self.store(&old, keys, None);
    }

    /// The peer has the newest key for sure: seal with it from `at` on.
    pub(super) fn promote(&self, at: Moment) {
        let old = self.load();
        self.store(&old, old.keys.clone(), Some(at));
    }

    /// Promotes and retires keys whose time has come.
    pub(super) fn tick(&self, now: Moment) {
        let old = self.load();
        let Some(newest) = old.newest() else { return };
        if old.promote_newest_at.is_some_and(|at| now >= at) {
            self.send_with(newest.key_id());
        }
        if old.keys.iter().any(|held| held.is_due(now)) {
            let keys = old.keys.iter().filter(|held| !held.is_due(now)).cloned().collect();
            self.store(&old, keys, old.promote_newest_at);
        }
    }

    /// When [`PeerState::tick`] has something to do; `None` once there is only one key, in use.
    pub(super) fn next_tick(&self) -> Option<Moment> {
        let now = self.load();
        let is_promoted = self.sending() == now.newest()?.key_id();
        let promotion = now.promote_newest_at.filter(|_| !is_promoted);
        now.keys.iter().filter_map(|held| held.retire_at).chain(promotion).min()
    }

    /// Drops all keys.
    pub(super) fn drop_keys(&self) {
        self.store(&self.load(), vec![], None);
    }

    /// The peer is elsewhere now.
    pub(super) fn move_to(&self, path: Path) {
        let old = self.load();
        let moved = Snapshot { path, keys: old.keys.clone(), promote_newest_at: old.promote_newest_at };
        self.current.store(Arc::new(moved));
    }

    fn store(&self, old: &Snapshot, keys: Vec<Held>, promote_newest_at: Option<Moment>) {
        self.current.store(Arc::new(Snapshot { path: old.path, keys, promote_newest_at }));
    }

    fn sending(&self) -> KeyId {
        KeyId::from_first_octet(self.sending.load(Ordering::Relaxed))
    }

    fn send_with(&self, key_id: KeyId) {
        self.sending.store(key_id.get(), Ordering::Relaxed);
    }
}

impl Snapshot {
    pub(super) const fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_closed(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn newest(&self) -> Option<&DataKey> {
        self.keys.first().map(|held| &*held.key)
    }

    pub(super) fn find(&self, key_id: KeyId) -> Option<&DataKey> {
        self.iter().find(|key| key.key_id() == key_id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &DataKey> {
        self.keys.iter().map(|held| &*held.key)
    }
}

impl Held {
    fn is_due(&self, now: Moment) -> bool {
        self.retire_at.is_some_and(|at| at <= now)
    }
}
