//! What clients are told beside routes: name servers, the way of the default route, a greeting, and anything else by its text.
//!
//! Only texts that stock clients take as one option get through (CFG-03), and none that this server decides by itself: a
//! second `cipher` or `peer-id` would cut the client off.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use vpn_proto::{InvalidPushOption, PushOption};

use super::check::{parse, parse_all};
use super::error::{ConfigError, InvalidValue};
use super::options::Options;

/// How many name servers clients are told at most, as in AWS Client VPN.
pub const MAXIMUM_DNS_SERVERS: usize = 2;

/// Octets of all options that are pushed to one client (limits table of the threat model).
pub const MOST_PUSHED_OCTETS: usize = 64 * 1024;

/// Octets of a greeting, as in AWS Client VPN.
const LONGEST_BANNER: usize = 1400;

/// What clients are told, as far as a reload can change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushSettings {
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// The domain of the connection.
    pub dns_domain: Option<Domain>,
    /// Domains in which names without a dot are looked up.
    pub dns_search: Vec<Domain>,
    /// Whether Windows clients register their names.
    pub register_dns: bool,
    /// How a full tunnel takes the place of the default route.
    pub redirect: RedirectFlags,
    /// What programs with windows show the person.
    pub banner: Option<Banner>,
    /// Anything else, in its order.
    pub options: Vec<PushOption>,
}

/// A domain name as resolvers take it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(String);

/// Flags of `redirect-gateway`, separated by spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectFlags(Vec<&'static str>);

/// A greeting: lines of printable text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner(String);

/// Why something cannot be pushed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPush {
    /// Stock clients would not take it as one option.
    #[error(transparent)]
    Option(#[from] InvalidPushOption),
    /// The server decides this by itself.
    #[error("'{0}' is pushed by the server itself")]
    Own(String),
    /// Not a domain name.
    #[error("'{}' is not a domain name", .0.escape_debug())]
    Domain(String),
    /// Not a flag of `redirect-gateway`.
    #[error("'{}' is not a flag of redirect-gateway", .0.escape_debug())]
    RedirectFlag(String),
    /// A greeting that is too long or has control characters.
    #[error("not a greeting of 1 to {LONGEST_BANNER} printable characters")]
    Banner,
}

impl InvalidPush {
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::Option(_) => "write one option as a client's configuration has it, without commas",
            Self::Own(_) => {
                "leave it out: addresses, ciphers, pings and the MTU follow from --client-cidr, --data-ciphers, \
                 --keepalive and --tun-mtu"
            }
            Self::Domain(_) => "write a domain such as corp.example.org",
            Self::RedirectFlag(_) => {
                "flags are def1, local, autolocal, bypass-dhcp, bypass-dns, block-local and !ipv4"
            }
            Self::Banner => "shorten the text, and leave only line breaks as control characters",
        }
    }
}

impl PushSettings {
    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        let settings = Self {
            dns: check_dns(options.dns.as_deref())?,
            dns_domain: parse("dns-domain", options.dns_domain.as_deref())?,
            dns_search: parse_all("dns-search", options.dns_search.as_deref())?,
            register_dns: options.register_dns.unwrap_or(false),
            redirect: parse("redirect-gateway", options.redirect_gateway.as_deref())?.unwrap_or_default(),
            banner: parse("banner", options.banner.as_deref())?,
            options: check_options("push", options.push.as_deref())?,
        };
        let octets: usize = settings.options.iter().map(|option| option.as_str().len() + 1).sum();
        if octets > MOST_PUSHED_OCTETS / 2 {
            return Err(ConfigError::TooMany {
                option: "push",
                given: octets,
                maximum: MOST_PUSHED_OCTETS / 2,
            });
        }
        Ok(settings)
    }
}

/// Parses options that are to be pushed as they are.
pub(super) fn check_options(
    option: &'static str,
    texts: Option<&[String]>,
) -> Result<Vec<PushOption>, ConfigError> {
    let parse = |text: &String| {
        parse_option(text).map_err(|problem| ConfigError::InvalidValue {
            option,
            value: text.clone(),
            problem: problem.into(),
        })
    };
    texts.unwrap_or_default().iter().map(parse).collect()
}

/// Parses one option that is to be pushed as it is.
///
/// # Errors
///
/// [`InvalidPush`] for what stock clients would not take as one option, and for what the server pushes by itself.
pub fn parse_option(text: &str) -> Result<PushOption, InvalidPush> {
    let option = PushOption::parse(text.trim())?;
    if OWN.contains(&option.name()) {
        return Err(InvalidPush::Own(option.name().to_owned()));
    }
    Ok(option)
}

fn check_dns(given: Option<&[String]>) -> Result<Vec<IpAddr>, ConfigError> {
    let given = given.unwrap_or_default();
    if given.len() > MAXIMUM_DNS_SERVERS {
        return Err(ConfigError::TooMany { option: "dns", given: given.len(), maximum: MAXIMUM_DNS_SERVERS });
    }
    let parse = |text: &String| {
        let problem = InvalidValue::NotIpAddress;
        text.parse().map_err(|_| ConfigError::InvalidValue { option: "dns", value: text.clone(), problem })
    };
    given.iter().map(parse).collect()
}

