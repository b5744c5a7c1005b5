//! One peer's data channel: its keys, old and new, its counters, and when it was last heard.
//!
//! Shared between the session, which installs and drops keys, and the threads that move packets; every method takes
//! `&self`. Decides neither when to renegotiate nor when a peer is dead: the session asks and decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::key::{DataKey, HEADROOM, Rejected};
use super::payload::{Kind, PING};
use crate::ids::{KeyId, PeerId};
use crate::moment::Moment;
use crate::path::Path;
use crate::wire::opcode::{Class, classify};

/// Keys that are kept at most: the newest, the one before it, and a lame duck (KEY-04).
const MAX_KEYS: usize = 3;

/// The data channel of one peer.
pub struct DataChannel {
    peer_id: PeerId,
    path: Path,
    ring: ArcSwap<KeyRing>,
    sending: AtomicU8,
    last_received: AtomicU64,
    last_sent: AtomicU64,
    received_packets: AtomicU64,
    received_octets: AtomicU64,
    sent_packets: AtomicU64,
    sent_octets: AtomicU64,
}

/// The newest key first; empty once the channel is closed.
#[derive(Default)]
struct KeyRing {
    keys: Vec<RingKey>,
    /// When the newest key begins to seal; `None` while the peer may not have it.
    promote_newest_at: Option<Moment>,
}

#[derive(Clone)]
struct RingKey {
    key: Arc<DataKey>,
    retire_at: Option<Moment>,
}

/// What was in a datagram that authenticated.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A tunnel packet.
    Packet(&'a mut [u8]),
    /// A keepalive; it has been noted.
    Ping,
    /// The peer is leaving: tell its session.
    Exit,
    /// Something that needs no reaction.
    Ignored,
}

/// Why a datagram was not opened. Count it and drop the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The session is closed; its keys are gone (CRL-04).
    #[error("the session is closed")]
    Closed,
    /// No data packet, or one of a format that this peer does not use.
    #[error("not a data packet of this session's format")]
    Format,
    /// The key it names is not there, not yet or not any longer.
    #[error("no such key")]
    NoSuchKey,
    /// Forged, damaged, or sealed for somebody else.
    #[error("authentication failed")]
    NotAuthentic,
    /// It was seen before, or is too old to know.
    #[error("replayed")]
    Replayed,
}

/// Why a packet was not sealed. Count it and drop the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The session is closed; its keys are gone.
    #[error("the session is closed")]
    Closed,
    /// All packet ids of the key are used up; the session must renegotiate first.
    #[error("the key is exhausted")]
    Exhausted,
    /// The buffer has no room for the header.
    #[error("the buffer is shorter than the headroom")]
    NoHeadroom,
}

/// Tunnel packets so far, and their octets; keepalives do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets from the peer.
    pub received_packets: u64,
    /// Octets of packets from the peer.
    pub received_octets: u64,
    /// Packets to the peer.
    pub sent_packets: u64,
    /// Octets of packets to the peer.
    pub sent_octets: u64,
}

