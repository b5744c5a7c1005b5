//! Which client has which address.
//!
//! Rules, in this order: a client gets the address it had last, when nobody took it meanwhile; then one that nobody
//! ever had; then the one that was released longest ago. So a client that reconnects keeps its address for as long
//! as the network has others to give, and connections inside the tunnel survive a reconnect.
//!
//! Every operation costs a logarithm of the number of released addresses at most; memory grows with the addresses
//! that were ever given out, not with the size of the network.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The addresses of one network, leased to clients that are recognised by a key.
#[derive(Debug)]
pub struct AddressPool<Client> {
    network: Ipv4Net,
    first: u32,
    last: u32,
    next_fresh: u32,
    released: BTreeMap<ReleaseNumber, u32>,
    next_release: ReleaseNumber,
    slots: HashMap<u32, Slot<Client>>,
    remembered: HashMap<Client, Vec<u32>>,
}

/// Counts releases: the smallest one is the longest ago.
type ReleaseNumber = u64;

/// An address that was given out at least once.
#[derive(Debug)]
enum Slot<Client> {
    Leased(Client),
    Released { last_client: Client, number: ReleaseNumber },
}

/// Every address of the network is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {capacity} addresses of {network} are in use")]
pub struct PoolExhausted {
    /// The network of the pool.
    pub network: Ipv4Net,
    /// How many clients it has room for.
    pub capacity: u32,
}

impl<Client: Clone + Eq + Hash> AddressPool<Client> {
    /// The pool over `network` without its own address, its broadcast address and its first host, the server.
    #[must_use]
    pub fn new(network: Ipv4Net) -> Self {
        let first = network.network().to_bits().saturating_add(2);
        Self {
            network,
            first,
            last: network.broadcast().to_bits().saturating_sub(1),
            next_fresh: first,
            released: BTreeMap::new(),
            next_release: 0,
            slots: HashMap::new(),
            remembered: HashMap::new(),
        }
    }

    /// Gives `client` an address, its former one if that is free.
    ///
    /// # Errors
    ///
    /// [`PoolExhausted`] when every address is leased.
    pub fn lease(&mut self, client: &Client) -> Result<Ipv4Addr, PoolExhausted> {
        let address = self
            .take_remembered(client)
            .or_else(|| self.take_fresh())
            .or_else(|| self.take_oldest_released())
            .ok_or(PoolExhausted { network: self.network, capacity: self.capacity() })?;
        self.slots.insert(address, Slot::Leased(client.clone()));
        Ok(Ipv4Addr::from_bits(address))
    }

    /// Takes an address back. An address that is not leased is left alone.
    pub fn release(&mut self, address: Ipv4Addr) {
        let bits = address.to_bits();
        let Some(slot) = self.slots.get_mut(&bits) else {
            return;
        };
        let Slot::Leased(client) = slot else { return };
        let (client, number) = (client.clone(), self.next_release);
        *slot = Slot::Released { last_client: client.clone(), number };
        self.next_release += 1;
        self.released.insert(number, bits);
        self.remembered.entry(client).or_default().push(bits);
    }

