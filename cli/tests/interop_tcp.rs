//! Stock OpenVPN clients over TCP, beside those over UDP, on a port that may be shared with a web server.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;
use test_support::command::{self, finish, tool};
use test_support::figures::median;
use test_support::lab::{SERVER, TARGET};
use test_support::postern::serve_command;
use test_support::traffic::ping::{self, Ping};
use test_support::traffic::transfer::{Direction, Load, transfer};
use test_support::{
    Context, Failure, Host, Implementation, KeyKind, Lab, Pki, Result, ServerPlan, StockClient, Vpn, wait,
};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// What is promised: from the new revocation list to the end of the tunnel. Held against what is usual, as the machine
/// may be busy for a moment.
const PROMISE: Duration = Duration::from_secs(1);
const PORT: SocketAddrV4 = SocketAddrV4::new(SERVER, 1194);
/// Far below what a tunnel carries, so that no queue fills while a busy machine lets one of the programs wait.
const BYTES_PER_SECOND: u32 = 500_000;
/// Enough to fill every queue on the way many times over.
const BYTES: u64 = 32 << 20;

/// A server on UDP and TCP port 1194, with further options.
fn plan(options: &[&str]) -> ServerPlan {
    ServerPlan::default().with_options(&["--listen", "tcp:192.0.2.1:1194"]).with_options(options)
}

fn start<'lab>(lab: &'lab Lab, names: &[&str], plan: ServerPlan) -> Result<Vpn<'lab>> {
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), names, plan)
}

/// The profile for TCP that `postern export` writes.
fn tcp_profile(pki: &Pki, name: &str, remote: &str) -> Result<String> {
    let mut command = tool(POSTERN);
    command.arg("--pki-dir").arg(pki.directory()).args(["export", name]);
    command.args(["--remote", remote, "--port", "1194", "--proto", "tcp"]);
    command::succeed(command)
}

fn connect<'lab>(vpn: &Vpn<'_>, host: &'lab Host, name: &str, options: &[&str]) -> Result<StockClient<'lab>> {
    StockClient::connect(host, &tcp_profile(vpn.pki(), name, "192.0.2.1")?, options)
}

#[test]
fn a_client_moves_data_both_ways_and_finds_nothing_inconsistent() {
    let lab = Lab::new(1).unwrap();
    let vpn = start(&lab, &["alice"], plan(&[])).unwrap();
    let client = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    for direction in [Direction::Upload, Direction::Download] {
        let moved = transfer(lab.client(1), lab.target(), TARGET, Load::new(direction, BYTES)).unwrap();
        println!("{direction:?} over TCP: {moved}");
    }
    client.log().wait_for("TCPv4_CLIENT link remote", LIMIT).unwrap();
    for complaint in ["used inconsistently", "Bad encapsulated packet length", "Connection reset"] {
        assert_eq!(client.log().matching(complaint).len(), 0, "{complaint}");
    }
}

#[test]
fn every_cipher_and_either_tls_version_works() {
    let lab = Lab::new(1).unwrap();
    let vpn = start(&lab, &["alice"], plan(&[])).unwrap();
    let ciphers = ["AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305"];
    for (cipher, newest) in ciphers.into_iter().zip(["1.3", "1.2", "1.2"]) {
        let options = ["--data-ciphers", cipher, "--tls-version-max", newest];
        let mut client = connect(&vpn, lab.client(1), "alice", &options).unwrap();
        client.log().wait_for(&format!("Data Channel: cipher '{cipher}'"), LIMIT).unwrap();
        ping::require(lab.client(1), TARGET, LIMIT).unwrap();
        client.stop().unwrap();
    }
}

#[test]
fn keys_are_renegotiated_and_nothing_is_lost() {
    let lab = Lab::new(1).unwrap();
    let plan = ServerPlan { renegotiate_after: Some(3), ..plan(&[]) };
    let vpn = start(&lab, &["alice"], plan).unwrap();
    let client = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    for direction in [Direction::Upload, Direction::Download] {
        let load = Load::new(direction, 7 * u64::from(BYTES_PER_SECOND)).paced(BYTES_PER_SECOND);
        transfer(lab.client(1), lab.target(), TARGET, load).unwrap();
    }
    wait::until("four TLS sessions", LIMIT, || {
        Ok((client.log().matching("Control Channel: TLS").len() >= 4).then_some(()))
    })
    .unwrap();
    assert_eq!(pings.stop().lost(), []);
    assert_eq!(client.log().matching("Initialization Sequence Completed").len(), 1);
}

