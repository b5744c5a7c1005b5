//! The nftables table of one server, as text.
//!
//! The table holds no verdict about what a client may reach: that is decided in the server. It translates client
//! addresses towards the networks behind the server, and keeps those networks from opening connections to clients,
//! which translation promises anyway. It accepts nothing that another table of the host drops.

use std::fmt;

use crate::config::{ClientCidr, RoutedNetwork};
use crate::transport::tun::DeviceName;

/// Everything the table depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruleset<'a> {
    pub(super) tun: &'a DeviceName,
    pub(super) client_cidr: ClientCidr,
    pub(super) routes: &'a [RoutedNetwork],
    pub(super) listening_ports: &'a [u16],
}

/// The name of the table that belongs to a TUN device.
pub(super) fn table_name(tun: &DeviceName) -> String {
    format!("postern_{tun}")
}

/// Replaces the table as a whole. nft applies the text in one transaction, so there is no moment without it.
impl fmt::Display for Ruleset<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tun, .. } = self;
        write!(out, "{}", Removal(tun))?;
        writeln!(out, "table ip {} {{", table_name(tun))?;
        writeln!(out, "  chain postrouting {{")?;
        writeln!(out, "    type nat hook postrouting priority srcnat; policy accept;")?;
        for route in self.routes {
            self.write_masquerade(out, route)?;
        }
        writeln!(out, "  }}")?;
        writeln!(out, "  chain forward {{")?;
        writeln!(out, "    type filter hook forward priority filter; policy accept;")?;
        writeln!(out, "    iifname != \"{tun}\" oifname \"{tun}\" ct state new,invalid drop")?;
        writeln!(out, "  }}")?;
        writeln!(out, "}}")
    }
}

impl Ruleset<'_> {
    /// UDP gets ports that we do not listen on: otherwise a client that sends from our own port number could take
    /// over the translation entry that answers to other clients need (CVE-2021-3773, NET-13).
    fn write_masquerade(&self, out: &mut fmt::Formatter<'_>, route: &RoutedNetwork) -> fmt::Result {
        let Self { tun, client_cidr, .. } = self;
        let leaving = match &route.interface {
            Some(interface) => format!("oifname \"{interface}\""),
            None => format!("oifname != \"{tun}\""),
        };
        let matching = format!("ip saddr {client_cidr} ip daddr {} {leaving}", route.network);
        let (low, high) = widest_gap(self.listening_ports);
        writeln!(out, "    {matching} meta l4proto udp masquerade to :{low}-{high}")?;
        writeln!(out, "    {matching} masquerade")
    }
}

/// Removes the table that belongs to a TUN device, whether or not there is one.
pub(super) struct Removal<'a>(pub(super) &'a DeviceName);

impl fmt::Display for Removal<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = table_name(self.0);
        writeln!(out, "add table ip {table}")?;
        writeln!(out, "delete table ip {table}")
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
    ip saddr 10.8.0.0/24 ip daddr 10.7.0.0/24 oifname "eth1" masquerade
    ip saddr 10.8.0.0/24 ip daddr 0.0.0.0/0 oifname != "tun0" meta l4proto udp masquerade to :1195-65535
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
        let routes: Vec<RoutedNetwork> = routes.iter().map(|route| route.parse().unwrap()).collect();
        Ruleset {
            tun: &"tun0".parse().unwrap(),
            client_cidr: "10.8.0.0/24".parse().unwrap(),
            routes: &routes,
            listening_ports,
        }
        .to_string()
    }
}
