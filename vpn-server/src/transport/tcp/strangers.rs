//! Connections that have not authenticated: how many, from where, and since when (NET-09).
//!
//! Anybody can open a connection, so there is a bound on all of them and one on those of each network prefix. At either
//! bound a newcomer takes the place of an older stranger: whoever gets through its handshake is one no longer, so a
//! client needs its place for moments only. Those that never returned a hard reset give way first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use vpn_proto::{Moment, Path, SourceNetwork};

/// What strangers may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrangerLimits {
    /// Connections in all.
    pub total: usize,
    /// Connections from one network: /24 of IPv4, /56 of IPv6.
    pub per_prefix: usize,
    /// The time until the hard reset must be complete, from both sides.
    pub patience: Duration,
}

impl Default for StrangerLimits {
    /// The limits table of the threat model.
    fn default() -> Self {
        Self { total: 1024, per_prefix: 32, patience: Duration::from_secs(10) }
    }
}

/// All connections that have not authenticated.
#[derive(Debug)]
pub(super) struct Strangers {
    limits: StrangerLimits,
    arrivals: BTreeMap<Arrival, Stranger>,
    by_path: HashMap<Path, Arrival>,
    by_prefix: HashMap<SourceNetwork, BTreeSet<Arrival>>,
    next: Arrival,
}

/// Counts strangers: the smallest is the one that came first.
type Arrival = u64;

#[derive(Debug)]
struct Stranger {
    path: Path,
    since: Moment,
    has_begun: bool,
}

impl Strangers {
    pub(super) fn new(limits: StrangerLimits) -> Self {
        Self {
            limits,
            arrivals: BTreeMap::new(),
            by_path: HashMap::new(),
            by_prefix: HashMap::new(),
            next: 0,
        }
    }

    /// Takes a stranger in; answers with the one that has to go for it.
    pub(super) fn arrive(&mut self, now: Moment, path: Path) -> Option<Path> {
        self.leave(&path);
        let evicted = self.make_room(SourceNetwork::of(path.remote.ip()));
        let arrival = self.next;
        self.next += 1;
        self.arrivals.insert(arrival, Stranger { path, since: now, has_begun: false });
        self.by_path.insert(path, arrival);
        self.by_prefix.entry(SourceNetwork::of(path.remote.ip())).or_default().insert(arrival);
        evicted
    }

    /// A stranger completed its hard reset: its handshake is timed elsewhere.
    pub(super) fn begin(&mut self, path: &Path) {
        let arrival = self.by_path.get(path);
        if let Some(stranger) = arrival.and_then(|arrival| self.arrivals.get_mut(arrival)) {
            stranger.has_begun = true;
        }
    }

    /// A connection is gone, or no stranger's any longer.
    pub(super) fn leave(&mut self, path: &Path) {
        let Some(arrival) = self.by_path.remove(path) else {
            return;
        };
        self.arrivals.remove(&arrival);
        let prefix = SourceNetwork::of(path.remote.ip());
        if let Some(arrivals) = self.by_prefix.get_mut(&prefix) {
            arrivals.remove(&arrival);
            if arrivals.is_empty() {
                self.by_prefix.remove(&prefix);
            }
        }
    }

    /// Takes out those whose time for a hard reset is over.
    pub(super) fn take_overdue(&mut self, now: Moment) -> Vec<Path> {
        let overdue: Vec<Path> = self
            .arrivals
            .values()
            .take_while(|stranger| stranger.since + self.limits.patience <= now)
            .filter(|stranger| !stranger.has_begun)
            .map(|stranger| stranger.path)
            .collect();
        overdue.iter().for_each(|path| self.leave(path));
        overdue
    }

    /// Takes one out, of the network that has most.
    pub(super) fn evict(&mut self) -> Option<Path> {
        let busiest = self.by_prefix.iter().max_by_key(|(prefix, arrivals)| (arrivals.len(), **prefix));
        let victim = self.first_to_go(busiest?.1)?;
        self.leave(&victim);
        Some(victim)
    }

    fn make_room(&mut self, newcomer: SourceNetwork) -> Option<Path> {
        let neighbours = self.by_prefix.get(&newcomer);
        if let Some(neighbours) = neighbours.filter(|those| those.len() >= self.limits.per_prefix) {
            let victim = self.first_to_go(neighbours)?;
            self.leave(&victim);
            return Some(victim);
        }
        if self.arrivals.len() >= self.limits.total { self.evict() } else { None }
    }

