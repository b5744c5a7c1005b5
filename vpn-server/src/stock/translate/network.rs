//! The device and the addresses of clients: `dev`, `server`, `topology`, `ifconfig`, `mode`.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::{Ipv4Net, Ipv6Net};

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Files, Verdict, last_argument, parsed};
use crate::config::Options;

/// Addressing, as far as directives describe it.
#[derive(Debug)]
pub(super) struct Addressing {
    tun: String,
    network: Option<Ipv4Net>,
    network_v6: Option<Ipv6Net>,
    pool: Option<String>,
    client_routes: Vec<String>,
    address_file: Option<PathBuf>,
}

const TOPOLOGY: &str =
    "clients get addresses in the form of 'topology subnet', which every client since 2.1 knows";
const THROUGH_THE_TUNNEL: &str = "it leads through the tunnel, without a metric";
const BRIDGED: &str = "Ethernet devices are not served: use 'dev tun'";

impl Addressing {
    /// The device's name is needed before the other directives are read.
    pub(super) fn new(directives: &[Directive], free_device: &str) -> Self {
        let tun = match last_argument(directives, "dev").map(String::as_str) {
            None | Some("tun" | "tap") => free_device,
            Some(name) => name,
        };
        Self {
            tun: tun.to_owned(),
            network: None,
            network_v6: None,
            pool: None,
            client_routes: Vec::new(),
            address_file: None,
        }
    }

    /// The name of the device.
    pub(super) fn tun(&self) -> &str {
        &self.tun
    }

    /// What becomes of `directive`, if it is about the device or addresses.
    pub(super) fn take(&mut self, directive: &Directive, files: &Files) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "dev" => take_device(directive),
            "dev-type" => take_device_type(directive),
            "dev-node" => Ok(Fate::Ignored("devices are made by /dev/net/tun")),
            "mode" => take_mode(directive),
            "topology" => take_topology(directive),
            "server" => self.take_server(directive),
            "ifconfig" => self.take_ifconfig(directive),
            "server-ipv6" => self.take_server_ipv6(directive),
            "ifconfig-pool" => self.take_pool(directive),
            "ifconfig-pool-persist" => self.take_address_file(directive, files),
            "route" => self.take_route(directive),
            "route-ipv6" => self.take_route_ipv6(directive),
            _ => return None,
        })
    }

    /// Writes device and network.
    pub(super) fn finish(self, options: &mut Options) {
        options.tun = Some(self.tun);
        let networks = self.network.map(|v4| v4.to_string()).into_iter();
        let networks: Vec<String> = networks.chain(self.network_v6.map(|v6| v6.to_string())).collect();
        options.client_cidr = Some(networks).filter(|networks| !networks.is_empty());
        options.client_pool = self.pool;
        options.client_route = Some(self.client_routes).filter(|routes| !routes.is_empty());
        options.address_file = self.address_file;
    }

    fn take_server(&mut self, directive: &Directive) -> Verdict {
        let (network, rest) = directive.first_and_rest("server NETWORK NETMASK")?;
        let (netmask, nopool) = match rest {
            [netmask] => (netmask, false),
            [netmask, word] if word == "nopool" => (netmask, true),
            _ => return Err(Problem::Arguments("server NETWORK NETMASK")),
        };
        if nopool {
            return Err(Problem::Unsupported(
                "every client gets an address from the pool: leave 'nopool' out",
            ));
        }
        self.set(parse_network(network, netmask)?)
    }

    /// `ifconfig` beside `mode server` is what `server` stands for.
    fn take_ifconfig(&mut self, directive: &Directive) -> Verdict {
        let [address, netmask] = directive.exactly::<2>("ifconfig ADDRESS NETMASK")?;
        let address: Ipv4Addr = parsed(address, "an IPv4 address")?;
        let netmask: Ipv4Addr = parsed(netmask, "a netmask; a peer's address is of topology net30")?;
        let network = Ipv4Net::with_netmask(address, netmask)
            .map_err(|_| Problem::Value { value: netmask.to_string(), expected: "a netmask" })?
            .trunc();
        if network.hosts().next() != Some(address) {
            return Err(Problem::Unsupported("the server has the first address of the clients' network"));
        }
        self.set(network)
    }

    fn take_server_ipv6(&mut self, directive: &Directive) -> Verdict {
        let [network] = directive.exactly::<1>("server-ipv6 NETWORK/BITS")?;
        self.network_v6 = Some(parse_network_v6(network)?);
        Ok(Fate::Done)
    }

    fn take_pool(&mut self, directive: &Directive) -> Verdict {
        let (first, last) = match directive.arguments.as_slice() {
            [first, last] | [first, last, _] => (first, last),
            _ => return Err(Problem::Arguments("ifconfig-pool FIRST LAST [NETMASK]")),
        };
        let (first, last): (Ipv4Addr, Ipv4Addr) =
            (parsed(first, "an IPv4 address")?, parsed(last, "an IPv4 address")?);
        self.pool = Some(format!("{first}-{last}"));
        Ok(Fate::Done)
    }

    /// `ifconfig-pool-persist FILE [SECONDS]`; with 0 seconds a stock server only reads it.
    fn take_address_file(&mut self, directive: &Directive, files: &Files) -> Verdict {
        let (file, rest) = directive.first_and_rest("ifconfig-pool-persist FILE [SECONDS]")?;
        self.address_file = Some(files.path(file));
        match rest {
            [] => Ok(Fate::Done),
            [seconds] if seconds == "0" => {
                Ok(Fate::Adapted("the file is written, too, when addresses change"))
            }
            [_] => Ok(Fate::Adapted("the file is written when addresses change")),
            _ => Err(Problem::Arguments("ifconfig-pool-persist FILE [SECONDS]")),
        }
    }

    /// A route of the server into the tunnel: a network behind some client, whose `iroute` says which.
    fn take_route(&mut self, directive: &Directive) -> Verdict {
        let (network, fate) = parse_route(&directive.arguments)?;
        self.client_routes.push(network.to_string());
        Ok(fate)
    }

    fn take_route_ipv6(&mut self, directive: &Directive) -> Verdict {
        let (network, rest) = directive.first_and_rest("route-ipv6 NETWORK/BITS")?;
        self.client_routes.push(parse_network_v6(network)?.to_string());
        Ok(if rest.is_empty() { Fate::Done } else { Fate::Adapted(THROUGH_THE_TUNNEL) })
    }

    fn set(&mut self, network: Ipv4Net) -> Verdict {
        if self.network.is_some_and(|before| before != network) {
            return Err(Problem::Contradicts("server"));
        }
        self.network = Some(network);
        Ok(Fate::Done)
    }
}

