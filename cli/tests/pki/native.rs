//! The verbs that easy-rsa has, as `postern` has them: their files judged by openssl, their answers by programs.

use crate::support::{Place, openssl};

fn postern(place: &Place, arguments: &[&str]) -> crate::support::Answer {
    place.postern(&[&["--batch"], arguments].concat())
}

fn path(place: &Place, file: &str) -> String {
    place.file(file).to_str().unwrap().to_owned()
}

fn text(place: &Place, file: &str) -> String {
    openssl(&["x509", "-noout", "-text", "-nameopt", "sep_comma_plus", "-in", &path(place, file)])
}

fn verifies(place: &Place, name: &str) {
    let (authority, file) = (path(place, "pki/ca.crt"), path(place, &format!("pki/issued/{name}.crt")));
    openssl(&["verify", "-x509_strict", "-CAfile", &authority, &file]);
}

/// A request that openssl made, with a field that the policy does not know and a power that nobody gets.
fn foreign_request(place: &Place, file: &str) {
    let (subject, key) = ("/CN=carol/O=Acme/title=Dr", path(place, "carol.key"));
    openssl(&[
        "req",
        "-new",
        "-newkey",
        "ed25519",
        "-nodes",
        "-keyout",
        &key,
        "-subj",
        subject,
        "-addext",
        "subjectAltName=DNS:carol.example",
        "-addext",
        "basicConstraints=CA:TRUE",
        "-out",
        &path(place, file),
    ]);
}

#[test]
fn requests_are_made_shown_and_signed() {
    let place = Place::with_authority();
    postern(&place, &["gen-req", "bob", "nopass", "--cn", "Bob", "--san", "DNS:bob.example"]).succeeds();
    openssl(&["req", "-verify", "-noout", "-in", &path(&place, "pki/reqs/bob.req")]);
    let shown = place.json(&["show-req", "bob"]);
    assert_eq!((&shown["common_name"], &shown["signature_is_good"]), (&"Bob".into(), &true.into()));
    postern(&place, &["show-req", "bob", "--full"]).succeeds().says("DNS:bob.example");
    let signed = place.json(&["sign-req", "server", "bob", "--copy-ext", "--days", "30"]);
    assert_eq!(signed["name"], "bob");
    verifies(&place, "bob");
    let made = text(&place, "pki/issued/bob.crt");
    assert!(made.contains("DNS:bob.example") && made.contains("TLS Web Server Authentication"), "{made}");
}

