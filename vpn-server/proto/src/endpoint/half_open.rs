//! Clients that have not been let in yet: how many, from where, and which gives way (NET-04).
//!
//! Anybody who receives what is sent to it can begin a handshake. There is a bound on all of them and one on those of
//! each source network, and a newcomer is always taken in: at its network's bound the oldest there gives way, at the
//! bound of all the oldest of the network that has most. A client needs its place for moments only.
//!
//! A place is worth [`OCTETS_PER_PLACE`] octets of TLS, some times what an ordinary client sends. Whoever sends more
//! takes more places, so that the memory of all is bounded and a long certificate chain is possible nevertheless.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::SessionHandle;
use crate::source_network::SourceNetwork;

/// What a client may send in one place. What the server holds beside it is less than 24 KiB with it.
const OCTETS_PER_PLACE: usize = 8 * 1024;

/// How many clients may be on their way in at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfOpenLimits {
    /// Places in all; one client can always be on its way.
    pub total: usize,
    /// Places of one network: /24 of IPv4, /56 of IPv6.
    pub per_network: usize,
}

impl Default for HalfOpenLimits {
    fn default() -> Self {
        Self { total: 4096, per_network: 1024 }
    }
}

/// The clients on their way in. Handles grow, so the smallest is the oldest.
#[derive(Debug, Default)]
pub(super) struct HalfOpenTable {
    guests: BTreeMap<SessionHandle, Guest>,
    places: usize,
    networks: BTreeMap<SourceNetwork, Neighbours>,
    /// The networks by how many places they take.
    by_size: BTreeSet<(usize, SourceNetwork)>,
}

#[derive(Clone, Copy, Debug)]
struct Guest {
    network: SourceNetwork,
    places: usize,
}

/// Guests from one network.
#[derive(Debug, Default)]
struct Neighbours {
    handles: BTreeSet<SessionHandle>,
    places: usize,
}

impl HalfOpenTable {
    pub(super) fn len(&self) -> usize {
        self.guests.len()
    }

    pub(super) fn insert(&mut self, handle: SessionHandle, network: SourceNetwork) {
        self.take_out(handle);
        self.put_in(handle, Guest { network, places: 1 });
    }

    pub(super) fn remove(&mut self, handle: SessionHandle) {
        self.take_out(handle);
    }

    /// Takes note of how many octets of TLS a guest has sent.
    pub(super) fn weigh(&mut self, handle: SessionHandle, octets: usize) {
        let places = 1 + octets / OCTETS_PER_PLACE;
        let Some(guest) = self.guests.get(&handle).copied().filter(|guest| guest.places != places) else {
            return;
        };
        self.take_out(handle);
        self.put_in(handle, Guest { places, ..guest });
    }

    /// Whether more places are taken than there are.
    pub(super) fn is_beyond(&self, limits: HalfOpenLimits) -> bool {
        self.len() > 1 && self.places > limits.total
    }

    /// Who has to give way before `newcomer` can come in, or, without one, before nobody is beyond the limits.
    pub(super) fn first_to_go(
        &self,
        limits: HalfOpenLimits,
        newcomer: Option<SourceNetwork>,
    ) -> Option<SessionHandle> {
        let neighbours = newcomer.and_then(|network| self.networks.get(&network));
        if let Some(neighbours) = neighbours.filter(|those| those.places >= limits.per_network.max(1)) {
            return neighbours.handles.first().copied();
        }
        let is_full = match newcomer {
            Some(_) => self.places >= limits.total.max(1),
            None => self.is_beyond(limits),
        };
        let (_, busiest) = self.by_size.last().filter(|_| is_full)?;
        self.networks.get(busiest)?.handles.first().copied()
    }

    fn put_in(&mut self, handle: SessionHandle, guest: Guest) {
        self.guests.insert(handle, guest);
        self.places += guest.places;
        self.change(guest.network, |neighbours| {
            neighbours.handles.insert(handle);
            neighbours.places += guest.places;
        });
    }

