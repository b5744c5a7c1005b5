//! IPv6 inside the tunnel, with stock clients: what gets through, what does not, and that nothing goes past it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use test_support::lab::{LAN, LAN_V6, SERVER_IN_LAN_V6, TARGET, TARGET_V6};
use test_support::stock::client::DEVICE;
use test_support::traffic::datagram::{self, Receiver};
use test_support::traffic::ping;
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{Host, Implementation, Lab, Result, ServerPlan, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Ten pings long.
const SILENCE: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;
/// The first address of the pool, as stock servers have it.
const ALICE: Ipv6Addr = Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 0x1000);
/// Somewhere in the Internet.
const ELSEWHERE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);

fn dual_stack(authorized: &[&str]) -> ServerPlan {
    ServerPlan {
        routes: vec![LAN.to_owned(), LAN_V6.to_owned()],
        authorized: authorized.iter().map(|network| (*network).to_owned()).collect(),
        ..ServerPlan::default()
    }
    .with_options(&["--client-cidr", "fd00:8::/64"])
}

fn serve(lab: &Lab, plan: ServerPlan) -> Result<Vpn<'_>> {
    lab.add_ipv6()?;
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), &["alice", "bob"], plan)
}

/// The device that `host` would use towards `destination`.
fn way_to(host: &Host, destination: Ipv6Addr) -> Result<String> {
    let shown = host.run("ip", ["-6", "route", "get", &destination.to_string()])?;
    let mut words = shown.split_whitespace().skip_while(|word| *word != "dev");
    Ok(words.nth(1).unwrap_or_default().to_owned())
}

#[test]
fn both_families_go_through_one_tunnel() {
    let lab = Lab::new(1).unwrap();
    let vpn = serve(&lab, dual_stack(&[LAN, LAN_V6])).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let pushed = alice.pushed_options().unwrap();
    for option in ["route-ipv6 fd07::/64", "ifconfig-ipv6 fd00:8::1000/64 fd00:8::1"] {
        assert!(pushed.contains(&option.to_owned()), "{pushed:?}");
    }
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    ping::require(lab.client(1), TARGET_V6, LIMIT).unwrap();
    for direction in [Direction::Upload, Direction::Download] {
        let load = Load::new(direction, 64 * MIB);
        println!("{direction:?}: {}", transfer(lab.client(1), lab.target(), TARGET_V6, load).unwrap());
    }
    let receiver = Receiver::on(lab.target(), TARGET_V6).unwrap();
    datagram::send(lab.client(1), ALICE, receiver.address().unwrap(), "hello").unwrap();
    let (_, from) = receiver.receive().unwrap();
    assert_eq!(from.ip(), IpAddr::V6(SERVER_IN_LAN_V6), "unique local addresses are translated");
}

#[test]
fn acl_03_ipv6_is_denied_by_default() {
    let lab = Lab::new(1).unwrap();
    let vpn = serve(&lab, dual_stack(&[LAN])).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert_eq!(way_to(lab.client(1), TARGET_V6).unwrap(), DEVICE);
    assert!(!ping::reaches(lab.client(1), TARGET_V6, SILENCE).unwrap());
}

#[test]
fn acl_02_a_packet_with_a_forged_ipv6_source_does_not_arrive() {
    let lab = Lab::new(2).unwrap();
    let vpn = serve(&lab, dual_stack(&[LAN_V6])).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    let receiver = Receiver::on(lab.target(), TARGET_V6).unwrap();
    let destination = receiver.address().unwrap();
    for forged in ["fd00:8::1001", "fd00:8::99", "fd07::9", "2001:db8::1"] {
        lab.client(1)
            .run("ip", ["address", "add", &format!("{forged}/128"), "dev", DEVICE, "nodad"])
            .unwrap();
        let forged: Ipv6Addr = forged.parse().unwrap();
        datagram::send(lab.client(1), forged, destination, "forged").unwrap();
        assert_eq!(receiver.intruder().unwrap(), None, "{forged}");
    }
    datagram::send(lab.client(1), ALICE, destination, "honest").unwrap();
    assert_eq!(receiver.receive().unwrap().0, "honest");
}

