//! The ordinary way of `postern`, from nothing to a revoked client.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Place, openssl};

#[test]
fn h1_a_pki_from_nothing_to_a_revoked_client() {
    let place = Place::new();
    let steps: [&[&str]; 9] = [
        &["init-pki"],
        &["build-ca", "nopass"],
        &["build-server-full", "server", "nopass"],
        &["build-client-full", "client1.domain.tld", "nopass"],
        &["build-client-full", "alice@company.com", "nopass"],
        &["export", "alice@company.com", "--remote", "vpn.example.net", "-o", "alice.ovpn"],
        &["--batch", "revoke", "alice@company.com", "keyCompromise"],
        &["gen-crl"],
        &["gen-crl", "--days", "365"],
    ];
    let mut transcript = String::new();
    for step in steps {
        let answer = place.postern(step).succeeds();
        transcript.push_str(&format!("$ postern {}\n{answer}\n", step.join(" ")));
    }
    insta::assert_snapshot!("from_nothing", transcript);
    let chain = openssl(&[
        "verify",
        "-x509_strict",
        "-CAfile",
        place.file("pki/ca.crt").to_str().unwrap(),
        place.file("pki/issued/server.crt").to_str().unwrap(),
        place.file("pki/issued/client1.domain.tld.crt").to_str().unwrap(),
    ]);
    assert_eq!(chain.matches(": OK").count(), 2);
}

#[test]
fn every_answer_is_also_one_line_of_json() {
    let place = Place::new();
    let steps: [&[&str]; 6] = [
        &["--json", "init-pki"],
        &["--json", "build-ca", "nopass"],
        &["--json", "build-client-full", "alice", "nopass"],
        &["--json", "export", "alice", "--remote", "192.0.2.1", "--proto", "tcp", "--port", "443"],
        &["--json", "--batch", "revoke", "alice", "superseded"],
        &["--json", "gen-crl"],
    ];
    for (step, keys) in steps.into_iter().zip([
        &["directory"][..],
        &["certificate", "key", "key_is_new", "not_after", "serial"],
        &["certificate", "key", "name", "not_after", "not_before", "request", "serial", "subject"],
        &["profile"],
        &["certificate", "name", "reason", "revoked_at", "serial", "subject"],
        &["entries", "file", "next_update", "number"],
    ]) {
        let answer = place.postern(step).succeeds();
        assert_eq!(answer.stdout.lines().count(), 1, "{answer}");
        let value: Value = serde_json::from_str(&answer.stdout).unwrap();
        let found: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(found, keys, "{step:?}");
    }
    let error = place.postern(&["--json", "build-client-full", "../evil", "nopass"]).fails_with(1);
    let value: Value = serde_json::from_str(&error.stderr).unwrap();
    assert_eq!(value["error"]["code"], "name-separator");
    assert_eq!(value["error"]["kind"], "user");
}

#[test]
fn the_directory_comes_from_the_option_or_a_variable() {
    let place = Place::new();
    place.postern(&["--pki-dir", "by-option", "init-pki"]).succeeds();
    let mut by_variable = place.command("postern", &["init-pki"]);
    place.answer(by_variable.env("POSTERN_PKI", "by-postern").env("EASYRSA_PKI", "ignored"), "").succeeds();
    let mut by_easyrsa = place.command("postern", &["init-pki"]);
    place.answer(by_easyrsa.env("EASYRSA_PKI", "by-easyrsa"), "").succeeds();
    for directory in ["by-option", "by-postern", "by-easyrsa"] {
        assert!(place.file(directory).join("private").is_dir(), "{directory}");
    }
    assert!(!place.file("ignored").exists());
}

#[test]
fn keys_are_of_the_kind_that_is_asked_for() {
    let place = Place::with_authority();
    for (arguments, expected) in [
        (&[][..], "prime256v1"),
        (&["--algo", "ed"], "ED25519"),
        (&["--curve", "secp521r1"], "secp521r1"),
        (&["--algo", "rsa", "--keysize", "3072"], "3072 bit"),
    ] {
        let name = expected.replace(' ', "-");
        place.postern(&[&["build-client-full", name.as_str(), "nopass"], arguments].concat()).succeeds();
        let key = place.file(&format!("pki/private/{name}.key"));
        let shown = openssl(&["pkey", "-noout", "-text", "-in", key.to_str().unwrap()]);
        assert!(shown.contains(expected), "{shown}");
    }
    place
        .postern(&["build-client-full", "x", "nopass", "--curve", "ed448"])
        .fails_with(2)
        .says("curve-unknown");
    place
        .postern(&["build-client-full", "x", "nopass", "--algo", "rsa", "--curve", "secp384r1"])
        .fails_with(2);
    place
        .postern(&["build-client-full", "x", "nopass", "--algo", "rsa", "--keysize", "1024"])
        .fails_with(1)
        .says("key-size-unsupported");
}

