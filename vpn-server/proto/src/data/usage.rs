//! What one direction of a key has carried: numbers of packets, octets, and the limits of both (KEY-02, KEY-03).

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::DataCipher;
use super::replay::{Order, ReplayWindow, ReplayWindowSize};
use crate::ids::PacketId;

/// How much one direction of a key may carry before another key has to take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsageLimit {
    pub(super) packets: u64,
    pub(super) octets: u64,
}

impl UsageLimit {
    pub(super) const NONE: Self = Self { packets: u64::MAX, octets: u64::MAX };

    /// The confidentiality limit of `cipher` with a wide margin: far below the 2^36 blocks after which stock peers of
    /// today renegotiate. ChaCha20-Poly1305 has none that a packet counter could reach.
    pub(super) const fn of(cipher: DataCipher) -> Self {
        match cipher {
            DataCipher::Aes256Gcm | DataCipher::Aes192Gcm | DataCipher::Aes128Gcm => {
                Self { packets: 1 << 31, octets: 64 << 30 }
            }
            DataCipher::ChaCha20Poly1305 => Self::NONE,
        }
    }

    /// The same for packets whose ids have 32 bits: the key is replaced long before they run out.
    pub(super) const fn with_short_ids(self) -> Self {
        let half = 1 << 31;
        Self { packets: if self.packets < half { self.packets } else { half }, ..self }
    }

    const fn is_exceeded_by(self, packets: u64, octets: u64) -> bool {
        packets > self.packets || octets > self.octets
    }
}

/// The sending direction: hands out packet ids, each once, from 1 on.
#[derive(Debug)]
pub(super) struct Sent {
    next_id: AtomicU64,
    octets: AtomicU64,
    last_id: PacketId,
    limit: UsageLimit,
}

impl Sent {
    pub(super) const fn new(last_id: PacketId, limit: UsageLimit) -> Self {
        Self { next_id: AtomicU64::new(1), octets: AtomicU64::new(0), last_id, limit }
    }

    /// The id of a packet with so many octets; `None` when all are used up: ids never wrap.
    pub(super) fn reserve(&self, octets: usize) -> Option<PacketId> {
        self.reserve_many(1, octets as u64).next()
    }

    /// The ids of so many packets, in a row, with so many octets in all. There are fewer when all are used up.
    pub(super) fn reserve_many(&self, packets: u64, octets: u64) -> Reserved {
        let first = self.next_id.fetch_add(packets, Ordering::Relaxed);
        self.octets.fetch_add(octets, Ordering::Relaxed);
        Reserved(first..first.saturating_add(packets).min(self.last_id.0.saturating_add(1)))
    }

    pub(super) fn is_beyond_limit(&self) -> bool {
        let packets = self.next_id.load(Ordering::Relaxed) - 1;
        self.limit.is_exceeded_by(packets, self.octets.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(super) fn skip_to(&self, id: u64, octets: u64) {
        self.next_id.store(id, Ordering::Relaxed);
        self.octets.store(octets, Ordering::Relaxed);
    }
}

/// Packet ids that nobody else gets.
#[derive(Debug)]
pub(super) struct Reserved(Range<u64>);

impl Iterator for Reserved {
    type Item = PacketId;

    fn next(&mut self) -> Option<PacketId> {
        self.0.next().map(PacketId)
    }
}

/// The receiving direction: lets each packet id pass once.
#[derive(Debug)]
pub(super) struct Received {
    receipts: Mutex<Receipts>,
    limit: UsageLimit,
}

#[derive(Debug)]
struct Receipts {
    window: ReplayWindow,
    octets: u64,
}

/// What the acceptance of a packet tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) order: Order,
    pub(super) is_beyond_limit: bool,
}

impl Received {
    pub(super) fn new(window: ReplayWindowSize, limit: UsageLimit) -> Self {
        Self { receipts: Mutex::new(Receipts { window: ReplayWindow::new(window), octets: 0 }), limit }
    }

    /// Notes an authentic packet; `None` if it is a replay.
    pub(super) fn accept(&self, id: PacketId, octets: usize) -> Option<Receipt> {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let order = receipts.window.accept(id)?;
        receipts.octets += octets as u64;
        let is_beyond_limit = self.limit.is_exceeded_by(receipts.window.newest(), receipts.octets);
        Some(Receipt { order, is_beyond_limit })
    }

    pub(super) fn is_beyond_limit(&self) -> bool {
        let receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        self.limit.is_exceeded_by(receipts.window.newest(), receipts.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: UsageLimit = UsageLimit { packets: 3, octets: 100 };

    #[test]
    fn key_02_ids_begin_at_one_and_end_at_the_last() {
        let sent = Sent::new(PacketId(2), UsageLimit::NONE);
        let ids: Vec<_> = (0..4).map(|_| sent.reserve(1)).collect();
        assert_eq!(ids, [Some(PacketId(1)), Some(PacketId(2)), None, None]);
    }

    #[test]
    fn key_02_ids_that_are_reserved_together_follow_each_other_and_end_at_the_last() {
        let sent = Sent::new(PacketId(7), LIMIT);
        let ids = |packets| sent.reserve_many(packets, 10).map(|PacketId(id)| id).collect::<Vec<_>>();
        assert_eq!(
            [ids(3), ids(0), ids(2), ids(4), ids(1)],
            [vec![1, 2, 3], vec![], vec![4, 5], vec![6, 7], vec![]]
        );
        assert!(sent.is_beyond_limit());
    }

    #[test]
    fn key_03_the_sending_limit_counts_packets_and_octets() {
        let sent = Sent::new(PacketId(u64::MAX), LIMIT);
        for _ in 0..3 {
            sent.reserve(1);
        }
        assert!(!sent.is_beyond_limit());
        sent.reserve(0);
        assert!(sent.is_beyond_limit());
        let sent = Sent::new(PacketId(u64::MAX), LIMIT);
        sent.reserve(100);
        assert!(!sent.is_beyond_limit());
        sent.reserve(1);
        assert!(sent.is_beyond_limit());
    }

    #[test]
    fn key_03_the_receiving_limit_counts_packets_and_octets_but_no_replays() {
        let received = Received::new(ReplayWindowSize::default(), LIMIT);
        assert_eq!(received.accept(PacketId(3), 100).map(|receipt| receipt.is_beyond_limit), Some(false));
        assert_eq!(received.accept(PacketId(3), 100), None);
        assert!(!received.is_beyond_limit());
        assert!(received.accept(PacketId(2), 1).unwrap().is_beyond_limit);
        let received = Received::new(ReplayWindowSize::default(), LIMIT);
        assert!(received.accept(PacketId(4), 0).unwrap().is_beyond_limit);
        assert!(received.is_beyond_limit());
    }

    #[test]
    fn key_03_aes_gcm_is_limited_to_2_to_the_31_packets_and_64_gib() {
        let limit = UsageLimit::of(DataCipher::Aes256Gcm);
        assert!(!limit.is_exceeded_by(1 << 31, 1 << 36));
        assert!(limit.is_exceeded_by((1 << 31) + 1, 0));
        assert!(limit.is_exceeded_by(0, (1 << 36) + 1));
        assert!(!UsageLimit::of(DataCipher::ChaCha20Poly1305).is_exceeded_by(1 << 48, 1 << 60));
    }

    #[test]
    fn key_02_short_ids_limit_every_cipher() {
        let limit = UsageLimit::of(DataCipher::ChaCha20Poly1305).with_short_ids();
        assert!(!limit.is_exceeded_by(1 << 31, u64::MAX));
        assert!(limit.is_exceeded_by((1 << 31) + 1, 0));
    }
}
