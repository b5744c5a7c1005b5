//! A server is described by a file or by options, and a running one is changed by editing the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use test_support::lab::{ANNEX, LAN, SERVER, TARGET, TARGET_IN_ANNEX};
use test_support::postern;
use test_support::process::Signal;
use test_support::traffic::ping;
use test_support::{Context, KeyKind, Lab, Pki, Result, Server, ServerPlan, StockClient};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Ten pings long.
const SILENCE: Duration = Duration::from_secs(1);

/// A PKI with a server and with Alice.
fn pki(lab: &Lab) -> Result<Pki> {
    let pki = Pki::by_postern(lab.scratch().join("pki"), POSTERN.as_ref(), KeyKind::P256)?;
    pki.build_server("server")?;
    pki.build_client("alice")?;
    Ok(pki)
}

fn connect_alice<'lab>(lab: &'lab Lab, pki: &Pki) -> Result<StockClient<'lab>> {
    let profile = postern::export(POSTERN.as_ref(), pki, "alice", 1194)?;
    StockClient::connect(lab.client(1), &profile, &[])
}

/// A configuration file with access to `authorized`, for the server of `lab`.
fn configuration_file(lab: &Lab, pki: &Pki, authorized: &str) -> Result<PathBuf> {
    let file = lab.scratch().join("postern.toml");
    let text = format!(
        "pki = '{}'\nserver-name = 'server'\nlisten = 'udp:{SERVER}:1194'\ntun = 'vpn0'\n\
         client-cidr = '10.8.0.0/24'\nroute = ['{LAN}', '{ANNEX}']\nauthorize = ['{authorized}']\n\
         split-tunnel = true\n         state-dir = '{}'\n",
        pki.directory().display(),
        lab.scratch().join("state").display(),
    );
    fs::write(&file, text).context("writing a configuration file")?;
    Ok(file)
}

fn serve_file(lab: &Lab, file: &Path) -> Result<Server> {
    let mut command = lab.server().command(POSTERN);
    command.args(["serve", "--config"]).arg(file);
    Server::start_command("postern", lab.server(), command, &ServerPlan::default())
}

#[test]
fn a_configuration_file_does_what_options_do_and_is_read_again_on_sighup() {
    let lab = Lab::new(1).unwrap();
    let pki = pki(&lab).unwrap();
    let file = configuration_file(&lab, &pki, LAN).unwrap();
    let mut server = serve_file(&lab, &file).unwrap();
    let _alice = connect_alice(&lab, &pki).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert!(!ping::reaches(lab.client(1), TARGET_IN_ANNEX, SILENCE).unwrap());

    configuration_file(&lab, &pki, ANNEX).unwrap();
    server.process().signal(Signal::HUP).unwrap();
    ping::require(lab.client(1), TARGET_IN_ANNEX, LIMIT).unwrap();
    assert!(!ping::reaches(lab.client(1), TARGET, SILENCE).unwrap());
}

#[test]
fn a_broken_configuration_file_changes_nothing_on_sighup() {
    let lab = Lab::new(1).unwrap();
    let pki = pki(&lab).unwrap();
    let file = configuration_file(&lab, &pki, LAN).unwrap();
    let mut server = serve_file(&lab, &file).unwrap();
    let _alice = connect_alice(&lab, &pki).unwrap();

    fs::write(&file, "authorise = ['0.0.0.0/0']\n").unwrap();
    let mark = server.log().mark();
    server.process().signal(Signal::HUP).unwrap();
    server.log().wait_for_since(mark, "authorise", LIMIT).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn an_unknown_key_of_a_configuration_file_is_named_with_the_one_that_was_meant() {
    let lab = Lab::new(0).unwrap();
    let file = lab.scratch().join("postern.toml");
    fs::write(&file, "authorise = ['0.0.0.0/0']\n").unwrap();
    let refused = lab.server().finish(POSTERN, ["serve", "--config", &file.to_string_lossy()]).unwrap();
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("error[config-key-unknown]"), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean 'authorize'?"), "{}", refused.stderr);
}

#[test]
fn single_files_do_instead_of_a_pki_directory_and_their_list_revokes() {
    let lab = Lab::new(1).unwrap();
    let pki = pki(&lab).unwrap();
    pki.gen_crl().unwrap();
    let mut command = lab.server().command(POSTERN);
    command.arg("serve").arg("--ca").arg(pki.ca_certificate()).arg("--crl").arg(pki.crl());
    command.arg("--cert").arg(pki.certificate("server")).arg("--key").arg(pki.private_key("server"));
    command.args(["--listen", "udp:192.0.2.1:1194", "--tun", "vpn0", "--client-cidr", "10.8.0.0/24"]);
    command
        .args(["--split-tunnel", "--route", LAN, "--authorize", LAN, "--state-dir"])
        .arg(lab.scratch().join("state"));
    let _server = Server::start_command("postern", lab.server(), command, &ServerPlan::default()).unwrap();
    let mut alice = connect_alice(&lab, &pki).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    pki.revoke("alice").unwrap();
    pki.gen_crl().unwrap();
    alice.wait_refused("AUTH_FAILED", LIMIT).unwrap();
}
