//! What can be wrong with a configuration: one cause per variant, each with a code and a way out.

use std::io;
use std::path::PathBuf;

use pki_core::chain::UnknownIdentityField;

use super::access::InvalidRule;
use super::data_channel::InvalidDataChannelOption;
use super::directory::InvalidDirectory;
use super::hooks::InvalidHook;
use super::listen::InvalidListenAddress;
use super::login::UnknownWord;
use super::network::{InvalidNetwork, Network, RoutedNetwork};
use super::operation::InvalidOperationOption;
use super::push::InvalidPush;
use super::security::{InvalidSecurityGroupId, SecurityGroupId};
use super::session::InvalidSessionOption;
use super::wrapping::InvalidWrappingOption;
use crate::auth::InvalidNameRule;
use crate::auth::connect_handler::InvalidHandler;
use crate::management::InvalidManagementAddress;
use crate::transport::port_share::InvalidBackend;
use crate::transport::tun::InvalidDeviceName;

/// Why options are not a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("the configuration file {} is not valid: {message}", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Line, column and expectation.
        message: String,
    },
    /// The file has a key that is no option.
    #[error("unknown key '{}' in {}{}", key.escape_debug(), path.display(), did_you_mean(*suggestion))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The option that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// The file has a directive of OpenVPN that is left out on purpose.
    #[error("'{key}' in {} is not supported: {reason}", path.display())]
    RefusedKey {
        /// The file.
        path: PathBuf,
        /// The directive.
        key: &'static str,
        /// Why it is left out, and what does instead.
        reason: &'static str,
    },
    /// A value does not parse.
    #[error("{} {}: {problem}", written(option), value.escape_debug())]
    InvalidValue {
        /// The option.
        option: &'static str,
        /// The value as given.
        value: String,
        /// What is wrong with it.
        problem: InvalidValue,
    },
    /// An option without which nothing can start.
    #[error("{} is missing", written(option))]
    Missing {
        /// The option.
        option: &'static str,
        /// What it says.
        meaning: &'static str,
    },
    /// Neither a PKI directory nor certificate files were given.
    #[error("no certificates: neither --pki nor --ca, --cert and --key are given")]
    NoCredentials,
    /// Two options that exclude each other.
    #[error("{} and {} exclude each other", written(first), written(second))]
    Exclusive {
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// An option that means nothing, or lets everybody in, where nobody checks passwords.
    #[error("--{option} needs somebody who checks passwords")]
    NeedsLogin {
        /// The option.
        option: &'static str,
    },
    /// An option about tokens where there are none.
    #[error("--{option} needs tokens")]
    NeedsTokens {
        /// The option.
        option: &'static str,
    },
    /// An option that means nothing without a management interface.
    #[error("--{option} needs the management interface")]
    NeedsManagement {
        /// The option.
        option: &'static str,
    },
    /// An option that means nothing without a TCP listener.
    #[error("--{option} needs a TCP port to listen on")]
    NeedsTcp {
        /// The option.
        option: &'static str,
    },
    /// The same value twice where it can only count once.
    #[error("{} {value} is given twice", written(option))]
    Duplicate {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
    },
    /// More values than the option takes.
    #[error("{} is given {given} times, at most {maximum} are possible", written(option))]
    TooMany {
        /// The option.
        option: &'static str,
        /// How often it was given.
        given: usize,
        /// How often it may be given.
        maximum: usize,
    },
    /// Client addresses would be part of a network behind the server.
    #[error("client addresses {client_cidr} overlap the routed network {route}")]
    ClientCidrOverlapsRoute {
        /// The network of client addresses.
        client_cidr: Network,
        /// The routed network.
        route: RoutedNetwork,
    },
    /// Networks that have to be apart.
    #[error("--{option} {network} overlaps {other}")]
    NetworksOverlap {
        /// The option.
        option: &'static str,
        /// The network as given.
        network: String,
        /// What it overlaps.
        other: String,
    },
    /// An IPv6 network where the tunnel carries IPv4 only.
    #[error(
        "{} {value}: the tunnel carries IPv4 only, as --client-cidr has no IPv6 network",
        written(option)
    )]
    NeedsIpv6 {
        /// The option.
        option: &'static str,
        /// The network as given.
        value: String,
    },
    /// Addresses for clients that are not clients' addresses.
    #[error("{} {value} is outside of --client-cidr", written(option))]
    OutsideClientCidr {
        /// The option.
        option: &'static str,
        /// The value as given.
        value: String,
    },
    /// Something in the table of one client.
    #[error("client '{}': {problem}", client.escape_debug())]
    InClient {
        /// The name of the client.
        client: String,
        /// What is wrong.
        problem: Box<ConfigError>,
    },
    /// Something in a rule.
    #[error("rule {number}: {problem}")]
    InRule {
        /// Which rule it is, from 1.
        number: usize,
        /// What is wrong.
        problem: Box<ConfigError>,
    },
    /// Something in a security group.
    #[error("security group '{}': {problem}", group.escape_debug())]
    InSecurityGroup {
        /// The name of the group, or its number if it has none.
        group: String,
        /// What is wrong.
        problem: Box<ConfigError>,
    },
    /// A security group of which nothing is known.
    #[error("the members of the security group '{group}' are not known")]
    UnknownSecurityGroup {
        /// The group.
        group: SecurityGroupId,
    },
    /// A network behind one client that is not among those behind clients.
    #[error("{network} is behind a client, but in no --client-route")]
    NotClientRoute {
        /// The network.
        network: Network,
    },
}