/// `NETWORK [NETMASK [GATEWAY [METRIC]]]`.
pub(in super::super) fn parse_route(arguments: &[String]) -> Result<(Ipv4Net, Fate), Problem> {
    match arguments {
        [network] => Ok((parse_network(network, "255.255.255.255")?, Fate::Done)),
        [network, netmask] => Ok((parse_network(network, netmask)?, Fate::Done)),
        [network, netmask, _, ..] => {
            Ok((parse_network(network, netmask)?, Fate::Adapted(THROUGH_THE_TUNNEL)))
        }
        [] => Err(Problem::Arguments("route NETWORK [NETMASK]")),
    }
}

/// An IPv6 network, host bits clear.
pub(in super::super) fn parse_network_v6(text: &str) -> Result<Ipv6Net, Problem> {
    let network: Ipv6Net = parsed(text, "an IPv6 network with its length")?;
    if network != network.trunc() {
        return Err(Problem::Value {
            value: text.to_owned(),
            expected: "the first address of such a network",
        });
    }
    Ok(network)
}

/// A network written with its mask, host bits clear.
pub(super) fn parse_network(network: &str, netmask: &str) -> Result<Ipv4Net, Problem> {
    let address: Ipv4Addr = parsed(network, "an IPv4 network")?;
    let mask: Ipv4Addr = parsed(netmask, "a netmask")?;
    let net = Ipv4Net::with_netmask(address, mask)
        .map_err(|_| Problem::Value { value: netmask.to_owned(), expected: "a netmask" })?;
    if net != net.trunc() {
        return Err(Problem::Value {
            value: network.to_owned(),
            expected: "the first address of such a network",
        });
    }
    Ok(net)
}

fn take_device(directive: &Directive) -> Verdict {
    let [device] = directive.exactly::<1>("dev tun|tunN|NAME")?;
    match device.as_str() {
        "null" => Err(Problem::Unsupported("a server without a device carries nothing")),
        name if name.starts_with("tap") => Err(Problem::Unsupported(BRIDGED)),
        _ => Ok(Fate::Done),
    }
}

