//! What a connected client may reach, and what it is told.

use std::net::Ipv4Addr;
use std::time::Duration;

use test_support::lab::{ANNEX, LAN, SERVER_IN_LAN, TARGET, TARGET_IN_ANNEX};
use test_support::stock::client::DEVICE;
use test_support::traffic::datagram::{self, Receiver};
use test_support::traffic::ping;
use test_support::{Host, Implementation, Lab, Result, ServerPlan, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Ten pings long.
const SILENCE: Duration = Duration::from_secs(1);

fn serve(lab: &Lab, plan: ServerPlan) -> Result<Vpn<'_>> {
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), &["alice", "bob"], plan)
}

/// The device that `host` would use towards `destination`.
fn way_to(host: &Host, destination: Ipv4Addr) -> Result<String> {
    let shown = host.run("ip", ["route", "get", &destination.to_string()])?;
    let mut words = shown.split_whitespace().skip_while(|word| *word != "dev");
    Ok(words.nth(1).unwrap_or_default().to_owned())
}

#[test]
fn a_network_that_nobody_was_given_access_to_is_out_of_reach() {
    let lab = Lab::new(1).unwrap();
    let vpn = serve(&lab, ServerPlan { authorized: Vec::new(), ..ServerPlan::default() }).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(way_to(lab.client(1), TARGET).unwrap(), DEVICE);
    assert!(!ping::reaches(lab.client(1), TARGET, SILENCE).unwrap());
}

#[test]
fn access_to_one_network_is_no_access_to_another() {
    let lab = Lab::new(1).unwrap();
    let plan = ServerPlan { routes: vec![LAN.to_owned(), ANNEX.to_owned()], ..ServerPlan::default() };
    let vpn = serve(&lab, plan).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(way_to(lab.client(1), TARGET_IN_ANNEX).unwrap(), DEVICE);
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert!(!ping::reaches(lab.client(1), TARGET_IN_ANNEX, SILENCE).unwrap());
}

#[test]
fn access_to_one_machine_is_no_access_to_its_network() {
    let lab = Lab::new(1).unwrap();
    let vpn = serve(&lab, ServerPlan { authorized: vec!["10.7.0.2/32".to_owned()], ..ServerPlan::default() })
        .unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    lab.target().run("ip", ["address", "add", "10.7.0.3/24", "dev", "lan"]).unwrap();
    assert!(!ping::reaches(lab.client(1), Ipv4Addr::new(10, 7, 0, 3), SILENCE).unwrap());
}

#[test]
fn one_client_does_not_reach_another() {
    let lab = Lab::new(2).unwrap();
    let vpn = serve(&lab, ServerPlan::default()).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    assert!(!ping::reaches(lab.client(1), bob.tunnel_address().unwrap(), SILENCE).unwrap());
}

#[test]
fn a_packet_with_a_forged_source_does_not_arrive() {
    let lab = Lab::new(2).unwrap();
    let vpn = serve(&lab, ServerPlan::default()).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    let receiver = Receiver::on(lab.target(), TARGET).unwrap();
    let destination = receiver.address().unwrap();

    for forged in [bob.tunnel_address().unwrap(), Ipv4Addr::new(10, 8, 0, 99), Ipv4Addr::new(10, 7, 0, 9)] {
        lab.client(1).run("ip", ["address", "add", &format!("{forged}/32"), "dev", DEVICE]).unwrap();
        datagram::send(lab.client(1), forged, destination, "forged").unwrap();
        assert_eq!(receiver.intruder().unwrap(), None, "{forged}");
    }
    datagram::send(lab.client(1), alice.tunnel_address().unwrap(), destination, "honest").unwrap();
    let (text, from) = receiver.receive().unwrap();
    assert_eq!(text, "honest");
    assert_eq!(from.ip(), SERVER_IN_LAN, "the target knows no way back to tunnel addresses");
}

#[test]
fn with_a_split_tunnel_everything_else_goes_its_own_way() {
    let lab = Lab::new(1).unwrap();
    let vpn = serve(&lab, ServerPlan::default()).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(way_to(lab.client(1), TARGET).unwrap(), DEVICE);
    assert_eq!(way_to(lab.client(1), Ipv4Addr::new(203, 0, 113, 1)).unwrap(), "wire");
    assert!(alice.pushed_options().unwrap().contains(&"route 10.7.0.0 255.255.255.0".to_owned()));
}

#[test]
fn with_a_full_tunnel_everything_goes_through_it() {
    let lab = Lab::new(1).unwrap();
    let plan = ServerPlan {
        routes: vec![LAN.to_owned(), "0.0.0.0/0".to_owned()],
        full_tunnel: true,
        authorized: vec!["0.0.0.0/0".to_owned()],
        ..ServerPlan::default()
    };
    let vpn = serve(&lab, plan).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(way_to(lab.client(1), Ipv4Addr::new(203, 0, 113, 1)).unwrap(), DEVICE);
    assert_eq!(way_to(lab.client(1), lab.server().address()).unwrap(), "wire");
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    ping::require(lab.client(1), TARGET_IN_ANNEX, LIMIT).unwrap();
}

#[test]
fn a_client_is_told_its_name_servers() {
    let lab = Lab::new(1).unwrap();
    let options = ["--dns", "10.7.0.53", "--dns", "10.7.0.54"];
    let vpn = serve(&lab, ServerPlan::default().with_options(&options)).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let pushed = alice.pushed_options().unwrap();
    let dns: Vec<_> = pushed.iter().filter_map(|option| option.strip_prefix("dhcp-option DNS ")).collect();
    assert_eq!(dns, ["10.7.0.53", "10.7.0.54"]);
}
