//! Renewal: everything that the certificate said, old and new side by side, every generation within reach.

use serde_json::Value;

use crate::support::{Place, openssl};

fn field(place: &Place, file: &str, option: &str) -> String {
    openssl(&["x509", "-noout", option, "-in", place.file(file).to_str().unwrap()])
}

fn verifies(place: &Place, file: &str) {
    let authority = place.file("pki/ca.crt");
    openssl(&["verify", "-CAfile", authority.to_str().unwrap(), place.file(file).to_str().unwrap()]);
}

#[test]
fn a_renewed_certificate_says_what_the_old_one_said() {
    let place = Place::with_authority();
    place
        .postern(&["build-server-full", "web", "nopass", "--san", "DNS:web.example.org,IP:192.0.2.7"])
        .succeeds();
    let (key, request) = (place.read("pki/private/web.key"), place.read("pki/reqs/web.req"));
    let before = place.read("pki/issued/web.crt");
    place.postern(&["--batch", "renew", "web", "--days", "90"]).succeeds().says("stays valid");
    assert_eq!(place.read("pki/renewed/issued/web.crt"), before);
    assert_eq!(place.read("pki/private/web.key"), key);
    assert_eq!(place.read("pki/reqs/web.req"), request);
    for option in ["-subject", "-pubkey", "-ext=subjectAltName,extendedKeyUsage,keyUsage,basicConstraints"] {
        let arguments: Vec<&str> = option.split('=').collect();
        let shown = |file: &str| {
            let file = place.file(file);
            openssl(&[&["x509", "-noout", "-in", file.to_str().unwrap()], arguments.as_slice()].concat())
        };
        assert_eq!(shown("pki/issued/web.crt"), shown("pki/renewed/issued/web.crt"), "{option}");
    }
    assert_ne!(
        field(&place, "pki/issued/web.crt", "-serial"),
        field(&place, "pki/renewed/issued/web.crt", "-serial")
    );
    verifies(&place, "pki/issued/web.crt");
    verifies(&place, "pki/renewed/issued/web.crt");
    assert_eq!(place.read("pki/index.txt").matches("V\t").count(), 2);
}

#[test]
fn a_new_key_is_of_the_same_kind_and_the_old_one_is_kept() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass", "--curve", "secp384r1"]).succeeds();
    let old_key = place.read("pki/private/alice.key");
    place.postern(&["--batch", "renew", "alice", "--new-key", "--nopass"]).succeeds();
    assert_eq!(place.read("pki/renewed/private/alice.key"), old_key);
    assert_ne!(place.read("pki/private/alice.key"), old_key);
    let public_key = |kind: &str, file: &str| {
        openssl(&[kind, "-noout", "-pubkey", "-in", place.file(file).to_str().unwrap()])
    };
    let of_key = openssl(&["pkey", "-pubout", "-in", place.file("pki/private/alice.key").to_str().unwrap()]);
    assert_eq!(public_key("x509", "pki/issued/alice.crt"), of_key);
    assert_eq!(public_key("req", "pki/reqs/alice.req"), of_key);
    let shown =
        openssl(&["pkey", "-noout", "-text", "-in", place.file("pki/private/alice.key").to_str().unwrap()]);
    assert!(shown.contains("secp384r1"), "{shown}");
}

#[test]
fn every_generation_can_be_shown_and_revoked_by_its_number() {
    let place = Place::with_authority();
    let mut serials = vec![place.json(&["build-client-full", "alice", "nopass"])["serial"].clone()];
    for _ in 0..3 {
        serials.push(place.json(&["renew", "alice", "--new-key", "--nopass"])["serial"].clone());
    }
    place.postern(&["--batch", "revoke", "alice"]).fails_with(1).says("ambiguous-name");
    let places =
        serials.iter().map(|serial| place.json(&["show", serial.as_str().unwrap()])["place"].clone());
    assert_eq!(places.collect::<Vec<_>>(), ["renewed", "renewed", "renewed", "issued"]);
    let current = place.read("pki/issued/alice.crt");
    for serial in &serials[..3] {
        place.json(&["revoke", serial.as_str().unwrap(), "superseded"]);
    }
    assert_eq!(place.read("pki/issued/alice.crt"), current, "the certificate in force is not touched");
    let revoked = std::fs::read_dir(place.file("pki/revoked/private_by_serial")).unwrap().count();
    assert_eq!(revoked, 3, "each generation takes its key along");
    assert_eq!(place.json(&["revoke", "alice"])["serial"], serials[3], "and now the name is clear");
    assert_eq!(place.json(&["gen-crl"])["entries"], 4);
}

#[test]
fn all_that_expires_soon_is_renewed_and_nothing_twice() {
    let place = Place::with_authority();
    for (name, days) in [("soon", "10"), ("sooner", "5"), ("later", "300")] {
        place.postern(&["build-client-full", name, "nopass", "--days", days]).succeeds();
    }
    let report = place.json(&["renew", "--all-expiring", "30d"]);
    let names: Vec<&Value> =
        report["renewed"].as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
    assert_eq!(names, ["soon", "sooner"]);
    assert_eq!(place.json(&["renew", "--all-expiring", "30d"])["renewed"].as_array().unwrap().len(), 0);
    place.postern(&["expiry", "--within", "30d"]).succeeds();
    place.postern(&["renew"]).fails_with(2);
    place.postern(&["renew", "x", "--all-expiring", "3d"]).fails_with(2);
}

#[test]
fn certificates_of_easy_rsa_are_renewed_in_place() {
    for (name, certificate, passphrase) in [
        ("rsa", "server1", "capass"),
        ("ec", "org1", ""),
        ("ed25519", "client1", ""),
        ("v310-ec", "server1", ""),
    ] {
        let place = Place::with_golden(name);
        let passphrase = format!("pass:{passphrase}");
        place.postern(&["--batch", "--passin", &passphrase, "renew", certificate]).succeeds();
        verifies(&place, &format!("pki/issued/{certificate}.crt"));
        let subject = |file: String| field(&place, &file, "-subject");
        assert_eq!(
            subject(format!("pki/issued/{certificate}.crt")),
            subject(format!("pki/renewed/issued/{certificate}.crt"))
        );
    }
}

#[test]
fn a_revoked_certificate_is_not_renewed() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "bob", "nopass"]).succeeds();
    let index = place.read("pki/index.txt");
    let revoked = index.replacen('V', "R", 1).replacen("\t\t", "\t261120074219Z\t", 1);
    std::fs::write(place.file("pki/index.txt"), revoked).unwrap();
    let before = place.snapshot("pki");
    place.postern(&["--batch", "renew", "bob"]).fails_with(1).says("already-revoked");
    place.postern(&["--batch", "renew", "nobody"]).fails_with(1).says("no-certificate");
    place.is_unchanged_since(&before);
}

#[test]
fn crl_05_a_timer_publishes_only_when_the_list_runs_out() {
    let place = Place::with_authority();
    place.postern(&["gen-crl", "--if-expiring", "7d", "--days", "30"]).succeeds().says("published");
    let list = place.read("pki/crl.pem");
    place.postern(&["gen-crl", "--if-expiring", "7d"]).succeeds().says("nothing to do");
    assert_eq!(place.read("pki/crl.pem"), list);
    place.postern(&["gen-crl", "--if-expiring", "31d"]).succeeds().says("published");
    assert_ne!(place.read("pki/crl.pem"), list);
}
