//! Programs of the field read our status file and talk to our management interface: openvpn-monitor, openvpn-api and
//! openvpn-status from PyPI, unmodified.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::lab::TARGET;
use test_support::traffic::ping;
use test_support::{Context, Failure, Implementation, Lab, Result, ServerPlan, Vpn, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

/// Where `scripts/install-monitors` puts them: beside the directory of this build's profile.
fn python() -> PathBuf {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("monitors/bin/python");
    assert!(place.exists(), "{} is missing: run 'make monitors'", place.display());
    place
}

fn read_status(lab: &Lab, further: &[&str]) -> Result<Value> {
    let mut command = lab.server().command(python());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/monitors/read_status.py"));
    command.args([lab.scratch().join("status"), lab.scratch().join("management")]).args(further);
    let output = command.output().context("running the monitors")?;
    if !output.status.success() {
        return Err(Failure::new(String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).context("reading what the monitors saw")
}

#[test]
fn monitors_see_who_is_connected_and_can_end_a_session() {
    let lab = Lab::new(1).unwrap();
    let (status, management) = (lab.scratch().join("status"), lab.scratch().join("management"));
    let plan = ServerPlan::default().with_options(&[
        "--status",
        &status.display().to_string(),
        "--status-interval",
        "1",
        "--management",
        &format!("unix:{}", management.display()),
    ]);
    let postern = Implementation::Postern(POSTERN.into());
    let vpn = Vpn::start(&lab, &postern, &["alice"], plan).unwrap();
    let client = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    wait::until("a status file with the client", LIMIT, || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        Ok(text.lines().any(|line| line.starts_with("alice,")).then_some(()))
    })
    .unwrap();

    let mark = client.log().mark();
    let seen = read_status(&lab, &["kill"]).unwrap();
    assert_eq!(seen["openvpn-status"]["clients"], json!(["alice"]), "{seen}");
    assert_eq!(seen["openvpn-status"]["routes"], json!(["10.8.0.2"]), "{seen}");
    let api = &seen["openvpn-api"];
    assert_eq!((&api["version"], &api["state"]), (&json!("2.6.14"), &json!("CONNECTED")), "{seen}");
    assert_eq!((&api["address"], &api["clients"]), (&json!("10.8.0.1"), &json!(1)), "{seen}");
    assert!(api["received"].as_u64() > Some(0), "{seen}");
    let session = &seen["openvpn-monitor"]["sessions"][0];
    assert_eq!(session["name"], "alice", "{seen}");
    assert_eq!(
        (&session["address"], &session["remote"]),
        (&json!("10.8.0.2"), &json!("192.0.2.11")),
        "{seen}"
    );
    assert_eq!(session["was_seen"], true, "{seen}");
    client.wait_connected_since(mark, LIMIT).unwrap();
}
