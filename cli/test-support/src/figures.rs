//! What is said of several measurements of the same thing.

use std::time::Duration;

/// The one in the middle, of an even number the larger: a machine may be busy for a moment, but not most of the time.
/// `None` of none.
#[must_use]
pub fn median(times: impl IntoIterator<Item = Duration>) -> Option<Duration> {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_measurement_out_of_line_does_not_move_the_median() {
        let of = |seconds: &[u64]| median(seconds.iter().map(|seconds| Duration::from_secs(*seconds)));
        assert_eq!(of(&[2, 900, 1]), Some(Duration::from_secs(2)));
        assert_eq!(of(&[2, 1]), Some(Duration::from_secs(2)));
        assert_eq!(of(&[]), None);
    }
}
