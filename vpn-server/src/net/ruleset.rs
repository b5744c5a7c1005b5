//! The nftables tables of one server, as text: one for each family that the tunnel carries.
//!
//! The tables hold no verdict about what a client may reach: that is decided in the server. They translate client
//! addresses towards the networks behind the server, and keep those networks from opening connections to clients,
//! which translation promises anyway. They accept nothing that another table of the host drops.
//!
//! Global IPv6 addresses are not translated: networks behind the server know the way back to them, or learn it. They get the
//! same protection from being called.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Association, ClientCidrs, Network, RoutedNetwork, SecurityGroupId, Translation};
use crate::transport::tun::DeviceName;

/// Everything the tables depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruleset<'a> {
    pub(super) tun: &'a DeviceName,
    pub(super) client_cidrs: ClientCidrs,
    /// Networks behind clients: their addresses are translated like those of clients.
    pub(super) client_networks: &'a [Network],
    pub(super) routes: &'a [RoutedNetwork],
    pub(super) listening_ports: &'a [u16],
    /// Whose addresses packets have that leave through interfaces without association.
    pub(super) translates: bool,
    pub(super) associations: &'a [Association],
    pub(super) security_groups: &'a [SecurityGroupId],
    /// Where packets of clients come from, as others see them.
    pub(super) members: &'a [IpNet],
}

/// The name of the tables that belong to a TUN device.
pub(super) fn table_name(tun: &DeviceName) -> String {
    format!("postern_{tun}")
}

/// Replaces the tables as a whole. nft applies the text in one transaction, so there is no moment without them.
impl fmt::Display for Ruleset<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_table(out, Family::Ipv4)?;
        match self.client_cidrs.v6 {
            Some(_) => self.write_table(out, Family::Ipv6),
            None => Ok(()),
        }
    }
}