#[test]
fn a_revoked_client_is_told_within_a_second_and_a_bystander_over_udp_loses_nothing() {
    let lab = Lab::new(2).unwrap();
    let leavers = ["alice", "bob", "carol"];
    let vpn = start(&lab, &[&leavers[..], &["bystander"]].concat(), plan(&[])).unwrap();
    let _bystander = vpn.connect(lab.client(2), "bystander", &[]).unwrap();
    let of_bystander = Ping::start(lab.client(2), TARGET, Duration::from_millis(20)).unwrap();
    of_bystander.wait_for_replies(20, LIMIT).unwrap();
    let times = leavers.map(|leaver| {
        let mut client = connect(&vpn, lab.client(1), leaver, &[]).unwrap();
        let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(5)).unwrap();
        pings.wait_for_replies(20, LIMIT).unwrap();
        vpn.pki().revoke(leaver).unwrap();
        let began = Instant::now();
        vpn.pki().gen_crl().unwrap();
        let told = client.wait_refused("AUTH_FAILED", LIMIT).unwrap();
        assert!(told.text.contains("revoked"), "{}", told.text);
        let last_reply = pings.stop_within(Duration::ZERO).last_reply().unwrap();
        told.at.max(last_reply).saturating_duration_since(began)
    });
    println!("told, and without a further reply, after {times:.1?}");
    assert!(median(times).unwrap() < PROMISE, "{times:?}");
    assert_eq!(of_bystander.stop().lost(), []);
}

