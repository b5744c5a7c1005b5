//! The tables that workers look packets up in: peers by id, peer ids by tunnel address and, for old clients, by path,
//! and the policy.
//!
//! One writer side (control), many readers (workers). Readers never lock: a peer or policy is replaced whole behind an
//! atomic pointer, and what a reader holds stays valid until it lets go. Writers serialise among themselves.
//!
//! A session's way through the tables: [`Tables::reserve`] a slot before the session is granted (the grant names the
//! peer id), [`Tables::insert`] the peer once its keys are live, [`Tables::remove`] it at the end. Between the
//! packets of two holders of one peer id lies as much time as there can be: released ids are reused last.

mod addresses;
mod calls;
mod networks;
mod old_peers;
mod peer;
mod slots;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use ipnet::IpNet;
use vpn_proto::{Path, PeerId};

use crate::policy::Policy;

use super::mss::OuterLimit;
use addresses::AddressTable;
pub(super) use calls::{Call, CallMemory};
use networks::{Holder, NetworkTable};
use old_peers::OldPeers;
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
    ForeignAddress(IpAddr),
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
    addresses_v4: AddressTable,
    addresses_v6: AddressTable,
    networks: NetworkTable,
    old_peers: OldPeers,
    policy: ArcSwap<Policy>,
    calls: OnceLock<CallMemory>,
    outer_limit: OuterLimit,
    slots: Mutex<Slots>,
}

impl Tables {
    /// Empty tables for at most `max_sessions` peers, whose addresses come from the tunnel networks of `policy`.
    ///
    /// Allocates a pointer per session and four octets per address that is leased, once.
    #[must_use]
    pub fn new(max_sessions: usize, policy: Policy) -> Self {
        let (slots, tunnel) = (Slots::new(max_sessions), policy.tunnel());
        let calls = OnceLock::new();
        if policy.asks_who_began() {
            calls.get_or_init(CallMemory::new);
        }
        let over_v6 = |network| AddressTable::over_v6(network, tunnel.network);
        Self {
            peers: (0..slots.count()).map(|_| ArcSwapOption::empty()).collect(),
            addresses_v4: AddressTable::over_v4(tunnel.network),
            addresses_v6: tunnel.ipv6.map_or_else(AddressTable::empty, |ipv6| over_v6(ipv6.network)),
            networks: NetworkTable::new(),
            old_peers: OldPeers::default(),
            policy: ArcSwap::from_pointee(policy),
            calls,
            outer_limit: OuterLimit::default(),
            slots: Mutex::new(slots),
        }
    }

