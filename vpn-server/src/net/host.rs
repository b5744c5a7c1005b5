//! Forwarding and NAT of one server as one thing: set up, follow a change of routes, tear down.

use std::path::PathBuf;

use tracing::{info, warn};

use super::firewall::chains_that_drop;
use super::forwarding::{Forwarding, ForwardingError};
use super::nft::{self, NftError};
use super::ruleset::{Removal, Ruleset, table_name};
use crate::config::{ClientCidr, RoutedNetwork};
use crate::transport::tun::DeviceName;

/// What the host's network has to do for the server.
#[derive(Clone, Debug)]
pub struct HostNetworkSettings {
    /// The TUN device.
    pub tun: DeviceName,
    /// The addresses of clients.
    pub client_cidr: ClientCidr,
    /// The networks behind the server.
    pub routes: Vec<RoutedNetwork>,
    /// Whether clients may reach each other: their packets take the way through the host's routing too.
    pub forwards_between_clients: bool,
    /// Ports that the server listens on, of either transport.
    pub listening_ports: Vec<u16>,
    /// Whether client addresses are translated towards the routed networks.
    pub nat: bool,
    /// Whether forwarding towards the routed networks is switched on where it is off.
    pub forwarding: bool,
    /// Where to note what was changed.
    pub state_directory: PathBuf,
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
}

impl NetworkError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Forwarding(error) => error.code(),
            Self::Nat(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Forwarding(error) => error.help(),
            Self::Nat(error) => error.help(),
        }
    }
}

impl HostNetwork {
    /// Switches forwarding on and installs the NAT table in place of one that a killed predecessor left.
    /// A server that forwards nothing changes nothing.
    ///
    /// # Errors
    ///
    /// [`NetworkError`]; what was changed until then is put back.
    pub fn set_up(settings: HostNetworkSettings) -> Result<Self, NetworkError> {
        let mut network = Self { settings, forwarding: None, table_is_installed: false };
        network.apply()?;
        if !network.table_is_installed {
            network.remove_stale_table();
        }
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
    pub fn change(
        &mut self,
        routes: Vec<RoutedNetwork>,
        forwards_between_clients: bool,
    ) -> Result<(), NetworkError> {
        let former = self.settings.clone();
        self.settings.routes = routes;
        self.settings.forwards_between_clients = forwards_between_clients;
        self.apply().inspect_err(|_| self.settings = former)
    }

    fn apply(&mut self) -> Result<(), NetworkError> {
        let HostNetworkSettings { tun, client_cidr, routes, listening_ports, .. } = &self.settings;
        let forwarded: &[RoutedNetwork] = if self.settings.forwarding { routes } else { &[] };
        if !forwarded.is_empty() || self.settings.forwards_between_clients {
            match &mut self.forwarding {
                Some(forwarding) => forwarding.extend(tun, forwarded)?,
                None => {
                    let state_directory = &self.settings.state_directory;
                    self.forwarding = Some(Forwarding::enable(state_directory, tun, forwarded)?);
                }
            }
        }
        if self.settings.nat && (self.table_is_installed || !routes.is_empty()) {
            let ruleset = Ruleset { tun, client_cidr: *client_cidr, routes, listening_ports };
            nft::apply(&ruleset.to_string())?;
            self.table_is_installed = true;
            info!(table = %table_name(tun), routes = routes.len(), "address translation is in place");
        }
        Ok(())
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
    fn remove_stale_table(&self) {
        match nft::apply(&Removal(&self.settings.tun).to_string()) {
            Ok(()) | Err(NftError::Missing) => {}
            Err(error) => warn!(%error, "cannot look for a leftover translation table"),
        }
    }
}

impl Drop for HostNetwork {
    fn drop(&mut self) {
        if self.table_is_installed
            && let Err(error) = nft::apply(&Removal(&self.settings.tun).to_string())
        {
            warn!(table = %table_name(&self.settings.tun), %error, "cannot remove the translation table");
        }
        if let Some(forwarding) = self.forwarding.take() {
            forwarding.restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            network.change(routes(&["10.9.0.0/24@eth2"]), false).unwrap();
            assert!(run("nft", &["list", "ruleset"]).contains("10.9.0.0/24"));
            assert_eq!(switches(), ["0", "0", "1", "1"]);
            assert!(network.change(routes(&["10.9.0.0/24@eth9"]), false).is_err());
            assert!(run("nft", &["list", "ruleset"]).contains("eth2"));
            network.change(Vec::new(), false).unwrap();
            assert!(!run("nft", &["list", "ruleset"]).contains("masquerade"));
            drop(network);
            assert_eq!(switches(), ["0", "0", "0", "0"]);
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
        ["ip_forward", "conf/eth1/forwarding", "conf/eth2/forwarding", "conf/tun0/forwarding"].map(switch)
    }

    fn settings(state: &tempfile::TempDir, given: &[&str]) -> HostNetworkSettings {
        HostNetworkSettings {
            tun: "tun0".parse().unwrap(),
            client_cidr: "10.8.0.0/24".parse().unwrap(),
            routes: routes(given),
            forwards_between_clients: false,
            listening_ports: vec![1194],
            nat: true,
            forwarding: true,
            state_directory: state.path().to_owned(),
        }
    }

    fn routes(given: &[&str]) -> Vec<RoutedNetwork> {
        given.iter().map(|route| route.parse().unwrap()).collect()
    }
}
