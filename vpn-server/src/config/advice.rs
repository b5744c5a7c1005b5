//! What a valid configuration probably does not mean: said at start and by `serve --check`, never refused.

use super::check::{Config, TunnelMode};

/// A remark on a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Stable name of the remark.
    pub code: &'static str,
    /// The remark.
    pub message: &'static str,
}

impl Config {
    /// Remarks on this configuration, the weightiest first.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let live = &self.live;
        let leads_anywhere = |is_ipv6: bool| {
            let mut networks = live.routes.iter().map(|route| route.network);
            networks.any(|network| network.is_default_route() && network.is_ipv6() == is_ipv6)
        };
        let leads_anywhere_v4 = leads_anywhere(false);
        let carries_ipv6 = self.inside.client_cidrs.v6.is_some();
        let checks = [
            (
                self.credentials.revocation_list().is_none() && self.revoked_serials.is_none(),
                Advice {
                    code: "revocation-unchecked",
                    message: "without --crl a revoked certificate keeps working until it expires",
                },
            ),
            (
                live.authorized.is_empty() && live.access.rules.is_empty() && !live.client_to_client,
                Advice {
                    code: "nothing-authorized",
                    message: "without --authorize clients reach nothing: everything is denied by default",
                },
            ),
            (
                live.tunnel == TunnelMode::Full && !leads_anywhere_v4,
                Advice {
                    code: "full-tunnel-without-default-route",
                    message: "clients send everything through the tunnel, but only routed networks are behind it: \
                              use --split-tunnel, or --route 0.0.0.0/0 and --authorize 0.0.0.0/0",
                },
            ),
            (
                live.tunnel == TunnelMode::Full && carries_ipv6 && !leads_anywhere(true),
                Advice {
                    code: "full-tunnel-without-ipv6-default-route",
                    message: "clients send IPv6 through the tunnel too, but only routed networks are behind it: add \
                              --route ::/0 and --authorize ::/0, or remove the IPv6 network from --client-cidr",
                },
            ),
            (
                live.tunnel == TunnelMode::Split && (leads_anywhere_v4 || leads_anywhere(true)),
                Advice {
                    code: "split-tunnel-with-default-route",
                    message: "a split tunnel with the route 0.0.0.0/0 or ::/0 sends everything through the tunnel: \
                              --full-tunnel says so more clearly, and keeps the client's way to the server",
                },
            ),
        ];
        checks.into_iter().filter(|(applies, _)| *applies).map(|(_, advice)| advice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_fit_the_configuration() {
        let cases: &[(&str, &[&str])] = &[
            ("route='0.0.0.0/0'\nauthorize='0.0.0.0/0'", &[]),
            ("route='10.7.0.0/24'\nauthorize='10.7.0.0/24'\nsplit-tunnel=true", &[]),
            ("route='10.7.0.0/24'\nauthorize='10.7.0.0/24'", &["full-tunnel-without-default-route"]),
            (
                "route='0.0.0.0/0'\nsplit-tunnel=true",
                &["nothing-authorized", "split-tunnel-with-default-route"],
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(codes(&format!("pki='p'\nserver-name='s'\n{given}")), *expected, "{given}");
        }
    }

    #[test]
    fn a_full_tunnel_that_carries_ipv6_needs_a_way_for_it() {
        let given = "pki='p'\nserver-name='s'\nclient-cidr=['10.8.0.0/24','fd00:8::/64']\n\
                     route=['0.0.0.0/0'$]\nauthorize=['0.0.0.0/0'$]";
        let codes = |given: &str| {
            let config = Config::check(toml::from_str(given).unwrap()).unwrap();
            config.advice().iter().map(|advice| advice.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&given.replace('$', "")), ["full-tunnel-without-ipv6-default-route"]);
        assert!(codes(&given.replace('$', ",'::/0'")).is_empty());
    }

    #[test]
    fn files_without_a_revocation_list_are_remarked_on() {
        let files = "ca='a'\ncert='b'\nkey='c'\nroute='0.0.0.0/0'\nauthorize='0.0.0.0/0'";
        assert_eq!(codes(files), ["revocation-unchecked"]);
        assert!(codes(&format!("{files}\ncrl='d'")).is_empty());
    }

    fn codes(given: &str) -> Vec<&'static str> {
        let options = toml::from_str(&format!("{given}\nclient-cidr='10.8.0.0/24'")).unwrap();
        Config::check(options).unwrap().advice().iter().map(|advice| advice.code).collect()
    }
}
