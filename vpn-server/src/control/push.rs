//! What a client is told about the network behind the tunnel.
//!
//! Addresses, ciphers and timers are pushed by the protocol core; here is what the configuration says: for all clients,
//! and for the one that asks.

use std::collections::BTreeSet;

use tracing::warn;
use vpn_proto::{PeerInfo, PushOption};

use crate::config::{
    Banner, ClientSettings, InsideSettings, LiveSettings, MOST_PUSHED_OCTETS, Network, PushSettings,
    TunnelMode,
};

/// Whom the options are for.
#[derive(Clone, Copy)]
pub(super) struct Audience<'a> {
    /// What is inside the tunnel.
    pub(super) inside: &'a InsideSettings,
    /// What is decided about the client.
    pub(super) settings: &'a ClientSettings,
    /// What the client says of itself.
    pub(super) peer_info: &'a PeerInfo,
    /// Whether it has an IPv6 address inside the tunnel.
    pub(super) has_ipv6: bool,
}

/// The options for a client, those for all clients first, always in the same order: clients reopen their device when a
/// reconnect brings the same options in another one.
pub(super) fn options_for(live: &LiveSettings, audience: &Audience<'_>) -> Vec<PushOption> {
    let mut options = match live.tunnel {
        TunnelMode::Full => redirection(&live.push, audience),
        TunnelMode::Split => routes(live, audience),
        TunnelMode::AsPushed => Vec::new(),
    };
    options.extend(name_service(live, audience.peer_info));
    if let Some(banner) = live.push.banner.as_ref().filter(|_| audience.peer_info.get("IV_GUI_VER").is_some())
    {
        options.extend(greeting(banner));
    }
    options.extend(live.push.options.iter().cloned());
    options.retain(|option| !audience.settings.push.withholds(option.as_str()));
    options.extend(audience.settings.push.options.iter().cloned());
    cut_off(options)
}

/// Everything goes into the tunnel, IPv6 as well. To a client that has no IPv6 there, the way ends at its own device: it
/// refuses the packets by itself, where otherwise they would go past the tunnel.
fn redirection(push: &PushSettings, audience: &Audience<'_>) -> Vec<PushOption> {
    let flags: String = push.redirect.iter().flat_map(|flag| [" ", flag]).collect();
    let mut options: Vec<PushOption> =
        PushOption::parse(&format!("redirect-gateway{flags} ipv6")).into_iter().collect();
    if !audience.has_ipv6 {
        options.extend(BLOCK_IPV6.into_iter().filter_map(|option| PushOption::parse(option).ok()));
    }
    options
}

/// A route is of no use to the client that the network is behind, nor one of IPv6 to a client without.
fn routes(live: &LiveSettings, audience: &Audience<'_>) -> Vec<PushOption> {
    let behind_clients = audience.inside.client_networks.iter().copied().filter(|_| live.client_to_client);
    let all = live.routes.iter().map(|route| route.network).chain(behind_clients);
    let mut told = BTreeSet::new();
    let is_own = |network: Network| {
        let mut own = audience.settings.networks.iter();
        own.any(|own| own.net().contains(&network.net()))
    };
    all.filter(|network| !is_own(*network) && (audience.has_ipv6 || !network.is_ipv6()))
        .filter(|network| told.insert(*network))
        .map(Network::to_push_option)
        .collect()
}

