//! Keys are exchanged every few seconds and nobody notices.
//!
//! These scenarios also run against a stock server (`INTEROP_SERVER=openvpn`).

use std::time::Duration;

use test_support::lab::TARGET;
use test_support::traffic::ping::Ping;
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Implementation, Lab, Result, ServerPlan, StockClient, Vpn, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
/// Several times as long as anything here takes.
const LIMIT: Duration = Duration::from_secs(120);
/// Far below what a tunnel carries, and little enough that the client's receive buffer holds what arrives while a busy
/// machine lets the client wait for half a second: what is lost is lost by a change of keys.
const BYTES_PER_SECOND: u32 = 500_000;
/// One transfer takes about as long as two renegotiations.
const BYTES: u64 = 3_500_000;
/// As large as an unprivileged program may have it.
const RECEIVE_BUFFER: [&str; 2] = ["--rcvbuf", "1048576"];

/// The first TLS session of a client and those of its renegotiations.
fn tls_sessions(client: &StockClient<'_>) -> usize {
    client.log().matching("Control Channel: TLS").len()
}

fn wait_for_sessions(client: &StockClient<'_>, count: usize) -> Result<()> {
    wait::until(&format!("{count} TLS sessions"), LIMIT, || Ok((tls_sessions(client) >= count).then_some(())))
}

/// Pings fifty times a second and transfers both ways, one after the other, while the keys change.
fn nothing_is_lost(plan: ServerPlan, client_options: [&str; 2]) -> Result<()> {
    let lab = Lab::new(1)?;
    let vpn = Vpn::start(&lab, &Implementation::under_test(POSTERN)?, &["alice"], plan)?;
    let options = [client_options, RECEIVE_BUFFER].concat();
    let client = vpn.connect(lab.client(1), "alice", &options)?;
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20))?;
    for direction in [Direction::Upload, Direction::Download] {
        let load = Load::new(direction, BYTES).paced(BYTES_PER_SECOND);
        transfer(lab.client(1), lab.target(), TARGET, load)?;
    }
    wait_for_sessions(&client, 5)?;
    let report = pings.stop();
    let unread = lab.client(1).datagrams_nobody_read()?;
    assert_eq!(
        report.lost(),
        [],
        "of {} pings; the client was too slow for {unread} datagrams",
        report.sent()
    );
    Ok(())
}

#[test]
fn every_three_seconds_asked_by_the_client_during_transfers() {
    nothing_is_lost(ServerPlan::default(), ["--reneg-sec", "3"]).unwrap();
}

#[test]
fn every_three_seconds_asked_by_the_server_during_transfers() {
    let plan = ServerPlan { renegotiate_after: Some(3), ..ServerPlan::default() };
    nothing_is_lost(plan, ["--reneg-sec", "0"]).unwrap();
}

#[test]
fn asked_by_both_at_the_same_time_until_the_key_numbers_wrap() {
    let plan = ServerPlan { renegotiate_after: Some(2), ..ServerPlan::default() };
    let lab = Lab::new(1).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let vpn = Vpn::start(&lab, &implementation, &["alice"], plan).unwrap();
    let client = vpn.connect(lab.client(1), "alice", &["--reneg-sec", "2"]).unwrap();
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    // Key numbers 0 to 7, then 1 again.
    wait_for_sessions(&client, 9).unwrap();
    pings.wait_for_replies(25, LIMIT).unwrap();
    let report = pings.stop();
    assert_eq!(report.lost(), [], "of {} pings", report.sent());
}
