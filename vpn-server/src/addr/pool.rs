//! Which client has which address of one network.
//!
//! Rules, in this order: a client gets the address it had last, when nobody took it meanwhile; then one that nobody
//! ever had; then the one that was released longest ago. So a client that reconnects keeps its address for as long
//! as the network has others to give, and connections inside the tunnel survive a reconnect.
//!
//! A client can also claim a certain address. From then on nobody else gets it, claims apart.
//!
//! Every operation costs a logarithm of the number of released addresses at most; memory grows with the addresses
//! that were ever given out, not with the size of the network.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The addresses of one network, leased to clients that are recognised by a key.
#[derive(Debug)]
pub struct AddressPool<Address, Client> {
    network: IpNet,
    server: Bits,
    first: Bits,
    last: Bits,
    next_fresh: Bits,
    released: BTreeMap<ReleaseNumber, Bits>,
    next_release: ReleaseNumber,
    slots: HashMap<Bits, Slot<Client>>,
    remembered: HashMap<Client, Vec<Bits>>,
    leased: usize,
    family: PhantomData<Address>,
}

/// An address of one family: a number.
pub trait Address: Copy + Ord + Into<IpAddr> {
    /// The address as a number.
    fn to_number(self) -> u128;

    /// The address of a number, which came from [`Address::to_number`] or is near one that did.
    fn from_number(number: u128) -> Self;
}

impl Address for Ipv4Addr {
    fn to_number(self) -> u128 {
        self.to_bits().into()
    }

    fn from_number(number: u128) -> Self {
        Self::from_bits(u32::try_from(number).unwrap_or(u32::MAX))
    }
}

impl Address for Ipv6Addr {
    fn to_number(self) -> u128 {
        self.to_bits()
    }

    fn from_number(number: u128) -> Self {
        Self::from_bits(number)
    }
}

/// An address of either family as a number.
type Bits = u128;

/// Counts releases: the smallest one is the longest ago.
type ReleaseNumber = u64;

/// An address that was given out at least once, or is kept for somebody.
#[derive(Debug)]
enum Slot<Client> {
    /// In use. A claimed one does not go back to where others can get it.
    Leased { client: Client, is_claimed: bool },
    /// Free, and remembered for its last client.
    Released { last_client: Client, number: ReleaseNumber },
    /// Free, for claims only.
    Kept,
}

/// Every address that the pool gives is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {capacity} addresses of {network} are in use")]
pub struct PoolExhausted {
    /// The network of the pool.
    pub network: IpNet,
    /// How many clients it has room for.
    pub capacity: u128,
}

/// Why a client cannot have the address that was chosen for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Somebody has it.
    #[error("the address {0} is in use")]
    Taken(IpAddr),
    /// It is outside of the network, or the network's, broadcast or the server's address.
    #[error("{address} is not an address for clients of {network}")]
    NotForClients {
        /// The address.
        address: IpAddr,
        /// The network of the pool.
        network: IpNet,
    },
}

impl<Client: Clone + Eq + Hash> AddressPool<Ipv4Addr, Client> {
    /// The pool over `network` without its own address, its broadcast address and its first host, the server.
    #[must_use]
    pub fn over_v4(network: Ipv4Net) -> Self {
        let (first, last) = (network.network().to_number(), network.broadcast().to_number());
        Self::new(network.into(), first + 2, last.saturating_sub(1))
    }
}

impl<Client: Clone + Eq + Hash> AddressPool<Ipv6Addr, Client> {
    /// The pool over `network` without its own address and its first host, the server. Like a stock server it begins at
    /// `::1000` where the network has room, so that administrators have addresses to give by hand.
    #[must_use]
    pub fn over_v6(network: Ipv6Net) -> Self {
        let begin = if network.prefix_len() < 112 { 0x1000 } else { 2 };
        let first = network.network().to_number().saturating_add(begin);
        Self::new(network.into(), first, network.broadcast().to_number())
    }
}