    /// How many clients the network has room for.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// How many addresses are leased.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.slots.len() - self.released.len()
    }

    /// The address that this client released last, among those that nobody took meanwhile.
    fn take_remembered(&mut self, client: &Client) -> Option<u32> {
        let address = *self.remembered.get(client)?.last()?;
        self.take_released(address);
        Some(address)
    }

    fn take_fresh(&mut self) -> Option<u32> {
        let address = self.next_fresh;
        (address <= self.last).then(|| {
            self.next_fresh += 1;
            address
        })
    }

    fn take_oldest_released(&mut self) -> Option<u32> {
        let address = *self.released.first_key_value()?.1;
        self.take_released(address);
        Some(address)
    }

    /// Removes a released address from everything that remembers it.
    fn take_released(&mut self, address: u32) {
        let Some(Slot::Released { last_client, number }) = self.slots.remove(&address) else {
            return;
        };
        self.released.remove(&number);
        if let Some(addresses) = self.remembered.get_mut(&last_client) {
            addresses.retain(|remembered| *remembered != address);
            if addresses.is_empty() {
                self.remembered.remove(&last_client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_server_network_and_broadcast_addresses_are_never_given_out() {
        let mut pool = pool("10.8.0.0/29");
        let leased: Vec<_> = (0..5).map(|client| pool.lease(&client).unwrap().octets()[3]).collect();
        assert_eq!(leased, [2, 3, 4, 5, 6]);
        assert_eq!(pool.capacity(), 5);
    }

    #[test]
    fn exhaustion_is_an_answer_with_the_figures() {
        let mut pool = pool("10.8.0.0/29");
        for client in 0..5 {
            pool.lease(&client).unwrap();
        }
        let error = pool.lease(&9).unwrap_err();
        assert_eq!(error.to_string(), "all 5 addresses of 10.8.0.0/29 are in use");
        pool.release(Ipv4Addr::new(10, 8, 0, 4));
        assert_eq!(pool.lease(&9), Ok(Ipv4Addr::new(10, 8, 0, 4)));
    }

    #[test]
    fn a_client_gets_its_address_back() {
        let mut pool = pool("10.8.0.0/24");
        let alice = pool.lease(&1).unwrap();
        pool.release(alice);
        let bob = pool.lease(&2).unwrap();
        assert_ne!(alice, bob);
        assert_eq!(pool.lease(&1), Ok(alice));
    }

    #[test]
    fn released_addresses_are_reused_last_and_the_oldest_first() {
        let mut pool = pool("10.8.0.0/29");
        let addresses: Vec<_> = (0..4).map(|client| pool.lease(&client).unwrap()).collect();
        pool.release(addresses[2]);
        pool.release(addresses[0]);
        assert_eq!(pool.lease(&10).unwrap().octets()[3], 6);
        assert_eq!(pool.lease(&11), Ok(addresses[2]));
        assert_eq!(pool.lease(&12), Ok(addresses[0]));
    }

    #[test]
    fn an_address_that_went_to_another_client_is_forgotten() {
        let mut pool = pool("10.8.0.0/29");
        let addresses: Vec<_> = (0..5).map(|client| pool.lease(&client).unwrap()).collect();
        pool.release(addresses[0]);
        assert_eq!(pool.lease(&7), Ok(addresses[0]));
        pool.release(addresses[1]);
        assert_eq!(pool.lease(&0), Ok(addresses[1]));
    }

    #[test]
    fn one_client_may_hold_several_addresses() {
        let mut pool = pool("10.8.0.0/24");
        let (first, second) = (pool.lease(&1).unwrap(), pool.lease(&1).unwrap());
        assert_ne!(first, second);
        pool.release(first);
        pool.release(second);
        assert_eq!(pool.lease(&1), Ok(second));
        assert_eq!(pool.lease(&1), Ok(first));
    }

    #[test]
    fn a_release_counts_once() {
        let mut pool = pool("10.8.0.0/29");
        let address = pool.lease(&1).unwrap();
        pool.release(address);
        pool.release(address);
        pool.release(Ipv4Addr::new(10, 8, 0, 1));
        assert_eq!(pool.leased(), 0);
        let given: HashSet<_> = (0..5).map(|client| pool.lease(&client).unwrap()).collect();
        assert_eq!(given.len(), 5);
    }

    #[test]
    fn a_million_addresses_are_leased_and_released_quickly() {
        let mut pool = pool("10.16.0.0/12");
        let start = Instant::now();
        for client in 0..pool.capacity() {
            pool.lease(&client).unwrap();
        }
        assert!(pool.lease(&u32::MAX).is_err());
        for host in 0..100_000_u32 {
            pool.release(Ipv4Addr::from_bits(pool.first + host * 7));
        }
        for client in 2_000_000..2_100_000 {
            pool.lease(&client).unwrap();
        }
        assert_eq!(pool.leased(), 1_048_573);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }

    proptest! {
        #[test]
        fn no_address_has_two_clients_and_none_is_lost(
            steps in proptest::collection::vec((any::<bool>(), 0_u32..6, 0_usize..8), 0..200)
        ) {
            let mut pool = pool("192.168.4.0/29");
            let mut leases: Vec<(u32, Ipv4Addr)> = Vec::new();
            let mut last_released: HashMap<u32, Ipv4Addr> = HashMap::new();
            for (lease, client, position) in steps {
                if lease {
                    let Ok(address) = pool.lease(&client) else {
                        prop_assert_eq!(leases.len(), 5);
                        continue;
                    };
                    prop_assert!(leases.iter().all(|(_, taken)| *taken != address));
                    prop_assert!((2..=6).contains(&address.octets()[3]));
                    if let Some(last) = last_released.get(&client) {
                        prop_assert_eq!(address, *last);
                    }
                    last_released.retain(|_, released| *released != address);
                    leases.push((client, address));
                } else if !leases.is_empty() {
                    let (client, address) = leases.swap_remove(position % leases.len());
                    pool.release(address);
                    last_released.insert(client, address);
                }
                prop_assert_eq!(pool.leased(), leases.len());
            }
        }
    }

    fn pool(network: &str) -> AddressPool<u32> {
        AddressPool::new(network.parse().unwrap())
    }
}
