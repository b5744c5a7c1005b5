//! Where a client connects to: host, port and transport, each with its own grammar.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::ProfileError;

/// Where clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Name or address of the server.
    pub host: Host,
    /// Its port.
    pub port: Port,
    /// Its transport.
    pub protocol: Protocol,
}

/// A DNS name or an IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// Reads a DNS name (letters, digits, hyphens, underscores) or an IP address without brackets.
    ///
    /// # Errors
    /// [`ProfileError::Host`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        if is_address(text) || is_host_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(ProfileError::Host { host: text.escape_debug().to_string() })
    }

    /// The host as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an IP address.
    #[must_use]
    pub fn is_address(&self) -> bool {
        is_address(&self.0)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A port number from 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(std::num::NonZeroU16);

impl Port {
    /// OpenVPN's registered port.
    pub const OPENVPN: u16 = 1194;

    /// Reads a decimal port number.
    ///
    /// # Errors
    /// [`ProfileError::Port`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let is_plain = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_plain);
        number.map(Self).ok_or_else(|| ProfileError::Port { port: text.escape_debug().to_string() })
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A transport of the OpenVPN protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Protocol {
    #[default]
    Udp,
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

impl FromStr for Protocol {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        match text {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            _ => Err(ProfileError::Protocol { protocol: text.escape_debug().to_string() }),
        }
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_number = name.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    name.len() <= 253 && !is_number && name.split('.').all(is_label)
}
