//! Keys under a passphrase: where it comes from, how strongly it protects, and what never shows it.

use crate::support::{Place, openssl};

/// An authority whose key is encrypted with `sesame`.
fn encrypted(options: &[&str]) -> Place {
    let place = Place::new();
    place.postern(&["init-pki"]).succeeds();
    place.postern(&[options, &["--passout", "pass:sesame", "build-ca"]].concat()).succeeds();
    place
}

#[test]
fn pki_10_new_keys_are_encrypted_with_aes_256_and_many_rounds_or_scrypt() {
    for (options, expected) in [(&[][..], "0927C0"), (&["--kdf", "scrypt"], "scrypt")] {
        let place = encrypted(options);
        let key = place.file("pki/private/ca.key");
        let shown = openssl(&["asn1parse", "-in", key.to_str().unwrap()]);
        assert!(shown.contains("aes-256-cbc") && shown.contains(expected), "{shown}");
        openssl(&["pkey", "-in", key.to_str().unwrap(), "-passin", "pass:sesame", "-noout"]);
        place.postern(&["--passin", "pass:sesame", "build-client-full", "alice", "nopass"]).succeeds();
        place.postern(&["pki", "check"]).succeeds();
    }
}

#[test]
fn every_source_of_a_passphrase_works() {
    let place = encrypted(&[]);
    std::fs::create_dir(place.file("credentials")).unwrap();
    for file in ["passphrase", "credentials/ca"] {
        std::fs::write(place.file(file), "sesame\nsecond line\n").unwrap();
    }
    for (source, input) in
        [("file:passphrase", ""), ("env:SECRET", ""), ("credential:ca", ""), ("stdin", "sesame\n")]
    {
        let mut command = place.command("postern", &["--passin", source, "gen-crl", "--force"]);
        command.env("SECRET", "sesame").env("CREDENTIALS_DIRECTORY", place.file("credentials"));
        place.answer(&mut command, input).succeeds();
    }
    let mut command = std::process::Command::new("sh");
    let script = "exec 7<passphrase; exec \"$0\" --passin fd:7 gen-crl --force";
    command.current_dir(place.path()).args(["-c", script, env!("CARGO_BIN_EXE_postern")]);
    place.answer(&mut command, "").succeeds();
    place.postern(&["--passin", "credential:ca", "gen-crl"]).fails_with(1).says("systemd");
}

#[test]
fn key_05_a_wrong_passphrase_changes_nothing_and_shows_up_nowhere() {
    let place = encrypted(&[]);
    let before = place.snapshot("pki");
    for command in [&["gen-crl"][..], &["build-client-full", "alice", "nopass"]] {
        let answer = place.postern(&[&["--passin", "pass:open-barley"], command].concat()).fails_with(1);
        assert!(!answer.to_string().contains("barley"), "{answer}");
    }
    place.is_unchanged_since(&before);
}
