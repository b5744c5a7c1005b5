//! Prefix to peer: networks behind clients, and addresses outside the pools.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use prefix_trie::joint::map::JointPrefixMap;
use vpn_proto::{PeerId, SessionHandle};

use super::peer::Peer;

/// Looked up by longest prefix. Replaced whole by each change: clients with networks are few beside packets.
pub(super) struct NetworkTable {
    holders: ArcSwap<JointPrefixMap<IpNet, Holder>>,
}

/// Who is reached by a prefix. Session and shard tell a peer from one that has taken over its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) id: PeerId,
    session: SessionHandle,
    shard: usize,
}

impl Holder {
    pub(super) const fn new(id: PeerId, peer: &Peer) -> Self {
        Self { id, session: peer.session, shard: peer.shard }
    }

    /// Whether `peer` is the one, given that it has the id.
    pub(super) fn is(&self, peer: &Peer) -> bool {
        self.session == peer.session && self.shard == peer.shard
    }
}

impl NetworkTable {
    pub(super) fn new() -> Self {
        Self { holders: ArcSwap::from_pointee(JointPrefixMap::new()) }
    }

    /// The longest prefix that contains `address`, and who holds it.
    pub(super) fn lookup(&self, address: IpAddr) -> Option<(IpNet, Holder)> {
        let holders = self.holders.load();
        let (network, holder) = holders.get_lpm(&IpNet::from(address))?;
        Some((network, *holder))
    }

    /// Enters `holder` for each of `networks`, in place of whoever was there before.
    pub(super) fn assign(&self, networks: impl Iterator<Item = IpNet>, holder: Holder) {
        self.change(networks, |holders, network| {
            holders.insert(network, holder);
        });
    }

    /// Clears the entries of `networks` that do not belong to another peer already.
    pub(super) fn clear(&self, networks: impl Iterator<Item = IpNet>, holder: Holder) {
        self.change(networks, |holders, network| {
            if holders.get(&network) == Some(&holder) {
                holders.remove(&network);
            }
        });
    }

    /// Callers are serialised by the tables.
    fn change(
        &self,
        networks: impl Iterator<Item = IpNet>,
        change: impl Fn(&mut JointPrefixMap<IpNet, Holder>, IpNet),
    ) {
        let mut networks = networks.peekable();
        if networks.peek().is_none() {
            return;
        }
        let mut holders = JointPrefixMap::clone(&self.holders.load());
        networks.for_each(|network| change(&mut holders, network.trunc()));
        self.holders.store(Arc::new(holders));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use vpn_proto::Transport;

    use super::super::super::testing::sessions::{Sessions, path};
    use super::*;

    #[test]
    fn the_longest_prefix_decides_in_both_families() {
        let table = NetworkTable::new();
        let [alice, bob] = holders();
        table.assign(networks(&["10.20.0.0/16", "fd20::/48"]), alice);
        table.assign(networks(&["10.20.7.0/24", "fd20:0:0:7::/64"]), bob);
        for (address, expected) in [
            ("10.20.0.1", Some(alice)),
            ("10.20.7.1", Some(bob)),
            ("10.21.0.1", None),
            ("fd20::1", Some(alice)),
            ("fd20:0:0:7::1", Some(bob)),
            ("fd21::1", None),
        ] {
            let found = table.lookup(address.parse().unwrap());
            assert_eq!(found.map(|(_, holder)| holder), expected, "{address}");
        }
        let (network, _) = table.lookup("10.20.7.9".parse().unwrap()).unwrap();
        assert_eq!(network.to_string(), "10.20.7.0/24");
    }

    #[test]
    fn clearing_leaves_the_entry_of_a_successor_alone() {
        let table = NetworkTable::new();
        let [old, successor] = holders();
        table.assign(networks(&["10.20.0.0/16"]), old);
        table.assign(networks(&["10.20.0.0/16"]), successor);
        table.clear(networks(&["10.20.0.0/16"]), old);
        assert_eq!(table.lookup(Ipv4Addr::new(10, 20, 0, 1).into()).unwrap().1, successor);
        table.clear(networks(&["10.20.0.0/16"]), successor);
        assert_eq!(table.lookup(Ipv4Addr::new(10, 20, 0, 1).into()), None);
    }

    fn holders() -> [Holder; 2] {
        let mut sessions = Sessions::new();
        [1, 2].map(|number| {
            let id = PeerId::new(number).unwrap();
            let remote = ([192, 0, 2, 1], u16::try_from(number).unwrap() + 4000).into();
            let address = Ipv4Addr::new(10, 8, 0, 2);
            let session = sessions.connect(id, path(Transport::Udp, remote), address);
            Holder::new(id, &Peer::new(session.handle, 0, Arc::clone(&session.channel), address))
        })
    }

    fn networks(texts: &[&str]) -> impl Iterator<Item = IpNet> {
        texts.iter().map(|text| text.parse().unwrap())
    }
}
