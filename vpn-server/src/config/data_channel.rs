//! The data channel beside its ciphers: CBC for old clients, the replay window, the MTU of the tunnel and what is done for
//! packets to fit outside of it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use vpn_proto::{AuthDigest, CbcCipher, ReplayWindowSize, UnusableCipher};

use super::check::parse;
use super::error::ConfigError;
use super::options::Options;
use crate::dataplane::OuterLimit;

/// What every IPv4 host takes.
const SMALLEST_MTU: u16 = 576;
/// What every IPv6 host takes (RFC 8200, section 5).
const SMALLEST_MTU_V6: u16 = 1280;
/// Jumbo frames.
const LARGEST_MTU: u16 = 9000;

/// How data packets are made, as far as clients are not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataChannelSettings {
    /// CBC ciphers for clients that know none of the others, best first; empty unless asked for (KEY-01).
    pub cbc_ciphers: Vec<CbcCipher>,
    /// The digest for CBC clients that say none.
    pub cbc_digest: AuthDigest,
    /// How far behind the newest a data packet may be.
    pub replay_window: ReplayWindowSize,
    /// The longest packet inside the tunnel, in octets.
    pub tun_mtu: u16,
    /// The longest packet outside of the tunnel that TCP connections inside are shaped for.
    pub outer_limit: OuterLimit,
}

/// Why an option about data packets cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDataChannelOption {
    /// A cipher that does not exist, or none of CBC.
    #[error(transparent)]
    Cipher(#[from] UnusableCipher),
    /// The same cipher twice.
    #[error("{} is named twice", .0.name())]
    RepeatedCipher(CbcCipher),
    /// A digest that does not exist or is not taken any more.
    #[error("'{}' is not a digest for data packets", .0.escape_debug())]
    Digest(String),
    /// A window that is too small or too large.
    #[error("a replay window has {} to {} packets", ReplayWindowSize::MINIMUM, ReplayWindowSize::MAXIMUM)]
    ReplayWindow,
    /// An MTU that is too small or too large.
    #[error("the MTU of this tunnel can be {smallest} to {LARGEST_MTU}")]
    TunMtu {
        /// The smallest one for the families that the tunnel carries.
        smallest: u16,
    },
    /// A limit below what every host takes.
    #[error("outer packets have {} octets at least", OuterLimit::SHORTEST)]
    OuterLimit,
}

impl InvalidDataChannelOption {
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::Cipher(_) | Self::RepeatedCipher(_) => {
                "CBC ciphers are AES-256-CBC, AES-192-CBC and AES-128-CBC, separated by colons"
            }
            Self::Digest(_) => "digests are SHA1, SHA256, SHA384 and SHA512",
            Self::ReplayWindow => "2048 is the default; stock servers have 64",
            Self::TunMtu { .. } => "1500 is the default, and what every client can do",
            Self::OuterLimit => "1492 is the default; 0 leaves segment sizes alone",
        }
    }
}

impl DataChannelSettings {
    pub(super) fn check(options: &Options, carries_ipv6: bool) -> Result<Self, ConfigError> {
        Ok(Self {
            cbc_ciphers: parse::<CbcCiphers>("cbc-ciphers", options.cbc_ciphers.as_deref())?
                .map_or_else(Vec::new, |CbcCiphers(ciphers)| ciphers),
            cbc_digest: parse::<Digest>("cbc-digest", options.cbc_digest.as_deref())?
                .map_or_else(AuthDigest::default, |Digest(digest)| digest),
            replay_window: number("replay-window", options.replay_window, |ids| {
                ReplayWindowSize::new(ids).ok_or(InvalidDataChannelOption::ReplayWindow)
            })?
            .unwrap_or_default(),
            tun_mtu: number("tun-mtu", options.tun_mtu, |mtu| check_mtu(mtu, carries_ipv6))?.unwrap_or(1500),
            outer_limit: number("mssfix", options.mssfix, check_outer_limit)?.unwrap_or_default(),
        })
    }

    pub(super) fn print_cbc_ciphers(&self) -> Option<String> {
        let names: Vec<_> = self.cbc_ciphers.iter().map(|cipher| cipher.name()).collect();
        (!names.is_empty()).then(|| names.join(":"))
    }
}

/// Names separated by colons.
struct CbcCiphers(Vec<CbcCipher>);

impl FromStr for CbcCiphers {
    type Err = InvalidDataChannelOption;

