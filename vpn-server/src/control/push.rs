//! What a client is told about the network behind the tunnel.
//!
//! Addresses, ciphers and timers are pushed by the protocol core; here is only what the configuration says about routes
//! and name servers.

use vpn_proto::{PeerInfo, PushOption};

use crate::config::{LiveSettings, TunnelMode};

/// The options for a client that describes itself by `peer_info`.
///
/// In a full tunnel the default route is replaced, and Windows is kept from asking name servers beside the tunnel; other
/// systems do not know that option. In a split tunnel every routed network is pushed, in the configured order: clients
/// reopen their device when a reconnect brings the same options in another one.
pub(super) fn options_for(live: &LiveSettings, peer_info: &PeerInfo) -> Vec<PushOption> {
    let mut options = match live.tunnel {
        TunnelMode::Full => vec![PushOption::redirect_gateway_def1()],
        TunnelMode::Split => live
            .routes
            .iter()
            .map(|route| PushOption::route(route.network.net().network(), route.network.net().netmask()))
            .collect(),
    };
    options.extend(live.dns.iter().map(|server| PushOption::dns(*server)));
    let asks_beside_the_tunnel = peer_info.platform() == Some("win");
    if live.tunnel == TunnelMode::Full && !live.dns.is_empty() && asks_beside_the_tunnel {
        options.extend(PushOption::parse("block-outside-dns"));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_tunnel_replaces_the_default_route() {
        assert_eq!(
            pushed(&live(TunnelMode::Full, &["10.7.0.0/24"], &[]), "linux"),
            ["redirect-gateway def1"]
        );
    }

    #[test]
    fn a_split_tunnel_pushes_the_routes_in_their_order() {
        let live = live(TunnelMode::Split, &["10.9.0.0/16@eth1", "10.7.0.0/24"], &[]);
        assert_eq!(pushed(&live, "linux"), ["route 10.9.0.0 255.255.0.0", "route 10.7.0.0 255.255.255.0"]);
    }

    #[test]
    fn name_servers_are_pushed_in_both_modes() {
        for mode in [TunnelMode::Full, TunnelMode::Split] {
            let pushed = pushed(&live(mode, &["10.7.0.0/24"], &["10.7.0.53", "10.7.0.54"]), "linux");
            assert_eq!(pushed[1..], ["dhcp-option DNS 10.7.0.53", "dhcp-option DNS 10.7.0.54"]);
        }
    }

    #[test]
    fn windows_does_not_ask_beside_a_full_tunnel() {
        let full = live(TunnelMode::Full, &[], &["10.7.0.53"]);
        assert_eq!(pushed(&full, "win").last().map(String::as_str), Some("block-outside-dns"));
        assert!(!pushed(&full, "mac").contains(&"block-outside-dns".to_owned()));
        let split = live(TunnelMode::Split, &[], &["10.7.0.53"]);
        assert!(!pushed(&split, "win").contains(&"block-outside-dns".to_owned()));
    }

    fn live(tunnel: TunnelMode, routes: &[&str], dns: &[&str]) -> LiveSettings {
        LiveSettings {
            routes: routes.iter().map(|route| route.parse().unwrap()).collect(),
            authorized: Vec::new(),
            dns: dns.iter().map(|server| server.parse().unwrap()).collect(),
            tunnel,
            max_sessions: None,
        }
    }

    fn pushed(live: &LiveSettings, platform: &str) -> Vec<String> {
        let peer_info = PeerInfo::parse(&format!("IV_PLAT={platform}\n"));
        options_for(live, &peer_info).iter().map(|option| option.as_str().to_owned()).collect()
    }
}
