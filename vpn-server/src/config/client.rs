//! What is decided about single clients: `[client."NAME"]` in a configuration file.
//!
//! A client is looked up by the common name of its certificate; `[client.DEFAULT]` is for those that have no table of
//! their own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use vpn_proto::PushOption;

use super::check::parse_all;
use super::error::{ConfigError, InvalidValue};
use super::inside::InsideSettings;
use super::network::Network;
use super::options::one_or_many;
use super::push::check_options;

/// The name of the settings for clients without their own.
const DEFAULT: &str = "DEFAULT";

/// Networks that may be behind one client: `max-routes-per-client` of stock servers.
pub const MOST_CLIENT_NETWORKS: usize = 256;

/// What is decided about one client, whatever it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// The client is refused.
    pub disabled: bool,
    /// Its own IPv4 address (`ifconfig-push`).
    pub address: Option<Ipv4Addr>,
    /// Its own IPv6 address (`ifconfig-ipv6-push`).
    pub address_v6: Option<Ipv6Addr>,
    /// The networks behind it (`iroute`, `iroute-ipv6`).
    pub networks: Vec<Network>,
    /// What it is told besides what all clients are told, or instead.
    pub push: ClientPush,
}

/// What one client is told differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientPush {
    /// Nothing that all clients are told (`push-reset`); addresses and ciphers are not among it.
    pub reset: bool,
    /// Beginnings of options that the client is not told (`push-remove`).
    pub remove: Vec<String>,
    /// Options for this client (`push`).
    pub options: Vec<PushOption>,
}

/// The settings of clients by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTable(BTreeMap<String, (ClientOptions, ClientSettings)>);

/// The keys of `[client."NAME"]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct ClientOptions {
    /// Refuse the client.
    pub disabled: Option<bool>,
    /// Its own addresses: one of each family at most.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub address: Option<Vec<String>>,
    /// The networks behind it.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub network: Option<Vec<String>>,
    /// Networks that it sends through the tunnel, beside those of everybody.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub route: Option<Vec<String>>,
    /// Options that it is pushed.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub push: Option<Vec<String>>,
    /// Beginnings of options that it is not pushed.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub push_remove: Option<Vec<String>>,
    /// Nothing of what all clients are pushed.
    pub push_reset: Option<bool>,
}

impl ClientTable {
    pub(super) fn check(
        given: Option<&BTreeMap<String, ClientOptions>>,
        inside: &InsideSettings,
    ) -> Result<Self, ConfigError> {
        let mut table = Self::default();
        let mut addresses = BTreeSet::new();
        for (name, options) in given.into_iter().flatten() {
            let in_client =
                |problem| ConfigError::InClient { client: name.clone(), problem: Box::new(problem) };
            let settings = ClientSettings::check(options, inside).map_err(in_client)?;
            if let Some(address) = settings.addresses().find(|own| name == DEFAULT || !addresses.insert(*own))
            {
                let (option, value) = ("client.address", address.to_string());
                return Err(in_client(ConfigError::Duplicate { option, value }));
            }
            table.0.insert(name.clone(), (options.clone(), settings));
        }
        Ok(table)
    }

    /// The settings of the client `name`, or those of clients without their own.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ClientSettings> {
        self.0.get(name).or_else(|| self.0.get(DEFAULT)).map(|(_, settings)| settings)
    }

    /// The addresses that belong to clients.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.0.values().flat_map(|(_, settings)| settings.addresses())
    }

    pub(super) fn options(&self) -> Option<BTreeMap<String, ClientOptions>> {
        let options = || self.0.iter().map(|(name, (options, _))| (name.clone(), options.clone())).collect();
        (!self.0.is_empty()).then(options)
    }
}

