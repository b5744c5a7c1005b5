//! What a kernel lacks is done without: the same packets arrive, whether they travel alone or many as one.
//!
//! `POSTERN_WITHOUT` stands for older kernels and broken drivers. All other scenarios can be run with it, too.

use std::fmt::Write;
use std::time::Duration;

use test_support::command::{self, tool};
use test_support::lab::TARGET;
use test_support::stock::client::DEVICE;
use test_support::traffic::datagram::{self, Receiver};
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Host, Implementation, Lab, Pki, ServerPlan, StockClient, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(10);
/// Hundreds of super-packets where there are any.
const BYTES: u64 = 16 << 20;

#[test]
fn without_super_packets_of_udp_everything_arrives() {
    everything_arrives_without("uso", "offload=TCP");
}

#[test]
fn without_super_packets_on_the_device_everything_arrives() {
    everything_arrives_without("tso", "offload=none");
}

#[test]
fn without_segmented_sends_everything_arrives() {
    everything_arrives_without("gso", "offload=TCP and UDP");
}

#[test]
fn without_joined_receives_everything_arrives() {
    everything_arrives_without("gro", "offload=TCP and UDP");
}

#[test]
fn with_one_worker_everything_arrives() {
    everything_arrives_without("multi-queue", "queues=1");
}

#[test]
fn without_all_of_it_everything_arrives() {
    everything_arrives_without("uso,tso,gso,gro,multi-queue", "offload=none");
}

/// Data both ways over UDP and over TCP, and datagrams long and short, on a server that says that it does without
/// `features`, and that has a device of which `device` is said.
fn everything_arrives_without(features: &str, device: &str) {
    let lab = Lab::new(2).unwrap();
    let plan = ServerPlan {
        tcp: true,
        variables: vec![("POSTERN_WITHOUT".to_owned(), features.to_owned())],
        ..ServerPlan::default()
    };
    let mut vpn =
        Vpn::start(&lab, &Implementation::Postern(POSTERN.into()), &["alice", "bob"], plan).unwrap();
    let log = vpn.server().log();
    log.wait_for(&format!("without={features}"), LIMIT).unwrap();
    let up = log.wait_for("the tunnel device is up", LIMIT).unwrap();
    assert!(up.text.contains(device), "{}", up.text);
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _bob = StockClient::connect(lab.client(2), &tcp_profile(vpn.pki(), "bob"), &[]).unwrap();
    for client in [1, 2].map(|number| lab.client(number)) {
        for direction in [Direction::Upload, Direction::Download] {
            transfer(client, lab.target(), TARGET, Load::new(direction, BYTES)).unwrap();
        }
        datagrams_pass(client, lab.target());
    }
}

fn tcp_profile(pki: &Pki, name: &str) -> String {
    let mut command = tool(POSTERN);
    command.arg("--pki-dir").arg(pki.directory()).args(["export", name, "--remote", "192.0.2.1"]);
    command.args(["--port", "1194", "--proto", "tcp"]);
    command::succeed(command).unwrap()
}

/// Bursts of datagrams of equal and of different lengths arrive in their order.
fn datagrams_pass(client: &Host, target: &Host) {
    let receiver = Receiver::on(target, TARGET).unwrap();
    let source = client.address_of(DEVICE).unwrap().unwrap();
    let texts: Vec<_> =
        (0..40).map(|number| text(number, if number % 10 < 7 { 1200 } else { 300 })).collect();
    let to = receiver.address().unwrap();
    texts.iter().for_each(|text| datagram::send(client, source, to, text).unwrap());
    let received: Vec<_> =
        texts.iter().map_while(|_| receiver.receive().unwrap()).map(|(text, _)| text).collect();
    assert_eq!(received, texts);
}

fn text(number: usize, length: usize) -> String {
    let mut text = String::new();
    write!(text, "{number:>length$}").unwrap();
    text
}
