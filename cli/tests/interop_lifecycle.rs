//! Clients and servers go away and come back, politely or not.
//!
//! Except where they say otherwise, these scenarios also run against a stock server (`INTEROP_SERVER=openvpn`).

use std::fs;
use std::time::Duration;

use test_support::lab::TARGET;
use test_support::stock::client::CONNECTED;
use test_support::traffic::ping::{self, Ping};
use test_support::{Implementation, Lab, Result, ServerPlan, StockClient, Vpn, postern, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Client and server notice each other's silence within seconds.
const IMPATIENT: (u32, u32) = (1, 4);

/// Waits until the session of `name` has ended on the server. A stock server has `time` for it, and does not say.
fn wait_until_over(vpn: &Vpn<'_>, implementation: &Implementation, name: &str, time: Duration) -> Result<()> {
    if *implementation == Implementation::Stock {
        std::thread::sleep(time);
        return Ok(());
    }
    let log = postern::connection_log(vpn.pki());
    let is_end = |record: &str| record.contains("\"connection-reset\"") && record.contains(name);
    wait::until(&format!("the end of the session of {name}"), LIMIT, || {
        let records = fs::read_to_string(&log).unwrap_or_default();
        Ok(records.lines().any(is_end).then_some(()))
    })
}

#[test]
fn a_crashed_client_comes_back_from_the_same_port() {
    let lab = Lab::new(1).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let vpn = Vpn::start(&lab, &implementation, &["alice"], ServerPlan::default()).unwrap();
    let profile = vpn.profile("alice").unwrap().replace("nobind\n", "");
    let mut client = StockClient::connect(lab.client(1), &profile, &["--lport", "5000"]).unwrap();
    let address = client.tunnel_address().unwrap();
    client.kill().unwrap();

    let client = StockClient::start(lab.client(1), &profile, &["--lport", "5000"]).unwrap();
    // A stock server leaves the push request of such a client unanswered for half a minute.
    let limit = Duration::from_secs(if implementation == Implementation::Stock { 60 } else { 25 });
    client.log().wait_for(CONNECTED, limit).unwrap();
    assert_eq!(client.tunnel_address().unwrap(), address);
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn a_client_comes_back_by_itself_when_the_server_was_restarted() {
    let lab = Lab::new(1).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let mut vpn = Vpn::start(&lab, &implementation, &["alice"], ServerPlan::default()).unwrap();
    let client = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    vpn.restart_under(&client).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn a_client_comes_back_by_itself_when_the_server_was_killed() {
    let lab = Lab::new(1).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let plan = ServerPlan { keepalive: IMPATIENT, ..ServerPlan::default() };
    let mut vpn = Vpn::start(&lab, &implementation, &["alice"], plan).unwrap();
    let client = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let mark = client.log().mark();

    vpn.server().kill().unwrap();
    vpn.start_server_again().unwrap();
    client.wait_connected_since(mark, Duration::from_secs(30)).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn the_address_of_a_killed_client_is_free_after_its_silence_was_noticed() {
    let lab = Lab::new(6).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    // Six addresses, of which the server has one.
    let plan =
        ServerPlan { keepalive: IMPATIENT, client_cidr: "10.8.0.0/29".to_owned(), ..ServerPlan::default() };
    let names = ["anna", "bert", "carl", "dora", "emil", "fred"];
    let vpn = Vpn::start(&lab, &implementation, &names, plan).unwrap();
    let mut clients: Vec<_> = lab.clients()[..5]
        .iter()
        .zip(names)
        .map(|(host, name)| vpn.connect(host, name, &[]).unwrap())
        .collect();
    let address = clients[2].tunnel_address().unwrap();
    clients[2].kill().unwrap();

    // The server waits twice the restart limit of four seconds.
    wait_until_over(&vpn, &implementation, "carl", Duration::from_secs(10)).unwrap();
    let newcomer = vpn.connect(lab.client(6), "fred", &[]).unwrap();
    assert_eq!(newcomer.tunnel_address().unwrap(), address);
    ping::require(lab.client(6), TARGET, LIMIT).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn the_address_of_a_client_that_took_leave_is_free_within_seconds() {
    let lab = Lab::new(2).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let plan = ServerPlan { max_sessions: Some(1), ..ServerPlan::default() };
    let vpn = Vpn::start(&lab, &implementation, &["alice", "bob"], plan).unwrap();
    let mut alice = vpn.connect(lab.client(1), "alice", &["--explicit-exit-notify", "1"]).unwrap();
    assert!(alice.stop().unwrap().success());
    // A stock server keeps the session for another five seconds.
    wait_until_over(&vpn, &implementation, "alice", Duration::from_secs(6)).unwrap();
    let _bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
}

#[test]
fn a_client_that_comes_and_goes_gets_the_same_address_again() {
    let lab = Lab::new(2).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let vpn = Vpn::start(&lab, &implementation, &["alice", "bob"], ServerPlan::default()).unwrap();
    let options = ["--explicit-exit-notify", "1"];
    let mut alice = vpn.connect(lab.client(1), "alice", &options).unwrap();
    let address = alice.tunnel_address().unwrap();
    assert!(alice.stop().unwrap().success());
    let _bob = vpn.connect(lab.client(2), "bob", &options).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &options).unwrap();
    assert_eq!(alice.tunnel_address().unwrap(), address);
}

#[test]
fn a_silent_client_is_kept_alive_by_pings() {
    let lab = Lab::new(1).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let plan = ServerPlan { keepalive: (1, 10), ..ServerPlan::default() };
    let vpn = Vpn::start(&lab, &implementation, &["alice"], plan).unwrap();
    let client = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    // Longer than both sides wait for a sign of life; the server waits twice as long as the client.
    std::thread::sleep(Duration::from_secs(22));
    assert!(client.log().matching("Inactivity timeout").is_empty());
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    pings.wait_for_replies(20, LIMIT).unwrap();
    assert_eq!(pings.stop().lost(), []);
}

#[test]
fn a_second_machine_with_the_same_profile_takes_the_place_of_the_first_which_is_told() {
    let lab = Lab::new(2).unwrap();
    let postern = Implementation::Postern(POSTERN.into());
    let plan = ServerPlan::default().with_options(&["--duplicate-cn", "1"]);
    let vpn = Vpn::start(&lab, &postern, &["alice"], plan).unwrap();
    let mut first = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _second = vpn.connect(lab.client(2), "alice", &[]).unwrap();
    first.wait_refused("server-pushed-halt", LIMIT).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
}

#[test]
fn two_machines_share_a_profile_where_that_is_allowed() {
    let lab = Lab::new(2).unwrap();
    let postern = Implementation::Postern(POSTERN.into());
    let plan = ServerPlan::default().with_options(&["--duplicate-cn", "2"]);
    let vpn = Vpn::start(&lab, &postern, &["alice"], plan).unwrap();
    let first = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let second = vpn.connect(lab.client(2), "alice", &[]).unwrap();
    assert_ne!(first.tunnel_address().unwrap(), second.tunnel_address().unwrap());
    for client in lab.clients() {
        ping::require(client, TARGET, LIMIT).unwrap();
    }
}

#[test]
fn one_session_more_than_allowed_is_refused_with_a_reason_and_the_others_go_on() {
    let lab = Lab::new(2).unwrap();
    let postern = Implementation::Postern(POSTERN.into());
    let plan = ServerPlan { max_sessions: Some(1), ..ServerPlan::default() };
    let vpn = Vpn::start(&lab, &postern, &["alice", "bob"], plan).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let mut bob = StockClient::start(lab.client(2), &vpn.profile("bob").unwrap(), &[]).unwrap();
    let refused = bob.wait_refused("AUTH_FAILED", LIMIT).unwrap();
    assert!(refused.text.contains("no room"), "{}", refused.text);
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn a_stopping_server_lets_nobody_in_again() {
    let lab = Lab::new(1).unwrap();
    let postern = Implementation::Postern(POSTERN.into());
    let mut vpn = Vpn::start(&lab, &postern, &["alice"], ServerPlan::default()).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &["--connect-retry", "1", "1"]).unwrap();
    let mark = alice.log().mark();
    let start = std::time::Instant::now();
    assert!(vpn.server().stop().unwrap().success());
    println!("stopped after {:?}", start.elapsed());
    alice.log().wait_for_since(mark, "server-pushed-connection-reset", LIMIT).unwrap();
    let let_in_again = alice.wait_connected_since(mark, Duration::from_secs(3));
    assert!(let_in_again.is_err(), "{let_in_again:?}");
}
