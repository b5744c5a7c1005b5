//! The tables that workers look packets up in: peers by id, peer ids by tunnel address, the policy.
//!
//! One writer side (control), many readers (workers). Readers never lock: a peer or policy is replaced whole behind an
//! atomic pointer, and what a reader holds stays valid until it lets go. Writers serialise among themselves.
//!
//! A session's way through the tables: [`Tables::reserve`] a slot before the session is granted (the grant names the
//! peer id), [`Tables::insert`] the peer once its keys are live, [`Tables::remove`] it at the end. Between the
//! packets of two holders of one peer id lies as much time as there can be: released ids are reused last.

mod addresses;
mod peer;
mod slots;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use vpn_proto::PeerId;

use crate::policy::Policy;

use addresses::AddressTable;
pub(super) use peer::Leaving;
pub use peer::{Peer, PeerCounters};
pub use slots::PeerSlot;
use slots::Slots;

/// Why a peer was not inserted. Each is a defect of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// The slot was released in the meantime.
    #[error("the slot of peer id {} was released", .0.get())]
    StaleSlot(PeerId),
    /// The channel was made for another peer id than the slot's.
    #[error("the channel has peer id {}, the slot {}", channel.get(), slot.get())]
    ForeignChannel {
        /// The channel's.
        channel: PeerId,
        /// The slot's.
        slot: PeerId,
    },
    /// The address is not in the tunnel network.
    #[error("{0} is not in the tunnel network")]
    ForeignAddress(Ipv4Addr),
}

impl InsertError {
    /// Stable kebab-case code for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StaleSlot(_) => "stale-peer-slot",
            Self::ForeignChannel { .. } => "foreign-peer-channel",
            Self::ForeignAddress(_) => "foreign-tunnel-address",
        }
    }
}

/// All tables of one data plane.
pub struct Tables {
    peers: Box<[ArcSwapOption<Peer>]>,
    addresses: AddressTable,
    policy: ArcSwap<Policy>,
    slots: Mutex<Slots>,
}

impl Tables {
    /// Empty tables for at most `max_sessions` peers, whose addresses come from the tunnel network of `policy`.
    ///
    /// Allocates a pointer per session and four octets per address of the network, once.
    #[must_use]
    pub fn new(max_sessions: usize, policy: Policy) -> Self {
        let slots = Slots::new(max_sessions);
        Self {
            peers: (0..slots.count()).map(|_| ArcSwapOption::empty()).collect(),
            addresses: AddressTable::new(policy.tunnel().network),
            policy: ArcSwap::from_pointee(policy),
            slots: Mutex::new(slots),
        }
    }

    /// Takes a free slot: the one that has been free for longest. `None` when `max_sessions` are taken.
    pub fn reserve(&self) -> Option<PeerSlot> {
        self.slots().take()
    }

    /// Makes `peer` reachable for workers. Another peer with the same slot or address is replaced.
    pub fn insert(&self, slot: PeerSlot, peer: Peer) -> Result<Arc<Peer>, InsertError> {
        let (id, channel) = (slot.peer_id(), peer.channel.peer_id());
        if channel != id {
            return Err(InsertError::ForeignChannel { channel, slot: id });
        }
        if !self.addresses.contains(peer.address) {
            return Err(InsertError::ForeignAddress(peer.address));
        }
        let slots = self.slots();
        let Some(entry) = self.entry(id).filter(|_| slots.is_held(slot)) else {
            return Err(InsertError::StaleSlot(id));
        };
        let peer = Arc::new(peer);
        entry.store(Some(Arc::clone(&peer)));
        self.addresses.assign(peer.address, id);
        Ok(peer)
    }

    /// Takes the peer out of the tables, if it was inserted, and releases the slot. A stale slot is ignored.
    pub fn remove(&self, slot: PeerSlot) -> Option<Arc<Peer>> {
        let mut slots = self.slots();
        if !slots.is_held(slot) {
            return None;
        }
        let peer = self.entry(slot.peer_id()).and_then(|entry| entry.swap(None));
        if let Some(peer) = &peer {
            self.addresses.clear(peer.address, slot.peer_id());
        }
        slots.give_back(slot);
        peer
    }

    /// Publishes another policy; every packet that a worker looks at from now on is judged by it.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// The policy in force. Held for one batch, not longer.
    pub fn policy(&self) -> Guard<Arc<Policy>> {
        self.policy.load()
    }

    /// The peer that holds `id`. Held for one batch, not longer.
    pub fn peer(&self, id: PeerId) -> Guard<Option<Arc<Peer>>> {
        self.entry(id)
            .map_or_else(|| Guard::from_inner(None), ArcSwapOption::load)
    }

    /// The id of the peer that `address` is assigned to.
    #[must_use]
    pub fn peer_id_of(&self, address: Ipv4Addr) -> Option<PeerId> {
        self.addresses.lookup(address)
    }

    /// The peers that are inserted at this moment.
    pub fn peers(&self) -> impl Iterator<Item = Arc<Peer>> + '_ {
        self.peers.iter().filter_map(ArcSwapOption::load_full)
    }

    fn entry(&self, id: PeerId) -> Option<&ArcSwapOption<Peer>> {
        self.peers.get(usize::try_from(id.get()).ok()?)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
