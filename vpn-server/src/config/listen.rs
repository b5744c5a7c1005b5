//! Where the server listens: `udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`, IPv6 addresses in brackets.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use vpn_proto::Transport;

/// One socket address that clients connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenAddress {
    /// What they connect by.
    pub transport: Transport,
    /// The address to bind.
    pub address: SocketAddr,
}

impl ListenAddress {
    /// The port that the stock client assumes, on every IPv4 address of the host.
    pub const DEFAULT: Self = Self {
        transport: Transport::Udp,
        address: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 1194),
    };
}

/// Why a text is not a listen address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidListenAddress {
    /// Neither `udp:` nor `tcp:` in front.
    #[error("the transport is missing")]
    TransportMissing,
    /// Something else than `udp:` or `tcp:` in front.
    #[error("'{0}' is not a transport")]
    UnknownTransport(String),
    /// What follows the transport is not an address with a port.
    #[error("'{0}' is not an IP address with a port")]
    NotSocketAddress(String),
    /// Port 0 would be a different port at every start.
    #[error("port 0 is not a port that clients could be told")]
    PortZero,
}

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (transport, address) = split_transport(text)?;
        let transport = match transport.to_ascii_lowercase().as_str() {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            _ => return Err(InvalidListenAddress::UnknownTransport(transport.to_owned())),
        };
        let address: SocketAddr =
            address.parse().map_err(|_| InvalidListenAddress::NotSocketAddress(address.to_owned()))?;
        match address.port() {
            0 => Err(InvalidListenAddress::PortZero),
            _ => Ok(Self { transport, address }),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        write!(out, "{transport}:{}", self.address)
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Splits at the first colon, unless what stands before it is already part of an address.
fn split_transport(text: &str) -> Result<(&str, &str), InvalidListenAddress> {
    match text.split_once(':') {
        Some((transport, address))
            if !transport.is_empty() && transport.chars().all(|c| c.is_ascii_alphabetic()) =>
        {
            Ok((transport, address))
        }
        Some(_) | None => Err(InvalidListenAddress::TransportMissing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_of_both_transports_and_families() {
        for text in ["udp:0.0.0.0:1194", "tcp:[::]:443", "udp:[2001:db8::1]:1194", "tcp:192.0.2.1:65535"] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        assert_eq!("UDP:192.0.2.1:1".parse::<ListenAddress>().unwrap().to_string(), "udp:192.0.2.1:1");
    }

    #[test]
    fn the_default_prints_as_it_is_written() {
        assert_eq!(ListenAddress::DEFAULT.to_string(), "udp:0.0.0.0:1194");
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", InvalidListenAddress::TransportMissing),
            ("1194", InvalidListenAddress::TransportMissing),
            ("0.0.0.0:1194", InvalidListenAddress::TransportMissing),
            ("[::]:1194", InvalidListenAddress::TransportMissing),
            ("sctp:0.0.0.0:443", InvalidListenAddress::UnknownTransport("sctp".to_owned())),
            ("udp:0.0.0.0", InvalidListenAddress::NotSocketAddress("0.0.0.0".to_owned())),
            ("udp:::1:1194", InvalidListenAddress::NotSocketAddress("::1:1194".to_owned())),
            ("udp:host:1194", InvalidListenAddress::NotSocketAddress("host:1194".to_owned())),
            ("udp:0.0.0.0:0", InvalidListenAddress::PortZero),
            ("udp:0.0.0.0:65536", InvalidListenAddress::NotSocketAddress("0.0.0.0:65536".to_owned())),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }
}
