//! The addresses of clients in both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::pool::{Address, AddressPool, ClaimError, PoolExhausted};

/// Leases an IPv4 address and, where the tunnel carries IPv6, an IPv6 address to each session. Clients are recognised by
/// their name.
#[derive(Debug)]
pub struct AddressBook {
    v4: AddressPool<Ipv4Addr, String>,
    v6: Option<AddressPool<Ipv6Addr, String>>,
    changes: u64,
}

/// What was decided about the addresses of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressWish {
    /// Its own IPv4 address; otherwise one of the pool.
    pub v4: Option<Ipv4Addr>,
    /// Its own IPv6 address; otherwise one of the pool.
    pub v6: Option<Ipv6Addr>,
    /// Whether it gets an IPv6 address at all.
    pub has_ipv6: bool,
}

/// The addresses of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The IPv4 address.
    pub v4: Ipv4Addr,
    /// The IPv6 address.
    pub v6: Option<Ipv6Addr>,
}

/// Why a session cannot have addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAddress {
    /// No address is left.
    #[error(transparent)]
    Exhausted(#[from] PoolExhausted),
    /// The client's own address cannot be used.
    #[error(transparent)]
    Claim(#[from] ClaimError),
}

impl NoAddress {
    /// Stable kebab-case code for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exhausted(_) => "address-pool-exhausted",
            Self::Claim(error) => error.code(),
        }
    }
}

impl Default for AddressWish {
    /// Any address of each family.
    fn default() -> Self {
        Self { v4: None, v6: None, has_ipv6: true }
    }
}

impl AddressBook {
    /// A book over one or two pools.
    #[must_use]
    pub const fn new(v4: AddressPool<Ipv4Addr, String>, v6: Option<AddressPool<Ipv6Addr, String>>) -> Self {
        Self { v4, v6, changes: 0 }
    }

    /// Finds addresses for a session of `client`.
    ///
    /// # Errors
    ///
    /// [`NoAddress`]; nothing is leased then.
    pub fn lease(&mut self, client: &str, wish: AddressWish) -> Result<Lease, NoAddress> {
        let client = client.to_owned();
        let v4 = take(&mut self.v4, &client, wish.v4)?;
        let v6 = match &mut self.v6 {
            Some(pool) if wish.has_ipv6 => take(pool, &client, wish.v6).map(Some),
            Some(_) | None => Ok(None),
        };
        let v6 = v6.inspect_err(|_| self.v4.release(v4))?;
        self.changes += 1;
        Ok(Lease { v4, v6 })
    }

    /// Takes the addresses of a session back.
    pub fn release(&mut self, lease: Lease) {
        self.v4.release(lease.v4);
        if let (Some(pool), Some(v6)) = (&mut self.v6, lease.v6) {
            pool.release(v6);
        }
    }

    /// Keeps an address for the client that it is the own address of. One that cannot be kept is refused when it is claimed.
    pub fn keep(&mut self, address: IpAddr) {
        let _ = match (address, &mut self.v6) {
            (IpAddr::V4(address), _) => self.v4.keep(address),
            (IpAddr::V6(address), Some(pool)) => pool.keep(address),
            (IpAddr::V6(_), None) => Ok(()),
        };
    }

    /// Takes note that `client` had an address before.
    pub fn remember(&mut self, client: &str, address: IpAddr) {
        let client = client.to_owned();
        match (address, &mut self.v6) {
            (IpAddr::V4(address), _) => self.v4.remember(address, &client),
            (IpAddr::V6(address), Some(pool)) => pool.remember(address, &client),
            (IpAddr::V6(_), None) => {}
        }
    }

    /// The addresses that clients have or had, each with its client; own addresses are not among them.
    #[must_use]
    pub fn history(&self) -> Vec<(IpAddr, String)> {
        let v4 = self.v4.history().into_iter().map(|(address, client)| (address.into(), client.clone()));
        let v6 = self.v6.as_ref().map(AddressPool::history).unwrap_or_default();
        v4.chain(v6.into_iter().map(|(address, client)| (address.into(), client.clone()))).collect()
    }

