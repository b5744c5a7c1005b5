//! The epoch format: one key exchange gives a chain of keys, and either side moves on along it without asking.
//!
//! ```text
//!  header(4) | epoch(2) | counter(6) | ciphertext | tag(16)
//!  nonce(12)  = IV of the epoch XOR ( epoch | counter | 00 00 00 00 )
//!  additional = the 12 octets before the ciphertext
//! ```
//!
//! The sender moves on when its epoch has carried enough. The receiver keeps the keys of the current epoch, of the one
//! before and of a few to come, moves on when a packet of a later epoch authenticated, and then sends in that epoch
//! itself. Protocol reference section 9.2.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::format::{EPOCH_ID, Header};
use super::key::Payload;
use super::replay::{Order, ReplayWindowSize};
use super::usage::{Received, Sent, UsageLimit};
use super::{DataCipher, OpenError, SealError};
use crate::crypto::{AeadKey, NotAuthentic, TAG_LENGTH};
use crate::ids::PacketId;
use crate::keys::{EPOCH_IV, EpochSecret, KeyMaterial, Side};

/// Epochs after the current one whose keys are ready: as many as stock peers keep.
const FUTURE_EPOCHS: u16 = 4;
/// The last epoch that is used: around any later one a window of keys would not fit (KEY-04).
const LAST_EPOCH: u16 = u16::MAX - FUTURE_EPOCHS - 1;
/// The epoch of sent packets from which on the session shall renegotiate.
const RENEGOTIATION_EPOCH: u16 = 0xf000;
/// The highest number of a packet in its epoch.
const LAST_COUNTER: PacketId = PacketId((1 << 48) - 1);

const CLEAR: usize = Header::LENGTH_V2 + EPOCH_ID;

/// Both directions of one key exchange.
pub(super) struct EpochKey {
    cipher: DataCipher,
    sealing: ArcSwap<SealingEpoch>,
    opening: ArcSwap<OpeningEpochs>,
    /// Held while a direction moves on.
    moving: Mutex<()>,
}

impl EpochKey {
    /// Begins with epoch 1; `None` where this build does not have the cipher.
    pub(super) fn new(
        cipher: DataCipher,
        material: &KeyMaterial,
        side: Side,
        window: ReplayWindowSize,
    ) -> Option<Self> {
        let sealing = EpochSecret::first(material.sending(side, EpochSecret::LENGTH))?;
        let opening = EpochSecret::first(material.receiving(side, EpochSecret::LENGTH))?;
        Some(Self {
            cipher,
            sealing: ArcSwap::from_pointee(SealingEpoch::new(1, cipher, sealing)?),
            opening: ArcSwap::from_pointee(OpeningEpochs::first(cipher, opening, window)?),
            moving: Mutex::new(()),
        })
    }

    /// Seals `datagram`, which is a header, room for epoch and counter, the packet, and room for the tag.
    pub(super) fn seal(&self, datagram: &mut [u8]) -> Result<(), SealError> {
        let (clear, rest) = datagram.split_first_chunk_mut::<CLEAR>().ok_or(SealError::WrongLength)?;
        let (packet, tag) = rest.split_last_chunk_mut::<TAG_LENGTH>().ok_or(SealError::WrongLength)?;
        loop {
            let sealing = self.sealing.load();
            if let Some(counter) = sealing.reserve(packet.len()) {
                *tag = sealing.seal(counter, clear, packet).map_err(|NotAuthentic| SealError::WrongLength)?;
                return Ok(());
            }
            if !self.move_sending_to(sealing.number + 1) {
                return Err(SealError::Exhausted);
            }
        }
    }

