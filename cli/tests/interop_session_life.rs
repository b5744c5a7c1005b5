//! How long sessions of stock clients last, how many there may be, and what changes while they last.

use std::fs;
use std::time::Duration;

use test_support::lab::{ANNEX, LAN, TARGET_IN_ANNEX};
use test_support::process::Signal;
use test_support::traffic::ping;
use test_support::{Implementation, Lab, Pki, Result, Server, ServerPlan, StockClient, Vpn, postern};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

fn vpn<'lab>(lab: &'lab Lab, options: &[&str]) -> Result<Vpn<'lab>> {
    let plan = ServerPlan::default().with_options(options);
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), &["alice"], plan)
}

#[test]
fn a_session_that_lasted_long_enough_begins_anew() {
    let lab = Lab::new(1).unwrap();
    let vpn = vpn(&lab, &["--session-timeout", "3"]).unwrap();
    let client = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let mark = client.log().mark();
    client.log().wait_for_since(mark, "Connection reset command was pushed by server", LIMIT).unwrap();
    client.wait_connected_since(mark, LIMIT).unwrap();
}

#[test]
fn a_session_that_nobody_uses_ends() {
    let lab = Lab::new(1).unwrap();
    let vpn = vpn(&lab, &["--idle-timeout", "2,100000"]).unwrap();
    let mut client = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    client.wait_refused("Halt command was pushed by server ('the session was not used')", LIMIT).unwrap();
}

#[test]
fn a_second_session_of_a_client_is_refused_where_that_is_wanted() {
    let lab = Lab::new(2).unwrap();
    let vpn = vpn(&lab, &["--duplicate-cn-policy", "refuse"]).unwrap();
    let first = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let mut second = StockClient::start(lab.client(2), &vpn.profile("alice").unwrap(), &[]).unwrap();
    second.wait_refused("AUTH_FAILED,this client is connected already", LIMIT).unwrap();
    ping::require(first.host(), test_support::lab::TARGET, LIMIT).unwrap();
}

#[test]
fn a_client_that_cannot_change_begins_anew_with_the_new_routes() {
    let lab = Lab::new(1).unwrap();
    let pki =
        Pki::by_postern(lab.scratch().join("pki"), POSTERN.as_ref(), test_support::KeyKind::P256).unwrap();
    pki.build_server("server").unwrap();
    pki.build_client("alice").unwrap();
    let file = lab.scratch().join("postern.toml");
    let configure = |routes: &str| {
        let text = format!(
            "pki = '{}'\nserver-name = 'server'\nlisten = 'udp:{}:1194'\ntun = 'vpn0'\n\
             client-cidr = '10.8.0.0/24'\nroute = [{routes}]\nauthorize = ['{LAN}', '{ANNEX}']\n\
             split-tunnel = true\nstate-dir = '{}'\n",
            pki.directory().display(),
            test_support::lab::SERVER,
            lab.scratch().join("state").display(),
        );
        fs::write(&file, text).unwrap();
    };
    configure(&format!("'{LAN}'"));
    let mut command = lab.server().command(POSTERN);
    command.args(["serve", "--config"]).arg(&file);
    let mut server = Server::start_command("postern", lab.server(), command, &ServerPlan::default()).unwrap();
    let profile = postern::export(POSTERN.as_ref(), &pki, "alice", 1194).unwrap();
    let client = StockClient::connect(lab.client(1), &profile, &[]).unwrap();
    let mark = client.log().mark();
    configure(&format!("'{LAN}', '{ANNEX}'"));
    server.process().signal(Signal::HUP).unwrap();
    client.wait_connected_since(mark, LIMIT).unwrap();
    ping::require(lab.client(1), TARGET_IN_ANNEX, LIMIT).unwrap();
}
