//! A whole server on a host of its own, and clients with TCP connections to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use pki_core::error::Explain;
use socket2::SockRef;
use vpn_proto::client::ClientEvent;

use super::scenarios::{config, connection_log, start, wait_until_gone};
use crate::dataplane::counters::Event;
use crate::testing::client::TestClient;
use crate::testing::namespace::in_namespace;
use crate::testing::pki::TestPki;

const LISTEN: &str = "listen = ['udp:127.0.0.1:1194', 'tcp:0.0.0.0:1194', 'tcp:[::1]:443']";
const TCP: &str = "127.0.0.1:1194";
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn udp_and_tcp_clients_of_both_families_share_one_pool() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let names = ["alice", "bob", "carol"].map(|name| pki.issue_client(name));
        let server = start(&pki, LISTEN).unwrap();
        let ready: Vec<_> = server.ready().listen.iter().map(ToString::to_string).collect();
        assert_eq!(ready, ["udp:127.0.0.1:1194", "tcp:0.0.0.0:1194", "tcp:[::1]:443"]);
        let mut clients = [
            TestClient::new(&pki, &names[0]),
            TestClient::over_tcp(TCP, &pki, &names[1]),
            TestClient::over_tcp("[::1]:443", &pki, &names[2]),
        ];
        let addresses = clients.each_mut().map(|client| client.connect().address.to_string());
        assert_eq!(addresses, ["10.8.0.2", "10.8.0.3", "10.8.0.4"]);
        assert_eq!(server.connections().len(), 3);
        server.stop();
    });
}

#[test]
fn crl_03_a_revoked_client_is_told_and_its_connection_closed() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let (alice, bob) = (pki.issue_client("alice"), pki.issue_client("bob"));
        let server = start(&pki, LISTEN).unwrap();
        let mut of_alice = TestClient::over_tcp(TCP, &pki, &alice);
        let mut of_bob = TestClient::over_tcp(TCP, &pki, &bob);
        of_alice.connect();
        of_bob.connect();
        pki.revoke(&alice);
        pki.write_crl();
        assert_eq!(of_alice.next_event(), ClientEvent::AuthFailed("certificate revoked".to_owned()));
        of_alice.wait_closed();
        assert!(of_bob.live());
        assert_eq!(server.connections().len(), 1);
        let mut again = TestClient::over_tcp(TCP, &pki, &alice);
        assert_eq!(again.next_event(), ClientEvent::AuthFailed("certificate revoked".to_owned()));
        again.wait_closed();
    });
}

#[test]
fn a_connection_that_breaks_off_ends_its_session_at_once() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let (alice, bob) = (pki.issue_client("alice"), pki.issue_client("bob"));
        let server = start(&pki, &format!("{LISTEN}\nmax-sessions = 1")).unwrap();
        let mut client = TestClient::over_tcp(TCP, &pki, &alice);
        client.connect();
        drop(client);
        wait_for(|| server.connections().is_empty());
        TestClient::over_tcp(TCP, &pki, &bob).connect();
        let log = connection_log(&pki.state_directory());
        let is_logged = || std::fs::read_to_string(&log).unwrap().contains("\"reason\":\"connection-lost\"");
        wait_for(is_logged);
    });
}

#[test]
fn clients_hear_over_tcp_that_the_server_stops() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let server = start(&pki, LISTEN).unwrap();
        let mut client = TestClient::over_tcp(TCP, &pki, &alice);
        client.connect();
        let stopping = std::thread::spawn(move || server.stop());
        assert_eq!(client.next_event(), ClientEvent::Restart("the server is stopping".to_owned()));
        client.wait_closed();
        stopping.join().unwrap();
    });
}

#[test]
fn a_reload_keeps_connections() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let mut server = start(&pki, LISTEN).unwrap();
        let mut client = TestClient::over_tcp(TCP, &pki, &alice);
        client.connect();
        let options = format!("{LISTEN}\nmax-sessions = 9\nport-share = '127.0.0.1:443'");
        let report = server.reload(config(&pki, &options));
        assert!(report.live_settings_changed && report.failed.is_empty(), "{report:?}");
        assert_eq!(report.needs_restart, ["port-share"]);
        assert!(client.live());
        assert_eq!(server.connections().len(), 1);
    });
}