    /// Opens `datagram` in place.
    pub(super) fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<Payload<'a>, OpenError> {
        let (clear, rest) = datagram.split_first_chunk_mut::<CLEAR>().ok_or(OpenError::NotAuthentic)?;
        let (packet, tag) = rest.split_last_chunk_mut::<TAG_LENGTH>().ok_or(OpenError::NotAuthentic)?;
        let PacketNumber { epoch: number, counter } = PacketNumber::read(clear);
        let epochs = self.opening.load();
        let epoch = epochs.find(number).ok_or(OpenError::NoSuchKey)?;
        epoch.open(clear, packet, tag).map_err(|NotAuthentic| OpenError::NotAuthentic)?;
        let receipt = epoch.received.accept(counter, packet.len()).ok_or(OpenError::Replayed)?;
        if number > epochs.current.number {
            self.move_receiving_to(number);
            self.move_sending_to(number);
        }
        if receipt.is_beyond_limit && self.sealing.load().number == number {
            // The peer follows, and so gets a fresh key, too.
            self.move_sending_to(number + 1);
        }
        let is_newest = number >= epochs.current.number && receipt.order == Order::Newest;
        Ok(Payload { octets: packet, is_newest })
    }

    pub(super) fn is_worn(&self) -> bool {
        self.sealing.load().number >= RENEGOTIATION_EPOCH
    }

    /// Moves the sending direction on to epoch `number`, if it is not there; `false` if that is beyond the last one.
    fn move_sending_to(&self, number: u16) -> bool {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let sealing = self.sealing.load();
        if number <= sealing.number {
            return true;
        }
        let successor = (number <= LAST_EPOCH).then(|| sealing.successor(number, self.cipher)).flatten();
        let has_moved = successor.is_some();
        if let Some(successor) = successor {
            self.sealing.store(Arc::new(successor));
        }
        has_moved
    }

    /// Moves the receiving direction on to the future epoch `number`, unless it is there or beyond.
    fn move_receiving_to(&self, number: u16) {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moved) = self.opening.load().moved_to(number, self.cipher) {
            self.opening.store(Arc::new(moved));
        }
    }
}

/// Which packet of which epoch.
#[derive(Clone, Copy)]
struct PacketNumber {
    epoch: u16,
    counter: PacketId,
}

impl PacketNumber {
    fn read(clear: &[u8; CLEAR]) -> Self {
        let [_, _, _, _, high, low, counter @ ..] = *clear;
        let [a, b, c, d, e, f] = counter;
        Self {
            epoch: u16::from_be_bytes([high, low]),
            counter: PacketId(u64::from_be_bytes([0, 0, a, b, c, d, e, f])),
        }
    }

    /// The 8 octets on the wire.
    fn to_wire(self) -> [u8; EPOCH_ID] {
        ((u64::from(self.epoch) << 48) | self.counter.0).to_be_bytes()
    }
}

fn nonce(mut iv: [u8; EPOCH_IV], clear: &[u8; CLEAR]) -> [u8; EPOCH_IV] {
    iv.iter_mut().zip(&clear[Header::LENGTH_V2..]).for_each(|(octet, number)| *octet ^= number);
    iv
}

/// The epoch that packets are sent in.
struct SealingEpoch {
    number: u16,
    key: AeadKey,
    iv: [u8; EPOCH_IV],
    secret: EpochSecret,
    sent: Sent,
}

impl SealingEpoch {
    fn new(number: u16, cipher: DataCipher, secret: EpochSecret) -> Option<Self> {
        let key = AeadKey::new(cipher, secret.data_key(cipher.key_length()).as_slice())?;
        let sent = Sent::new(LAST_COUNTER, UsageLimit::of(cipher));
        Some(Self { number, key, iv: secret.data_iv(), secret, sent })
    }

    /// The later epoch `number`.
    fn successor(&self, number: u16, cipher: DataCipher) -> Option<Self> {
        let steps = number - self.number;
        let secret = (0..steps).fold(self.secret.clone(), |secret, _| secret.next());
        Self::new(number, cipher, secret)
    }

    /// The number of a packet with so many octets; `None` when the epoch has carried enough.
    fn reserve(&self, octets: usize) -> Option<PacketId> {
        if self.sent.is_beyond_limit() { None } else { self.sent.reserve(octets) }
    }

    fn seal(
        &self,
        counter: PacketId,
        clear: &mut [u8; CLEAR],
        packet: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], NotAuthentic> {
        let number = PacketNumber { epoch: self.number, counter };
        clear[Header::LENGTH_V2..].copy_from_slice(&number.to_wire());
        self.key.seal(nonce(self.iv, clear), clear, packet)
    }
}

