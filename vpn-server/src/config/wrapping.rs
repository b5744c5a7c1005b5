//! How control packets are wrapped: which key files, and what clients without wrapping may do.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use vpn_proto::{AuthDigest, KeyDirection};

use super::error::ConfigError;
use super::options::Options;

/// The kinds of wrapping that are taken. Without any key file it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappingPaths {
    /// Whether clients without wrapping are taken.
    pub plain: bool,
    /// The key of tls-auth.
    pub tls_auth: Option<TlsAuthFile>,
    /// The hash of tls-auth.
    pub auth: AuthDigest,
    /// The key of tls-crypt.
    pub tls_crypt: Option<PathBuf>,
    /// The server's key of tls-crypt-v2.
    pub tls_crypt_v2: Option<PathBuf>,
    /// Whether tls-crypt-v2 clients must let the server start without state.
    pub force_cookie: bool,
}

/// A key file of tls-auth and its direction at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsAuthFile {
    /// The file.
    pub path: PathBuf,
    /// The server's direction; clients have the opposite one, or both have none.
    pub direction: KeyDirection,
}

/// Why an option about wrapping cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWrappingOption {
    /// A direction that does not exist.
    #[error("'{}' is not a key direction", .0.escape_debug())]
    UnknownDirection(String),
    /// A hash that does not exist or is not allowed.
    #[error("'{}' is not a hash that tls-auth can use here", .0.escape_debug())]
    UnknownDigest(String),
    /// A cookie mode that does not exist.
    #[error("'{}' is not allow-noncookie or force-cookie", .0.escape_debug())]
    UnknownCookieMode(String),
}

impl InvalidWrappingOption {
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::UnknownDirection(_) => "write FILE, FILE:0 or FILE:1; the clients have the opposite number",
            Self::UnknownDigest(_) => "hashes are SHA1, SHA256, SHA384 and SHA512",
            Self::UnknownCookieMode(_) => "force-cookie turns away clients older than OpenVPN 2.6",
        }
    }
}

impl WrappingPaths {
    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        let invalid = |option, value: &str, problem: InvalidWrappingOption| ConfigError::InvalidValue {
            option,
            value: value.to_owned(),
            problem: problem.into(),
        };
        let tls_auth = options
            .tls_auth
            .as_deref()
            .map(|text| text.parse::<TlsAuthFile>().map_err(|problem| invalid("tls-auth", text, problem)));
        let auth = options
            .auth
            .as_deref()
            .map(|text| parse_digest(text).map_err(|problem| invalid("auth", text, problem)));
        let force_cookie = match options.tls_crypt_v2_cookie.as_deref() {
            None | Some("allow-noncookie") => false,
            Some("force-cookie") => true,
            Some(text) => {
                let problem = InvalidWrappingOption::UnknownCookieMode(text.to_owned());
                return Err(invalid("tls-crypt-v2-cookie", text, problem));
            }
        };
        let has_keys = tls_auth.is_some() || options.tls_crypt.is_some() || options.tls_crypt_v2.is_some();
        Ok(Self {
            plain: !has_keys || options.allow_plain.unwrap_or(false),
            tls_auth: tls_auth.transpose()?,
            auth: auth.transpose()?.unwrap_or_default(),
            tls_crypt: options.tls_crypt.clone(),
            tls_crypt_v2: options.tls_crypt_v2.clone(),
            force_cookie,
        })
    }

    /// Whether any wrapping is configured.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        self.tls_auth.is_some() || self.tls_crypt.is_some() || self.tls_crypt_v2.is_some()
    }
}

/// `FILE` or `FILE:DIRECTION`.
impl FromStr for TlsAuthFile {
    type Err = InvalidWrappingOption;

    fn from_str(text: &str) -> Result<Self, InvalidWrappingOption> {
        let (path, direction) = match text.rsplit_once(':') {
            Some((path, "0")) => (path, KeyDirection::Zero),
            Some((path, "1")) => (path, KeyDirection::One),
            Some((_, other)) if !other.contains('/') => {
                return Err(InvalidWrappingOption::UnknownDirection(other.to_owned()));
            }
            Some(_) | None => (text, KeyDirection::Bidirectional),
        };
        Ok(Self { path: path.into(), direction })
    }
}

impl fmt::Display for TlsAuthFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.direction {
            KeyDirection::Zero => write!(out, "{path}:0"),
            KeyDirection::One => write!(out, "{path}:1"),
            KeyDirection::Bidirectional => write!(out, "{path}"),
        }
    }
}

fn parse_digest(text: &str) -> Result<AuthDigest, InvalidWrappingOption> {
    AuthDigest::named(text).ok_or_else(|| InvalidWrappingOption::UnknownDigest(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(options: Options) -> Result<WrappingPaths, String> {
        WrappingPaths::check(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn without_keys_clients_come_plain_and_with_keys_only_if_that_is_allowed() {
        assert!(checked(Options::default()).unwrap().plain);
        let with_key = Options { tls_crypt: Some("k".into()), ..Options::default() };
        assert!(!checked(with_key.clone()).unwrap().plain);
        assert!(checked(Options { allow_plain: Some(true), ..with_key }).unwrap().plain);
    }

    #[test]
    fn a_direction_follows_the_file_and_reads_back() {
        for (text, direction) in [
            ("/etc/ta.key", KeyDirection::Bidirectional),
            ("/etc/ta.key:0", KeyDirection::Zero),
            ("ta.key:1", KeyDirection::One),
            ("/a:b/ta.key", KeyDirection::Bidirectional),
        ] {
            let file: TlsAuthFile = text.parse().unwrap();
            assert_eq!(file.direction, direction, "{text}");
            assert_eq!(file.to_string(), text);
        }
        assert!("ta.key:2".parse::<TlsAuthFile>().is_err());
    }

    #[test]
    fn unknown_hashes_and_cookie_modes_are_named() {
        let error = checked(Options { auth: Some("MD5".to_owned()), ..Options::default() }).unwrap_err();
        assert!(error.contains("--auth MD5") && error.contains("tls-auth"), "{error}");
        let options = Options { tls_crypt_v2_cookie: Some("maybe".to_owned()), ..Options::default() };
        assert!(checked(options).unwrap_err().contains("force-cookie"));
        let options = Options { auth: Some("sha512".to_owned()), ..Options::default() };
        assert_eq!(checked(options).unwrap().auth, AuthDigest::Sha512);
    }
}