    /// Grows with each lease: while it stays the same, so does the history.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }
}

fn take<A: Address>(
    pool: &mut AddressPool<A, String>,
    client: &String,
    own: Option<A>,
) -> Result<A, NoAddress> {
    match own {
        Some(address) => pool.claim(address, client).map(|()| address).map_err(NoAddress::from),
        None => pool.lease(client).map_err(NoAddress::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_gets_an_address_of_each_family() {
        let mut book = book();
        let lease = book.lease("alice", AddressWish::default()).unwrap();
        assert_eq!(lease, lease_of("10.8.0.2", Some("fd00:8::1000")));
        let v4_only = book.lease("bob", AddressWish { has_ipv6: false, ..AddressWish::default() }).unwrap();
        assert_eq!(v4_only, lease_of("10.8.0.3", None));
        book.release(lease);
        assert_eq!(book.lease("alice", AddressWish::default()), Ok(lease));
    }

    #[test]
    fn what_was_leased_is_given_back_when_the_other_family_has_none() {
        let mut book = book();
        let own = AddressWish { v6: Some("fd00:9::5".parse().unwrap()), ..AddressWish::default() };
        assert_eq!(book.lease("alice", own).unwrap_err().code(), "static-address-unusable");
        assert_eq!(book.lease("alice", AddressWish::default()).unwrap().v4, Ipv4Addr::new(10, 8, 0, 2));
    }

    #[test]
    fn own_addresses_are_kept_for_their_clients() {
        let mut book = book();
        let own = lease_of("10.8.0.2", Some("fd00:8::1000"));
        book.keep(own.v4.into());
        book.keep(own.v6.unwrap().into());
        let other = book.lease("bob", AddressWish::default()).unwrap();
        assert_eq!(other, lease_of("10.8.0.3", Some("fd00:8::1001")));
        let wish = AddressWish { v4: Some(own.v4), v6: own.v6, has_ipv6: true };
        assert_eq!(book.lease("alice", wish), Ok(own));
        assert_eq!(book.lease("eve", wish).unwrap_err().code(), "static-address-in-use");
    }

    #[test]
    fn a_book_of_ipv4_alone_leases_no_ipv6() {
        let mut book = AddressBook::new(AddressPool::over_v4("10.8.0.0/29".parse().unwrap()), None);
        book.keep("fd00:8::5".parse().unwrap());
        book.remember("alice", "fd00:8::5".parse().unwrap());
        assert_eq!(book.lease("alice", AddressWish::default()), Ok(lease_of("10.8.0.2", None)));
    }

    #[test]
    fn the_history_of_one_book_is_the_memory_of_the_next() {
        let mut book = book();
        book.lease("alice", AddressWish::default()).unwrap();
        let lease = book.lease("bob", AddressWish::default()).unwrap();
        assert_eq!(book.changes(), 2);
        let mut next = self::book();
        for (address, client) in book.history() {
            next.remember(&client, address);
        }
        assert_eq!(next.lease("eve", AddressWish::default()), Ok(lease_of("10.8.0.4", Some("fd00:8::1002"))));
        assert_eq!(next.lease("bob", AddressWish::default()), Ok(lease));
        assert_eq!(next.changes(), 2);
    }

    fn book() -> AddressBook {
        let v6 = AddressPool::over_v6("fd00:8::/64".parse().unwrap());
        AddressBook::new(AddressPool::over_v4("10.8.0.0/29".parse().unwrap()), Some(v6))
    }

    fn lease_of(v4: &str, v6: Option<&str>) -> Lease {
        Lease { v4: v4.parse().unwrap(), v6: v6.map(|v6| v6.parse().unwrap()) }
    }
}