/// The epochs that packets are taken in.
struct OpeningEpochs {
    previous: Option<Arc<OpeningEpoch>>,
    current: Arc<OpeningEpoch>,
    future: Vec<Arc<OpeningEpoch>>,
    /// The secret of the last future epoch, or of the current one if there is none.
    last_secret: EpochSecret,
    window: ReplayWindowSize,
}

struct OpeningEpoch {
    number: u16,
    key: AeadKey,
    iv: [u8; EPOCH_IV],
    received: Received,
}

impl OpeningEpochs {
    fn first(cipher: DataCipher, secret: EpochSecret, window: ReplayWindowSize) -> Option<Self> {
        let current = Arc::new(OpeningEpoch::new(1, cipher, &secret, window)?);
        Self { previous: None, current, future: vec![], last_secret: secret, window }.with_future(cipher)
    }

    /// The same with the keys of as many future epochs as there shall be.
    fn with_future(mut self, cipher: DataCipher) -> Option<Self> {
        let last = self.current.number.saturating_add(FUTURE_EPOCHS).min(LAST_EPOCH);
        let ready = self.future.last().unwrap_or(&self.current).number;
        for number in ready + 1..=last {
            self.last_secret = self.last_secret.next();
            let epoch = OpeningEpoch::new(number, cipher, &self.last_secret, self.window)?;
            self.future.push(Arc::new(epoch));
        }
        Some(self)
    }

    fn find(&self, number: u16) -> Option<&OpeningEpoch> {
        let known = std::iter::once(&self.current).chain(&self.previous).chain(&self.future);
        known.map(|epoch| &**epoch).find(|epoch| epoch.number == number)
    }

    /// What is kept once the future epoch `number` is the current one; `None` if it is none of the future ones.
    fn moved_to(&self, number: u16, cipher: DataCipher) -> Option<Self> {
        let index = self.future.iter().position(|epoch| epoch.number == number)?;
        let moved = Self {
            previous: Some(Arc::clone(&self.current)),
            current: Arc::clone(&self.future[index]),
            future: self.future[index + 1..].to_vec(),
            last_secret: self.last_secret.clone(),
            window: self.window,
        };
        moved.with_future(cipher)
    }
}

impl OpeningEpoch {
    fn new(number: u16, cipher: DataCipher, secret: &EpochSecret, window: ReplayWindowSize) -> Option<Self> {
        let key = AeadKey::new(cipher, secret.data_key(cipher.key_length()).as_slice())?;
        Some(Self {
            number,
            key,
            iv: secret.data_iv(),
            received: Received::new(window, UsageLimit::of(cipher)),
        })
    }

