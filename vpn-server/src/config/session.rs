//! How sessions are kept: ciphers, TLS version, keepalive, renegotiation.

use std::collections::BTreeSet;
use std::time::Duration;

use vpn_proto::{DataCipher, Keepalive, TlsVersion, UnusableCipher};

/// What holds for sessions from their handshake on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Data channel ciphers in order of preference; never empty.
    pub data_ciphers: Vec<DataCipher>,
    /// The oldest TLS version that a client may speak.
    pub minimum_tls_version: TlsVersion,
    /// Pings and the silence after which a peer counts as gone.
    pub keepalive: Keepalive,
    /// How long one key is used; `None` leaves renegotiation to the client.
    pub renegotiate_after: Option<Duration>,
}

/// Why a session parameter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSessionOption {
    /// A cipher that does not exist, is not in this build, or is not allowed.
    #[error(transparent)]
    UnusableCipher(#[from] UnusableCipher),
    /// The same cipher twice.
    #[error("{0} is named twice")]
    RepeatedCipher(DataCipher),
    /// A TLS version that does not exist or is not allowed.
    #[error("'{}' is not a TLS version that is spoken here", .0.escape_debug())]
    UnknownTlsVersion(String),
    /// A ping interval of nothing.
    #[error("pings need an interval of 1 second or more")]
    NoPingInterval,
    /// A client would be given up although only one ping was lost.
    #[error("the timeout is less than twice the ping interval")]
    TimeoutTooShort,
}

impl InvalidSessionOption {
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::UnusableCipher(UnusableCipher::Unknown(_)) | Self::RepeatedCipher(_) => {
                "ciphers are AES-256-GCM, AES-128-GCM and CHACHA20-POLY1305, separated by colons"
            }
            Self::UnusableCipher(unusable) => unusable.help(),
            Self::UnknownTlsVersion(_) => "versions are 1.2 and 1.3",
            Self::NoPingInterval | Self::TimeoutTooShort => "the usual values are 10 and 60",
        }
    }
}

pub(super) fn parse_data_ciphers(text: &str) -> Result<Vec<DataCipher>, InvalidSessionOption> {
    let mut seen = BTreeSet::new();
    text.split(':')
        .map(|name| {
            let cipher: DataCipher = name.parse()?;
            seen.insert(cipher).then_some(cipher).ok_or(InvalidSessionOption::RepeatedCipher(cipher))
        })
        .collect()
}

pub(super) fn print_data_ciphers(ciphers: &[DataCipher]) -> String {
    ciphers.iter().map(|cipher| cipher.name()).collect::<Vec<_>>().join(":")
}

pub(super) fn parse_tls_version(text: &str) -> Result<TlsVersion, InvalidSessionOption> {
    match text {
        "1.2" => Ok(TlsVersion::Tls12),
        "1.3" => Ok(TlsVersion::Tls13),
        _ => Err(InvalidSessionOption::UnknownTlsVersion(text.to_owned())),
    }
}

pub(super) const fn print_tls_version(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    }
}

pub(super) fn check_keepalive([ping, restart]: [u32; 2]) -> Result<Keepalive, InvalidSessionOption> {
    if ping == 0 {
        return Err(InvalidSessionOption::NoPingInterval);
    }
    if u64::from(restart) < 2 * u64::from(ping) {
        return Err(InvalidSessionOption::TimeoutTooShort);
    }
    Ok(Keepalive {
        ping: Duration::from_secs(ping.into()),
        ping_restart: Duration::from_secs(restart.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_keep_their_order_of_preference() {
        let ciphers = parse_data_ciphers("CHACHA20-POLY1305:AES-256-GCM").unwrap();
        assert_eq!(ciphers, [DataCipher::ChaCha20Poly1305, DataCipher::Aes256Gcm]);
        assert_eq!(print_data_ciphers(&ciphers), "CHACHA20-POLY1305:AES-256-GCM");
    }

    #[test]
    fn key_01_only_aead_ciphers_can_be_asked_for() {
        for text in ["", "AES-256-CBC", "BF-CBC", "none", "AES-256-GCM:", "AES-256-GCM,AES-128-GCM"] {
            assert!(
                matches!(parse_data_ciphers(text), Err(InvalidSessionOption::UnusableCipher(_))),
                "{text}"
            );
        }
        let cbc = parse_data_ciphers("AES-256-CBC").unwrap_err();
        assert!(cbc.help().contains("allow CBC ciphers"), "{cbc}: {}", cbc.help());
        assert_eq!(
            parse_data_ciphers("AES-128-GCM:aes-128-gcm"),
            Err(InvalidSessionOption::RepeatedCipher(DataCipher::Aes128Gcm))
        );
    }

    #[test]
    fn tls_01_nothing_below_1_2_can_be_asked_for() {
        for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
            assert_eq!(parse_tls_version(print_tls_version(version)), Ok(version));
        }
        for text in ["1.0", "1.1", "1", "TLSv1.2", ""] {
            assert!(parse_tls_version(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timeout_leaves_room_for_a_lost_ping() {
        assert_eq!(check_keepalive([10, 20]).unwrap().ping_restart, Duration::from_secs(20));
        assert_eq!(check_keepalive([10, 19]), Err(InvalidSessionOption::TimeoutTooShort));
        assert_eq!(check_keepalive([0, 60]), Err(InvalidSessionOption::NoPingInterval));
        assert_eq!(check_keepalive([u32::MAX, u32::MAX]), Err(InvalidSessionOption::TimeoutTooShort));
    }
}
