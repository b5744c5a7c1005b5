//! One peer's data channel: its keys, where the peer is, its counters, and when it was last heard.
//!
//! Shared between the session, which installs and drops keys and moves the channel to another path, and the threads
//! that move packets; every method takes `&self`. Decides neither when to renegotiate, nor when a peer is dead, nor
//! where it is: the session asks and decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::Guard;

use super::format::{DataFormat, Header, SealLayout};
use super::framing::Framing;
use super::key::DataKey;
use super::payload::{Kind, PING};
use super::state::{PeerState, Snapshot};
use super::usage::Reserved;
use super::{OpenError, SealError};
use crate::ids::PeerId;
use crate::moment::Moment;
use crate::path::{Path, Transport};
use crate::wire::opcode::{Class, classify};

/// The least time between two reports that the peer seems to have moved: the session needs some to decide.
const FLOAT_REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// The data channel of one peer.
pub struct DataChannel {
    peer_id: PeerId,
    header: Header,
    framing: Framing,
    layout: SealLayout,
    state: PeerState,
    next_float_report: AtomicU64,
    last_received: AtomicU64,
    last_sent: AtomicU64,
    received_packets: AtomicU64,
    received_octets: AtomicU64,
    sent_packets: AtomicU64,
    sent_octets: AtomicU64,
}

/// A channel as it is at one moment, for one packet: where the peer is, and the key for it.
pub struct DataSender<'c> {
    channel: &'c DataChannel,
    state: Guard<Arc<Snapshot>>,
}

