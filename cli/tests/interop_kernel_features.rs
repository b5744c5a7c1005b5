//! What a kernel lacks is done without: the same packets arrive, whether they travel alone or many as one.
//!
//! `POSTERN_WITHOUT` stands for older kernels and broken drivers. All other scenarios can be run with it, too.

use std::time::Duration;

use test_support::command::{self, tool};
use test_support::lab::TARGET;
use test_support::stock::client::DEVICE;
use test_support::traffic::datagram::Receiver;
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Context, Failure, Host, Implementation, Lab, Pki, Result, ServerPlan, StockClient, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Hundreds of super-packets where there are any.
const BYTES: u64 = 16 << 20;

#[test]
fn without_super_packets_of_udp_everything_arrives() {
    let device = everything_arrives_without("uso").unwrap();
    assert!(device.ends_with("offload=TCP"), "{device}");
}

#[test]
fn without_super_packets_on_the_device_everything_arrives() {
    let device = everything_arrives_without("tso").unwrap();
    assert!(device.ends_with("offload=none"), "{device}");
}

#[test]
fn without_segmented_sends_everything_arrives() {
    everything_arrives_without("gso").unwrap();
}

#[test]
fn without_joined_receives_everything_arrives() {
    everything_arrives_without("gro").unwrap();
}

#[test]
fn with_one_worker_everything_arrives() {
    let device = everything_arrives_without("multi-queue").unwrap();
    assert!(device.contains("queues=1 "), "{device}");
}

#[test]
fn without_all_of_it_everything_arrives() {
    let device = everything_arrives_without("uso,tso,gso,gro,multi-queue").unwrap();
    assert!(device.contains("queues=1 ") && device.ends_with("offload=none"), "{device}");
}

/// Data both ways over UDP and over TCP, and datagrams long and short, on a server that says that it does without
/// `features`. Answers with what it says of its device.
fn everything_arrives_without(features: &str) -> Result<String> {
    let lab = Lab::new(2)?;
    let variables = vec![("POSTERN_WITHOUT".to_owned(), features.to_owned())];
    let plan = ServerPlan { tcp: true, variables, ..ServerPlan::default() };
    let mut vpn = Vpn::start(&lab, &Implementation::Postern(POSTERN.into()), &["alice", "bob"], plan)?;
    vpn.server().log().wait_for(&format!("without={features}"), LIMIT)?;
    let device = vpn.server().log().wait_for("the tunnel device is up", LIMIT)?.text;
    let _alice = vpn.connect(lab.client(1), "alice", &[])?;
    let _bob = StockClient::connect(lab.client(2), &tcp_profile(vpn.pki(), "bob")?, &[])?;
    for client in [1, 2].map(|number| lab.client(number)) {
        for direction in [Direction::Upload, Direction::Download] {
            transfer(client, lab.target(), TARGET, Load::new(direction, BYTES))?;
        }
        let (sent, received) = burst(client, lab.target())?;
        assert_eq!(received, sent);
    }
    Ok(device)
}

fn tcp_profile(pki: &Pki, name: &str) -> Result<String> {
    let mut command = tool(POSTERN);
    command.arg("--pki-dir").arg(pki.directory()).args(["export", name, "--remote", "192.0.2.1"]);
    command.args(["--port", "1194", "--proto", "tcp"]);
    command::succeed(command)
}

/// Sends datagrams of two lengths; answers with what was sent and what arrived, each with its number and its length.
fn burst(client: &Host, target: &Host) -> Result<(Vec<Numbered>, Vec<Numbered>)> {
    let receiver = Receiver::on(target, TARGET)?;
    let source = client.address_of(DEVICE)?.ok_or_else(|| Failure::new("the client has no address"))?;
    let (socket, to) = (client.udp_socket(source, 0)?, receiver.address()?);
    let sent: Vec<Numbered> =
        (0..40).map(|number| (number, if number % 10 < 7 { 1200 } else { 300 })).collect();
    for (number, length) in &sent {
        socket.send_to(format!("{number:>length$}").as_bytes(), to).context("sending a datagram")?;
    }
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let (text, _) = receiver.receive()?;
        received.push((text.trim_start().parse().context("reading a number")?, text.len()));
    }
    Ok((sent, received))
}

/// A datagram's number and length.
type Numbered = (u32, usize);
