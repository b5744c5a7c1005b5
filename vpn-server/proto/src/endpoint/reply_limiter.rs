//! How many stateless answers one part of the Internet gets (NET-02, NET-03).
//!
//! Whoever sends hard resets under a false address has the answers sent to somebody else. So there is a rate for each
//! source network, and none for all of them together: a total could be spent by anybody to lock everybody out. A client
//! that returns the cookie has shown that it was no false address, and its answer is not counted any longer. Beyond the
//! rate a random part is still answered, so that a network whose rate is spent by somebody else is slow, not shut out.
//!
//! The table has a fixed size; networks that share a slot share its rate.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::moment::Moment;
use crate::source_network::SourceNetwork;

/// Slots of the table: 512 KiB of memory.
const SLOTS: usize = 1 << 16;
/// Beyond the rate one of so many is answered.
const LOT: u8 = 16;

/// A rate of stateless answers for each source network; shared by all endpoints of a server.
#[derive(Debug)]
pub struct ReplyLimiter {
    /// What each slot's answers amount to, as the time at which all of them will be paid for.
    paid_at: Box<[AtomicU64]>,
    seed: [u8; 16],
    /// The share of a second that one answer takes.
    price: u64,
}

impl ReplyLimiter {
    /// Allows `per_second` answers to each network, as many at once. Slots are assigned by `seed`, which attackers must
    /// not know.
    #[must_use]
    pub fn new(per_second: NonZeroU32, seed: [u8; 16]) -> Self {
        let price = SECOND / u64::from(per_second.get());
        Self { paid_at: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(), seed, price: price.max(1) }
    }

    /// Whether `remote` gets an answer at `now`; `lot` is a random octet.
    pub(super) fn admits(&self, now: Moment, remote: IpAddr, lot: u8) -> bool {
        let now = now.as_micros();
        let pay = |paid_at: u64| {
            let after = paid_at.max(now) + self.price;
            (after <= now + SECOND).then_some(after)
        };
        let has_rate = self.slot(remote).fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).is_ok();
        has_rate || lot.is_multiple_of(LOT)
    }

    /// Takes an answer out of the count: `remote` has received it.
    pub(super) fn refund(&self, remote: IpAddr) {
        let give_back = |paid_at: u64| Some(paid_at.saturating_sub(self.price));
        // The closure always answers.
        let _ = self.slot(remote).fetch_update(Ordering::Relaxed, Ordering::Relaxed, give_back);
    }

    fn slot(&self, remote: IpAddr) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.seed);
        SourceNetwork::of(remote).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or(0);
        &self.paid_at[index]
    }
}

/// Microseconds, as moments are counted.
const SECOND: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// A lot that is not drawn.
    const BLANK: u8 = 1;

    fn limiter(per_second: u32) -> ReplyLimiter {
        ReplyLimiter::new(NonZeroU32::new(per_second).unwrap(), [7; 16])
    }

    fn at(millisecond: u64) -> Moment {
        Moment::from_micros(millisecond * 1000)
    }

    fn host(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn net_02_a_network_gets_fifty_answers_a_second_and_the_fifty_first_only_by_lot() {
        let limiter = limiter(50);
        let answered = |now: Moment| {
            let host = |last: u8| IpAddr::from([192, 0, 2, last]);
            (0..=255).filter(|last| limiter.admits(now, host(*last), BLANK)).count()
        };
        assert_eq!(answered(at(5000)), 50);
        assert!(!limiter.admits(at(5000), host("192.0.2.1"), BLANK));
        assert!(limiter.admits(at(5000), host("192.0.2.1"), 0));
        assert_eq!(answered(at(5500)), 25, "half a second later");
        assert_eq!(answered(at(60_000)), 50, "they do not add up");
    }

    #[test]
    fn net_02_one_in_sixteen_is_answered_beyond_the_rate() {
        let limiter = limiter(1);
        assert!(limiter.admits(at(0), host("192.0.2.1"), BLANK));
        let answered = (0..=255).filter(|lot| limiter.admits(at(0), host("192.0.2.1"), *lot)).count();
        assert_eq!(answered, 16);
    }

    #[test]
    fn net_02_no_number_of_other_networks_spends_the_rate_of_one() {
        let limiter = limiter(50);
        for number in 0..100_000_u32 {
            let [_, a, b, c] = number.to_be_bytes();
            limiter.admits(at(1000), [a.wrapping_add(10), b, c, 1].into(), BLANK);
        }
        assert!(limiter.admits(at(1001), host("203.0.113.1"), BLANK));
        assert!(limiter.admits(at(1001), host("2001:db8::1"), BLANK));
    }

    #[test]
    fn net_02_whoever_returned_the_cookie_is_not_counted() {
        let limiter = limiter(2);
        for _ in 0..1000 {
            assert!(limiter.admits(at(0), host("192.0.2.1"), BLANK));
            limiter.refund(host("192.0.2.1"));
        }
        assert!(limiter.admits(at(0), host("192.0.2.1"), BLANK));
        assert!(limiter.admits(at(0), host("192.0.2.1"), BLANK));
        assert!(!limiter.admits(at(0), host("192.0.2.1"), BLANK));
    }

    #[test]
    fn net_02_refunds_without_answers_earn_nothing() {
        let limiter = limiter(2);
        (0..1000).for_each(|_| limiter.refund(host("192.0.2.1")));
        let answered = (0..10).filter(|_| limiter.admits(at(1), host("192.0.2.1"), BLANK)).count();
        assert_eq!(answered, 2);
    }
}
