//! Key files of OpenVPN that are no certificates: the static key of tls-auth and tls-crypt, and the two kinds of
//! tls-crypt-v2 keys.
//!
//! Only the files: what the octets protect is the protocol's business.

use std::fmt;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::pem;

/// Octets of a static key.
pub const STATIC_KEY: usize = 256;
/// Octets of a tls-crypt-v2 server key.
pub const SERVER_KEY: usize = 128;

/// Octets of a wrapped client key without metadata, and with the longest.
const WRAPPED_KEY: std::ops::RangeInclusive<usize> = 290..=1024;

const STATIC_KEY_LABEL: &str = "OpenVPN Static key V1";
const SERVER_KEY_LABEL: &str = "OpenVPN tls-crypt-v2 server key";
const CLIENT_KEY_LABEL: &str = "OpenVPN tls-crypt-v2 client key";
const TOKEN_KEY_LABEL: &str = "OpenVPN auth-token server key";
/// No key file is larger.
const MAXIMUM_FILE_SIZE: usize = 1 << 20;

/// Why a file is not the key it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticKeyError {
    /// The lines around the key are not there.
    #[error("there is no '-----BEGIN {label}-----' with its end")]
    NoKey {
        /// What the lines say.
        label: &'static str,
    },
    /// Something between the lines is not of the encoding.
    #[error("the key is not written in {encoding}")]
    BadEncoding {
        /// `hexadecimal` or `base64`.
        encoding: &'static str,
    },
    /// The key has another length.
    #[error("the key has {found} octets instead of {expected}")]
    BadLength {
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The file is larger than any key file.
    #[error("the file is too large for a key")]
    TooLarge,
}

impl StaticKeyError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoKey { .. } => "static-key-missing",
            Self::BadEncoding { .. } | Self::BadLength { .. } | Self::TooLarge => "static-key-malformed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NoKey { label } if label.len() == SERVER_KEY_LABEL.len() => {
                "make one: 'openvpn --genkey tls-crypt-v2-server FILE'"
            }
            Self::NoKey { .. } | Self::BadEncoding { .. } | Self::BadLength { .. } | Self::TooLarge => {
                "make one: 'openvpn --genkey secret FILE', or easyrsa gen-tls-crypt-key"
            }
        }
    }
}

/// Reads a static key: hexadecimal digits of either case in lines of any length; text around the key is ignored.
///
/// # Errors
/// [`StaticKeyError`] says what is wrong with the file.
pub fn parse_static_key(file: &str) -> Result<Zeroizing<[u8; STATIC_KEY]>, StaticKeyError> {
    let digits = Zeroizing::new(body(file, STATIC_KEY_LABEL)?);
    let octets: Option<Vec<u8>> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2))
        .collect();
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octets = octets.filter(|_| is_hexadecimal).map(Zeroizing::new);
    sized(&octets.ok_or(StaticKeyError::BadEncoding { encoding: "hexadecimal" })?)
}

/// Reads the server's key of tls-crypt-v2.
///
/// # Errors
/// [`StaticKeyError`] says what is wrong with the file.
pub fn parse_tls_crypt_v2_server_key(file: &str) -> Result<Zeroizing<[u8; SERVER_KEY]>, StaticKeyError> {
    parse_pem(file, SERVER_KEY_LABEL)
}

/// Reads the server's key for auth-tokens.
///
/// # Errors
/// [`StaticKeyError`] says what is wrong with the file.
pub fn parse_auth_token_key(file: &str) -> Result<Zeroizing<[u8; SERVER_KEY]>, StaticKeyError> {
    parse_pem(file, TOKEN_KEY_LABEL)
}

/// A static key as a file: 16 lines of hexadecimal digits.
#[must_use]
pub fn static_key_text(key: &[u8; STATIC_KEY]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(3 * STATIC_KEY));
    text.push_str("-----BEGIN OpenVPN Static key V1-----\n");
    for line in key.chunks(16) {
        for octet in line {
            text.push(digit(octet >> 4));
            text.push(digit(octet & 0x0f));
        }
        text.push('\n');
    }
    text.push_str("-----END OpenVPN Static key V1-----\n");
    text
}

/// A client's key of tls-crypt-v2: the key, and the same wrapped for the server, which alone can look inside.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientKey {
    key: Box<Zeroizing<[u8; STATIC_KEY]>>,
    wrapped: Vec<u8>,
}

impl ClientKey {
    /// The key and what the server's key made of it.
    ///
    /// # Errors
    /// [`StaticKeyError::BadLength`] if the wrapped key is shorter or longer than any can be.
    pub fn new(key: Zeroizing<[u8; STATIC_KEY]>, wrapped: Vec<u8>) -> Result<Self, StaticKeyError> {
        if !WRAPPED_KEY.contains(&wrapped.len()) {
            let (found, expected) = (wrapped.len(), *WRAPPED_KEY.start());
            return Err(StaticKeyError::BadLength { found, expected });
        }
        Ok(Self { key: Box::new(key), wrapped })
    }

    /// Reads a key file, or the inline block of a profile.
    ///
    /// # Errors
    /// [`StaticKeyError`] says what is wrong with the file.
    pub fn parse(file: &str) -> Result<Self, StaticKeyError> {
        let octets = base64_body(file, CLIENT_KEY_LABEL)?;
        let too_short = || StaticKeyError::BadLength { found: octets.len(), expected: STATIC_KEY };
        let (key, wrapped) = octets.split_first_chunk::<STATIC_KEY>().ok_or_else(too_short)?;
        Self::new(Zeroizing::new(*key), wrapped.to_vec())
    }

