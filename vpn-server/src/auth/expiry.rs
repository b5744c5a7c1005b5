//! How close a revocation list is to its expiry: an operator hears of it a week, a day and no time ahead (CRL-01).

use std::fmt;
use std::time::Duration;

use pki_core::time::Timestamp;

const DAY: i64 = 86_400;

/// How urgently a new revocation list is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpiryStage {
    /// More than a week is left.
    Fresh,
    /// Less than a week is left.
    WithinAWeek,
    /// Less than a day is left.
    WithinADay,
    /// Expired, but accepted for a while by `--crl-grace`.
    InGrace,
    /// Expired: nobody is let in.
    Expired,
}

impl ExpiryStage {
    /// The stage at `now` of a list that expires at `next_update`.
    #[must_use]
    pub fn of(next_update: Timestamp, now: Timestamp, grace: Duration) -> Self {
        let left = next_update.unix_seconds().saturating_sub(now.unix_seconds());
        let grace = i64::try_from(grace.as_secs()).unwrap_or(i64::MAX);
        match left {
            _ if left < 0 && left.saturating_add(grace) < 0 => Self::Expired,
            _ if left < 0 => Self::InGrace,
            _ if left < DAY => Self::WithinADay,
            _ if left < 7 * DAY => Self::WithinAWeek,
            _ => Self::Fresh,
        }
    }
}

impl fmt::Display for ExpiryStage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Fresh => "the revocation list is fresh",
            Self::WithinAWeek => "the revocation list expires within a week",
            Self::WithinADay => "the revocation list expires within a day",
            Self::InGrace => "the revocation list has expired; it is accepted within --crl-grace",
            Self::Expired => "the revocation list has expired: nobody is let in until there is a new one",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crl_01_the_stages_follow_each_other_up_to_the_second() {
        let now = Timestamp::from_unix_seconds(1_000_000_000);
        let cases = [
            (7 * DAY, ExpiryStage::Fresh),
            (7 * DAY - 1, ExpiryStage::WithinAWeek),
            (DAY, ExpiryStage::WithinAWeek),
            (DAY - 1, ExpiryStage::WithinADay),
            (0, ExpiryStage::WithinADay),
            (-1, ExpiryStage::InGrace),
            (-3600, ExpiryStage::InGrace),
            (-3601, ExpiryStage::Expired),
        ];
        for (left, stage) in cases {
            assert_eq!(
                ExpiryStage::of(now.plus_seconds(left), now, Duration::from_secs(3600)),
                stage,
                "{left}"
            );
        }
        assert_eq!(ExpiryStage::of(now.plus_seconds(-1), now, Duration::ZERO), ExpiryStage::Expired);
    }
}
