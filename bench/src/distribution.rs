//! Percentiles of measured times.

use std::time::Duration;

/// Measured times.
#[derive(Debug, Default)]
pub(crate) struct Distribution(Vec<Duration>);

impl Distribution {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that so many of a hundred do not exceed, in milliseconds; nothing if there are no times.
    pub(crate) fn percentile_ms(&mut self, percentile: usize) -> Option<f64> {
        self.0.sort_unstable();
        let index = (self.0.len() * percentile).div_ceil(100).saturating_sub(1);
        self.0.get(index).map(|time| time.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_ranks() {
        let mut times = Distribution::default();
        assert_eq!(times.percentile_ms(50), None);
        (1..=200).rev().for_each(|ms| times.add(Duration::from_millis(ms)));
        let percentiles = [0, 1, 50, 99, 100].map(|percentile| times.percentile_ms(percentile));
        assert_eq!(percentiles, [1.0, 2.0, 100.0, 198.0, 200.0].map(Some));
    }
}
