//! A whole server on a host of its own: sockets, TUN device, rules, files; and a client of the protocol core.

use std::fs;
use std::net::UdpSocket;
use std::path::Path as FilePath;
use std::time::{Duration, Instant};

use pki_core::error::Explain;
use vpn_proto::client::ClientEvent;

use super::{Server, StartError};
use crate::config::{Config, ConfigError, Options};
use crate::testing::client::TestClient;
use crate::testing::namespace::{add_interface, in_namespace, run, switch};
use crate::testing::pki::TestPki;

#[test]
fn crl_03_a_list_that_is_renamed_into_place_ends_the_session_within_a_second() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let bystander = pki.issue_client("bystander");
        let server = start(&pki, "").unwrap();
        // It keeps its port, so that no later client is taken for it.
        let mut of_bystander = TestClient::new(&pki, &bystander);
        of_bystander.connect();
        let mut times = [(); 5].map(|()| {
            let alice = pki.issue_client("alice");
            let mut client = TestClient::new(&pki, &alice);
            client.connect();
            assert_eq!(server.connections().len(), 2);
            pki.revoke(&alice);
            let renamed = Instant::now();
            pki.write_crl();
            assert_eq!(client.next_event(), ClientEvent::AuthFailed("certificate revoked".to_owned()));
            let told = renamed.elapsed();
            assert_eq!(server.connections().len(), 1);
            told
        });
        assert_eq!(server.control_totals().revoked, 5);
        times.sort_unstable();
        // The machine may be busy for a moment, but not most of the time.
        assert!(times[2] < Duration::from_secs(1), "{times:?}");
        server.stop();
    });
}

#[test]
fn a_server_leaves_the_host_as_it_found_it() {
    in_namespace(|| {
        let pki = TestPki::new();
        add_interface("eth1", "10.7.0.1/24");
        let server = start(&pki, "route = '10.7.0.0/24@eth1'").unwrap();
        assert_eq!(server.ready().addresses, ["10.8.0.1".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(server.ready().listen[0].address.port(), 1194);
        assert!(run("ip", &["-brief", "addr", "show", "vpn0"]).contains("10.8.0.1/24"));
        assert_eq!(switch("ipv4/conf/eth1/forwarding"), "1");
        assert!(server.tick());
        server.stop();
        wait_until_gone("vpn0", "after a stop");
        assert_eq!(switch("ipv4/conf/eth1/forwarding"), "0");
        assert_eq!(run("nft", &["list", "ruleset"]), "");
    });
}

#[test]
fn whatever_stands_in_the_way_of_a_start_is_named_and_nothing_is_left() {
    in_namespace(|| {
        let pki = TestPki::new();
        add_interface("eth1", "10.7.0.1/24");
        add_interface("taken", "10.6.0.1/24");
        let _occupied = UdpSocket::bind("0.0.0.0:4000").unwrap();
        let cases = [
            ("listen = 'udp:0.0.0.0:4000'", "listen-address-in-use"),
            ("listen = 'udp:198.51.100.1:4001'", "listen-address-not-available"),
            ("tun = 'taken'", "tun-name-taken"),
            ("route = '10.7.0.0/24@eth7'", "forwarding-unreadable"),
            ("connection-log = '/nonexistent/c.log'", "connection-log-unavailable"),
            ("state-dir = '/dev/null/x'", "state-unusable"),
            ("server-name = 'other'", "server-certificate-missing"),
        ];
        for (options, code) in cases {
            let error = start(&pki, options).map(|_| ()).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(!error.help().is_empty());
            wait_until_gone("vpn0", code);
            assert_eq!(run("nft", &["list", "ruleset"]), "", "{code}");
        }
        start(&pki, "").unwrap();
    });
}

/// The kernel takes a moment to remove a device that nobody holds open any longer.
pub(super) fn wait_until_gone(device: &str, context: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while run("ip", &["-brief", "link"]).contains(device) {
        assert!(Instant::now() < deadline, "{device} is still there: {context}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_check_finds_what_a_start_would_and_changes_nothing() {
    let mut pki = TestPki::new();
    let now = std::time::SystemTime::now().into();
    let check =
        |pki: &TestPki| super::check(&config(pki, "").unwrap(), now).map(|state| format!("{state:?}"));
    assert_eq!(check(&pki).unwrap(), "NothingRevokedYet");
    pki.write_crl();
    assert!(check(&pki).unwrap().starts_with("InForce"));
    pki.put_crl("broken");
    assert_eq!(check(&pki).unwrap_err().code(), "crl-file-empty");
    fs::remove_file(pki.directory().join("ca.crt")).unwrap();
    assert_eq!(check(&pki).unwrap_err().code(), "ca-missing");
    assert_eq!(fs::read_dir(pki.state_directory()).unwrap().count(), 0);
}

#[test]
fn a_second_server_on_the_same_state_is_refused() {
    in_namespace(|| {
        let pki = TestPki::new();
        let _first = start(&pki, "").unwrap();
        let error = start(&pki, "listen = 'udp:0.0.0.0:4000'\ntun = 'vpn1'").map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "state-in-use");
    });
}

#[test]
fn a_reload_changes_what_can_change_and_names_the_rest() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        add_interface("eth1", "10.7.0.1/24");
        let mut server = start(&pki, "").unwrap();
        let mut client = TestClient::new(&pki, &alice);
        assert!(client.connect().options.is_empty());
        let options = "dns = '10.7.0.53'\nroute = '10.7.0.0/24@eth1'\nlisten = 'udp:0.0.0.0:4000'";
        let report = server.reload(config(&pki, options));
        assert!(report.live_settings_changed && report.failed.is_empty(), "{report:?}");
        assert_eq!(report.needs_restart, ["listen"]);
        assert!(run("nft", &["list", "ruleset"]).contains("10.7.0.0/24"));
        let mut again = TestClient::new(&pki, &alice);
        assert_eq!(again.connect().options, ["route 10.7.0.0 255.255.255.0", "dhcp-option DNS 10.7.0.53"]);
    });
}