/// A datagram that authenticated.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What was in it.
    pub content: Inbound<'a>,
    /// Whether it shows that the peer is not at [`DataChannel::path`] any longer but where the datagram came from: pass
    /// it on to [`Endpoint::peer_floated`](crate::Endpoint::peer_floated), which decides. The content counts whatever
    /// the decision. Comes for one of many such datagrams, until the channel has moved.
    pub has_floated: bool,
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
            .field("path", &self.path())
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl DataChannel {
    pub(crate) fn new(peer_id: PeerId, path: Path, format: &DataFormat, key: DataKey, now: Moment) -> Self {
        Self {
            peer_id,
            header: format.header(peer_id),
            framing: format.framing,
            layout: format.layout(),
            state: PeerState::new(path, key, now),
            next_float_report: AtomicU64::new(0),
            last_received: AtomicU64::new(now.as_micros()),
            last_sent: AtomicU64::new(now.as_micros()),
            received_packets: AtomicU64::new(0),
            received_octets: AtomicU64::new(0),
            sent_packets: AtomicU64::new(0),
            sent_octets: AtomicU64::new(0),
        }
    }

    /// Opens a whole data packet that came by `path`, in place. Without effect on where the peer is.
    ///
    /// # Errors
    /// [`OpenError`]; the datagram is to be counted and dropped, whatever the reason.
    pub fn open<'a>(
        &self,
        now: Moment,
        path: &Path,
        datagram: &'a mut [u8],
    ) -> Result<Opened<'a>, OpenError> {
        let Class::Data { key_id, .. } = classify(datagram) else {
            return Err(OpenError::Format);
        };
        let state = self.state.load();
        let Some(key) = state.find(key_id) else {
            return Err(if state.is_closed() { OpenError::Closed } else { OpenError::NoSuchKey });
        };
        let is_elsewhere = state.path() != path;
        if is_elsewhere && [state.path().transport, path.transport] != [Transport::Udp; 2] {
            return Err(OpenError::ForeignPath);
        }
        let payload = key.open(datagram)?;
        self.last_received.store(now.as_micros(), Ordering::Relaxed);
        let is_key_in_use = self.state.note_use(&state, key_id);
        // Only what was sealed last tells where the peer is: a packet that was overtaken may be from its former place.
        let has_floated = is_elsewhere && is_key_in_use && payload.is_newest && self.may_report_float(now);
        let content = self.framing.strip(payload.octets).map_err(|_| OpenError::Compressed)?;
        Ok(Opened { content: self.received(content), has_floated })
    }

    fn received<'a>(&self, payload: &'a mut [u8]) -> Inbound<'a> {
        match Kind::of(payload) {
            Kind::Packet => {
                self.received_packets.fetch_add(1, Ordering::Relaxed);
                self.received_octets.fetch_add(payload.len() as u64, Ordering::Relaxed);
                Inbound::Packet(payload)
            }
            Kind::Ping => Inbound::Ping,
            Kind::Exit => Inbound::Exit,
            Kind::Occ => Inbound::Ignored,
        }
    }

    fn may_report_float(&self, now: Moment) -> bool {
        let due = self.next_float_report.load(Ordering::Relaxed);
        let next = (now + FLOAT_REPORT_INTERVAL).as_micros();
        let report =
            || self.next_float_report.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        now.as_micros() >= due && report().is_ok()
    }

    /// What it takes to send to the peer now; cheaper than asking for the path and sealing apart.
    #[must_use]
    pub fn sender(&self) -> DataSender<'_> {
        DataSender { channel: self, state: self.state.load() }
    }

    /// [`DataSender::seal`] with the present state.
    ///
    /// # Errors
    /// [`SealError`]; the packet is to be counted and dropped.
    pub fn seal(&self, now: Moment, packet: usize, datagram: &mut [u8]) -> Result<(), SealError> {
        self.sender().seal(now, packet, datagram)
    }

    /// Seals a tunnel packet into a datagram of its own. Where datagrams are collected in buffers,
    /// [`DataChannel::seal`] does without the allocation.
    ///
    /// # Errors
    /// [`SealError`]; the packet is to be counted and dropped.
    pub fn seal_packet(&self, now: Moment, packet: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut datagram = self.room_around(packet);
        self.seal(now, packet.len(), &mut datagram)?;
        Ok(datagram)
    }

    /// A sealed keepalive.
    pub(crate) fn seal_ping(&self, now: Moment) -> Result<Vec<u8>, SealError> {
        self.seal_payload(now, &PING)
    }

    /// A sealed payload that is no tunnel packet.
    pub(crate) fn seal_payload(&self, now: Moment, payload: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut datagram = self.room_around(payload);
        self.sender().seal_any(now, payload.len(), &mut datagram)?;
        Ok(datagram)
    }

    fn room_around(&self, payload: &[u8]) -> Vec<u8> {
        let mut datagram = vec![0; self.layout.datagram_length(payload.len())];
        datagram[self.layout.front()..][..payload.len()].copy_from_slice(payload);
        datagram
    }

    /// Where a tunnel packet lies in its sealed datagram, and how long that is.
    #[must_use]
    pub const fn layout(&self) -> SealLayout {
        self.layout
    }

    /// The number of this session.
    #[must_use]
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Whether the peer's data packets carry [`DataChannel::peer_id`]. Those of old clients do not: they are found by
    /// the path they come by.
    #[must_use]
    pub const fn is_found_by_peer_id(&self) -> bool {
        matches!(self.header, Header::V2(_))
    }

    /// Where the peer is.
    #[must_use]
    pub fn path(&self) -> Path {
        *self.state.load().path()
    }

    /// The peer is elsewhere now.
    pub(crate) fn move_to(&self, path: Path) {
        self.state.move_to(path);
    }

    /// Whether packets still pass: `false` from the moment the session is closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.state.load().is_closed()
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
        self.state.install(key, retire_others_at);
    }

    /// The peer has the newest key for sure: seal with it from `at` on.
    pub(crate) fn promote(&self, at: Moment) {
        self.state.promote(at);
    }

    /// Promotes and retires keys whose time has come.
    pub(crate) fn tick(&self, now: Moment) {
        self.state.tick(now);
    }

    /// When [`DataChannel::tick`] has something to do; `None` once there is only one key, in use.
    pub(crate) fn next_tick(&self) -> Option<Moment> {
        self.state.next_tick()
    }

    /// Whether the newest key has carried so much that it should be replaced.
    pub(crate) fn is_worn(&self) -> bool {
        self.state.load().newest().is_some_and(DataKey::is_worn)
    }

    /// Whether so many packets were forged under one of the keys that the session has to end (KEY-03).
    pub(crate) fn is_forfeit(&self) -> bool {
        self.state.load().iter().any(DataKey::is_forfeit)
    }

    /// Drops all keys: nothing is opened or sealed from here on (CRL-04).
    pub(crate) fn close(&self) {
        self.state.drop_keys();
    }

    /// Makes the newest key believe that it has sealed all packets up to this one.
    #[cfg(test)]
    pub(crate) fn set_next_packet_id(&self, id: u64) {
        self.state.load().newest().into_iter().for_each(|key| key.set_next_packet_id(id));
    }

    /// Makes the newest key believe that so many packets were forged under it.
    #[cfg(test)]
    pub(crate) fn set_forgeries(&self, forgeries: u64) {
        self.state.load().newest().into_iter().for_each(|key| key.set_forgeries(forgeries));
    }
}

