//! Stock clients whose profiles wrap the control channel: tls-auth, tls-crypt, tls-crypt-v2.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use test_support::lab::TARGET;
use test_support::stock::program::Program;
use test_support::traffic::ping::{self, Ping};
use test_support::{Implementation, Lab, Result, ServerPlan, StockClient, Vpn, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Long enough for a client to send its first packets several times.
const SILENCE: Duration = Duration::from_secs(8);

/// Key files as stock OpenVPN makes them.
struct Keys {
    directory: PathBuf,
}

impl Keys {
    fn make(lab: &Lab) -> Self {
        let keys = Self { directory: lab.scratch().to_owned() };
        keys.generate(&["secret", &keys.path("ta.key")]);
        keys.generate(&["tls-crypt-v2-server", &keys.path("v2-server.key")]);
        keys.generate(&[
            "tls-crypt-v2-client",
            &keys.path("v2-client.key"),
            "--tls-crypt-v2",
            &keys.path("v2-server.key"),
        ]);
        keys
    }

    fn generate(&self, arguments: &[&str]) {
        let status = Command::new("openvpn").arg("--genkey").args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "openvpn --genkey {arguments:?}");
    }

    fn path(&self, file: &str) -> String {
        self.directory.join(file).display().to_string()
    }
}

const KINDS: usize = 4;

/// A way to wrap: what the server and what a client is told.
struct Kind {
    server: Vec<String>,
    client: Vec<String>,
}

fn kinds(keys: &Keys) -> Vec<(&'static str, Kind)> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let ta = keys.path("ta.key");
    let with_direction = format!("{ta}:0");
    let kind = |server: &[&str], client: &[&str]| Kind { server: texts(server), client: texts(client) };
    vec![
        ("tls-auth", kind(&["--tls-auth", &with_direction], &["--tls-auth", &ta, "1"])),
        (
            "tls-auth with SHA512 and no direction",
            kind(&["--tls-auth", &ta, "--auth", "SHA512"], &["--tls-auth", &ta, "--auth", "SHA512"]),
        ),
        ("tls-crypt", kind(&["--tls-crypt", &ta], &["--tls-crypt", &ta])),
        (
            "tls-crypt-v2",
            kind(
                &["--tls-crypt-v2", &keys.path("v2-server.key")],
                &["--tls-crypt-v2", &keys.path("v2-client.key")],
            ),
        ),
    ]
}

fn borrowed(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

fn start<'lab>(lab: &'lab Lab, options: &[String], clients: &[&str]) -> Result<Vpn<'lab>> {
    let plan = ServerPlan::default().with_options(&borrowed(options));
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), clients, plan)
}

#[test]
fn each_kind_connects_and_renegotiates_without_a_lost_ping_under_either_tls_version() {
    for number in 0..KINDS {
        let lab = Lab::new(1).unwrap();
        let (name, kind) = kinds(&Keys::make(&lab)).swap_remove(number);
        let vpn = start(&lab, &kind.server, &[]).unwrap();
        for newest in ["1.3", "1.2"] {
            let certificate = format!("{}-{newest}", name.replace(' ', "-"));
            vpn.pki().build_client(&certificate).unwrap();
            let mut options = borrowed(&kind.client);
            options.extend(["--tls-version-max", newest, "--reneg-sec", "2"]);
            let client = vpn.connect(lab.client(1), &certificate, &options).unwrap();
            let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
            wait::until("three TLS sessions", LIMIT, || {
                Ok((client.log().matching("Control Channel: TLS").len() >= 3).then_some(()))
            })
            .unwrap();
            pings.wait_for_replies(25, LIMIT).unwrap();
            assert_eq!(pings.stop().lost(), [], "{name}, TLS {newest}");
        }
    }
}