#[test]
fn pki_11_a_foreign_request_gets_what_was_asked_here_and_no_powers() {
    let place = Place::with_authority();
    foreign_request(&place, "carol.csr");
    std::fs::write(place.file("extensions"), "crlDistributionPoints = URI:http://crl.example/ca.crl\n")
        .unwrap();
    for (name, options, subject) in [
        ("policy", &[][..], "Subject: O=Acme,CN=carol\n"),
        ("preserved", &["--preserve"], "Subject: CN=carol,O=Acme,title=Dr\n"),
        ("replaced", &["--subject", "/CN=other/C=FR"], "Subject: C=FR,CN=other\n"),
    ] {
        postern(&place, &["import-req", "carol.csr", name]).succeeds();
        let sign = ["sign-req", "client", name, "--extensions", "extensions", "--copy-ext"];
        postern(&place, &[&sign[..], options].concat()).succeeds();
        verifies(&place, name);
        let made = text(&place, &format!("pki/issued/{name}.crt"));
        assert!(made.contains(subject) && made.contains("CA:FALSE"), "{made}");
        assert!(made.contains("http://crl.example/ca.crl") && made.contains("carol.example"), "{made}");
    }
    assert!(place.read("pki/audit.log").contains(r#""action":"import","detail":"reqs/policy.req""#));
}

#[test]
fn a_confirmation_is_asked_for_before_a_foreign_name_is_signed_or_put_aside() {
    let place = Place::with_authority();
    foreign_request(&place, "carol.csr");
    postern(&place, &["import-req", "carol.csr", "carol"]).succeeds();
    let before = place.snapshot("pki");
    let mut refused = place.command("postern", &["sign-req", "client", "carol"]);
    place.answer(&mut refused, "no\n").fails_with(1).says("error[not-confirmed]").says("commonName");
    place.is_unchanged_since(&before);
    let mut agreed = place.command("postern", &["sign-req", "client", "carol"]);
    place.answer(&mut agreed, "yes\n").succeeds();
    let mut refused = place.command("postern", &["expire", "carol"]);
    place.answer(&mut refused, "").fails_with(1);
    postern(&place, &["expire", "carol"]).succeeds().says("Put aside");
    postern(&place, &["sign-req", "client", "carol"]).succeeds();
    assert!(place.read("pki/audit.log").contains(r#""action":"expire""#));
}

#[test]
fn peers_without_an_authority_know_each_other_by_fingerprint() {
    let place = Place::new();
    postern(&place, &["init-pki"]).succeeds();
    postern(&place, &["self-sign-server", "vpn", "nopass"]).succeeds();
    let made = place.json(&["self-sign-client", "laptop", "nopass", "--curve", "secp384r1"]);
    let list = place.read(made["fingerprints"].as_str().unwrap());
    let printed = openssl(&[
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        &path(&place, "pki/issued/laptop.crt"),
    ]);
    assert!(list.contains(printed.trim().rsplit('=').next().unwrap()), "{list}");
    postern(&place, &["build-ca", "nopass"]).fails_with(1).says("error[ca-exists]");
}

#[test]
fn containers_are_read_by_openssl_and_every_exported_key_is_on_record() {
    let place = Place::with_authority();
    postern(&place, &["build-client-full", "alice", "nopass", "--algo", "rsa"]).succeeds();
    let exported =
        place.json(&["--passout", "pass:sesame", "export-p12", "alice", "--friendly-name", "Our VPN"]);
    let container = &path(&place, exported["file"].as_str().unwrap());
    let inside = openssl(&["pkcs12", "-in", container, "-passin", "pass:sesame", "-nodes"]);
    assert!(inside.contains("friendlyName: Our VPN") && inside.contains("PRIVATE KEY"), "{inside}");
    assert_eq!(inside.matches("BEGIN CERTIFICATE").count(), 2);
    postern(&place, &["export-p12", "alice", "nopass", "--no-ca", "--no-key"]).succeeds();
    let public = openssl(&["pkcs12", "-in", container, "-passin", "pass:", "-nodes"]);
    assert!(!public.contains("PRIVATE KEY") && public.matches("BEGIN CERTIFICATE").count() == 1, "{public}");
    postern(&place, &["export-p7", "alice"]).succeeds();
    let certificates = openssl(&["pkcs7", "-print_certs", "-in", &path(&place, "pki/issued/alice.p7b")]);
    assert_eq!(certificates.matches("BEGIN CERTIFICATE").count(), 2);
    postern(&place, &["--passout", "pass:sesame", "export-p8", "alice"]).succeeds();
    let key = path(&place, "pki/private/alice.p8");
    openssl(&["pkey", "-noout", "-passin", "pass:sesame", "-in", &key]);
    postern(&place, &["export-p1", "alice"]).succeeds();
    assert!(place.read("pki/private/alice.p1").starts_with("-----BEGIN RSA PRIVATE KEY"));
    let log = place.read("pki/audit.log");
    assert_eq!(log.matches(r#""action":"export-key""#).count(), 3, "one had no key: {log}");
    postern(&place, &["pki", "audit"]).succeeds();
}

#[test]
fn passphrases_change_and_a_wrong_one_changes_nothing() {
    let place = Place::with_authority();
    postern(&place, &["--passout", "pass:sesame", "set-pass", "ca"]).succeeds().says("Passphrase changed");
    let before = place.snapshot("pki");
    postern(&place, &["--passin", "pass:wrong", "set-pass", "ca", "nopass"])
        .fails_with(1)
        .says("error[wrong-passphrase]");
    postern(&place, &["--passin", "pass:sesame", "set-pass", "nobody", "nopass"])
        .fails_with(1)
        .says("error[no-key]");
    postern(&place, &["--passin", "pass:sesame", "set-pass", "ca"])
        .fails_with(1)
        .says("error[no-passphrase]");
    place.is_unchanged_since(&before);
    postern(&place, &["--passin", "pass:sesame", "set-pass", "ca", "nopass"]).succeeds().says("removed");
    assert_eq!(place.read("pki/audit.log").matches(r#""action":"set-pass""#).count(), 2);
    std::fs::copy(place.file("pki/private/ca.key"), place.file("copy.key")).unwrap();
    postern(&place, &["--passout", "pass:sesame", "set-pass", "copy.key", "--file"]).succeeds();
    openssl(&["pkey", "-noout", "-passin", "pass:sesame", "-in", &path(&place, "copy.key")]);
}

#[test]
fn files_for_openvpn_are_made_and_taken_over() {
    let place = Place::with_authority();
    postern(&place, &["build-client-full", "alice", "nopass"]).succeeds();
    postern(&place, &["gen-dh"]).succeeds();
    openssl(&["dhparam", "-noout", "-check", "-in", &path(&place, "pki/dh.pem")]);
    postern(&place, &["gen-dh", "--keysize", "1024"]).fails_with(1);
    postern(&place, &["gen-tls-crypt-key"]).succeeds();
    postern(&place, &["gen-tls-auth-key"]).fails_with(1).says("error[file-exists]");
    let inline = place.json(&["inline", "alice"]);
    let text = place.read(inline["file"].as_str().unwrap());
    assert!(text.contains("<tls-crypt>") && text.contains("<key>"), "{text}");
    let other = Place::with_authority();
    postern(&other, &["import-tls-key", &path(&place, "pki/private/easyrsa-tls.key")]).succeeds();
    postern(&other, &["import-tls-key", &path(&place, "pki/ca.crt")]).fails_with(1);
    postern(&other, &["import-ca", &path(&place, "pki/ca.crt")]).succeeds();
    postern(&other, &["import-ca", "nowhere.crt"]).fails_with(1).says("error[file-error]");
    assert!(other.read("pki/inline/external-ca.list").contains("BEGIN CERTIFICATE"));
    assert_eq!(other.read("pki/audit.log").matches(r#""action":"import""#).count(), 2);
}

#[test]
fn certificates_are_judged_with_the_published_list() {
    let place = Place::with_authority();
    postern(&place, &["build-client-full", "alice", "nopass"]).succeeds();
    assert_eq!(place.json(&["verify-cert", "alice"])["accepted"], true);
    postern(&place, &["verify-cert", "alice", "--purpose", "server"]).fails_with(1);
    postern(&place, &["show-crl"]).fails_with(1).says("error[no-crl]");
    postern(&place, &["revoke", "alice", "superseded"]).succeeds();
    postern(&place, &["gen-crl"]).succeeds();
    postern(&place, &["verify-cert", "alice"]).fails_with(1).says("revoked");
    postern(&place, &["verify-cert", "alice", "--no-crl"]).succeeds();
    postern(&place, &["verify-cert", "nobody"]).fails_with(1).says("error[no-certificate]");
    let list = place.json(&["show-crl"]);
    assert_eq!(list["lists"][0]["entries"][0]["reason"], "superseded");
    postern(&place, &["show-crl"]).succeeds().says("Superseded");
    let authority = place.json(&["show-ca"]);
    assert_eq!(authority["certificates"][0]["type"], "ca");
    postern(&place, &["show-ca"]).succeeds().says("CA:TRUE");
    assert_eq!(place.json(&["update-db"])["expired"], 0);
}

#[test]
fn bad_input_is_one_clear_error_and_changes_nothing() {
    let place = Place::with_authority();
    postern(&place, &["build-client-full", "alice", "nopass"]).succeeds();
    std::fs::write(place.file("garbage"), "garbage").unwrap();
    std::fs::write(place.file("extensions"), "extendedKeyUsage = nonsense\n").unwrap();
    postern(&place, &["gen-req", "bob", "nopass"]).succeeds();
    let before = place.snapshot("pki");
    for (arguments, exit, code) in [
        (&["gen-req", "bob", "nopass"][..], 1, "name-taken"),
        (&["gen-req", "../bob", "nopass"], 1, "name-"),
        (&["gen-req", "eve"], 1, "no-passphrase"),
        (&["import-req", "garbage", "eve"], 1, ""),
        (&["import-req", "nowhere", "eve"], 1, "file-error"),
        (&["import-req", "garbage", "bob"], 1, ""),
        (&["sign-req", "client", "nobody"], 1, "no-request"),
        (&["sign-req", "client", "alice"], 1, "name-taken"),
        (&["sign-req", "client", "bob", "--path-length", "0"], 2, "usage"),
        (&["sign-req", "client", "bob", "--extensions", "extensions"], 1, ""),
        (&["sign-req", "client", "bob", "--subject", "CN=x"], 1, ""),
        (&["sign-req", "client", "bob", "--san", "nonsense"], 1, ""),
        (&["self-sign-server", "x", "nopass"], 1, "ca-exists"),
        (&["expire", "nobody"], 1, "no-certificate"),
        (&["export-p1", "alice"], 1, "key-not-rsa"),
        (&["export-p12", "alice"], 1, "no-passphrase"),
        (&["inline", "nobody"], 1, "no-certificate"),
        (&["show-req", "nobody"], 1, "no-request"),
    ] {
        let answer = postern(&place, arguments).fails_with(exit);
        assert_eq!(answer.stderr.matches("error[").count(), 1, "{arguments:?}: {answer}");
        assert!(answer.stderr.contains(&format!("error[{code}")), "{arguments:?}: {answer}");
        assert!(answer.stderr.contains("\n  help: "), "{arguments:?}: {answer}");
    }
    place.is_unchanged_since(&before);
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let place = Place::new();
    for command in [
        "gen-req",
        "import-req",
        "sign-req",
        "self-sign-server",
        "self-sign-client",
        "show-req",
        "expire",
        "verify-cert",
        "show-ca",
        "show-crl",
        "update-db",
        "export-p12",
        "export-p7",
        "export-p8",
        "export-p1",
        "set-pass",
        "gen-dh",
        "gen-tls-auth-key",
        "gen-tls-crypt-key",
        "import-tls-key",
        "import-ca",
        "inline",
    ] {
        let help = place.postern(&[command, "--help"]).succeeds().stdout;
        assert!(help.contains("Example") && help.contains("  postern "), "{help}");
    }
}

#[cfg(not(feature = "pkcs11"))]
#[test]
fn a_build_without_tokens_says_so() {
    let place = Place::new();
    postern(&place, &["init-pki"]).succeeds();
    postern(&place, &["build-ca", "--pkcs11", "pkcs11:object=x"])
        .fails_with(1)
        .says("error[pkcs11-not-built-in]");
}
