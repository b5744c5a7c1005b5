//! Tunnel address to peer id, dense over the tunnel network.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use ipnet::Ipv4Net;
use vpn_proto::PeerId;

/// One entry per address of the tunnel network: four octets each, 4 MiB for a /12.
pub(super) struct AddressTable {
    network: Ipv4Net,
    /// 0 for an address that is not assigned, else the peer id plus one.
    ids: Box<[AtomicU32]>,
}

impl AddressTable {
    pub(super) fn new(network: Ipv4Net) -> Self {
        let last = network.broadcast().to_bits() - network.network().to_bits();
        Self { network, ids: (0..=last).map(|_| AtomicU32::new(0)).collect() }
    }

    pub(super) fn lookup(&self, address: Ipv4Addr) -> Option<PeerId> {
        PeerId::new(self.entry(address)?.load(Ordering::Acquire).checked_sub(1)?)
    }

    /// Clears the entry of `address` unless it belongs to another peer already.
    pub(super) fn clear(&self, address: Ipv4Addr, id: PeerId) {
        if let Some(entry) = self.entry(address) {
            let _ = entry.compare_exchange(Self::encode(id), 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Enters `id` for `address`; `false` if the address is not in the network.
    pub(super) fn assign(&self, address: Ipv4Addr, id: PeerId) -> bool {
        let entry = self.entry(address);
        entry.inspect(|entry| entry.store(Self::encode(id), Ordering::Release)).is_some()
    }

    pub(super) fn contains(&self, address: Ipv4Addr) -> bool {
        self.network.contains(&address)
    }

    fn entry(&self, address: Ipv4Addr) -> Option<&AtomicU32> {
        let offset = address.to_bits().checked_sub(self.network.network().to_bits())?;
        self.ids.get(usize::try_from(offset).ok()?)
    }

    const fn encode(id: PeerId) -> u32 {
        id.get() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_the_network_has_its_own_entry_and_no_other_has_one() {
        for network in ["10.8.0.0/29", "10.8.4.0/22", "172.16.0.0/12"] {
            let table = AddressTable::new(network.parse().unwrap());
            let (first, last) = (table.network.network(), table.network.broadcast());
            for (address, id) in
                [(first, 0), (last, 0x00ff_fffe), (Ipv4Addr::from_bits(first.to_bits() + 5), 7)]
            {
                let id = PeerId::new(id).unwrap();
                assert_eq!(table.lookup(address), None);
                assert!(table.assign(address, id));
                assert_eq!(table.lookup(address), Some(id), "{address}");
            }
            for outside in [first.to_bits() - 1, last.to_bits() + 1, 0, u32::MAX] {
                let outside = Ipv4Addr::from_bits(outside);
                assert!(!table.assign(outside, PeerId::new(1).unwrap()), "{outside}");
                assert_eq!(table.lookup(outside), None, "{outside}");
            }
        }
    }

    #[test]
    fn clearing_leaves_the_entry_of_a_successor_alone() {
        let table = AddressTable::new("10.8.0.0/29".parse().unwrap());
        let address = Ipv4Addr::new(10, 8, 0, 2);
        let (old, successor) = (PeerId::new(1).unwrap(), PeerId::new(2).unwrap());
        table.assign(address, old);
        table.assign(address, successor);
        table.clear(address, old);
        assert_eq!(table.lookup(address), Some(successor));
        table.clear(address, successor);
        assert_eq!(table.lookup(address), None);
    }
}
