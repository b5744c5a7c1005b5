//! What is decided about single clients, and about the data channel, with stock clients.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use test_support::lab::{LAN, TARGET};
use test_support::process::Signal;
use test_support::stock::client::DEVICE;
use test_support::traffic::ping;
use test_support::{Context, Host, Implementation, Lab, Result, ServerPlan, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Ten pings long.
const SILENCE: Duration = Duration::from_secs(1);
/// A machine behind Alice.
const BEHIND_ALICE: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);

/// A configuration file with these tables.
fn file(lab: &Lab, tables: &str) -> Result<PathBuf> {
    let path = lab.scratch().join("clients.toml");
    fs::write(&path, tables).context("writing a configuration file")?;
    Ok(path)
}

fn serve<'lab>(lab: &'lab Lab, options: &[&str], tables: &str) -> Result<Vpn<'lab>> {
    let file = file(lab, tables)?;
    let plan =
        ServerPlan::default().with_options(options).with_options(&["--config", &file.to_string_lossy()]);
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), &["alice", "bob", "eve"], plan)
}

fn put_a_network_behind(client: &Host) -> Result<()> {
    client.run("ip", ["link", "add", "office", "type", "bridge"])?;
    client.run("ip", ["address", "add", &format!("{BEHIND_ALICE}/24"), "dev", "office"])?;
    client.run("ip", ["link", "set", "office", "up"]).map(drop)
}

#[test]
fn a_client_has_its_own_addresses_options_and_the_network_behind_it() {
    let lab = Lab::new(2).unwrap();
    put_a_network_behind(lab.client(1)).unwrap();
    let options = [
        "--client-cidr",
        "fd00:8::/64",
        "--client-route",
        "10.20.0.0/24",
        "--client-to-client",
        "--push",
        "dhcp-option NTP 10.7.0.1",
    ];
    let tables = "[client.alice]\naddress = ['10.8.0.50', 'fd00:8::50']\nnetwork = '10.20.0.0/24'\n\
                  push = 'dhcp-option NTP 10.7.0.2'\npush-remove = 'dhcp-option NTP 10.7.0.1'\n";
    let vpn = serve(&lab, &options, tables).unwrap();
    let bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(alice.tunnel_address().unwrap(), Ipv4Addr::new(10, 8, 0, 50));
    assert!(lab.client(1).has_address("fd00:8::50".parse::<IpAddr>().unwrap()).unwrap());
    let pushed = alice.pushed_options().unwrap();
    assert!(pushed.contains(&"dhcp-option NTP 10.7.0.2".to_owned()), "{pushed:?}");
    assert!(
        !pushed
            .iter()
            .any(|option| option == "dhcp-option NTP 10.7.0.1" || option.starts_with("route 10.20.")),
        "{pushed:?}"
    );
    let pushed = bob.pushed_options().unwrap();
    for option in ["dhcp-option NTP 10.7.0.1", "route 10.20.0.0 255.255.255.0"] {
        assert!(pushed.contains(&option.to_owned()), "{pushed:?}");
    }
    ping::require(lab.client(2), BEHIND_ALICE, LIMIT).unwrap();
    ping::require(lab.client(2), alice.tunnel_address().unwrap(), LIMIT).unwrap();

    let mut alice = alice;
    alice.kill().unwrap();
    let again = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(again.tunnel_address().unwrap(), Ipv4Addr::new(10, 8, 0, 50), "her own, without a wait");
    ping::require(lab.client(2), BEHIND_ALICE, LIMIT).unwrap();
}

#[test]
fn acl_04_what_is_behind_a_client_is_out_of_reach_without_a_rule() {
    let lab = Lab::new(2).unwrap();
    put_a_network_behind(lab.client(1)).unwrap();
    let options = ["--client-route", "10.20.0.0/16", "--push", "route 10.20.0.0 255.255.0.0"];
    let vpn =
        serve(&lab, &options, "[client.alice]\nnetwork = '10.20.0.0/24'\npush-remove = 'route 10.20'\n")
            .unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
    assert!(!ping::reaches(lab.client(2), BEHIND_ALICE, SILENCE).unwrap());
}

#[test]
fn a_client_that_is_disabled_is_refused_from_the_next_reload_on() {
    let lab = Lab::new(1).unwrap();
    let mut vpn = serve(&lab, &[], "").unwrap();
    let mut eve = vpn.connect(lab.client(1), "eve", &[]).unwrap();
    eve.stop().unwrap();
    file(&lab, "[client.eve]\ndisabled = true\n").unwrap();
    let mark = vpn.server().log().mark();
    vpn.server().process().signal(Signal::HUP).unwrap();
    vpn.server().log().wait_for_since(mark, "reloaded", LIMIT).unwrap();
    let mut eve = test_support::StockClient::start(lab.client(1), &vpn.profile("eve").unwrap(), &[]).unwrap();
    eve.wait_refused("AUTH_FAILED", LIMIT).unwrap();
    vpn.server().log().wait_for("client-disabled", LIMIT).unwrap();
}

#[test]
fn clients_keep_their_addresses_when_the_server_restarts() {
    let lab = Lab::new(2).unwrap();
    let mut vpn = serve(&lab, &[], "").unwrap();
    let mut alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let mut bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    let addresses = [&alice, &bob].map(|client| client.tunnel_address().unwrap());
    alice.stop().unwrap();
    bob.stop().unwrap();
    vpn.server().stop().unwrap();
    vpn.start_server_again().unwrap();
    let bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!([&alice, &bob].map(|client| client.tunnel_address().unwrap()), addresses);
}

#[test]
fn every_kind_of_option_reaches_a_client_over_as_many_messages_as_it_takes() {
    let lab = Lab::new(1).unwrap();
    let mut options: Vec<String> = (0..150).map(|n| format!("route 172.20.{n}.0 255.255.255.0")).collect();
    options.push("inactive 3600 1000".to_owned());
    let push = options.iter().flat_map(|option| ["--push", option]);
    let others = ["--dns", "10.7.0.53", "--dns-domain", "corp.example", "--dns-search", "lab.example"];
    let all: Vec<&str> = push.chain(others).collect();
    let vpn = serve(&lab, &all, "").unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let routes = lab.client(1).run("ip", ["route", "show", "dev", DEVICE]).unwrap();
    assert_eq!(routes.matches("172.20.").count(), 150, "{routes}");
    assert!(routes.contains(&LAN[..LAN.len() - 3]), "{routes}");
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn old_ciphers_another_mtu_and_segment_size_are_had_by_option() {
    let lab = Lab::new(1).unwrap();
    let options = [
        "--cbc-ciphers",
        "AES-256-CBC",
        "--cbc-digest",
        "SHA256",
        "--tun-mtu",
        "1400",
        "--mssfix",
        "1300",
        "--replay-window",
        "64",
    ];
    let vpn = serve(&lab, &options, "").unwrap();
    let old = ["--data-ciphers", "AES-256-CBC", "--auth", "SHA256"];
    let alice = vpn.connect(lab.client(1), "alice", &old).unwrap();
    let pushed = alice.pushed_options().unwrap();
    for option in ["cipher AES-256-CBC", "tun-mtu 1400"] {
        assert!(pushed.contains(&option.to_owned()), "{pushed:?}");
    }
    assert!(lab.client(1).run("ip", ["link", "show", DEVICE]).unwrap().contains("mtu 1400"));
    assert!(lab.server().run("ip", ["link", "show", "vpn0"]).unwrap().contains("mtu 1400"));
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}
