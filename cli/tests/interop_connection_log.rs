//! The connection log says who came, who was refused and why, in the form that existing tools parse.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use test_support::lab::TARGET;
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Context, Implementation, Lab, Pki, Result, ServerPlan, StockClient, Vpn, postern, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

/// The keys of AWS Client VPN's connection log, in their order.
const KEYS: [&str; 22] = [
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

fn serve<'lab>(lab: &'lab Lab, clients: &[&str]) -> Result<Vpn<'lab>> {
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), clients, ServerPlan::default())
}

/// The records so far in which `key` is `value`, as they stand in the file and parsed.
fn records(pki: &Pki, key: &str, value: &str) -> Result<Vec<(String, Value)>> {
    let text = fs::read_to_string(postern::connection_log(pki)).unwrap_or_default();
    let parsed = text.lines().map(|line| {
        let record: Value = serde_json::from_str(line).context(format!("parsing {line}"))?;
        Ok((line.to_owned(), record))
    });
    let parsed: Vec<_> = parsed.collect::<Result<_>>()?;
    Ok(parsed.into_iter().filter(|(_, record)| record[key] == value).collect())
}

/// The first record in which `key` is `value`, as soon as there is one.
fn record(pki: &Pki, key: &str, value: &str) -> Result<(String, Value)> {
    wait::until(&format!("a record with {key} {value}"), LIMIT, || {
        Ok(records(pki, key, value)?.into_iter().next())
    })
}

#[test]
fn a_connection_has_a_record_at_its_start_and_one_at_its_end() {
    let lab = Lab::new(1).unwrap();
    let vpn = serve(&lab, &["alice@company.com"]).unwrap();
    let options = ["--explicit-exit-notify", "1"];
    let mut alice = vpn.connect(lab.client(1), "alice@company.com", &options).unwrap();
    let address = alice.tunnel_address().unwrap().to_string();

    let (line, start) = record(vpn.pki(), "connection-log-type", "connection-attempt").unwrap();
    let places: Vec<usize> = KEYS.iter().map(|key| line.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
    assert_eq!(start["connection-attempt-status"], "successful");
    assert_eq!(start["common-name"], "alice@company.com");
    assert_eq!(start["client-ip"], address.as_str());
    assert_eq!(start["device-ip"], "192.0.2.11");
    assert_eq!(start["connection-end-time"], "NA");
    assert!(KEYS.iter().all(|key| start[key].is_string()), "every value is a text: {line}");

    let load = Load::new(Direction::Upload, 1 << 20);
    transfer(lab.client(1), lab.target(), TARGET, load).unwrap();
    assert!(alice.stop().unwrap().success());
    let (line, end) = record(vpn.pki(), "connection-log-type", "connection-reset").unwrap();
    assert_eq!(end["connection-id"], start["connection-id"]);
    assert_ne!(end["connection-end-time"], "NA");
    let ingress: u64 = end["ingress-bytes"].as_str().unwrap().parse().unwrap();
    assert!(ingress > 1 << 20, "{line}");
}

#[test]
fn a_refused_attempt_has_a_record_with_the_reason() {
    let lab = Lab::new(1).unwrap();
    let mut vpn = serve(&lab, &["alice"]).unwrap();
    let profile = vpn.profile("alice").unwrap();
    vpn.pki().revoke("alice").unwrap();
    vpn.pki().gen_crl().unwrap();
    vpn.server().log().wait_for("a revocation list is in force", LIMIT).unwrap();
    let mut alice = StockClient::start(lab.client(1), &profile, &[]).unwrap();
    alice.wait_refused("AUTH_FAILED", LIMIT).unwrap();

    let (line, record) = record(vpn.pki(), "connection-attempt-status", "failed").unwrap();
    assert_eq!(record["connection-log-type"], "connection-attempt");
    assert_eq!(record["common-name"], "alice");
    let reason = record["connection-attempt-failure-reason"].as_str().unwrap();
    assert!(reason.contains("revoked"), "{line}");
}
