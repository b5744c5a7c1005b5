//! Every refusal: one clear error, its exit code, and nothing changed.

use crate::support::{Answer, Place};

/// Runs a command that must fail, and checks that it leaves the PKI alone.
fn refused(place: &Place, arguments: &[&str]) -> Answer {
    let before = place.file("pki").exists().then(|| place.snapshot("pki"));
    let answer = place.postern(arguments).fails_with(1);
    match before {
        Some(before) => place.is_unchanged_since(&before),
        None => assert!(!place.file("pki").exists()),
    }
    answer
}

#[test]
fn each_mistake_has_one_message() {
    let place = Place::new();
    let mut transcript = String::new();
    let mut record = |arguments: &[&str], answer: &Answer| {
        transcript.push_str(&format!("$ postern {}\n{answer}\n", arguments.join(" ")));
    };
    let mut expect = |arguments: &[&str]| record(arguments, &refused(&place, arguments));
    expect(&["build-ca", "nopass"]);
    place.postern(&["init-pki"]).succeeds();
    expect(&["init-pki"]);
    expect(&["build-client-full", "alice", "nopass"]);
    expect(&["gen-crl"]);
    expect(&["export", "--remote", "h"]);
    place.postern(&["--passout", "pass:sesame", "build-ca"]).succeeds();
    expect(&["build-ca", "nopass"]);
    expect(&["--passin", "pass:wrong", "build-client-full", "alice", "nopass"]);
    expect(&["--batch", "build-client-full", "alice", "nopass"]);
    expect(&["--passin", "file:missing", "gen-crl"]);
    expect(&["--passin", "pass:sesame", "--passout", "pass:abc", "build-client-full", "alice"]);
    place.postern(&["--passin", "pass:sesame", "build-client-full", "alice", "nopass"]).succeeds();
    expect(&["--passin", "pass:sesame", "build-client-full", "alice", "nopass"]);
    expect(&["revoke", "nobody"]);
    expect(&["revoke", "alice"]);
    expect(&["export", "nobody", "--remote", "h"]);
    expect(&["export", "alice", "--remote", "h <ca>"]);
    expect(&["export", "alice", "--remote", "h", "--port", "0"]);
    expect(&["export", "alice", "--remote", "h", "--proto", "sctp"]);
    insta::assert_snapshot!("mistakes", transcript);
}

#[test]
fn pki_01_hostile_names_are_refused_by_every_command() {
    let place = Place::with_authority();
    for name in [
        "../evil",
        "a/b",
        "..",
        ".hidden",
        "a\nb",
        "a\u{202e}b",
        "",
        " ",
        "a\\b",
        &"x".repeat(65),
        "/etc/passwd",
    ] {
        for command in ["build-client-full", "build-server-full", "revoke"] {
            let answer = refused(&place, &["--batch", command, "--", name]);
            assert!(answer.stderr.starts_with("error[name-"), "{name:?}: {answer}");
        }
        let answer = refused(&place, &["export", "--remote", "h", "--", name]);
        assert!(answer.stderr.starts_with("error[name-"), "{name:?}: {answer}");
    }
    refused(&place, &["build-client-full", "--", "-x", "nopass"]).says("name-leading-character");
}

#[test]
fn damaged_files_are_named() {
    for (file, command, code) in [
        ("pki/ca.crt", &["gen-crl"][..], "certificate-not-found-in-file"),
        ("pki/private/ca.key", &["gen-crl"], "key-not-found-in-file"),
        ("pki/issued/alice.crt", &["--batch", "revoke", "alice"], "certificate-not-found-in-file"),
        ("pki/private/alice.key", &["export", "alice", "--remote", "h"], "key-not-found-in-file"),
    ] {
        let place = Place::with_authority();
        place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
        std::fs::write(place.file(file), "scribble").unwrap();
        refused(&place, command).says(code).says(file);
    }
}

#[test]
fn a_key_readable_by_others_is_refused_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::with_authority();
    std::fs::set_permissions(place.file("pki/private/ca.key"), std::fs::Permissions::from_mode(0o644))
        .unwrap();
    refused(&place, &["gen-crl"]).says("key-file-exposed").says("chmod 600 'pki/private/ca.key'");
}

#[test]
fn words_on_the_command_line_are_checked() {
    let place = Place::with_authority();
    for arguments in [
        &["nonsense"][..],
        &["build-client-full"],
        &["build-client-full", "a", "nopasss"],
        &["build-client-full", "a", "nopass", "--days", "0"],
        &["gen-crl", "--days", "x"],
        &["export"],
        &["--passin", "hunter2", "gen-crl"],
    ] {
        let answer = place.postern(arguments).fails_with(2);
        assert!(!answer.stderr.is_empty() && answer.stdout.is_empty(), "{answer}");
    }
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    place.postern(&["--batch", "revoke", "alice", "bored"]).fails_with(2).says("reason-unknown");
}

#[test]
fn key_05_no_message_repeats_a_passphrase() {
    let place = Place::new();
    place.postern(&["init-pki"]).succeeds();
    place.postern(&["--passout", "pass:sesame open", "build-ca"]).succeeds();
    for arguments in [
        &["--passin", "pass:hunter2", "gen-crl"][..],
        &["--json", "--passin", "pass:hunter2", "gen-crl"],
        &["--passin", "pass:sesame open", "--passout", "pass:hu2", "build-client-full", "x"],
    ] {
        let answer = place.postern(arguments).fails_with(1);
        assert!(!answer.to_string().contains("hunter2") && !answer.to_string().contains("hu2"), "{answer}");
    }
    let answer = place.easyrsa(&["--passin=hunter2", "gen-crl"]).fails_with(1);
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
}

#[test]
fn pki_05_a_locked_pki_is_exit_code_17_after_the_timeout() {
    let place = Place::with_authority();
    let lock = std::fs::File::open(place.file("pki")).unwrap();
    lock.lock().unwrap();
    place.postern(&["--lock-timeout", "0", "gen-crl"]).fails_with(17).says("pki-locked");
    place.easyrsa(&["--batch", "--lock-timeout=0", "gen-crl"]).fails_with(17);
    lock.unlock().unwrap();
    std::fs::write(place.file("pki/lock.file"), format!("{}\n", std::process::id())).unwrap();
    place.postern(&["--lock-timeout", "0", "gen-crl"]).fails_with(17).says("lock.file");
    place.easyrsa(&["--batch", "--no-lockfile", "gen-crl"]).succeeds();
    std::fs::remove_file(place.file("pki/lock.file")).unwrap();
    place.postern(&["gen-crl"]).succeeds();
}
