//! A stock OpenVPN client connects with what it was handed, whatever it prefers to speak.
//!
//! These scenarios also run against a stock server (`INTEROP_SERVER=openvpn`).

use std::fs;
use std::time::Duration;

use test_support::lab::TARGET;
use test_support::stock::program::Program;
use test_support::traffic::ping;
use test_support::{Implementation, KeyKind, Lab, Pki, Result, ServerPlan, StockClient, Vpn, postern};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

/// Connects one client with `options` to a server with default settings and lets it reach the target; the client
/// must have said `expected`.
fn connects(options: &[&str], expected: &str) -> Result<()> {
    let lab = Lab::new(1)?;
    let vpn = Vpn::start(&lab, &Implementation::under_test(POSTERN)?, &["alice"], ServerPlan::default())?;
    let client = vpn.connect(lab.client(1), "alice", options)?;
    client.log().wait_for(expected, LIMIT)?;
    ping::require(lab.client(1), TARGET, LIMIT)
}

/// Connects one client with a certificate from the PKI that `found` makes, and lets it reach the target.
fn connects_with_a_pki(found: impl FnOnce(&Lab) -> Result<Pki>) -> Result<()> {
    let lab = Lab::new(1)?;
    let implementation = Implementation::under_test(POSTERN)?;
    let vpn = Vpn::start_with_pki(&lab, &implementation, found(&lab)?, &["alice"], ServerPlan::default())?;
    let _client = vpn.connect(lab.client(1), "alice", &[])?;
    ping::require(lab.client(1), TARGET, LIMIT)
}

fn by_postern(lab: &Lab, keys: KeyKind) -> Result<Pki> {
    Pki::by_postern(lab.scratch().join("pki"), POSTERN.as_ref(), keys)
}

fn by_easy_rsa(lab: &Lab, keys: KeyKind) -> Result<Pki> {
    Pki::by_easy_rsa(lab.scratch().join("pki"), keys)
}

#[test]
fn with_tls_1_3() {
    connects(&["--tls-version-min", "1.3"], "Control Channel: TLSv1.3").unwrap();
}

#[test]
fn with_tls_1_2() {
    connects(&["--tls-version-max", "1.2"], "Control Channel: TLSv1.2").unwrap();
}

#[test]
fn with_aes_256_gcm() {
    connects(&["--data-ciphers", "AES-256-GCM"], "Data Channel: cipher 'AES-256-GCM'").unwrap();
}

#[test]
fn with_aes_128_gcm() {
    connects(&["--data-ciphers", "AES-128-GCM"], "Data Channel: cipher 'AES-128-GCM'").unwrap();
}

#[test]
fn with_chacha20_poly1305() {
    connects(&["--data-ciphers", "CHACHA20-POLY1305"], "Data Channel: cipher 'CHACHA20-POLY1305'").unwrap();
}

#[test]
fn with_data_keys_from_the_tls_exporter() {
    connects(&[], "tls-ekm").unwrap();
}

#[test]
fn with_data_keys_from_the_old_prf_under_either_tls_version() {
    let lab = Lab::new(2).unwrap();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let vpn = Vpn::start(&lab, &implementation, &["old", "older"], ServerPlan::default()).unwrap();
    let program = Program::with_the_abilities_of_2_4(lab.scratch()).unwrap();
    for (host, name, newest) in [(lab.client(1), "old", "1.3"), (lab.client(2), "older", "1.2")] {
        let profile = vpn.profile(name).unwrap();
        let options = ["--tls-version-max", newest];
        let client = StockClient::start_program(&program, host, &profile, &options).unwrap();
        client.wait_connected().unwrap();
        assert!(client.pushed_options().unwrap().iter().all(|option| !option.contains("tls-ekm")));
        ping::require(host, TARGET, LIMIT).unwrap();
    }
}

#[test]
fn with_a_pki_of_rsa_2048_by_postern() {
    connects_with_a_pki(|lab| by_postern(lab, KeyKind::Rsa2048)).unwrap();
}