impl FromStr for Domain {
    type Err = InvalidPush;

    fn from_str(text: &str) -> Result<Self, InvalidPush> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
        };
        let is_domain = text.len() <= 200 && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label);
        is_domain.then(|| Self(text.to_owned())).ok_or_else(|| InvalidPush::Domain(text.to_owned()))
    }
}

impl FromStr for RedirectFlags {
    type Err = InvalidPush;

    fn from_str(text: &str) -> Result<Self, InvalidPush> {
        let known = |word: &str| {
            let flag = REDIRECT_FLAGS.into_iter().find(|flag| *flag == word);
            flag.ok_or_else(|| InvalidPush::RedirectFlag(word.to_owned()))
        };
        text.split_whitespace().map(known).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Banner {
    type Err = InvalidPush;

    fn from_str(text: &str) -> Result<Self, InvalidPush> {
        let is_printable = |c: char| c == '\n' || !c.is_control();
        let is_banner =
            !text.trim().is_empty() && text.len() <= LONGEST_BANNER && text.chars().all(is_printable);
        is_banner.then(|| Self(text.trim_end().to_owned())).ok_or(InvalidPush::Banner)
    }
}

impl Default for RedirectFlags {
    /// Two routes that win over the client's default route and leave it in place.
    fn default() -> Self {
        Self(vec!["def1"])
    }
}

impl RedirectFlags {
    /// The flags in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().copied()
    }
}

impl Banner {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for RedirectFlags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join(" "))
    }
}

impl fmt::Display for Banner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Whether IPv6 goes along follows from --client-cidr.
const REDIRECT_FLAGS: [&str; 7] =
    ["def1", "local", "autolocal", "bypass-dhcp", "bypass-dns", "block-local", "!ipv4"];

/// What the protocol core pushes, or what would break the data channel.
const OWN: [&str; 17] = [
    "ifconfig",
    "ifconfig-ipv6",
    "topology",
    "route-gateway",
    "peer-id",
    "cipher",
    "protocol-flags",
    "key-derivation",
    "auth-token",
    "auth-token-user",
    "push-continuation",
    "tun-mtu",
    "ping",
    "ping-restart",
    "compress",
    "comp-lzo",
    "fragment",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_03_only_what_is_one_option_and_not_the_servers_own_is_pushed() {
        for text in
            ["route 10.9.0.0 255.255.0.0", "dhcp-option NTP 10.7.0.1", "inactive 600 10000", "echo hello"]
        {
            assert_eq!(parse_option(text).unwrap().as_str(), text);
        }
        for text in
            ["cipher none", "peer-id 5", "ifconfig 10.8.0.9 255.255.255.0", "push-continuation 2", "ping 1"]
        {
            assert!(matches!(parse_option(text), Err(InvalidPush::Own(_))), "{text}");
        }
        for text in ["", " ", "a,b", "setenv a\nb", "x\0"] {
            assert!(matches!(parse_option(text), Err(InvalidPush::Option(_))), "{text:?}");
        }
    }

    #[test]
    fn domains_are_names_and_nothing_else() {
        for text in ["example.org", "corp.example.org.", "a", "_tcp.example.org"] {
            assert_eq!(text.parse::<Domain>().unwrap().to_string(), text);
        }
        for text in
            ["", ".", "a..b", "a b", "a,b", "-a.org", "a-.org", "a\n", &"a".repeat(64), &"a.".repeat(120)]
        {
            assert!(text.parse::<Domain>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_default_route_is_taken_over_as_the_flags_say() {
        assert_eq!(RedirectFlags::default().to_string(), "def1");
        let flags: RedirectFlags = "def1  bypass-dhcp !ipv4".parse().unwrap();
        assert_eq!(flags.to_string(), "def1 bypass-dhcp !ipv4");
        for text in ["ipv6", "def1,local", "DEF1"] {
            assert!(text.parse::<RedirectFlags>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_greeting_has_lines_of_printable_text() {
        assert_eq!("Be careful.\nReally.\n".parse::<Banner>().unwrap().as_str(), "Be careful.\nReally.");
        assert!("x".repeat(LONGEST_BANNER).parse::<Banner>().is_ok());
        for text in ["", "\n", "a\tb", "\x1b[31mred", &"x".repeat(LONGEST_BANNER + 1)] {
            assert_eq!(text.parse::<Banner>(), Err(InvalidPush::Banner), "{text:?}");
        }
    }

    #[test]
    fn acl_06_what_is_pushed_is_limited_as_a_whole() {
        let option = "x".repeat(127);
        let push = |count: usize| {
            let options = Options { push: Some(vec![option.clone(); count]), ..Options::default() };
            PushSettings::check(&options).map(|settings| settings.options.len())
        };
        assert_eq!(push(256).unwrap(), 256);
        assert_eq!(push(257).unwrap_err().code(), "config-too-many-values");
    }
}
