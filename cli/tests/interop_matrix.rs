//! Every combination of wrapping, transport, address family, TLS version and cipher, with the distribution's client and
//! one server that takes all of them side by side.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use test_support::lab::TARGET;
use test_support::stock::client::CONNECTED;
use test_support::stock::program::Program;
use test_support::traffic::ping;
use test_support::{Context, Host, Implementation, Lab, Result, ServerPlan, StockClient, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

const WRAPPINGS: [&str; 4] = ["plain", "tls-auth", "tls-crypt", "tls-crypt-v2"];
const TRANSPORTS: [&str; 2] = ["udp", "tcp"];
const FAMILIES: [(&str, &str); 2] = [("IPv4", "192.0.2.1"), ("IPv6", "fd00:192::1")];
const TLS_VERSIONS: [&str; 2] = ["1.2", "1.3"];
const CIPHERS: [&str; 3] = ["AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305"];

/// What clients of a version can do.
struct Abilities {
    version: String,
    wrappings: &'static [&'static str],
    cipher_option: &'static str,
    /// Whether it offers what `cipher` of its profile says, too.
    adds_cipher: bool,
    has_chacha: bool,
    has_tls_1_3: bool,
}

impl Abilities {
    /// 2.4 is built with mbedTLS 2, as the distributions of its time and routers had it.
    fn of(version: &str) -> Self {
        let is_old = version.starts_with("2.4.");
        Self {
            version: version.to_owned(),
            wrappings: if is_old { &["plain", "tls-auth", "tls-crypt"] } else { &WRAPPINGS },
            cipher_option: if is_old { "--ncp-ciphers" } else { "--data-ciphers" },
            adds_cipher: is_old || version.starts_with("2.5."),
            has_chacha: !is_old,
            has_tls_1_3: !is_old,
        }
    }

    fn can(&self, cell: &Cell) -> bool {
        (self.has_chacha || cell.cipher != "CHACHA20-POLY1305") && (self.has_tls_1_3 || cell.tls != "1.3")
    }

    /// What it says about the cipher that was agreed on.
    fn cipher_line(&self, cipher: &str) -> String {
        match self.version.get(..3) {
            Some("2.4" | "2.5") => format!("Data Channel: Cipher '{cipher}' initialized"),
            _ => format!("Data Channel: cipher '{cipher}'"),
        }
    }
}

/// One combination.
struct Cell {
    transport: &'static str,
    family: &'static str,
    remote: &'static str,
    tls: &'static str,
    cipher: &'static str,
}

#[test]
fn every_combination_connects_and_carries_packets() {
    let lab = Lab::new(4).unwrap();
    number_ipv6(&lab).unwrap();
    let keys = Keys::make(&lab);
    let vpn = Vpn::start(
        &lab,
        &Implementation::Postern(POSTERN.into()),
        &WRAPPINGS,
        ServerPlan { tcp: true, ..ServerPlan::default() }.with_options(&[
            "--listen=udp:[fd00:192::1]:1194",
            "--listen=tcp:[fd00:192::1]:1194",
            &format!("--tls-auth={}:0", keys.path("ta.key")),
            &format!("--tls-crypt={}", keys.path("ta.key")),
            &format!("--tls-crypt-v2={}", keys.path("v2-server.key")),
            "--allow-plain",
        ]),
    )
    .unwrap();
    let client = Abilities::of(&Program::client().version().unwrap());
    println!("server postern {}, client OpenVPN {}", env!("CARGO_PKG_VERSION"), client.version);
    println!("milliseconds from the start of the client to its tunnel:\n{}", header());
    let tables: Vec<Result<Vec<String>>> = thread::scope(|scope| {
        let columns: Vec<_> = WRAPPINGS
            .into_iter()
            .zip(lab.clients())
            .filter(|(wrapping, _)| client.wrappings.contains(wrapping))
            .map(|(wrapping, host)| {
                let (vpn, client, options) = (&vpn, &client, keys.options_of(wrapping));
                scope.spawn(move || rows_of(vpn, host, client, wrapping, &options))
            })
            .collect();
        columns.into_iter().map(|column| column.join().unwrap()).collect()
    });
    for table in tables {
        table.unwrap().iter().for_each(|row| println!("{row}"));
    }
}

