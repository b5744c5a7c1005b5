//! One line of the connection log.
//!
//! The keys of AWS Client VPN come first and in its order, so that what parses its logs parses ours; our own follow.
//! Every value is a string, absent ones are `NA`, times are UTC; only `peer-info`, what the client says about itself, is
//! an object of strings.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pki_core::time::{Calendar, Timestamp};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use vpn_proto::Transport;

use crate::control::connection::{CertificateFacts, Connection, DeviceFacts, EndpointId, Usage};

const NOT_AVAILABLE: &str = "NA";

/// The fields in the order in which they are written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Record {
    connection_log_type: &'static str,
    connection_attempt_status: &'static str,
    connection_reset_status: &'static str,
    connection_attempt_failure_reason: String,
    connection_id: String,
    client_vpn_endpoint_id: String,
    transport_protocol: &'static str,
    connection_start_time: String,
    connection_last_update_time: String,
    client_ip: String,
    common_name: String,
    device_type: String,
    device_ip: String,
    port: String,
    ingress_bytes: String,
    egress_bytes: String,
    ingress_packets: String,
    egress_packets: String,
    connection_end_time: String,
    username: String,
    posture_compliance_statuses: String,
    connection_duration_seconds: String,
    event: &'static str,
    reason: String,
    reason_detail: String,
    cert_serial: String,
    cert_issuer: String,
    cert_fingerprint: String,
    tls_version: &'static str,
    tls_cipher_suite: &'static str,
    data_cipher: &'static str,
    client_version: String,
    client_ipv6: String,
    groups: String,
    nat_addresses: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    peer_info: BTreeMap<String, String>,
}

/// An attempt that was refused.
#[derive(Clone, Debug)]
pub struct FailedAttempt {
    /// Where it came from.
    pub remote: SocketAddr,
    /// Whom its certificate names, if one was seen.
    pub client: Option<CertificateFacts>,
    /// What the client said about itself.
    pub device: DeviceFacts,
    /// Stable name of the reason.
    pub code: &'static str,
    /// The reason in full.
    pub detail: String,
}

impl Record {
    pub(super) fn established(endpoint: EndpointId, connection: &Connection) -> Self {
        Self {
            connection_log_type: "connection-attempt",
            connection_attempt_status: "successful",
            event: "established",
            peer_info: peer_info(&connection.device),
            ..Self::of(endpoint, connection, connection.started, Duration::ZERO, Usage::default())
        }
    }

    pub(super) fn updated(
        endpoint: EndpointId,
        connection: &Connection,
        now: Timestamp,
        duration: Duration,
        usage: Usage,
    ) -> Self {
        Self {
            connection_log_type: "connection-attempt",
            connection_attempt_status: "successful",
            event: "updated",
            ..Self::of(endpoint, connection, now, duration, usage)
        }
    }

    pub(super) fn closed(
        endpoint: EndpointId,
        connection: &Connection,
        now: Timestamp,
        duration: Duration,
        usage: Usage,
        reason: &str,
    ) -> Self {
        Self {
            connection_log_type: "connection-reset",
            connection_end_time: time(now),
            event: "closed",
            reason: reason.to_owned(),
            ..Self::of(endpoint, connection, now, duration, usage)
        }
    }

    pub(super) fn failed(endpoint: EndpointId, attempt: &FailedAttempt, now: Timestamp) -> Self {
        Self {
            connection_log_type: "connection-attempt",
            connection_attempt_status: "failed",
            connection_attempt_failure_reason: attempt.code.to_owned(),
            connection_start_time: time(now),
            connection_end_time: time(now),
            event: "refused",
            reason: attempt.code.to_owned(),
            reason_detail: attempt.detail.clone(),
            peer_info: peer_info(&attempt.device),
            ..Self::empty(endpoint, now)
        }
        .about_client(attempt.client.as_ref())
        .about_device(attempt.remote, &attempt.device)
    }

