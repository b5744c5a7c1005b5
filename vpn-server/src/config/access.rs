//! Who may reach what: `[[rule]]` and `[access]` in a configuration file.
//!
//! `authorize` opens networks to everybody; a rule says more: to whom, which services, until when.

use std::fmt;
use std::str::FromStr;

use pki_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::check::{parse, parse_all};
use super::error::{ConfigError, InvalidValue};
use super::inside::InsideSettings;
use super::login::UnknownWord;
use super::network::Network;
use super::option_table::OptionValue;
use super::options::one_or_many;
use crate::policy::{Audience, Evaluation, ProtocolName, ServiceRange, Tag, has_ports};

/// The most groups that a rule can name, and that count of a session: as many as AWS Client VPN considers.
pub const MOST_GROUPS: usize = 200;

/// The longest name of a group, in octets.
pub const LONGEST_GROUP: usize = 255;

/// Who may reach what, beside the networks that are open to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessSettings {
    /// The rules, in the order in which they were written.
    pub rules: Vec<AccessRule>,
    /// Which of several rules about a destination decide.
    pub evaluation: Evaluation,
    /// Which attributes of certificates are groups.
    pub certificate_groups: CertificateGroups,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// The addresses it opens.
    pub destination: Network,
    /// Whom it opens them to.
    pub allowed: Allowed,
    /// The services that it opens there.
    pub services: ServiceRange,
    /// When it ends to count.
    pub expires: Option<Timestamp>,
    /// What people say it is for.
    pub description: Option<String>,
}

/// Whom a rule is for, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allowed {
    /// Everybody.
    #[default]
    Everybody,
    /// Whoever is in one of these groups.
    Groups(Vec<String>),
    /// The client with this common name.
    CommonName(String),
}

/// Which attributes of a certificate's subject are groups of its holder. Values count as they stand there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateGroups {
    /// `O`.
    pub organization: bool,
    /// `OU`.
    pub organizational_unit: bool,
}

/// The keys of `[[rule]]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct RuleOptions {
    /// The network that the rule opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The groups that it is for.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub group: Option<Vec<String>>,
    /// The client that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// The protocol: `tcp`, `udp`, `icmp`, `icmpv6`, `sctp` or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// A port or a range of ports: `443`, `8000-8100`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// When the rule ends to count, as in RFC 3339: `2026-12-31T23:59:59Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The keys of `[access]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct AccessOptions {
    /// `longest-prefix` or `additive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// Attributes of certificates that are groups: `O`, `OU`.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub certificate_groups: Option<Vec<String>>,
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRule {
    /// Not the name or number of a protocol.
    #[error("not a protocol")]
    NotProtocol,
    /// Ports of a protocol that has none, or of none at all.
    #[error("ports need a protocol that has some")]
    PortsWithoutProtocol,
    /// Not a port or range of ports.
    #[error("not a port or a range of ports")]
    NotPorts,
    /// Not a moment.
    #[error("not a date and time of RFC 3339")]
    NotTime,
    /// A name of a group that is empty or too long.
    #[error("a name of a group has 1 to {LONGEST_GROUP} octets")]
    NotGroup,
}

impl InvalidRule {
    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::NotProtocol => "use tcp, udp, icmp, icmpv6, sctp or a number from 0 to 255",
            Self::PortsWithoutProtocol => "add protocol = \"tcp\", \"udp\" or \"sctp\" to the rule",
            Self::NotPorts => "write one port such as 443, or a range such as 8000-8100",
            Self::NotTime => "write a moment such as 2026-12-31T23:59:59Z",
            Self::NotGroup => "use the name of the group as certificates or the directory have it",
        }
    }
}

impl CertificateGroups {
    /// Whether the attribute with this short name is a group.
    #[must_use]
    pub fn include(self, short_name: &str) -> bool {
        match short_name {
            "O" => self.organization,
            "OU" => self.organizational_unit,
            _ => false,
        }
    }
}

impl OptionValue for AccessOptions {}

