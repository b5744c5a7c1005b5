//! Taking over a directory that the real easy-rsa 2 wrote.

use crate::support::{Place, openssl};

/// `keys/` with the certificates server, client1, client2 and john doe, and the revoked gone1 and gone2; `vars` beside it.
fn old_place() -> Place {
    Place::with_fixture("easyrsa2", "old")
}

fn converted() -> Place {
    let place = old_place();
    place.postern(&["pki", "convert", "old/keys"]).succeeds().says("4 valid and 2 revoked certificates");
    place
}

#[test]
fn a_directory_of_easy_rsa_2_is_read_in_place_and_changed_only_by_a_conversion() {
    let place = old_place();
    let before = place.snapshot("old");
    let listed = place.postern(&["--pki-dir", "old/keys", "list"]).succeeds();
    assert!(listed.stdout.contains("john doe") && listed.stdout.contains("gone1"), "{listed}");
    place.postern(&["--pki-dir", "old/keys", "show", "server"]).succeeds().says("valid");
    for command in
        [&["gen-crl"][..], &["build-client-full", "new", "nopass"], &["--batch", "revoke", "client2"]]
    {
        let answer = place.postern(&[&["--pki-dir", "old/keys"], command].concat()).fails_with(1);
        answer.says("error[pki-easy-rsa-2]").says("pki convert");
    }
    place.postern(&["pki", "convert", "old/keys"]).succeeds();
    assert!(place.snapshot("old") == before, "a conversion only reads");
}

#[test]
fn after_a_conversion_everything_goes_on() {
    let place = converted();
    place.postern(&["build-client-full", "new", "nopass", "--algo", "ec"]).succeeds();
    place.postern(&["--batch", "renew", "client2"]).succeeds();
    place.postern(&["--batch", "revoke", "server", "superseded"]).succeeds();
    place.postern(&["gen-crl"]).succeeds();
    let list = openssl(&["crl", "-in", &place.file("pki/crl.pem").display().to_string(), "-noout", "-text"]);
    for serial in ["01", "04", "05"] {
        assert!(list.contains(&format!("Serial Number: {serial}")), "{list}");
    }
    let authority = place.file("pki/ca.crt").display().to_string();
    for name in ["new", "client2", "john doe"] {
        let certificate = place.file(&format!("pki/issued/{name}.crt")).display().to_string();
        openssl(&["verify", "-CAfile", &authority, &certificate]);
    }
    assert!(place.file("pki/revoked/certs_by_serial/04.crt").exists());
    assert!(place.file("pki/revoked/private_by_serial/05.key").exists());
    assert_eq!(place.read("pki/private/easyrsa-tls.key").lines().next(), Some("# Easy-RSA TLS-AUTH Key"));
}

#[test]
fn the_drop_in_goes_on_with_the_old_settings() {
    let place = converted();
    place.easyrsa(&["--batch", "build-client-full", "dropped", "nopass"]).succeeds();
    let certificate = place.file("pki/issued/dropped.crt").display().to_string();
    let text = openssl(&["x509", "-in", &certificate, "-noout", "-subject", "-text"]);
    assert!(text.contains("Fort-Funston") && text.contains("2048 bit"), "{text}");
}

/// A second run with the same name fails in easy-rsa 2, but only after it has written a new key.
#[test]
fn what_easy_rsa_2_left_behind_is_found_by_the_check() {
    let place = converted();
    let findings = place.postern(&["pki", "check"]).fails_with(1).says("key-mismatch").says("client1.key");
    assert_eq!(findings.stdout.matches("error[").count(), 1, "{findings}");
}

#[test]
fn a_conversion_refuses_other_directories_and_overwrites_nothing() {
    let place = converted();
    place.postern(&["pki", "convert", "old/keys"]).fails_with(1).says("error[pki-exists]");
    place
        .postern(&["--pki-dir", "other", "pki", "convert", "pki"])
        .fails_with(1)
        .says("error[pki-not-easy-rsa-2]");
    place.postern(&["--pki-dir", "other", "pki", "convert", "nowhere"]).fails_with(1).says("error[no-pki]");
    std::fs::write(place.file("old/keys/broken.crt"), "").unwrap();
    std::fs::write(place.file("old/keys/waiting.csr"), place.read("old/keys/server.csr")).unwrap();
    let again = place.postern(&["--pki-dir", "second", "pki", "convert", "old/keys"]).succeeds();
    assert!(again.stdout.contains("Left out: broken.crt: it holds no certificate."), "{again}");
    assert!(place.file("second/reqs/waiting.req").exists());
}
