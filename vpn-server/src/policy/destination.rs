//! Which addresses a packet from the tunnel may never go to, whatever the rules say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::compile::TunnelNetwork;

/// The address a packet for `address` really ends up at: IPv6 forms that carry an IPv4 address are judged as that
/// address, or they would be a way around IPv4 rules (threat model ACL-03).
pub(super) fn effective(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
    }
}

/// Whether `address` is no unicast destination behind a router: multicast, broadcast (the tunnel network's own
/// included), loopback, link-local, unspecified or reserved. In IPv6 the network's own address belongs to every router of
/// the network, so to the server (RFC 4291, section 2.6.1), and no client has business with it.
pub(super) fn is_unroutable(address: IpAddr, tunnel: &TunnelNetwork) -> bool {
    match address {
        IpAddr::V4(v4) => {
            is_unroutable_v4(v4) || v4 == tunnel.network.network() || v4 == tunnel.network.broadcast()
        }
        IpAddr::V6(v6) => {
            is_unroutable_v6(v6) || tunnel.ipv6.is_some_and(|ipv6| v6 == ipv6.network.network())
        }
    }
}

fn is_unroutable_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first == 0 || address.is_loopback() || address.is_link_local() || first >= 224
}

fn is_unroutable_v6(address: Ipv6Addr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.octets().starts_with(&[0; 12])
}

/// The IPv4 address inside an IPv4-mapped (`::ffff:0:0/96`), 6to4 (`2002::/16`), Teredo (`2001::/32`, inverted) or
/// NAT64 (`64:ff9b::/96`) address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(joined(high, low))
        }
        [0x2002, high, low, ..] => Some(joined(high, low)),
        [0x2001, 0, .., high, low] => Some(joined(!high, !low)),
        _ => None,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::super::compile::TunnelNetworkV6;
    use super::*;

    #[test]
    fn acl_03_multicast_broadcast_and_martian_destinations_are_unroutable() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "10.8.0.0",
            "10.8.0.255",
            "::",
            "::1",
            "::10.0.0.1",
            "ff02::1",
            "ff0e::1",
            "fe80::1",
            "febf::1",
            "fd00:8::",
        ] {
            assert!(is_unroutable(parse(address), &tunnel()), "{address}");
        }
    }

    #[test]
    fn ordinary_unicast_destinations_are_routable() {
        for address in [
            "1.1.1.1",
            "10.0.0.0",
            "10.8.0.1",
            "10.8.0.254",
            "10.8.1.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.0.1",
            "192.168.1.255",
            "223.255.255.255",
            "2001:db8::1",
            "fd00::1",
            "fec0::1",
            "fd00:8::1",
            "fd00:8::ffff:ffff:ffff:ffff",
            "fd00:9::",
        ] {
            assert!(!is_unroutable(parse(address), &tunnel()), "{address}");
        }
    }

    #[test]
    fn acl_03_ipv6_forms_of_ipv4_addresses_are_judged_as_the_embedded_address() {
        for (written, judged) in [
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("64:ff9b::10.1.2.3", "10.1.2.3"),
            ("2002:0a01:0203::1", "10.1.2.3"),
            ("2001:0:4136:e378:8000:63bf:f5fe:fdfc", "10.1.2.3"),
            ("2001:db8::a01:203", "2001:db8::a01:203"),
            ("2001:1::a01:203", "2001:1::a01:203"),
            ("10.1.2.3", "10.1.2.3"),
        ] {
            assert_eq!(effective(parse(written)), parse(judged), "{written}");
        }
    }

    fn tunnel() -> TunnelNetwork {
        let (network, server) = ("fd00:8::/64".parse().unwrap(), "fd00:8::1".parse().unwrap());
        TunnelNetwork {
            network: "10.8.0.0/24".parse().unwrap(),
            server: Ipv4Addr::new(10, 8, 0, 1),
            ipv6: Some(TunnelNetworkV6 { network, server }),
        }
    }

    fn parse(address: &str) -> IpAddr {
        address.parse().unwrap()
    }
}