#[test]
fn icmp_v6_errors_come_back_through_the_tunnel() {
    let lab = Lab::new(1).unwrap();
    let vpn = serve(&lab, dual_stack(&[LAN_V6])).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET_V6, LIMIT).unwrap();
    let socket = lab.client(1).udp_socket(ALICE, 0).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.connect((TARGET_V6, 9)).unwrap();
    socket.send(b"anybody there?").unwrap();
    assert_eq!(socket.recv(&mut [0; 100]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn global_addresses_are_routed_and_nobody_calls_them() {
    let lab = Lab::new(1).unwrap();
    let plan = ServerPlan {
        routes: vec![LAN_V6.to_owned()],
        authorized: vec![LAN_V6.to_owned()],
        ..ServerPlan::default()
    }
    .with_options(&["--client-cidr", "2001:db8:8::/64"]);
    let vpn = serve(&lab, plan).unwrap();
    let via = SERVER_IN_LAN_V6.to_string();
    lab.target().run("ip", ["route", "add", "2001:db8:8::/64", "via", &via]).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let alice: Ipv6Addr = "2001:db8:8::1000".parse().unwrap();
    ping::require(lab.client(1), TARGET_V6, LIMIT).unwrap();
    let receiver = Receiver::on(lab.target(), TARGET_V6).unwrap();
    datagram::send(lab.client(1), alice, receiver.address().unwrap(), "hello").unwrap();
    assert_eq!(receiver.receive().unwrap().1.ip(), IpAddr::V6(alice));
    assert!(!ping::reaches(lab.target(), alice, SILENCE).unwrap());
}

#[test]
fn clients_meet_over_ipv6_where_they_may() {
    let lab = Lab::new(2).unwrap();
    let vpn = serve(&lab, dual_stack(&[LAN_V6]).with_options(&["--client-to-client"])).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    ping::require(lab.client(2), ALICE, LIMIT).unwrap();
    ping::require(lab.client(2), std::net::Ipv4Addr::new(10, 8, 0, 2), LIMIT).unwrap();
}

/// The client has IPv6 beside the tunnel.
fn give_ipv6_outside(client: &Host) -> Result<()> {
    client.run("ip", ["address", "add", "2001:db8:1::11/64", "dev", "wire", "nodad"])?;
    client.run("ip", ["-6", "route", "add", "default", "via", "2001:db8:1::fe", "dev", "wire"])?;
    Ok(())
}

#[test]
fn g_ep_16_a_full_tunnel_without_ipv6_refuses_it_instead_of_letting_it_past() {
    let lab = Lab::new(1).unwrap();
    give_ipv6_outside(lab.client(1)).unwrap();
    assert_eq!(way_to(lab.client(1), ELSEWHERE).unwrap(), "wire");
    let full = ServerPlan {
        full_tunnel: true,
        routes: vec!["0.0.0.0/0".to_owned()],
        authorized: vec!["0.0.0.0/0".to_owned()],
        ..ServerPlan::default()
    };
    let vpn = serve(&lab, full).unwrap();
    let mut alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(way_to(lab.client(1), ELSEWHERE).unwrap(), DEVICE);
    let refused = lab.client(1).tcp_connection((ELSEWHERE, 443)).unwrap_err().to_string();
    assert!(refused.contains("Network is unreachable"), "at once, not after a time-out: {refused}");
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    alice.stop().unwrap();
    assert_eq!(way_to(lab.client(1), ELSEWHERE).unwrap(), "wire");
}

#[test]
fn a_full_tunnel_with_ipv6_takes_it_along() {
    let lab = Lab::new(1).unwrap();
    give_ipv6_outside(lab.client(1)).unwrap();
    let anywhere = vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()];
    let full = ServerPlan {
        full_tunnel: true,
        routes: anywhere.clone(),
        authorized: anywhere,
        ..ServerPlan::default()
    };
    let vpn = serve(&lab, full.with_options(&["--client-cidr", "fd00:8::/64"])).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(way_to(lab.client(1), ELSEWHERE).unwrap(), DEVICE);
    ping::require(lab.client(1), TARGET_V6, LIMIT).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}
