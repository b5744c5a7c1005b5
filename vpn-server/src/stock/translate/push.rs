//! What clients are told, and what they may reach.
//!
//! Options are pushed as they are written, and nothing else is. A stock server restricts nothing: what clients reach is up
//! to the routes and the firewall of its host. So everything is routed and authorized, unless directives `authorize` say
//! otherwise, and the host is left as it is.

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Verdict};
use crate::config::{Options, parse_option};

/// Pushed options, as far as directives name them.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    options: Vec<String>,
    authorized: Vec<String>,
}

const ANYTHING: &str = "0.0.0.0/0";
const ANYTHING_V6: &str = "::/0";
const FORM: &str = "push \"OPTION ARGUMENTS\"";
const FRAMING: &str = "clients that expect the framing of compression get it, without compression";

/// What the server tells every client by itself.
const TOLD_ANYWAY: [&str; 12] = [
    "topology",
    "route-gateway",
    "ping",
    "ping-restart",
    "ifconfig",
    "ifconfig-ipv6",
    "tun-ipv6",
    "cipher",
    "peer-id",
    "tun-mtu",
    "key-derivation",
    "protocol-flags",
];

impl Pushed {
    /// What becomes of `directive`, if it is about what clients are told or may reach.
    pub(super) fn take(&mut self, directive: &Directive) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "push" => self.take_push(directive),
            "authorize" => self.take_authorization(directive),
            _ => return None,
        })
    }

    /// Writes pushes, routes and rules.
    pub(super) fn finish(self, options: &mut Options) {
        let carries_ipv6 = options.client_cidr.iter().flatten().any(|network| network.contains(':'));
        let anything: Vec<String> = [ANYTHING]
            .into_iter()
            .chain(carries_ipv6.then_some(ANYTHING_V6))
            .map(ToOwned::to_owned)
            .collect();
        let authorized = if self.authorized.is_empty() { anything.clone() } else { self.authorized };
        options.push_only = Some(true);
        options.push = Some(self.options).filter(|pushed| !pushed.is_empty());
        options.route = Some(anything);
        options.authorize = Some(authorized);
        options.no_nat = Some(true);
        options.no_forwarding = Some(true);
    }

    fn take_push(&mut self, directive: &Directive) -> Verdict {
        let [option] = directive.exactly::<1>(FORM)?;
        match push_of(option)? {
            Some(option) => {
                self.options.push(option);
                Ok(Fate::Done)
            }
            None if is_framing(option) => Ok(Fate::Adapted(FRAMING)),
            None => Ok(Fate::Adapted("clients are told by the server itself")),
        }
    }

    fn take_authorization(&mut self, directive: &Directive) -> Verdict {
        let [network] = directive.exactly::<1>("authorize CIDR")?;
        self.authorized.push(network.clone());
        Ok(Fate::Done)
    }
}

/// The option as it is pushed; nothing for what the server tells by itself.
pub(in super::super) fn push_of(option: &str) -> Result<Option<String>, Problem> {
    let name = option.split_whitespace().next().unwrap_or_default();
    if TOLD_ANYWAY.contains(&name) || is_framing(option) {
        return Ok(None);
    }
    parse_option(option)
        .map(|option| Some(option.as_str().to_owned()))
        .map_err(|_| Problem::Value { value: option.to_owned(), expected: "an option that can be pushed" })
}

fn is_framing(option: &str) -> bool {
    matches!(option.split_whitespace().next(), Some("comp-lzo" | "compress"))
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn options_are_pushed_as_they_are_written() {
        let options = pushed(
            "push \"route 10.7.0.0 255.255.255.0\"\npush \"redirect-gateway def1 bypass-dhcp\"\n\
             push \"dhcp-option DNS 10.7.0.53\"\npush \"topology subnet\"\npush \"comp-lzo no\"",
        )
        .unwrap();
        assert_eq!(
            options.push.unwrap(),
            [
                "route 10.7.0.0 255.255.255.0",
                "redirect-gateway def1 bypass-dhcp",
                "dhcp-option DNS 10.7.0.53"
            ]
        );
        assert_eq!(options.push_only, Some(true));
    }

    #[test]
    fn everything_may_be_reached_unless_a_rule_says_what() {
        assert_eq!(pushed("").unwrap().authorize.unwrap(), ["0.0.0.0/0", "::/0"]);
        let narrowed = pushed("authorize 10.7.0.0/24\nauthorize fd07::/64").unwrap();
        assert_eq!(narrowed.authorize.unwrap(), ["10.7.0.0/24", "fd07::/64"]);
        assert_eq!(narrowed.route.unwrap(), ["0.0.0.0/0", "::/0"]);
    }

    #[test]
    fn cfg_03_what_would_be_two_options_is_refused() {
        for text in ["push \"echo a,route 10.0.0.0\"", "push \"\"", "push a b", "push"] {
            assert!(pushed(text).is_err(), "{text}");
        }
    }

    fn pushed(text: &str) -> Result<Options, Problem> {
        let networks = vec!["10.8.0.0/24".to_owned(), "fd00:8::/64".to_owned()];
        let mut options = Options { client_cidr: Some(networks), ..Options::default() };
        let mut pushed = Pushed::default();
        for directive in parse("f", text).unwrap() {
            pushed.take(&directive).unwrap()?;
        }
        pushed.finish(&mut options);
        Ok(options)
    }
}