    /// The same about a client whose packets have one of these addresses behind the server: with its own address and the time
    /// that is enough to tell whose a connection was, together with the kernel's own log of translations.
    pub(super) fn seen_as(self, addresses: &[IpAddr]) -> Self {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        Self { nat_addresses: listed(&addresses), ..self }
    }

    /// The record as one line with its newline.
    pub(super) fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(1024);
        let mut serializer = Serializer::with_formatter(&mut line, SafeFormatter(CompactFormatter));
        if self.serialize(&mut serializer).is_err() {
            line.clear();
        }
        line.push(b'\n');
        line
    }

    fn of(
        endpoint: EndpointId,
        connection: &Connection,
        now: Timestamp,
        duration: Duration,
        usage: Usage,
    ) -> Self {
        Self {
            connection_id: connection.id.to_string(),
            connection_start_time: time(connection.started),
            client_ip: connection.address.to_string(),
            ingress_bytes: usage.ingress_bytes.to_string(),
            egress_bytes: usage.egress_bytes.to_string(),
            ingress_packets: usage.ingress_packets.to_string(),
            egress_packets: usage.egress_packets.to_string(),
            transport_protocol: transport_name(connection.transport),
            username: or_not_available(connection.username.as_ref()),
            posture_compliance_statuses: listed(&connection.posture_statuses),
            groups: listed(&connection.groups),
            connection_duration_seconds: duration.as_secs().to_string(),
            tls_version: connection.negotiated.tls_version,
            tls_cipher_suite: connection.negotiated.tls_cipher_suite,
            data_cipher: connection.negotiated.data_cipher,
            client_ipv6: or_not_available(connection.address_v6.as_ref()),
            ..Self::empty(endpoint, now)
        }
        .about_client(Some(&connection.client))
        .about_device(connection.remote, &connection.device)
    }

    fn empty(endpoint: EndpointId, now: Timestamp) -> Self {
        let absent = || NOT_AVAILABLE.to_owned();
        Self {
            connection_log_type: NOT_AVAILABLE,
            connection_attempt_status: NOT_AVAILABLE,
            connection_reset_status: NOT_AVAILABLE,
            connection_attempt_failure_reason: absent(),
            connection_id: absent(),
            client_vpn_endpoint_id: endpoint.to_string(),
            transport_protocol: "udp",
            connection_start_time: absent(),
            connection_last_update_time: time(now),
            client_ip: absent(),
            common_name: absent(),
            device_type: absent(),
            device_ip: absent(),
            port: absent(),
            ingress_bytes: "0".to_owned(),
            egress_bytes: "0".to_owned(),
            ingress_packets: "0".to_owned(),
            egress_packets: "0".to_owned(),
            connection_end_time: absent(),
            username: absent(),
            posture_compliance_statuses: absent(),
            connection_duration_seconds: "0".to_owned(),
            event: NOT_AVAILABLE,
            reason: absent(),
            reason_detail: absent(),
            cert_serial: absent(),
            cert_issuer: absent(),
            cert_fingerprint: absent(),
            tls_version: NOT_AVAILABLE,
            tls_cipher_suite: NOT_AVAILABLE,
            data_cipher: NOT_AVAILABLE,
            client_version: absent(),
            client_ipv6: absent(),
            groups: absent(),
            nat_addresses: absent(),
            peer_info: BTreeMap::new(),
        }
    }

    fn about_client(mut self, client: Option<&CertificateFacts>) -> Self {
        if let Some(client) = client {
            self.common_name.clone_from(&client.common_name);
        }
        if let Some(client) = client.filter(|client| !client.fingerprint.is_empty()) {
            self.cert_serial.clone_from(&client.serial);
            self.cert_issuer.clone_from(&client.issuer_key);
            self.cert_fingerprint.clone_from(&client.fingerprint);
        }
        self
    }

    fn about_device(mut self, remote: SocketAddr, device: &DeviceFacts) -> Self {
        self.device_ip = remote.ip().to_canonical().to_string();
        self.port = remote.port().to_string();
        self.device_type = or_not_available(device.platform.as_ref());
        self.client_version = or_not_available(device.version.as_ref());
        self
    }
}

