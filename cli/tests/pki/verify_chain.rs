//! `verify-chain` as a program that other programs ask: files in, exit code out.

use serde_json::Value;

use crate::support::{Answer, Place, openssl};

fn testdata(path: &str) -> String {
    format!("{}/../testdata/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn judge(place: &Place, arguments: &[&str]) -> Answer {
    place.postern(&[&["verify-chain"], arguments].concat())
}

/// Writes the blobs of a case into one file; no file for none.
fn file_of(place: &Place, name: &str, vectors: &Value, indexes: &Value) -> Option<String> {
    let indexes = indexes.as_array().unwrap();
    let text: String = indexes
        .iter()
        .map(|index| vectors["blobs"][usize::try_from(index.as_u64().unwrap()).unwrap()].as_str().unwrap())
        .collect();
    std::fs::write(place.file(name), text).unwrap();
    (!indexes.is_empty()).then(|| name.to_owned())
}

/// The command line for a public test vector.
fn command_line(place: &Place, vectors: &Value, case: &Value) -> Vec<String> {
    let mut arguments = vec!["--ca".to_owned(), file_of(place, "ca.pem", vectors, &case["roots"]).unwrap()];
    for (option, name, key) in
        [("--intermediates", "more.pem", "intermediates"), ("--crl", "crl.pem", "crls")]
    {
        if let Some(file) = file_of(place, name, vectors, &case[key]) {
            arguments.extend([option.to_owned(), file]);
        }
    }
    for (option, key) in [("--at", "at"), ("--purpose", "kind")] {
        arguments.extend([option.to_owned(), case[key].as_str().unwrap().to_owned()]);
    }
    if let Some(depth) = case["max_depth"].as_u64() {
        arguments.extend(["--max-depth".to_owned(), depth.to_string()]);
    }
    if let (Some(kind), Some(value)) = (case["name"]["kind"].as_str(), case["name"]["value"].as_str()) {
        arguments.extend(["--name".to_owned(), format!("{kind}:{value}")]);
    }
    let leaf = Value::Array(vec![case["leaf"].clone()]);
    arguments.push(file_of(place, "leaf.pem", vectors, &leaf).unwrap());
    arguments
}

#[test]
fn crt_01_every_must_case_of_the_public_vectors_gets_the_right_exit_code() {
    let place = Place::new();
    let mut judged = 0;
    for folder in ["x509-limbo", "pkits"] {
        let text = std::fs::read(testdata(&format!("{folder}/cases.json"))).unwrap();
        let vectors: Value = serde_json::from_slice(&text).unwrap();
        for case in vectors["cases"].as_array().unwrap().iter().filter(|case| case["tier"] == "must") {
            let arguments = command_line(&place, &vectors, case);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let expected = if case["expect"] == "accept" { 0 } else { 1 };
            let answer = judge(&place, &arguments).fails_with(expected);
            assert_eq!(answer.stderr.is_empty(), expected == 0, "{}: {answer}", case["id"]);
            judged += 1;
        }
    }
    assert!(judged > 100, "{judged}");
}

#[test]
fn der_is_accepted_wherever_pem_is() {
    let place = Place::new();
    for (kind, from, to) in [
        ("x509", "chain/easyrsa/rsa/ca.crt", "ca.der"),
        ("x509", "chain/easyrsa/rsa/issued/client1.crt", "leaf.der"),
        ("crl", "chain/easyrsa/rsa/crl.pem", "crl.der"),
    ] {
        let target = place.file(to);
        openssl(&[kind, "-in", &testdata(from), "-outform", "DER", "-out", target.to_str().unwrap()]);
    }
    let files = ["--ca", "ca.der", "--crl", "crl.der", "--at", "2030-01-01T00:00:00Z"];
    judge(&place, &[&files[..], &["--purpose", "client", "leaf.der"]].concat()).succeeds().says("Accepted");
    judge(&place, &[&files[..], &["--purpose", "server", "leaf.der"]].concat()).fails_with(1);
    let offset = ["--ca", "ca.der", "--at", "2030-01-01T01:00:00+01:00", "leaf.der"];
    judge(&place, &offset).succeeds();
}

#[test]
fn what_cannot_be_judged_is_neither_accepted_nor_rejected() {
    let place = Place::new();
    let (authority, leaf) =
        (testdata("chain/easyrsa/rsa/ca.crt"), testdata("chain/easyrsa/rsa/issued/client1.crt"));
    let crl = testdata("chain/easyrsa/rsa/crl.pem");
    for arguments in [
        &["--ca", "no-such-file", leaf.as_str()][..],
        &["--ca", &crl, &leaf],
        &["--ca", &authority, "no-such-file"],
        &["--ca", &authority, "--crl", &leaf, &leaf],
        &["--ca", &authority, "--at", "tomorrow", &leaf],
        &["--ca", &authority, "--name", "colour:blue", &leaf],
        &["--ca", &authority, "--purpose", "decoration", &leaf],
        &["--ca", &authority],
    ] {
        judge(&place, arguments).fails_with(2);
    }
}

#[test]
fn crt_02_easy_rsas_own_certificates_pass_unless_strictness_is_asked_for() {
    let place = Place::new();
    let (authority, leaf) =
        (testdata("chain/easyrsa/v310-ec/ca.crt"), testdata("chain/easyrsa/v310-ec/issued/client1.crt"));
    let arguments = ["--ca", authority.as_str(), "--at", "2030-01-01T00:00:00Z", leaf.as_str()];
    judge(&place, &arguments).succeeds();
    judge(&place, &[&["--strict"], &arguments[..]].concat()).fails_with(1);
}

#[test]
fn crl_01_with_a_list_everything_below_the_ca_must_be_covered() {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice", "nopass"]).succeeds();
    place.postern(&["build-client-full", "bob", "nopass"]).succeeds();
    place.postern(&["--batch", "revoke", "bob"]).succeeds();
    place.postern(&["gen-crl", "--days", "30"]).succeeds();
    let with_list = ["--ca", "pki/ca.crt", "--crl", "pki/crl.pem"];
    judge(&place, &[&with_list[..], &["pki/issued/alice.crt"]].concat()).succeeds();
    let bob = std::fs::read_dir(place.file("pki/revoked/certs_by_serial")).unwrap().next().unwrap().unwrap();
    let bob = bob.path().display().to_string();
    judge(&place, &[&with_list[..], &[bob.as_str()]].concat()).fails_with(1).says("revoked");
    judge(&place, &["--ca", "pki/ca.crt", &bob]).succeeds();
    let late = ["--at", "2027-06-01T00:00:00Z", "pki/issued/alice.crt"];
    judge(&place, &[&with_list[..], &late].concat()).fails_with(1);
}
