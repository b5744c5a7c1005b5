//! Points in time of certificates and revocation lists: whole seconds, UTC.
//!
//! Calendar arithmetic is the proleptic Gregorian one of X.509 (RFC 5280 section 4.1.2.5); leap seconds do not
//! exist in it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z; negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first second of the year 2050: from here on X.509 writes GeneralizedTime instead of UTCTime.
    pub const YEAR_2050: Self = Self(2_524_608_000);

    /// A point given in seconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0
    }

    /// This point moved by `days` days of 86,400 seconds, as easy-rsa counts validity.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(86_400)))
    }

    /// This point moved by `seconds`.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Builds a point from calendar fields in UTC; `None` where they name no existing second.
    #[must_use]
    pub fn from_calendar(
        year: i64,
        month: i64,
        day: i64,
        hour: i64,
        minute: i64,
        second: i64,
    ) -> Option<Self> {
        let fields_in_range = (0..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second);
        fields_in_range
            .then(|| Self(days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second))
    }

    /// The calendar fields in UTC.
    #[must_use]
    pub fn calendar(self) -> Calendar {
        let (year, month, day) = civil_from_days(self.0.div_euclid(86_400));
        let second_of_day = self.0.rem_euclid(86_400);
        Calendar {
            year,
            month,
            day,
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }

    /// `YYMMDDhhmmssZ` for 1950 to 2049, `YYYYMMDDhhmmssZ` otherwise: the notation of X.509 and of index.txt.
    #[must_use]
    pub fn to_digits(self) -> String {
        let long = self.to_long_digits();
        if (1950..2050).contains(&self.calendar().year) { long[2..].to_owned() } else { long }
    }

    pub(crate) fn to_long_digits(self) -> String {
        let Calendar { year, month, day, hour, minute, second } = self.calendar();
        let mut digits = String::with_capacity(LONG_DIGITS);
        for pair in [year / 100, year % 100, month, day, hour, minute, second] {
            push_two_digits(&mut digits, pair);
        }
        digits.push('Z');
        digits
    }

    /// Reads [`Self::to_digits`]' notation; two-digit years lie between 1950 and 2049.
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        let digits = digits.strip_suffix('Z')?;
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match digits.len() {
            12 => {
                let two_digits: i64 = digits[..2].parse().ok()?;
                (if two_digits < 50 { 2000 } else { 1900 } + two_digits, &digits[2..])
            }
            14 => (digits[..4].parse().ok()?, &digits[4..]),
            _ => return None,
        };
        let field = |at: usize| rest[at..at + 2].parse::<i64>().ok();
        Self::from_calendar(year, field(0)?, field(2)?, field(4)?, field(6)?, field(8)?)
    }
}

impl Timestamp {
    /// Reads RFC 3339, such as `2026-11-20T12:00:00Z` or `2026-11-20T13:00:00.5+01:00`; fractions of a second are
    /// dropped, and a leap second counts as the one before it.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(RFC_3339_SECONDS)?;
        let is_separated = date.bytes().enumerate().all(|(at, octet)| match at {
            4 | 7 => octet == b'-',
            10 => matches!(octet, b'T' | b't' | b' '),
            13 | 16 => octet == b':',
            _ => octet.is_ascii_digit(),
        });
        if !is_separated {
            return None;
        }
        let field = |from: usize, to: usize| date[from..to].parse::<i64>().ok();
        let second = field(17, 19)?;
        let second = if second == 60 { 59 } else { second };
        let local = Self::from_calendar(
            field(0, 4)?,
            field(5, 7)?,
            field(8, 10)?,
            field(11, 13)?,
            field(14, 16)?,
            second,
        )?;
        Some(local.plus_seconds(-offset_of_zone(without_fraction(rest)?)?))
    }
}

fn without_fraction(text: &str) -> Option<&str> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Some(text);
    };
    let zone = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
    (zone.len() < fraction.len()).then_some(zone)
}

/// Seconds east of Greenwich: `Z`, `+hh:mm`, `-hh:mm`.
fn offset_of_zone(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, offset) = match zone.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':')?;
    let number = |digits: &str, limit: i64| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|number| is_plain && *number < limit)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

const RFC_3339_SECONDS: usize = "YYYY-MM-DDThh:mm:ss".len();

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let whole_seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(whole_seconds(since)),
            Err(before) => Self(-whole_seconds(before.duration())),
        }
    }
}

/// RFC 3339 in UTC: `2026-11-20T07:21:48Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calendar { year, month, day, hour, minute, second } = self.calendar();
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// A point in time as calendar fields in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Calendar {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

/// Two digits of a calendar field, which is below 100. Lists of a million dates are written with this.
fn push_two_digits(digits: &mut String, field: i64) {
    for digit in [field / 10, field % 10] {
        digits.push(u8::try_from(digit).map_or('?', |digit| char::from(b'0' + digit % 10)));
    }
}

const LONG_DIGITS: usize = "YYYYMMDDhhmmssZ".len();

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from the Unix epoch to a date; years are counted from March so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_known_points() {
        assert_eq!(Timestamp::from_unix_seconds(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_unix_seconds(951_782_400).to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(Timestamp::YEAR_2050.to_string(), "2050-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_unix_seconds(-1).to_string(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn pki_08_digits_have_four_digit_years_from_2050() {
        let last_short = Timestamp::YEAR_2050.plus_seconds(-1);
        assert_eq!(last_short.to_digits(), "491231235959Z");
        assert_eq!(Timestamp::YEAR_2050.to_digits(), "20500101000000Z");
        for point in [last_short, Timestamp::YEAR_2050, Timestamp::from_unix_seconds(0)] {
            assert_eq!(Timestamp::from_digits(&point.to_digits()), Some(point));
        }
        assert_eq!(Timestamp::from_digits("2602300000Z"), None);
        assert_eq!(Timestamp::from_digits("260230000000Z"), None);
    }

    #[test]
    fn rfc_3339_is_read_with_fractions_and_zones() {
        let noon = Timestamp::from_calendar(2026, 11, 20, 12, 0, 0);
        for text in [
            "2026-11-20T12:00:00Z",
            "2026-11-20t12:00:00z",
            "2026-11-20T12:00:00.999Z",
            "2026-11-20T13:30:00+01:30",
            "2026-11-19T23:00:00-13:00",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), noon, "{text}");
        }
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T12:00:00",
            "2026-11-20T12:00:00.Z",
            "2026-11-20T12:00:00+1:00",
            "2026-11-20T12:00:00+24:00",
            "2026-02-30T12:00:00Z",
            "2026-11-20T12:00:00Zx",
            "2026-11-2éT12:00:00Z",
            "+026-11-20T12:00:00Z",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_days_that_do_not_exist() {
        assert_eq!(Timestamp::from_calendar(2026, 2, 29, 0, 0, 0), None);
        assert_eq!(Timestamp::from_calendar(2100, 2, 29, 0, 0, 0), None);
        assert!(Timestamp::from_calendar(2000, 2, 29, 23, 59, 59).is_some());
        assert_eq!(Timestamp::from_calendar(2026, 13, 1, 0, 0, 0), None);
        assert_eq!(Timestamp::from_calendar(2026, 1, 1, 24, 0, 0), None);
    }

    proptest::proptest! {
        #[test]
        fn calendar_round_trips(seconds in -62_135_596_800_i64..253_402_300_800) {
            let point = Timestamp::from_unix_seconds(seconds);
            let Calendar { year, month, day, hour, minute, second } = point.calendar();
            proptest::prop_assert_eq!(Timestamp::from_calendar(year, month, day, hour, minute, second), Some(point));
        }
    }
}
