//! Security groups of an endpoint: `[[security-group]]` and `[security-peers]` in a configuration file.
//!
//! As soon as there is one group, only what a rule of some group allows passes between clients and the networks behind the
//! server, and what answers it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::access::{print_services, services};
use super::check::{parse, parse_all};
use super::error::ConfigError;
use super::inside::InsideSettings;
use super::login::UnknownWord;
use super::network::Network;
use super::options::one_or_many;
use crate::policy::{Direction, SecurityRule, ServiceRange};

/// The longest name of a security group, in octets.
const LONGEST_ID: usize = 64;

/// The security groups of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecuritySettings {
    /// The groups that its clients are in; without any, everything is allowed.
    pub groups: Vec<SecurityGroup>,
    /// The addresses of the members of other groups.
    pub peers: BTreeMap<SecurityGroupId, Vec<Network>>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its name.
    pub id: SecurityGroupId,
    /// What it allows.
    pub rules: Vec<GroupRule>,
}

/// What a group allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// Who begins.
    pub direction: Direction,
    /// The services: of the network for what clients begin, of clients for what the network begins.
    pub services: ServiceRange,
    /// Who is at the other end.
    pub peer: SecurityPeer,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityPeer {
    /// Addresses.
    Network(Network),
    /// The members of a group.
    Group(SecurityGroupId),
}

/// The name of a security group: letters, digits, `-` and `_`, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecurityGroupId(String);

/// Why a text is not the name of a security group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name of a security group")]
pub struct InvalidSecurityGroupId;

/// The keys of `[[security-group]]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct SecurityGroupOptions {
    /// The name of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it allows.
    pub rule: Vec<GroupRuleOptions>,
}

/// The keys of `[[security-group.rule]]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct GroupRuleOptions {
    /// `egress` or `ingress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The protocol: `tcp`, `udp`, `icmp`, `icmpv6`, `sctp` or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// A port or a range of ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// The network at the other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The group at the other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The keys of one table in `[security-peers]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct SecurityPeerOptions {
    /// The addresses of its members.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<String>>,
}

/// The tables about security groups.
pub(super) type SecurityOptions =
    (Option<Vec<SecurityGroupOptions>>, Option<BTreeMap<String, SecurityPeerOptions>>);

impl SecuritySettings {
    pub(super) fn check(
        groups: &[SecurityGroupOptions],
        peers: Option<&BTreeMap<String, SecurityPeerOptions>>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        for (id, options) in peers.into_iter().flatten() {
            if let Some(id) = parse("security-peers.id", Some(id))? {
                let members = parse_all("security-peers.members", options.members.as_deref())?;
                settings.peers.insert(id, members);
            }
        }
        for (number, options) in groups.iter().enumerate() {
            let in_group = |problem| ConfigError::InSecurityGroup {
                group: options.id.clone().unwrap_or_else(|| (number + 1).to_string()),
                problem: Box::new(problem),
            };
            settings.groups.push(SecurityGroup::check(options).map_err(in_group)?);
        }
        settings.refuse_repeated_group()?;
        settings.refuse_unknown_peer()?;
        Ok(settings)
    }

