//! What is known about one connection: the facts that logs, lists and administrators see.
//!
//! Plain data without behaviour; the keys and counters of a connection live in its data channel.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use pki_core::time::Timestamp;
use vpn_proto::{PeerInfo, Transport};

use crate::auth::login::ClientNumber;
use crate::policy::Subject;

/// Names one connection for ever: `cvpn-connection-` and 17 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(Seventeen);

/// Names one VPN endpoint for ever: `cvpn-endpoint-` and 17 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(Seventeen);

/// A connection that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The name of this connection.
    pub id: ConnectionId,
    /// Which client of this process it is.
    pub number: ClientNumber,
    /// When the client was let in.
    pub started: Timestamp,
    /// Where the client's first packets came from.
    pub remote: SocketAddr,
    /// The client's address inside the tunnel.
    pub address: Ipv4Addr,
    /// The client's IPv6 address inside the tunnel, if it has one.
    pub address_v6: Option<Ipv6Addr>,
    /// Whom the certificate names.
    pub client: CertificateFacts,
    /// The name by which rules and settings mean the client: the common name of its certificate, or the user name where that
    /// counts instead.
    pub identity: String,
    /// The groups that it is in, by certificate or by whoever decided about its login.
    pub groups: Vec<String>,
    /// What was found out about the state of the device.
    pub posture_statuses: Vec<String>,
    /// What carries its packets.
    pub transport: Transport,
    /// The user name whose password or token was checked; a name that nobody checked is not kept.
    pub username: Option<String>,
    /// What the client says about itself.
    pub device: DeviceFacts,
    /// What was negotiated.
    pub negotiated: Negotiated,
}

/// What identifies a certificate in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The common name of the subject.
    pub common_name: String,
    /// The serial number in hexadecimal digits, as in file names and `index.txt`.
    pub serial: String,
    /// SHA-256 of the issuer's public key information, in hexadecimal digits.
    pub issuer_key: String,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub fingerprint: String,
}

/// What a client says about itself, unverified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The operating system (`IV_PLAT`).
    pub platform: Option<String>,
    /// The version of the client (`IV_VER`).
    pub version: Option<String>,
    /// All of it, by name.
    pub peer_info: PeerInfo,
}

/// What a client and the server agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The TLS version, e.g. `TLSv1.3`.
    pub tls_version: &'static str,
    /// The TLS cipher suite, e.g. `TLS13_AES_256_GCM_SHA384`.
    pub tls_cipher_suite: &'static str,
    /// The data channel cipher, e.g. `AES-256-GCM`.
    pub data_cipher: &'static str,
}

/// Inner packets and bytes of a connection. Ingress is what the client sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Packets from the client.
    pub ingress_packets: u64,
    /// Bytes from the client.
    pub ingress_bytes: u64,
    /// Packets to the client.
    pub egress_packets: u64,
    /// Bytes to the client.
    pub egress_bytes: u64,
}

impl Connection {
    /// Who it is, as far as rules ask.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject { common_name: Some(self.identity.clone()), groups: self.groups.clone() }
    }
}

impl ConnectionId {
    /// An identifier from random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 9]) -> Self {
        Self(Seventeen::from_random(bytes))
    }
}

impl EndpointId {
    /// An identifier from random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 9]) -> Self {
        Self(Seventeen::from_random(bytes))
    }

    /// Reads what [`fmt::Display`] prints.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("cvpn-endpoint-")?;
        let is_canonical =
            digits.len() == 17 && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let value = u128::from_str_radix(digits, 16).ok().filter(|_| is_canonical)?;
        Some(Self(Seventeen(value)))
    }
}

/// A number of seventeen hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Seventeen(u128);

impl Seventeen {
    const fn from_random(bytes: [u8; 9]) -> Self {
        let [a, b, c, d, e, f, g, h, i] = bytes;
        Self(u128::from_be_bytes([0, 0, 0, 0, 0, 0, 0, a, b, c, d, e, f, g, h, i]) >> 4)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cvpn-connection-{:017x}", self.0.0)
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cvpn-endpoint-{:017x}", self.0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_seventeen_digits() {
        assert_eq!(ConnectionId::from_random([0; 9]).to_string(), "cvpn-connection-00000000000000000");
        assert_eq!(ConnectionId::from_random([0xff; 9]).to_string(), "cvpn-connection-fffffffffffffffff");
        assert_eq!(
            EndpointId::from_random([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12]).to_string(),
            "cvpn-endpoint-123456789abcdef01"
        );
    }

    #[test]
    fn an_endpoint_identifier_reads_back() {
        let id = EndpointId::from_random([0xa7; 9]);
        assert_eq!(EndpointId::parse(&id.to_string()), Some(id));
        for text in [
            "",
            "cvpn-endpoint-",
            "cvpn-endpoint-0",
            "cvpn-endpoint-+0000000000000000",
            "vpn-endpoint-00000000000000000",
        ] {
            assert_eq!(EndpointId::parse(text), None, "{text}");
        }
    }
}
