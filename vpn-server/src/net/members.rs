//! The addresses under which the clients of this server are seen in the networks behind it: what members of its security
//! groups are to everybody else.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use tracing::warn;

use super::program::run;
use crate::config::{InsideSettings, RoutedNetwork};
use crate::transport::tun::DeviceName;

/// The networks that packets of clients come from. Where addresses are translated, these are the addresses of the interfaces
/// that routes name; a route without interface may leave anywhere.
pub(super) fn members(inside: &InsideSettings, routes: &[RoutedNetwork], translates: bool) -> Vec<IpNet> {
    let is_own = |net: &IpNet| !translates || matches!(net, IpNet::V6(v6) if !v6.network().is_unique_local());
    let own = inside.client_cidrs.networks().chain(inside.client_networks.iter().copied());
    let own = own.map(|network| network.net()).filter(is_own);
    let leaving: BTreeSet<&DeviceName> = routes.iter().filter_map(|route| route.interface.as_ref()).collect();
    let translated = leaving.into_iter().filter(|_| translates).flat_map(addresses_of).map(IpNet::from);
    own.chain(translated).collect()
}

fn addresses_of(interface: &DeviceName) -> Vec<IpAddr> {
    match run("ip", &["-json", "address", "show", "dev", interface.as_str(), "scope", "global"], "") {
        Ok(listing) => parse(&listing),
        Err(failure) => {
            warn!(%interface, ?failure, "the members of security groups lack the addresses of an interface");
            Vec::new()
        }
    }
}

/// The addresses in what `ip -json address` prints.
fn parse(listing: &str) -> Vec<IpAddr> {
    let interfaces: Vec<serde_json::Value> = serde_json::from_str(listing).unwrap_or_default();
    let infos = interfaces.iter().filter_map(|interface| interface.get("addr_info")?.as_array()).flatten();
    infos.filter_map(|info| info.get("local")?.as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ClientCidrs, Network};
    use crate::testing::namespace::{add_interface, in_namespace};

    #[test]
    fn without_translation_members_have_their_own_addresses() {
        assert_eq!(shown(&["10.7.0.0/24@eth1"], false), ["10.8.0.0/24", "2001:db8:8::/64"]);
    }

    #[test]
    fn translated_members_have_the_addresses_of_the_interfaces() {
        in_namespace(|| {
            add_interface("eth1", "10.7.0.1/24");
            let routes = ["10.7.0.0/24@eth1", "10.6.0.0/24@eth1", "10.9.0.0/24"];
            assert_eq!(shown(&routes, true), ["2001:db8:8::/64", "10.7.0.1/32"]);
            assert_eq!(shown(&["10.7.0.0/24@eth9"], true), ["2001:db8:8::/64"]);
        });
    }

    #[test]
    fn what_ip_does_not_print_has_no_addresses() {
        for listing in ["", "[]", "[{}]", "{", "[{\"addr_info\":[{\"local\":\"x\"},{}]}]"] {
            assert!(parse(listing).is_empty(), "{listing}");
        }
    }

    fn shown(routes: &[&str], translates: bool) -> Vec<String> {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let v6 = Some(network("2001:db8:8::/64").try_into().unwrap());
        let inside = InsideSettings {
            client_cidrs: ClientCidrs { v4: network("10.8.0.0/24").try_into().unwrap(), v6 },
            pool: None,
            client_networks: vec![],
            address_file: None,
        };
        let routes: Vec<RoutedNetwork> = routes.iter().map(|route| route.parse().unwrap()).collect();
        members(&inside, &routes, translates).iter().map(ToString::to_string).collect()
    }
}
