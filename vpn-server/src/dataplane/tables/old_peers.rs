//! Path to peer id, for clients whose data packets do not name their session.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use vpn_proto::{Path, PeerId};

/// Replaced whole by each change: such clients are few, and they do not move.
#[derive(Default)]
pub(super) struct OldPeers {
    ids: ArcSwap<BTreeMap<Path, PeerId>>,
}

impl OldPeers {
    pub(super) fn lookup(&self, path: &Path) -> Option<PeerId> {
        self.ids.load().get(path).copied()
    }

    /// Enters `id` for `path`, in place of whoever was there before.
    pub(super) fn insert(&self, path: Path, id: PeerId) {
        self.change(|ids| ids.insert(path, id));
    }

    /// Clears the entry of `path` unless it belongs to another peer already.
    pub(super) fn remove(&self, path: &Path, id: PeerId) {
        if self.lookup(path) == Some(id) {
            self.change(|ids| ids.remove(path));
        }
    }

    /// Callers are serialised by the tables.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<Path, PeerId>) -> Option<PeerId>) {
        let mut ids = BTreeMap::clone(&self.ids.load());
        change(&mut ids);
        self.ids.store(Arc::new(ids));
    }
}

#[cfg(test)]
mod tests {
    use vpn_proto::{ListenerId, Transport};

    use super::*;

    #[test]
    fn the_last_peer_on_a_path_is_the_one_and_its_predecessor_cannot_take_it_away() {
        let table = OldPeers::default();
        let path = |port| Path {
            listener: ListenerId(0),
            transport: Transport::Udp,
            remote: ([192, 0, 2, 1], port).into(),
            local: None,
        };
        let (old, successor) = (PeerId::new(1).unwrap(), PeerId::new(2).unwrap());
        table.insert(path(1), old);
        assert_eq!((table.lookup(&path(1)), table.lookup(&path(2))), (Some(old), None));
        table.insert(path(1), successor);
        table.remove(&path(1), old);
        assert_eq!(table.lookup(&path(1)), Some(successor));
        table.remove(&path(1), successor);
        assert_eq!(table.lookup(&path(1)), None);
    }
}
