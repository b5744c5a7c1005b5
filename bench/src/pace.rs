//! Keeping a rate: sleeps as long as what was done is ahead of it.

use std::thread;
use std::time::{Duration, Instant};

/// A rate since a moment.
#[derive(Debug)]
pub(crate) struct Pace {
    begun: Instant,
    /// Per second; none for as fast as possible.
    rate: Option<f64>,
}

impl Pace {
    /// `rate` 0 is no limit.
    pub(crate) fn start(rate: f64) -> Self {
        Self { begun: Instant::now(), rate: (rate > 0.0).then_some(rate) }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long `done` things are ahead of the rate.
    pub(crate) fn lead(&self, done: u64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 packets")]
        let due = Duration::try_from_secs_f64(done as f64 / rate).unwrap_or(Duration::MAX);
        due.saturating_sub(self.elapsed())
    }

    /// Waits until `done` things are no longer ahead.
    pub(crate) fn wait(&self, done: u64) {
        let lead = self.lead(done);
        if !lead.is_zero() {
            thread::sleep(lead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ahead_of_the_rate_waits() {
        let pace = Pace::start(1000.0);
        let lead = pace.lead(60_000);
        assert!(lead > Duration::from_secs(50) && lead <= Duration::from_secs(60));
        pace.wait(20);
        assert!(pace.elapsed() >= Duration::from_millis(20));
        assert_eq!(pace.lead(0), Duration::ZERO);
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        assert_eq!(Pace::start(0.0).lead(u64::MAX), Duration::ZERO);
    }
}