impl Ruleset<'_> {
    fn write_table(&self, out: &mut fmt::Formatter<'_>, family: Family) -> fmt::Result {
        let Self { tun, .. } = self;
        write!(out, "{}", Removal(tun, family))?;
        writeln!(out, "table {family} {} {{", table_name(tun))?;
        self.write_members(out, family)?;
        let Some(callers) = self.callers() else {
            return writeln!(out, "}}");
        };
        if self.is_translated(family) {
            writeln!(out, "  chain postrouting {{")?;
            writeln!(out, "    type nat hook postrouting priority srcnat; policy accept;")?;
            for route in self.routes.iter().filter(|route| family.has(route.network.net())) {
                self.write_translation(out, family, route)?;
            }
            writeln!(out, "  }}")?;
        }
        writeln!(out, "  chain forward {{")?;
        writeln!(out, "    type filter hook forward priority filter; policy accept;")?;
        writeln!(out, "    {callers} oifname \"{tun}\" ct state new,invalid drop")?;
        writeln!(out, "  }}")?;
        writeln!(out, "}}")
    }

    /// One set for each security group, for those who want to know its members.
    fn write_members(&self, out: &mut fmt::Formatter<'_>, family: Family) -> fmt::Result {
        let members = self.members.iter().filter(|member| family.has(**member)).map(ToString::to_string);
        let members = members.collect::<Vec<_>>().join(", ");
        for group in self.security_groups {
            writeln!(out, "  set cvpn_sg_{group}_members {{")?;
            writeln!(out, "    type {}; flags interval", family.address_type())?;
            if !members.is_empty() {
                writeln!(out, "    elements = {{ {members} }}")?;
            }
            writeln!(out, "  }}")?;
        }
        Ok(())
    }

    fn is_translated(&self, family: Family) -> bool {
        match family {
            Family::Ipv4 => true,
            Family::Ipv6 => self.client_cidrs.v6.is_some_and(|v6| v6.is_unique_local()),
        }
    }

    /// UDP and TCP get ports that we do not listen on: otherwise a client that sends from our own port number could take
    /// over the translation entry that answers to other clients need (CVE-2021-3773, NET-13).
    fn write_translation(
        &self,
        out: &mut fmt::Formatter<'_>,
        family: Family,
        route: &RoutedNetwork,
    ) -> fmt::Result {
        let Some((how, to)) = self.translation_of(route, family) else { return Ok(()) };
        let leaving = match &route.interface {
            Some(interface) => format!("oifname \"{interface}\""),
            None => format!("oifname != \"{}\"", self.tun),
        };
        let (low, high) = widest_gap(self.listening_ports);
        for source in self.sources(family) {
            let matching = format!("{family} saddr {source} {family} daddr {} {leaving}", route.network);
            for protocol in ["udp", "tcp"] {
                writeln!(out, "    {matching} meta l4proto {protocol} {how} to {to}:{low}-{high}")?;
            }
            match &*to {
                "" => writeln!(out, "    {matching} {how}")?,
                to => writeln!(out, "    {matching} {how} to {to}")?,
            }
        }
        Ok(())
    }

    /// The statement that translates packets which leave by `route`, and the address it translates to, if it is told.
    fn translation_of(&self, route: &RoutedNetwork, family: Family) -> Option<(&'static str, String)> {
        match self.translation_behind(route.interface.as_ref()) {
            Translation::None => None,
            Translation::Masquerade => Some(("masquerade", String::new())),
            Translation::Source(addresses) => addresses.iter().find_map(|address| match (address, family) {
                (IpAddr::V4(v4), Family::Ipv4) => Some(("snat", v4.to_string())),
                (IpAddr::V6(v6), Family::Ipv6) => Some(("snat", format!("[{v6}]"))),
                _ => None,
            }),
        }
    }

    fn translation_behind(&self, interface: Option<&DeviceName>) -> Translation {
        let own = self.associations.iter().find(|association| Some(&association.interface) == interface);
        match own {
            Some(association) => association.translation.clone(),
            None if self.translates => Translation::Masquerade,
            None => Translation::None,
        }
    }

    /// From where nobody can call clients, since their addresses are translated on the way there; `None` if that is nowhere.
    fn callers(&self) -> Option<String> {
        let translates = |association: &&Association| association.translation != Translation::None;
        let names = |translating: bool| {
            let some = self.associations.iter().filter(move |own| translates(own) == translating);
            some.map(|association| format!("\"{}\"", association.interface)).collect::<Vec<_>>()
        };
        let set = |names: Vec<String>| match &*names {
            [name] => name.clone(),
            names => format!("{{ {} }}", names.join(", ")),
        };
        if self.translates {
            let own = vec![format!("\"{}\"", self.tun)];
            return Some(format!("iifname != {}", set([own, names(false)].concat())));
        }
        let translating = names(true);
        (!translating.is_empty()).then(|| format!("iifname {}", set(translating)))
    }

    fn sources(&self, family: Family) -> impl Iterator<Item = Network> {
        let all = self.client_cidrs.networks().chain(self.client_networks.iter().copied());
        all.filter(move |network| family.has(network.net()))
    }
}

/// A family of addresses, with the name that nft has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    const fn has(self, network: IpNet) -> bool {
        matches!((self, network), (Self::Ipv4, IpNet::V4(_)) | (Self::Ipv6, IpNet::V6(_)))
    }

    const fn address_type(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4_addr",
            Self::Ipv6 => "ipv6_addr",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ipv4 => "ip",
            Self::Ipv6 => "ip6",
        })
    }
}

/// Removes the table of one family that belongs to a TUN device, whether or not there is one.
pub(super) struct Removal<'a>(pub(super) &'a DeviceName, pub(super) Family);

impl fmt::Display for Removal<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, family) = (table_name(self.0), self.1);
        writeln!(out, "add table {family} {table}")?;
        writeln!(out, "delete table {family} {table}")
    }
}