impl AccessSettings {
    pub(super) fn check(
        rules: &[RuleOptions],
        options: Option<&AccessOptions>,
        inside: &InsideSettings,
    ) -> Result<Self, ConfigError> {
        let in_rule = |number: usize| {
            move |problem| ConfigError::InRule { number: number + 1, problem: Box::new(problem) }
        };
        let rules = rules.iter().enumerate();
        let rules = rules.map(|(number, rule)| AccessRule::check(rule, inside).map_err(in_rule(number)));
        let evaluation = options.and_then(|options| options.evaluation.as_deref());
        let groups = options.and_then(|options| options.certificate_groups.as_deref());
        let groups: Vec<GroupAttribute> = parse_all("access.certificate-groups", groups)?;
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            evaluation: parse("access.evaluation", evaluation)?.unwrap_or_default(),
            certificate_groups: CertificateGroups {
                organization: groups.contains(&GroupAttribute::Organization),
                organizational_unit: groups.contains(&GroupAttribute::OrganizationalUnit),
            },
        })
    }

    /// The rules that count at that moment, with their numbers in the order in which they were written.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = (usize, &AccessRule)> {
        self.rules
            .iter()
            .enumerate()
            .filter(move |(_, rule)| rule.expires.is_none_or(|expires| now < expires))
    }

    /// When the next rule ends to count.
    #[must_use]
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.in_force(now).filter_map(|(_, rule)| rule.expires).min()
    }

    pub(super) fn rule_options(&self) -> Option<Vec<RuleOptions>> {
        (!self.rules.is_empty()).then(|| self.rules.iter().map(RuleOptions::from).collect())
    }

    pub(super) fn access_options(&self) -> Option<AccessOptions> {
        let CertificateGroups { organization, organizational_unit } = self.certificate_groups;
        let attributes = [
            organization.then_some(GroupAttribute::Organization),
            organizational_unit.then_some(GroupAttribute::OrganizationalUnit),
        ];
        let attributes: Vec<String> = attributes.into_iter().flatten().map(|kind| kind.to_string()).collect();
        let options = AccessOptions {
            evaluation: (self.evaluation != Evaluation::default()).then(|| print(self.evaluation).to_owned()),
            certificate_groups: (!attributes.is_empty()).then_some(attributes),
        };
        (options != AccessOptions::default()).then_some(options)
    }
}

impl AccessRule {
    fn check(options: &RuleOptions, inside: &InsideSettings) -> Result<Self, ConfigError> {
        let meaning = "the network that it opens";
        let destination: Network = parse("rule.destination", options.destination.as_deref())?
            .ok_or(ConfigError::Missing { option: "rule.destination", meaning })?;
        inside.refuse_foreign_family("rule.destination", destination)?;
        Ok(Self {
            destination,
            allowed: Allowed::check(options)?,
            services: services(options.protocol.as_deref(), options.ports.as_deref())?,
            expires: check_expiry(options)?,
            description: options.description.clone(),
        })
    }

    /// Whom it is for, as a policy asks.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match &self.allowed {
            Allowed::Everybody => Audience::Everybody,
            Allowed::Groups(groups) => Audience::AnyOf(groups.iter().map(|name| Tag::group(name)).collect()),
            Allowed::CommonName(name) => Audience::AnyOf([Tag::common_name(name)].into_iter().collect()),
        }
    }
}

impl Allowed {
    fn check(options: &RuleOptions) -> Result<Self, ConfigError> {
        match (options.group.as_deref().unwrap_or_default(), &options.common_name) {
            ([], None) => Ok(Self::Everybody),
            ([], Some(name)) => Ok(Self::CommonName(name.clone())),
            (_, Some(_)) => Err(ConfigError::Exclusive { first: "rule.group", second: "rule.common-name" }),
            (groups, None) if groups.len() > MOST_GROUPS => {
                let (given, maximum) = (groups.len(), MOST_GROUPS);
                Err(ConfigError::TooMany { option: "rule.group", given, maximum })
            }
            (groups, None) => {
                let is_name = |name: &&String| (1..=LONGEST_GROUP).contains(&name.len());
                match groups.iter().find(|name| !is_name(name)) {
                    Some(name) => Err(invalid("rule.group", name, InvalidRule::NotGroup)),
                    None => Ok(Self::Groups(groups.to_vec())),
                }
            }
        }
    }
}