impl<A: Address, Client: Clone + Eq + Hash> AddressPool<A, Client> {
    fn new(network: IpNet, first: Bits, last: Bits) -> Self {
        Self {
            network,
            server: first_host(network),
            first,
            last,
            next_fresh: first,
            released: BTreeMap::new(),
            next_release: 0,
            slots: HashMap::new(),
            remembered: HashMap::new(),
            leased: 0,
            family: PhantomData,
        }
    }

    /// Leases only addresses of `range`; others can be claimed.
    #[must_use]
    pub fn within(mut self, range: &RangeInclusive<A>) -> Self {
        self.first = self.first.max(range.start().to_number());
        self.last = self.last.min(range.end().to_number());
        self.next_fresh = self.first;
        self
    }

    /// Gives `client` an address, its former one if that is free.
    ///
    /// # Errors
    ///
    /// [`PoolExhausted`] when every address is leased.
    pub fn lease(&mut self, client: &Client) -> Result<A, PoolExhausted> {
        let address = self
            .take_remembered(client)
            .or_else(|| self.take_fresh())
            .or_else(|| self.take_oldest_released())
            .ok_or_else(|| PoolExhausted { network: self.network, capacity: self.capacity() })?;
        self.occupy(address, client, false);
        Ok(A::from_number(address))
    }

    /// Gives `client` the address that was chosen for it.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when it is in use or not for clients.
    pub fn claim(&mut self, address: A, client: &Client) -> Result<(), ClaimError> {
        let claimed = self.checked(address)?;
        if matches!(self.slots.get(&claimed), Some(Slot::Leased { .. })) {
            return Err(ClaimError::Taken(address.into()));
        }
        self.take_released(claimed);
        self.occupy(claimed, client, true);
        Ok(())
    }

    /// Keeps an address for claims.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when it is in use or not for clients.
    pub fn keep(&mut self, address: A) -> Result<(), ClaimError> {
        let kept = self.checked(address)?;
        if matches!(self.slots.get(&kept), Some(Slot::Leased { .. })) {
            return Err(ClaimError::Taken(address.into()));
        }
        self.take_released(kept);
        self.slots.insert(kept, Slot::Kept);
        Ok(())
    }

    /// Takes note that `client` had an address before this pool was there. One that is not free any longer, or that the pool
    /// does not lease, is ignored.
    pub fn remember(&mut self, address: A, client: &Client) {
        let is_ours = (self.first..=self.last).contains(&address.to_number());
        if is_ours && self.network.contains(&address.into()) && !self.slots.contains_key(&address.to_number())
        {
            self.set_free(address.to_number(), client.clone());
        }
    }

    /// Takes an address back. An address that is not leased is left alone.
    pub fn release(&mut self, address: A) {
        let address = address.to_number();
        match self.slots.remove(&address) {
            Some(Slot::Leased { is_claimed: true, .. }) => {
                self.leased -= 1;
                self.slots.insert(address, Slot::Kept);
            }
            Some(Slot::Leased { client, is_claimed: false }) => {
                self.leased -= 1;
                self.set_free(address, client);
            }
            Some(other) => {
                self.slots.insert(address, other);
            }
            None => {}
        }
    }

    /// How many clients the pool has room for.
    #[must_use]
    pub const fn capacity(&self) -> u128 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// How many addresses are leased.
    #[must_use]
    pub const fn leased(&self) -> usize {
        self.leased
    }

    /// The addresses that clients have or had, except claimed ones, in their order.
    #[must_use]
    pub fn history(&self) -> BTreeMap<A, &Client> {
        let had = self.slots.iter().filter_map(|(address, slot)| {
            let client = match slot {
                Slot::Leased { client, is_claimed: false } => client,
                Slot::Released { last_client, .. } => last_client,
                Slot::Leased { is_claimed: true, .. } | Slot::Kept => return None,
            };
            Some((A::from_number(*address), client))
        });
        had.collect()
    }