impl ClientSettings {
    /// Parses and checks the keys of one table.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a key whose value does not parse or contradicts what is inside the tunnel.
    pub fn check(options: &ClientOptions, inside: &InsideSettings) -> Result<Self, ConfigError> {
        let (address, address_v6) = check_addresses(options.address.as_deref().unwrap_or_default(), inside)?;
        let networks: Vec<Network> = parse_all("client.network", options.network.as_deref())?;
        if networks.len() > MOST_CLIENT_NETWORKS {
            let (given, maximum) = (networks.len(), MOST_CLIENT_NETWORKS);
            return Err(ConfigError::TooMany { option: "client.network", given, maximum });
        }
        let is_known =
            |network: &Network| inside.client_networks.iter().any(|all| all.net().contains(&network.net()));
        if let Some(network) = networks.iter().find(|network| !is_known(network)) {
            return Err(ConfigError::NotClientRoute { network: *network });
        }
        let routes: Vec<Network> = parse_all("client.route", options.route.as_deref())?;
        let mut pushed: Vec<PushOption> = routes.into_iter().map(Network::to_push_option).collect();
        pushed.extend(check_options("client.push", options.push.as_deref())?);
        Ok(Self {
            disabled: options.disabled.unwrap_or(false),
            address,
            address_v6,
            networks,
            push: ClientPush {
                reset: options.push_reset.unwrap_or(false),
                remove: options.push_remove.clone().unwrap_or_default(),
                options: pushed,
            },
        })
    }

    /// Its own addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        [self.address.map(IpAddr::V4), self.address_v6.map(IpAddr::V6)].into_iter().flatten()
    }
}

impl ClientPush {
    /// Whether the client is not told `option` although everybody is.
    #[must_use]
    pub fn withholds(&self, option: &str) -> bool {
        self.reset || self.remove.iter().any(|beginning| option.starts_with(beginning))
    }

    /// Whether the client is not given an IPv6 address: its settings remove `ifconfig-ipv6`, as those of a stock server can.
    #[must_use]
    pub fn withholds_ipv6(&self) -> bool {
        self.remove.iter().any(|beginning| "ifconfig-ipv6".starts_with(beginning))
    }
}

impl Network {
    /// The option by which clients send this network through the tunnel.
    #[must_use]
    pub fn to_push_option(self) -> PushOption {
        match self.net() {
            ipnet::IpNet::V4(v4) => PushOption::route(v4.network(), v4.netmask()),
            ipnet::IpNet::V6(v6) => PushOption::route_ipv6(v6.network(), v6.prefix_len()),
        }
    }
}

fn check_addresses(
    texts: &[String],
    inside: &InsideSettings,
) -> Result<(Option<Ipv4Addr>, Option<Ipv6Addr>), ConfigError> {
    const OPTION: &str = "client.address";
    let (mut v4, mut v6) = (None, None);
    for text in texts {
        let address = text.parse().map_err(|_| ConfigError::InvalidValue {
            option: OPTION,
            value: text.clone(),
            problem: InvalidValue::NotIpAddress,
        })?;
        if !inside.client_cidrs.has_for_client(address) {
            return Err(ConfigError::OutsideClientCidr { option: OPTION, value: text.clone() });
        }
        let former = match address {
            IpAddr::V4(address) => v4.replace(address).map(IpAddr::V4),
            IpAddr::V6(address) => v6.replace(address).map(IpAddr::V6),
        };
        if former.is_some() {
            return Err(ConfigError::TooMany { option: OPTION, given: texts.len(), maximum: 2 });
        }
    }
    Ok((v4, v6))
}

#[cfg(test)]
mod tests {
    use super::super::options::Options;
    use super::*;

