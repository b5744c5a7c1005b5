//! What those get who have not been let in: answers, places, connections, time (limits table of the threat model).

use std::num::NonZeroU32;
use std::time::Duration;

use super::check::at_least_one;
use super::error::ConfigError;
use super::options::Options;

/// Limits for strangers. A network is /24 of IPv4 or /56 of IPv6; everything but time is counted over the whole server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangerSettings {
    /// From a client's first packet to its tunnel.
    pub handshake_timeout: Duration,
    /// Clients on their way in, by what they take of memory: 24 KiB each.
    pub half_open: u32,
    /// The same from one network.
    pub half_open_per_network: u32,
    /// First packets from one network that are answered in a second.
    pub replies_per_network: NonZeroU32,
    /// TCP connections.
    pub connections: u32,
    /// The same from one network.
    pub connections_per_network: u32,
    /// The time until a connection has brought a complete first packet.
    pub connection_timeout: Duration,
}

impl StrangerSettings {
    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        let number = |option, given, default| Ok(at_least_one(option, given)?.unwrap_or(default));
        let seconds = |option, given, default| number(option, given, default).map(of_seconds);
        let replies = number("replies-per-network", options.replies_per_network, 50)?;
        Ok(Self {
            handshake_timeout: seconds("hand-window", options.hand_window, 30)?,
            half_open: number("max-half-open", options.max_half_open, 4096)?,
            half_open_per_network: number(
                "max-half-open-per-network",
                options.max_half_open_per_network,
                1024,
            )?,
            replies_per_network: NonZeroU32::new(replies).unwrap_or(NonZeroU32::MIN),
            connections: number("max-tcp-strangers", options.max_tcp_strangers, 1024)?,
            connections_per_network: number(
                "max-tcp-strangers-per-network",
                options.max_tcp_strangers_per_network,
                32,
            )?,
            connection_timeout: seconds("tcp-stranger-timeout", options.tcp_stranger_timeout, 10)?,
        })
    }
}

fn of_seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &str) -> Result<StrangerSettings, ConfigError> {
        StrangerSettings::check(&toml::from_str(given).unwrap())
    }

    #[test]
    fn defaults_are_those_of_the_limits_table() {
        let settings = check("").unwrap();
        assert_eq!(settings.handshake_timeout, Duration::from_secs(30));
        assert_eq!((settings.half_open, settings.half_open_per_network), (4096, 1024));
        assert_eq!(settings.replies_per_network.get(), 50);
        assert_eq!((settings.connections, settings.connections_per_network), (1024, 32));
        assert_eq!(settings.connection_timeout, Duration::from_secs(10));
    }

    #[test]
    fn every_limit_can_be_one_and_none_can_be_zero() {
        let limits = [
            "hand-window",
            "max-half-open",
            "max-half-open-per-network",
            "replies-per-network",
            "max-tcp-strangers",
            "max-tcp-strangers-per-network",
            "tcp-stranger-timeout",
        ];
        for name in limits {
            assert!(check(&format!("{name}=1")).is_ok(), "{name}");
            let error = check(&format!("{name}=0")).unwrap_err().to_string();
            assert_eq!(error, format!("--{name} 0: at least 1 is needed"));
        }
    }
}
