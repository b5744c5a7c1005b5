//! How often a session may do something that costs others: a few times at once, then at a steady pace.

use std::time::Duration;

use crate::moment::Moment;

/// Tokens that are spent one by one and come back one by one.
#[derive(Debug)]
pub(super) struct Allowance {
    burst: u32,
    interval: Duration,
    spent: u32,
    /// From when on the time until the next token comes back counts.
    counted_from: Moment,
}

impl Allowance {
    /// `burst` tokens; a spent one comes back after each `interval`.
    pub(super) const fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, spent: 0, counted_from: Moment::from_micros(0) }
    }

    /// Spends a token; `false` if there is none.
    pub(super) fn spend(&mut self, now: Moment) -> bool {
        self.take_back(now);
        let has_one = self.spent < self.burst;
        self.spent += u32::from(has_one);
        has_one
    }

    fn take_back(&mut self, now: Moment) {
        while self.spent > 0 && now >= self.counted_from + self.interval {
            self.spent -= 1;
            self.counted_from = self.counted_from + self.interval;
        }
        if self.spent == 0 {
            self.counted_from = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn gives_a_burst_and_then_one_for_each_interval() {
        let start = Moment::from_micros(5_000_000);
        let mut allowance = Allowance::new(3, SECOND);
        let spent = |allowance: &mut Allowance, at| (0..10).filter(|_| allowance.spend(at)).count();
        assert_eq!(spent(&mut allowance, start), 3);
        assert_eq!(spent(&mut allowance, start + SECOND / 2), 0);
        assert_eq!(spent(&mut allowance, start + SECOND), 1);
        assert_eq!(spent(&mut allowance, start + SECOND * 5 / 2), 1);
        assert_eq!(spent(&mut allowance, start + SECOND * 3), 1);
        assert_eq!(spent(&mut allowance, start + SECOND * 1000), 3);
    }
}
