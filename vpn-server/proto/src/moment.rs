//! Monotonic time as the protocol core sees it: a number that somebody else reads from a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in monotonic time: microseconds since an origin that the caller chooses once per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The point `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The first point from this one on that is a whole number of `step`s after the origin; itself if `step` is zero.
    pub(crate) fn rounded_up_to(self, step: Duration) -> Self {
        Self(self.0.checked_next_multiple_of(as_micros(step)).unwrap_or(self.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(as_micros(duration)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    /// Saturates at the origin.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(as_micros(duration)))
    }
}

fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_rounded_up_to_the_next_whole_step() {
        let rounded =
            |micros, step| Moment::from_micros(micros).rounded_up_to(Duration::from_micros(step)).as_micros();
        assert_eq!([0, 1, 10, 11].map(|micros| rounded(micros, 10)), [0, 10, 10, 20]);
        assert_eq!([rounded(7, 0), rounded(u64::MAX, 10)], [7, u64::MAX]);
    }
}