    /// The oldest that did not begin a handshake, or else the oldest.
    fn first_to_go(&self, arrivals: &BTreeSet<Arrival>) -> Option<Path> {
        let mut strangers = arrivals.iter().filter_map(|arrival| self.arrivals.get(arrival));
        let oldest = strangers.clone().next()?;
        Some(strangers.find(|stranger| !stranger.has_begun).unwrap_or(oldest).path)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use vpn_proto::{ListenerId, Transport};

    use super::*;

    #[test]
    fn net_09_one_network_has_its_share_and_its_oldest_goes_for_one_more() {
        let mut strangers = Strangers::new(StrangerLimits::default());
        for port in 0..32 {
            assert_eq!(strangers.arrive(at(0), path("192.0.2.7", port)), None);
        }
        assert_eq!(strangers.arrive(at(0), path("192.0.3.7", 0)), None, "another network");
        assert_eq!(strangers.arrive(at(0), path("192.0.2.200", 32)), Some(path("192.0.2.7", 0)));
        assert_eq!(strangers.arrivals.len(), 33);
    }

    #[test]
    fn net_09_a_network_of_ipv6_is_a_site() {
        let mut strangers = Strangers::new(StrangerLimits::default());
        for port in 0..32 {
            assert_eq!(strangers.arrive(at(0), path("2001:db8:0:1200::1", port)), None);
        }
        assert_eq!(strangers.arrive(at(0), path("2001:db8:0:1300::1", 0)), None, "the next /56");
        let same_site = path("2001:db8:0:12ff::1", 0);
        assert_eq!(strangers.arrive(at(0), same_site), Some(path("2001:db8:0:1200::1", 0)));
    }

    #[test]
    fn net_09_at_the_limit_of_all_the_busiest_network_loses_its_oldest() {
        let mut strangers =
            Strangers::new(StrangerLimits { total: 6, per_prefix: 4, ..StrangerLimits::default() });
        for (address, port) in
            [("192.0.2.1", 1), ("198.51.100.1", 2), ("198.51.100.2", 3), ("203.0.113.1", 4)]
        {
            assert_eq!(strangers.arrive(at(0), path(address, port)), None);
        }
        assert_eq!(strangers.arrive(at(0), path("198.51.100.3", 5)), None);
        assert_eq!(strangers.arrive(at(0), path("192.0.2.1", 6)), None);
        assert_eq!(strangers.arrive(at(0), path("192.0.9.1", 7)), Some(path("198.51.100.1", 2)));
    }

    #[test]
    fn those_in_a_handshake_give_way_last() {
        let mut strangers = Strangers::new(StrangerLimits { per_prefix: 3, ..StrangerLimits::default() });
        for port in 0..3 {
            strangers.arrive(at(0), path("192.0.2.1", port));
        }
        strangers.begin(&path("192.0.2.1", 0));
        assert_eq!(strangers.arrive(at(0), path("192.0.2.1", 3)), Some(path("192.0.2.1", 1)));
        (2..4).for_each(|port| strangers.begin(&path("192.0.2.1", port)));
        assert_eq!(strangers.arrive(at(0), path("192.0.2.1", 4)), Some(path("192.0.2.1", 0)));
    }

    #[test]
    fn net_09_ten_seconds_are_the_time_for_a_hard_reset() {
        let mut strangers = Strangers::new(StrangerLimits::default());
        for (second, port) in [(0, 0), (0, 1), (5, 2)] {
            strangers.arrive(at(second), path("192.0.2.1", port));
        }
        strangers.begin(&path("192.0.2.1", 0));
        assert_eq!(strangers.take_overdue(at(9)), []);
        assert_eq!(strangers.take_overdue(at(10)), [path("192.0.2.1", 1)]);
        assert_eq!(strangers.take_overdue(at(10)), []);
        assert_eq!(strangers.take_overdue(at(3600)), [path("192.0.2.1", 2)]);
        assert_eq!(strangers.arrivals.len(), 1, "the one in its handshake");
    }

    #[test]
    fn who_left_is_forgotten_everywhere() {
        let mut strangers = Strangers::new(StrangerLimits::default());
        for port in 0..100 {
            strangers.arrive(at(0), path("192.0.2.1", port));
            strangers.leave(&path("192.0.2.1", port));
            strangers.leave(&path("192.0.2.1", port));
        }
        let left = (strangers.arrivals.len(), strangers.by_path.len(), strangers.by_prefix.len());
        assert_eq!(left, (0, 0, 0));
        assert_eq!(strangers.evict(), None);
    }

    #[test]
    fn a_path_that_arrives_again_is_a_new_stranger() {
        let mut strangers = Strangers::new(StrangerLimits::default());
        strangers.arrive(at(0), path("192.0.2.1", 1));
        strangers.begin(&path("192.0.2.1", 1));
        strangers.arrive(at(5), path("192.0.2.1", 1));
        assert_eq!(strangers.take_overdue(at(14)), []);
        assert_eq!(strangers.take_overdue(at(15)), [path("192.0.2.1", 1)]);
    }

    fn path(address: &str, port: u16) -> Path {
        Path {
            listener: ListenerId(0),
            transport: Transport::Tcp,
            remote: (address.parse::<IpAddr>().unwrap(), port).into(),
            local: None,
        }
    }

    fn at(second: u64) -> Moment {
        Moment::from_micros(second * 1_000_000)
    }
}
