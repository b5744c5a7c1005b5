//! Monotonic time, read once where the outside world begins and passed inwards as [`Moment`]s.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vpn_proto::Moment;

/// The clock of one process: all parts that exchange [`Moment`]s hold copies of the same one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    unix_time_of_origin: Duration,
}

impl Clock {
    /// A clock whose origin is the present.
    #[must_use]
    pub fn start() -> Self {
        let unix_time_of_origin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: Instant::now(), unix_time_of_origin }
    }

    /// The Unix time of [`Moment`] 0; zero if the system's clock stands before 1970.
    #[must_use]
    pub const fn unix_time_of_origin(&self) -> Duration {
        self.unix_time_of_origin
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Moment {
        let elapsed = self.origin.elapsed().as_micros();
        Moment::from_micros(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_clock_share_its_origin_and_never_run_backwards() {
        let clock = Clock::start();
        let copy = clock;
        let earlier = clock.now();
        let later = copy.now();
        assert!(later >= earlier);
        assert!(later.as_micros() < 60_000_000);
    }
}