    /// The same tables with another limit on the length of outer packets.
    #[must_use]
    pub fn with_outer_limit(self, outer_limit: OuterLimit) -> Self {
        Self { outer_limit, ..self }
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
        let tunnel = self.policy.load().tunnel();
        if let Some(foreign) = addresses_of(&peer).find(|address| !tunnel.contains(*address)) {
            return Err(InsertError::ForeignAddress(foreign));
        }
        let slots = self.slots();
        let Some(entry) = self.entry(id).filter(|_| slots.is_held(slot)) else {
            return Err(InsertError::StaleSlot(id));
        };
        let peer = Arc::new(peer);
        entry.store(Some(Arc::clone(&peer)));
        for address in addresses_of(&peer) {
            self.addresses(address).assign(address, id);
        }
        self.networks.assign(self.prefixes_of(&peer), Holder::new(id, &peer));
        if !peer.channel.is_found_by_peer_id() {
            self.old_peers.insert(peer.channel.path(), id);
        }
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
            for address in addresses_of(peer) {
                self.addresses(address).clear(address, slot.peer_id());
            }
            self.networks.clear(self.prefixes_of(peer), Holder::new(slot.peer_id(), peer));
            self.old_peers.remove(&peer.channel.path(), slot.peer_id());
        }
        slots.give_back(slot);
        peer
    }

    /// Publishes another policy for the same tunnel network; workers judge by it from their next turn on.
    pub fn set_policy(&self, policy: Policy) {
        if policy.asks_who_began() {
            self.calls.get_or_init(CallMemory::new);
        }
        self.policy.store(Arc::new(policy));
    }

    /// The policy in force. Held for one batch, not longer.
    pub fn policy(&self) -> Guard<Arc<Policy>> {
        self.policy.load()
    }

    /// Who called whom, if that is remembered.
    pub(super) fn calls(&self) -> Option<&CallMemory> {
        self.calls.get()
    }

    /// The peer that holds `id`. Held for one batch, not longer.
    pub fn peer(&self, id: PeerId) -> Guard<Option<Arc<Peer>>> {
        self.entry(id).map_or_else(|| Guard::from_inner(None), ArcSwapOption::load)
    }

    /// The peer that packets for `address` go to: it was assigned to it, or is in a network behind it. Held for one packet,
    /// not longer.
    pub fn peer_toward(&self, address: IpAddr) -> Option<PeerGuard> {
        if let Some(id) = self.addresses(address).lookup(address) {
            // Between the two lookups the id may have got another holder.
            return PeerGuard::of(self.peer(id), |peer| peer.has_address(address));
        }
        let (_, holder) = self.networks.lookup(address)?;
        PeerGuard::of(self.peer(holder.id), |peer| holder.is(peer))
    }

    /// The network behind `peer` that `address` is in, if none of another peer is closer to it.
    pub fn network_behind(&self, peer: &Peer, address: IpAddr) -> Option<IpNet> {
        if peer.networks.is_empty() {
            return None;
        }
        let (network, holder) = self.networks.lookup(address)?;
        holder.is(peer).then_some(network)
    }

    /// The id of the peer that `address` is assigned to.
    #[must_use]
    pub fn peer_id_of(&self, address: Ipv4Addr) -> Option<PeerId> {
        self.addresses_v4.lookup(address.into())
    }

    /// How long outer packets may be.
    #[must_use]
    pub const fn outer_limit(&self) -> OuterLimit {
        self.outer_limit
    }

    /// The id of the peer at `path`, if its packets do not carry it: a client older than OpenVPN 2.4.
    #[must_use]
    pub fn old_peer_at(&self, path: &Path) -> Option<PeerId> {
        self.old_peers.lookup(path)
    }

    /// The peers that are inserted at this moment.
    pub fn peers(&self) -> impl Iterator<Item = Arc<Peer>> + '_ {
        self.peers.iter().filter_map(ArcSwapOption::load_full)
    }

    const fn addresses(&self, address: IpAddr) -> &AddressTable {
        match address {
            IpAddr::V4(_) => &self.addresses_v4,
            IpAddr::V6(_) => &self.addresses_v6,
        }
    }

    /// What is behind `peer`, and those of its addresses that are in no dense table.
    fn prefixes_of(&self, peer: &Peer) -> impl Iterator<Item = IpNet> {
        let scattered = addresses_of(peer)
            .filter(|address| !self.addresses(*address).contains(*address))
            .map(IpNet::from);
        peer.networks.iter().copied().chain(scattered)
    }

    fn entry(&self, id: PeerId) -> Option<&ArcSwapOption<Peer>> {
        self.peers.get(usize::try_from(id.get()).ok()?)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn addresses_of(peer: &Peer) -> impl Iterator<Item = IpAddr> + use<> {
    [Some(peer.address.into()), peer.address_v6.map(IpAddr::V6)].into_iter().flatten()
}

/// A peer that is there, as a reader holds it.
pub struct PeerGuard(Guard<Option<Arc<Peer>>>);

impl PeerGuard {
    fn of(guard: Guard<Option<Arc<Peer>>>, is_it: impl FnOnce(&Peer) -> bool) -> Option<Self> {
        guard.as_deref().is_some_and(is_it).then_some(Self(guard))
    }

    /// The peer.
    #[must_use]
    pub fn get(&self) -> Option<&Peer> {
        self.0.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use vpn_proto::Transport;

    use super::super::testing::policy;
    use super::super::testing::sessions::{Session, Sessions, path};
    use super::*;
    use crate::policy::{PROTOCOL_TCP, Port, Service, Tags};

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);

    #[test]
    fn an_inserted_peer_is_found_by_id_and_address_until_it_is_removed() {
        let (tables, mut sessions) = (tables(2), Sessions::new());
        let slot = tables.reserve().unwrap();
        assert!(tables.peer(slot.peer_id()).is_none());
        let session = insert(&tables, &mut sessions, slot, ADDRESS);
        assert_eq!(tables.peer_id_of(ADDRESS), Some(slot.peer_id()));
        assert_eq!(tables.peer(slot.peer_id()).as_ref().unwrap().session, session.handle);
        assert_eq!(tables.peers().count(), 1);
        assert_eq!(tables.remove(slot).unwrap().session, session.handle);
        assert_eq!(tables.peer_id_of(ADDRESS), None);
        assert!(tables.peer(slot.peer_id()).is_none());
        assert!(tables.remove(slot).is_none());
    }

    #[test]
    fn there_is_room_for_as_many_peers_as_sessions_are_allowed() {
        let tables = tables(2);
        let slots = [tables.reserve().unwrap(), tables.reserve().unwrap()];
        assert_eq!(tables.reserve(), None);
        assert!(tables.remove(slots[0]).is_none());
        assert_eq!(tables.reserve().map(PeerSlot::peer_id), Some(slots[0].peer_id()));
    }

    #[test]
    fn a_slot_that_was_released_cannot_be_used_against_its_next_holder() {
        let (tables, mut sessions) = (tables(1), Sessions::new());
        let stale = tables.reserve().unwrap();
        let old = sessions.connect(stale.peer_id(), somewhere(), ADDRESS);
        tables.remove(stale);
        let slot = tables.reserve().unwrap();
        let session = insert(&tables, &mut sessions, slot, ADDRESS);
        assert_eq!(slot.peer_id(), stale.peer_id());
        let late = Peer::new(old.handle, 0, Arc::clone(&old.channel), ADDRESS);
        assert_eq!(tables.insert(stale, late).err(), Some(InsertError::StaleSlot(slot.peer_id())));
        assert!(tables.remove(stale).is_none());
        assert_eq!(tables.peer(slot.peer_id()).as_ref().unwrap().session, session.handle);
    }

    #[test]
    fn what_does_not_fit_the_slot_or_the_network_is_refused() {
        let (tables, mut sessions) = (tables(2), Sessions::new());
        let (slot, other) = (tables.reserve().unwrap(), tables.reserve().unwrap());
        let session = sessions.connect(slot.peer_id(), somewhere(), ADDRESS);
        let peer = |address| Peer::new(session.handle, 0, Arc::clone(&session.channel), address);
        let foreign_channel = InsertError::ForeignChannel { channel: slot.peer_id(), slot: other.peer_id() };
        assert_eq!(tables.insert(other, peer(ADDRESS)).err(), Some(foreign_channel));
        let outside = Ipv4Addr::new(10, 9, 0, 1);
        let foreign_address = InsertError::ForeignAddress(outside.into());
        assert_eq!(tables.insert(slot, peer(outside)).err(), Some(foreign_address));
        let outside = "fd00:9::1000".parse().unwrap();
        let foreign_address = InsertError::ForeignAddress(IpAddr::V6(outside));
        assert_eq!(tables.insert(slot, peer(ADDRESS).with_ipv6(Some(outside))).err(), Some(foreign_address));
        assert!(tables.peers().next().is_none());
    }

    #[test]
    fn the_former_holder_of_an_address_does_not_take_it_away_when_it_leaves() {
        let (tables, mut sessions) = (tables(2), Sessions::new());
        let (old, new) = (tables.reserve().unwrap(), tables.reserve().unwrap());
        insert(&tables, &mut sessions, old, ADDRESS);
        insert(&tables, &mut sessions, new, ADDRESS);
        tables.remove(old);
        assert_eq!(tables.peer_id_of(ADDRESS), Some(new.peer_id()));
    }

    #[test]
    fn a_peer_is_found_by_either_address_and_by_what_is_behind_it_until_it_is_removed() {
        let (tables, mut sessions) = (tables(2), Sessions::new());
        let slot = tables.reserve().unwrap();
        let session = sessions.connect(slot.peer_id(), somewhere(), ADDRESS);
        let ways = ["10.8.0.2", "fd00:8::1000", "10.20.3.4", "fd20::5"].map(|way| way.parse().unwrap());
        let networks = vec!["10.20.0.0/16".parse().unwrap(), "fd20::/48".parse().unwrap()];
        let peer = Peer::new(session.handle, 0, Arc::clone(&session.channel), ADDRESS)
            .with_ipv6(Some("fd00:8::1000".parse().unwrap()))
            .with_networks(networks);
        let peer = tables.insert(slot, peer).unwrap();
        for way in ways {
            assert_eq!(tables.peer_toward(way).unwrap().get().unwrap().session, session.handle, "{way}");
        }
        assert!(tables.peer_toward("10.21.0.1".parse().unwrap()).is_none());
        assert_eq!(tables.network_behind(&peer, ways[2]).unwrap().to_string(), "10.20.0.0/16");
        assert_eq!(tables.network_behind(&peer, ways[0]), None);
        tables.remove(slot);
        for way in ways {
            assert!(tables.peer_toward(way).is_none(), "{way}");
        }
    }

    #[test]
    fn an_ipv6_address_far_from_the_pool_is_found_as_well() {
        let (tables, mut sessions) = (tables(1), Sessions::new());
        let slot = tables.reserve().unwrap();
        let session = sessions.connect(slot.peer_id(), somewhere(), ADDRESS);
        let address: std::net::Ipv6Addr = "fd00:8::cafe:0:1".parse().unwrap();
        let peer =
            Peer::new(session.handle, 0, Arc::clone(&session.channel), ADDRESS).with_ipv6(Some(address));
        tables.insert(slot, peer).unwrap();
        assert!(tables.peer_toward(address.into()).is_some());
        tables.remove(slot);
        assert!(tables.peer_toward(address.into()).is_none());
    }

    #[test]
    fn acl_02_a_network_closer_to_another_peer_is_not_this_peers() {
        let (tables, mut sessions) = (tables(2), Sessions::new());
        let mut insert = |host: u8, network: &str| {
            let (slot, address) = (tables.reserve().unwrap(), Ipv4Addr::new(10, 8, 0, host));
            let remote = ([192, 0, 2, host], 4000).into();
            let session = sessions.connect(slot.peer_id(), path(Transport::Udp, remote), address);
            let peer = Peer::new(session.handle, 0, Arc::clone(&session.channel), address);
            tables.insert(slot, peer.with_networks(vec![network.parse().unwrap()])).unwrap()
        };
        let (alice, bob) = (insert(2, "10.20.0.0/16"), insert(3, "10.20.7.0/24"));
        let [near, far] = ["10.20.7.1", "10.20.8.1"].map(|address| address.parse().unwrap());
        assert!(
            tables.network_behind(&alice, far).is_some() && tables.network_behind(&alice, near).is_none()
        );
        assert!(tables.network_behind(&bob, near).is_some() && tables.network_behind(&bob, far).is_none());
    }

    #[test]
    fn readers_see_whole_peers_while_a_writer_replaces_them() {
        let (tables, mut sessions) = (tables(1), Sessions::new());
        let other_address = Ipv4Addr::new(10, 8, 0, 3);
        let session = sessions.connect(PeerId::new(0).unwrap(), somewhere(), ADDRESS);
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = 0_u32;
                while !is_done.load(Ordering::Relaxed) {
                    for address in [ADDRESS, other_address] {
                        let Some(id) = tables.peer_id_of(address) else {
                            continue;
                        };
                        let guard = tables.peer(id);
                        let Some(peer) = guard.as_ref() else { continue };
                        assert!([ADDRESS, other_address].contains(&peer.address));
                        seen += 1;
                    }
                }
                seen
            });
            for round in 0..20_000 {
                let slot = tables.reserve().unwrap();
                let address = if round % 2 == 0 { ADDRESS } else { other_address };
                let peer = Peer::new(session.handle, 0, Arc::clone(&session.channel), address);
                tables.insert(slot, peer).unwrap();
                assert_eq!(tables.remove(slot).unwrap().address, address);
            }
            is_done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert!(tables.peers().next().is_none());
        assert_eq!((tables.peer_id_of(ADDRESS), tables.peer_id_of(other_address)), (None, None));
    }

    #[test]
    fn a_policy_is_replaced_whole() {
        let tables = tables(1);
        let (held, target) = (tables.policy(), Ipv4Addr::new(192, 168, 0, 1).into());
        let https = Service { protocol: PROTOCOL_TCP, port: Port::Number(443) };
        tables.set_policy(policy(&["192.168.0.0/16"]));
        assert!(!held.judge(&Tags::default(), target, https).is_allowed());
        assert!(tables.policy().judge(&Tags::default(), target, https).is_allowed());
    }

    fn insert(tables: &Tables, sessions: &mut Sessions, slot: PeerSlot, address: Ipv4Addr) -> Session {
        let session = sessions.connect(slot.peer_id(), somewhere(), address);
        tables.insert(slot, Peer::new(session.handle, 0, Arc::clone(&session.channel), address)).unwrap();
        session
    }

    fn tables(max_sessions: usize) -> Tables {
        Tables::new(max_sessions, policy(&[]))
    }

    fn somewhere() -> Path {
        path(Transport::Udp, "192.0.2.1:4000".parse().unwrap())
    }
}