    fn open(
        &self,
        clear: &[u8; CLEAR],
        packet: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Result<(), NotAuthentic> {
        self.key.open(nonce(self.iv, clear), clear, tag, packet)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::material;
    use super::*;
    use crate::captures::vector;

    const CIPHER: DataCipher = DataCipher::Aes256Gcm;

    fn pair_with(cipher: DataCipher) -> (EpochKey, EpochKey) {
        let key = |side| EpochKey::new(cipher, &material(0), side, ReplayWindowSize::default()).unwrap();
        (key(Side::Server), key(Side::Client))
    }

    fn pair() -> (EpochKey, EpochKey) {
        pair_with(CIPHER)
    }

    /// A key that is about to leave epoch `number` in both directions.
    fn at_epoch(side: Side, number: u16) -> EpochKey {
        let key = EpochKey::new(CIPHER, &material(0), side, ReplayWindowSize::default()).unwrap();
        assert!(key.move_sending_to(number));
        while key.opening.load().current.number < number {
            let next = key.opening.load().future.last().unwrap().number.min(number);
            key.move_receiving_to(next);
        }
        key
    }

    fn sealed(key: &EpochKey) -> Vec<u8> {
        let mut datagram = [&[0x48, 0, 0, 1][..], &[0; EPOCH_ID], b"packet", &[0; TAG_LENGTH]].concat();
        key.seal(&mut datagram).unwrap();
        datagram
    }

    fn open(key: &EpochKey, datagram: &[u8]) -> Result<(), OpenError> {
        key.open(&mut datagram.to_vec()).map(|payload| assert_eq!(payload.octets, b"packet"))
    }

    fn epochs(key: &EpochKey) -> (u16, u16) {
        (key.sealing.load().number, key.opening.load().current.number)
    }

    fn number(datagram: &[u8]) -> (u16, u64) {
        let number = PacketNumber::read(datagram.first_chunk().unwrap());
        (number.epoch, number.counter.0)
    }

    /// The packet of OpenVPN's own test has a header that no real packet has.
    #[test]
    fn the_packet_of_openvpns_own_test_seals_and_opens() {
        let vector = vector("aead_epoch_unittest");
        let material =
            || KeyMaterial::new(zeroize::Zeroizing::new(vector.octets("key2").try_into().unwrap()));
        let key = |side| EpochKey::new(CIPHER, &material(), side, ReplayWindowSize::default()).unwrap();
        let (header, packet) = (vector.octets("header"), vector.octets("plaintext"));
        let mut datagram = [&header[..], &[0; EPOCH_ID], &packet, &[0; TAG_LENGTH]].concat();
        let (sender, receiver) = (key(Side::Client), key(Side::Server));
        assert!(sender.move_sending_to(4));
        sender.seal(&mut datagram).unwrap();
        assert_eq!(datagram, vector.octets("wire"));
        assert_eq!(receiver.open(&mut datagram).unwrap().octets, packet);
        assert_eq!(epochs(&receiver), (4, 4));
    }

    #[test]
    fn counters_begin_at_one_in_each_epoch() {
        let (server, _) = pair();
        assert_eq!([1, 2].map(|_| number(&sealed(&server))), [(1, 1), (1, 2)]);
        assert!(server.move_sending_to(2));
        assert_eq!(number(&sealed(&server)), (2, 1));
    }

    #[test]
    fn key_03_the_sender_moves_on_when_the_epoch_has_carried_enough_and_the_receiver_follows() {
        let (server, client) = pair();
        server.sealing.load().sent.skip_to(1, (64 << 30) + 1);
        let first = sealed(&server);
        assert_eq!(number(&first), (2, 1));
        assert_eq!(epochs(&client), (1, 1));
        assert_eq!(open(&client, &first), Ok(()));
        assert_eq!(epochs(&client), (2, 2), "the receiver sends in the new epoch, too");
        let answer = sealed(&client);
        assert_eq!(number(&answer), (2, 1));
        assert_eq!(open(&server, &answer), Ok(()));
        assert_eq!(epochs(&server), (2, 2));
    }

    #[test]
    fn key_03_the_receiver_moves_on_when_the_sender_does_not() {
        let (server, client) = pair();
        client.sealing.load().sent.skip_to(1 << 31, 0);
        assert_eq!(open(&server, &sealed(&client)), Ok(()));
        assert_eq!(epochs(&server), (1, 1));
        // A client that keeps no limit of its own.
        let number = PacketNumber { epoch: 1, counter: PacketId((1 << 31) + 1) };
        let mut datagram = [&[0x48, 0, 0, 1][..], &[0; EPOCH_ID], b"packet"].concat();
        let (clear, packet) = datagram.split_first_chunk_mut::<CLEAR>().unwrap();
        let tag = client.sealing.load().seal(number.counter, clear, packet).unwrap();
        assert_eq!(open(&server, &[&datagram[..], &tag].concat()), Ok(()));
        assert_eq!(epochs(&server), (2, 1));
        assert_eq!(open(&client, &sealed(&server)), Ok(()));
        assert_eq!(epochs(&client), (2, 2), "the client has followed");
    }

    #[test]
    fn key_02_the_sender_moves_on_when_the_counter_is_used_up() {
        let (server, client) = pair_with(DataCipher::ChaCha20Poly1305);
        server.sealing.load().sent.skip_to(LAST_COUNTER.0, 0);
        let datagrams = [1, 2].map(|_| sealed(&server));
        assert_eq!(datagrams.each_ref().map(|datagram| number(datagram)), [(1, LAST_COUNTER.0), (2, 1)]);
        for datagram in &datagrams {
            assert_eq!(open(&client, datagram), Ok(()));
        }
    }

    #[test]
    fn key_04_four_epochs_ahead_are_taken_and_a_fifth_is_not() {
        for (ahead, expected) in [(4, Ok(())), (5, Err(OpenError::NoSuchKey))] {
            let (server, client) = pair();
            assert!(client.move_sending_to(1 + ahead));
            assert_eq!(open(&server, &sealed(&client)), expected);
        }
    }

    #[test]
    fn key_04_jumps_of_every_width_leave_a_whole_window() {
        let (server, client) = pair();
        let mut epoch = 1;
        for jump in [4, 1, 4, 4, 3, 2, 1, 4] {
            epoch += jump;
            assert!(client.move_sending_to(epoch));
            assert_eq!(open(&server, &sealed(&client)), Ok(()), "epoch {epoch}");
            let future: Vec<_> = server.opening.load().future.iter().map(|epoch| epoch.number).collect();
            assert_eq!(future, (epoch + 1..=epoch + FUTURE_EPOCHS).collect::<Vec<_>>());
        }
    }

    #[test]
    fn late_packets_of_the_epoch_before_are_taken_once_and_older_ones_never() {
        let (server, client) = pair();
        let first = [1, 2].map(|_| sealed(&client));
        assert!(client.move_sending_to(2));
        assert_eq!(open(&server, &sealed(&client)), Ok(()));
        assert_eq!(open(&server, &first[0]), Ok(()));
        assert_eq!(open(&server, &first[0]), Err(OpenError::Replayed));
        assert!(!server.open(&mut first[1].clone()).unwrap().is_newest, "late, although nothing overtook it");
        let late = sealed(&client);
        assert!(client.move_sending_to(3));
        assert_eq!(open(&server, &sealed(&client)), Ok(()));
        assert_eq!(open(&server, &late), Ok(()));
        assert_eq!(open(&server, &first[1]), Err(OpenError::NoSuchKey));
    }

    #[test]
    fn key_02_a_forged_epoch_moves_nothing() {
        let (server, client) = pair();
        let honest = sealed(&client);
        for epoch in [0_u16, 2, 3, 5, 6, 0xffff] {
            let mut forged = honest.clone();
            forged[4..6].copy_from_slice(&epoch.to_be_bytes());
            assert!(open(&server, &forged).is_err());
            assert_eq!(epochs(&server), (1, 1), "epoch {epoch}");
        }
        assert_eq!(open(&server, &honest), Ok(()));
    }

    #[test]
    fn key_02_the_counter_zero_is_refused() {
        let (server, client) = pair();
        let mut datagram = [&[0x48, 0, 0, 1][..], &[0; EPOCH_ID], b"packet"].concat();
        let (clear, packet) = datagram.split_first_chunk_mut::<CLEAR>().unwrap();
        let tag = client.sealing.load().seal(PacketId(0), clear, packet).unwrap();
        assert_eq!(open(&server, &[&datagram[..], &tag].concat()), Err(OpenError::Replayed));
    }

    #[test]
    fn key_04_epochs_end_before_the_number_does_and_renegotiation_comes_long_before() {
        let (server, client) = (at_epoch(Side::Server, 0xefff), at_epoch(Side::Client, 0xefff));
        assert!(!client.is_worn());
        assert!(client.move_sending_to(RENEGOTIATION_EPOCH));
        assert!(client.is_worn());
        assert_eq!(open(&server, &sealed(&client)), Ok(()));
        assert!(server.is_worn(), "the server sends in that epoch now");
        let (server, client) =
            (at_epoch(Side::Server, LAST_EPOCH - 2), at_epoch(Side::Client, LAST_EPOCH - 2));
        assert_eq!(server.opening.load().future.len(), 2);
        assert!(client.move_sending_to(LAST_EPOCH));
        assert_eq!(open(&server, &sealed(&client)), Ok(()));
        assert!(server.opening.load().future.is_empty());
        assert!(!client.move_sending_to(LAST_EPOCH + 1));
        client.sealing.load().sent.skip_to(1, (64 << 30) + 1);
        let mut datagram = vec![0x48; CLEAR + TAG_LENGTH + 6];
        assert_eq!(client.seal(&mut datagram), Err(SealError::Exhausted));
        assert_eq!(open(&client, &sealed(&server)), Ok(()));
    }
}