    /// The key in the form of a key file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let octets = Zeroizing::new([&self.key[..], &self.wrapped].concat());
        pem::armour_secret(CLIENT_KEY_LABEL, &octets)
    }

    /// The key that the client wraps with.
    #[must_use]
    pub fn key(&self) -> &[u8; STATIC_KEY] {
        &self.key
    }

    /// The same key wrapped for the server.
    #[must_use]
    pub fn wrapped(&self) -> &[u8] {
        &self.wrapped
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ClientKey(wrapped in {} octets)", self.wrapped.len())
    }
}

fn parse_pem(file: &str, label: &'static str) -> Result<Zeroizing<[u8; SERVER_KEY]>, StaticKeyError> {
    sized(&base64_body(file, label)?)
}

fn base64_body(file: &str, label: &'static str) -> Result<Zeroizing<Vec<u8>>, StaticKeyError> {
    let text = Zeroizing::new(body(file, label)?);
    let octets = Base64::decode_vec(&text).map_err(|_| StaticKeyError::BadEncoding { encoding: "base64" })?;
    Ok(Zeroizing::new(octets))
}

fn digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap_or('0')
}

/// What stands between the lines of `label`, without blanks.
fn body(file: &str, label: &'static str) -> Result<String, StaticKeyError> {
    if file.len() > MAXIMUM_FILE_SIZE {
        return Err(StaticKeyError::TooLarge);
    }
    let missing = || StaticKeyError::NoKey { label };
    let (_, after) = file.split_once(&format!("-----BEGIN {label}-----")).ok_or_else(missing)?;
    let (body, _) = after.split_once(&format!("-----END {label}-----")).ok_or_else(missing)?;
    Ok(body.split_whitespace().collect())
}

fn sized<const N: usize>(octets: &[u8]) -> Result<Zeroizing<[u8; N]>, StaticKeyError> {
    match octets.try_into() {
        Ok(octets) => Ok(Zeroizing::new(octets)),
        Err(_) => Err(StaticKeyError::BadLength { found: octets.len(), expected: N }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATIC: &str = include_str!("../../../testdata/openvpn/pki/static.key");
    const CLIENT: &str = include_str!("../../../testdata/openvpn/pki/tls-crypt-v2-client-timestamp.key");
    const SERVER: &str = include_str!("../../../testdata/openvpn/pki/tls-crypt-v2-server.key");

    #[test]
    fn reads_what_openvpn_writes() {
        let key = parse_static_key(STATIC).unwrap();
        assert_eq!(key[..4], [0x2a, 0xd3, 0xc6, 0x23]);
        let key = parse_tls_crypt_v2_server_key(SERVER).unwrap();
        assert_eq!(key[..4], [0x8f, 0xe2, 0x2d, 0xd5]);
    }

    #[test]
    fn a_static_key_is_written_as_openvpn_writes_it() {
        let written = static_key_text(&parse_static_key(STATIC).unwrap());
        assert!(STATIC.ends_with(written.as_str()), "{STATIC}");
    }

    #[test]
    fn a_client_key_reads_back_and_is_written_as_openvpn_writes_it() {
        let key = ClientKey::parse(CLIENT).unwrap();
        assert_eq!(key.wrapped().len(), 299, "the time of its making is its metadata");
        assert_eq!(key.to_text().as_str(), CLIENT);
        let too_long = ClientKey::new(Zeroizing::new(*key.key()), vec![0; 1025]).unwrap_err();
        assert_eq!(too_long, StaticKeyError::BadLength { found: 1025, expected: 290 });
    }

    #[test]
    fn key_05_a_client_key_is_not_shown_in_debug_output() {
        let shown = format!("{:?}", ClientKey::parse(CLIENT).unwrap());
        assert_eq!(shown, "ClientKey(wrapped in 299 octets)");
    }

    #[test]
    fn reads_upper_case_long_lines_and_inline_blocks() {
        let digits: String = STATIC.lines().filter(|line| line.len() == 32).collect();
        let inline = format!(
            "<tls-crypt>\n# comment\n-----BEGIN {STATIC_KEY_LABEL}-----\n{}\n-----END {STATIC_KEY_LABEL}-----\n</tls-crypt>",
            digits.to_uppercase()
        );
        assert_eq!(*parse_static_key(&inline).unwrap(), *parse_static_key(STATIC).unwrap());
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let with_body = |body: &str| {
            format!("-----BEGIN {STATIC_KEY_LABEL}-----\n{body}\n-----END {STATIC_KEY_LABEL}-----")
        };
        let error = |file: &str| parse_static_key(file).unwrap_err();
        assert_eq!(error("no key"), StaticKeyError::NoKey { label: STATIC_KEY_LABEL });
        assert_eq!(error(SERVER).code(), "static-key-missing");
        assert_eq!(error(&with_body("0g")), StaticKeyError::BadEncoding { encoding: "hexadecimal" });
        assert_eq!(error(&with_body("0")), StaticKeyError::BadEncoding { encoding: "hexadecimal" });
        assert_eq!(error(&with_body("+1\u{e9}")), StaticKeyError::BadEncoding { encoding: "hexadecimal" });
        assert_eq!(error(&with_body("00")), StaticKeyError::BadLength { found: 1, expected: 256 });
        assert_eq!(error(&"x".repeat(MAXIMUM_FILE_SIZE + 1)), StaticKeyError::TooLarge);
        assert!(parse_tls_crypt_v2_server_key(STATIC).unwrap_err().help().contains("tls-crypt-v2-server"));
    }
}
