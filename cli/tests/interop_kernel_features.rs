//! What a kernel lacks is done without: the same packets arrive, whether they travel alone or many as one.
//!
//! `POSTERN_WITHOUT` stands for older kernels and broken drivers. All other scenarios can be run with it, too.

use std::time::Duration;

use test_support::command::{self, tool};
use test_support::lab::TARGET;
use test_support::stock::client::DEVICE;
use test_support::traffic::datagram::Receiver;
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
    let device = everything_arrives_without("multi-queue", "offload=TCP and UDP");
    assert!(device.contains("queues=1 "), "{device}");
}

#[test]
fn without_all_of_it_everything_arrives() {
    everything_arrives_without("uso,tso,gso,gro,multi-queue", "offload=none");
}

/// Data both ways over UDP and over TCP, and datagrams long and short, on a server that says that it does without
/// `features`, and has a device with `offload`. Answers with what is said of the device.
fn everything_arrives_without(features: &str, offload: &str) -> String {
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
    let device = log.wait_for("the tunnel device is up", LIMIT).unwrap().text;
    assert!(device.ends_with(offload), "{device}");
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _bob = StockClient::connect(lab.client(2), &tcp_profile(vpn.pki(), "bob"), &[]).unwrap();
    for client in [1, 2].map(|number| lab.client(number)) {
        for direction in [Direction::Upload, Direction::Download] {
            transfer(client, lab.target(), TARGET, Load::new(direction, BYTES)).unwrap();
        }
        datagrams_pass(client, lab.target());
    }
    device
}

fn tcp_profile(pki: &Pki, name: &str) -> String {
    let mut command = tool(POSTERN);
    command.arg("--pki-dir").arg(pki.directory()).args(["export", name, "--remote", "192.0.2.1"]);
    command.args(["--port", "1194", "--proto", "tcp"]);
    command::succeed(command).unwrap()
}

/// A burst of datagrams of two lengths arrives in its order.
fn datagrams_pass(client: &Host, target: &Host) {
    let receiver = Receiver::on(target, TARGET).unwrap();
    let source = client.address_of(DEVICE).unwrap().unwrap();
    let (socket, to) = (client.udp_socket(source, 0).unwrap(), receiver.address().unwrap());
    let sent: Vec<(i32, usize)> =
        (0..40).map(|number| (number, if number % 10 < 7 { 1200 } else { 300 })).collect();
    for (number, length) in &sent {
        socket.send_to(format!("{number:>length$}").as_bytes(), to).unwrap();
    }
    let received = sent.iter().map_while(|_| receiver.receive().unwrap());
    let received: Vec<_> =
        received.map(|(text, _)| (text.trim_start().parse().unwrap(), text.len())).collect();
    assert_eq!(received, sent);
}