    fn from_str(text: &str) -> Result<Self, InvalidDataChannelOption> {
        let mut seen = BTreeSet::new();
        let parse = |name: &str| {
            let cipher: CbcCipher = name.parse()?;
            seen.insert(cipher).then_some(cipher).ok_or(InvalidDataChannelOption::RepeatedCipher(cipher))
        };
        text.split(':').map(parse).collect::<Result<_, _>>().map(Self)
    }
}

struct Digest(AuthDigest);

impl FromStr for Digest {
    type Err = InvalidDataChannelOption;

    fn from_str(text: &str) -> Result<Self, InvalidDataChannelOption> {
        let digest = AuthDigest::named(text).ok_or_else(|| InvalidDataChannelOption::Digest(text.to_owned()));
        digest.map(Self)
    }
}

fn check_mtu(mtu: u16, carries_ipv6: bool) -> Result<u16, InvalidDataChannelOption> {
    let smallest = if carries_ipv6 { SMALLEST_MTU_V6 } else { SMALLEST_MTU };
    let is_usable = (smallest..=LARGEST_MTU).contains(&mtu);
    is_usable.then_some(mtu).ok_or(InvalidDataChannelOption::TunMtu { smallest })
}

fn check_outer_limit(octets: u16) -> Result<OuterLimit, InvalidDataChannelOption> {
    match octets {
        0 => Ok(OuterLimit::NONE),
        _ => OuterLimit::new(octets).ok_or(InvalidDataChannelOption::OuterLimit),
    }
}

fn number<N: fmt::Display + Copy, T>(
    option: &'static str,
    given: Option<N>,
    check: impl FnOnce(N) -> Result<T, InvalidDataChannelOption>,
) -> Result<Option<T>, ConfigError> {
    let Some(number) = given else { return Ok(None) };
    check(number).map(Some).map_err(|problem| ConfigError::InvalidValue {
        option,
        value: number.to_string(),
        problem: problem.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_01_without_being_asked_nothing_but_the_defaults() {
        let settings = check("").unwrap();
        assert_eq!(settings.cbc_ciphers, []);
        assert_eq!((settings.tun_mtu, settings.replay_window.get()), (1500, 2048));
        assert_eq!(settings.outer_limit, OuterLimit::default());
    }

    #[test]
    fn old_clients_and_odd_paths_can_be_served() {
        let settings = check(
            "cbc-ciphers = 'AES-256-CBC:aes-128-cbc'\ncbc-digest = 'sha512'\nreplay-window = 64\ntun-mtu = 1400\nmssfix = 1300",
        )
        .unwrap();
        assert_eq!(settings.print_cbc_ciphers().unwrap(), "AES-256-CBC:AES-128-CBC");
        assert_eq!(settings.cbc_digest, AuthDigest::Sha512);
        assert_eq!((settings.tun_mtu, settings.replay_window.get()), (1400, 64));
        assert_eq!(settings.outer_limit.octets(), Some(1300));
        assert_eq!(check("mssfix = 0").unwrap().outer_limit, OuterLimit::NONE);
    }

    #[test]
    fn every_mistake_has_its_own_message() {
        for (given, message) in [
            ("cbc-ciphers = 'BF-CBC'", "--cbc-ciphers BF-CBC: 'BF-CBC' is not a data channel cipher"),
            ("cbc-ciphers = ''", "--cbc-ciphers : '' is not a data channel cipher"),
            (
                "cbc-ciphers = 'AES-256-CBC:AES-256-CBC'",
                "--cbc-ciphers AES-256-CBC:AES-256-CBC: AES-256-CBC is named twice",
            ),
            ("cbc-digest = 'MD5'", "--cbc-digest MD5: 'MD5' is not a digest for data packets"),
            ("replay-window = 63", "--replay-window 63: a replay window has 64 to 65536 packets"),
            ("replay-window = 65537", "--replay-window 65537: a replay window has 64 to 65536 packets"),
            ("tun-mtu = 575", "--tun-mtu 575: the MTU of this tunnel can be 576 to 9000"),
            ("tun-mtu = 9001", "--tun-mtu 9001: the MTU of this tunnel can be 576 to 9000"),
            ("mssfix = 500", "--mssfix 500: outer packets have 576 octets at least"),
        ] {
            let error = check(given).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!error.help().is_empty());
        }
    }

    #[test]
    fn ipv6_needs_an_mtu_of_1280() {
        let mtu = |mtu| {
            let options = Options { tun_mtu: Some(mtu), ..Options::default() };
            DataChannelSettings::check(&options, true).is_ok()
        };
        assert!(mtu(1280) && !mtu(1279));
    }

    fn check(text: &str) -> Result<DataChannelSettings, ConfigError> {
        DataChannelSettings::check(&toml::from_str(text).unwrap(), false)
    }
}