#[test]
fn h1_2b_passphrases_come_from_every_source() {
    let place = Place::new();
    place.postern(&["init-pki"]).succeeds();
    std::fs::write(place.file("pass"), "from file\nsecond line\n").unwrap();
    place.postern(&["--passout", "file:pass", "build-ca"]).succeeds();
    place.postern(&["--passin", "file:pass", "gen-crl"]).succeeds();
    place.postern(&["--passin", "pass:from file", "build-client-full", "a", "nopass"]).succeeds();
    let mut by_variable =
        place.command("postern", &["--passin", "env:CA_PASS", "build-client-full", "b", "nopass"]);
    place.answer(by_variable.env("CA_PASS", "from file"), "").succeeds();
    let mut by_stdin = place.command("postern", &["--passin", "stdin", "build-client-full", "c", "nopass"]);
    place.answer(&mut by_stdin, "from file\n").succeeds();
    let mut by_descriptor =
        place.command("postern", &["--passin", "fd:0", "build-client-full", "d", "nopass"]);
    place.answer(&mut by_descriptor, "from file\n").succeeds();
    let mut by_answer = place.command("postern", &["build-client-full", "e", "nopass"]);
    place.answer(&mut by_answer, "from file\n").succeeds();
    let mut twice = place.command("postern", &["--passin", "file:pass", "build-client-full", "f"]);
    place.answer(&mut twice, "abc\nlonger\nlonger\n").succeeds().says("at least 4 characters");
    assert!(place.read("pki/private/f.key").contains("ENCRYPTED"));
    place
        .postern(&[
            "--passin",
            "file:pass",
            "--passout",
            "pass:beats nopass",
            "build-client-full",
            "g",
            "nopass",
        ])
        .succeeds();
    assert!(place.read("pki/private/g.key").contains("ENCRYPTED"));
}

#[test]
fn cfg_04_an_exported_file_is_for_its_owner_only_and_never_overwrites() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    let mut command = std::process::Command::new("sh");
    command
        .current_dir(place.path())
        .args(["-c", "umask 000; exec \"$0\" export alice --remote h -o a.ovpn"]);
    place.answer(command.arg(env!("CARGO_BIN_EXE_postern")), "").succeeds();
    let mode = std::fs::metadata(place.file("a.ovpn")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    place.postern(&["export", "alice", "--remote", "h", "-o", "a.ovpn"]).fails_with(1).says("file-exists");
}

#[test]
fn h7_3_a_profile_without_key_can_be_completed_by_appending() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    let complete = place.postern(&["export", "alice", "--remote", "vpn.example.net"]).succeeds().stdout;
    for arguments in [
        &["export", "--remote", "vpn.example.net"][..],
        &["export", "alice", "--without-key", "--remote", "vpn.example.net"],
    ] {
        let base = place.postern(arguments).succeeds().stdout;
        assert!(base.ends_with("</ca>\n"));
        let (certificate, key) = (place.read("pki/issued/alice.crt"), place.read("pki/private/alice.key"));
        assert_eq!(format!("{base}<cert>\n{certificate}</cert>\n<key>\n{key}</key>\n"), complete);
    }
}

#[test]
fn an_encrypted_key_stays_encrypted_in_a_profile_unless_asked_otherwise() {
    let place = Place::with_authority();
    place.postern(&["--passout", "pass:sesame", "build-client-full", "alice"]).succeeds();
    let kept = place.postern(&["export", "alice", "--remote", "h"]).succeeds().stdout;
    assert!(kept.contains("BEGIN ENCRYPTED PRIVATE KEY"));
    let opened =
        place.postern(&["--passin", "pass:sesame", "export", "alice", "--remote", "h", "--decrypt-key"]);
    assert!(opened.succeeds().stdout.contains("BEGIN PRIVATE KEY"));
    place
        .postern(&["--passin", "pass:wrong", "export", "alice", "--remote", "h", "--decrypt-key"])
        .fails_with(1)
        .says("wrong-passphrase");
}