    /// The address that this client released last, among those that nobody took meanwhile.
    fn take_remembered(&mut self, client: &Client) -> Option<Bits> {
        let address = *self.remembered.get(client)?.last()?;
        self.take_released(address);
        Some(address)
    }

    fn take_fresh(&mut self) -> Option<Bits> {
        while self.next_fresh <= self.last {
            let address = self.next_fresh;
            self.next_fresh += 1;
            if !self.slots.contains_key(&address) {
                return Some(address);
            }
        }
        None
    }

    fn take_oldest_released(&mut self) -> Option<Bits> {
        let address = *self.released.first_key_value()?.1;
        self.take_released(address);
        Some(address)
    }

    /// Removes a free address from everything that remembers it.
    fn take_released(&mut self, address: Bits) {
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

    fn occupy(&mut self, address: Bits, client: &Client, is_claimed: bool) {
        self.slots.insert(address, Slot::Leased { client: client.clone(), is_claimed });
        self.leased += 1;
    }

    fn set_free(&mut self, address: Bits, client: Client) {
        let number = self.next_release;
        self.next_release += 1;
        self.slots.insert(address, Slot::Released { last_client: client.clone(), number });
        self.released.insert(number, address);
        self.remembered.entry(client).or_default().push(address);
    }

    fn checked(&self, address: A) -> Result<Bits, ClaimError> {
        let ip: IpAddr = address.into();
        let is_usable = self.network.contains(&ip)
            && address.to_number() != self.server
            && ip != self.network.network()
            && (ip.is_ipv6() || ip != self.network.broadcast());
        is_usable
            .then(|| address.to_number())
            .ok_or(ClaimError::NotForClients { address: ip, network: self.network })
    }
}

impl ClaimError {
    /// Stable kebab-case code for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Taken(_) => "static-address-in-use",
            Self::NotForClients { .. } => "static-address-unusable",
        }
    }
}

