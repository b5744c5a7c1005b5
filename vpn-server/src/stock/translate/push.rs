//! What clients are told, and what they may reach.
//!
//! A stock server restricts nothing: what clients reach is up to the firewall of its host. So everything that is routed is
//! authorized, unless directives `authorize` say otherwise, and nothing is translated.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::super::words;
use super::network::parse_network;
use super::{Verdict, parsed};
use crate::config::{MAXIMUM_DNS_SERVERS, Options};

/// Pushed options, as far as directives name them.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    routes: BTreeSet<Ipv4Net>,
    dns: Vec<IpAddr>,
    is_full_tunnel: bool,
    authorized: Vec<String>,
}

const ANYTHING: &str = "0.0.0.0/0";
const TOLD_ANYWAY: &str = "clients are told by the server itself";
const FORM: &str = "push \"OPTION ARGUMENTS\"";

impl Pushed {
    /// What becomes of `directive`, if it is about what clients are told or may reach.
    pub(super) fn take(&mut self, directive: &Directive) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "push" => self.take_push(directive),
            "authorize" => self.take_authorization(directive),
            _ => return None,
        })
    }

    /// Writes routes, rules and name servers.
    pub(super) fn finish(self, options: &mut Options) {
        let routes = if self.is_full_tunnel {
            vec![ANYTHING.to_owned()]
        } else {
            self.routes.iter().map(ToString::to_string).collect()
        };
        options.full_tunnel = self.is_full_tunnel.then_some(true);
        options.split_tunnel = (!self.is_full_tunnel).then_some(true);
        options.route = Some(routes).filter(|routes| !routes.is_empty());
        options.dns = Some(self.dns.iter().map(ToString::to_string).collect());
        options.no_nat = Some(true);
        options.no_forwarding = Some(true);
        let authorized = if self.authorized.is_empty() { vec![ANYTHING.to_owned()] } else { self.authorized };
        options.authorize.get_or_insert_default().extend(authorized);
    }

    fn take_push(&mut self, directive: &Directive) -> Verdict {
        let [option] = directive.exactly::<1>(FORM)?;
        let words = words::split(option)
            .map_err(|_| Problem::Value { value: option.clone(), expected: "an option to push" })?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["route", route @ ..] => self.push_route(route),
            ["redirect-gateway", ..] => {
                self.is_full_tunnel = true;
                Ok(Fate::Done)
            }
            ["dhcp-option", "DNS" | "DNS6", server] => self.push_dns(server),
            [
                "topology" | "route-gateway" | "ping" | "ping-restart" | "ifconfig" | "cipher" | "peer-id",
                ..,
            ] => Ok(Fate::Adapted(TOLD_ANYWAY)),
            ["comp-lzo" | "compress", ..] => Ok(Fate::Adapted(
                "clients that expect the framing of compression get it, without compression",
            )),
            _ => Ok(Fate::Ignored("this option is not pushed")),
        }
    }

    fn push_route(&mut self, route: &[&str]) -> Verdict {
        let (network, fate) = match route {
            [network] => (parse_network(network, "255.255.255.255")?, Fate::Done),
            [network, mask] => (parse_network(network, mask)?, Fate::Done),
            [network, mask, _, ..] => {
                (parse_network(network, mask)?, Fate::Adapted("its gateway is the server, without a metric"))
            }
            [] => return Err(Problem::Arguments("push \"route NETWORK [NETMASK]\"")),
        };
        if network == Ipv4Net::from(Ipv4Addr::UNSPECIFIED) || network.prefix_len() == 0 {
            self.is_full_tunnel = true;
        }
        self.routes.insert(network);
        Ok(fate)
    }

    fn push_dns(&mut self, server: &str) -> Verdict {
        let server = parsed(server, "an address of a name server")?;
        if self.dns.len() == MAXIMUM_DNS_SERVERS {
            return Ok(Fate::Ignored("clients are told two name servers at most"));
        }
        self.dns.push(server);
        Ok(Fate::Done)
    }

    fn take_authorization(&mut self, directive: &Directive) -> Verdict {
        let [network] = directive.exactly::<1>("authorize CIDR")?;
        self.authorized.push(network.clone());
        Ok(Fate::Done)
    }
}
