//! What a handler answers: schema v2, and what we take beside it. Anything else is no answer.

use std::net::IpAddr;

use ipnet::IpNet;
use pki_core::text::is_deceptive;
use serde::Deserialize;

use super::failure::Failure;
use super::request::SCHEMA_VERSION;
use crate::auth::directory::{DirectorySettings, GroupName};
use crate::auth::login::Acceptance;
use crate::config::Network;

/// An answer as it came.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Response {
    allow: bool,
    error_msg_on_denied_connection: String,
    posture_compliance_statuses: Vec<String>,
    schema_version: String,
    /// The client is in these groups, too.
    #[serde(default)]
    groups: Vec<String>,
    /// The client sends these networks through the tunnel, too.
    #[serde(default)]
    routes: Vec<String>,
    /// The client asks these name servers, too.
    #[serde(default)]
    dns: Vec<IpAddr>,
}

/// What an answer may have at most.
const MOST_STATUSES: usize = 10;
const LONGEST_TEXT: usize = 255;
const MOST_ROUTES: usize = 100;
const MOST_NAME_SERVERS: usize = 4;
/// An answer that keeps all limits is smaller.
pub(super) const MAXIMUM_SIZE: usize = 256 * 1024;

/// Reads an answer.
pub(super) fn parse(octets: &[u8]) -> Result<Acceptance, Failure> {
    let response: Response =
        serde_json::from_slice(octets).map_err(|error| Failure::InvalidResponse(error.to_string()))?;
    response.require_form().map_err(|problem| Failure::InvalidResponse(problem.to_owned()))?;
    if !response.allow {
        return Err(Failure::Denied { message: printable(&response.error_msg_on_denied_connection) });
    }
    Ok(Acceptance {
        directives: response.directives()?,
        groups: response.group_names()?,
        posture_statuses: response
            .posture_compliance_statuses
            .iter()
            .map(|status| printable(status))
            .collect(),
        ..Acceptance::default()
    })
}

impl Response {
    fn require_form(&self) -> Result<(), &'static str> {
        let is_too_long = |text: &String| text.chars().count() > LONGEST_TEXT;
        if self.schema_version != SCHEMA_VERSION {
            return Err("schema-version is not v2");
        }
        if is_too_long(&self.error_msg_on_denied_connection) {
            return Err("error-msg-on-denied-connection has more than 255 characters");
        }
        if self.posture_compliance_statuses.len() > MOST_STATUSES {
            return Err("there are more than 10 posture-compliance-statuses");
        }
        if self.posture_compliance_statuses.iter().any(is_too_long) {
            return Err("a posture-compliance-status has more than 255 characters");
        }
        if self.groups.len() > DirectorySettings::MOST_GROUPS {
            return Err("there are more than 200 groups");
        }
        if self.routes.len() > MOST_ROUTES {
            return Err("there are more than 100 routes");
        }
        if self.dns.len() > MOST_NAME_SERVERS {
            return Err("there are more than 4 name servers");
        }
        Ok(())
    }

    fn group_names(&self) -> Result<Vec<String>, Failure> {
        let names = self.groups.iter().map(|name| {
            let name = GroupName::parse(name).map(GroupName::into_string);
            name.map_err(|problem| Failure::InvalidResponse(problem.to_string()))
        });
        names.collect()
    }

    /// Routes and name servers as lines of a file of `client-config-dir`.
    fn directives(&self) -> Result<Vec<String>, Failure> {
        let routes = self.routes.iter().map(|text| match text.parse::<Network>() {
            Ok(network) => Ok(push_of(&route_to(network))),
            Err(problem) => {
                Err(Failure::InvalidResponse(format!("'{}' is no route: {problem}", text.escape_debug())))
            }
        });
        let name_servers = self.dns.iter().map(|address| match address {
            IpAddr::V4(address) => Ok(push_of(&format!("dhcp-option DNS {address}"))),
            IpAddr::V6(address) => Ok(push_of(&format!("dhcp-option DNS6 {address}"))),
        });
        routes.chain(name_servers).collect()
    }
}

fn route_to(network: Network) -> String {
    match network.net() {
        IpNet::V4(network) => format!("route {} {}", network.network(), network.netmask()),
        IpNet::V6(network) => format!("route-ipv6 {network}"),
    }
}

fn push_of(option: &str) -> String {
    format!("push \"{option}\"")
}

