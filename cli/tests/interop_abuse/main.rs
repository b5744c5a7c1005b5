//! What hostile peers do to a server, to those who are connected and to those who want to get in.
//!
//! Short by default; `ABUSE=full` lets every attack go on for longer, and `INTEROP_SERVER=openvpn` turns them on a stock
//! server, of which nothing is demanded: its figures stand beside ours. Nothing leaves the machines of the laboratory.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the table is what this is for")]

mod arena;
mod connections;
mod members;
mod strangers;
mod weapons;

use std::process::Command;
use std::time::Duration;

use arena::{Arena, Attack, Course, Outcome, Target};
use test_support::{Implementation, Lab, Result, ServerPlan};
use weapons::{Noise, keep_sending, socket};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
/// What is promised: how much longer a client takes to get in than without an attack.
const DELAY: Duration = Duration::from_millis(500);
/// The same beside other scenes, which attack as well: programs wait for each other.
const DELAY_IN_COMPANY: Duration = Duration::from_secs(20);
/// What is promised: how much the server grows, in KiB.
const GROWTH: i64 = 24 * 1024;

#[test]
fn net_02_net_04_strangers_over_udp_keep_nobody_out_and_nobody_waiting() {
    endure_all("without wrapping, UDP", &[], &[], false, &strangers::ATTACKS);
}

#[test]
fn acl_02_acl_06_key_02_a_hostile_member_disturbs_nobody_else() {
    endure_all("hostile member, UDP", &[], &[], false, &members::ATTACKS);
}

#[test]
fn net_09_strangers_over_tcp_keep_nobody_out() {
    endure_all("without wrapping, TCP", &[], &[], true, &connections::ATTACKS);
}

#[test]
fn net_08_lies_about_wrapped_keys_meet_silence() {
    let keys = tempfile::tempdir().unwrap();
    let path = |name: &str| keys.path().join(name).display().to_string();
    generate(&["tls-crypt-v2-server", &path("server.key")]);
    generate(&["tls-crypt-v2-client", &path("client.key"), "--tls-crypt-v2", &path("server.key")]);
    let option = |name: &str| ["--tls-crypt-v2".to_owned(), path(name)];
    let attacks = [Attack { name: "wrapped keys that lie", run: wrapped_key_lies }];
    endure_all("tls-crypt-v2, UDP", &option("server.key"), &option("client.key"), false, &attacks);
}

fn generate(arguments: &[&str]) {
    let status = Command::new("openvpn").arg("--genkey").args(arguments).status();
    assert!(status.is_ok_and(|status| status.success()), "openvpn --genkey {arguments:?}");
}

/// Hard resets with client keys whose length lies, whose tag is wrong, or that are missing; none is answered.
fn wrapped_key_lies(target: &Target<'_>, course: &Course) -> Result<()> {
    let socket = socket(target.host, target.server)?;
    let mut noise = Noise::new(10);
    keep_sending(course, 10_000, || {
        let first = [0x50, 0x58][noise.below(2)];
        let body = noise.below(1100);
        let lengths = [0_u16, 1, 2, 289, 290, 291, 299, 1024, 1025, u16::MAX];
        let length = lengths[noise.below(10)].to_be_bytes();
        let _ = socket.send(&[&[first][..], &noise.octets(body), &length].concat());
    });
    match socket.recv(&mut [0; 2000]) {
        Ok(length) => Err(test_support::Failure::new(format!("an answer of {length} octets"))),
        Err(_) => Ok(()),
    }
}

fn endure_all(scene: &str, server: &[String], client: &[String], tcp: bool, attacks: &[Attack]) {
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let is_full = std::env::var("ABUSE").is_ok_and(|value| value == "full");
    let duration = Duration::from_secs(if is_full { 10 } else { 1 });
    let options: Vec<&str> = server.iter().map(String::as_str).collect();
    let plan = ServerPlan { tcp, ..ServerPlan::default() }.with_options(&options);
    let lab = Lab::new(3).unwrap();
    let arena = Arena::open(&lab, &implementation, plan, client).unwrap();
    let quiet = arena.usual_time_to_connect().unwrap().expect("a client gets in when nobody attacks");
    println!("{scene}: a client gets in within {quiet:.0?} when nobody attacks");
    println!("| attack | blows | lasted | in during | in after | RSS growth | server CPU | pings lost |");
    println!("|---|---|---|---|---|---|---|---|");
    let outcomes: Vec<Outcome> =
        attacks.iter().map(|attack| arena.endure(attack, duration).unwrap()).collect();
    outcomes.iter().for_each(print);
    if implementation != Implementation::Stock {
        outcomes.iter().for_each(|outcome| demand(outcome, quiet, is_full));
    }
}

fn print(outcome: &Outcome) {
    let Outcome { name, blows, lasted, during, after, growth, processor, pings, lost } = outcome;
    let [during, after] =
        [during, after].map(|took| took.map_or_else(|| "no".to_owned(), |took| format!("{took:.0?}")));
    let growth = growth / 1024;
    let figures = format!("{blows} | {lasted:.1?} | {during} | {after} | {growth} MiB | {processor:.1?}");
    println!("| {name} | {figures} | {lost} of {pings} |");
}

fn demand(outcome: &Outcome, quiet: Duration, is_alone: bool) {
    let name = outcome.name;
    // While a program waits for a processor its receive buffer overflows.
    let (delay, one_ping_of) = if is_alone { (DELAY, 100) } else { (DELAY_IN_COMPANY, 10) };
    for (when, took) in [("during", outcome.during), ("after", outcome.after)] {
        let took = took.unwrap_or_else(|| panic!("{when} '{name}' a client was shut out"));
        assert!(took <= quiet + delay, "{when} '{name}' a client waited for {took:?}");
    }
    assert!(outcome.growth <= GROWTH, "'{name}' made the server grow by {} KiB", outcome.growth);
    let is_disturbed = outcome.lost * one_ping_of > outcome.pings;
    assert!(!is_disturbed, "'{name}' lost {} of {} pings", outcome.lost, outcome.pings);
}
