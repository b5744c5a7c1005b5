//! A server starts completely or not at all, and leaves a machine as it found it.

use std::net::Ipv4Addr;
use std::time::Duration;

use test_support::command::{Finished, finish};
use test_support::lab::TARGET;
use test_support::postern::serve_command;
use test_support::traffic::ping;
use test_support::{Host, Implementation, KeyKind, Lab, Pki, Result, ServerPlan, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

fn by_postern() -> Implementation {
    Implementation::Postern(POSTERN.into())
}

fn pki(lab: &Lab) -> Result<Pki> {
    let pki = Pki::by_postern(lab.scratch().join("pki"), POSTERN.as_ref(), KeyKind::P256)?;
    pki.build_server("server")?;
    Ok(pki)
}

/// Tries to start a server, which must end by itself.
fn start_in_vain(host: &Host, pki: &Pki, plan: &ServerPlan) -> Result<Finished> {
    finish(serve_command(POSTERN.as_ref(), host, pki, plan))
}

/// A start that failed must say so with this code, and what to do about it.
fn assert_refused(refused: &Finished, code: &str) {
    assert!(!refused.status.success());
    assert!(refused.stderr.contains(&format!("error[{code}]")), "{}", refused.stderr);
    assert!(refused.stderr.contains("help: "), "{}", refused.stderr);
}

/// What a server may change on its machine: firewall, forwarding, devices, addresses, routes.
fn settings(host: &Host) -> Result<[String; 5]> {
    Ok([
        host.run("nft", ["list", "ruleset"])?,
        host.run("sysctl", ["net.ipv4.ip_forward"])?,
        host.run("ip", ["-brief", "link"])?,
        host.run("ip", ["-4", "-brief", "address"])?,
        host.run("ip", ["-4", "route"])?,
    ])
}

#[test]
fn nothing_is_left_of_a_server_that_was_stopped() {
    let lab = Lab::new(1).unwrap();
    let before = settings(lab.server()).unwrap();
    let mut vpn = Vpn::start(&lab, &by_postern(), &["alice"], ServerPlan::default()).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert_ne!(settings(lab.server()).unwrap(), before);
    assert!(vpn.server().stop().unwrap().success());
    assert_eq!(settings(lab.server()).unwrap(), before);
}

#[test]
fn what_a_killed_server_left_is_cleared_by_the_next() {
    let lab = Lab::new(1).unwrap();
    let before = settings(lab.server()).unwrap();
    let mut vpn = Vpn::start(&lab, &by_postern(), &["alice"], ServerPlan::default()).unwrap();
    vpn.server().kill().unwrap();
    vpn.start_server_again().unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert!(vpn.server().stop().unwrap().success());
    assert_eq!(settings(lab.server()).unwrap(), before);
}

#[test]
fn a_taken_port_is_named_and_nothing_is_changed() {
    let lab = Lab::new(0).unwrap();
    let pki = pki(&lab).unwrap();
    let _other = lab.server().udp_socket(lab.server().address(), 1194).unwrap();
    let before = settings(lab.server()).unwrap();
    let refused = start_in_vain(lab.server(), &pki, &ServerPlan::default()).unwrap();
    assert_refused(&refused, "listen-address-in-use");
    assert!(refused.stderr.contains("192.0.2.1:1194"), "{}", refused.stderr);
    assert_eq!(settings(lab.server()).unwrap(), before);
}

#[test]
fn a_second_server_on_the_same_state_is_refused_and_the_first_goes_on() {
    let lab = Lab::new(1).unwrap();
    let vpn = Vpn::start(&lab, &by_postern(), &["alice"], ServerPlan::default()).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let before = settings(lab.server()).unwrap();
    let second = ServerPlan {
        port: 1195,
        device: "vpn1".to_owned(),
        client_cidr: "10.9.0.0/24".to_owned(),
        ..ServerPlan::default()
    };
    let refused = start_in_vain(lab.server(), vpn.pki(), &second).unwrap();
    assert_refused(&refused, "state-in-use");
    assert_eq!(settings(lab.server()).unwrap(), before);
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn a_missing_privilege_is_named_and_nothing_is_changed() {
    let lab = Lab::new(0).unwrap();
    let pki = pki(&lab).unwrap();
    let before = settings(lab.server()).unwrap();
    let serve = serve_command(POSTERN.as_ref(), lab.server(), &pki, &ServerPlan::default());
    // All of root but the right to change the network.
    let mut command = lab.server().command("setpriv");
    command.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"]).arg(POSTERN);
    command.args(serve.get_args().skip_while(|word| *word != "serve"));
    let refused = finish(command).unwrap();
    assert_refused(&refused, "tun-capability-missing");
    assert!(refused.stderr.contains("CAP_NET_ADMIN"), "{}", refused.stderr);
    assert_eq!(settings(lab.server()).unwrap(), before);
}

#[test]
fn client_addresses_that_overlap_a_routed_network_are_refused() {
    let lab = Lab::new(0).unwrap();
    let pki = pki(&lab).unwrap();
    let before = settings(lab.server()).unwrap();
    let plan = ServerPlan { client_cidr: "10.7.0.0/22".to_owned(), ..ServerPlan::default() };
    let refused = start_in_vain(lab.server(), &pki, &plan).unwrap();
    assert_refused(&refused, "config-client-cidr-overlap");
    assert!(refused.stderr.contains("10.7.0.0/24"), "{}", refused.stderr);
    assert_eq!(settings(lab.server()).unwrap(), before);
}

#[test]
fn the_tunnel_device_has_the_name_that_was_asked_for() {
    let lab = Lab::new(0).unwrap();
    let plan = ServerPlan { device: "gate".to_owned(), ..ServerPlan::default() };
    let _vpn = Vpn::start(&lab, &by_postern(), &[], plan).unwrap();
    assert_eq!(lab.server().address_of("gate").unwrap(), Some(Ipv4Addr::new(10, 8, 0, 1)));
}
