//! Passwords as they are kept: Argon2id, in the usual textual form.
//!
//! ```text
//!   $argon2id$v=19$m=12288,t=3,p=1$base64(salt)$base64(hash)
//! ```

use std::fmt;
use std::io;
use std::str::FromStr;

use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64Unpadded, Encoding};
use subtle::ConstantTimeEq;
use vpn_proto::Password;
use zeroize::Zeroizing;

use crate::random;

/// What it costs to check a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParameters {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// A hashed password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    parameters: HashParameters,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Why a text is no hash that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPasswordHash {
    /// Of another kind, or of none.
    #[error("it is not an argon2id hash")]
    UnknownKind,
    /// Parameters that are missing, unreadable, or more than a login may cost.
    #[error("its parameters are unreadable or out of bounds")]
    BadParameters,
    /// Salt or hash cannot be decoded or have a strange length.
    #[error("its salt or hash is unreadable")]
    BadContent,
}

impl HashParameters {
    /// The second choice of the OWASP recommendation: as strong as the first, with less memory at a time.
    pub const DEFAULT: Self = Self { memory: 12 * 1024, passes: 3, lanes: 1 };
    /// What a login may cost at most: a file with more is refused.
    const MOST: Self = Self { memory: 256 * 1024, passes: 32, lanes: 8 };

    fn check(self) -> Result<Self, InvalidPasswordHash> {
        let most = Self::MOST;
        let is_bounded = self.memory <= most.memory && self.passes <= most.passes && self.lanes <= most.lanes;
        is_bounded.then_some(self).ok_or(InvalidPasswordHash::BadParameters)
    }
}

const SALT: usize = 16;
const HASH: usize = 32;

impl PasswordHash {
    /// Hashes a password with a random salt.
    ///
    /// # Errors
    ///
    /// [`io::Error`] where the operating system has no random numbers, or there is not enough memory.
    pub fn of(password: &Password, parameters: HashParameters) -> io::Result<Self> {
        let salt = random::bytes::<SALT>()?;
        let hash = compute(parameters, &salt, HASH, password).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { parameters, salt: salt.to_vec(), hash: hash.to_vec() })
    }

    /// Whether it is the hash of this password. Takes as long for wrong passwords as for right ones.
    #[must_use]
    pub fn matches(&self, password: &Password) -> bool {
        compute(self.parameters, &self.salt, self.hash.len(), password)
            .is_some_and(|computed| computed.ct_eq(&self.hash).into())
    }

    /// A hash that no password matches, of the same cost as others: for users that do not exist.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self { parameters: HashParameters::DEFAULT, salt: vec![0; SALT], hash: vec![0; HASH] }
    }
}

fn compute(
    parameters: HashParameters,
    salt: &[u8],
    length: usize,
    password: &Password,
) -> Option<Zeroizing<Vec<u8>>> {
    let HashParameters { memory, passes, lanes } = parameters;
    let parameters = Params::new(memory, passes, lanes, Some(length)).ok()?;
    let mut hash = Zeroizing::new(vec![0; length]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(password.as_str().as_bytes(), salt, &mut hash)
        .ok()?;
    Some(hash)
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HashParameters { memory, passes, lanes } = self.parameters;
        let (salt, hash) =
            (Base64Unpadded::encode_string(&self.salt), Base64Unpadded::encode_string(&self.hash));
        write!(out, "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PasswordHash(..)")
    }
}

impl FromStr for PasswordHash {
    type Err = InvalidPasswordHash;

    fn from_str(text: &str) -> Result<Self, InvalidPasswordHash> {
        let rest = text.strip_prefix("$argon2id$v=19$").ok_or(InvalidPasswordHash::UnknownKind)?;
        let mut fields = rest.split('$');
        let parameters = fields.next().and_then(parse_parameters);
        let parameters = parameters.ok_or(InvalidPasswordHash::BadParameters)?.check()?;
        let mut octets = || fields.next().and_then(|field| Base64Unpadded::decode_vec(field).ok());
        let (salt, hash) = (octets(), octets());
        match (salt, hash, fields.next()) {
            (Some(salt), Some(hash), None)
                if (8..=64).contains(&salt.len()) && (16..=64).contains(&hash.len()) =>
            {
                Ok(Self { parameters, salt, hash })
            }
            _ => Err(InvalidPasswordHash::BadContent),
        }
    }
}

fn parse_parameters(text: &str) -> Option<HashParameters> {
    let mut values = text.split(',');
    let mut value = |name: &str| values.next()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    let parameters = HashParameters { memory: value("m")?, passes: value("t")?, lanes: value("p")? };
    values.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashParameters = HashParameters { memory: 32, passes: 1, lanes: 1 };

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[test]
    fn a_hash_matches_its_password_and_no_other() {
        let hash = PasswordHash::of(&password("secret"), CHEAP).unwrap();
        assert!(hash.matches(&password("secret")));
        for wrong in ["", "Secret", "secret ", "secre"] {
            assert!(!hash.matches(&password(wrong)), "{wrong}");
        }
    }

    #[test]
    fn a_hash_reads_back_and_the_same_password_never_looks_the_same() {
        let hash = PasswordHash::of(&password("secret"), CHEAP).unwrap();
        let text = hash.to_string();
        assert_eq!(text.parse::<PasswordHash>().unwrap(), hash);
        assert_ne!(PasswordHash::of(&password("secret"), CHEAP).unwrap().to_string(), text);
    }

    /// Made by the reference implementation, by way of Python's argon2-cffi.
    #[test]
    fn hashes_of_other_programs_are_understood() {
        let hash = "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$FqGkmHNGCd0BRW2kBt6fPZ2pPmyGwwChL8FGUhTOSSI";
        assert!(hash.parse::<PasswordHash>().unwrap().matches(&password("password")));
    }

    #[test]
    fn other_kinds_and_broken_texts_are_named() {
        use InvalidPasswordHash::{BadContent, BadParameters, UnknownKind};

        for (text, error) in [
            ("", UnknownKind),
            ("secret", UnknownKind),
            ("$2b$12$abcdefghijklmnopqrstuv", UnknownKind),
            ("$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", UnknownKind),
            ("$argon2id$v=19$m=64,t=2$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", BadParameters),
            ("$argon2id$v=19$t=2,m=64,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", BadParameters),
            ("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ", BadContent),
            ("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$AA", BadContent),
            ("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA$x", BadContent),
        ] {
            assert_eq!(text.parse::<PasswordHash>(), Err(error), "{text}");
        }
    }

    #[test]
    fn pki_12_a_hash_may_cost_so_much_and_no_more() {
        let text = |memory| format!("$argon2id$v=19$m={memory},t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA");
        assert!(text(256 * 1024).parse::<PasswordHash>().is_ok());
        assert_eq!(text(256 * 1024 + 1).parse::<PasswordHash>(), Err(InvalidPasswordHash::BadParameters));
    }

    #[test]
    fn nobody_has_a_password() {
        for text in ["", "nobody"] {
            assert!(!PasswordHash::of_nobody().matches(&password(text)));
        }
    }
}
