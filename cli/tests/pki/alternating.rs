//! The real easy-rsa and we take turns on one directory.

use crate::real::{self, Generation, RealEasyRsa};
use crate::support::{Answer, Place, openssl};

type Program = fn(&Place, &[&str]) -> Answer;

fn real(place: &Place, arguments: &[&str]) -> Answer {
    RealEasyRsa::find().run(place, &[&["--batch"], arguments].concat(), "")
}

fn ours(place: &Place, arguments: &[&str]) -> Answer {
    real::ours(place, &[&["--batch"], arguments].concat(), "")
}

fn take_turns(place: &Place, first: Program, second: Program) {
    first(place, &["build-ca", "nopass"]).succeeds();
    first(place, &["build-client-full", "a1", "nopass"]).succeeds();
    second(place, &["build-client-full", "b1", "nopass"]).succeeds();
    first(place, &["build-server-full", "a2", "nopass"]).succeeds();
    second(place, &["build-server-full", "b2", "nopass"]).succeeds();
    second(place, &["revoke", "a1", "superseded"]).succeeds();
    first(place, &["revoke", "b1"]).succeeds();
    first(place, &["gen-crl"]).succeeds();
    second(place, &["gen-crl"]).succeeds();
    second(place, &["build-client-full", "a1", "nopass"]).succeeds();
    first(place, &["build-client-full", "b1", "nopass"]).succeeds();
    first(place, &["gen-crl"]).succeeds();
}

fn is_in_order(place: &Place) {
    let index = place.read("pki/index.txt");
    let with_status = |status: &str| index.lines().filter(|line| line.starts_with(status)).count();
    assert_eq!((with_status("V\t"), with_status("R\t")), (4, 2), "{index}");
    let authority = place.file("pki/ca.crt");
    for name in ["a1", "a2", "b1", "b2"] {
        let certificate = place.file(&format!("pki/issued/{name}.crt"));
        openssl(&["verify", "-CAfile", authority.to_str().unwrap(), certificate.to_str().unwrap()]);
    }
    let list = openssl(&[
        "crl",
        "-noout",
        "-text",
        "-CAfile",
        authority.to_str().unwrap(),
        "-in",
        place.file("pki/crl.pem").to_str().unwrap(),
    ]);
    assert!(list.contains("verify OK"), "{list}");
    assert_eq!(list.matches("Serial Number:").count(), 2, "{list}");
    assert!(!place.file("pki/lock.file").exists());
}

/// Requests of one are signed, shown, renewed and revoked by the other.
fn hand_over_requests(place: &Place, first: Program, second: Program) {
    first(place, &["build-ca", "nopass"]).succeeds();
    first(place, &["gen-req", "a", "nopass"]).succeeds();
    second(place, &["sign-req", "client", "a"]).succeeds();
    second(place, &["--san=DNS:b.example", "gen-req", "b", "nopass"]).succeeds();
    first(place, &["--copy-ext", "sign-req", "server", "b"]).succeeds();
    first(place, &["show-cert", "a"]).succeeds().says("commonName");
    second(place, &["show-cert", "b"]).succeeds().says("DNS:b.example");
    second(place, &["update-db"]).succeeds();
    first(place, &["revoke", "a"]).succeeds();
    second(place, &["gen-crl"]).succeeds();
    first(place, &["show-crl"]).succeeds().says("Revocation Date");
}

/// What only easy-rsa 3.2 has: certificates that are renewed or put aside, by turns.
fn hand_over_generations(place: &Place, first: Program, second: Program) {
    for name in ["renewed", "expired", "packed"] {
        first(place, &["build-client-full", name, "nopass"]).succeeds();
    }
    second(place, &["renew", "renewed"]).succeeds();
    first(place, &["revoke-renewed", "renewed", "superseded"]).succeeds();
    first(place, &["renew", "renewed"]).succeeds();
    second(place, &["revoke-renewed", "renewed"]).succeeds();
    second(place, &["expire", "expired"]).succeeds();
    first(place, &["sign-req", "client", "expired"]).succeeds();
    second(place, &["revoke-expired", "expired", "ces"]).succeeds();
    second(place, &["export-p12", "packed", "nopass"]).succeeds();
    first(place, &["--passout=pass:secret", "set-pass", "packed"]).succeeds();
    second(place, &["--passin=pass:secret", "set-pass", "packed", "nopass"]).succeeds();
    first(place, &["inline", "packed"]).succeeds();
    second(place, &["renew-ca"]).succeeds();
    // Certificates of easy-rsa's own forms name the old CA certificate and so end with it; new ones do not.
    first(place, &["build-client-full", "later", "nopass"]).succeeds();
    first(place, &["verify-cert", "later"]).succeeds();
    second(place, &["verify-cert", "later"]).succeeds();
    first(place, &["gen-crl"]).succeeds();
    second(place, &["show-revoke"]).succeeds().says("cessationOfOperation");
    let statuses: String = place.read("pki/index.txt").lines().map(|row| &row[..1]).collect();
    assert_eq!(statuses.matches('R').count(), 4, "{statuses}");
}

#[test]
fn requests_go_from_hand_to_hand() {
    for (first, second) in [(ours as Program, real as Program), (real, ours)] {
        let place = Place::new();
        first(&place, &["init-pki"]).succeeds();
        hand_over_requests(&place, first, second);
        if RealEasyRsa::find().generation >= Generation::V32 {
            hand_over_generations(&place, first, second);
        }
    }
}

#[test]
fn easy_rsa_goes_on_with_a_pki_that_we_began() {
    let place = Place::new();
    ours(&place, &["init-pki"]).succeeds();
    take_turns(&place, ours, real);
    is_in_order(&place);
}

#[test]
fn we_go_on_with_a_pki_that_easy_rsa_began() {
    let place = Place::new();
    real(&place, &["init-pki"]).succeeds();
    take_turns(&place, real, ours);
    is_in_order(&place);
}

#[test]
fn counted_serial_numbers_go_on_across_both() {
    let place = Place::new();
    ours(&place, &["init-pki"]).succeeds();
    ours(&place, &["build-ca", "nopass"]).succeeds();
    let counted = |program: Program, name: &str| {
        std::fs::write(place.file("pki/vars"), "set_var EASYRSA_RAND_SN no\n").unwrap();
        program(&place, &["build-client-full", name, "nopass"]).succeeds();
    };
    counted(ours, "one");
    counted(real, "two");
    counted(ours, "three");
    counted(real, "four");
    let serials: Vec<String> =
        place.read("pki/index.txt").lines().map(|line| line.split('\t').nth(3).unwrap().to_owned()).collect();
    assert_eq!(serials, ["01", "02", "03", "04"]);
}