#[test]
fn a_server_that_stops_tells_its_clients_which_come_back() {
    let lab = Lab::new(1).unwrap();
    let mut vpn = start(&lab, &["alice"], plan(&[])).unwrap();
    let client = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    vpn.restart_under(&client).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn clients_over_udp_and_tcp_share_one_endpoint_and_pool() {
    let lab = Lab::new(2).unwrap();
    let vpn = start(&lab, &["alice", "bob"], plan(&["--authorize", "10.8.0.0/24"])).unwrap();
    let alice = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    let bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    let (of_alice, of_bob) = (alice.tunnel_address().unwrap(), bob.tunnel_address().unwrap());
    assert_ne!(of_alice, of_bob);
    for client in lab.clients() {
        ping::require(client, TARGET, LIMIT).unwrap();
    }
    ping::require(lab.client(1), of_bob, LIMIT).unwrap();
    ping::require(lab.client(2), of_alice, LIMIT).unwrap();
}

#[test]
fn a_client_that_changes_its_transport_takes_its_own_place() {
    let lab = Lab::new(1).unwrap();
    let vpn = start(&lab, &["alice"], plan(&["--max-sessions", "1"])).unwrap();
    let mut over_tcp = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    let address = over_tcp.tunnel_address().unwrap();
    over_tcp.kill().unwrap();
    let over_udp = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    assert_eq!(over_udp.tunnel_address().unwrap(), address);
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn the_place_of_a_client_that_was_killed_is_free_at_once() {
    let lab = Lab::new(2).unwrap();
    let vpn = start(&lab, &["alice", "bob"], plan(&["--max-sessions", "1"])).unwrap();
    connect(&vpn, lab.client(1), "alice", &[]).unwrap().kill().unwrap();
    let _bob = connect(&vpn, lab.client(2), "bob", &[]).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
}

#[test]
fn a_client_reaches_the_server_over_ipv6() {
    let lab = Lab::new(2).unwrap();
    for (host, address) in [
        (lab.server(), "fd00:192::1/64"),
        (lab.client(1), "fd00:192::11/64"),
        (lab.client(2), "fd00:192::12/64"),
    ] {
        host.run("ip", ["address", "add", address, "dev", "wire", "nodad"]).unwrap();
    }
    let listen = ["--listen", "tcp:[fd00:192::1]:1194", "--listen", "udp:[fd00:192::1]:1194"];
    let vpn = start(&lab, &["alice", "bob"], plan(&listen)).unwrap();
    let over_tcp = tcp_profile(vpn.pki(), "alice", "fd00:192::1").unwrap();
    let over_udp = tcp_profile(vpn.pki(), "bob", "fd00:192::1").unwrap().replace("proto tcp", "proto udp");
    let first = StockClient::connect(lab.client(1), &over_tcp, &[]).unwrap();
    let second = StockClient::connect(lab.client(2), &over_udp, &[]).unwrap();
    for client in [&first, &second] {
        client.log().wait_for("[AF_INET6]fd00:192::1", LIMIT).unwrap();
        let load = Load::new(Direction::Download, BYTES / 4);
        transfer(client.host(), lab.target(), TARGET, load).unwrap();
    }
}

#[test]
fn a_web_server_shares_the_port_with_the_tunnels() {
    let lab = Lab::new(2).unwrap();
    let web = lab.server().tcp_listener(SERVER).unwrap();
    let backend = web.local_addr().unwrap().to_string();
    let vpn = start(&lab, &["alice"], plan(&["--port-share", &backend])).unwrap();
    let site = serve_web(web, 20);
    let _alice = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    for size in [0, 1, 1_000_000] {
        assert_eq!(get(lab.client(2), size, usize::MAX).unwrap(), size);
    }
    // A browser whose request comes octet by octet, and many browsers at once.
    assert_eq!(get(lab.client(2), 1000, 1).unwrap(), 1000);
    thread::scope(|scope| {
        let browsers: Vec<_> =
            (0..16).map(|_| scope.spawn(|| get(lab.client(2), 300_000, usize::MAX))).collect();
        for browser in browsers {
            assert_eq!(browser.join().unwrap().unwrap(), 300_000);
        }
    });
    site.join().unwrap().unwrap();
    assert_eq!(pings.stop().lost(), []);
}

#[test]
fn a_port_is_not_shared_with_a_web_server_that_is_away_and_tunnels_go_on() {
    let lab = Lab::new(2).unwrap();
    let mut vpn = start(&lab, &["alice"], plan(&["--port-share", "192.0.2.1:9"])).unwrap();
    let _alice = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    let mut browser = lab.client(2).tcp_connection(PORT).unwrap();
    browser.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(browser.read(&mut [0; 10]).unwrap_or(0), 0);
    vpn.server().log().wait_for("backend", LIMIT).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn net_09_slow_and_broken_strangers_do_not_disturb_a_client() {
    let lab = Lab::new(3).unwrap();
    let vpn = start(&lab, &["alice", "bob"], plan(&[])).unwrap();
    let alice = connect(&vpn, lab.client(1), "alice", &[]).unwrap();
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    pings.wait_for_replies(10, LIMIT).unwrap();

    let stranger = || lab.client(3).tcp_connection(PORT).unwrap();
    let silent: Vec<TcpStream> = (0..60).map(|_| stranger()).collect();
    // One octet at a time of a frame that never ends; lengths that lie; frames of nothing but noise.
    let mut slow: Vec<TcpStream> = (0..10).map(|_| stranger()).collect();
    for (number, garbage) in [&[0, 0][..], &[0xff; 64], b"GET / HTTP/1.1\r\n\r\n", &[0, 3, 0x38, 1, 2]]
        .into_iter()
        .cycle()
        .take(80)
        .enumerate()
    {
        let mut broken = stranger();
        broken.write_all(garbage).unwrap();
        if number % 2 == 0 {
            SockRef::from(&broken).set_linger(Some(Duration::ZERO)).unwrap();
        }
        for slow in &mut slow {
            // Some of them had to go for others.
            let _ = slow.write_all(&[1]);
        }
    }
    let load = Load::new(Direction::Download, 2 * u64::from(BYTES_PER_SECOND)).paced(BYTES_PER_SECOND);
    transfer(lab.client(1), lab.target(), TARGET, load).unwrap();
    let _bob = connect(&vpn, lab.client(2), "bob", &[]).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
    assert_eq!(pings.stop().lost(), []);
    assert_eq!(alice.log().matching("Initialization Sequence Completed").len(), 1);
    for mut stranger in silent {
        stranger.set_read_timeout(Some(LIMIT)).unwrap();
        let end = stranger.read(&mut [0]);
        assert!(matches!(end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
}

#[test]
fn ops_05_too_few_files_are_named_and_nothing_is_changed() {
    let lab = Lab::new(0).unwrap();
    let pki = Pki::by_postern(lab.scratch().join("pki"), POSTERN.as_ref(), KeyKind::P256).unwrap();
    pki.build_server("server").unwrap();
    let serve = serve_command(POSTERN.as_ref(), lab.server(), &pki, &plan(&[]));
    let mut command = lab.server().command("prlimit");
    command.arg("--nofile=100:100").arg(POSTERN);
    command.args(serve.get_args().skip_while(|word| *word != "serve"));
    let refused = finish(command).unwrap();
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("at most 100 files can be open"), "{}", refused.stderr);
    assert_eq!(lab.server().run("nft", ["list", "ruleset"]).unwrap(), "");
}

/// Answers `count` requests for `/N` with N octets.
fn serve_web(listener: TcpListener, count: usize) -> JoinHandle<Result<()>> {
    thread::spawn(move || {
        thread::scope(|scope| {
            let browsers = (0..count).map(|_| {
                let (browser, _) = listener.accept().context("waiting for a browser")?;
                Ok(scope.spawn(move || answer(browser)))
            });
            let browsers: Vec<_> = browsers.collect::<Result<_>>()?;
            browsers.into_iter().try_for_each(|browser| match browser.join() {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::new("the web server panicked")),
            })
        })
    })
}

fn answer(mut browser: TcpStream) -> Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        browser.read_exact(&mut octet).context("reading a request")?;
        request.extend(octet);
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let size: usize = path.trim_start_matches('/').parse().context("reading what is asked for")?;
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {size}\r\n\r\n");
    browser.write_all(&[head.into_bytes(), vec![b'x'; size]].concat()).context("answering a request")
}

/// Asks the shared port for `size` octets, in pieces of at most `piece`; answers with how many came.
fn get(host: &Host, size: usize, piece: usize) -> Result<usize> {
    let mut browser = host.tcp_connection(PORT)?;
    browser.set_nodelay(true).context("sending at once")?;
    let request = format!("GET /{size} HTTP/1.0\r\nHost: example\r\n\r\n");
    for piece in request.as_bytes().chunks(piece.min(request.len())) {
        browser.write_all(piece).context("sending a request")?;
    }
    let mut answer = Vec::new();
    browser.read_to_end(&mut answer).context("reading an answer")?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    match head {
        Some(head) if answer.starts_with(b"HTTP/1.0 200 OK\r\n") => Ok(answer.len() - head - 4),
        Some(_) | None => Err(Failure::new(format!("{:?}", String::from_utf8_lossy(&answer)))),
    }
}