#[test]
fn clients_older_than_2_6_connect_with_each_kind() {
    for number in 0..KINDS {
        let lab = Lab::new(1).unwrap();
        let program = Program::with_the_abilities_of_2_4(lab.scratch()).unwrap();
        let (name, kind) = kinds(&Keys::make(&lab)).swap_remove(number);
        let vpn = start(&lab, &kind.server, &[]).unwrap();
        let certificate = name.replace(' ', "-");
        vpn.pki().build_client(&certificate).unwrap();
        let profile = vpn.profile(&certificate).unwrap();
        let client =
            StockClient::start_program(&program, lab.client(1), &profile, &borrowed(&kind.client)).unwrap();
        client.wait_connected().unwrap();
        ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    }
}

#[test]
fn all_kinds_side_by_side_on_one_port() {
    let lab = Lab::new(4).unwrap();
    let keys = Keys::make(&lab);
    let all = [
        "--tls-auth",
        &format!("{}:0", keys.path("ta.key")),
        "--tls-crypt",
        &keys.path("ta.key"),
        "--tls-crypt-v2",
        &keys.path("v2-server.key"),
        "--allow-plain",
    ]
    .map(str::to_owned);
    let vpn = start(&lab, &all, &["auth", "crypt", "v2", "plain"]).unwrap();
    let (ta, v2) = (keys.path("ta.key"), keys.path("v2-client.key"));
    let clients: [(&str, &[&str]); 4] = [
        ("auth", &["--tls-auth", &ta, "1"]),
        ("crypt", &["--tls-crypt", &ta]),
        ("v2", &["--tls-crypt-v2", &v2]),
        ("plain", &[]),
    ];
    let connected: Vec<_> = (1..)
        .zip(clients)
        .map(|(host, (name, options))| vpn.connect(lab.client(host), name, options).unwrap())
        .collect();
    for host in 1..=connected.len() {
        ping::require(lab.client(host), TARGET, LIMIT).unwrap();
    }
}

/// No client of another kind gets as much as a TLS handshake: the server does not answer it at all.
#[test]
fn net_08_a_client_of_another_kind_gets_no_answer() {
    let lab = Lab::new(1).unwrap();
    let keys = Keys::make(&lab);
    let vpn = start(&lab, &["--tls-crypt".to_owned(), keys.path("ta.key")], &["alice"]).unwrap();
    let other = lab.scratch().join("other.key");
    keys.generate(&["secret", &other.display().to_string()]);
    let profile = vpn.profile("alice").unwrap();
    let (ta, v2) = (keys.path("ta.key"), keys.path("v2-client.key"));
    let strangers: [&[&str]; 4] =
        [&[], &["--tls-auth", &ta, "1"], &["--tls-crypt-v2", &v2], &["--tls-crypt", other.to_str().unwrap()]];
    for options in strangers {
        let client = StockClient::start(lab.client(1), &profile, options).unwrap();
        std::thread::sleep(SILENCE / 4);
        assert!(client.log().matching("TLS: Initial packet").is_empty(), "{options:?}");
        assert!(client.log().matching("VERIFY").is_empty(), "{options:?}");
    }
}

#[test]
fn mistakes_with_keys_are_explained() {
    let refusal = |options: &[&str]| {
        let output = Command::new(POSTERN)
            .args([
                "serve",
                "--check",
                "--ca",
                "x",
                "--cert",
                "x",
                "--key",
                "x",
                "--client-cidr",
                "10.8.0.0/24",
            ])
            .args(options)
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refusal(&["--tls-auth", "ta.key:2"]).contains("'2' is not a key direction"));
    assert!(refusal(&["--tls-auth", "ta.key", "--auth", "MD5"]).contains("'MD5' is not a hash"));
    assert!(refusal(&["--tls-crypt-v2-cookie", "maybe"]).contains("force-cookie"));
    let at_start = |option: &str, file: &str| {
        let lab = Lab::new(1).unwrap();
        let file = Keys::make(&lab).path(file);
        start(&lab, &[option.to_owned(), file], &[]).err().unwrap().to_string()
    };
    let missing = at_start("--tls-crypt", "nowhere.key");
    assert!(
        missing.contains("cannot read the --tls-crypt key") && missing.contains("nowhere.key"),
        "{missing}"
    );
    let wrong_kind = at_start("--tls-crypt-v2", "ta.key");
    assert!(wrong_kind.contains("OpenVPN tls-crypt-v2 server key"), "{wrong_kind}");
}
