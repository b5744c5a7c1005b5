//! What workers know of one session.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ipnet::IpNet;
use vpn_proto::SessionHandle;
use vpn_proto::data::DataChannel;

use crate::policy::{Principal, Tags};

/// What workers know of a session.
pub struct Peer {
    /// The session, as the control shard knows it.
    pub session: SessionHandle,
    /// The control shard that owns it.
    pub shard: usize,
    /// Its keys, path and traffic counters.
    pub channel: Arc<DataChannel>,
    /// The tunnel address that was assigned to it.
    pub address: Ipv4Addr,
    /// The IPv6 tunnel address that was assigned to it, if any.
    pub address_v6: Option<Ipv6Addr>,
    /// The networks behind it.
    pub networks: Box<[IpNet]>,
    /// Who it is, as far as rules ask.
    pub tags: Tags,
    /// Its drops.
    pub counters: PeerCounters,
    has_left: AtomicBool,
}

/// What became of a peer's exit notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dataplane) enum Leaving {
    Heard,
    NotHeard,
    SaidBefore,
}

/// Drops of one peer; what passed is counted by its [`DataChannel`].
#[derive(Debug, Default)]
pub struct PeerCounters {
    from_peer: AtomicU64,
    to_peer: AtomicU64,
}

impl Peer {
    /// A peer with an IPv4 address, nothing behind it, and counters at zero.
    #[must_use]
    pub fn new(session: SessionHandle, shard: usize, channel: Arc<DataChannel>, address: Ipv4Addr) -> Self {
        Self {
            session,
            shard,
            channel,
            address,
            address_v6: None,
            networks: Box::default(),
            tags: Tags::default(),
            counters: PeerCounters::default(),
            has_left: AtomicBool::new(false),
        }
    }

    /// The same peer with an IPv6 address as well.
    #[must_use]
    pub fn with_ipv6(self, address_v6: Option<Ipv6Addr>) -> Self {
        Self { address_v6, ..self }
    }

    /// The same peer with `networks` behind it.
    #[must_use]
    pub fn with_networks(self, networks: impl Into<Box<[IpNet]>>) -> Self {
        Self { networks: networks.into(), ..self }
    }

    /// The same peer with the tags that rules ask for.
    #[must_use]
    pub fn with_tags(self, tags: Tags) -> Self {
        Self { tags, ..self }
    }

    /// Whether `address` was assigned to it.
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => v4 == self.address,
            IpAddr::V6(v6) => Some(v6) == self.address_v6,
        }
    }

    /// The peer as the policy sees it for a packet that comes from `network` behind it, or from itself.
    #[must_use]
    pub const fn principal(&self, network: Option<IpNet>) -> Principal<'_> {
        Principal { address: self.address, address_v6: self.address_v6, network, tags: &self.tags }
    }

    /// Passes on that the peer says it leaves: `tell` answers whether it was heard.
    ///
    /// Once heard is enough: a peer that repeats itself must not fill the control side's queue.
    pub(in crate::dataplane) fn leave(&self, tell: impl FnOnce() -> bool) -> Leaving {
        if self.has_left.swap(true, Ordering::Relaxed) {
            return Leaving::SaidBefore;
        }
        let was_heard = tell();
        self.has_left.store(was_heard, Ordering::Relaxed);
        if was_heard { Leaving::Heard } else { Leaving::NotHeard }
    }
}

impl PeerCounters {
    /// Authentic inner packets from the peer that were dropped: malformed, spoofed or denied.
    #[must_use]
    pub fn dropped_from_peer(&self) -> u64 {
        self.from_peer.load(Ordering::Relaxed)
    }

    /// Packets to the peer that were dropped before they were sealed.
    #[must_use]
    pub fn dropped_to_peer(&self) -> u64 {
        self.to_peer.load(Ordering::Relaxed)
    }

    pub(in crate::dataplane) fn count_from_peer(&self) {
        self.from_peer.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::dataplane) fn count_to_peer(&self, packets: u64) {
        self.to_peer.fetch_add(packets, Ordering::Relaxed);
    }
}