/// Name servers and domains: as scripts and clients of all ages understand them, and once more as OpenVPN 2.7 does.
///
/// In a full tunnel, Windows is kept from asking name servers beside it; other systems do not know those options.
fn name_service(live: &LiveSettings, peer_info: &PeerInfo) -> Vec<PushOption> {
    let PushSettings { dns, dns_domain, dns_search, register_dns, .. } = &live.push;
    let mut options: Vec<PushOption> = dns.iter().map(|server| PushOption::dns(*server)).collect();
    let mut add = |text: String| options.extend(PushOption::parse(&text));
    if let Some(domain) = dns_domain {
        add(format!("dhcp-option DOMAIN {domain}"));
    }
    dns_search.iter().for_each(|domain| add(format!("dhcp-option DOMAIN-SEARCH {domain}")));
    if peer_info.understands_dns_option() {
        if !dns.is_empty() {
            let servers: Vec<String> = dns.iter().map(ToString::to_string).collect();
            add(format!("dns server 1 address {}", servers.join(" ")));
        }
        let domains = dns_domain.iter().chain(dns_search);
        domains.for_each(|domain| add(format!("dns search-domains {domain}")));
    }
    if peer_info.platform() == Some("win") {
        if *register_dns {
            add("register-dns".to_owned());
        }
        if live.tunnel == TunnelMode::Full && !dns.is_empty() {
            add("block-outside-dns".to_owned());
        }
    }
    options
}

/// The greeting as the messages of graphical clients: pieces, each percent-encoded into a single word, and the end, which
/// shows them.
fn greeting(banner: &Banner) -> Vec<PushOption> {
    let mut texts = Vec::new();
    for line in banner.as_str().lines() {
        let pieces = encoded_pieces(line);
        let (last, before) =
            pieces.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
        texts.extend(before.iter().map(|piece| format!("echo msg-n {piece}")));
        texts.push(format!("echo msg {last}"));
    }
    texts.push("echo msg-window VPN".to_owned());
    texts.iter().filter_map(|text| PushOption::parse(text.trim_end()).ok()).collect()
}

/// A line percent-encoded, in pieces that fit into one option each.
fn encoded_pieces(line: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for character in line.chars() {
        let mut buffer = [0; 4];
        let octets = character.encode_utf8(&mut buffer).bytes();
        let encoded: String = if character.is_ascii_alphanumeric() || "-._~:/?!".contains(character) {
            character.to_string()
        } else {
            octets.map(|octet| format!("%{octet:02X}")).collect()
        };
        if let Some(last) = pieces.last_mut().filter(|last| last.len() + encoded.len() <= LONGEST_PIECE) {
            last.push_str(&encoded);
        } else {
            pieces.push(encoded);
        }
    }
    pieces
}

/// What is beyond the limit on everything that one client is told is left out (ACL-06).
fn cut_off(mut options: Vec<PushOption>) -> Vec<PushOption> {
    let mut octets = 0;
    let fits = options.iter().take_while(|option| {
        octets += option.as_str().len() + 1;
        octets <= MOST_PUSHED_OCTETS
    });
    let fitting = fits.count();
    if fitting < options.len() {
        warn!(left_out = options.len() - fitting, "a client has more options than can be pushed");
        options.truncate(fitting);
    }
    options
}

/// The addresses give the client's device an IPv6 side, or it could not refuse anything. They are nobody's, and packets from
/// them are dropped.
const BLOCK_IPV6: [&str; 2] =
    ["block-ipv6", "ifconfig-ipv6 fdff:ffff:ffff:ffff::2/64 fdff:ffff:ffff:ffff::1"];

/// Octets of a piece of a greeting: an option has 255.
const LONGEST_PIECE: usize = 240;

#[cfg(test)]
mod tests {
    use crate::config::{Config, Options};

    use super::*;

    #[test]
    fn g_ep_16_a_full_tunnel_without_ipv6_lets_none_past_it() {
        let config = config("client-cidr='10.8.0.0/24'\nroute='10.7.0.0/24'");
        assert_eq!(
            pushed(&config, "linux"),
            [
                "redirect-gateway def1 ipv6",
                "block-ipv6",
                "ifconfig-ipv6 fdff:ffff:ffff:ffff::2/64 fdff:ffff:ffff:ffff::1"
            ]
        );
    }

    #[test]
    fn where_only_pushes_count_routes_are_for_the_server_alone() {
        let text = "client-cidr='10.8.0.0/24'\npush-only=true\nroute='0.0.0.0/0'\npush='route 10.7.0.0 255.255.255.0'";
        assert_eq!(pushed(&config(text), "linux"), ["route 10.7.0.0 255.255.255.0"]);
    }

