//! The addresses under which the clients of this server are seen in the networks behind it: what members of its security
//! groups are to everybody else.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use tracing::warn;

use super::program::run;
use crate::config::{Association, InsideSettings, RoutedNetwork, Translation};
use crate::transport::tun::DeviceName;

/// Under which addresses clients are seen in the networks behind the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutsideAddresses {
    /// Networks of addresses that are not translated everywhere.
    pub own: Vec<IpNet>,
    /// Addresses that others are translated to.
    pub translated: Vec<IpAddr>,
}

impl OutsideAddresses {
    /// A route without interface may leave anywhere: to which addresses its packets are translated is not known.
    pub(super) fn find(
        inside: &InsideSettings,
        routes: &[RoutedNetwork],
        associations: &[Association],
        translates: bool,
    ) -> Self {
        let leaving: BTreeSet<&DeviceName> =
            routes.iter().filter_map(|route| route.interface.as_ref()).collect();
        let mut outside = Self::default();
        let mut is_translated_everywhere = translates;
        for interface in leaving {
            let own = associations.iter().find(|association| association.interface == *interface);
            match own.map(|association| &association.translation) {
                Some(Translation::Source(addresses)) => outside.translated.extend(addresses),
                Some(Translation::Masquerade) => outside.translated.extend(addresses_of(interface)),
                None if translates => outside.translated.extend(addresses_of(interface)),
                Some(Translation::None) | None => is_translated_everywhere = false,
            }
        }
        let is_own = |net: &IpNet| !is_translated_everywhere || is_global_v6(net);
        let own = inside.client_cidrs.networks().chain(inside.client_networks.iter().copied());
        outside.own = own.map(|network| network.net()).filter(is_own).collect();
        outside
    }

    /// All of them.
    pub(super) fn members(&self) -> Vec<IpNet> {
        let translated = self.translated.iter().copied().map(IpNet::from);
        self.own.iter().copied().chain(translated).collect()
    }
}

fn is_global_v6(net: &IpNet) -> bool {
    matches!(net, IpNet::V6(v6) if !v6.network().is_unique_local())
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
    fn an_association_says_which_addresses_members_have() {
        let association =
            |translation| Association { id: "a".to_owned(), interface: "eth1".parse().unwrap(), translation };
        let source = association(Translation::Source(vec!["10.7.0.99".parse().unwrap()]));
        let routes = ["10.7.0.0/24@eth1"];
        assert_eq!(shown_with(&routes, &[source], true), ["2001:db8:8::/64", "10.7.0.99/32"]);
        let own = association(Translation::None);
        assert_eq!(shown_with(&routes, &[own], true), ["10.8.0.0/24", "2001:db8:8::/64"]);
    }

    #[test]
    fn what_ip_does_not_print_has_no_addresses() {
        for listing in ["", "[]", "[{}]", "{", "[{\"addr_info\":[{\"local\":\"x\"},{}]}]"] {
            assert!(parse(listing).is_empty(), "{listing}");
        }
    }

    fn shown(routes: &[&str], translates: bool) -> Vec<String> {
        shown_with(routes, &[], translates)
    }

    fn shown_with(routes: &[&str], associations: &[Association], translates: bool) -> Vec<String> {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let v6 = Some(network("2001:db8:8::/64").try_into().unwrap());
        let inside = InsideSettings {
            client_cidrs: ClientCidrs { v4: network("10.8.0.0/24").try_into().unwrap(), v6 },
            pool: None,
            client_networks: vec![],
            address_file: None,
        };
        let routes: Vec<RoutedNetwork> = routes.iter().map(|route| route.parse().unwrap()).collect();
        let outside = OutsideAddresses::find(&inside, &routes, associations, translates);
        outside.members().iter().map(ToString::to_string).collect()
    }
}