/// The longest run of unprivileged ports without any of `taken`, first and last included.
fn widest_gap(taken: &[u16]) -> (u16, u16) {
    let mut borders: Vec<u32> =
        taken.iter().map(|port| u32::from(*port)).filter(|port| *port > 1023).collect();
    borders.extend([1023, 65_536]);
    borders.sort_unstable();
    let widest = borders
        .windows(2)
        .map(|pair| (pair[0] + 1, pair[1] - 1))
        .max_by_key(|(low, high)| (high + 1).saturating_sub(*low));
    match widest.map(|(low, high)| (u16::try_from(low), u16::try_from(high))) {
        Some((Ok(low), Ok(high))) => (low, high),
        Some(_) | None => (1024, u16::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_is_translated_through_its_interface() {
        let text = ruleset(&["10.7.0.0/24@eth1", "0.0.0.0/0"], &[1194]);
        let expected = r#"add table ip postern_tun0
delete table ip postern_tun0
table ip postern_tun0 {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.8.0.0/24 ip daddr 10.7.0.0/24 oifname "eth1" meta l4proto udp masquerade to :1195-65535
    ip saddr 10.8.0.0/24 ip daddr 10.7.0.0/24 oifname "eth1" meta l4proto tcp masquerade to :1195-65535
    ip saddr 10.8.0.0/24 ip daddr 10.7.0.0/24 oifname "eth1" masquerade
    ip saddr 10.8.0.0/24 ip daddr 0.0.0.0/0 oifname != "tun0" meta l4proto udp masquerade to :1195-65535
    ip saddr 10.8.0.0/24 ip daddr 0.0.0.0/0 oifname != "tun0" meta l4proto tcp masquerade to :1195-65535
    ip saddr 10.8.0.0/24 ip daddr 0.0.0.0/0 oifname != "tun0" masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname != "tun0" oifname "tun0" ct state new,invalid drop
  }
}
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn unique_local_addresses_are_translated_and_global_ones_are_not() {
        let routes = &["10.7.0.0/24", "fd07::/64@eth1"];
        let local = ruleset_with(&["10.8.0.0/24", "fd00:8::/64"], &["10.20.0.0/16", "fd20::/48"], routes);
        let (v4, v6) = local.split_at(local.find("add table ip6").unwrap());
        assert!(
            v4.contains("ip saddr 10.20.0.0/16 ip daddr 10.7.0.0/24 oifname != \"tun0\" masquerade"),
            "{v4}"
        );
        assert!(!v4.contains("fd"), "{v4}");
        for source in ["fd00:8::/64", "fd20::/48"] {
            let rule = format!("ip6 saddr {source} ip6 daddr fd07::/64 oifname \"eth1\" masquerade\n");
            assert!(v6.contains(&rule), "{v6}");
        }
        let global = ruleset_with(&["10.8.0.0/24", "2001:db8:8::/64"], &[], routes);
        let v6 = &global[global.find("add table ip6").unwrap()..];
        assert!(!v6.contains("masquerade") && v6.contains("ct state new,invalid drop"), "{v6}");
    }

    #[test]
    fn an_association_says_how_packets_are_translated_behind_its_interface() {
        let association = |interface: &str, translation| Association {
            id: interface.to_owned(),
            interface: interface.parse().unwrap(),
            translation,
        };
        let associations = [
            association("eth1", Translation::Source(vec!["10.7.0.99".parse().unwrap()])),
            association("eth2", Translation::None),
        ];
        let routes = ["10.7.0.0/24@eth1", "10.9.0.0/24@eth2", "10.6.0.0/24@eth3"];
        let text = |translates| {
            let inside = inside(&["10.8.0.0/24"], &[]);
            let routes: Vec<RoutedNetwork> = routes.iter().map(|route| route.parse().unwrap()).collect();
            Ruleset {
                tun: &"tun0".parse().unwrap(),
                client_cidrs: inside.0,
                client_networks: &[],
                routes: &routes,
                listening_ports: &[1194],
                translates,
                associations: &associations,
                security_groups: &[],
                members: &[],
            }
            .to_string()
        };
        let translating = text(true);
        for (line, expected) in [
            ("ip daddr 10.7.0.0/24 oifname \"eth1\" meta l4proto udp snat to 10.7.0.99:1195-65535\n", true),
            ("ip daddr 10.7.0.0/24 oifname \"eth1\" snat to 10.7.0.99\n", true),
            ("oifname \"eth2\"", false),
            ("ip daddr 10.6.0.0/24 oifname \"eth3\" masquerade\n", true),
            ("iifname != { \"tun0\", \"eth2\" } oifname \"tun0\" ct state new,invalid drop", true),
        ] {
            assert_eq!(translating.contains(line), expected, "{line}\n{translating}");
        }
        let plain = text(false);
        assert!(!plain.contains("eth3"), "{plain}");
        assert!(plain.contains("iifname \"eth1\" oifname \"tun0\" ct state new,invalid drop"), "{plain}");
    }

    #[test]
    fn members_of_security_groups_stand_in_sets_of_each_family() {
        let inside = inside(&["10.8.0.0/24", "2001:db8:8::/64"], &[]);
        let text = Ruleset {
            tun: &"tun0".parse().unwrap(),
            client_cidrs: inside.0,
            client_networks: &[],
            routes: &[],
            listening_ports: &[],
            translates: false,
            associations: &[],
            security_groups: &["sg-1".parse().unwrap()],
            members: &["10.8.0.0/24".parse().unwrap()],
        }
        .to_string();
        let expected = "table ip postern_tun0 {\n  set cvpn_sg_sg-1_members {\n    type ipv4_addr; flags interval\n    \
                        elements = { 10.8.0.0/24 }\n  }\n}\n";
        assert!(text.contains(expected), "{text}");
        let expected = "table ip6 postern_tun0 {\n  set cvpn_sg_sg-1_members {\n    type ipv6_addr; flags interval\n  }\n}\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn without_ipv6_inside_there_is_no_table_for_it() {
        assert!(!ruleset(&["0.0.0.0/0"], &[1194]).contains("ip6"));
    }

    #[test]
    fn nothing_is_accepted_that_the_host_drops() {
        let text = ruleset(&["10.7.0.0/24"], &[1194]);
        assert_eq!(text.matches("accept").count(), text.matches("policy accept;").count());
    }

    #[test]
    fn net_13_no_translated_port_is_one_we_listen_on() {
        let cases: [(&[u16], (u16, u16)); 6] = [
            (&[], (1024, 65_535)),
            (&[443], (1024, 65_535)),
            (&[1194], (1195, 65_535)),
            (&[60_000], (1024, 59_999)),
            (&[1194, 30_000, 30_001], (30_002, 65_535)),
            (&[1024, 65_535], (1025, 65_534)),
        ];
        for (listening, gap) in cases {
            assert_eq!(widest_gap(listening), gap, "{listening:?}");
        }
    }

    #[test]
    fn net_13_the_gap_never_contains_a_listening_port() {
        proptest::proptest!(|(ports in proptest::collection::vec(1_u16.., 0..20))| {
            let (low, high) = widest_gap(&ports);
            proptest::prop_assert!(low <= high);
            proptest::prop_assert!(ports.iter().all(|port| !(low..=high).contains(port)));
        });
    }

    fn ruleset(routes: &[&str], listening_ports: &[u16]) -> String {
        let inside = inside(&["10.8.0.0/24"], &[]);
        text(&inside, routes, listening_ports)
    }

    fn ruleset_with(cidrs: &[&str], behind: &[&str], routes: &[&str]) -> String {
        text(&inside(cidrs, behind), routes, &[1194])
    }

    fn text(inside: &(ClientCidrs, Vec<Network>), routes: &[&str], listening_ports: &[u16]) -> String {
        let routes: Vec<RoutedNetwork> = routes.iter().map(|route| route.parse().unwrap()).collect();
        Ruleset {
            tun: &"tun0".parse().unwrap(),
            client_cidrs: inside.0,
            client_networks: &inside.1,
            routes: &routes,
            listening_ports,
            translates: true,
            associations: &[],
            security_groups: &[],
            members: &[],
        }
        .to_string()
    }

    fn inside(cidrs: &[&str], behind: &[&str]) -> (ClientCidrs, Vec<Network>) {
        let network = |text: &&str| text.parse::<Network>().unwrap();
        let v6 = cidrs.get(1).map(|text| network(text).try_into().unwrap());
        (ClientCidrs { v4: network(&cidrs[0]).try_into().unwrap(), v6 }, behind.iter().map(network).collect())
    }
}