#[test]
fn a_tcp_port_that_is_taken_is_named_and_nothing_is_left() {
    in_namespace(|| {
        let pki = TestPki::new();
        let _occupied = TcpListener::bind("127.0.0.1:4000").unwrap();
        let error = start(&pki, "listen = ['udp:127.0.0.1:4000', 'tcp:127.0.0.1:4000']").err().unwrap();
        assert_eq!(
            (error.code(), error.to_string()),
            ("listen-address-in-use", "TCP 127.0.0.1:4000 is in use".to_owned())
        );
        wait_until_gone("vpn0", "a taken port");
    });
}

#[test]
fn net_09_strangers_of_every_kind_keep_no_client_out() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let (alice, bob) = (pki.issue_client("alice"), pki.issue_client("bob"));
        // Nobody has to go because its time is over.
        let server = start(&pki, &format!("{LISTEN}\ntcp-stranger-timeout = 3600")).unwrap();
        let mut connected = TestClient::over_tcp(TCP, &pki, &alice);
        connected.connect();
        let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(TCP).unwrap()).collect();
        let mut slow = TcpStream::connect(TCP).unwrap();
        slow.write_all(&[0]).unwrap();
        for _ in 0..200 {
            SockRef::from(&TcpStream::connect(TCP).unwrap()).set_linger(Some(Duration::ZERO)).unwrap();
        }
        let mut many_frames = TcpStream::connect(TCP).unwrap();
        many_frames.write_all(&[0, 1, 0xff].repeat(200)).unwrap();

        let mut newcomer = TestClient::over_tcp(TCP, &pki, &bob);
        newcomer.connect();
        assert!(connected.live());
        assert_eq!(server.connections().len(), 2);
        let evicted = || server.plane_counters().happened(Event::ConnectionEvicted);
        wait_for(|| evicted() >= 70);
        drop(silent);
    });
}

#[test]
fn net_09_a_stranger_has_ten_seconds_for_its_hard_reset_and_a_client_all_the_time() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let _server = start(&pki, LISTEN).unwrap();
        let mut client = TestClient::over_tcp(TCP, &pki, &alice);
        client.connect();
        let began = Instant::now();
        let mut strangers = [(); 3].map(|()| TcpStream::connect(TCP).unwrap());
        strangers.iter().for_each(|stranger| stranger.set_nonblocking(true).unwrap());
        // The second resets again and again without ever returning the cookie, the third sends one octet after the other.
        let reset = [&[0, 14, 0x38][..], &[7; 8], &[0; 5]].concat();
        let mut open = [true; 3];
        while open.contains(&true) {
            let _closed_meanwhile = (strangers[1].write_all(&reset), strangers[2].write_all(&[1]));
            assert!(client.live());
            std::thread::sleep(Duration::from_millis(200));
            for (stranger, open) in strangers.iter_mut().zip(&mut open) {
                let is_closed = *open && has_closed(stranger);
                assert!(!is_closed || began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
                *open &= !is_closed;
            }
            assert!(began.elapsed() < PATIENCE, "strangers stay: {open:?}");
        }
        assert!(client.live());
    });
}

/// Whether the other end closed this connection, from which nothing is waited for.
fn has_closed(connection: &mut TcpStream) -> bool {
    let mut answer = [0; 2048];
    loop {
        match connection.read(&mut answer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn a_web_server_shares_the_port() {
    in_namespace(|| {
        let mut pki = TestPki::new();
        let alice = pki.issue_client("alice");
        let backend = TcpListener::bind("127.0.0.1:8443").unwrap();
        let server = start(&pki, &format!("{LISTEN}\nport-share = '127.0.0.1:8443'")).unwrap();
        let mut client = TestClient::over_tcp(TCP, &pki, &alice);
        client.connect();
        let mut browser = TcpStream::connect(TCP).unwrap();
        browser.write_all(b"\x16\x03\x01 hello, all of it").unwrap();
        let (mut behind, _) = backend.accept().unwrap();
        let mut request = [0; 20];
        behind.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"\x16\x03\x01 hello, all of it");
        behind.write_all(b"welcome").unwrap();
        browser.read_exact(&mut [0; 7]).unwrap();
        assert!(client.live());
        assert_eq!(server.connections().len(), 1);
        server.stop();
        assert_eq!(browser.read(&mut [0]).unwrap_or(0), 0);
    });
}

fn wait_for(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}