fn take_device_type(directive: &Directive) -> Verdict {
    let [kind] = directive.exactly::<1>("dev-type tun")?;
    match kind.as_str() {
        "tun" => Ok(Fate::Done),
        _ => Err(Problem::Unsupported(BRIDGED)),
    }
}

fn take_mode(directive: &Directive) -> Verdict {
    let [mode] = directive.exactly::<1>("mode server")?;
    match mode.as_str() {
        "server" => Ok(Fate::Done),
        _ => Err(Problem::Unsupported("only servers for several clients are run: write 'mode server'")),
    }
}

fn take_topology(directive: &Directive) -> Verdict {
    let [topology] = directive.exactly::<1>("topology subnet|net30|p2p")?;
    match topology.as_str() {
        "subnet" => Ok(Fate::Done),
        "net30" | "p2p" => Ok(Fate::Adapted(TOPOLOGY)),
        other => Err(Problem::Value { value: other.to_owned(), expected: "a topology" }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn the_network_of_clients_is_that_of_the_server_directive_or_of_what_it_stands_for() {
        for text in ["server 10.8.0.0 255.255.255.0", "mode server\nifconfig 10.8.0.1 255.255.255.0"] {
            let options = network(text).unwrap();
            assert_eq!(options.client_cidr.as_deref(), Some(&["10.8.0.0/24".to_owned()][..]));
            assert_eq!(options.tun.as_deref(), Some("tun7"));
        }
    }

    #[test]
    fn a_device_has_the_name_that_is_given_or_a_free_one() {
        let tun = |text| network(text).unwrap().tun.unwrap();
        assert_eq!(tun("dev tun"), "tun7");
        assert_eq!(tun("dev tun0"), "tun0");
        assert_eq!(tun("dev vpn\ndev-type tun"), "vpn");
    }

    #[test]
    fn what_is_bridged_or_no_network_is_refused() {
        for text in [
            "dev tap",
            "dev tap0",
            "dev x\ndev-type tap",
            "dev null",
            "mode p2p",
            "topology star",
            "server 10.8.0.0",
            "server 10.8.0.1 255.255.255.0",
            "server 10.8.0.0 255.0.255.0",
            "server 10.8.0.0 255.255.255.0 nopool",
            "ifconfig 10.8.0.1 10.8.0.2",
            "ifconfig 10.8.0.9 255.255.255.0",
            "server 10.8.0.0 255.255.255.0\nifconfig 10.9.0.1 255.255.255.0",
        ] {
            assert!(network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_old_topology_is_adapted() {
        let directives = parse("f", "topology net30").unwrap();
        let fate = Addressing::new(&directives, "tun7").take(&directives[0], &files()).unwrap().unwrap();
        assert_eq!(fate, Fate::Adapted(TOPOLOGY));
    }

    fn network(text: &str) -> Result<Options, Problem> {
        let directives = parse("f", text).unwrap();
        let mut addressing = Addressing::new(&directives, "tun7");
        for directive in &directives {
            addressing.take(directive, &files()).unwrap()?;
        }
        let mut options = Options::default();
        addressing.finish(&mut options);
        Ok(options)
    }

    #[test]
    fn both_families_pools_and_networks_behind_clients() {
        let options = network(
            "server 10.8.0.0 255.255.255.0\nserver-ipv6 fd00:8::/64\nifconfig-pool 10.8.0.100 10.8.0.200\n\
             ifconfig-pool-persist ipp.txt\nroute 10.20.0.0 255.255.0.0\nroute 10.21.0.1\nroute-ipv6 fd20::/48",
        )
        .unwrap();
        assert_eq!(options.client_cidr.unwrap(), ["10.8.0.0/24", "fd00:8::/64"]);
        assert_eq!(options.client_pool.as_deref(), Some("10.8.0.100-10.8.0.200"));
        assert_eq!(options.address_file, Some("/etc/openvpn/ipp.txt".into()));
        assert_eq!(options.client_route.unwrap(), ["10.20.0.0/16", "10.21.0.1/32", "fd20::/48"]);
        for text in
            ["server-ipv6 fd00::1/64", "server-ipv6 10.8.0.0/24", "route 10.20.0.1 255.255.0.0", "route"]
        {
            assert!(network(text).is_err(), "{text}");
        }
    }

    fn files() -> Files {
        Files { directory: "/etc/openvpn".into(), inline_directory: "/x".into(), inline: Vec::new() }
    }
}
