//! Certificates in bulk: each row whole or not at all, and a report.

use serde_json::Value;

use crate::support::{Place, openssl};

fn bulk(place: &Place, users: &str, code: i32) -> Value {
    std::fs::write(place.file("users.csv"), users).unwrap();
    let arguments = ["--json", "build-client-full", "--from-file", "users.csv", "nopass"];
    let output = place.command("postern", &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_row_becomes_a_certificate() {
    let place = Place::with_authority();
    let users: String = (0..300).map(|number| format!("user{number}@example.org\n")).collect();
    let report = bulk(&place, &format!("name\n{users}"), 0);
    assert_eq!(report["issued"].as_array().unwrap().len(), 300);
    place.postern(&["gen-crl"]).succeeds();
    place.postern(&["pki", "check"]).succeeds().says("300 certificates, 0 findings");
    place.postern(&["pki", "audit"]).succeeds();
    let (authority, leaf) = (place.file("pki/ca.crt"), place.file("pki/issued/user299@example.org.crt"));
    openssl(&["verify", "-x509_strict", "-CAfile", authority.to_str().unwrap(), leaf.to_str().unwrap()]);
}

#[test]
fn columns_set_names_and_days() {
    let place = Place::with_authority();
    let report = bulk(&place, "name,san,days\nweb,\"DNS:web.example.org,IP:192.0.2.7\",10\nplain\n", 0);
    assert_eq!(report["issued"].as_array().unwrap().len(), 2);
    let shown = place.json(&["show", "web"]);
    assert_eq!(shown["alternative_names"][1], "IP:192.0.2.7");
    place.postern(&["expiry", "--within", "11d"]).fails_with(3).says("web");
}

#[test]
fn a_row_that_cannot_be_issued_does_not_hold_up_the_others() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "taken", "nopass"]).succeeds();
    let report = bulk(&place, "good\ntaken\n../evil\ngood\nalso-good\nbad-san,DNS:not a name\n", 1);
    let names = |key: &str| {
        let found = report[key].as_array().unwrap().iter();
        found.map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("issued"), ["good", "also-good"]);
    assert_eq!(names("failed"), ["../evil", "bad-san", "taken", "good"]);
    place.postern(&["gen-crl"]).succeeds();
    place.postern(&["pki", "check"]).succeeds().says("3 certificates, 0 findings");
}

#[test]
fn a_file_that_cannot_be_understood_issues_nothing() {
    let place = Place::with_authority();
    let before = place.snapshot("pki");
    std::fs::write(place.file("users.csv"), "alice\nbob,,never\n").unwrap();
    place
        .postern(&["build-client-full", "--from-file", "users.csv", "nopass"])
        .fails_with(2)
        .says("record 2");
    place.postern(&["build-client-full", "--from-file", "no-such-file", "nopass"]).fails_with(1);
    place.postern(&["build-client-full", "carol", "--from-file", "users.csv"]).fails_with(2);
    place.postern(&["build-client-full"]).fails_with(2);
    place.is_unchanged_since(&before);
}
