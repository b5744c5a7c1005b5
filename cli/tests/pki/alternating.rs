//! The real easy-rsa and we take turns on one directory.

use std::path::Path;
use std::process::Command;

use crate::support::{Answer, Place, openssl};

/// Where Debian puts easy-rsa; another one can be named, for example a checkout of 3.2.
fn easy_rsa_directory() -> String {
    std::env::var("EASY_RSA_DIRECTORY").unwrap_or_else(|_| "/usr/share/easy-rsa".into())
}

/// Runs the real easy-rsa in batch mode with small keys.
fn real(place: &Place, arguments: &[&str]) -> Answer {
    let directory = easy_rsa_directory();
    let script = Path::new(&directory).join("easyrsa");
    assert!(script.exists(), "install easy-rsa, or set EASY_RSA_DIRECTORY");
    let mut command = Command::new(script);
    command
        .current_dir(place.path())
        .args(["--batch", "--use-algo=ec", "--curve=prime256v1"])
        .args(arguments)
        .env("EASYRSA_PKI", place.file("pki"))
        .env("EASYRSA_SSL_CONF", Path::new(&directory).join("openssl-easyrsa.cnf"));
    place.answer(&mut command, "")
}

fn ours(place: &Place, arguments: &[&str]) -> Answer {
    place.easyrsa(&[&["--batch", "--use-algo=ec", "--curve=prime256v1"], arguments].concat())
}

fn take_turns(place: &Place, first: fn(&Place, &[&str]) -> Answer, second: fn(&Place, &[&str]) -> Answer) {
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
    let counted = |program: fn(&Place, &[&str]) -> Answer, name: &str| {
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