/// The services that a rule is about.
pub(super) fn services(protocol: Option<&str>, ports: Option<&str>) -> Result<ServiceRange, ConfigError> {
    let protocol = protocol.map(|text| {
        let number = ProtocolName::parse(text).map(|ProtocolName(number)| number);
        number.ok_or_else(|| invalid("rule.protocol", text, InvalidRule::NotProtocol))
    });
    match (protocol.transpose()?, ports) {
        (None, None) => Ok(ServiceRange::All),
        (Some(protocol), None) => Ok(ServiceRange::Protocol(protocol)),
        (Some(protocol), Some(text)) if has_ports(protocol) => {
            let range =
                parse_ports(text).ok_or_else(|| invalid("rule.ports", text, InvalidRule::NotPorts))?;
            Ok(ServiceRange::Ports { protocol, first: range.0, last: range.1 })
        }
        (_, Some(text)) => Err(invalid("rule.ports", text, InvalidRule::PortsWithoutProtocol)),
    }
}

fn parse_ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

fn check_expiry(options: &RuleOptions) -> Result<Option<Timestamp>, ConfigError> {
    let expires = options.expires.as_deref().map(|text| {
        Timestamp::from_rfc3339(text).ok_or_else(|| invalid("rule.expires", text, InvalidRule::NotTime))
    });
    expires.transpose()
}

fn invalid(option: &'static str, value: &str, problem: InvalidRule) -> ConfigError {
    ConfigError::InvalidValue { option, value: value.to_owned(), problem: InvalidValue::Rule(problem) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupAttribute {
    Organization,
    OrganizationalUnit,
}

impl FromStr for GroupAttribute {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "O" => Ok(Self::Organization),
            "OU" => Ok(Self::OrganizationalUnit),
            _ => Err(UnknownWord("O or OU")),
        }
    }
}

impl fmt::Display for GroupAttribute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
        })
    }
}

impl FromStr for Evaluation {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "longest-prefix" => Ok(Self::LongestPrefix),
            "additive" => Ok(Self::Additive),
            _ => Err(UnknownWord("longest-prefix or additive")),
        }
    }
}

const fn print(evaluation: Evaluation) -> &'static str {
    match evaluation {
        Evaluation::LongestPrefix => "longest-prefix",
        Evaluation::Additive => "additive",
    }
}

/// Protocol and ports as they are written in rules.
pub(super) fn print_services(services: ServiceRange) -> (Option<String>, Option<String>) {
    let name = |protocol| Some(ProtocolName(protocol).to_string());
    match services {
        ServiceRange::All => (None, None),
        ServiceRange::Protocol(protocol) => (name(protocol), None),
        ServiceRange::Ports { protocol, first, last } => (name(protocol), Some(format!("{first}-{last}"))),
    }
}

