//! Forwarding and NAT of one server as one thing: set up, follow a change of routes, tear down.

use std::path::PathBuf;

use tracing::{debug, info, warn};

use super::client_routes::{self, ClientRouteError};
use super::firewall::chains_that_drop;
use super::forwarding::{Forwarding, ForwardingError};
use super::members::OutsideAddresses;
use super::nft::{self, NftError};
use super::ruleset::{Family, Removal, Ruleset, table_name};
use crate::config::{Association, InsideSettings, RoutedNetwork, SecurityGroupId, Translation};
use crate::transport::tun::DeviceName;

/// What the host's network has to do for the server.
#[derive(Clone, Debug)]
pub struct HostNetworkSettings {
    /// The TUN device.
    pub tun: DeviceName,
    /// The addresses of clients and what is behind them.
    pub inside: InsideSettings,
    /// The networks behind the server.
    pub routes: Vec<RoutedNetwork>,
    /// Whether clients may reach each other: their packets take the way through the host's routing too.
    pub forwards_between_clients: bool,
    /// How clients appear behind interfaces.
    pub associations: Vec<Association>,
    /// The security groups whose members are made known.
    pub security_groups: Vec<SecurityGroupId>,
    /// Ports that the server listens on, of either transport.
    pub listening_ports: Vec<u16>,
    /// Whether client addresses are translated towards the routed networks.
    pub nat: bool,
    /// Whether forwarding towards the routed networks is switched on where it is off.
    pub forwarding: bool,
    /// Where to note what was changed.
    pub state_directory: PathBuf,
}

/// What can change while the server runs.
#[derive(Clone, Debug, Default)]
pub struct HostNetworkChange {
    /// The networks behind the server.
    pub routes: Vec<RoutedNetwork>,
    /// Whether clients may reach each other.
    pub forwards_between_clients: bool,
    /// How clients appear behind interfaces.
    pub associations: Vec<Association>,
    /// The security groups whose members are made known.
    pub security_groups: Vec<SecurityGroupId>,
}

/// The host's network while it serves. Dropping it puts everything back.
#[derive(Debug)]
pub struct HostNetwork {
    settings: HostNetworkSettings,
    forwarding: Option<Forwarding>,
    table_is_installed: bool,
}

/// Why the host's network could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Forwarding could not be switched on.
    #[error(transparent)]
    Forwarding(#[from] ForwardingError),
    /// NAT could not be set up.
    #[error("cannot set up address translation: {0}")]
    Nat(#[from] NftError),
    /// Networks behind clients could not be routed into the tunnel.
    #[error("cannot route networks behind clients into the tunnel: {0}")]
    ClientRoutes(#[from] ClientRouteError),
}

impl NetworkError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Forwarding(error) => error.code(),
            Self::Nat(error) => error.code(),
            Self::ClientRoutes(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Forwarding(error) => error.help(),
            Self::Nat(error) => error.help(),
            Self::ClientRoutes(error) => error.help(),
        }
    }
}

impl HostNetwork {
    /// Switches forwarding on, routes what is behind clients and installs the NAT tables in place of those that a killed
    /// predecessor left.
    /// A server that forwards nothing changes nothing.
    ///
    /// # Errors
    ///
    /// [`NetworkError`]; what was changed until then is put back.
    pub fn set_up(settings: HostNetworkSettings) -> Result<Self, NetworkError> {
        let mut network = Self { settings, forwarding: None, table_is_installed: false };
        client_routes::set_up(&network.settings.tun, &network.settings.inside.client_networks)?;
        network.apply()?;
        network.remove_stale_tables();
        if network.forwarding.is_some() {
            network.remark_on_firewall();
        }
        Ok(network)
    }

    /// Follows a change of what is forwarded.
    ///
    /// # Errors
    ///
    /// [`NetworkError`]; the NAT rules are then the former ones.
    pub fn change(&mut self, change: HostNetworkChange) -> Result<(), NetworkError> {
        let former = self.settings.clone();
        self.settings.routes = change.routes;
        self.settings.forwards_between_clients = change.forwards_between_clients;
        self.settings.associations = change.associations;
        self.settings.security_groups = change.security_groups;
        self.apply().inspect_err(|_| self.settings = former)
    }

