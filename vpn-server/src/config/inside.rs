//! The addresses inside the tunnel: whose they are, and what is behind clients.

use std::path::PathBuf;

use super::check::{parse, parse_all};
use super::error::ConfigError;
use super::network::{AddressRange, ClientCidr, ClientCidrV6, ClientCidrs, Network, RoutedNetwork};
use super::options::Options;

/// What is inside the tunnel, fixed while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsideSettings {
    /// The networks of client addresses.
    pub client_cidrs: ClientCidrs,
    /// The part of the IPv4 addresses that is leased; `None` is all of them.
    pub pool: Option<AddressRange>,
    /// Networks behind clients; `[client]` says behind which.
    pub client_networks: Vec<Network>,
    /// The file in which the addresses of clients are noted; `None` is one in the state directory.
    pub address_file: Option<PathBuf>,
}

impl InsideSettings {
    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        let client_cidrs = check_client_cidrs(options.client_cidr.as_deref().unwrap_or_default())?;
        let client_networks: Vec<Network> = parse_all("client-route", options.client_route.as_deref())?;
        let inside = Self {
            client_cidrs,
            pool: parse("client-pool", options.client_pool.as_deref())?,
            client_networks,
            address_file: options.address_file.clone(),
        };
        inside.check_pool()?;
        for network in &inside.client_networks {
            inside.refuse_foreign_family("client-route", *network)?;
            if inside.client_cidrs.networks().any(|own| own.overlaps(*network)) {
                return Err(ConfigError::NetworksOverlap {
                    option: "client-route",
                    network: network.to_string(),
                    other: "client addresses".to_owned(),
                });
            }
        }
        Ok(inside)
    }

    /// A default route contains everything, what is inside included, and is meant to.
    pub(super) fn check_routes(&self, routes: &[RoutedNetwork]) -> Result<(), ConfigError> {
        for route in routes {
            self.refuse_foreign_family("route", route.network)?;
            if route.network.is_default_route() {
                continue;
            }
            if let Some(own) = self.client_cidrs.networks().find(|own| own.overlaps(route.network)) {
                return Err(ConfigError::ClientCidrOverlapsRoute { client_cidr: own, route: route.clone() });
            }
            if let Some(other) = self.client_networks.iter().find(|other| other.overlaps(route.network)) {
                return Err(ConfigError::NetworksOverlap {
                    option: "route",
                    network: route.to_string(),
                    other: format!("--client-route {other}"),
                });
            }
        }
        Ok(())
    }

    /// IPv6 networks mean nothing to a tunnel that carries IPv4 only.
    pub(super) fn refuse_foreign_family(
        &self,
        option: &'static str,
        network: Network,
    ) -> Result<(), ConfigError> {
        if network.is_ipv6() && self.client_cidrs.v6.is_none() {
            return Err(ConfigError::NeedsIpv6 { option, value: network.to_string() });
        }
        Ok(())
    }

    /// Whether every address of `network` is a client's or behind one.
    #[must_use]
    pub fn is_about_clients(&self, network: Network) -> bool {
        self.client_cidrs.contain(network)
            || self.client_networks.iter().any(|behind| behind.net().contains(&network.net()))
    }

    fn check_pool(&self) -> Result<(), ConfigError> {
        let Some(pool) = self.pool else { return Ok(()) };
        let network = self.client_cidrs.v4.net();
        if network.contains(&pool.first) && network.contains(&pool.last) {
            return Ok(());
        }
        Err(ConfigError::OutsideClientCidr { option: "client-pool", value: pool.to_string() })
    }
}

