//! Secrets and the codes that they make (RFC 4226, RFC 6238): six digits, thirty seconds, HMAC-SHA1, as every app takes
//! them.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use pki_core::time::Timestamp;
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::random;

/// What a user's app and the server share.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeSecret(Zeroizing<Vec<u8>>);

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOneTimeSecret {
    /// It has other characters than those of base32.
    #[error("the secret is not base32")]
    NotBase32,
    /// It is shorter than RFC 4226 asks for, or longer than anything that apps take.
    #[error("the secret has {0} octets, 16 to 64 are taken")]
    Length(usize),
}

/// A stretch of thirty seconds, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step(pub(super) u64);

const SECONDS_PER_STEP: u64 = 30;
/// Clocks may differ by so many steps.
const WINDOW: u64 = 1;
const DIGITS: usize = 6;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Octets of a new secret: as many as HMAC-SHA1 has.
const NEW: usize = 20;

impl OneTimeSecret {
    /// A new secret.
    ///
    /// # Errors
    ///
    /// [`std::io::Error`] when the operating system has no randomness.
    pub fn generate() -> std::io::Result<Self> {
        Ok(Self(Zeroizing::new(random::bytes::<NEW>()?.to_vec())))
    }

    /// The link that apps read from a QR code; `issuer` and `account` are what the person sees there.
    #[must_use]
    pub fn to_uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.to_base32();
        Zeroizing::new(format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", *secret))
    }

    /// The secret as apps take it by hand.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.0.len() * 8 / 5 + 1));
        let (mut bits, mut count) = (0_u32, 0_u32);
        for octet in self.0.iter() {
            bits = bits << 8 | u32::from(*octet);
            count += 8;
            while count >= 5 {
                count -= 5;
                text.push(letter(bits >> count));
            }
        }
        if count > 0 {
            text.push(letter(bits << (5 - count)));
        }
        text
    }

    /// The step whose code `shown` is, of those that are near `now`. Takes the same time for every wrong code.
    pub(super) fn step_of(&self, shown: &str, now: Timestamp) -> Option<Step> {
        let digits: Zeroizing<String> =
            Zeroizing::new(shown.chars().filter(|character| !character.is_whitespace()).collect());
        let current = u64::try_from(now.unix_seconds()).ok()? / SECONDS_PER_STEP;
        let near = current.saturating_sub(WINDOW)..=current.saturating_add(WINDOW);
        let mut found = None;
        for step in near.map(Step) {
            let code = self.code(step)?;
            if bool::from(code.as_bytes().ct_eq(digits.as_bytes())) {
                found = Some(step);
            }
        }
        found
    }

    /// The code of this moment.
    #[cfg(test)]
    pub(super) fn code_at(&self, now: Timestamp) -> Zeroizing<String> {
        self.code(Step(u64::try_from(now.unix_seconds()).unwrap() / SECONDS_PER_STEP)).unwrap()
    }

    fn code(&self, step: Step) -> Option<Zeroizing<String>> {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).ok()?;
        mac.update(&step.0.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let offset = usize::from(hash.last()? & 0x0f);
        let chosen = hash.get(offset..offset + 4)?.first_chunk::<4>()?;
        let number = (u32::from_be_bytes(*chosen) & 0x7fff_ffff) % 10_u32.pow(6);
        Some(Zeroizing::new(format!("{number:0width$}", width = DIGITS)))
    }
}

fn letter(bits: u32) -> char {
    ALPHABET.get((bits & 31) as usize).map_or('A', |letter| char::from(*letter))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~@".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

impl FromStr for OneTimeSecret {
    type Err = InvalidOneTimeSecret;

    /// Reads base32, in capital or small letters, with or without padding and blanks.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut octets = Zeroizing::new(Vec::with_capacity(text.len()));
        let (mut bits, mut count) = (0_u32, 0_u32);
        for letter in text.trim_end_matches('=').bytes().filter(|letter| !letter.is_ascii_whitespace()) {
            let letter = letter.to_ascii_uppercase();
            let value = ALPHABET.iter().zip(0_u32..).find(|(known, _)| **known == letter);
            let (_, value) = value.ok_or(InvalidOneTimeSecret::NotBase32)?;
            bits = (bits << 5 | value) & 0xffff;
            count += 5;
            if count >= 8 {
                count -= 8;
                octets.push((bits >> count).to_be_bytes()[3]);
            }
        }
        match octets.len() {
            16..=64 => Ok(Self(octets)),
            length => Err(InvalidOneTimeSecret::Length(length)),
        }
    }
}

impl fmt::Debug for OneTimeSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OneTimeSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the test values in RFC 6238, appendix B.
    fn secret() -> OneTimeSecret {
        OneTimeSecret(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert!(secret().step_of(code, at(seconds)).is_some(), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_before_and_after_its_own() {
        let step = Step(1_234_567_890 / SECONDS_PER_STEP);
        let begin = i64::try_from(step.0 * SECONDS_PER_STEP).unwrap();
        for (seconds, expected) in
            [(begin - 31, None), (begin - 30, Some(step)), (begin + 59, Some(step)), (begin + 60, None)]
        {
            assert_eq!(secret().step_of("005924", at(seconds)), expected, "{}", seconds - begin);
        }
    }

    #[test]
    fn codes_may_be_typed_in_groups_and_nothing_else_passes() {
        let now = at(1_234_567_890);
        assert!(secret().step_of(" 005 924", now).is_some());
        for wrong in ["", "5924", "0005924", "005925", "00592a", "-05924"] {
            assert_eq!(secret().step_of(wrong, now), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_secret_reads_back_from_what_apps_are_told() {
        let text = secret().to_base32();
        assert_eq!(*text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(text.parse::<OneTimeSecret>().unwrap(), secret());
        let typed = "gezd gnbv gy3t qojq gezd gnbv gy3t qojq====";
        assert_eq!(typed.parse::<OneTimeSecret>().unwrap(), secret());
        let new = OneTimeSecret::generate().unwrap();
        assert_eq!(new.to_base32().parse::<OneTimeSecret>().unwrap(), new);
        assert_ne!(new, OneTimeSecret::generate().unwrap());
    }

    #[test]
    fn what_is_no_secret_or_too_short_is_refused() {
        assert_eq!("0189".parse::<OneTimeSecret>(), Err(InvalidOneTimeSecret::NotBase32));
        assert_eq!("GEZDGNBVGY3TQOJQ".parse::<OneTimeSecret>(), Err(InvalidOneTimeSecret::Length(10)));
        assert!("A".repeat(26).parse::<OneTimeSecret>().is_ok());
        assert_eq!("A".repeat(104).parse::<OneTimeSecret>(), Err(InvalidOneTimeSecret::Length(65)));
    }

    #[test]
    fn the_link_for_apps_names_issuer_and_account_without_breaking() {
        let uri = secret().to_uri("My VPN", "a&b@corp:x");
        assert_eq!(
            *uri,
            "otpauth://totp/My%20VPN:a%26b@corp%3Ax?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=My%20VPN"
        );
    }

    #[test]
    fn key_05_a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", secret()), "OneTimeSecret");
    }
}