    fn apply(&mut self) -> Result<(), NetworkError> {
        let HostNetworkSettings { tun, inside, routes, listening_ports, .. } = &self.settings;
        let between_clients = self.settings.forwards_between_clients;
        let forwarded: &[RoutedNetwork] = if self.settings.forwarding { routes } else { &[] };
        let ipv6 = inside.client_cidrs.v6.is_some()
            && (between_clients || forwarded.iter().any(|route| route.network.is_ipv6()));
        if !forwarded.is_empty() || between_clients {
            match &mut self.forwarding {
                Some(forwarding) => forwarding.extend(tun, forwarded, ipv6)?,
                None => {
                    let state_directory = &self.settings.state_directory;
                    self.forwarding = Some(Forwarding::enable(state_directory, tun, forwarded, ipv6)?);
                }
            }
        }
        let HostNetworkSettings { associations, security_groups, nat: translates, .. } = &self.settings;
        let needs_table = *translates && !routes.is_empty()
            || associations.iter().any(|association| association.translation != Translation::None)
            || !security_groups.is_empty();
        if self.table_is_installed || needs_table {
            let (client_cidrs, client_networks) = (inside.client_cidrs, &*inside.client_networks);
            let members =
                if security_groups.is_empty() { vec![] } else { self.outside_addresses().members() };
            let ruleset = Ruleset {
                tun,
                client_cidrs,
                client_networks,
                routes,
                listening_ports,
                translates: *translates,
                associations,
                security_groups,
                members: &members,
            };
            nft::apply(&ruleset.to_string())?;
            self.table_is_installed = true;
            info!(table = %table_name(tun), routes = routes.len(), "the packet filter's table is in place");
        }
        Ok(())
    }

    /// Under which addresses clients are seen in the networks behind the server.
    #[must_use]
    pub fn outside_addresses(&self) -> OutsideAddresses {
        let HostNetworkSettings { inside, routes, associations, nat, .. } = &self.settings;
        OutsideAddresses::find(inside, routes, associations, *nat)
    }

    fn remark_on_firewall(&self) {
        let chains = nft::list_chains().map(|listing| chains_that_drop(&listing)).unwrap_or_default();
        if !chains.is_empty() {
            warn!(
                chains = chains.join(", "),
                "the firewall of this host drops forwarded packets by default: it has to accept those from {}",
                self.settings.tun
            );
        }
    }

    /// Where this server needs no table, one of the same name can only be a leftover. Without nft there is none.
    fn remove_stale_tables(&self) {
        for family in [Family::Ipv4, Family::Ipv6].into_iter().filter(|family| !self.has_table(*family)) {
            match nft::apply(&Removal(&self.settings.tun, family).to_string()) {
                Ok(()) | Err(NftError::Missing) => {}
                Err(error) => debug!(%error, %family, "cannot look for a leftover translation table"),
            }
        }
    }

    fn has_table(&self, family: Family) -> bool {
        self.table_is_installed && (family == Family::Ipv4 || self.settings.inside.client_cidrs.v6.is_some())
    }
}

