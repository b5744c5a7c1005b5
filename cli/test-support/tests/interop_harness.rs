//! The harness proves itself, with nothing of Postern in the loop: stock client, stock server, real easy-rsa.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use test_support::lab::{SERVER_IN_LAN, TARGET, TARGET_IN_ANNEX};
use test_support::stock::program::Program;
use test_support::traffic::datagram::{self, Receiver};
use test_support::traffic::ping::{self, Ping};
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Implementation, KeyKind, Lab, Pki, Result, Server, ServerPlan, StockClient, wait};

const LIMIT: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

/// A stock server on `lab` with a PKI of real easy-rsa in which `clients` have certificates.
fn stock_server(lab: &Lab, clients: &[&str], plan: &ServerPlan) -> Result<(Server, Pki)> {
    let pki = Pki::by_easy_rsa(lab.scratch().join("pki"), KeyKind::P256)?;
    pki.build_server(&plan.certificate)?;
    clients.iter().try_for_each(|client| pki.build_client(client))?;
    let server = Server::start(&Implementation::Stock, lab.server(), &pki, plan)?;
    Ok((server, pki))
}

#[test]
fn a_laboratory_that_panics_leaves_nothing_behind() {
    let name = std::thread::spawn(|| {
        let lab = Lab::new(1).unwrap();
        let name = lab.client(1).namespace().name().to_owned();
        let _sleeper = lab.client(1).start("sleep", {
            let mut command = lab.client(1).command("sleep");
            command.arg("1000");
            command
        });
        std::panic::panic_any(name);
    })
    .join()
    .unwrap_err();
    let name = name.downcast_ref::<String>().unwrap();
    assert!(name.ends_with("-client-1"), "{name}");
    assert!(!Path::new("/run/netns").join(name).exists());
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    // The first Lab of a process sweeps. Let that be over, lest another test of this process sweeps what this one is about
    // to make; this test plays the predecessor and the next run is a child.
    drop(Lab::new(0).unwrap());
    let mut ended = Command::new("true").spawn().unwrap();
    let abandoned = format!("postern-{}-0-server", ended.id());
    ended.wait().unwrap();
    assert!(Command::new("ip").args(["netns", "add", &abandoned]).status().unwrap().success());

    let next_run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_laboratory_that_panics_leaves_nothing_behind"])
        .output()
        .unwrap();
    assert!(next_run.status.success(), "{}", String::from_utf8_lossy(&next_run.stdout));
    assert!(!Path::new("/run/netns").join(abandoned).exists());
}

#[test]
fn the_target_is_out_of_reach_without_a_tunnel() {
    let lab = Lab::new(1).unwrap();
    assert!(ping::reaches(lab.client(1), lab.server().address(), LIMIT).unwrap());
    assert!(ping::reaches(lab.server(), TARGET, LIMIT).unwrap());
    assert!(!ping::reaches(lab.client(1), TARGET, Duration::from_millis(300)).unwrap());
}

#[test]
fn a_stock_client_reaches_the_target_through_a_stock_server() {
    let lab = Lab::new(1).unwrap();
    let (_server, pki) = stock_server(&lab, &["alice"], &ServerPlan::default()).unwrap();
    let profile = pki.handmade_profile("alice", lab.server().address(), 1194).unwrap();
    let client = StockClient::connect(lab.client(1), &profile, &[]).unwrap();

    assert_eq!(client.tunnel_address().unwrap().to_string(), "10.8.0.2");
    assert!(client.pushed_options().unwrap().contains(&"peer-id 0".to_owned()));
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert!(!ping::reaches(lab.client(1), TARGET_IN_ANNEX, Duration::from_millis(300)).unwrap());

    let receiver = Receiver::on(lab.target(), TARGET).unwrap();
    let source = client.tunnel_address().unwrap();
    datagram::send(lab.client(1), source, receiver.address().unwrap(), "hello").unwrap();
    let (text, from) = receiver.receive().unwrap();
    assert_eq!((text.as_str(), from.ip()), ("hello", SERVER_IN_LAN.into()));
    assert_eq!(receiver.intruder().unwrap(), None);
}

#[test]
fn a_series_of_pings_counts_what_a_dead_server_costs() {
    let lab = Lab::new(1).unwrap();
    let (mut server, pki) = stock_server(&lab, &["alice"], &ServerPlan::default()).unwrap();
    let profile = pki.handmade_profile("alice", lab.server().address(), 1194).unwrap();
    let _client = StockClient::connect(lab.client(1), &profile, &[]).unwrap();

    let series = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    series.wait_for_replies(50, LIMIT).unwrap();
    assert_eq!(series.stop().lost(), []);

    let series = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    series.wait_for_replies(10, LIMIT).unwrap();
    server.kill().unwrap();
    wait::until("ten requests without an answer", LIMIT, || {
        Ok((series.report().lost().len() >= 10).then_some(()))
    })
    .unwrap();
    let report = series.stop_within(Duration::ZERO);
    assert!(report.lost().len() >= 5, "{report:?}");
    assert_eq!(report.sent(), report.received() + report.lost().len());
}

#[test]
fn a_transfer_arrives_unchanged_both_ways() {
    let lab = Lab::new(1).unwrap();
    let (_server, pki) = stock_server(&lab, &["alice"], &ServerPlan::default()).unwrap();
    let profile = pki.handmade_profile("alice", lab.server().address(), 1194).unwrap();
    let _client = StockClient::connect(lab.client(1), &profile, &[]).unwrap();
    for direction in [Direction::Upload, Direction::Download] {
        let done = transfer(lab.client(1), lab.target(), TARGET, Load::new(direction, 16 * MIB)).unwrap();
        assert_eq!(done.bytes, 16 * MIB);
        println!("{direction:?}: {done}");
    }
}

#[test]
fn a_client_with_the_abilities_of_2_4_derives_its_keys_the_old_way() {
    let lab = Lab::new(1).unwrap();
    let (server, pki) = stock_server(&lab, &["alice"], &ServerPlan::default()).unwrap();
    let profile = pki.handmade_profile("alice", lab.server().address(), 1194).unwrap();
    let old = Program::with_the_abilities_of_2_4(lab.scratch()).unwrap();
    let client = StockClient::start_program(&old, lab.client(1), &profile, &[]).unwrap();
    client.wait_connected().unwrap();
    server.log().wait_for("IV_PROTO=2", LIMIT).unwrap();
    assert!(client.pushed_options().unwrap().iter().all(|option| !option.contains("tls-ekm")));
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn a_client_without_a_valid_certificate_says_why_it_failed() {
    let lab = Lab::new(1).unwrap();
    let (_server, pki) = stock_server(&lab, &["alice"], &ServerPlan::default()).unwrap();
    let profile = pki.handmade_profile("alice", lab.server().address(), 1194).unwrap();
    let foreign = Pki::by_easy_rsa(lab.scratch().join("foreign"), KeyKind::P256).unwrap();
    let foreign_ca = fs::read_to_string(foreign.ca_certificate()).unwrap();
    let ours = fs::read_to_string(pki.ca_certificate()).unwrap();
    let profile = profile.replace(ours.trim_end(), foreign_ca.trim_end());
    let client = StockClient::start(lab.client(1), &profile, &[]).unwrap();
    client.log().wait_for("VERIFY ERROR", LIMIT).unwrap();
}