/// One network of IPv4, and one of IPv6 if the tunnel is to carry it.
fn check_client_cidrs(given: &[String]) -> Result<ClientCidrs, ConfigError> {
    let invalid = |value: Network, problem| ConfigError::InvalidValue {
        option: "client-cidr",
        value: value.to_string(),
        problem: super::InvalidValue::Network(problem),
    };
    let networks: Vec<Network> = parse_all("client-cidr", Some(given))?;
    let (v6, v4): (Vec<Network>, Vec<Network>) = networks.into_iter().partition(|network| network.is_ipv6());
    for family in [&v4, &v6] {
        if family.len() > 1 {
            return Err(ConfigError::TooMany { option: "client-cidr", given: given.len(), maximum: 2 });
        }
    }
    let v4 = v4.first().ok_or(ConfigError::Missing {
        option: "client-cidr",
        meaning: "the network of client addresses, e.g. 10.8.0.0/24",
    })?;
    let v6 = v6.first().map(|v6| ClientCidrV6::try_from(*v6).map_err(|problem| invalid(*v6, problem)));
    Ok(ClientCidrs {
        v4: ClientCidr::try_from(*v4).map_err(|problem| invalid(*v4, problem))?,
        v6: v6.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_of_each_family_at_most() {
        let cidrs = check("client-cidr = ['fd00:8::/64', '10.8.0.0/24']").unwrap().client_cidrs;
        assert_eq!(cidrs.v4.to_string(), "10.8.0.0/24");
        assert_eq!(cidrs.v6.unwrap().to_string(), "fd00:8::/64");
        for (given, code) in [
            ("client-cidr = 'fd00:8::/64'", "config-option-missing"),
            ("client-cidr = ['10.8.0.0/24', '10.9.0.0/24']", "config-too-many-values"),
            ("client-cidr = ['10.8.0.0/24', 'fd00:8::/64', 'fd00:9::/64']", "config-too-many-values"),
            ("client-cidr = ['10.8.0.0/24', 'fe80::/64']", "config-value-invalid"),
            ("client-cidr = ['10.8.0.0/24', 'fd00:8::/32']", "config-value-invalid"),
        ] {
            assert_eq!(check(given).unwrap_err().code(), code, "{given}");
        }
    }

    #[test]
    fn networks_behind_clients_overlap_nothing_else() {
        let given = "client-cidr = '10.8.0.0/24'\nclient-route = '10.20.0.0/16'";
        let inside = check(given).unwrap();
        let routes =
            |text: &str| inside.check_routes(&[text.parse().unwrap()]).map_err(|error| error.to_string());
        assert_eq!(routes("0.0.0.0/0"), Ok(()));
        assert_eq!(routes("10.7.0.0/16"), Ok(()));
        let overlap = Err("--route 10.20.7.0/24 overlaps --client-route 10.20.0.0/16".to_owned());
        assert_eq!(routes("10.20.7.0/24"), overlap);
        for (given, message) in [
            ("client-route = '10.8.0.128/25'", "--client-route 10.8.0.128/25 overlaps client addresses"),
            (
                "client-route = 'fd20::/48'",
                "--client-route fd20::/48: the tunnel carries IPv4 only, as --client-cidr has no IPv6 network",
            ),
        ] {
            let error = check(&format!("client-cidr = '10.8.0.0/24'\n{given}")).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn acl_04_only_networks_within_one_are_about_clients() {
        let inside =
            check("client-cidr = ['10.8.0.0/24', 'fd00:8::/64']\nclient-route = '10.20.0.0/16'").unwrap();
        for (network, expected) in [
            ("10.8.0.0/24", true),
            ("10.8.0.7/32", true),
            ("10.20.1.0/24", true),
            ("fd00:8::/64", true),
            ("fd00:8::5/128", true),
            ("fd00::/16", false),
            ("10.0.0.0/8", false),
            ("0.0.0.0/0", false),
        ] {
            assert_eq!(inside.is_about_clients(network.parse().unwrap()), expected, "{network}");
        }
    }

    #[test]
    fn the_pool_is_a_part_of_the_client_addresses() {
        let with_pool = |pool: &str| check(&format!("client-cidr = '10.8.0.0/24'\nclient-pool = '{pool}'"));
        assert!(with_pool("10.8.0.100-10.8.0.199").is_ok());
        let error = with_pool("10.8.0.100-10.8.1.5").unwrap_err();
        assert_eq!(error.to_string(), "--client-pool 10.8.0.100-10.8.1.5 is outside of --client-cidr");
        assert_eq!(with_pool("10.8.0.0/24").unwrap_err().code(), "config-value-invalid");
    }

    fn check(text: &str) -> Result<InsideSettings, ConfigError> {
        InsideSettings::check(&toml::from_str(text).unwrap())
    }
}