impl From<&AccessRule> for RuleOptions {
    fn from(rule: &AccessRule) -> Self {
        let (protocol, ports) = print_services(rule.services);
        let (group, common_name) = match &rule.allowed {
            Allowed::Everybody => (None, None),
            Allowed::Groups(groups) => (Some(groups.clone()), None),
            Allowed::CommonName(name) => (None, Some(name.clone())),
        };
        Self {
            destination: Some(rule.destination.to_string()),
            group,
            common_name,
            protocol,
            ports,
            expires: rule.expires.map(|expires| expires.to_string()),
            description: rule.description.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Options};
    use super::*;
    use crate::policy::{PROTOCOL_ICMP, PROTOCOL_TCP};

    #[test]
    fn a_rule_says_where_who_what_and_until_when() {
        let access = access(
            "[[rule]]\ndestination='10.7.0.0/24'\n\
             [[rule]]\ndestination='10.7.0.5/32'\ngroup=['it','board']\nprotocol='tcp'\nports='22'\n\
             expires='2026-12-01T00:00:00Z'\ndescription='for the auditors'\n\
             [[rule]]\ndestination='0.0.0.0/0'\ncommon-name='alice'\nprotocol='icmp'\n\
             [access]\nevaluation='additive'\ncertificate-groups='OU'",
        )
        .unwrap();
        let [open, audit, alice] = access.rules.try_into().unwrap();
        assert_eq!(
            (open.allowed, open.services, open.expires),
            (Allowed::Everybody, ServiceRange::All, None)
        );
        assert_eq!(audit.allowed, Allowed::Groups(vec!["it".to_owned(), "board".to_owned()]));
        assert_eq!(audit.services, ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 22, last: 22 });
        assert_eq!(audit.expires.unwrap().to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(audit.description.as_deref(), Some("for the auditors"));
        assert_eq!(alice.allowed, Allowed::CommonName("alice".to_owned()));
        assert_eq!(alice.services, ServiceRange::Protocol(PROTOCOL_ICMP));
        assert_eq!(access.evaluation, Evaluation::Additive);
        assert_eq!(
            access.certificate_groups,
            CertificateGroups { organization: false, organizational_unit: true }
        );
    }

    #[test]
    fn a_rule_counts_until_it_expires() {
        let access = access(
            "[[rule]]\ndestination='10.7.0.0/24'\nexpires='2026-12-01T00:00:00Z'\n\
             [[rule]]\ndestination='10.8.0.0/24'\n[[rule]]\ndestination='10.9.0.0/24'\nexpires='2026-12-02T00:00:00Z'",
        )
        .unwrap();
        let at = |text: &str| Timestamp::from_rfc3339(text).unwrap();
        for (now, in_force, next) in [
            ("2026-11-30T23:59:59Z", &[0, 1, 2][..], Some("2026-12-01T00:00:00Z")),
            ("2026-12-01T00:00:00Z", &[1, 2], Some("2026-12-02T00:00:00Z")),
            ("2026-12-02T00:00:01Z", &[1], None),
        ] {
            let numbers: Vec<usize> = access.in_force(at(now)).map(|(number, _)| number).collect();
            assert_eq!((&numbers[..], access.next_expiry(at(now))), (in_force, next.map(at)), "{now}");
        }
    }

    #[test]
    fn every_mistake_has_its_own_message() {
        for (rule, message) in [
            ("", "rule 1: destination is missing"),
            (
                "destination='10.7.0.1/24'",
                "rule 1: destination 10.7.0.1/24: 10.7.0.1/24 has host bits set; the network is 10.7.0.0/24",
            ),
            (
                "destination='fd00::/64'",
                "rule 1: destination fd00::/64: the tunnel carries IPv4 only, as --client-cidr has no IPv6 network",
            ),
            (
                "destination='10.7.0.0/24'\ngroup='a'\ncommon-name='b'",
                "rule 1: group and common-name exclude each other",
            ),
            ("destination='10.7.0.0/24'\ngroup=''", "rule 1: group : a name of a group has 1 to 255 octets"),
            ("destination='10.7.0.0/24'\nprotocol='ftp'", "rule 1: protocol ftp: not a protocol"),
            (
                "destination='10.7.0.0/24'\nports='22'",
                "rule 1: ports 22: ports need a protocol that has some",
            ),
            (
                "destination='10.7.0.0/24'\nprotocol='icmp'\nports='22'",
                "rule 1: ports 22: ports need a protocol that has some",
            ),
            (
                "destination='10.7.0.0/24'\nprotocol='tcp'\nports='90-80'",
                "rule 1: ports 90-80: not a port or a range of ports",
            ),
            (
                "destination='10.7.0.0/24'\nexpires='tomorrow'",
                "rule 1: expires tomorrow: not a date and time of RFC 3339",
            ),
        ] {
            let error = access(&format!("[[rule]]\n{rule}")).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!error.help().is_empty());
        }
        for given in ["evaluation='first'", "certificate-groups='CN'"] {
            assert_eq!(
                access(&format!("[access]\n{given}")).unwrap_err().code(),
                "config-value-invalid",
                "{given}"
            );
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = "[[rule]]\ndestination='10.7.0.0/24'\nport='22'";
        assert!(toml::from_str::<Options>(text).unwrap_err().to_string().contains("port"));
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same_rules() {
        let text = "pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n\
                    [[rule]]\ndestination='10.7.0.0/24'\ngroup=['it']\nprotocol='udp'\nports='53'\nexpires='2026-12-01T00:00:00Z'\n\
                    [[rule]]\ndestination='10.7.0.0/24'\ncommon-name='bob'\nprotocol='47'\n\
                    [access]\nevaluation='additive'\ncertificate-groups=['O','OU']";
        let config = Config::check(toml::from_str(text).unwrap()).unwrap();
        let printed = config.to_toml();
        assert_eq!(Config::check(toml::from_str(&printed).unwrap()).unwrap(), config, "{printed}");
    }

    fn access(text: &str) -> Result<AccessSettings, ConfigError> {
        let text = format!("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n{text}");
        Config::check(toml::from_str(&text).unwrap()).map(|config| config.live.access)
    }
}