    #[test]
    fn a_full_tunnel_with_ipv6_replaces_both_default_routes() {
        let dual = format!("{DUAL}\nredirect-gateway='def1 bypass-dhcp'");
        assert_eq!(pushed(&config(&dual), "linux"), ["redirect-gateway def1 bypass-dhcp ipv6"]);
        let without_own = "[client.alice]\npush-remove='ifconfig-ipv6'";
        let config = config(&format!("{dual}\n{without_own}"));
        let pushed = pushed_to(&config, "alice", "", false);
        assert_eq!(pushed, ["redirect-gateway def1 bypass-dhcp ipv6", "block-ipv6"]);
    }

    #[test]
    fn a_split_tunnel_pushes_the_routes_of_both_families_in_their_order() {
        let text = format!("{DUAL}\nsplit-tunnel=true\nroute=['10.9.0.0/16@eth1','fd07::/64','10.7.0.0/24']");
        let config = config(&text);
        let all = ["route 10.9.0.0 255.255.0.0", "route-ipv6 fd07::/64", "route 10.7.0.0 255.255.255.0"];
        assert_eq!(pushed(&config, "linux"), all);
        assert_eq!(pushed_to(&config, "bob", "", false), [all[0], all[2]], "to a client without IPv6");
    }

    #[test]
    fn networks_behind_clients_are_told_to_the_others_where_clients_may_meet() {
        let text = format!(
            "{DUAL}\nsplit-tunnel=true\nclient-route=['10.20.0.0/16','10.21.0.0/16']\nclient-to-client=true\n\
             [client.alice]\nnetwork='10.20.0.0/16'"
        );
        let config = config(&text);
        assert_eq!(pushed_to(&config, "alice", "", true), ["route 10.21.0.0 255.255.0.0"]);
        assert_eq!(pushed_to(&config, "bob", "", true).len(), 2);
    }

    #[test]
    fn a_route_that_is_behind_the_client_is_not_pushed_to_it() {
        let text = format!("{DUAL}\nsplit-tunnel=true\nroute='10.7.0.0/24'");
        let config = config(&text);
        let settings =
            ClientSettings { networks: vec!["10.7.0.0/24".parse().unwrap()], ..ClientSettings::default() };
        assert!(options(&config, &settings, "", true).is_empty());
    }

    #[test]
    fn name_servers_and_domains_are_pushed_in_both_modes() {
        for mode in ["split-tunnel=true", "full-tunnel=true"] {
            let text = format!(
                "{DUAL}\n{mode}\ndns=['10.7.0.53','fd07::53']\ndns-domain='a.org'\ndns-search=['b.org','c.org']\nregister-dns=true"
            );
            let pushed = pushed(&config(&text), "linux");
            let of_dns: Vec<_> = pushed.iter().filter(|option| !option.starts_with("redirect")).collect();
            assert_eq!(
                of_dns,
                [
                    "dhcp-option DNS 10.7.0.53",
                    "dhcp-option DNS6 fd07::53",
                    "dhcp-option DOMAIN a.org",
                    "dhcp-option DOMAIN-SEARCH b.org",
                    "dhcp-option DOMAIN-SEARCH c.org"
                ]
            );
        }
    }

    #[test]
    fn clients_that_understand_it_get_name_servers_as_openvpn_2_7_has_them() {
        let text = format!("{DUAL}\nsplit-tunnel=true\ndns=['10.7.0.53','10.7.0.54']\ndns-search='b.org'");
        let pushed = pushed_to(&config(&text), "bob", "IV_PROTO=8094\n", true);
        assert_eq!(pushed[3..], ["dns server 1 address 10.7.0.53 10.7.0.54", "dns search-domains b.org"]);
        let older = pushed_to(&config(&text), "bob", "IV_PROTO=990\n", true);
        assert_eq!(older.len(), 3);
    }

