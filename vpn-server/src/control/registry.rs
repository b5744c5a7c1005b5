//! Who is connected: all sessions of all shards, their addresses and peer ids, and who may have one more.
//!
//! One lock, held for moments. The registry is the only one that takes peers out of the data plane's tables or gives
//! addresses back, so that an address never belongs to two sessions, and a session that lost its place cannot take away
//! its successor's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use vpn_proto::{DataChannel, Moment, PeerId, SessionHandle};

use super::connection::{Connection, Usage};
use crate::addr::{AddressBook, AddressWish, Lease, NoAddress};
use crate::auth::login::ClientNumber;
use crate::config::DuplicatePolicy;
use crate::dataplane::{InsertError, Peer, PeerSlot, Tables};

/// Names a session of any shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionKey {
    pub(super) shard: usize,
    pub(super) session: SessionHandle,
}

/// What sessions of one client have in common: the name, and the authority that vouches for it. A renewed certificate
/// is the same client; the same name from another authority is not (CRT-07).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClientKey {
    pub(super) issuer_key: [u8; 32],
    pub(super) common_name: String,
}

/// How many sessions there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) sessions: Option<u32>,
    pub(super) per_client: u32,
    pub(super) when_exceeded: DuplicatePolicy,
}

/// Who asks for a place, and for which.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    pub(super) number: ClientNumber,
    pub(super) client: ClientKey,
    pub(super) wish: AddressWish,
    /// The networks behind it.
    pub(super) networks: Vec<IpNet>,
}

/// A place for a session.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) slot: PeerSlot,
    pub(super) lease: Lease,
    /// The client's oldest session, which gave way. It is out of the data plane already and has to be closed.
    pub(super) evicted: Option<SessionKey>,
}

/// Why there is no place for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlace {
    #[error("the client has {0} sessions already, which is as many as --duplicate-cn allows")]
    TooManyOfClient(u32),
    #[error("all {0} sessions that --max-sessions allows are in use")]
    TooManySessions(u32),
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    #[error("all peer ids are in use")]
    NoPeerId,
}

/// An established connection as administrators see it.
#[derive(Clone, Debug)]
pub struct ConnectionSnapshot {
    /// What is known about it.
    pub connection: Arc<Connection>,
    /// What it moved until now.
    pub usage: Usage,
    /// Its number among all sessions since the start, from 0.
    pub client_id: u64,
    /// Its number in data packets.
    pub peer_id: PeerId,
    /// Where the client is by now.
    pub remote: SocketAddr,
    /// For how long nothing was heard of the client.
    pub silence: Duration,
    /// The networks behind it.
    pub networks: Vec<IpNet>,
}

/// All sessions that were granted.
pub(super) struct Registry {
    tables: Arc<Tables>,
    state: Mutex<State>,
}

struct State {
    addresses: AddressBook,
    places: BTreeMap<SessionKey, Place>,
    by_client: HashMap<ClientKey, BTreeSet<(Arrival, SessionKey)>>,
    next_arrival: Arrival,
}

/// Counts admissions: the smallest one is the oldest.
type Arrival = u64;

struct Place {
    client: ClientKey,
    number: ClientNumber,
    arrival: Arrival,
    slot: PeerSlot,
    lease: Lease,
    networks: Vec<IpNet>,
    live: Option<Live>,
}

struct Live {
    connection: Arc<Connection>,
    channel: Arc<DataChannel>,
}

impl Registry {
    pub(super) fn new(addresses: AddressBook, tables: Arc<Tables>) -> Self {
        let state = State { addresses, places: BTreeMap::new(), by_client: HashMap::new(), next_arrival: 0 };
        Self { tables, state: Mutex::new(state) }
    }

    /// Finds a place for a session of `applicant`, at the cost of its oldest one where it has too many and may.
    pub(super) fn admit(
        &self,
        key: SessionKey,
        applicant: Applicant,
        limits: Limits,
    ) -> Result<Admission, NoPlace> {
        let mut state = self.lock();
        let evicted = state.oldest_beyond(&applicant.client, limits.per_client);
        if evicted.is_some() && limits.when_exceeded == DuplicatePolicy::Refuse {
            return Err(NoPlace::TooManyOfClient(limits.per_client));
        }
        let remaining = state.places.len() - usize::from(evicted.is_some());
        if let Some(maximum) = limits.sessions
            && remaining >= usize::try_from(maximum).unwrap_or(usize::MAX)
        {
            return Err(NoPlace::TooManySessions(maximum));
        }
        if let Some(evicted) = evicted {
            self.vacate(&mut state, evicted);
        }
        let lease = state.addresses.lease(&applicant.client.common_name, applicant.wish)?;
        let Some(slot) = self.tables.reserve() else {
            state.addresses.release(lease);
            return Err(NoPlace::NoPeerId);
        };
        state.seat(key, applicant, slot, lease);
        Ok(Admission { slot, lease, evicted })
    }