impl DataSender<'_> {
    /// Where the peer is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.state.path()
    }

    /// Seals a tunnel packet of `packet` octets in place.
    ///
    /// `datagram` has exactly [`SealLayout::datagram_length`] octets, and the packet stands in it after the first
    /// [`SealLayout::front`] of them; the others may hold anything. Afterwards it is the whole datagram.
    ///
    /// # Errors
    /// [`SealError`]; the packet is to be counted and dropped.
    pub fn seal(&self, now: Moment, packet: usize, datagram: &mut [u8]) -> Result<(), SealError> {
        self.seal_any(now, packet, datagram)?;
        self.count(1, packet as u64);
        Ok(())
    }

    /// Prepares to seal so many tunnel packets with so many octets in all, or fewer.
    ///
    /// # Errors
    /// [`SealError::Closed`]
    pub fn batch(&self, now: Moment, packets: usize, octets: usize) -> Result<SealingBatch<'_>, SealError> {
        let DataChannel { framing, state, last_sent, .. } = self.channel;
        let key = state.sealing(&self.state).ok_or(SealError::Closed)?;
        last_sent.store(now.as_micros(), Ordering::Relaxed);
        let encrypted = octets + packets * framing.prefix_length();
        let ids = key.reserve(packets as u64, encrypted as u64);
        Ok(SealingBatch { sender: self, key, ids, packets: 0, octets: 0 })
    }

    fn count(&self, packets: u64, octets: u64) {
        self.channel.sent_packets.fetch_add(packets, Ordering::Relaxed);
        self.channel.sent_octets.fetch_add(octets, Ordering::Relaxed);
    }

    fn seal_any(&self, now: Moment, packet: usize, datagram: &mut [u8]) -> Result<(), SealError> {
        let DataChannel { layout, framing, header, state, last_sent, .. } = self.channel;
        if datagram.len() != layout.datagram_length(packet) {
            return Err(SealError::WrongLength);
        }
        let key = state.sealing(&self.state).ok_or(SealError::Closed)?;
        last_sent.store(now.as_micros(), Ordering::Relaxed);
        framing.write(layout.front(), datagram);
        key.seal(*header, framing.prefix_length() + packet, datagram)
    }
}

/// Tunnel packets for one peer that are sealed together: numbered and counted at once for all of them. Numbers that are
/// not used are skipped.
pub struct SealingBatch<'s> {
    sender: &'s DataSender<'s>,
    key: &'s DataKey,
    ids: Option<Reserved>,
    packets: u64,
    octets: u64,
}

impl SealingBatch<'_> {
    /// As [`DataSender::seal`].
    ///
    /// # Errors
    /// [`SealError`]; the packet is to be counted and dropped.
    pub fn seal(&mut self, packet: usize, datagram: &mut [u8]) -> Result<(), SealError> {
        let DataChannel { layout, framing, header, .. } = self.sender.channel;
        if datagram.len() != layout.datagram_length(packet) {
            return Err(SealError::WrongLength);
        }
        framing.write(layout.front(), datagram);
        let framed = framing.prefix_length() + packet;
        match &mut self.ids {
            Some(ids) => self.key.seal_reserved(*header, framed, datagram, ids)?,
            None => self.key.seal(*header, framed, datagram)?,
        }
        self.packets += 1;
        self.octets += packet as u64;
        Ok(())
    }
}

