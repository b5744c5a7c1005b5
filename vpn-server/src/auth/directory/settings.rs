//! Which directory is asked, and how.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Template;

/// Everything about a directory, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectorySettings {
    /// The servers, the preferred one first; all of them hold the same entries.
    pub servers: Vec<ServerUrl>,
    /// PEM file with the authorities of their certificates; without one those of the host count.
    pub authorities: Option<PathBuf>,
    /// As whom the directory is asked.
    pub sign_on: SignOn,
    /// Where the entries of users are.
    pub users: Option<UserSearch>,
    /// Which groups users are in.
    pub groups: GroupSettings,
    /// How long it may take.
    pub limits: TimeLimits,
    /// How many logins are decided at once.
    pub threads: usize,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    url: String,
    security: Security,
}

/// What protects the passwords on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet (`ldaps`).
    Tls,
    /// TLS before anything is asked (`ldap` with StartTLS).
    StartTls,
    /// Nothing.
    Nothing,
}

/// Why a text names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidServerUrl {
    /// It is no URL of a directory.
    #[error("it begins neither with ldap:// nor with ldaps://")]
    Scheme,
    /// There is no host.
    #[error("there is no host name in it")]
    NoHost,
    /// The host is an IPv6 address, which the TLS of directories cannot be checked against here.
    #[error("an IPv6 address cannot be used, a name can")]
    Ipv6Address,
    /// The port is none.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// There is more than a server in it.
    #[error("only a host and a port may stand in it")]
    MoreThanServer,
}

/// As whom a directory is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignOn {
    /// As an account of the server, which finds the entry of the user; then as the user.
    Service {
        /// The name of the account.
        name: String,
        /// File whose first line is its password.
        password_file: PathBuf,
    },
    /// As the user from the beginning, by a name made of the user name.
    Direct(Template),
}

/// Where the entries of users are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSearch {
    /// Below which entry.
    pub base: String,
    /// Which of them is that of `{user}`.
    pub filter: Template,
}

/// Which groups count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Where memberships are found.
    pub source: GroupSource,
    /// What rules name them by.
    pub identifier: GroupIdentifier,
    /// How many groups of groups are followed upwards; 0 leaves it at those that the user itself is in.
    pub depth: u8,
}

/// Where memberships are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupSource {
    /// Nowhere: groups do not count.
    Nowhere,
    /// In an attribute of the member, such as `memberOf`, with the distinguished names of groups.
    Attribute(String),
    /// In the groups: those below `base` that a filter with `{dn}`, the name of the member, finds.
    Search {
        /// Below which entry.
        base: String,
        /// Which of them the member is in.
        filter: Template,
    },
}

/// What a group is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupIdentifier {
    /// By its distinguished name, as the directory writes it.
    DistinguishedName,
    /// By its security identifier.
    Sid,
    /// By this attribute.
    Attribute(String),
}

/// How long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// To connect to a server, with TLS.
    pub connect: Duration,
    /// One question.
    pub operation: Duration,
    /// A whole login, all servers included.
    pub total: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            operation: Duration::from_secs(5),
            total: Duration::from_secs(15),
        }
    }
}

impl DirectorySettings {
    /// Logins that are decided at once by default.
    pub const DEFAULT_THREADS: usize = 8;
    /// Groups of one user that count; the rest is left out.
    pub const MOST_GROUPS: usize = 200;
    /// How many groups of groups can be followed upwards.
    pub const GREATEST_DEPTH: u8 = 16;

    /// Whether any server is spoken to over TLS.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.servers.iter().any(|server| server.security != Security::Nothing)
    }
}

impl GroupIdentifier {
    /// The attribute that has to be read for it.
    pub(super) fn attribute(&self) -> Option<&str> {
        match self {
            Self::DistinguishedName => None,
            Self::Sid => Some("objectSid"),
            Self::Attribute(name) => Some(name),
        }
    }
}

impl ServerUrl {
    /// Takes `ldap://HOST[:PORT]` or `ldaps://HOST[:PORT]`; `without_tls` is what the administrator says about the former.
    ///
    /// # Errors
    ///
    /// [`InvalidServerUrl`] for everything else.
    pub fn parse(text: &str, without_tls: bool) -> Result<Self, InvalidServerUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidServerUrl::Scheme)?;
        let security = match scheme {
            "ldaps" => Security::Tls,
            "ldap" if without_tls => Security::Nothing,
            "ldap" => Security::StartTls,
            _ => return Err(InvalidServerUrl::Scheme),
        };
        let server = rest.strip_suffix('/').unwrap_or(rest);
        check_server(server)?;
        Ok(Self { url: format!("{scheme}://{server}"), security })
    }

    /// The URL, with scheme, host and port.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// What protects what is said to it.
    #[must_use]
    pub const fn security(&self) -> Security {
        self.security
    }
}

fn check_server(server: &str) -> Result<(), InvalidServerUrl> {
    if server.starts_with('[') {
        return Err(InvalidServerUrl::Ipv6Address);
    }
    let (host, port) = server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port)));
    if host.is_empty() {
        return Err(InvalidServerUrl::NoHost);
    }
    if !host.chars().all(|character| character.is_ascii_alphanumeric() || ".-_".contains(character)) {
        return Err(InvalidServerUrl::MoreThanServer);
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(Ok(0) | Err(_)) => Err(InvalidServerUrl::Port),
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_over_tls_unless_somebody_says_otherwise() {
        let security = |text, without_tls| ServerUrl::parse(text, without_tls).unwrap().security();
        assert_eq!(security("ldaps://dc1.example.org", false), Security::Tls);
        assert_eq!(security("ldaps://dc1.example.org", true), Security::Tls);
        assert_eq!(security("ldap://dc1.example.org:3890/", false), Security::StartTls);
        assert_eq!(security("ldap://127.0.0.1", true), Security::Nothing);
    }

    #[test]
    fn what_is_no_server_is_refused_with_its_reason() {
        for (text, problem) in [
            ("dc1.example.org", InvalidServerUrl::Scheme),
            ("http://dc1.example.org", InvalidServerUrl::Scheme),
            ("ldapi://%2frun%2fldapi", InvalidServerUrl::Scheme),
            ("ldap://", InvalidServerUrl::NoHost),
            ("ldap://:389", InvalidServerUrl::NoHost),
            ("ldaps://[::1]", InvalidServerUrl::Ipv6Address),
            ("ldap://a:0", InvalidServerUrl::Port),
            ("ldap://a:70000", InvalidServerUrl::Port),
            ("ldap://a/dc=example", InvalidServerUrl::MoreThanServer),
            ("ldap://user@a", InvalidServerUrl::MoreThanServer),
        ] {
            assert_eq!(ServerUrl::parse(text, false), Err(problem), "{text}");
        }
    }
}