    /// What passes, if not everything.
    #[must_use]
    pub fn rules(&self, inside: &InsideSettings) -> Option<Vec<SecurityRule>> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let resolved = rules.flat_map(|GroupRule { direction, services, peer }| {
            let networks = self.members_of(peer, inside).into_iter();
            networks.map(|network| SecurityRule {
                direction: *direction,
                services: *services,
                peer: network.net(),
            })
        });
        (!self.groups.is_empty()).then(|| resolved.collect())
    }

    /// The groups that clients are in.
    pub fn ids(&self) -> impl Iterator<Item = &SecurityGroupId> {
        self.groups.iter().map(|group| &group.id)
    }

    fn members_of(&self, peer: &SecurityPeer, inside: &InsideSettings) -> Vec<Network> {
        match peer {
            SecurityPeer::Network(network) => vec![*network],
            SecurityPeer::Group(id) => {
                let own = inside.client_cidrs.networks().filter(|_| self.has(id));
                own.chain(self.peers.get(id).into_iter().flatten().copied()).collect()
            }
        }
    }

    fn has(&self, id: &SecurityGroupId) -> bool {
        self.groups.iter().any(|group| group.id == *id)
    }

    fn refuse_repeated_group(&self) -> Result<(), ConfigError> {
        let mut ids: Vec<_> = self.groups.iter().map(|group| &group.id).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                Err(ConfigError::Duplicate { option: "security-group.id", value: pair[0].to_string() })
            }
            None => Ok(()),
        }
    }

    fn refuse_unknown_peer(&self) -> Result<(), ConfigError> {
        let peers = self.groups.iter().flat_map(|group| &group.rules).map(|rule| &rule.peer);
        let mut named = peers.filter_map(|peer| match peer {
            SecurityPeer::Group(id) => Some(id),
            SecurityPeer::Network(_) => None,
        });
        match named.find(|id| !self.has(id) && !self.peers.contains_key(*id)) {
            Some(id) => Err(ConfigError::UnknownSecurityGroup { group: id.clone() }),
            None => Ok(()),
        }
    }

    pub(super) fn options(&self) -> SecurityOptions {
        let groups = self.groups.iter().map(SecurityGroupOptions::from).collect();
        let peers = self.peers.iter().map(|(id, members)| {
            let members = members.iter().map(ToString::to_string).collect();
            (id.to_string(), SecurityPeerOptions { members: Some(members) })
        });
        ((!self.groups.is_empty()).then_some(groups), (!self.peers.is_empty()).then(|| peers.collect()))
    }
}

impl SecurityGroup {
    fn check(options: &SecurityGroupOptions) -> Result<Self, ConfigError> {
        let meaning = "the name of the group";
        let id = parse("security-group.id", options.id.as_deref())?
            .ok_or(ConfigError::Missing { option: "security-group.id", meaning })?;
        Ok(Self { id, rules: options.rule.iter().map(GroupRule::check).collect::<Result<_, _>>()? })
    }
}

impl GroupRule {
    fn check(options: &GroupRuleOptions) -> Result<Self, ConfigError> {
        let missing = |option, meaning| ConfigError::Missing { option, meaning };
        let network = parse("security-group.rule.network", options.network.as_deref())?;
        let group = parse("security-group.rule.group", options.group.as_deref())?;
        Ok(Self {
            direction: parse("security-group.rule.direction", options.direction.as_deref())?
                .ok_or(missing("security-group.rule.direction", "egress or ingress"))?,
            services: services(options.protocol.as_deref(), options.ports.as_deref())?,
            peer: match (network, group) {
                (Some(network), None) => SecurityPeer::Network(network),
                (None, Some(group)) => SecurityPeer::Group(group),
                (Some(_), Some(_)) => {
                    let (first, second) = ("security-group.rule.network", "security-group.rule.group");
                    return Err(ConfigError::Exclusive { first, second });
                }
                (None, None) => {
                    return Err(missing("security-group.rule.network", "who is at the other end"));
                }
            },
        })
    }
}

impl From<&SecurityGroup> for SecurityGroupOptions {
    fn from(group: &SecurityGroup) -> Self {
        let rule = group.rules.iter().map(GroupRuleOptions::from).collect();
        Self { id: Some(group.id.to_string()), rule }
    }
}

impl From<&GroupRule> for GroupRuleOptions {
    fn from(rule: &GroupRule) -> Self {
        let (protocol, ports) = print_services(rule.services);
        let (network, group) = match &rule.peer {
            SecurityPeer::Network(network) => (Some(network.to_string()), None),
            SecurityPeer::Group(id) => (None, Some(id.to_string())),
        };
        Self { direction: Some(rule.direction.to_string()), protocol, ports, network, group }
    }
}

impl FromStr for SecurityGroupId {
    type Err = InvalidSecurityGroupId;

    fn from_str(text: &str) -> Result<Self, InvalidSecurityGroupId> {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_name = text.len() <= LONGEST_ID
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(is_of_name);
        if is_name { Ok(Self(text.to_owned())) } else { Err(InvalidSecurityGroupId) }
    }
}