/// Text for clients and logs, without what could be taken for something else.
fn printable(text: &str) -> String {
    text.chars().map(|character| if is_deceptive(character) { '_' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A key, its limit, and a value of any size for it.
    type Case<'a> = (&'static str, usize, &'a dyn Fn(usize) -> Value);

    fn answer(change: impl FnOnce(&mut Value)) -> Result<Acceptance, Failure> {
        let mut answer = json!({
            "allow": true,
            "error-msg-on-denied-connection": "",
            "posture-compliance-statuses": [],
            "schema-version": "v2",
        });
        change(&mut answer);
        parse(answer.to_string().as_bytes())
    }

    #[test]
    fn a_plain_yes_is_a_yes() {
        let acceptance = answer(|_| {}).unwrap();
        assert!(acceptance.directives.is_empty() && acceptance.groups.is_empty());
    }

    #[test]
    fn a_no_says_what_the_client_is_told_on_one_line() {
        let failure = answer(|answer| {
            answer["allow"] = json!(false);
            answer["error-msg-on-denied-connection"] = json!("update\nyour system");
        });
        assert_eq!(failure.unwrap_err(), Failure::Denied { message: "update_your system".to_owned() });
    }

    #[test]
    fn groups_routes_and_name_servers_count_for_the_client() {
        let acceptance = answer(|answer| {
            answer["posture-compliance-statuses"] = json!(["compliant"]);
            answer["groups"] = json!(["staff"]);
            answer["routes"] = json!(["10.9.0.0/16", "fd00:9::/48"]);
            answer["dns"] = json!(["10.7.0.53", "fd00::1"]);
        })
        .unwrap();
        assert_eq!(
            (acceptance.groups, acceptance.posture_statuses),
            (vec!["staff".to_owned()], vec!["compliant".to_owned()])
        );
        assert_eq!(
            acceptance.directives,
            [
                "push \"route 10.9.0.0 255.255.0.0\"",
                "push \"route-ipv6 fd00:9::/48\"",
                "push \"dhcp-option DNS 10.7.0.53\"",
                "push \"dhcp-option DNS6 fd00::1\"",
            ]
        );
    }

    #[test]
    fn anything_unexpected_is_no_answer() {
        let without = |key: &'static str| {
            answer(|answer| {
                answer.as_object_mut().unwrap().remove(key);
            })
        };
        for key in
            ["allow", "error-msg-on-denied-connection", "posture-compliance-statuses", "schema-version"]
        {
            assert!(matches!(without(key), Err(Failure::InvalidResponse(_))), "{key}");
        }
        for (key, value) in [
            ("allow", json!("true")),
            ("schema-version", json!("v1")),
            ("group", json!(["staff"])),
            ("groups", json!(["a\nb"])),
            ("routes", json!(["10.9.0.1/16"])),
            ("routes", json!(["10.9.0.0/16\" \"x"])),
            ("dns", json!(["resolver"])),
        ] {
            let failure = answer(|answer| answer[key] = value.clone()).unwrap_err();
            assert!(matches!(failure, Failure::InvalidResponse(_)), "{key}: {value}");
        }
        for octets in [&b""[..], b"null", b"{}", b"{\"allow\":true}", b"\xff"] {
            assert!(matches!(parse(octets), Err(Failure::InvalidResponse(_))));
        }
    }

    #[test]
    fn limits_are_kept_and_not_exceeded_by_one() {
        let is_taken = |key: &str, value: Value| answer(|answer| answer[key] = value).is_ok();
        let texts = |count: usize| json!(vec!["x"; count]);
        let groups = |count: usize| json!((0..count).map(|number| number.to_string()).collect::<Vec<_>>());
        let routes =
            |count: usize| json!((0..count).map(|number| format!("10.{number}.0.0/16")).collect::<Vec<_>>());
        let servers = |count: usize| json!(vec!["10.7.0.53"; count]);
        let cases: [Case<'_>; 5] = [
            ("posture-compliance-statuses", MOST_STATUSES, &texts),
            ("groups", DirectorySettings::MOST_GROUPS, &groups),
            ("routes", MOST_ROUTES, &routes),
            ("dns", MOST_NAME_SERVERS, &servers),
            ("error-msg-on-denied-connection", LONGEST_TEXT, &|count| json!("ü".repeat(count))),
        ];
        for (key, limit, value) in cases {
            assert!(is_taken(key, value(limit)), "{key}");
            assert!(!is_taken(key, value(limit + 1)), "{key}");
        }
    }
}
