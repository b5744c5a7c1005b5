//! Tunnel address to peer id, dense over the part of the tunnel network that addresses are leased from.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use ipnet::{Ipv4Net, Ipv6Net};
use vpn_proto::PeerId;

/// One entry per address: four octets each, 4 MiB for a /12.
pub(super) struct AddressTable {
    first: u128,
    /// 0 for an address that is not assigned, else the peer id plus one.
    ids: Box<[AtomicU32]>,
}

impl AddressTable {
    /// A table for all of `network`.
    pub(super) fn over_v4(network: Ipv4Net) -> Self {
        let last = network.broadcast().to_bits() - network.network().to_bits();
        Self::new(network.network().to_bits().into(), last.into())
    }

    /// A table for the first addresses of `network`: as many as `beside` has, and those that pools leave out before.
    pub(super) fn over_v6(network: Ipv6Net, beside: Ipv4Net) -> Self {
        let wanted = u128::from(beside.broadcast().to_bits() - beside.network().to_bits()) + LEFT_OUT;
        let first = network.network().to_bits();
        Self::new(first, wanted.min(network.broadcast().to_bits() - first))
    }

    /// A table without any address.
    pub(super) fn empty() -> Self {
        Self { first: 0, ids: Box::default() }
    }

    fn new(first: u128, last: u128) -> Self {
        Self { first, ids: (0..=last).map(|_| AtomicU32::new(0)).collect() }
    }

    pub(super) fn lookup(&self, address: IpAddr) -> Option<PeerId> {
        PeerId::new(self.entry(address)?.load(Ordering::Acquire).checked_sub(1)?)
    }

    /// Clears the entry of `address` unless it belongs to another peer already.
    pub(super) fn clear(&self, address: IpAddr, id: PeerId) {
        if let Some(entry) = self.entry(address) {
            let _ = entry.compare_exchange(Self::encode(id), 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Enters `id` for `address`; `false` if there is no entry for it.
    pub(super) fn assign(&self, address: IpAddr, id: PeerId) -> bool {
        let entry = self.entry(address);
        entry.inspect(|entry| entry.store(Self::encode(id), Ordering::Release)).is_some()
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.entry(address).is_some()
    }

    fn entry(&self, address: IpAddr) -> Option<&AtomicU32> {
        let bits = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        self.ids.get(usize::try_from(bits.checked_sub(self.first)?).ok()?)
    }

    const fn encode(id: PeerId) -> u32 {
        id.get() + 1
    }
}

/// Addresses at the beginning of an IPv6 network that no pool leases: stock servers begin at `::1000`.
const LEFT_OUT: u128 = 0x1000;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn every_address_of_the_network_has_its_own_entry_and_no_other_has_one() {
        for network in ["10.8.0.0/29", "10.8.4.0/22", "172.16.0.0/12"] {
            let network: Ipv4Net = network.parse().unwrap();
            let table = AddressTable::over_v4(network);
            let (first, last) = (network.network(), network.broadcast());
            for (address, id) in
                [(first, 0), (last, 0x00ff_fffe), (Ipv4Addr::from_bits(first.to_bits() + 5), 7)]
            {
                let (id, address) = (PeerId::new(id).unwrap(), IpAddr::V4(address));
                assert_eq!(table.lookup(address), None);
                assert!(table.assign(address, id));
                assert_eq!(table.lookup(address), Some(id), "{address}");
            }
            for outside in [first.to_bits() - 1, last.to_bits() + 1, 0, u32::MAX] {
                let outside = IpAddr::V4(Ipv4Addr::from_bits(outside));
                assert!(!table.assign(outside, PeerId::new(1).unwrap()), "{outside}");
                assert_eq!(table.lookup(outside), None, "{outside}");
            }
        }
    }

    #[test]
    fn an_ipv6_table_covers_what_pools_lease_and_never_more_than_the_network() {
        let beside = "10.8.0.0/24".parse().unwrap();
        for (network, last) in [("fd00:8::/64", "fd00:8::10ff"), ("fd00:8::/124", "fd00:8::f")] {
            let table = AddressTable::over_v6(network.parse().unwrap(), beside);
            let id = PeerId::new(7).unwrap();
            let last: std::net::Ipv6Addr = last.parse().unwrap();
            let next = IpAddr::V6(std::net::Ipv6Addr::from_bits(last.to_bits() + 1));
            assert!(table.assign(last.into(), id), "{network}");
            assert_eq!(table.lookup(last.into()), Some(id), "{network}");
            assert!(!table.contains(next) && !table.contains("10.8.0.2".parse().unwrap()), "{network}");
        }
        assert!(!AddressTable::empty().contains("::".parse().unwrap()));
    }

    #[test]
    fn clearing_leaves_the_entry_of_a_successor_alone() {
        let table = AddressTable::over_v4("10.8.0.0/29".parse().unwrap());
        let address = IpAddr::V4(Ipv4Addr::new(10, 8, 0, 2));
        let (old, successor) = (PeerId::new(1).unwrap(), PeerId::new(2).unwrap());
        table.assign(address, old);
        table.assign(address, successor);
        table.clear(address, old);
        assert_eq!(table.lookup(address), Some(successor));
        table.clear(address, successor);
        assert_eq!(table.lookup(address), None);
    }
}