impl fmt::Display for SecurityGroupId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Direction {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "egress" => Ok(Self::Egress),
            "ingress" => Ok(Self::Ingress),
            _ => Err(UnknownWord("egress or ingress")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Options};
    use super::*;
    use crate::policy::PROTOCOL_TCP;

    const GROUPS: &str = "[[security-group]]\nid='sg-web'\n\
        [[security-group.rule]]\ndirection='egress'\nprotocol='tcp'\nports='443'\nnetwork='10.7.0.0/24'\n\
        [[security-group.rule]]\ndirection='ingress'\ngroup='sg-hosts'\n\
        [[security-group]]\nid='sg-empty'\n[security-peers.sg-hosts]\nmembers=['10.9.0.1/32','10.9.0.2/32']\n";

    #[test]
    fn rules_name_networks_or_the_members_of_groups() {
        let config = config(GROUPS).unwrap();
        let security = &config.live.security;
        assert_eq!(
            security.groups.iter().map(|group| group.id.to_string()).collect::<Vec<_>>(),
            ["sg-web", "sg-empty"]
        );
        let rules = security.rules(&config.inside).unwrap();
        let https = ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 443, last: 443 };
        let expected = [
            (Direction::Egress, https, "10.7.0.0/24"),
            (Direction::Ingress, ServiceRange::All, "10.9.0.1/32"),
            (Direction::Ingress, ServiceRange::All, "10.9.0.2/32"),
        ];
        let expected = expected.map(|(direction, services, peer)| SecurityRule {
            direction,
            services,
            peer: peer.parse().unwrap(),
        });
        assert_eq!(rules, expected);
    }

    #[test]
    fn a_group_of_its_own_stands_for_the_clients() {
        let config = config(
            "[[security-group]]\nid='sg-a'\n[[security-group.rule]]\ndirection='ingress'\ngroup='sg-a'",
        )
        .unwrap();
        let rules = config.live.security.rules(&config.inside).unwrap();
        assert_eq!(rules[0].peer, "10.8.0.0/24".parse().unwrap());
    }

    #[test]
    fn without_groups_nothing_is_asked_and_an_empty_group_allows_nothing() {
        let none = config("").unwrap();
        assert_eq!(none.live.security.rules(&none.inside), None);
        let empty = config("[[security-group]]\nid='sg-a'").unwrap();
        assert_eq!(empty.live.security.rules(&empty.inside), Some(vec![]));
    }

    #[test]
    fn every_mistake_has_its_own_message() {
        for (text, message) in [
            ("[[security-group]]", "security group '1': id is missing"),
            ("[[security-group]]\nid='sg;'", "security group 'sg;': id sg;: not a name of a security group"),
            ("[[security-group]]\nid='a'\n[[security-group]]\nid='a'", "id a is given twice"),
            (
                "[[security-group]]\nid='a'\n[[security-group.rule]]\nnetwork='10.0.0.0/8'",
                "security group 'a': rule.direction is missing",
            ),
            (
                "[[security-group]]\nid='a'\n[[security-group.rule]]\ndirection='out'",
                "security group 'a': rule.direction out: it has to be egress or ingress",
            ),
            (
                "[[security-group]]\nid='a'\n[[security-group.rule]]\ndirection='egress'",
                "security group 'a': rule.network is missing",
            ),
            (
                "[[security-group]]\nid='a'\n[[security-group.rule]]\ndirection='egress'\ngroup='b'",
                "the members of the security group 'b' are not known",
            ),
        ] {
            let error = config(text).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!error.help().is_empty());
        }
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same_groups() {
        let given = config(GROUPS).unwrap();
        let printed = given.to_toml();
        assert_eq!(Config::check(toml::from_str(&printed).unwrap()).unwrap(), given, "{printed}");
    }

    fn config(text: &str) -> Result<Config, ConfigError> {
        let text = format!("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n{text}");
        Config::check(toml::from_str::<Options>(&text).unwrap())
    }
}