/// The rows of one wrapping; its clients come one after the other.
fn rows_of(
    vpn: &Vpn<'_>,
    host: &Host,
    client: &Abilities,
    wrapping: &str,
    options: &[String],
) -> Result<Vec<String>> {
    let profile = vpn.profile(wrapping)?;
    let mut rows = Vec::new();
    for transport in TRANSPORTS {
        for (family, remote) in FAMILIES {
            let mut row = format!("| {wrapping} | {transport} | {family} |");
            for tls in TLS_VERSIONS {
                for cipher in CIPHERS {
                    let cell = Cell { transport, family, remote, tls, cipher };
                    if !client.can(&cell) {
                        row += " - |";
                        continue;
                    }
                    let took = cell.try_with(host, client, &profile, options);
                    let took = took.context(format!("{wrapping} {transport} {family} TLS {tls} {cipher}"))?;
                    row += &format!(" {} |", took.as_millis());
                }
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

impl Cell {
    /// Connects, looks whether it is as it was asked for, sends packets, leaves.
    fn try_with(
        &self,
        host: &Host,
        abilities: &Abilities,
        profile: &str,
        options: &[String],
    ) -> Result<Duration> {
        let profile = profile
            .replace("proto udp", &format!("proto {}", self.transport))
            .replace("192.0.2.1 ", &format!("{} ", self.remote));
        let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
        options.extend(["--tls-version-max", self.tls, abilities.cipher_option, self.cipher]);
        if abilities.adds_cipher {
            options.extend(["--cipher", self.cipher]);
        }
        let began = Instant::now();
        let mut client = StockClient::start(host, &profile, &options)?;
        let connected = client.log().wait_for(CONNECTED, LIMIT)?;
        for expected in [
            format!("Control Channel: TLSv{}", self.tls),
            abilities.cipher_line(self.cipher),
            self.remote_in_the_log(),
        ] {
            client.log().wait_for(&expected, LIMIT)?;
        }
        ping::require(host, TARGET, LIMIT)?;
        client.stop()?;
        Ok(connected.at.saturating_duration_since(began))
    }

    /// What all versions say of where they connect to.
    fn remote_in_the_log(&self) -> String {
        let family = if self.family == "IPv4" { "AF_INET" } else { "AF_INET6" };
        format!("link remote: [{family}]{}:1194", self.remote)
    }
}

fn header() -> String {
    let columns: Vec<_> =
        TLS_VERSIONS.iter().flat_map(|tls| CIPHERS.map(|cipher| format!("{tls} {cipher}"))).collect();
    let line = "|---".repeat(columns.len() + 3);
    format!("| wrapping | transport | outer | {} |\n{line}|", columns.join(" | "))
}

fn number_ipv6(lab: &Lab) -> Result<()> {
    lab.server().run("ip", ["address", "add", "fd00:192::1/64", "dev", "wire", "nodad"])?;
    for (client, number) in lab.clients().iter().zip(11..) {
        client.run("ip", ["address", "add", &format!("fd00:192::{number}/64"), "dev", "wire", "nodad"])?;
    }
    Ok(())
}

/// Key files as stock OpenVPN makes them.
struct Keys(std::path::PathBuf);

impl Keys {
    fn make(lab: &Lab) -> Self {
        let keys = Self(lab.scratch().to_owned());
        keys.generate(&["secret", &keys.path("ta.key")]);
        keys.generate(&["tls-crypt-v2-server", &keys.path("v2-server.key")]);
        let [client, server] = ["v2-client.key", "v2-server.key"].map(|name| keys.path(name));
        keys.generate(&["tls-crypt-v2-client", &client, "--tls-crypt-v2", &server]);
        keys
    }

    fn generate(&self, arguments: &[&str]) {
        let status = Command::new("openvpn").arg("--genkey").args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "openvpn --genkey {arguments:?}");
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }

    fn options_of(&self, wrapping: &str) -> Vec<String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        match wrapping {
            "tls-auth" => texts(&["--tls-auth", &self.path("ta.key"), "1"]),
            "tls-crypt" => texts(&["--tls-crypt", &self.path("ta.key")]),
            "tls-crypt-v2" => texts(&["--tls-crypt-v2", &self.path("v2-client.key")]),
            _ => Vec::new(),
        }
    }
}
