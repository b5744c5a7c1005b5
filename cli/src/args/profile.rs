//! Options about a client profile, for the commands that write one.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use pki_core::bundle::ovpn::{Dialect, TlsAuthDigest};

#[derive(Args)]
#[command(next_help_heading = "Profile options")]
pub(crate) struct ProfileArgs {
    /// Host name or address that clients connect to
    #[arg(long, value_name = "HOST")]
    pub(crate) remote: String,
    /// Port that clients connect to
    #[arg(long, default_value = "1194")]
    pub(crate) port: String,
    /// udp or tcp
    #[arg(long, default_value = "udp")]
    pub(crate) proto: String,
    /// The client that the profile is for
    #[arg(long = "for", value_enum, value_name = "CLIENT", default_value_t)]
    pub(crate) client: ClientArgument,
    /// The key of the server's --tls-auth; the direction is the client's: 1 if the server has 0
    #[arg(long, value_name = "FILE[:DIRECTION]", value_hint = ValueHint::FilePath, group = "wrapping")]
    pub(crate) tls_auth: Option<String>,
    /// The hash of --tls-auth [default: OpenVPN's own, SHA1]
    #[arg(long, value_enum, value_name = "HASH", ignore_case = true, requires = "tls_auth")]
    pub(crate) auth: Option<HashArgument>,
    /// The key of the server's --tls-crypt
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "wrapping")]
    pub(crate) tls_crypt: Option<PathBuf>,
    /// The server's own tls-crypt-v2 key; the profile gets a fresh client key that only this server can unwrap
    #[arg(long, value_name = "SERVERKEY", value_hint = ValueHint::FilePath, group = "wrapping")]
    pub(crate) tls_crypt_v2: Option<PathBuf>,
    /// What the client key tells the server: when it was made, or for whom
    #[arg(long, value_enum, value_name = "KIND", default_value_t, requires = "tls_crypt_v2")]
    pub(crate) tls_crypt_v2_metadata: MetadataArgument,
    /// The common name that the server's certificate must have
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// Have the client ask for a user name and a password as well
    #[arg(long)]
    pub(crate) auth_user_pass: bool,
    /// Have the client ask this as well, for a server with --one-time-secrets: "Code from your app"
    #[arg(long, value_name = "QUESTION", requires = "auth_user_pass")]
    pub(crate) static_challenge: Option<String>,
    /// Have the client put a random label in front of the host name, which a wildcard record must answer
    #[arg(long)]
    pub(crate) remote_random_hostname: bool,
    /// Put the key into the profile without encryption
    #[arg(long)]
    pub(crate) decrypt_key: bool,
}

/// The client that a profile is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientArgument {
    /// Only what OpenVPN 2.4 to 3 and the AWS client all know
    #[default]
    Any,
    /// OpenVPN 2.4 and 2.5
    #[value(name = "openvpn2.4")]
    OpenVpn24,
    /// OpenVPN 2.6 and later
    #[value(name = "openvpn2.6")]
    OpenVpn26,
    /// OpenVPN Connect and OpenVPN 3
    Connect,
    /// The AWS VPN Client
    Aws,
    /// NetworkManager, for `nmcli connection import type openvpn`
    #[value(name = "networkmanager")]
    NetworkManager,
    /// ChromeOS, as an ONC document
    #[value(name = "chromeos-onc")]
    ChromeOsOnc,
}

impl ClientArgument {
    /// How `.ovpn` files for it look; ChromeOS has none.
    pub(crate) fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Any => Some(Dialect::Any),
            Self::OpenVpn24 => Some(Dialect::OpenVpn24),
            Self::OpenVpn26 => Some(Dialect::OpenVpn26),
            Self::Connect => Some(Dialect::Connect),
            Self::Aws => Some(Dialect::Aws),
            Self::NetworkManager => Some(Dialect::NetworkManager),
            Self::ChromeOsOnc => None,
        }
    }
}

/// What a tls-crypt-v2 client key tells the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MetadataArgument {
    /// When it was made, as OpenVPN writes it
    #[default]
    Timestamp,
    /// The name of the client
    User,
}

/// A hash that tls-auth is used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HashArgument {
    #[value(name = "SHA1")]
    Sha1,
    #[value(name = "SHA256")]
    Sha256,
    #[value(name = "SHA384")]
    Sha384,
    #[value(name = "SHA512")]
    Sha512,
}

impl From<HashArgument> for TlsAuthDigest {
    fn from(argument: HashArgument) -> Self {
        match argument {
            HashArgument::Sha1 => Self::Sha1,
            HashArgument::Sha256 => Self::Sha256,
            HashArgument::Sha384 => Self::Sha384,
            HashArgument::Sha512 => Self::Sha512,
        }
    }
}
