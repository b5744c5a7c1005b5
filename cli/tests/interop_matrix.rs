//! Every combination of wrapping, transport, address family, TLS version and cipher, with the distribution's client and
//! one server that takes all of them side by side.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use test_support::command::{finish, tool};
use test_support::lab::TARGET;
use test_support::stock::client::CONNECTED;
use test_support::traffic::ping;
use test_support::{Context, Host, Implementation, Lab, Result, ServerPlan, StockClient, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(30);

const WRAPPINGS: [&str; 4] = ["plain", "tls-auth", "tls-crypt", "tls-crypt-v2"];
const TRANSPORTS: [&str; 2] = ["udp", "tcp"];
const FAMILIES: [(&str, &str); 2] = [("IPv4", "192.0.2.1"), ("IPv6", "fd00:192::1")];
const TLS_VERSIONS: [&str; 2] = ["1.2", "1.3"];
const CIPHERS: [&str; 3] = ["AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305"];

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
    println!("server postern {}, client {}", env!("CARGO_PKG_VERSION"), version_of_the_client());
    println!("milliseconds from the start of the client to its tunnel:\n{}", header());
    let tables: Vec<Result<Vec<String>>> = thread::scope(|scope| {
        let columns: Vec<_> = WRAPPINGS
            .into_iter()
            .zip(lab.clients())
            .map(|(wrapping, host)| {
                let (vpn, options) = (&vpn, keys.options_of(wrapping));
                scope.spawn(move || rows_of(vpn, host, wrapping, &options))
            })
            .collect();
        columns.into_iter().map(|column| column.join().unwrap()).collect()
    });
    for table in tables {
        table.unwrap().iter().for_each(|row| println!("{row}"));
    }
}

/// The rows of one wrapping; its clients come one after the other.
fn rows_of(vpn: &Vpn<'_>, host: &Host, wrapping: &str, options: &[String]) -> Result<Vec<String>> {
    let profile = vpn.profile(wrapping)?;
    let mut rows = Vec::new();
    for transport in TRANSPORTS {
        for (family, remote) in FAMILIES {
            let mut row = format!("| {wrapping} | {transport} | {family} |");
            for tls in TLS_VERSIONS {
                for cipher in CIPHERS {
                    let cell = Cell { transport, family, remote, tls, cipher };
                    let took = cell.try_with(host, &profile, options);
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
    fn try_with(&self, host: &Host, profile: &str, options: &[String]) -> Result<Duration> {
        let profile = profile
            .replace("proto udp", &format!("proto {}", self.transport))
            .replace("192.0.2.1 ", &format!("{} ", self.remote));
        let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
        options.extend(["--tls-version-max", self.tls, "--data-ciphers", self.cipher]);
        let began = Instant::now();
        let mut client = StockClient::start(host, &profile, &options)?;
        let connected = client.log().wait_for(CONNECTED, LIMIT)?;
        for expected in [
            format!("Control Channel: TLSv{}", self.tls),
            format!("Data Channel: cipher '{}'", self.cipher),
            self.remote_in_the_log(),
        ] {
            client.log().wait_for(&expected, LIMIT)?;
        }
        ping::require(host, TARGET, LIMIT)?;
        client.stop()?;
        Ok(connected.at.saturating_duration_since(began))
    }

    fn remote_in_the_log(&self) -> String {
        let protocol = if self.transport == "udp" { "UDP" } else { "TCP" };
        let (version, family) = if self.family == "IPv4" { ("v4", "AF_INET") } else { ("v6", "AF_INET6") };
        let role = if self.transport == "udp" { "" } else { "_CLIENT" };
        format!("{protocol}{version}{role} link remote: [{family}]{}:1194", self.remote)
    }
}

fn version_of_the_client() -> String {
    let mut command = tool("openvpn");
    command.arg("--version");
    let said = finish(command).unwrap().stdout;
    said.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
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