impl Drop for HostNetwork {
    fn drop(&mut self) {
        for family in [Family::Ipv4, Family::Ipv6].into_iter().filter(|family| self.has_table(*family)) {
            if let Err(error) = nft::apply(&Removal(&self.settings.tun, family).to_string()) {
                let table = table_name(&self.settings.tun);
                warn!(table, %family, %error, "cannot remove the translation table");
            }
        }
        if let Some(forwarding) = self.forwarding.take() {
            forwarding.restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ClientCidrs, Network};
    use crate::testing::namespace::{add_interface, in_namespace, run, switch};

    #[test]
    fn the_host_is_as_before_when_the_server_is_gone() {
        in_namespace(|| {
            let state = host_with_interfaces();
            let network = HostNetwork::set_up(settings(&state, &["10.7.0.0/24@eth1"])).unwrap();
            assert_eq!(switches(), ["0", "1", "0", "1"]);
            let rules = run("nft", &["list", "ruleset"]);
            assert!(rules.contains("ip daddr 10.7.0.0/24 oifname \"eth1\""), "{rules}");
            drop(network);
            assert_eq!(switches(), ["0", "0", "0", "0"]);
            assert_eq!(run("nft", &["list", "ruleset"]), "");
        });
    }

    #[test]
    fn ipv6_is_forwarded_and_translated_too_and_everything_is_put_back() {
        in_namespace(|| {
            let state = host_with_interfaces();
            let forwards = || switch("ipv6/conf/all/forwarding");
            assert_eq!(forwards(), "0");
            let settings = HostNetworkSettings {
                inside: InsideSettings {
                    client_networks: vec!["10.20.0.0/16".parse().unwrap()],
                    ..inside(&["10.8.0.0/24", "fd00:8::/64"])
                },
                ..settings(&state, &["10.7.0.0/24@eth1", "fd07::/64@eth1"])
            };
            let network = HostNetwork::set_up(settings.clone()).unwrap();
            let rules = run("nft", &["list", "ruleset"]);
            assert!(
                rules.contains("table ip6 postern_tun0") && rules.contains("ip6 daddr fd07::/64"),
                "{rules}"
            );
            assert_eq!(forwards(), "1");
            assert!(run("ip", &["route"]).contains("10.20.0.0/16 dev tun0"));
            drop(network);
            assert_eq!((forwards().as_str(), run("nft", &["list", "ruleset"]).as_str()), ("0", ""));
            run("ip", &["route", "del", "10.20.0.0/16"]);
            std::mem::forget(HostNetwork::set_up(settings.clone()).unwrap());
            run("ip", &["route", "del", "10.20.0.0/16"]);
            assert_eq!(forwards(), "1");
            let v4_only = HostNetworkSettings {
                inside: inside(&["10.8.0.0/24"]),
                routes: routes(&["10.7.0.0/24@eth1"]),
                ..settings
            };
            let network = HostNetwork::set_up(v4_only).unwrap();
            assert!(!run("nft", &["list", "tables"]).contains("ip6"), "a leftover of the other family goes");
            drop(network);
            assert_eq!(forwards(), "0");
        });
    }

    #[test]
    fn rules_of_others_are_left_alone() {
        in_namespace(|| {
            let state = host_with_interfaces();
            run("nft", &["add", "table", "ip", "firewall"]);
            drop(HostNetwork::set_up(settings(&state, &["10.7.0.0/24"])).unwrap());
            assert_eq!(run("nft", &["list", "tables"]), "table ip firewall\n");
        });
    }

    #[test]
    fn what_a_killed_server_left_is_taken_over() {
        in_namespace(|| {
            let state = host_with_interfaces();
            std::mem::forget(HostNetwork::set_up(settings(&state, &["10.7.0.0/24@eth1"])).unwrap());
            let network = HostNetwork::set_up(settings(&state, &["10.9.0.0/24@eth2"])).unwrap();
            let rules = run("nft", &["list", "ruleset"]);
            assert!(!rules.contains("10.7.0.0/24") && rules.contains("10.9.0.0/24"), "{rules}");
            drop(network);
            assert_eq!(switches(), ["0", "0", "0", "0"]);
            assert_eq!(run("nft", &["list", "ruleset"]), "");
        });
    }

    #[test]
    fn a_leftover_table_goes_even_if_this_server_needs_none() {
        in_namespace(|| {
            let state = host_with_interfaces();
            std::mem::forget(HostNetwork::set_up(settings(&state, &["10.7.0.0/24"])).unwrap());
            let without = HostNetworkSettings { nat: false, ..settings(&state, &["10.7.0.0/24"]) };
            let _network = HostNetwork::set_up(without).unwrap();
            assert_eq!(run("nft", &["list", "ruleset"]), "");
        });
    }

    #[test]
    fn routes_can_change_while_the_server_runs() {
        in_namespace(|| {
            let state = host_with_interfaces();
            let mut network = HostNetwork::set_up(settings(&state, &[])).unwrap();
            assert_eq!(run("nft", &["list", "ruleset"]), "");
            network.change(to(&["10.9.0.0/24@eth2"])).unwrap();
            assert!(run("nft", &["list", "ruleset"]).contains("10.9.0.0/24"));
            assert_eq!(switches(), ["0", "0", "1", "1"]);
            assert!(network.change(to(&["10.9.0.0/24@eth9"])).is_err());
            assert!(run("nft", &["list", "ruleset"]).contains("eth2"));
            network.change(to(&[])).unwrap();
            assert!(!run("nft", &["list", "ruleset"]).contains("masquerade"));
            drop(network);
            assert_eq!(switches(), ["0", "0", "0", "0"]);
        });
    }

    #[test]
    fn members_of_security_groups_are_made_known_and_forgotten_at_the_end() {
        in_namespace(|| {
            let state = host_with_interfaces();
            let groups: Vec<SecurityGroupId> = vec!["sg-0a1b".parse().unwrap()];
            let settings = settings(&state, &["10.7.0.0/24@eth1"]);
            let translating = HostNetworkSettings { security_groups: groups.clone(), ..settings.clone() };
            let network = HostNetwork::set_up(translating).unwrap();
            let members = || run("nft", &["list", "set", "ip", "postern_tun0", "cvpn_sg_sg-0a1b_members"]);
            assert!(members().contains("elements = { 10.7.0.1 }"), "{}", members());
            drop(network);
            let mut network = HostNetwork::set_up(HostNetworkSettings { nat: false, ..settings }).unwrap();
            assert_eq!(run("nft", &["list", "ruleset"]), "");
            network.change(HostNetworkChange { security_groups: groups, ..to(&[]) }).unwrap();
            assert!(members().contains("elements = { 10.8.0.0/24 }"), "{}", members());
            drop(network);
            assert_eq!(run("nft", &["list", "ruleset"]), "");
        });
    }

    #[test]
    fn clients_that_may_meet_need_forwarding_and_no_rules() {
        in_namespace(|| {
            let state = host_with_interfaces();
            let meeting = HostNetworkSettings { forwards_between_clients: true, ..settings(&state, &[]) };
            let _network = HostNetwork::set_up(meeting).unwrap();
            assert_eq!(switches(), ["0", "0", "0", "1"]);
            assert_eq!(run("nft", &["list", "ruleset"]), "");
        });
    }

    #[test]
    fn a_failed_set_up_leaves_nothing() {
        in_namespace(|| {
            let state = host_with_interfaces();
            let error = HostNetwork::set_up(settings(&state, &["10.7.0.0/24@eth9"])).unwrap_err();
            assert_eq!(error.code(), "forwarding-unreadable");
            assert_eq!(switches(), ["0", "0", "0", "0"]);
        });
    }

    fn host_with_interfaces() -> tempfile::TempDir {
        for (name, address) in [("eth1", "10.7.0.1/24"), ("eth2", "10.9.0.1/24"), ("tun0", "10.8.0.1/24")] {
            add_interface(name, address);
        }
        tempfile::tempdir().unwrap()
    }

    fn switches() -> [String; 4] {
        ["ip_forward", "conf/eth1/forwarding", "conf/eth2/forwarding", "conf/tun0/forwarding"]
            .map(|name| switch(&format!("ipv4/{name}")))
    }

    fn settings(state: &tempfile::TempDir, given: &[&str]) -> HostNetworkSettings {
        HostNetworkSettings {
            tun: "tun0".parse().unwrap(),
            inside: inside(&["10.8.0.0/24"]),
            routes: routes(given),
            forwards_between_clients: false,
            associations: vec![],
            security_groups: vec![],
            listening_ports: vec![1194],
            nat: true,
            forwarding: true,
            state_directory: state.path().to_owned(),
        }
    }

    fn inside(client_cidrs: &[&str]) -> InsideSettings {
        let network = |text: &&str| text.parse::<Network>().unwrap();
        let v6 = client_cidrs.get(1).map(|text| network(text).try_into().unwrap());
        InsideSettings {
            client_cidrs: ClientCidrs { v4: network(&client_cidrs[0]).try_into().unwrap(), v6 },
            pool: None,
            client_networks: vec![],
            address_file: None,
        }
    }

    fn to(given: &[&str]) -> HostNetworkChange {
        HostNetworkChange { routes: routes(given), ..HostNetworkChange::default() }
    }

    fn routes(given: &[&str]) -> Vec<RoutedNetwork> {
        given.iter().map(|route| route.parse().unwrap()).collect()
    }
}