impl Drop for SealingBatch<'_> {
    fn drop(&mut self) {
        self.sender.count(self.packets, self.octets);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::format::tests::all_formats;
    use super::super::key::tests::key_pair;
    use super::super::{DATA_HEADROOM, DataCipher, EXIT, Protection};
    use super::*;
    use crate::ids::{KeyId, ListenerId};

    const FORMAT: DataFormat = DataFormat {
        protection: Protection::Classic(DataCipher::Aes256Gcm),
        has_peer_id: true,
        framing: Framing::None,
    };

    fn at(second: u64) -> Moment {
        Moment::from_micros(second * 1_000_000)
    }

    fn path(port: u16) -> Path {
        let remote = SocketAddr::from(([192, 0, 2, 2], port));
        Path { listener: ListenerId(0), transport: Transport::Udp, remote, local: None }
    }

    fn key_id(number: u8) -> KeyId {
        KeyId::from_first_octet(number)
    }

    /// The channels of a server and its client.
    fn pair_with(format: DataFormat) -> (DataChannel, DataChannel) {
        let channel = |key| DataChannel::new(PeerId::new(3).unwrap(), path(5000), &format, key, at(0));
        let (server, client) = key_pair(KeyId::FIRST, format.protection);
        (channel(server), channel(client))
    }

    fn pair() -> (DataChannel, DataChannel) {
        pair_with(FORMAT)
    }

    fn keys(number: u8) -> (DataKey, DataKey) {
        key_pair(key_id(number), FORMAT.protection)
    }

    fn install(
        channels: &(DataChannel, DataChannel),
        number: u8,
        promote_at: Moment,
        retire_others_at: Moment,
    ) {
        let (server, client) = keys(number);
        for (channel, key) in [(&channels.0, server), (&channels.1, client)] {
            channel.install(key, retire_others_at);
            channel.promote(promote_at);
        }
    }

    fn first_octet(sender: &DataChannel, now: Moment) -> u8 {
        sender.seal_payload(now, b"packet").unwrap()[0]
    }

    fn open<'a>(
        channel: &DataChannel,
        now: Moment,
        datagram: &'a mut [u8],
    ) -> Result<Inbound<'a>, OpenError> {
        channel.open(now, &path(5000), datagram).map(|opened| opened.content)
    }

    #[test]
    fn carries_packets_and_counts_them() {
        let (server, client) = pair();
        let mut datagram = client.seal_payload(at(1), b"packet").unwrap();
        assert_eq!(open(&server, at(2), &mut datagram), Ok(Inbound::Packet(&mut b"packet".to_vec())));
        assert_eq!(server.last_received(), at(2));
        assert_eq!(
            server.traffic(),
            Traffic { received_packets: 1, received_octets: 6, ..Traffic::default() }
        );
        let mut datagram = server.seal_packet(at(3), b"answer").unwrap();
        assert_eq!(open(&client, at(3), &mut datagram), Ok(Inbound::Packet(&mut b"answer".to_vec())));
        assert_eq!((server.traffic().sent_packets, server.traffic().sent_octets), (1, 6));
    }

    #[test]
    fn what_is_sealed_together_opens_in_every_format_and_is_counted() {
        for format in all_formats() {
            let (server, client) = pair_with(format);
            let (sender, layout) = (server.sender(), server.layout());
            let mut batch = sender.batch(at(1), 3, 30).unwrap();
            for number in 0..3_u8 {
                let mut datagram = vec![0; layout.datagram_length(10)];
                datagram[layout.front()..][..10].fill(0x40 | number);
                batch.seal(10, &mut datagram).unwrap();
                let opened = open(&client, at(1), &mut datagram);
                assert_eq!(opened, Ok(Inbound::Packet(&mut [0x40 | number; 10])), "{format:?}");
            }
            assert_eq!(batch.seal(10, &mut [0; 9]), Err(SealError::WrongLength), "{format:?}");
            drop(batch);
            let Traffic { sent_packets, sent_octets, .. } = server.traffic();
            assert_eq!((sent_packets, sent_octets, server.last_sent()), (3, 30, at(1)), "{format:?}");
        }
    }

    #[test]
    fn key_02_a_batch_never_seals_more_than_it_reserved_and_shares_no_id() {
        let (server, client) = pair();
        let (sender, layout) = (server.sender(), server.layout());
        let seal = |batch: &mut SealingBatch<'_>| {
            let mut datagram = vec![0x45; layout.datagram_length(10)];
            batch.seal(10, &mut datagram).map(|()| datagram)
        };
        let mut batches = [(); 2].map(|()| sender.batch(at(1), 2, 20).unwrap());
        for index in [1, 0, 1, 0] {
            let mut datagram = seal(&mut batches[index]).unwrap();
            assert!(open(&client, at(1), &mut datagram).is_ok(), "no id was there before");
        }
        assert_eq!(seal(&mut batches[0]), Err(SealError::Exhausted));
        let mut datagram = server.seal_packet(at(1), b"alone").unwrap();
        assert!(open(&client, at(1), &mut datagram).is_ok());
    }

    #[test]
    fn crl_04_a_closed_channel_prepares_no_batch() {
        let (server, _) = pair();
        server.close();
        assert_eq!(server.sender().batch(at(1), 1, 10).err(), Some(SealError::Closed));
    }

    #[test]
    fn tells_pings_and_exits_from_packets_whatever_the_framing() {
        for framing in [Framing::None, Framing::StubV2, Framing::Octet] {
            let (server, client) = pair_with(DataFormat { framing, ..FORMAT });
            let mut ping = client.seal_ping(at(1)).unwrap();
            assert_eq!(open(&server, at(1), &mut ping), Ok(Inbound::Ping));
            let mut exit = client.seal_payload(at(1), &EXIT).unwrap();
            assert_eq!(open(&server, at(1), &mut exit), Ok(Inbound::Exit));
            assert_eq!(server.traffic(), Traffic::default());
        }
    }

    #[test]
    fn key_01_a_compressed_packet_is_refused() {
        let (server, _) = pair_with(DataFormat { framing: Framing::Octet, ..FORMAT });
        let (_, client) = pair();
        let mut compressed = client.seal_payload(at(1), b"\x66packet").unwrap();
        assert_eq!(open(&server, at(1), &mut compressed), Err(OpenError::Compressed));
        assert_eq!(server.traffic(), Traffic::default());
    }

    #[test]
    fn an_old_client_is_understood_and_answered_without_peer_ids() {
        let (server, client) = pair_with(DataFormat { has_peer_id: false, ..FORMAT });
        assert!(!server.is_found_by_peer_id());
        for (from, to) in [(&client, &server), (&server, &client)] {
            let mut datagram = from.seal_payload(at(1), b"packet").unwrap();
            assert_eq!(classify(&datagram), Class::Data { peer_id: None, key_id: KeyId::FIRST });
            assert!(open(to, at(1), &mut datagram).is_ok());
        }
    }

    #[test]
    fn packets_with_the_old_header_are_taken_from_a_client_that_knows_its_peer_id() {
        let (server, _) = pair();
        let (_, client) = pair_with(DataFormat { has_peer_id: false, ..FORMAT });
        let mut datagram = client.seal_payload(at(1), b"packet").unwrap();
        assert!(server.is_found_by_peer_id());
        assert!(open(&server, at(1), &mut datagram).is_ok());
    }

    #[test]
    fn seals_with_the_old_key_until_the_peer_uses_the_new_one() {
        let channels = pair();
        install(&channels, 1, at(60), at(3600));
        let (server, client) = &channels;
        assert_eq!(first_octet(server, at(1)) & 7, 0);
        client.tick(at(60));
        let mut with_new_key = client.seal_payload(at(61), b"x").unwrap();
        assert!(open(server, at(61), &mut with_new_key).is_ok());
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
            channels.0.install(keys(number).0, at(3600));
            channels.0.tick(at(100));
            assert_eq!(first_octet(&channels.0, at(100)) & 7, 0, "after key {number}");
        }
        assert_eq!(channels.0.state.load().iter().count(), 3);
    }

    #[test]
    fn key_04_the_old_key_opens_until_it_retires() {
        let channels = pair();
        let (server, client) = &channels;
        let mut early = client.seal_payload(at(0), b"x").unwrap();
        let mut late = client.seal_payload(at(0), b"x").unwrap();
        install(&channels, 1, at(1), at(10));
        server.tick(at(9));
        assert!(open(server, at(9), &mut early).is_ok());
        server.tick(at(10));
        assert_eq!(open(server, at(10), &mut late), Err(OpenError::NoSuchKey));
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
                assert!(open(to, at(1), &mut datagram).is_ok(), "after key {number}");
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
        assert_eq!(open(&channels.0, at(1), &mut oldest), Err(OpenError::NoSuchKey));
        assert_eq!(channels.0.state.load().iter().count(), 3);
    }

    #[test]
    fn crl_04_a_closed_channel_opens_and_seals_nothing() {
        let channels = pair();
        let mut datagram = channels.1.seal_payload(at(0), b"x").unwrap();
        channels.0.close();
        assert!(!channels.0.is_open());
        assert_eq!(open(&channels.0, at(0), &mut datagram), Err(OpenError::Closed));
        assert_eq!(channels.0.seal_ping(at(0)), Err(SealError::Closed));
        install(&channels, 1, at(1), at(10));
        assert!(!channels.0.is_open());
    }

    #[test]
    fn net_12_short_and_foreign_datagrams_are_refused() {
        for protection in [FORMAT.protection, Protection::Epoch(DataCipher::Aes256Gcm)] {
            let (server, _) = pair_with(DataFormat { protection, ..FORMAT });
            for length in 0..=DATA_HEADROOM {
                assert!(open(&server, at(1), &mut vec![0x48; length]).is_err());
                assert!(open(&server, at(1), &mut vec![0x30; length]).is_err());
            }
            assert_eq!(open(&server, at(1), &mut [0x20; 40]), Err(OpenError::Format));
            assert_eq!(open(&server, at(1), &mut [0x4f; 40]), Err(OpenError::NoSuchKey));
        }
    }

    #[test]
    fn a_buffer_that_does_not_fit_the_packet_is_refused() {
        let (server, _) = pair();
        let fitting = server.layout().datagram_length(10);
        assert_eq!(server.seal(at(1), 10, &mut vec![0; fitting]), Ok(()));
        for length in [0, fitting - 1, fitting + 1] {
            assert_eq!(server.seal(at(1), 10, &mut vec![0; length]), Err(SealError::WrongLength));
        }
        assert_eq!(server.traffic().sent_packets, 1);
    }

    /// Whether a packet that came from `port` tells that the peer has moved.
    fn has_floated(channel: &DataChannel, now: Moment, port: u16, datagram: &mut [u8]) -> bool {
        channel.open(now, &path(port), datagram).unwrap().has_floated
    }

    #[test]
    fn net_10_the_newest_packet_from_elsewhere_is_a_report_and_changes_nothing_by_itself() {
        let (server, client) = pair();
        let mut datagrams = [1, 2, 3].map(|_| client.seal_payload(at(1), b"x").unwrap());
        assert!(!has_floated(&server, at(1), 5000, &mut datagrams[0]));
        assert!(has_floated(&server, at(1), 5001, &mut datagrams[2]));
        assert_eq!(server.path(), path(5000));
        server.move_to(path(5001));
        assert!(!has_floated(&server, at(2), 5000, &mut datagrams[1]), "it was overtaken");
    }

    #[test]
    fn net_10_forged_and_replayed_packets_are_no_reports() {
        let (server, client) = pair();
        let honest = client.seal_payload(at(1), b"x").unwrap();
        let mut forged = honest.clone();
        forged[24] ^= 1;
        assert_eq!(server.open(at(1), &path(5001), &mut forged), Err(OpenError::NotAuthentic));
        assert!(!has_floated(&server, at(1), 5000, &mut honest.clone()));
        assert_eq!(server.open(at(1), &path(5001), &mut honest.clone()), Err(OpenError::Replayed));
    }

    #[test]
    fn net_10_packets_of_a_key_that_the_peer_has_left_are_no_reports() {
        let channels = pair();
        let (server, client) = &channels;
        let mut with_old_key = client.seal_payload(at(1), b"x").unwrap();
        install(&channels, 1, at(60), at(3600));
        assert!(
            has_floated(server, at(2), 5001, &mut client.seal_payload(at(2), b"x").unwrap()),
            "still in use"
        );
        client.tick(at(60));
        assert!(!has_floated(server, at(61), 5000, &mut client.seal_payload(at(61), b"x").unwrap()));
        assert!(!has_floated(server, at(62), 5001, &mut with_old_key));
    }

    #[test]
    fn reports_come_ten_times_a_second_until_the_channel_has_moved() {
        let (server, client) = pair();
        let mut reports = 0;
        for tick in 0..1000 {
            let now = at(1) + Duration::from_millis(tick);
            let mut datagram = client.seal_payload(now, b"x").unwrap();
            reports += usize::from(has_floated(&server, now, 5001, &mut datagram));
        }
        assert_eq!(reports, 10);
    }
}