/// `YYYY-MM-DD HH:MM:SS` in UTC.
fn time(at: Timestamp) -> String {
    let Calendar { year, month, day, hour, minute, second } = at.calendar();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// All that a client says about itself; it stands in the first record about a connection only.
fn peer_info(device: &DeviceFacts) -> BTreeMap<String, String> {
    device.peer_info.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn or_not_available(value: Option<&impl Display>) -> String {
    value.map_or_else(|| NOT_AVAILABLE.to_owned(), ToString::to_string)
}

/// As AWS has it.
const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

/// Several values in one text. Names of groups may contain commas: those of directories do.
fn listed(values: &[String]) -> String {
    if values.is_empty() { NOT_AVAILABLE.to_owned() } else { values.join(";") }
}

/// JSON in which everything outside of printable text is escaped, so that a reader of the raw file is as safe as a
/// parser of it. A parser sees the unchanged text.
struct SafeFormatter(CompactFormatter);

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, character) in fragment.char_indices() {
            if pki_core::text::is_deceptive(character) {
                self.0.write_string_fragment(out, &fragment[plain_from..at])?;
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
                plain_from = at + character.len_utf8();
            }
        }
        self.0.write_string_fragment(out, &fragment[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::connection::connection;

    /// client-vpn-model, section 13.
    const AWS_KEYS: [&str; 22] = [
        "connection-log-type",
        "connection-attempt-status",
        "connection-reset-status",
        "connection-attempt-failure-reason",
        "connection-id",
        "client-vpn-endpoint-id",
        "transport-protocol",
        "connection-start-time",
        "connection-last-update-time",
        "client-ip",
        "common-name",
        "device-type",
        "device-ip",
        "port",
        "ingress-bytes",
        "egress-bytes",
        "ingress-packets",
        "egress-packets",
        "connection-end-time",
        "username",
        "posture-compliance-statuses",
        "connection-duration-seconds",
    ];

    #[test]
    fn the_keys_of_aws_come_first_and_in_its_order() {
        let line = text(&Record::established(endpoint(), &connection()));
        let mut positions: Vec<_> =
            AWS_KEYS.iter().map(|key| line.find(&format!("\"{key}\":")).unwrap()).collect();
        let own_keys = line.find("\"event\":").unwrap();
        positions.push(own_keys);
        assert!(positions.is_sorted(), "{line}");
        assert_eq!(line[..own_keys].matches("\":\"").count(), AWS_KEYS.len());
    }

    #[test]
    fn an_established_connection_is_a_successful_attempt() {
        let record = json(&Record::established(endpoint(), &connection()));
        assert_eq!(record["connection-log-type"], "connection-attempt");
        assert_eq!(record["connection-attempt-status"], "successful");
        assert_eq!(record["connection-start-time"], "2026-11-20 07:21:48");
        assert_eq!(record["connection-end-time"], "NA");
        assert_eq!(record["client-ip"], "10.8.0.2");
        assert_eq!(record["client-ipv6"], "fd00:8::1000");
        assert_eq!(record["device-ip"], "192.0.2.2");
        assert_eq!(record["port"], "59974");
        assert_eq!(record["username"], "NA");
        assert_eq!(record["groups"], "it;board");
        assert_eq!(record["transport-protocol"], "udp");
        assert_eq!(record["cert-serial"], "0A1B");
        assert_eq!(record["data-cipher"], "AES-256-GCM");
    }

    #[test]
    fn a_closed_connection_carries_its_figures_as_strings() {
        let usage = Usage { ingress_packets: 1, ingress_bytes: 84, egress_packets: 2, egress_bytes: 168 };
        let now = Timestamp::from_unix_seconds(1_795_159_368);
        let connection = connection();
        let record = json(&Record::closed(
            endpoint(),
            &connection,
            now,
            Duration::from_secs(60),
            usage,
            "ping-timeout",
        ));
        assert_eq!(record["connection-log-type"], "connection-reset");
        assert_eq!(record["connection-attempt-status"], "NA");
        assert_eq!(record["ingress-bytes"], "84");
        assert_eq!(record["egress-packets"], "2");
        assert_eq!(record["connection-end-time"], "2026-11-20 07:22:48");
        assert_eq!(record["connection-duration-seconds"], "60");
        assert_eq!(record["reason"], "ping-timeout");
    }

    #[test]
    fn an_update_is_the_attempt_again_with_newer_figures() {
        let usage = Usage { ingress_bytes: 84, ..Usage::default() };
        let now = Timestamp::from_unix_seconds(1_795_159_608);
        let record = json(&Record::updated(endpoint(), &connection(), now, Duration::from_secs(300), usage));
        assert_eq!(record["connection-log-type"], "connection-attempt");
        assert_eq!(record["connection-last-update-time"], "2026-11-20 07:26:48");
        assert_eq!(record["connection-start-time"], "2026-11-20 07:21:48");
        assert_eq!(record["ingress-bytes"], "84");
        assert_eq!(record["connection-end-time"], "NA");
        assert_eq!(record["connection-duration-seconds"], "300");
    }

    #[test]
    fn a_failed_attempt_says_who_and_why() {
        let attempt = FailedAttempt {
            remote: "[::ffff:192.0.2.9]:1000".parse().unwrap(),
            client: Some(connection().client),
            device: DeviceFacts::default(),
            code: "certificate-revoked",
            detail: "serial 0A1B was revoked on 2026-11-19".to_owned(),
        };
        let record = json(&Record::failed(endpoint(), &attempt, Timestamp::from_unix_seconds(0)));
        assert_eq!(record["connection-attempt-status"], "failed");
        assert_eq!(record["connection-attempt-failure-reason"], "certificate-revoked");
        assert_eq!(record["common-name"], "alice@company.com");
        assert_eq!(record["cert-serial"], "0A1B");
        assert_eq!(record["device-ip"], "192.0.2.9");
        assert_eq!(record["connection-id"], "NA");
        let unknown = FailedAttempt { client: None, ..attempt };
        assert_eq!(json(&Record::failed(endpoint(), &unknown, Timestamp::YEAR_2050))["common-name"], "NA");
    }

    #[test]
    fn what_a_client_says_about_itself_stands_in_its_first_record_only() {
        let record = json(&Record::established(endpoint(), &connection()));
        assert_eq!(record["peer-info"]["UV_ASSET"], "42");
        let now = Timestamp::from_unix_seconds(0);
        let later = Record::updated(endpoint(), &connection(), now, Duration::ZERO, Usage::default());
        assert_eq!(json(&later).get("peer-info"), None);
    }

    #[test]
    fn a_client_without_a_certificate_has_a_name_and_no_serial_number() {
        let mut connection = connection();
        for field in [&mut connection.client.serial, &mut connection.client.issuer_key] {
            field.clear();
        }
        connection.client.fingerprint.clear();
        let record = json(&Record::established(endpoint(), &connection));
        assert_eq!(
            (&record["common-name"], &record["cert-serial"]),
            (&"alice@company.com".into(), &"NA".into())
        );
    }

    #[test]
    fn ops_03_hostile_names_stay_inside_their_line_and_survive_parsing() {
        for name in
            ["a\nb", "a\",\"event\":\"b", "\u{1b}[31m", "x\u{202e}y\u{2028}z", "\u{e0001}\u{9b}", "a\\u000ab"]
        {
            let mut connection = connection();
            connection.client.common_name = name.to_owned();
            let line = text(&Record::established(endpoint(), &connection));
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(!line.trim_end().chars().any(pki_core::text::is_deceptive), "{line:?}");
            let record: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["common-name"], name);
            assert_eq!(record["event"], "established");
        }
    }

    fn endpoint() -> EndpointId {
        EndpointId::from_random([1; 9])
    }

    fn text(record: &Record) -> String {
        String::from_utf8(record.to_line()).unwrap()
    }

    fn json(record: &Record) -> serde_json::Value {
        serde_json::from_str(&text(record)).unwrap()
    }
}
