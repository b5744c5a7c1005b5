//! Whether the host's own firewall stands in the way of forwarding.
//!
//! Nothing is done about it: a packet that another table drops stays dropped, and that is the administrator's decision.
//! But a tunnel through which nothing passes should not be a riddle.

use serde::Deserialize;

/// Base chains that drop forwarded packets unless a rule of theirs says otherwise.
pub(super) fn chains_that_drop(listing: &str) -> Vec<String> {
    let Ok(Listing { nftables }) = serde_json::from_str(listing) else { return Vec::new() };
    let chains = nftables.into_iter().filter_map(|object| object.chain);
    chains
        .filter(|chain| chain.hook.as_deref() == Some("forward") && chain.policy.as_deref() == Some("drop"))
        .map(|Chain { family, table, name, .. }| format!("{family} {table} {name}"))
        .collect()
}

/// What `nft -j list chains` prints, as far as it matters here.
#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    chain: Option<Chain>,
}

#[derive(Deserialize)]
struct Chain {
    family: String,
    table: String,
    name: String,
    hook: Option<String>,
    policy: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chains_that_drop_what_is_forwarded_are_found() {
        let listing = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter",
                       "hook": "forward", "prio": 0, "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 2, "type": "filter",
                       "hook": "input", "prio": 0, "policy": "drop"}},
            {"chain": {"family": "inet", "table": "other", "name": "fw", "handle": 1, "type": "filter",
                       "hook": "forward", "prio": 0, "policy": "accept"}},
            {"chain": {"family": "ip", "table": "filter", "name": "DOCKER", "handle": 3}}]}"#;
        assert_eq!(chains_that_drop(listing), ["ip filter FORWARD"]);
        assert!(chains_that_drop("").is_empty());
    }
}
