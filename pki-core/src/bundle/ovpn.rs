//! Client profiles that every OpenVPN client from 2.4 to 3, and the AWS client, accept.
//!
//! Only directives that all of them know are written. Every value comes from a type with its own grammar, and inline
//! blocks hold re-encoded PEM, so nothing that stands in a name or in a file can become a directive.
//!
//! `reneg-sec 0` leaves the renewal of keys to the server: it is the side that checks revocation, at every renewal and
//! in between, and two clocks that renew independently only collide. A server with its own timer is not affected.

use std::fmt;
use std::net::IpAddr;

use crate::cert::Certificate;
use crate::error::{ErrorKind, Explain};
use crate::key::{EncodedKey, PrivateKey};

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
        let is_address = text.parse::<IpAddr>().is_ok();
        if is_address || is_host_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(ProfileError::Host { host: text.escape_debug().to_string() })
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

/// A profile for one client, or for everybody.
pub struct ClientProfile<'a> {
    /// Where to connect to.
    pub remote: Remote,
    /// The authorities that the server's certificate may come from.
    pub authorities: &'a [Certificate],
    /// Who the client is; without it the blocks can be appended later.
    pub identity: Option<ClientIdentity<'a>>,
}

/// Certificate and key of a client.
pub struct ClientIdentity<'a> {
    /// The certificate, and those between it and the authority.
    pub chain: &'a [Certificate],
    /// The key.
    pub key: ProfileKey<'a>,
}

/// The key in a profile.
pub enum ProfileKey<'a> {
    /// As it stands in its file: an encrypted key stays encrypted, and the client asks for the passphrase.
    AsStored(&'a EncodedKey),
    /// Without encryption.
    Plain(&'a PrivateKey),
}

impl ClientProfile<'_> {
    /// The text of the profile; it always ends in a newline, so that blocks can be appended.
    ///
    /// # Errors
    /// [`ProfileError::LegacyKey`] if the key's encryption is one that only OpenSSL's command line reads.
    pub fn to_text(&self) -> Result<zeroize::Zeroizing<String>, ProfileError> {
        let mut text = zeroize::Zeroizing::new(self.directives());
        let authorities: String = self.authorities.iter().map(Certificate::to_pem).collect();
        push_block(&mut text, "ca", &authorities);
        if let Some(identity) = &self.identity {
            let chain: String = identity.chain.iter().map(Certificate::to_pem).collect();
            push_block(&mut text, "cert", &chain);
            push_block(&mut text, "key", &identity.key.to_pem()?);
        }
        Ok(text)
    }

    fn directives(&self) -> String {
        let Remote { host, port, protocol } = &self.remote;
        format!(
            "client\n\
             dev tun\n\
             proto {protocol}\n\
             remote {} {}\n\
             resolv-retry infinite\n\
             nobind\n\
             persist-key\n\
             persist-tun\n\
             remote-cert-tls server\n\
             cipher AES-256-GCM\n\
             verb 3\n\
             reneg-sec 0\n",
            host.0, port.0
        )
    }
}

impl ProfileKey<'_> {
    fn to_pem(&self) -> Result<zeroize::Zeroizing<String>, ProfileError> {
        match self {
            Self::Plain(key) => Ok(key.to_plain_pem()),
            Self::AsStored(EncodedKey::Plain(key)) => Ok(key.to_plain_pem()),
            Self::AsStored(EncodedKey::Encrypted(key)) => key.to_pem().ok_or(ProfileError::LegacyKey),
        }
    }
}

fn push_block(text: &mut String, name: &str, pem: &str) {
    text.push_str(&format!("<{name}>\n"));
    text.push_str(pem);
    text.push_str(&format!("</{name}>\n"));
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

/// Why a profile cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Not a DNS name and not an address.
    #[error("'{host}' is neither a host name nor an IP address")]
    Host {
        /// The text, escaped.
        host: String,
    },
    /// Not a port number.
    #[error("'{port}' is not a port number")]
    Port {
        /// The text, escaped.
        port: String,
    },
    /// Not a protocol.
    #[error("'{protocol}' is not a protocol")]
    Protocol {
        /// The text, escaped.
        protocol: String,
    },
    /// The key file is encrypted in the old PEM form.
    #[error("the key is encrypted in the legacy PEM form, which many clients cannot read")]
    LegacyKey,
}

impl std::str::FromStr for Protocol {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        match text {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            _ => Err(ProfileError::Protocol { protocol: text.escape_debug().to_string() }),
        }
    }
}

impl Explain for ProfileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host-unacceptable",
            Self::Port { .. } => "port-unacceptable",
            Self::Protocol { .. } => "protocol-unacceptable",
            Self::LegacyKey => "key-legacy-pem",
        }
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::User
    }

    fn help(&self) -> String {
        match self {
            Self::Host { .. } => {
                "Write a name such as vpn.example.net, or an address without brackets.".into()
            }
            Self::Port { .. } => "Write a number from 1 to 65535.".into(),
            Self::Protocol { .. } => "Write udp or tcp.".into(),
            Self::LegacyKey => {
                "Export with --decrypt-key, or re-encrypt the file: openssl pkcs8 -topk8 -v2 aes-256-cbc."
                    .into()
            }
        }
    }
}
