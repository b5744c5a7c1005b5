//! The configuration of a server: options as given, and what they mean.
//!
//! [`Options`] are texts and numbers from the command line and a TOML file, under the same names; a flag beats the
//! file. [`Config::check`] parses them into a [`Config`], in which nothing is left to be checked. Reads no file but the
//! one it is told to load.

mod access;
mod advice;
mod association;
mod check;
mod client;
mod client_directives;
mod confinement;
mod connect_handler;
mod data_channel;
mod directory;
mod error;
mod hooks;
mod inside;
mod listen;
mod load;
mod login;
mod network;
mod operation;
mod option_table;
mod options;
mod push;
mod reload;
mod run_as;
mod security;
mod session;
mod show;
mod standing;
mod strangers;
mod wrapping;

pub use access::{
    AccessOptions, AccessRule, AccessSettings, Allowed, CertificateGroups, InvalidRule, LONGEST_GROUP,
    MOST_GROUPS, RuleOptions,
};
pub use advice::Advice;
pub use association::{Association, AssociationOptions, Translation};
pub use check::{Config, CredentialPaths, LiveSettings, TunnelMode};
pub use client::{ClientOptions, ClientPush, ClientSettings, ClientTable, MOST_CLIENT_NETWORKS};
pub use client_directives::{ClientDirectives, IgnoredLine};
pub use confinement::Confinement;
pub use data_channel::{DataChannelSettings, InvalidDataChannelOption};
pub use directory::{DirectoryOptions, DirectoryTable, InvalidDirectory};
pub use error::{ConfigError, InvalidValue};
pub use hooks::{HookCommand, HookSettings, InvalidHook, VerifyCommand, VerifyMethod};
pub use inside::InsideSettings;
pub use listen::{InvalidListenAddress, ListenAddress};
pub(crate) use load::nearest;
pub use login::{DuplicatePolicy, IdleLimit, LoginSettings, SessionLimits, UnknownWord};
pub use network::{
    AddressRange, ClientCidr, ClientCidrV6, ClientCidrs, InvalidNetwork, Network, RoutedNetwork,
};
pub use operation::InvalidOperationOption;
pub use options::Options;
pub use pki_core::bundle::document::InvalidLine;
pub(crate) use pki_core::bundle::document::words;
pub use push::{
    Banner, Domain, InvalidPush, MAXIMUM_DNS_SERVERS, MOST_PUSHED_OCTETS, PushSettings, RedirectFlags,
    parse_option,
};
pub use reload::ConfigChange;
pub use run_as::RunAs;
pub use security::{
    GroupRule, GroupRuleOptions, InvalidSecurityGroupId, SecurityGroup, SecurityGroupId,
    SecurityGroupOptions, SecurityPeer, SecurityPeerOptions, SecuritySettings,
};
pub use session::{InvalidSessionOption, SessionSettings};
pub use standing::EndpointStanding;
pub use strangers::StrangerSettings;
pub use wrapping::{InvalidWrappingOption, TlsAuthFile, WrappingPaths};