    #[test]
    fn a_client_has_its_own_addresses_networks_and_options() {
        let table = table(
            "[client.\"alice@example.org\"]\naddress = ['10.8.0.50', 'fd00:8::50']\nnetwork = '10.20.0.0/24'\n\
             route = ['10.9.0.0/16', 'fd09::/64']\npush = 'dhcp-option NTP 10.7.0.1'\npush-remove = 'dhcp-option DNS'\n\
             [client.bob]\ndisabled = true\n[client.DEFAULT]\npush-reset = true",
        )
        .unwrap();
        let alice = table.get("alice@example.org").unwrap();
        assert_eq!(alice.address, Some(Ipv4Addr::new(10, 8, 0, 50)));
        assert_eq!(alice.address_v6, Some("fd00:8::50".parse().unwrap()));
        assert_eq!(alice.networks, ["10.20.0.0/24".parse().unwrap()]);
        let pushed: Vec<_> = alice.push.options.iter().map(PushOption::as_str).collect();
        assert_eq!(
            pushed,
            ["route 10.9.0.0 255.255.0.0", "route-ipv6 fd09::/64", "dhcp-option NTP 10.7.0.1"]
        );
        assert!(
            alice.push.withholds("dhcp-option DNS 10.7.0.53")
                && !alice.push.withholds("dhcp-option DOMAIN x")
        );
        assert!(table.get("bob").unwrap().disabled);
        assert!(table.get("eve").unwrap().push.withholds("anything"));
        assert_eq!(table.addresses().count(), 2);
    }

    #[test]
    fn without_default_settings_others_have_none() {
        assert_eq!(table("[client.alice]\ndisabled = true").unwrap().get("bob"), None);
    }

    #[test]
    fn ipv6_is_withheld_by_name() {
        let push =
            |beginning: &str| ClientPush { remove: vec![beginning.to_owned()], ..ClientPush::default() };
        for (beginning, expected) in [("ifconfig-ipv6", true), ("ifconfig", true), ("route-ipv6", false)] {
            assert_eq!(push(beginning).withholds_ipv6(), expected, "{beginning}");
        }
    }

    #[test]
    fn every_mistake_has_its_own_message() {
        for (given, message) in [
            ("address = 'x'", "client 'alice': address x: not an IP address"),
            ("address = '10.9.0.5'", "client 'alice': address 10.9.0.5 is outside of --client-cidr"),
            ("address = '10.8.0.1'", "client 'alice': address 10.8.0.1 is outside of --client-cidr"),
            ("address = 'fd00:9::5'", "client 'alice': address fd00:9::5 is outside of --client-cidr"),
            (
                "address = ['10.8.0.5', '10.8.0.6']",
                "client 'alice': address is given 2 times, at most 2 are possible",
            ),
            (
                "network = '10.21.0.0/24'",
                "client 'alice': 10.21.0.0/24 is behind a client, but in no --client-route",
            ),
            (
                "push = 'cipher none'",
                "client 'alice': push cipher none: 'cipher' is pushed by the server itself",
            ),
            (
                "route = '10.9.0.1/16'",
                "client 'alice': route 10.9.0.1/16: 10.9.0.1/16 has host bits set; the network is 10.9.0.0/16",
            ),
        ] {
            let error = table(&format!("[client.alice]\n{given}")).unwrap_err();
            assert_eq!(error.to_string(), message, "{given}");
        }
        let twice = "[client.alice]\naddress = '10.8.0.5'\n[client.bob]\naddress = '10.8.0.5'";
        assert_eq!(table(twice).unwrap_err().code(), "config-value-duplicate");
        let of_all = "[client.DEFAULT]\naddress = '10.8.0.5'";
        assert_eq!(table(of_all).unwrap_err().code(), "config-value-duplicate");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = "[client.alice]\nadress = '10.8.0.5'";
        assert!(toml::from_str::<Options>(text).unwrap_err().to_string().contains("adress"));
    }

    fn table(clients: &str) -> Result<ClientTable, ConfigError> {
        let text =
            format!("client-cidr = ['10.8.0.0/24', 'fd00:8::/64']\nclient-route = '10.20.0.0/16'\n{clients}");
        let options: Options = toml::from_str(&text).unwrap();
        let inside = InsideSettings::check(&options).unwrap();
        ClientTable::check(options.client.as_ref(), &inside)
    }
}