#[test]
fn with_a_pki_of_p256_by_postern() {
    connects_with_a_pki(|lab| by_postern(lab, KeyKind::P256)).unwrap();
}

#[test]
fn with_a_pki_of_p384_by_postern() {
    connects_with_a_pki(|lab| by_postern(lab, KeyKind::P384)).unwrap();
}

#[test]
fn with_a_pki_of_ed25519_by_postern() {
    connects_with_a_pki(|lab| by_postern(lab, KeyKind::Ed25519)).unwrap();
}

#[test]
fn with_a_pki_of_rsa_2048_by_easy_rsa() {
    connects_with_a_pki(|lab| by_easy_rsa(lab, KeyKind::Rsa2048)).unwrap();
}

#[test]
fn with_a_pki_of_p256_by_easy_rsa() {
    connects_with_a_pki(|lab| by_easy_rsa(lab, KeyKind::P256)).unwrap();
}

#[test]
fn with_a_pki_of_p384_by_easy_rsa() {
    connects_with_a_pki(|lab| by_easy_rsa(lab, KeyKind::P384)).unwrap();
}

#[test]
fn with_a_pki_of_ed25519_by_easy_rsa() {
    connects_with_a_pki(|lab| by_easy_rsa(lab, KeyKind::Ed25519)).unwrap();
}

#[test]
fn with_a_profile_to_which_certificate_and_key_were_appended() {
    let lab = Lab::new(1).unwrap();
    let postern = Implementation::Postern(POSTERN.into());
    let vpn = Vpn::start(&lab, &postern, &["alice"], ServerPlan::default()).unwrap();
    let pki = vpn.pki();
    let base = postern::export_for_anybody(POSTERN.as_ref(), pki).unwrap();
    assert!(!base.contains("<cert>") && !base.contains("<key>") && base.ends_with('\n'), "{base}");

    // What `(echo '<cert>'; cat alice.crt; echo '</cert>') >> alice.ovpn` makes of it, and likewise the key.
    let certificate = fs::read_to_string(pki.certificate("alice")).unwrap();
    let key = fs::read_to_string(pki.private_key("alice")).unwrap();
    let profile = format!("{base}<cert>\n{certificate}</cert>\n<key>\n{key}</key>\n");
    let _client = StockClient::connect(lab.client(1), &profile, &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn twenty_at_once_each_with_an_address_of_its_own() {
    const CLIENTS: u8 = 20;
    let lab = Lab::new(CLIENTS).unwrap();
    let names: Vec<String> = (1..=CLIENTS).map(|number| format!("client{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let vpn = Vpn::start(&lab, &implementation, &names, ServerPlan::default()).unwrap();
    let profiles: Vec<String> = names.iter().map(|name| vpn.profile(name).unwrap()).collect();

    let started = lab.clients().iter().zip(&profiles);
    let clients: Vec<_> =
        started.map(|(host, profile)| StockClient::start(host, profile, &[]).unwrap()).collect();
    let mut addresses = Vec::new();
    for client in &clients {
        client.wait_connected().unwrap();
        ping::require(client.host(), TARGET, LIMIT).unwrap();
        addresses.push(client.tunnel_address().unwrap());
    }
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), usize::from(CLIENTS));
}

#[test]
fn two_servers_at_once_do_not_meet() {
    let implementation = Implementation::under_test(POSTERN).unwrap();
    let labs = [Lab::new(1).unwrap(), Lab::new(1).unwrap()];
    let plan = ServerPlan::default();
    let vpns = labs.each_ref().map(|lab| Vpn::start(lab, &implementation, &["alice"], plan.clone()).unwrap());
    let both = labs.iter().zip(&vpns);
    let clients: Vec<_> = both.map(|(lab, vpn)| vpn.connect(lab.client(1), "alice", &[]).unwrap()).collect();
    for client in &clients {
        ping::require(client.host(), TARGET, LIMIT).unwrap();
    }
}