    #[test]
    fn windows_does_not_ask_beside_a_full_tunnel() {
        let full = config(&format!("{DUAL}\ndns='10.7.0.53'\nregister-dns=true"));
        assert_eq!(pushed(&full, "win")[2..], ["register-dns", "block-outside-dns"]);
        assert!(!pushed(&full, "mac").contains(&"block-outside-dns".to_owned()));
        let split = config(&format!("{DUAL}\ndns='10.7.0.53'\nsplit-tunnel=true"));
        assert!(!pushed(&split, "win").contains(&"block-outside-dns".to_owned()));
    }

    #[test]
    fn a_greeting_goes_to_programs_with_windows() {
        let text = format!(
            "{DUAL}\nsplit-tunnel=true\nbanner=\"Be careful, \u{e4}lways.\\n\\n{}\"",
            "x".repeat(300)
        );
        let config = config(&text);
        assert!(pushed(&config, "win").is_empty());
        let pushed = pushed_to(&config, "bob", "IV_GUI_VER=OpenVPN_GUI_11\n", true);
        let expected = [
            "echo msg Be%20careful%2C%20%C3%A4lways.".to_owned(),
            "echo msg".to_owned(),
            format!("echo msg-n {}", "x".repeat(240)),
            format!("echo msg {}", "x".repeat(60)),
            "echo msg-window VPN".to_owned(),
        ];
        assert_eq!(pushed, expected);
    }

    #[test]
    fn single_clients_are_told_less_more_or_something_else() {
        let text = format!(
            "{DUAL}\nsplit-tunnel=true\nroute='10.7.0.0/24'\ndns='10.7.0.53'\npush='inactive 600'\n\
             [client.alice]\npush-remove=['dhcp-option','inactive']\npush='inactive 60'\nroute='10.9.0.0/16'\n\
             [client.bob]\npush-reset=true\npush='echo bob'"
        );
        let config = config(&text);
        let route = "route 10.7.0.0 255.255.255.0";
        assert_eq!(
            pushed_to(&config, "alice", "", true),
            [route, "route 10.9.0.0 255.255.0.0", "inactive 60"]
        );
        assert_eq!(pushed_to(&config, "bob", "", true), ["echo bob"]);
        assert_eq!(
            pushed_to(&config, "carol", "", true),
            [route, "dhcp-option DNS 10.7.0.53", "inactive 600"]
        );
    }

    #[test]
    fn acl_06_no_client_is_told_more_than_the_limit() {
        let option = PushOption::parse(&"x".repeat(255)).unwrap();
        assert_eq!(cut_off(vec![option.clone(); 256]).len(), 256);
        assert_eq!(cut_off(vec![option; 257]).len(), 256);
    }

    const DUAL: &str = "client-cidr=['10.8.0.0/24','fd00:8::/64']";

    fn config(text: &str) -> Config {
        let options: Options = toml::from_str(&format!("pki='p'\nserver-name='s'\n{text}")).unwrap();
        Config::check(options).unwrap()
    }

    /// What a client about which nothing is decided gets, which has IPv6 if the tunnel has.
    fn pushed(config: &Config, platform: &str) -> Vec<String> {
        let has_ipv6 = config.inside.client_cidrs.v6.is_some();
        pushed_to(config, "nobody", &format!("IV_PLAT={platform}\n"), has_ipv6)
    }

    fn pushed_to(config: &Config, name: &str, peer_info: &str, has_ipv6: bool) -> Vec<String> {
        let settings = config.live.clients.get(name).cloned().unwrap_or_default();
        options(config, &settings, peer_info, has_ipv6)
    }

    fn options(config: &Config, settings: &ClientSettings, peer_info: &str, has_ipv6: bool) -> Vec<String> {
        let peer_info = &PeerInfo::parse(peer_info);
        let audience = Audience { inside: &config.inside, settings, peer_info, has_ipv6 };
        options_for(&config.live, &audience).iter().map(|option| option.as_str().to_owned()).collect()
    }
}
