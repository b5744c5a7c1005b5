//! What a handler is told: schema v2.

use std::time::Duration;

use serde::Serialize;

use crate::auth::login::ClientFacts;
use crate::control::connection::{Connection, EndpointId, Usage};

/// A client wants in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ConnectRequest {
    connection_id: String,
    endpoint_id: String,
    common_name: String,
    /// Empty where a certificate alone decides.
    username: String,
    platform: String,
    platform_version: String,
    public_ip: String,
    client_openvpn_version: String,
    groups: Vec<String>,
    schema_version: &'static str,
}

/// A client is gone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct DisconnectNotice {
    event: &'static str,
    connection_id: String,
    endpoint_id: String,
    common_name: String,
    username: String,
    public_ip: String,
    reason: String,
    duration_seconds: u64,
    ingress_bytes: u64,
    egress_bytes: u64,
    schema_version: &'static str,
}

pub(super) const SCHEMA_VERSION: &str = "v2";

impl ConnectRequest {
    pub(super) fn new(
        endpoint: EndpointId,
        facts: &ClientFacts,
        connection: &Connection,
        groups: &[String],
    ) -> Self {
        let said = |name: &str| connection.device.peer_info.get(name).unwrap_or_default().to_owned();
        Self {
            connection_id: connection.id.to_string(),
            endpoint_id: endpoint.to_string(),
            common_name: facts.common_name.clone(),
            username: connection.username.clone().unwrap_or_default(),
            platform: connection.device.platform.clone().unwrap_or_default(),
            platform_version: said("IV_PLAT_VER"),
            public_ip: connection.remote.ip().to_canonical().to_string(),
            client_openvpn_version: connection.device.version.clone().unwrap_or_default(),
            groups: groups.to_vec(),
            schema_version: SCHEMA_VERSION,
        }
    }
}

impl DisconnectNotice {
    pub(super) fn new(
        endpoint: EndpointId,
        facts: &ClientFacts,
        connection: &Connection,
        duration: Duration,
        usage: Usage,
        reason: &str,
    ) -> Self {
        Self {
            event: "client-disconnected",
            connection_id: connection.id.to_string(),
            endpoint_id: endpoint.to_string(),
            common_name: facts.common_name.clone(),
            username: connection.username.clone().unwrap_or_default(),
            public_ip: connection.remote.ip().to_canonical().to_string(),
            reason: reason.to_owned(),
            duration_seconds: duration.as_secs(),
            ingress_bytes: usage.ingress_bytes,
            egress_bytes: usage.egress_bytes,
            schema_version: SCHEMA_VERSION,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::connection::connection;
    use crate::testing::login::facts;

    fn endpoint() -> EndpointId {
        EndpointId::from_random([1; 9])
    }

    #[test]
    fn a_request_has_the_keys_of_schema_v2_and_no_others() {
        let groups = ["S-1-5-32-544".to_owned()];
        let request = ConnectRequest::new(endpoint(), &facts(true), &connection(), &groups);
        let request: serde_json::Value = serde_json::to_value(request).unwrap();
        let connection = connection();
        assert_eq!(
            request,
            serde_json::json!({
                "connection-id": connection.id.to_string(),
                "endpoint-id": endpoint().to_string(),
                "common-name": "client1",
                "username": "",
                "platform": "linux",
                "platform-version": "",
                "public-ip": "192.0.2.2",
                "client-openvpn-version": "2.6.14",
                "groups": ["S-1-5-32-544"],
                "schema-version": "v2",
            })
        );
    }

    #[test]
    fn a_notice_says_who_is_gone_and_why() {
        let usage = Usage { ingress_bytes: 5, egress_bytes: 6, ..Usage::default() };
        let duration = Duration::from_secs(60);
        let notice =
            DisconnectNotice::new(endpoint(), &facts(true), &connection(), duration, usage, "client-gone");
        let notice = serde_json::to_value(notice).unwrap();
        assert_eq!(notice["event"], "client-disconnected");
        assert_eq!((&notice["reason"], &notice["duration-seconds"]), (&"client-gone".into(), &60.into()));
        assert_eq!((&notice["ingress-bytes"], &notice["egress-bytes"]), (&5.into(), &6.into()));
    }
}