/// What is wrong with a single value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// Not a listen address.
    #[error(transparent)]
    Listen(#[from] InvalidListenAddress),
    /// Not a network of the wanted kind.
    #[error(transparent)]
    Network(#[from] InvalidNetwork),
    /// Not an interface name.
    #[error(transparent)]
    Interface(#[from] InvalidDeviceName),
    /// Not a server to share a port with.
    #[error(transparent)]
    Backend(#[from] InvalidBackend),
    /// Not a session parameter.
    #[error(transparent)]
    Session(#[from] InvalidSessionOption),
    /// Not a way to make data packets.
    #[error(transparent)]
    DataChannel(#[from] InvalidDataChannelOption),
    /// Not something that clients can be told.
    #[error(transparent)]
    Push(#[from] InvalidPush),
    /// Not a way to wrap control packets.
    #[error(transparent)]
    Wrapping(#[from] InvalidWrappingOption),
    /// Not a program to run.
    #[error(transparent)]
    Hook(#[from] InvalidHook),
    /// Not a directory, or not a way to ask it.
    #[error(transparent)]
    Directory(#[from] InvalidDirectory),
    /// Not somebody who can be asked about clients.
    #[error(transparent)]
    Handler(#[from] InvalidHandler),
    /// Not a part of certificates that says who somebody is.
    #[error(transparent)]
    Identity(#[from] UnknownIdentityField),
    /// Not one of the words that the option knows.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// Not a management interface.
    #[error(transparent)]
    Management(#[from] InvalidManagementAddress),
    /// Not a way to operate a server.
    #[error(transparent)]
    Operation(#[from] InvalidOperationOption),
    /// Not a rule about access.
    #[error(transparent)]
    Rule(#[from] InvalidRule),
    /// Not the name of a security group.
    #[error(transparent)]
    SecurityGroup(#[from] InvalidSecurityGroupId),
    /// Not an IP address.
    #[error("not an IP address")]
    NotIpAddress,
    /// Zero where at least one is needed.
    #[error("at least 1 is needed")]
    Zero,
    /// A name of a server certificate that would leave the PKI directory.
    #[error("not a name of a certificate")]
    NotCertificateName,
    /// A text that is no rule about names of clients.
    #[error(transparent)]
    NameRule(#[from] InvalidNameRule),
    /// A text that no user or group is called.
    #[error("not a name of a user or group")]
    NotAccountName,
}

impl ConfigError {
    /// Stable name of this cause for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "config-file-unreadable",
            Self::NotToml { .. } => "config-file-invalid",
            Self::UnknownKey { .. } => "config-key-unknown",
            Self::RefusedKey { .. } => "config-key-refused",
            Self::InvalidValue { .. } => "config-value-invalid",
            Self::Missing { .. } => "config-option-missing",
            Self::NoCredentials => "config-credentials-missing",
            Self::Exclusive { .. } => "config-options-exclusive",
            Self::NeedsLogin { .. } => "config-needs-login",
            Self::NeedsTokens { .. } => "config-needs-tokens",
            Self::NeedsManagement { .. } => "config-needs-management",
            Self::NeedsTcp { .. } => "config-needs-tcp",
            Self::Duplicate { .. } => "config-value-duplicate",
            Self::TooMany { .. } => "config-too-many-values",
            Self::ClientCidrOverlapsRoute { .. } => "config-client-cidr-overlap",
            Self::NetworksOverlap { .. } => "config-networks-overlap",
            Self::NeedsIpv6 { .. } => "config-needs-ipv6",
            Self::OutsideClientCidr { .. } => "config-outside-client-cidr",
            Self::InClient { problem, .. }
            | Self::InRule { problem, .. }
            | Self::InSecurityGroup { problem, .. } => problem.code(),
            Self::UnknownSecurityGroup { .. } => "config-security-group-unknown",
            Self::NotClientRoute { .. } => "config-not-client-route",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check the path and the permissions of the file".to_owned(),
            Self::NotToml { .. } => "the file is TOML with the names of the flags as keys, e.g. \
                 listen = [\"udp:0.0.0.0:1194\"]"
                .to_owned(),
            Self::UnknownKey { .. } => format!("known keys: {}", super::Options::NAMES.join(", ")),
            Self::RefusedKey { key, .. } => format!("remove '{key}' from the file"),
            Self::InvalidValue { problem, .. } => problem.help().to_owned(),
            Self::Missing { option, meaning } => format!("add {}: {meaning}", written(option)),
            Self::NoCredentials => {
                "use --pki DIR --server-name NAME for a directory made by 'postern init-pki' or \
                 easy-rsa, or name the files with --ca, --cert, --key and --crl"
                    .to_owned()
            }
            Self::Exclusive { first, second } => format!("remove {} or {}", written(first), written(second)),
            Self::NeedsLogin { option } => {
                format!(
                    "add --users FILE, a table [directory], --auth-user-pass-verify COMMAND or \
                     --management-client-auth, or remove --{option}"
                )
            }
            Self::NeedsTokens { option } => format!("add --auth-gen-token SECONDS, or remove --{option}"),
            Self::NeedsManagement { option } => format!("add --management unix:PATH, or remove --{option}"),
            Self::NeedsTcp { option } => format!("add --listen tcp:ADDRESS:PORT, or remove --{option}"),
            Self::Duplicate { option, .. } => format!("remove one {}", written(option)),
            Self::TooMany { option, maximum, .. } => format!("keep {maximum} of the {}", written(option)),
            Self::ClientCidrOverlapsRoute { .. } => {
                "choose client addresses that no network behind the server \
                 uses; they cannot be changed while clients are connected"
                    .to_owned()
            }
            Self::NetworksOverlap { .. } => {
                "an address is either a client's, behind a client or behind the server: make the networks smaller"
                    .to_owned()
            }
            Self::NeedsIpv6 { option, .. } => {
                format!("add an IPv6 network to --client-cidr, e.g. fd00:8::/64, or remove {}", written(option))
            }
            Self::OutsideClientCidr { .. } => {
                "choose addresses of the client network that are neither its first nor its last".to_owned()
            }
            Self::InClient { problem, .. }
            | Self::InRule { problem, .. }
            | Self::InSecurityGroup { problem, .. } => problem.help(),
            Self::UnknownSecurityGroup { group } => {
                format!("add [security-peers.{group}] with the addresses of its members")
            }
            Self::NotClientRoute { network } => {
                format!("add --client-route {network}: the host sends it into the tunnel then")
            }
        }
    }
}

impl InvalidValue {
    const fn help(&self) -> &'static str {
        match self {
            Self::Listen(_) => {
                "write udp:ADDRESS:PORT or tcp:ADDRESS:PORT, e.g. udp:0.0.0.0:1194 or tcp:[::]:443"
            }
            Self::Network(InvalidNetwork::ClientCidrSize { .. }) => {
                "choose an IPv4 network between /29 (5 clients) and /12 (1,048,573 clients), an IPv6 network between \
                 /124 and /48"
            }
            Self::Network(InvalidNetwork::NotRange(_)) => "write FIRST-LAST, e.g. 10.8.0.100-10.8.0.199",
            Self::Network(_) => {
                "write a network such as 10.7.0.0/24 or fd07::/64, for --route optionally with its interface: \
                 10.7.0.0/24@eth1"
            }
            Self::Interface(_) => "choose a name such as postern0",
            Self::Backend(_) => "write HOST:PORT, e.g. 127.0.0.1:8443 or [::1]:8443",
            Self::Session(problem) => problem.help(),
            Self::DataChannel(problem) => problem.help(),
            Self::Push(problem) => problem.help(),
            Self::Wrapping(problem) => problem.help(),
            Self::Hook(InvalidHook::NoMethod) => {
                "write the program and its arguments, then via-file or via-env"
            }
            Self::Hook(_) => "write the absolute path of the program, then its arguments",
            Self::Directory(problem) => problem.help(),
            Self::Handler(problem) => problem.help(),
            Self::Word(_) | Self::Identity(_) => "use one of these words",
            Self::Management(_) => "write unix:/run/postern/management.sock or 127.0.0.1:7505",
            Self::Operation(problem) => problem.help(),
            Self::Rule(problem) => problem.help(),
            Self::SecurityGroup(_) => "use letters, digits, - and _, a letter first",
            Self::NotIpAddress => "write an address such as 10.7.0.53",
            Self::Zero => "choose a number of 1 or more",
            Self::NotCertificateName => "use the name that was given to 'postern build-server-full'",
            Self::NameRule(_) => "write for example 'client- name-prefix' or 'C=US, CN=client subject'",
            Self::NotAccountName => "name a user or group of this host, or its number",
        }
    }
}

/// An option as people write it: keys of tables are no flags.
fn written(option: &str) -> String {
    match option.split_once('.') {
        Some((_, key)) => key.to_owned(),
        None => format!("--{option}"),
    }
}

fn did_you_mean(suggestion: Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}
