//! Lengths of time as people write them: `90s`, `15m`, `12h`, `30d`, `2w`.

use std::str::FromStr;

use pki_core::time::Timestamp;

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    seconds: i64,
}

impl Span {
    /// The point that lies this far after `now`.
    pub(crate) fn after(self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.seconds)
    }
}

impl FromStr for Span {
    type Err = String;

    /// A number alone counts days, as everywhere in easy-rsa.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "" | "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return Err(EXPECTED.into()),
        };
        let number: u32 = digits.parse().map_err(|_| EXPECTED.to_owned())?;
        Ok(Self { seconds: i64::from(number) * unit })
    }
}

const EXPECTED: &str = "write a number and a unit: 90s, 15m, 12h, 30d or 2w";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_understood_and_days_need_none() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("12h", 43_200), ("1d", 86_400), ("2w", 1_209_600)]
        {
            assert_eq!(text.parse(), Ok(Span { seconds }), "{text}");
        }
        assert_eq!("30".parse::<Span>(), "30d".parse());
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "d", "30 d", "-1d", "1y", "1.5d", "99999999999d", "30dd"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
