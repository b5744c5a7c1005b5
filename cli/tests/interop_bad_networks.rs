//! Stock clients on networks that lose packets and on devices that move.

use std::thread;
use std::time::{Duration, Instant};

use test_support::lab::TARGET;
use test_support::stock::client::CONNECTED;
use test_support::traffic::ping::{self, Ping};
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Host, Implementation, Lab, Result, ServerPlan, StockClient, Vpn, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// How long replies of a series are waited for of which some stay away.
const LAST_CALL: Duration = Duration::from_secs(2);
/// The longest silence in a tunnel whose client has moved: the time until its next packet, and a little.
const INTERRUPTION: Duration = Duration::from_secs(1);

fn start<'lab>(lab: &'lab Lab, plan: ServerPlan) -> Result<Vpn<'lab>> {
    Vpn::start(lab, &Implementation::under_test(POSTERN)?, &["alice"], plan)
}

/// Data packets of the VPN over UDP: the first octet has the opcode 9 in its upper five bits.
const DATA: &str = "udp length > 8 @th,64,8 & 0xf8 == 0x48";

/// Loses one of `one_of` packets of the VPN, each way, where they arrive. Which data packets that concerns is left to
/// chance. Of all others, which are sent again after a time that doubles, it is the last of every `one_of`: chance would
/// now and then take the same one so often that somebody gives up.
fn lose(lab: &Lab, one_of: u8) -> Result<()> {
    for (host, port) in [(lab.client(1), "sport"), (lab.server(), "dport")] {
        let rules = format!(
            "add table inet loss; add chain inet loss arrival {{ type filter hook input priority 0; }}; \
             add rule inet loss arrival udp {port} 1194 {DATA} numgen random mod {one_of} == 0 drop; \
             add rule inet loss arrival udp {port} 1194 {DATA} accept; \
             add rule inet loss arrival meta l4proto {{ udp, tcp }} th {port} 1194 \
             numgen inc mod {one_of} == {last} drop",
            last = one_of - 1
        );
        host.run("nft", [&rules])?;
    }
    Ok(())
}

#[test]
fn a_client_connects_and_renegotiates_at_20_percent_loss_each_way() {
    let lab = Lab::new(1).unwrap();
    let vpn = start(&lab, ServerPlan { renegotiate_after: Some(5), ..ServerPlan::default() }).unwrap();
    let profile = vpn.profile("alice").unwrap();
    lose(&lab, 5).unwrap();
    let began = Instant::now();
    let client = StockClient::start(lab.client(1), &profile, &[]).unwrap();
    let connected = client.log().wait_for(CONNECTED, LIMIT).unwrap();
    println!("connected after {:.1?}", connected.at.saturating_duration_since(began));
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    wait::until("three TLS sessions", 2 * LIMIT, || {
        Ok((client.log().matching("Control Channel: TLS").len() >= 3).then_some(()))
    })
    .unwrap();
    let report = pings.stop_within(LAST_CALL);
    println!("three TLS sessions after {:.1?}", began.elapsed());
    println!("{} of {} pings lost", report.lost().len(), report.sent());
    assert!(report.received() * 2 > report.sent(), "a ping and its answer pass with 64 %");
    assert_eq!(client.log().matching(CONNECTED).len(), 1, "one tunnel, all the time");
}

#[test]
fn transfers_arrive_when_one_of_five_round_trips_is_lost() {
    let lab = Lab::new(1).unwrap();
    let vpn = start(&lab, ServerPlan::default()).unwrap();
    let _client = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    lose(&lab, 10).unwrap();
    for direction in [Direction::Upload, Direction::Download] {
        let load = Load::new(direction, 512 * 1024);
        let moved = transfer(lab.client(1), lab.target(), TARGET, load).unwrap();
        println!("{direction:?} at 10 % loss each way: {moved}");
    }
}

#[test]
fn a_client_connects_over_tcp_at_20_percent_loss() {
    let lab = Lab::new(1).unwrap();
    let vpn = start(&lab, ServerPlan { tcp: true, ..ServerPlan::default() }).unwrap();
    lose(&lab, 5).unwrap();
    let profile = vpn.profile("alice").unwrap().replace("proto udp", "proto tcp");
    let client = StockClient::start(lab.client(1), &profile, &[]).unwrap();
    client.log().wait_for(CONNECTED, LIMIT).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn net_10_a_client_whose_address_changes_in_the_middle_of_a_transfer_keeps_its_tunnel() {
    let lab = Lab::new(1).unwrap();
    let vpn = start(&lab, ServerPlan::default()).unwrap();
    let host = lab.client(1);
    host.run("sysctl", ["-qw", "net.ipv4.conf.all.promote_secondaries=1"]).unwrap();
    let client = vpn.connect(host, "alice", &[]).unwrap();
    let pings = Ping::start(host, TARGET, Duration::from_millis(10)).unwrap();
    let moving = thread::scope(|scope| {
        let load = |direction| Load::new(direction, 1_500_000).paced(500_000);
        let moving = scope.spawn(|| {
            ["192.0.2.111", "192.0.2.112", "192.0.2.113"].map(|next| {
                thread::sleep(Duration::from_millis(1500));
                let began = Instant::now();
                move_to(host, next).unwrap();
                began.elapsed()
            })
        });
        for direction in [Direction::Upload, Direction::Download] {
            transfer(host, lab.target(), TARGET, load(direction)).unwrap();
        }
        moving.join().unwrap()
    });
    pings.wait_for_replies(1, LIMIT).unwrap();
    let report = pings.stop_within(LAST_CALL);
    println!("moves that took {moving:.1?}: {} of {} pings lost", report.lost().len(), report.sent());
    // While it moves it has no address, or no route.
    let longest = moving.iter().map(|took| *took + INTERRUPTION).sum::<Duration>().as_millis() / 10;
    assert!((report.lost().len() as u128) < longest, "{} pings lost", report.lost().len());
    assert_eq!(client.log().matching(CONNECTED).len(), 1, "one tunnel, all the time");
}

/// The host has another address from one moment to the next.
fn move_to(host: &Host, address: &str) -> Result<()> {
    host.run("ip", ["address", "add", &format!("{address}/24"), "dev", "wire"])?;
    let shown = host.run("ip", ["-4", "-oneline", "address", "show", "dev", "wire"])?;
    let former = shown.split_whitespace().find(|word| word.ends_with("/24") && !word.starts_with(address));
    host.run("ip", ["address", "delete", former.unwrap_or_default(), "dev", "wire"])?;
    // The default route went with the address that it had.
    host.run("ip", ["route", "replace", "default", "via", "192.0.2.254"]).map(drop)
}
