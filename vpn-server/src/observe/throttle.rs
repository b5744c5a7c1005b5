//! A limit on how many lines one part of the Internet can write into our logs.
//!
//! A token bucket per source prefix in a table of fixed size. Two prefixes that share a slot share its tokens: the
//! price of a table that no flood can grow. What was left out is counted and reported with the next line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Lines per second and prefix, after a burst of as many.
const LINES_PER_SECOND: u32 = 10;
const SLOTS: usize = 1024;

/// Decides which lines about unauthenticated peers are written.
#[derive(Debug)]
pub(crate) struct LogThrottle {
    slots: Vec<Slot>,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    tokens: u32,
    refilled: Instant,
    suppressed: u64,
}

/// A line may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permit {
    /// How many lines of this prefix were left out since the last one that was written.
    pub(crate) suppressed: u64,
}

impl LogThrottle {
    /// A table whose slots are assigned by `seed`, which an attacker does not know.
    pub(crate) fn new(now: Instant, seed: u64) -> Self {
        let full = Slot { tokens: LINES_PER_SECOND, refilled: now, suppressed: 0 };
        Self { slots: vec![full; SLOTS], seed }
    }

    /// Whether a line about `remote` may be written.
    pub(crate) fn admit(&mut self, now: Instant, remote: IpAddr) -> Option<Permit> {
        let index = self.slot_of(remote);
        let slot = &mut self.slots[index];
        slot.refill(now);
        if slot.tokens == 0 {
            slot.suppressed += 1;
            return None;
        }
        slot.tokens -= 1;
        Some(Permit { suppressed: std::mem::take(&mut slot.suppressed) })
    }

    fn slot_of(&self, remote: IpAddr) -> usize {
        let prefix = match remote.to_canonical() {
            IpAddr::V4(address) => u64::from((address & Ipv4Addr::new(255, 255, 255, 0)).to_bits()),
            IpAddr::V6(address) => {
                let network = address & Ipv6Addr::from_bits(u128::MAX << 72);
                u64::try_from(network.to_bits() >> 64).unwrap_or(u64::MAX)
            }
        };
        let mixed = (prefix ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 32).unwrap_or(0) % SLOTS
    }
}

impl Slot {
    fn refill(&mut self, now: Instant) {
        let per_token = Duration::from_secs(1) / LINES_PER_SECOND;
        let elapsed = now.saturating_duration_since(self.refilled);
        let earned = u32::try_from(elapsed.as_micros() / per_token.as_micros()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(earned).min(LINES_PER_SECOND);
            self.refilled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_03_ten_lines_per_second_and_prefix_are_written_and_the_rest_counted() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start, 7);
        let written = (0..100).filter(|host| throttle.admit(start, v4(*host)).is_some()).count();
        assert_eq!(written, 10);
        let later = start + Duration::from_millis(100);
        assert_eq!(throttle.admit(later, v4(3)), Some(Permit { suppressed: 90 }));
        assert_eq!(throttle.admit(later, v4(3)), None);
        assert_eq!(throttle.admit(later + Duration::from_secs(60), v4(3)), Some(Permit { suppressed: 1 }));
    }

    #[test]
    fn ops_03_another_prefix_is_not_silenced() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start, 7);
        while throttle.admit(start, v4(1)).is_some() {}
        assert!(throttle.admit(start, "198.51.100.1".parse().unwrap()).is_some());
        assert!(throttle.admit(start, "2001:db8::1".parse().unwrap()).is_some());
    }

    #[test]
    fn addresses_of_one_ipv6_customer_count_as_one() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start, 7);
        let written = (0..100_u16)
            .filter(|host| {
                throttle.admit(start, Ipv6Addr::new(0x2001, 0xdb8, 1, *host, 0, 0, 0, 1).into()).is_some()
            })
            .count();
        assert_eq!(written, 10);
    }

    fn v4(host: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, host).into()
    }
}