    /// Opens the data plane for a session that was admitted.
    ///
    /// # Errors
    ///
    /// [`InsertError::StaleSlot`] when the session had to give way meanwhile.
    pub(super) fn establish(
        &self,
        key: SessionKey,
        slot: PeerSlot,
        connection: Arc<Connection>,
        channel: Arc<DataChannel>,
    ) -> Result<(), InsertError> {
        let tags = connection.subject().tags();
        let mut state = self.lock();
        let Some(place) = state.places.get_mut(&key) else {
            return Err(InsertError::StaleSlot(slot.peer_id()));
        };
        let peer = Peer::new(key.session, key.shard, Arc::clone(&channel), place.lease.v4)
            .with_ipv6(place.lease.v6)
            .with_networks(place.networks.clone())
            .with_tags(tags);
        self.tables.insert(slot, peer)?;
        place.live = Some(Live { connection, channel });
        Ok(())
    }

    /// Takes a session out of the data plane and gives its address and peer id back. Does nothing for a session that
    /// gave way before.
    pub(super) fn release(&self, key: SessionKey) {
        self.vacate(&mut self.lock(), key);
    }

    /// Keeps addresses for the clients that they are the own addresses of.
    pub(super) fn keep_addresses(&self, addresses: impl Iterator<Item = IpAddr>) {
        let mut state = self.lock();
        addresses.for_each(|address| state.addresses.keep(address));
    }

    /// The addresses that clients have or had, if there are others than when the number of changes was `known`; and the
    /// number now.
    pub(super) fn address_history(&self, known: u64) -> Option<(u64, Vec<(IpAddr, String)>)> {
        let state = self.lock();
        let changes = state.addresses.changes();
        (changes != known).then(|| (changes, state.addresses.history()))
    }

    /// The established connections.
    pub(super) fn connections(&self, now: Moment) -> Vec<ConnectionSnapshot> {
        let state = self.lock();
        let live = state.places.values().filter_map(|place| Some((place, place.live.as_ref()?)));
        live.map(|(place, live)| ConnectionSnapshot {
            connection: Arc::clone(&live.connection),
            usage: usage(&live.channel),
            client_id: place.number.0,
            peer_id: place.slot.peer_id(),
            remote: live.channel.path().remote,
            silence: now.saturating_since(live.channel.last_received()),
            networks: place.networks.clone(),
        })
        .collect()
    }

    /// Where the session of this client is looked after, if it is not over.
    pub(super) fn find(&self, number: ClientNumber) -> Option<SessionKey> {
        let state = self.lock();
        state.places.iter().find(|(_, place)| place.number == number).map(|(key, _)| *key)
    }

    fn vacate(&self, state: &mut State, key: SessionKey) {
        let Some(place) = state.unseat(key) else { return };
        self.tables.remove(place.slot);
        state.addresses.release(place.lease);
    }

    /// Every change under the lock is complete before anything can fail, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn oldest_beyond(&self, client: &ClientKey, allowed: u32) -> Option<SessionKey> {
        let sessions = self.by_client.get(client)?;
        let is_full = sessions.len() >= usize::try_from(allowed).unwrap_or(usize::MAX);
        is_full.then(|| sessions.first().map(|(_, key)| *key)).flatten()
    }

    fn seat(&mut self, key: SessionKey, applicant: Applicant, slot: PeerSlot, lease: Lease) {
        let Applicant { number, client, networks, .. } = applicant;
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.by_client.entry(client.clone()).or_default().insert((arrival, key));
        self.places.insert(key, Place { number, client, arrival, slot, lease, networks, live: None });
    }

    fn unseat(&mut self, key: SessionKey) -> Option<Place> {
        let place = self.places.remove(&key)?;
        if let Some(sessions) = self.by_client.get_mut(&place.client) {
            sessions.remove(&(place.arrival, key));
            if sessions.is_empty() {
                self.by_client.remove(&place.client);
            }
        }
        Some(place)
    }
}

/// What a data channel moved so far.
pub(super) fn usage(channel: &DataChannel) -> Usage {
    let traffic = channel.traffic();
    Usage {
        ingress_packets: traffic.received_packets,
        ingress_bytes: traffic.received_octets,
        egress_packets: traffic.sent_packets,
        egress_bytes: traffic.sent_octets,
    }
}
