//! `pki check` and its repairs, `pki audit`, and taking over every PKI of the real easy-rsa.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Place, openssl};

const GOLDEN: [(&str, &str); 5] =
    [("rsa", "capass"), ("ec", ""), ("ec-subca", ""), ("ed25519", ""), ("v310-ec", "")];

/// Codes of the findings.
fn findings(place: &Place) -> Vec<String> {
    let output = place.command("postern", &["--json", "pki", "check"]).output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = value["findings"].as_array().unwrap();
    found.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

fn repaired(place: &Place) {
    place.postern(&["pki", "check", "--repair"]).succeeds();
    assert_eq!(findings(place), Vec::<String>::new());
}

fn with_clients(names: &[&str]) -> Place {
    let place = Place::with_authority();
    for name in names {
        place.postern(&["build-client-full", name, "nopass"]).succeeds();
    }
    place.postern(&["gen-crl"]).succeeds();
    place
}

#[test]
fn a_pki_of_ours_has_nothing_to_complain_about() {
    let place = with_clients(&["alice", "bob"]);
    place.postern(&["--batch", "revoke", "bob"]).succeeds();
    assert_eq!(findings(&place), ["crl-incomplete"]);
    place.postern(&["gen-crl"]).succeeds();
    place.postern(&["--batch", "renew", "alice"]).succeeds();
    assert_eq!(findings(&place), Vec::<String>::new());
    place.postern(&["pki", "check"]).succeeds().says("3 certificates, 0 findings");
}

#[test]
fn every_pki_of_easy_rsa_is_taken_over_in_place() {
    for (name, passphrase) in GOLDEN {
        let place = Place::with_golden(name);
        let before = place.snapshot("pki");
        let found = findings(&place);
        let serious = found.iter().filter(|code| {
            !["crl-mode", "copy-missing", "key-encryption-weak", "index-attributes-missing"]
                .contains(&code.as_str())
        });
        assert_eq!(serious.count(), 0, "{name}: {found:?}");
        place.is_unchanged_since(&before);
        let passphrase = format!("pass:{passphrase}");
        let work = |arguments: &[&str]| {
            place.postern(&[&["--batch", "--passin", &passphrase], arguments].concat()).succeeds();
        };
        work(&["build-client-full", "fresh", "nopass"]);
        work(&["renew", "fresh"]);
        work(&["gen-crl", "--days", "9000"]);
        let shown = place.json(&["list", "fresh"]);
        let serial = shown["certificates"][0]["serial"].as_str().unwrap();
        work(&["revoke", serial, "superseded"]);
        work(&["gen-crl", "--days", "9000"]);
        let list = openssl(&["crl", "-noout", "-text", "-in", place.file("pki/crl.pem").to_str().unwrap()]);
        assert!(list.contains(serial), "{name}: {list}");
        assert!(!findings(&place).contains(&"crl-incomplete".to_owned()), "{name}");
    }
}

#[test]
fn a_directory_of_easy_rsa_2_opens_once_its_files_are_where_3_has_them() {
    let place = with_clients(&["alice"]);
    std::fs::remove_dir_all(place.file("pki/revoked")).unwrap();
    std::fs::remove_file(place.file("pki/index.txt.attr")).unwrap();
    assert_eq!(findings(&place), ["index-attributes-missing"]);
    repaired(&place);
    place.postern(&["--batch", "revoke", "alice"]).succeeds();
}

#[test]
fn every_discrepancy_is_named_and_repaired_where_nothing_can_be_lost() {
    let place = with_clients(&["alice", "bob", "carol"]);
    let serial = place.json(&["show", "alice"])["serial"].as_str().unwrap().to_owned();
    std::fs::remove_file(place.file(&format!("pki/certs_by_serial/{serial}.pem"))).unwrap();
    std::fs::write(place.file("pki/serial"), "nonsense\n").unwrap();
    std::fs::write(place.file("pki/private/.x.key.postern-new"), "half").unwrap();
    std::fs::create_dir(place.file("pki/1a2b3c4d")).unwrap();
    std::fs::write(place.file("pki/1a2b3c4d/temp.01"), "a key").unwrap();
    for (file, mode) in [
        ("private/bob.key", 0o644),
        ("private/.x.key.postern-new", 0o600),
        ("private", 0o755),
        ("crl.pem", 0o600),
    ] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.file(&format!("pki/{file}")), permissions).unwrap();
    }
    let index = place.read("pki/index.txt");
    let without_carol: String = index.split_inclusive('\n').filter(|row| !row.contains("carol")).collect();
    std::fs::write(place.file("pki/index.txt"), without_carol).unwrap();
    let mut found = findings(&place);
    found.sort();
    assert_eq!(
        found,
        [
            "copy-missing",
            "crl-mode",
            "directory-exposed",
            "key-file-exposed",
            "leftover-directory",
            "leftover-file",
            "row-missing",
            "serial-file",
        ]
    );
    repaired(&place);
    let rows = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(rows(&place.read("pki/index.txt")), rows(&index));
    place.postern(&["--batch", "revoke", "carol"]).succeeds();
}

