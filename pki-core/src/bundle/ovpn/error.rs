//! Why a profile cannot be written.

use super::Dialect;
use crate::bundle::BundleError;
use crate::error::{ErrorKind, Explain};

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
    /// Not a name that can stand in quotes.
    #[error("'{name}' cannot be the name of a server in a profile")]
    ServerName {
        /// The text, escaped.
        name: String,
    },
    /// Not a question that can stand in quotes.
    #[error("'{text}' cannot be asked by a client")]
    Challenge {
        /// The text, escaped.
        text: String,
    },
    /// Not a name that can stand in a profile without quotes.
    #[error("'{name}' cannot be the name of a file that a profile refers to")]
    FileName {
        /// The text, escaped.
        name: String,
    },
    /// The key file is encrypted in the old PEM form.
    #[error("the key is encrypted in the legacy PEM form, which many clients cannot read")]
    LegacyKey,
    /// This kind of client does not know this way to wrap the control channel.
    #[error("{dialect} does not know {wrapping}")]
    UnknownWrapping {
        /// The kind of client.
        dialect: &'static str,
        /// `tls-auth`, `tls-crypt` or `tls-crypt-v2`.
        wrapping: &'static str,
    },
    /// A random label in front of an address makes no host name.
    #[error("{host} is an address; a random label can stand in front of a host name only")]
    RandomAddress {
        /// The address.
        host: String,
    },
    /// This kind of client does not put a random label in front of a host name.
    #[error("{dialect} does not know remote-random-hostname")]
    RandomHost {
        /// The kind of client.
        dialect: &'static str,
    },
    /// A file that only makes sense for one client was asked for without one.
    #[error("there is no certificate and key to put into this format")]
    NoIdentity,
    /// A container inside the profile cannot be made.
    #[error(transparent)]
    Container(#[from] BundleError),
}

impl ProfileError {
    pub(super) fn unknown_wrapping(dialect: Dialect, wrapping: &'static str) -> Self {
        Self::UnknownWrapping { dialect: dialect.product(), wrapping }
    }
}

impl Explain for ProfileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host-unacceptable",
            Self::Port { .. } => "port-unacceptable",
            Self::Protocol { .. } => "protocol-unacceptable",
            Self::ServerName { .. } => "server-name-unacceptable",
            Self::Challenge { .. } => "challenge-unacceptable",
            Self::FileName { .. } => "file-name-unacceptable",
            Self::LegacyKey => "key-legacy-pem",
            Self::UnknownWrapping { .. } => "wrapping-unknown-to-client",
            Self::RandomAddress { .. } => "random-address",
            Self::RandomHost { .. } => "random-host-unknown-to-client",
            Self::NoIdentity => "profile-without-identity",
            Self::Container(cause) => cause.code(),
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
            Self::ServerName { .. } => {
                "Write the common name of the server's certificate, without quotes, backslashes and line breaks."
                    .into()
            }
            Self::Challenge { .. } => "Ask with at most 100 characters, without quotes, backslashes and line breaks.".into(),
            Self::FileName { .. } => "Use letters, digits, and the characters . _ @ - only.".into(),
            Self::LegacyKey => {
                "Export with --decrypt-key, or re-encrypt the file: openssl pkcs8 -topk8 -v2 aes-256-cbc."
                    .into()
            }
            Self::UnknownWrapping { .. } => {
                "Offer this client another kind beside it (the server takes several on one port), or export for \
                 another client."
                    .into()
            }
            Self::RandomAddress { .. } => "Name the server, or leave --remote-random-hostname out.".into(),
            Self::RandomHost { .. } => "Leave --remote-random-hostname out.".into(),
            Self::NoIdentity => "Name a client, and do not leave its key out.".into(),
            Self::Container(cause) => cause.help(),
        }
    }
}