impl std::fmt::Debug for DataChannel {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("DataChannel")
            .field("peer_id", &self.peer_id)
            .field("path", &self.path)
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl DataChannel {
    pub(crate) fn new(peer_id: PeerId, path: Path, key: DataKey, now: Moment) -> Self {
        Self {
            peer_id,
            path,
            sending: AtomicU8::new(key.key_id().get()),
            ring: ArcSwap::from_pointee(KeyRing {
                keys: vec![RingKey { key: Arc::new(key), retire_at: None }],
                promote_newest_at: Some(now),
            }),
            last_received: AtomicU64::new(now.as_micros()),
            last_sent: AtomicU64::new(now.as_micros()),
            received_packets: AtomicU64::new(0),
            received_octets: AtomicU64::new(0),
            sent_packets: AtomicU64::new(0),
            sent_octets: AtomicU64::new(0),
        }
    }

    /// Opens a whole data packet in place.
    ///
    /// # Errors
    /// [`OpenError`]; the datagram is to be counted and dropped, whatever the reason.
    pub fn open<'a>(&self, now: Moment, datagram: &'a mut [u8]) -> Result<Inbound<'a>, OpenError> {
        let Class::Data { peer_id: Some(_), key_id } = classify(datagram) else {
            return Err(OpenError::Format);
        };
        let ring = self.ring.load();
        let newest = ring.keys.first().ok_or(OpenError::Closed)?;
        let key = &ring.find(key_id).ok_or(OpenError::NoSuchKey)?.key;
        let payload = key.open(datagram).map_err(|rejected| match rejected {
            Rejected::NotAuthentic => OpenError::NotAuthentic,
            Rejected::Replayed => OpenError::Replayed,
        })?;
        self.last_received.store(now.as_micros(), Ordering::Relaxed);
        if newest.key.key_id() == key_id {
            self.sending.store(key_id.get(), Ordering::Relaxed);
        }
        Ok(match Kind::of(payload) {
            Kind::Packet => {
                self.received_packets.fetch_add(1, Ordering::Relaxed);
                self.received_octets.fetch_add(payload.len() as u64, Ordering::Relaxed);
                Inbound::Packet(payload)
            }
            Kind::Ping => Inbound::Ping,
            Kind::Exit => Inbound::Exit,
            Kind::Occ => Inbound::Ignored,
        })
    }

    /// Seals `buffer`, which is [`DATA_HEADROOM`](super::DATA_HEADROOM) free octets and a tunnel packet, in place.
    ///
    /// # Errors
    /// [`SealError`]; the packet is to be counted and dropped.
    pub fn seal(&self, now: Moment, buffer: &mut [u8]) -> Result<(), SealError> {
        let octets = buffer.len().checked_sub(HEADROOM).ok_or(SealError::NoHeadroom)?;
        self.seal_any(now, buffer)?;
        self.sent_packets.fetch_add(1, Ordering::Relaxed);
        self.sent_octets.fetch_add(octets as u64, Ordering::Relaxed);
        Ok(())
    }

    /// A sealed keepalive.
    pub(crate) fn seal_ping(&self, now: Moment) -> Result<Vec<u8>, SealError> {
        self.seal_payload(now, &PING)
    }

    pub(crate) fn seal_payload(&self, now: Moment, payload: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut datagram = [&[0; HEADROOM][..], payload].concat();
        self.seal_any(now, &mut datagram)?;
        Ok(datagram)
    }

    fn seal_any(&self, now: Moment, buffer: &mut [u8]) -> Result<(), SealError> {
        let ring = self.ring.load();
        let newest = ring.keys.first().ok_or(SealError::Closed)?;
        let sending = KeyId::from_first_octet(self.sending.load(Ordering::Relaxed));
        let key = &ring.find(sending).unwrap_or(newest).key;
        self.last_sent.store(now.as_micros(), Ordering::Relaxed);
        let packet_id = key.reserve_packet_id().ok_or(SealError::Exhausted)?;
        key.seal(self.peer_id, packet_id, buffer).map_err(|_| SealError::NoHeadroom)
    }

    /// The number by which data packets name this session.
    #[must_use]
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Where the peer is.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// Whether packets still pass: `false` from the moment the session is closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.ring.load().keys.is_empty()
    }

    /// What has passed so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic {
            received_packets: self.received_packets.load(Ordering::Relaxed),
            received_octets: self.received_octets.load(Ordering::Relaxed),
            sent_packets: self.sent_packets.load(Ordering::Relaxed),
            sent_octets: self.sent_octets.load(Ordering::Relaxed),
        }
    }

    /// When the peer was last heard: any datagram that authenticated.
    #[must_use]
    pub fn last_received(&self) -> Moment {
        Moment::from_micros(self.last_received.load(Ordering::Relaxed))
    }

    pub(crate) fn last_sent(&self) -> Moment {
        Moment::from_micros(self.last_sent.load(Ordering::Relaxed))
    }

    /// Adds a key that opens at once; it seals once the peer seals with it, or from [`DataChannel::promote`] on.
    /// The keys before it are dropped at `retire_others_at`.
    pub(crate) fn install(&self, key: DataKey, retire_others_at: Moment) {
        let ring = self.ring.load();
        let Some(predecessor) = ring.keys.first() else { return };
        if ring.promote_newest_at.is_some() {
            // Both sides have it; without this, renegotiations that follow each other faster than promotions would
            // leave the sealing key behind.
            self.sending.store(predecessor.key.key_id().get(), Ordering::Relaxed);
        }
        let sending = self.sending.load(Ordering::Relaxed);
        let (in_use, others): (Vec<_>, Vec<_>) = ring
            .keys
            .iter()
            .filter(|old| old.key.key_id() != key.key_id())
            .map(|old| RingKey { retire_at: Some(old.retire_at.unwrap_or(retire_others_at)), ..old.clone() })
            .partition(|old| old.key.key_id().get() == sending);
        let newest = RingKey { key: Arc::new(key), retire_at: None };
        let keys = std::iter::once(newest).chain(in_use).chain(others).take(MAX_KEYS).collect();
        self.ring.store(Arc::new(KeyRing { keys, promote_newest_at: None }));
    }

    /// The peer has the newest key for sure: seal with it from `at` on.
    pub(crate) fn promote(&self, at: Moment) {
        let keys = self.ring.load().keys.clone();
        self.ring.store(Arc::new(KeyRing { keys, promote_newest_at: Some(at) }));
    }

    /// Promotes and retires keys whose time has come.
    pub(crate) fn tick(&self, now: Moment) {
        let ring = self.ring.load();
        let Some(newest) = ring.keys.first() else { return };
        if ring.promote_newest_at.is_some_and(|at| now >= at) {
            self.sending.store(newest.key.key_id().get(), Ordering::Relaxed);
        }
        if ring.keys.iter().any(|old| old.is_due(now)) {
            let keys = ring.keys.iter().filter(|old| !old.is_due(now)).cloned().collect();
            self.ring.store(Arc::new(KeyRing { keys, promote_newest_at: ring.promote_newest_at }));
        }
    }

    /// When [`DataChannel::tick`] has something to do; `None` once there is only one key, in use.
    pub(crate) fn next_tick(&self) -> Option<Moment> {
        let ring = self.ring.load();
        let newest = ring.keys.first()?;
        let is_promoted = self.sending.load(Ordering::Relaxed) == newest.key.key_id().get();
        let promotion = ring.promote_newest_at.filter(|_| !is_promoted);
        ring.keys.iter().filter_map(|old| old.retire_at).chain(promotion).min()
    }

    /// Whether the newest key has carried so much that it should be replaced.
    pub(crate) fn is_worn(&self) -> bool {
        self.ring.load().keys.first().is_some_and(|newest| newest.key.is_worn())
    }

    /// Drops all keys: nothing is opened or sealed from here on (CRL-04).
    pub(crate) fn close(&self) {
        self.ring.store(Arc::new(KeyRing::default()));
    }
}