#[test]
fn a_reload_takes_the_new_certificate_and_keeps_the_old_one_where_it_cannot() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let mut server = start(&pki, "").unwrap();
        pki.issue("server", rcgen::ExtendedKeyUsagePurpose::ServerAuth);
        assert!(server.reload(config(&pki, "")).failed.is_empty());
        TestClient::new(&pki, &alice).connect();
        let certificate = pki.directory().join("issued/server.crt");
        let good = fs::read(&certificate).unwrap();
        fs::write(&certificate, "broken").unwrap();
        let report = server.reload(config(&pki, ""));
        assert_eq!(report.failed.iter().map(|(part, _)| *part).collect::<Vec<_>>(), ["certificates"]);
        fs::write(&certificate, good).unwrap();
        let report = server.reload(config(&pki, "max-sessions = 0"));
        assert_eq!(report.failed.iter().map(|(part, _)| *part).collect::<Vec<_>>(), ["configuration"]);
        TestClient::new(&pki, &alice).connect();
    });
}

#[test]
fn clients_hear_that_the_server_stops() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let server = start(&pki, "").unwrap();
        let mut client = TestClient::new(&pki, &alice);
        client.connect();
        let stopping = std::thread::spawn(move || server.stop());
        assert_eq!(client.next_event(), ClientEvent::Restart("the server is stopping".to_owned()));
        client.acknowledge();
        stopping.join().unwrap();
        let log = fs::read_to_string(connection_log(&pki.state_directory())).unwrap();
        assert_eq!(log.lines().count(), 2);
        assert!(log.contains("\"reason\":\"server-stopping\""), "{log}");
    });
}

pub(super) fn start(pki: &TestPki, more: &str) -> Result<Server, StartError> {
    Server::start(config(pki, more).unwrap())
}

pub(super) fn config(pki: &TestPki, more: &str) -> Result<Config, ConfigError> {
    let given: Options = toml::from_str(more).unwrap();
    let standard = Options {
        pki: Some(pki.directory()),
        server_name: Some("server".to_owned()),
        client_cidr: Some(vec!["10.8.0.0/24".to_owned()]),
        tun: Some("vpn0".to_owned()),
        split_tunnel: Some(true),
        state_dir: Some(pki.state_directory()),
        connection_log: Some(connection_log(&pki.state_directory())),
        ..Options::default()
    };
    Config::check(given.or(standard))
}

pub(super) fn connection_log(state_directory: &FilePath) -> std::path::PathBuf {
    state_directory.join("connections.log")
}
