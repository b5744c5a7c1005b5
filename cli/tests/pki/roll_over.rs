//! Rolling the authority over: nothing that was issued stops working, whoever looks at it.

use std::process::Command;

use crate::support::{Place, openssl};

/// Whether openssl accepts a client certificate against this file of CAs, lists and all.
fn openssl_accepts(place: &Place, authorities: &str, more: &[&str], leaf: &str) -> bool {
    let file = |name: &str| place.file(name).display().to_string();
    let mut command = Command::new("openssl");
    command
        .args(["verify", "-purpose", "sslclient", "-CAfile", &file(authorities)])
        .args(more)
        .arg(file(leaf));
    command.current_dir(place.path()).output().unwrap().status.success()
}

fn we_accept(place: &Place, authorities: &str, more: &[&str], leaf: &str) {
    let arguments = [&["verify-chain", "--ca", authorities, "--purpose", "client"], more, &[leaf]].concat();
    place.postern(&arguments).succeeds();
}

const WITH_LIST: [&str; 4] = ["-crl_check_all", "-CRLfile", "pki/crl.pem", "-x509_strict"];

#[test]
fn after_a_roll_over_with_a_new_key_old_and_new_certificates_work() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "before", "nopass"]).succeeds();
    place.postern(&["build-client-full", "gone", "nopass"]).succeeds();
    place.postern(&["gen-crl"]).succeeds();
    std::fs::copy(place.file("pki/ca.crt"), place.file("old-ca.crt")).unwrap();
    let old_key = place.read("pki/private/ca.key");
    place.postern(&["--batch", "ca", "roll-over", "nopass", "--curve", "secp384r1"]).succeeds();
    place.postern(&["build-client-full", "after", "nopass"]).succeeds();
    place.postern(&["--batch", "revoke", "gone"]).succeeds();
    place.postern(&["gen-crl"]).succeeds();
    for leaf in ["pki/issued/before.crt", "pki/issued/after.crt"] {
        assert!(openssl_accepts(&place, "pki/ca.crt", &WITH_LIST, leaf), "{leaf}");
        we_accept(&place, "pki/ca.crt", &["--crl", "pki/crl.pem"], leaf);
        we_accept(&place, "pki/ca.crt", &["--strict"], leaf);
    }
    let gone = std::fs::read_dir(place.file("pki/revoked/certs_by_serial")).unwrap().next().unwrap().unwrap();
    let gone = format!("pki/revoked/certs_by_serial/{}", gone.file_name().into_string().unwrap());
    assert!(!openssl_accepts(&place, "pki/ca.crt", &WITH_LIST, &gone));
    place
        .postern(&["verify-chain", "--ca", "pki/ca.crt", "--crl", "pki/crl.pem", &gone])
        .fails_with(1)
        .says("revoked");
    // Whoever knows only the old root needs the cross certificate.
    assert!(!openssl_accepts(&place, "old-ca.crt", &[], "pki/issued/after.crt"));
    assert!(openssl_accepts(
        &place,
        "old-ca.crt",
        &["-untrusted", "pki/ca-cross.crt"],
        "pki/issued/after.crt"
    ));
    we_accept(&place, "old-ca.crt", &["--intermediates", "pki/ca-cross.crt"], "pki/issued/after.crt");
    let kept = std::fs::read_dir(place.file("pki/ca-history")).unwrap();
    assert!(
        kept.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).any(|text| text == old_key)
    );
    place.postern(&["pki", "check"]).succeeds().says("0 findings");
    place.postern(&["export", "after", "--remote", "h"]).succeeds();
    let profile = place.postern(&["export", "before", "--remote", "h"]).succeeds().stdout;
    let trusted = profile.split("<ca>").nth(1).unwrap().split("</ca>").next().unwrap();
    assert_eq!(trusted.matches("BEGIN CERTIFICATE").count(), 2, "a profile trusts both keys");
}

#[test]
fn status_says_what_still_depends_on_the_old_key() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    place.postern(&["--batch", "ca", "roll-over", "nopass"]).succeeds();
    place.postern(&["build-client-full", "bob", "nopass"]).succeeds();
    let status = place.json(&["ca", "status"]);
    assert_eq!(status["generations"][0]["dependents"][0], "bob");
    assert_eq!(status["generations"][1]["dependents"][0], "alice");
    place.postern(&["ca", "status"]).succeeds().says("Still in use by: alice");
    let old = place.json(&["show", "alice"])["serial"].as_str().unwrap().to_owned();
    place.postern(&["--batch", "renew", "alice"]).succeeds();
    place.postern(&["--batch", "revoke", &old]).succeeds();
    place.postern(&["ca", "status"]).succeeds().says("Nothing depends on it");
}

#[test]
fn with_the_same_key_everything_goes_on_without_a_cross_certificate() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "before", "nopass"]).succeeds();
    place.postern(&["--batch", "ca", "roll-over", "--same-key", "--days", "7000"]).succeeds();
    place.postern(&["build-client-full", "after", "nopass"]).succeeds();
    place.postern(&["gen-crl"]).succeeds();
    for leaf in ["pki/issued/before.crt", "pki/issued/after.crt"] {
        assert!(openssl_accepts(&place, "pki/ca.crt", &WITH_LIST, leaf), "{leaf}");
    }
    assert!(!place.file("pki/ca-cross.crt").exists());
    let end = openssl(&["x509", "-noout", "-enddate", "-in", place.file("pki/ca.crt").to_str().unwrap()]);
    assert!(end.contains("2046") || end.contains("2045"), "{end}");
}

#[test]
fn authorities_of_easy_rsa_roll_over_with_their_certificates() {
    for (name, passphrase, leaf) in [
        ("rsa", "capass", "client1"),
        ("ec", "", "both1"),
        ("ed25519", "", "client1"),
        ("v310-ec", "", "client1"),
    ] {
        let place = Place::with_golden(name);
        let passphrase = format!("pass:{passphrase}");
        let arguments = ["--batch", "--passin", &passphrase, "ca", "roll-over", "nopass", "--days", "20000"];
        place.postern(&arguments).succeeds();
        place.postern(&["gen-crl", "--days", "9000"]).succeeds();
        let leaf = format!("pki/issued/{leaf}.crt");
        assert!(openssl_accepts(&place, "pki/ca.crt", &WITH_LIST[..3], &leaf), "{name}");
        we_accept(&place, "pki/ca.crt", &["--crl", "pki/crl.pem"], &leaf);
    }
}
