//! The device and the addresses of clients: `dev`, `server`, `topology`, `ifconfig`, `mode`.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Verdict, last_argument, parsed};
use crate::config::Options;

/// Addressing, as far as directives describe it.
#[derive(Debug)]
pub(super) struct Addressing {
    tun: String,
    network: Option<Ipv4Net>,
}

const TOPOLOGY: &str =
    "clients get addresses in the form of 'topology subnet', which every client since 2.1 knows";
const BRIDGED: &str = "Ethernet devices are not served: use 'dev tun'";

impl Addressing {
    /// The device's name is needed before the other directives are read.
    pub(super) fn new(directives: &[Directive], free_device: &str) -> Self {
        let tun = match last_argument(directives, "dev").map(String::as_str) {
            None | Some("tun" | "tap") => free_device,
            Some(name) => name,
        };
        Self { tun: tun.to_owned(), network: None }
    }

    /// The name of the device.
    pub(super) fn tun(&self) -> &str {
        &self.tun
    }

    /// What becomes of `directive`, if it is about the device or addresses.
    pub(super) fn take(&mut self, directive: &Directive) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "dev" => take_device(directive),
            "dev-type" => take_device_type(directive),
            "dev-node" => Ok(Fate::Ignored("devices are made by /dev/net/tun")),
            "mode" => take_mode(directive),
            "topology" => take_topology(directive),
            "server" => self.take_server(directive),
            "ifconfig" => self.take_ifconfig(directive),
            _ => return None,
        })
    }

    /// Writes device and network.
    pub(super) fn finish(self, options: &mut Options) {
        options.tun = Some(self.tun);
        options.client_cidr = self.network.map(|network| network.to_string());
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

    fn set(&mut self, network: Ipv4Net) -> Verdict {
        if self.network.is_some_and(|before| before != network) {
            return Err(Problem::Contradicts("server"));
        }
        self.network = Some(network);
        Ok(Fate::Done)
    }
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
            assert_eq!(options.client_cidr.as_deref(), Some("10.8.0.0/24"));
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
        let fate = Addressing::new(&directives, "tun7").take(&directives[0]).unwrap().unwrap();
        assert_eq!(fate, Fate::Adapted(TOPOLOGY));
    }

    fn network(text: &str) -> Result<Options, Problem> {
        let directives = parse("f", text).unwrap();
        let mut addressing = Addressing::new(&directives, "tun7");
        for directive in &directives {
            addressing.take(directive).unwrap()?;
        }
        let mut options = Options::default();
        addressing.finish(&mut options);
        Ok(options)
    }
}