/// The number of the address after the network's own.
fn first_host(network: IpNet) -> Bits {
    let own = match network.network() {
        IpAddr::V4(v4) => v4.to_number(),
        IpAddr::V6(v6) => v6.to_number(),
    };
    own + 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use proptest::prelude::*;
    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    #[test]
    fn the_server_network_and_broadcast_addresses_are_never_given_out() {
        let mut pool = pool("10.8.0.0/29");
        let leased: Vec<_> = (0..5).map(|client| last_octet(pool.lease(&client).unwrap())).collect();
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
        pool.release(v4(4));
        assert_eq!(pool.lease(&9), Ok(v4(4)));
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
        assert_eq!(last_octet(pool.lease(&10).unwrap()), 6);
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
        pool.release(v4(1));
        assert_eq!(pool.leased(), 0);
        let given: HashSet<_> = (0..5).map(|client| pool.lease(&client).unwrap()).collect();
        assert_eq!(given.len(), 5);
    }

    #[test]
    fn an_ipv6_pool_begins_where_stock_servers_do() {
        for (network, first) in
            [("fd00:8::/64", "fd00:8::1000"), ("fd00:8::/112", "fd00:8::2"), ("fd00:8::/124", "fd00:8::2")]
        {
            let mut pool = AddressPool::over_v6(network.parse().unwrap());
            assert_eq!(pool.lease(&1), Ok(first.parse().unwrap()), "{network}");
        }
        let mut small = AddressPool::over_v6("fd00:8::/124".parse().unwrap());
        assert_eq!((0..20).filter(|client| small.lease(client).is_ok()).count(), 14);
    }

    #[test]
    fn a_claimed_address_is_given_to_nobody_else_also_after_it_was_released() {
        let mut pool = pool("10.8.0.0/29");
        pool.claim(v4(2), &1).unwrap();
        assert_eq!(pool.claim(v4(2), &9), Err(ClaimError::Taken(v4(2).into())));
        pool.release(v4(2));
        let leased: Vec<_> = (10..14).map(|client| last_octet(pool.lease(&client).unwrap())).collect();
        assert_eq!(leased, [3, 4, 5, 6]);
        assert!(pool.lease(&1).is_err(), "it is for claims only");
        pool.claim(v4(2), &1).unwrap();
        assert_eq!(pool.leased(), 5);
    }

    #[test]
    fn an_address_that_is_kept_waits_for_its_claim() {
        let mut pool = pool("10.8.0.0/29");
        pool.keep(v4(2)).unwrap();
        assert_eq!(pool.lease(&1), Ok(v4(3)));
        pool.claim(v4(2), &2).unwrap();
        assert_eq!(pool.keep(v4(3)), Err(ClaimError::Taken(v4(3).into())));
        pool.release(v4(3));
        pool.keep(v4(3)).unwrap();
        assert_eq!(pool.lease(&1), Ok(v4(4)), "it is not remembered any longer");
    }

    #[test]
    fn only_addresses_for_clients_can_be_claimed() {
        let mut pool = pool("10.8.0.0/29");
        for host in [0, 1, 7, 8] {
            let error = pool.claim(v4(host), &1).unwrap_err();
            assert_eq!(error.code(), "static-address-unusable", "{host}");
        }
        assert_eq!(
            pool.claim(v4(7), &1).unwrap_err().to_string(),
            "10.8.0.7 is not an address for clients of 10.8.0.0/29"
        );
        let mut v6 = AddressPool::over_v6("fd00:8::/64".parse().unwrap());
        for (address, is_good) in [
            ("fd00:8::", false),
            ("fd00:8::1", false),
            ("fd00:8::2", true),
            ("fd00:8::ffff:ffff:ffff:ffff", true),
        ] {
            assert_eq!(v6.claim(address.parse().unwrap(), &1).is_ok(), is_good, "{address}");
        }
    }

    #[test]
    fn a_pool_can_be_a_part_of_its_network() {
        let mut pool = pool("10.8.0.0/24").within(&(v4(100)..=v4(101)));
        assert_eq!((pool.lease(&1), pool.lease(&2)), (Ok(v4(100)), Ok(v4(101))));
        assert_eq!(pool.lease(&3).unwrap_err().capacity, 2);
        pool.claim(v4(5), &3).unwrap();
    }

    #[test]
    fn what_clients_had_before_is_remembered_and_told() {
        let mut pool = pool("10.8.0.0/29");
        pool.remember(v4(5), &1);
        pool.remember(v4(5), &2);
        pool.remember(v4(7), &3);
        assert_eq!(pool.lease(&2), Ok(v4(2)));
        assert_eq!(pool.lease(&1), Ok(v4(5)));
        pool.release(v4(2));
        pool.claim(v4(3), &4).unwrap();
        assert_eq!(pool.history(), BTreeMap::from([(v4(2), &2), (v4(5), &1)]));
    }

    #[test]
    fn a_million_addresses_are_leased_and_released_quickly() {
        let mut pool = pool("10.16.0.0/12");
        let start = processor_time();
        for client in 0..u32::try_from(pool.capacity()).unwrap() {
            pool.lease(&client).unwrap();
        }
        assert!(pool.lease(&u32::MAX).is_err());
        for host in 0..100_000_u32 {
            pool.release(Ipv4Addr::from_number(pool.first + u128::from(host) * 7));
        }
        for client in 2_000_000..2_100_000 {
            pool.lease(&client).unwrap();
        }
        assert_eq!(pool.leased(), 1_048_573);
        let taken = processor_time().saturating_sub(start);
        assert!(taken < Duration::from_secs(10), "{taken:?}");
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
                    prop_assert!((2..=6).contains(&last_octet(address)));
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

    /// Of this thread: how long a busy machine lets it wait says nothing about its work.
    fn processor_time() -> Duration {
        clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
    }

    fn pool(network: &str) -> AddressPool<Ipv4Addr, u32> {
        AddressPool::over_v4(network.parse().unwrap())
    }

    fn v4(host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 8, 0, host)
    }

    fn last_octet(address: Ipv4Addr) -> u8 {
        address.octets()[3]
    }
}
