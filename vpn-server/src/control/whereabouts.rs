//! Where clients are, and so which shard a control datagram is for.
//!
//! A client's first datagram goes to the shard that its address falls to. Its session stays there when the client moves:
//! from then on the shard follows from the session, as it does for every path that a session is known to be on.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

use vpn_proto::Path;

use super::mailbox::Acquaintance;
use super::registry::SessionKey;

/// The paths of all sessions that were granted.
pub(super) struct Whereabouts {
    holders: RwLock<HashMap<Path, Holder>>,
    hasher: RandomState,
    shards: usize,
}

/// The session on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) key: SessionKey,
    /// SHA-256 of its client's certificate.
    pub(super) fingerprint: [u8; 32],
}

impl Whereabouts {
    /// Nobody yet, on any of so many shards.
    pub(super) fn new(shards: usize) -> Self {
        Self { holders: RwLock::default(), hasher: RandomState::new(), shards: shards.max(1) }
    }

    /// The shard for what comes by `path`, and whether a client that was let in is there.
    pub(super) fn addressee(&self, path: &Path) -> (usize, Acquaintance) {
        match self.holder(path) {
            Some(holder) => (holder.key.shard, Acquaintance::Guest),
            None => (self.home_of(path), Acquaintance::Stranger),
        }
    }

    /// The session on `path`: the one that came there last.
    pub(super) fn holder(&self, path: &Path) -> Option<Holder> {
        self.holders.read().unwrap_or_else(PoisonError::into_inner).get(path).copied()
    }

    pub(super) fn settle(&self, path: Path, holder: Holder) {
        self.holders.write().unwrap_or_else(PoisonError::into_inner).insert(path, holder);
    }

    /// A session is on `path` no longer. What came there after it stays.
    pub(super) fn leave(&self, path: &Path, key: SessionKey) {
        let mut holders = self.holders.write().unwrap_or_else(PoisonError::into_inner);
        if holders.get(path).is_some_and(|holder| holder.key == key) {
            holders.remove(path);
        }
    }

    fn home_of(&self, path: &Path) -> usize {
        let shards = u64::try_from(self.shards).unwrap_or(1);
        usize::try_from(self.hasher.hash_one(path.remote) % shards).unwrap_or(0)
    }
}