impl KeyRing {
    fn find(&self, key_id: KeyId) -> Option<&RingKey> {
        self.keys.iter().find(|candidate| candidate.key.key_id() == key_id)
    }
}

impl RingKey {
    fn is_due(&self, now: Moment) -> bool {
        self.retire_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::super::key::tests::key_pair;
    use super::super::{DataCipher, EXIT};
    use super::*;
    use crate::ids::ListenerId;

    const CIPHER: DataCipher = DataCipher::Aes256Gcm;

    fn at(second: u64) -> Moment {
        Moment::from_micros(second * 1_000_000)
    }

    fn channel(key: DataKey) -> DataChannel {
        let remote = SocketAddr::from(([192, 0, 2, 2], 5000));
        let path = Path { listener: ListenerId(0), remote, local: None };
        DataChannel::new(PeerId::new(3).unwrap(), path, key, at(0))
    }

    fn key_id(number: u8) -> KeyId {
        KeyId::from_first_octet(number)
    }

    fn pair() -> (DataChannel, DataChannel) {
        let (server, client) = key_pair(KeyId::FIRST, CIPHER);
        (channel(server), channel(client))
    }

    fn install(
        channels: &(DataChannel, DataChannel),
        number: u8,
        promote_at: Moment,
        retire_others_at: Moment,
    ) {
        let (server, client) = key_pair(key_id(number), CIPHER);
        for (channel, key) in [(&channels.0, server), (&channels.1, client)] {
            channel.install(key, retire_others_at);
            channel.promote(promote_at);
        }
    }

    fn first_octet(sender: &DataChannel, now: Moment) -> u8 {
        sender.seal_payload(now, b"packet").unwrap()[0]
    }

    #[test]
    fn carries_packets_and_counts_them() {
        let (server, client) = pair();
        let mut datagram = client.seal_payload(at(1), b"packet").unwrap();
        assert_eq!(server.open(at(2), &mut datagram), Ok(Inbound::Packet(&mut b"packet".to_vec())));
        assert_eq!(server.last_received(), at(2));
        assert_eq!(
            server.traffic(),
            Traffic { received_packets: 1, received_octets: 6, ..Traffic::default() }
        );
        let mut buffer = [&[0; HEADROOM][..], b"answer"].concat();
        server.seal(at(3), &mut buffer).unwrap();
        assert_eq!(client.open(at(3), &mut buffer), Ok(Inbound::Packet(&mut b"answer".to_vec())));
        assert_eq!(server.traffic().sent_octets, 6);
    }

    #[test]
    fn tells_pings_and_exits_from_packets() {
        let (server, client) = pair();
        let mut ping = client.seal_ping(at(1)).unwrap();
        assert_eq!(server.open(at(1), &mut ping), Ok(Inbound::Ping));
        let mut exit = client.seal_payload(at(1), &EXIT).unwrap();
        assert_eq!(server.open(at(1), &mut exit), Ok(Inbound::Exit));
        assert_eq!(server.traffic(), Traffic::default());
    }

    #[test]
    fn seals_with_the_old_key_until_the_peer_uses_the_new_one() {
        let channels = pair();
        install(&channels, 1, at(60), at(3600));
        let (server, client) = &channels;
        assert_eq!(first_octet(server, at(1)) & 7, 0);
        client.tick(at(60));
        let mut with_new_key = client.seal_payload(at(61), b"x").unwrap();
        assert!(server.open(at(61), &mut with_new_key).is_ok());
        assert_eq!(first_octet(server, at(61)) & 7, 1);
    }

    #[test]
    fn seals_with_the_new_key_from_its_promotion_on() {
        let channels = pair();
        install(&channels, 1, at(60), at(3600));
        assert_eq!(channels.0.next_tick(), Some(at(60)));
        channels.0.tick(at(59));
        assert_eq!(first_octet(&channels.0, at(59)) & 7, 0);
        channels.0.tick(at(60));
        assert_eq!(first_octet(&channels.0, at(60)) & 7, 1);
        assert_eq!(channels.0.next_tick(), Some(at(3600)));
    }

    #[test]
    fn a_key_that_the_peer_may_not_have_is_never_sealed_with() {
        let channels = pair();
        for number in [1, 1, 2, 3, 4] {
            channels.0.install(key_pair(key_id(number), CIPHER).0, at(3600));
            channels.0.tick(at(100));
            assert_eq!(first_octet(&channels.0, at(100)) & 7, 0, "after key {number}");
        }
        assert_eq!(channels.0.ring.load().keys.len(), MAX_KEYS);
    }

    #[test]
    fn key_04_the_old_key_opens_until_it_retires() {
        let channels = pair();
        let (server, client) = &channels;
        let mut early = client.seal_payload(at(0), b"x").unwrap();
        let mut late = client.seal_payload(at(0), b"x").unwrap();
        install(&channels, 1, at(1), at(10));
        server.tick(at(9));
        assert!(server.open(at(9), &mut early).is_ok());
        server.tick(at(10));
        assert_eq!(server.open(at(10), &mut late), Err(OpenError::NoSuchKey));
        assert_eq!(server.next_tick(), None);
    }

    #[test]
    fn renegotiations_faster_than_promotions_leave_no_packet_behind() {
        let channels = pair();
        let (server, client) = &channels;
        for number in (1..=7).chain(1..=7) {
            install(&channels, number, at(60), at(3600));
            for (from, to) in [(server, client), (client, server)] {
                let mut datagram = from.seal_payload(at(1), b"x").unwrap();
                assert!(to.open(at(1), &mut datagram).is_ok(), "after key {number}");
            }
        }
    }

    #[test]
    fn key_04_there_are_never_more_than_three_keys() {
        let channels = pair();
        let mut oldest = channels.1.seal_payload(at(0), b"x").unwrap();
        for number in 1..=3 {
            install(&channels, number, at(100), at(3600));
        }
        assert_eq!(channels.0.open(at(1), &mut oldest), Err(OpenError::NoSuchKey));
        assert_eq!(channels.0.ring.load().keys.len(), MAX_KEYS);
    }

    #[test]
    fn crl_04_a_closed_channel_opens_and_seals_nothing() {
        let channels = pair();
        let mut datagram = channels.1.seal_payload(at(0), b"x").unwrap();
        channels.0.close();
        assert!(!channels.0.is_open());
        assert_eq!(channels.0.open(at(0), &mut datagram), Err(OpenError::Closed));
        assert_eq!(channels.0.seal_ping(at(0)), Err(SealError::Closed));
        install(&channels, 1, at(1), at(10));
        assert!(!channels.0.is_open());
    }

    #[test]
    fn net_12_short_and_foreign_datagrams_are_refused() {
        let (server, _) = pair();
        for length in 0..HEADROOM + 1 {
            let mut datagram = vec![0x48; length];
            assert!(server.open(at(1) + Duration::ZERO, &mut datagram).is_err());
        }
        assert_eq!(server.open(at(1), &mut [0x30; 40]), Err(OpenError::Format));
        assert_eq!(server.open(at(1), &mut [0x4f; 40]), Err(OpenError::NoSuchKey));
        assert_eq!(server.seal(at(1), &mut [0; HEADROOM - 1]), Err(SealError::NoHeadroom));
    }
}