    fn take_out(&mut self, handle: SessionHandle) {
        let Some(guest) = self.guests.remove(&handle) else {
            return;
        };
        self.places -= guest.places;
        self.change(guest.network, |neighbours| {
            neighbours.handles.remove(&handle);
            neighbours.places -= guest.places;
        });
    }

    fn change(&mut self, network: SourceNetwork, change: impl FnOnce(&mut Neighbours)) {
        let neighbours = self.networks.entry(network).or_default();
        self.by_size.remove(&(neighbours.places, network));
        change(neighbours);
        match neighbours.places {
            0 => drop(self.networks.remove(&network)),
            places => drop(self.by_size.insert((places, network))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HalfOpenLimits = HalfOpenLimits { total: 6, per_network: 4 };

    fn network(third: u8) -> SourceNetwork {
        SourceNetwork::V4([192, 0, third])
    }

    fn table(networks: &[u8]) -> HalfOpenTable {
        let mut table = HalfOpenTable::default();
        for (handle, third) in (0..).map(SessionHandle).zip(networks) {
            table.insert(handle, network(*third));
        }
        table
    }

    #[test]
    fn net_04_up_to_the_bound_nobody_gives_way_and_beyond_it_the_oldest_of_the_busiest_network() {
        assert_eq!(table(&[1, 2, 2, 3, 4]).first_to_go(LIMITS, Some(network(9))), None);
        let full = table(&[1, 2, 2, 3, 4, 5]);
        assert_eq!(full.first_to_go(LIMITS, Some(network(9))), Some(SessionHandle(1)));
    }

    #[test]
    fn net_04_a_network_at_its_share_makes_room_for_itself() {
        assert_eq!(table(&[7, 1, 1, 1]).first_to_go(LIMITS, Some(network(1))), None);
        assert_eq!(table(&[7, 1, 1, 1, 1]).first_to_go(LIMITS, Some(network(1))), Some(SessionHandle(1)));
        assert_eq!(table(&[7, 1, 1, 1, 1]).first_to_go(LIMITS, Some(network(7))), None);
    }

    #[test]
    fn net_04_bounds_of_nothing_leave_room_for_one() {
        let nothing = HalfOpenLimits { total: 0, per_network: 0 };
        assert_eq!(table(&[]).first_to_go(nothing, Some(network(1))), None);
        let mut one = table(&[1]);
        assert_eq!(one.first_to_go(nothing, Some(network(2))), Some(SessionHandle(0)));
        one.weigh(SessionHandle(0), 1 << 20);
        assert_eq!(one.first_to_go(nothing, None), None);
    }

    #[test]
    fn net_04_who_sends_much_takes_several_places() {
        let mut table = table(&[1, 2, 3]);
        table.weigh(SessionHandle(1), OCTETS_PER_PLACE - 1);
        assert!(!table.is_beyond(LIMITS));
        table.weigh(SessionHandle(1), 3 * OCTETS_PER_PLACE);
        assert_eq!((table.places, table.is_beyond(LIMITS)), (6, false));
        table.weigh(SessionHandle(1), 4 * OCTETS_PER_PLACE);
        assert!(table.is_beyond(LIMITS));
        assert_eq!(table.first_to_go(LIMITS, None), Some(SessionHandle(1)));
        assert_eq!(table.first_to_go(LIMITS, Some(network(2))), Some(SessionHandle(1)));
    }

    #[test]
    fn who_left_is_forgotten_everywhere() {
        let mut table = table(&[1, 1, 2, 3]);
        table.weigh(SessionHandle(2), 100_000);
        for handle in 0..5 {
            table.remove(SessionHandle(handle));
            table.remove(SessionHandle(handle));
            table.weigh(SessionHandle(handle), 100_000);
        }
        let left = (table.len(), table.places, table.networks.len(), table.by_size.len());
        assert_eq!(left, (0, 0, 0, 0));
    }
}