#[test]
fn a_revocation_that_stopped_half_way_is_finished() {
    let place = with_clients(&["alice"]);
    let index = place.read("pki/index.txt");
    let revoked = index.replacen('V', "R", 1).replacen("\t\t", "\t261120074219Z\t", 1);
    std::fs::write(place.file("pki/index.txt"), revoked).unwrap();
    assert_eq!(findings(&place), ["revoked-in-issued", "crl-incomplete"]);
    place.postern(&["pki", "check", "--repair"]).fails_with(1).says("crl-incomplete");
    assert!(!place.file("pki/issued/alice.crt").exists());
    assert!(!place.file("pki/private/alice.key").exists());
    place.postern(&["gen-crl"]).succeeds();
    assert_eq!(findings(&place), Vec::<String>::new());
}

#[test]
fn what_people_must_decide_is_named_and_left_alone() {
    let place = with_clients(&["alice", "bob"]);
    std::fs::copy(place.file("pki/private/alice.key"), place.file("pki/private/bob.key")).unwrap();
    let index = place.read("pki/index.txt");
    let first = index.lines().next().unwrap();
    std::fs::write(place.file("pki/index.txt"), format!("{index}{first}\nV\tnonsense\n")).unwrap();
    let before = place.snapshot("pki/private");
    let answer = place.postern(&["pki", "check", "--repair"]).fails_with(1);
    for code in ["key-mismatch", "serial-twice", "row-unreadable"] {
        assert!(answer.stdout.contains(code), "{code}: {answer}");
    }
    assert_eq!(place.snapshot("pki/private"), before);
}

#[test]
fn pki_10_weakly_encrypted_keys_are_named() {
    let place = with_clients(&["alice"]);
    for (name, option) in [("des", "-des3"), ("few", "-aes256")] {
        let (key, target) =
            (place.file("pki/private/alice.key"), place.file(&format!("pki/private/{name}.key")));
        openssl(&[
            "pkey",
            "-in",
            key.to_str().unwrap(),
            option,
            "-passout",
            "pass:secret",
            "-out",
            target.to_str().unwrap(),
        ]);
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let answer = place.postern(&["pki", "check"]).fails_with(1);
    assert!(answer.stdout.contains("private/des.key: its encryption is weak: triple DES"), "{answer}");
    assert!(
        answer.stdout.contains("private/few.key: its encryption is weak: only 2048 key derivation rounds"),
        "{answer}"
    );
}

#[test]
fn pki_13_everything_that_is_signed_or_revoked_stands_in_an_unbroken_log() {
    let place = with_clients(&["alice", "bob"]);
    place.postern(&["--batch", "renew", "alice"]).succeeds();
    place.postern(&["--batch", "revoke", "bob", "keyCompromise"]).succeeds();
    place.postern(&["gen-crl", "--force"]).succeeds();
    let log = place.read("pki/audit.log");
    let actions: Vec<Value> =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].clone()).collect();
    assert_eq!(actions, ["build-ca", "issue", "issue", "gen-crl", "renew", "revoke", "gen-crl-forced"]);
    assert!(log.contains("/CN=bob keyCompromise"), "{log}");
    let report = place.json(&["pki", "audit"]);
    assert_eq!(report["entries"], 7);
    assert_eq!(std::fs::metadata(place.file("pki/audit.log")).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(place.file("pki/audit.log"), log.replace("/CN=alice", "/CN=malice")).unwrap();
    place.postern(&["pki", "audit"]).fails_with(1).says("broken at line 3");
}
