//! The drop-in's commands one by one, their files judged by openssl.

use std::process::Command;

use crate::support::{Place, openssl};

const EC: [&str; 3] = ["--batch", "--use-algo=ec", "--curve=prime256v1"];

fn easyrsa(place: &Place, arguments: &[&str]) -> crate::support::Answer {
    place.easyrsa(&[&EC, arguments].concat())
}

fn path(place: &Place, file: &str) -> String {
    place.file(file).to_str().unwrap().to_owned()
}

fn text(place: &Place, file: &str) -> String {
    openssl(&["x509", "-noout", "-text", "-nameopt", "sep_comma_plus", "-in", &path(place, file)])
}

fn verifies(place: &Place, file: &str) {
    openssl(&["verify", "-x509_strict", "-CAfile", &path(place, "pki/ca.crt"), &path(place, file)]);
}

#[test]
fn certificates_carry_the_text_that_openssl_would_print() {
    let place = Place::with_authority();
    easyrsa(&place, &["--san=DNS:a.example,IP:192.0.2.1", "build-server-full", "s", "nopass"]).succeeds();
    let file = place.read("pki/issued/s.crt");
    let (ours, _) = file.split_once("-----BEGIN").unwrap();
    let theirs =
        openssl(&["x509", "-noout", "-text", "-nameopt", "compat", "-in", &path(&place, "pki/issued/s.crt")]);
    assert_eq!(ours, theirs);
    let serial = openssl(&["x509", "-noout", "-serial", "-in", &path(&place, "pki/issued/s.crt")]);
    let serial = serial.trim().trim_start_matches("serial=");
    assert_eq!(place.read(&format!("pki/certs_by_serial/{serial}.pem")), file);
    easyrsa(&place, &["--notext", "build-client-full", "c", "nopass"]).succeeds();
    assert!(place.read("pki/issued/c.crt").starts_with("-----BEGIN"));
}

#[test]
fn a_sub_authority_is_signed_by_another_one_and_issues() {
    let (root, below) = (Place::with_authority(), Place::new());
    easyrsa(&below, &["init-pki"]).succeeds();
    easyrsa(&below, &["build-ca", "subca", "nopass"])
        .succeeds()
        .says("Your Sub-CA certificate request is at");
    assert!(!below.file("pki/ca.crt").exists());
    easyrsa(&root, &["import-req", &path(&below, "pki/reqs/ca.req"), "below"]).succeeds();
    easyrsa(&root, &["--subca-len=0", "sign-req", "ca", "below"]).succeeds();
    assert!(
        !root.file("pki/inline/private/below.inline").exists()
            && !root.file("pki/inline/below.inline").exists()
    );
    assert!(text(&root, "pki/issued/below.crt").contains("CA:TRUE, pathlen:0"));
    std::fs::copy(root.file("pki/issued/below.crt"), below.file("pki/ca.crt")).unwrap();
    easyrsa(&below, &["build-client-full", "c", "nopass"]).succeeds();
    openssl(&[
        "verify",
        "-x509_strict",
        "-CAfile",
        &path(&root, "pki/ca.crt"),
        "-untrusted",
        &path(&below, "pki/ca.crt"),
        &path(&below, "pki/issued/c.crt"),
    ]);
    easyrsa(&below, &["renew-ca"]).fails_with(1).says("signed by another authority");
}

#[test]
fn a_file_of_ec_parameters_chooses_the_curve() {
    let place = Place::with_authority();
    openssl(&["ecparam", "-name", "secp521r1", "-out", &path(&place, "curve.pem")]);
    let build = |name: &str, file: &str| {
        let arguments = ["--batch", "--use-algo=ec", "build-client-full", name, "nopass"];
        let mut command = place.command("easyrsa", &arguments);
        command.env("EASYRSA_ALGO_PARAMS", file);
        place.answer(&mut command, "")
    };
    build("c", "curve.pem").succeeds();
    assert!(text(&place, "pki/issued/c.crt").contains("P-521"));
    build("d", "pki/ca.crt").fails_with(1).says("unknown curve");
}

#[test]
fn subjects_of_requests_follow_the_policy_unless_told_otherwise() {
    let place = Place::with_authority();
    let request = |name: &str| {
        openssl(&[
            "req",
            "-new",
            "-newkey",
            "ed25519",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            "/CN=x y/O=Acme/title=Dr/C=DE",
            "-out",
            &path(&place, "in.req"),
        ]);
        easyrsa(&place, &["import-req", "in.req", name]).succeeds();
    };
    for (name, options, words, subject) in [
        ("policy", &[][..], &[][..], "C=DE,O=Acme,CN=x y"),
        ("preserved", &[], &["preserve"], "CN=x y,O=Acme,title=Dr,C=DE"),
        ("replaced", &["--new-subject=/CN=other/C=FR"], &["newsubj"], "C=FR,CN=other"),
        ("kept", &["--new-subject=/CN=other/C=FR"], &["newsubj", "preserve"], "CN=other,C=FR"),
    ] {
        request(name);
        easyrsa(&place, &[options, &["sign-req", "client", name], words].concat()).succeeds();
        let shown = text(&place, &format!("pki/issued/{name}.crt"));
        assert!(shown.contains(&format!("Subject: {subject}\n")), "{name}: {shown}");
    }
    request("wrong");
    easyrsa(&place, &["--new-subject=/CN=x", "sign-req", "client", "wrong"]).fails_with(1);
    easyrsa(&place, &["--new-subject=CN=x", "sign-req", "client", "wrong", "newsubj"]).fails_with(1);
}

#[test]
fn a_users_own_types_win_and_easy_rsas_own_do_not_weaken_the_strict_profile() {
    let place = Place::with_authority();
    let types = place.file("pki/x509-types");
    std::fs::create_dir(&types).unwrap();
    let stock = place.easyrsa(&["write", "server"]).succeeds().stdout;
    std::fs::write(types.join("server"), &stock).unwrap();
    std::fs::write(
        types.join("vpn"),
        "basicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth, 1.3.6.1.5.5.7.3.17\n",
    )
    .unwrap();
    std::fs::write(types.join("COMMON"), "crlDistributionPoints = URI:http://crl.example/ca.crl\n").unwrap();
    easyrsa(&place, &["build-server-full", "s", "nopass"]).succeeds();
    let server = text(&place, "pki/issued/s.crt");
    assert!(
        server.contains("Basic Constraints: critical") && server.contains("http://crl.example/ca.crl"),
        "{server}"
    );
    easyrsa(&place, &["--profile=easyrsa", "build-server-full", "e", "nopass"]).succeeds();
    assert!(text(&place, "pki/issued/e.crt").contains("DirName"));
    easyrsa(&place, &["gen-req", "v", "nopass"]).succeeds();
    easyrsa(&place, &["sign-req", "vpn", "v"]).succeeds();
    let own = text(&place, "pki/issued/v.crt");
    assert!(own.contains("ipsec Internet Key Exchange") && !own.contains("Key Usage: critical"), "{own}");
    std::fs::write(types.join("broken"), "extendedKeyUsage = nonsense\n").unwrap();
    easyrsa(&place, &["gen-req", "b", "nopass"]).succeeds();
    let before = place.snapshot("pki");
    easyrsa(&place, &["sign-req", "broken", "b"]).fails_with(1).says("line 1");
    place.is_unchanged_since(&before);
    let mut extra = place.command(
        "easyrsa",
        &[
            &EC[..],
            &[
                "--san-crit",
                "--ku-crit",
                "--ns-cert",
                "--san=DNS:x.example",
                "build-client-full",
                "x",
                "nopass",
            ],
        ]
        .concat(),
    );
    extra.env("EASYRSA_EXTRA_EXTS", "tlsfeature = status_request\n1.2.3.4 = ASN1:UTF8:hello");
    place.answer(&mut extra, "").succeeds();
    let made = text(&place, "pki/issued/x.crt");
    for expected in
        ["Alternative Name: critical", "status_request", "Netscape Cert Type", "Easy-RSA Generated", "hello"]
    {
        assert!(made.contains(expected), "{expected}: {made}");
    }
}

#[test]
fn pki_11_a_request_gets_no_powers_and_must_be_signed_by_its_key() {
    let place = Place::with_authority();
    let request = |algorithm: &str, file: &str| {
        openssl(&[
            "req",
            "-new",
            "-newkey",
            algorithm,
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            "/CN=mallory",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=keyCertSign",
            "-addext",
            "subjectAltName=DNS:asked.example",
            "-addext",
            "nameConstraints=permitted;DNS:.example",
            "-out",
            &path(&place, file),
        ]);
    };
    request("ed25519", "in.req");
    for (name, options) in [("plain", &[][..]), ("copied", &["--copy-ext"])] {
        easyrsa(&place, &["import-req", "in.req", name]).succeeds();
        let answer = easyrsa(&place, &[options, &["sign-req", "client", name]].concat()).succeeds();
        let made = text(&place, &format!("pki/issued/{name}.crt"));
        assert!(
            made.contains("CA:FALSE")
                && !made.contains("Certificate Sign")
                && !made.contains("Name Constraints"),
            "{made}"
        );
        assert_eq!(made.contains("asked.example"), name == "copied");
        assert_eq!(answer.stderr.contains("2.5.29.30"), name == "copied", "what is not granted is said");
    }
    let good =
        openssl(&["req", "-outform", "DER", "-in", &path(&place, "in.req"), "-out", &path(&place, "in.der")]);
    assert_eq!(good, "");
    let mut forged = std::fs::read(place.file("in.der")).unwrap();
    let position = forged.windows(7).position(|window| window == b"mallory").unwrap();
    forged[position] = b'M';
    std::fs::write(place.file("forged.der"), forged).unwrap();
    easyrsa(&place, &["import-req", "forged.der", "forged"]).succeeds();
    easyrsa(&place, &["sign-req", "client", "forged"])
        .fails_with(1)
        .says("signature of the certificate request is wrong");
    assert!(
        !place.file("pki/issued/forged.crt").exists(),
        "a broken request leaves nothing that blocks its name"
    );
    request("ed448", "ed448.req");
    easyrsa(&place, &["import-req", "ed448.req", "ed448"]).succeeds();
    easyrsa(&place, &["show-req", "ed448"]).succeeds().says("mallory");
    easyrsa(&place, &["sign-req", "client", "ed448"]).fails_with(1).says("cannot be verified");
    place
        .easyrsa(&["--batch", "--curve=ed448", "build-client-full", "e", "nopass"])
        .fails_with(1)
        .says("ed25519");
}

#[test]
fn a_renewal_keeps_everything_and_both_generations_can_be_revoked_apart() {
    let place = Place::with_authority();
    let mut build = place.command(
        "easyrsa",
        &[&EC[..], &["--san=DNS:r.example", "build-client-full", "r", "nopass"]].concat(),
    );
    build.env("EASYRSA_EXTRA_EXTS", "crlDistributionPoints = URI:http://crl.example/ca.crl");
    place.answer(&mut build, "").succeeds();
    let key = place.read("pki/private/r.key");
    easyrsa(&place, &["export-p12", "r", "nopass"]).succeeds();
    easyrsa(&place, &["--days=10", "renew", "r"]).succeeds().says("Renew was successful");
    assert!(
        !place.file("pki/private/r.p12").exists() && !place.file("pki/inline/private/r.p12-inline").exists()
    );
    let renewed = text(&place, "pki/issued/r.crt");
    assert!(renewed.contains("DNS:r.example") && renewed.contains("http://crl.example/ca.crl"), "{renewed}");
    assert_eq!(place.read("pki/private/r.key"), key);
    verifies(&place, "pki/issued/r.crt");
    verifies(&place, "pki/renewed/issued/r.crt");
    easyrsa(&place, &["renew", "r"]).fails_with(1).says("renewed/issued/r.crt");
    let mut ambiguous = place.command("easyrsa", &["revoke", "r"]);
    place.answer(&mut ambiguous, "yes\n").fails_with(1).says("revoke-renewed");
    easyrsa(&place, &["show-renew"]).succeeds().says("CN: r");
    easyrsa(&place, &["revoke-renewed", "r", "ss"]).succeeds();
    assert!(place.file("pki/issued/r.crt").exists() && place.file("pki/inline/private/r.inline").exists());
    easyrsa(&place, &["--days=30", "show-expire"]).succeeds().says("CN: r");
    easyrsa(&place, &["expire", "r"]).succeeds();
    easyrsa(&place, &["sign-req", "client", "r"]).succeeds();
    easyrsa(&place, &["revoke-expired", "r"]).succeeds();
    assert!(place.file("pki/inline/private/r.inline").exists(), "the live certificate keeps its files");
    easyrsa(&place, &["revoke-issued", "r", "kc"]).succeeds();
    assert!(!place.file("pki/inline/private/r.inline").exists() && !place.file("pki/private/r.key").exists());
    easyrsa(&place, &["gen-crl"]).succeeds();
    assert_eq!(easyrsa(&place, &["show-revoke"]).succeeds().stdout.matches("CN: r").count(), 3);
}

#[test]
fn exports_are_what_openssl_reads() {
    let place = Place::with_authority();
    place.easyrsa(&["--batch", "build-client-full", "r", "nopass"]).succeeds();
    easyrsa(&place, &["--passout=pass:secret", "build-client-full", "locked"]).succeeds();
    let p12 = |passphrase: &str, options: &[&str]| {
        openssl(
            &[
                &["pkcs12", "-in", &path(&place, "pki/private/r.p12"), "-passin", passphrase, "-nodes"],
                options,
            ]
            .concat(),
        )
    };
    easyrsa(&place, &["export-p12", "r", "nopass"]).succeeds();
    let shown = p12("pass:", &["-info"]);
    assert!(
        shown.contains("AES-256-CBC")
            && shown.contains("friendlyName: r")
            && shown.contains("BEGIN PRIVATE KEY"),
        "{shown}"
    );
    assert_eq!(shown.matches("BEGIN CERTIFICATE").count(), 2);
    let inline = place.read("pki/inline/private/r.p12-inline");
    assert!(inline.starts_with("<pkcs12>\nMI") && inline.ends_with("</pkcs12>\n"));
    easyrsa(&place, &["--passout=pass:export", "export-p12", "r", "noca", "nokey"]).succeeds();
    let shown = p12("pass:export", &[]);
    assert!(!shown.contains("PRIVATE KEY") && shown.matches("BEGIN CERTIFICATE").count() == 1, "{shown}");
    easyrsa(&place, &["--passout=pass:export", "export-p12", "r", "legacy"]).succeeds();
    assert!(p12("pass:export", &["-legacy", "-info"]).contains("pbeWithSHA1And3-KeyTripleDES-CBC"));
    easyrsa(&place, &["export-p7", "r"]).succeeds();
    let shown = openssl(&["pkcs7", "-print_certs", "-noout", "-in", &path(&place, "pki/issued/r.p7b")]);
    assert_eq!(shown.matches("subject=").count(), 2, "{shown}");
    easyrsa(&place, &["--passout=pass:export", "export-p8", "r"]).succeeds();
    openssl(&["pkey", "-noout", "-passin", "pass:export", "-in", &path(&place, "pki/private/r.p8")]);
    place.easyrsa(&["--batch", "export-p1", "r", "nopass"]).succeeds();
    assert!(place.read("pki/private/r.p1").starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    openssl(&["rsa", "-check", "-noout", "-in", &path(&place, "pki/private/r.p1")]);
    easyrsa(&place, &["export-p12", "locked", "nopass"]).fails_with(1);
    easyrsa(&place, &["--passin=pass:secret", "export-p12", "locked", "nopass"]).succeeds();
}

#[test]
fn passphrases_change_and_a_wrong_one_changes_nothing() {
    let place = Place::with_authority();
    easyrsa(&place, &["build-client-full", "c", "nopass"]).succeeds();
    let key = |passphrase: &str| {
        openssl(&["pkey", "-noout", "-passin", passphrase, "-in", &path(&place, "pki/private/c.key")])
    };
    easyrsa(&place, &["--passout=pass:first", "set-pass", "c"]).succeeds().says("successfully changed");
    key("pass:first");
    let before = place.snapshot("pki");
    easyrsa(&place, &["--passin=pass:wrong", "--passout=pass:other", "set-pass", "c"]).fails_with(1);
    place.is_unchanged_since(&before);
    let mut asked = place.command("easyrsa", &["set-ec-pass", "c"]);
    place.answer(&mut asked, "first\nsecond\nsecond\n").succeeds();
    key("pass:second");
    easyrsa(&place, &["--passin=pass:second", "set-rsa-pass", "c", "nopass"])
        .succeeds()
        .says("successfully removed");
    assert!(place.read("pki/private/c.key").starts_with("-----BEGIN PRIVATE KEY-----"));
    std::fs::copy(place.file("pki/private/c.key"), place.file("outside.key")).unwrap();
    easyrsa(&place, &["--passout=pass:third", "set-pass", "outside.key", "file"]).succeeds();
    assert!(place.read("outside.key").contains("ENCRYPTED"));
    easyrsa(&place, &["--passout=pass:ca-pass", "set-pass", "ca"]).succeeds();
    easyrsa(&place, &["--passin=pass:ca-pass", "gen-crl"]).succeeds();
}

#[test]
fn a_renewed_authority_keeps_its_key_and_its_certificates() {
    let place = Place::with_authority();
    easyrsa(&place, &["build-client-full", "c", "nopass"]).succeeds();
    let serial = |file: &str| openssl(&["x509", "-noout", "-serial", "-in", &path(&place, file)]);
    let public_key = || openssl(&["x509", "-noout", "-pubkey", "-in", &path(&place, "pki/ca.crt")]);
    let (old_serial, old_key) = (serial("pki/ca.crt"), public_key());
    let mut declined = place.command("easyrsa", &["renew-ca"]);
    place.answer(&mut declined, "no\n").fails_with(1);
    easyrsa(&place, &["--days=7300", "renew-ca"]).succeeds();
    assert_ne!(serial("pki/ca.crt"), old_serial);
    assert_eq!(serial("pki/expired-ca.list"), old_serial);
    assert_eq!(public_key(), old_key);
    verifies(&place, "pki/issued/c.crt");
    easyrsa(&place, &["renew-ca"]).succeeds();
    assert_eq!(place.read("pki/expired-ca.list").matches("BEGIN CERTIFICATE").count(), 2);
}

#[test]
fn self_signed_peers_know_each_other_by_fingerprint() {
    let place = Place::new();
    place.easyrsa(&["--batch", "init-pki"]).succeeds();
    place.easyrsa(&["--batch", "self-sign-server", "s", "nopass"]).succeeds().says("secp384r1");
    easyrsa(&place, &["self-sign-client", "c", "nopass"]).succeeds();
    let server = text(&place, "pki/issued/s.crt");
    assert!(server.contains("CA:TRUE") && server.contains("TLS Web Server Authentication"), "{server}");
    let list = place.read("pki/inline/pfp-server.list-inline");
    let fingerprint =
        openssl(&["x509", "-noout", "-fingerprint", "-sha256", "-in", &path(&place, "pki/issued/s.crt")]);
    let fingerprint = fingerprint.trim().split_once('=').unwrap().1;
    assert_eq!(list, format!("<peer-fingerprint>\n# s\n{fingerprint}\n</peer-fingerprint>\n"));
    assert!(
        place
            .read("pki/inline/private/c.inline")
            .contains(&format!("<peer-fingerprint>\n# s\n{fingerprint}\n"))
    );
    openssl(&["verify", "-CAfile", &path(&place, "pki/issued/s.crt"), &path(&place, "pki/issued/s.crt")]);
    easyrsa(&place, &["build-ca", "nopass"]).fails_with(1);
    easyrsa(&place, &["--req-cn=x", "self-sign-client", "d", "nopass"]).fails_with(1);
}

#[test]
fn inline_files_are_complete_with_a_tls_key_and_openvpn_reads_them() {
    let place = Place::with_authority();
    easyrsa(&place, &["gen-tls-crypt-key"]).succeeds();
    easyrsa(&place, &["gen-tls-auth-key"]).fails_with(1).says("Cannot write to existing file");
    let answer = easyrsa(&place, &["build-client-full", "c", "nopass"]).succeeds();
    assert!(!answer.stderr.contains("INCOMPLETE"), "{answer}");
    let inline = place.read("pki/inline/private/c.inline");
    assert!(
        inline.starts_with("# Easy-RSA Inline file\n# Certificate type: client\n# commonName: c\n"),
        "{inline}"
    );
    assert!(!inline.contains("Signature Algorithm"), "blocks hold PEM only");
    std::fs::write(place.file("c.conf"), format!("client\ndev null\nremote 127.0.0.1\n{inline}")).unwrap();
    let checked = Command::new("openvpn")
        .args([
            "--config",
            &path(&place, "c.conf"),
            "--verb",
            "4",
            "--connect-retry-max",
            "1",
            "--connect-timeout",
            "1",
            "--server-poll-timeout",
            "1",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        said.contains("Control Channel Encryption")
            || said.contains("TLS: Initial packet")
            || said.contains("tls_crypt"),
        "{said}"
    );
    assert!(!said.contains("Options error"), "{said}");
    place.easyrsa(&["--batch", "build-server-full", "s", "nopass"]).succeeds();
    assert!(place.read("pki/inline/private/s.inline").contains("dh none\n"));
    place.easyrsa(&["--batch", "gen-dh"]).succeeds();
    assert!(
        openssl(&["pkeyparam", "-noout", "-text", "-in", &path(&place, "pki/dh.pem")]).contains("ffdhe2048")
    );
    place.easyrsa(&["--batch", "gen-dh"]).fails_with(1).says("already exists");
    easyrsa(&place, &["inline", "s"]).succeeds().says("Inline file created:");
    assert!(place.read("pki/inline/private/s.inline").contains("<dh>\n-----BEGIN DH"));
    easyrsa(&place, &["gen-tls-cryptv2-key"]).fails_with(1);
}

#[test]
fn reports_answer_by_the_index_whatever_files_are_called() {
    let place = Place::with_authority();
    easyrsa(&place, &["--req-cn=Other Name", "--days=5", "build-client-full", "file", "nopass"]).succeeds();
    easyrsa(&place, &["show-expire"]).succeeds().says("CN: Other Name");
    easyrsa(&place, &["show-expire", "Other Name"]).succeeds().says("CN: Other Name");
    assert!(!easyrsa(&place, &["show-expire", "nobody"]).succeeds().stdout.contains("Serial"));
    easyrsa(&place, &["--days=4", "show-expire"]).succeeds();
    easyrsa(&place, &["renewable"]).succeeds().says("Other Name");
    let index = place.read("pki/index.txt");
    let serial = index.split('\t').nth(3).unwrap().to_lowercase();
    easyrsa(&place, &["check-serial", &serial]).fails_with(1);
    place.easyrsa(&["check-serial", &serial]).succeeds().says("Valid (V)");
    easyrsa(
        &place,
        &["--startdate=20200101000000Z", "--enddate=20210101000000Z", "build-client-full", "old", "nopass"],
    )
    .succeeds();
    easyrsa(&place, &["verify-cert", "old"]).fails_with(1).says("Verification status: FAILED");
    place.easyrsa(&["verify-cert", "old"]).succeeds().says("FAILED");
    easyrsa(&place, &["update-db"]).succeeds().says("1 certificates");
    assert!(
        place.read("pki/index.txt").lines().any(|row| row.starts_with("E\t") && row.ends_with("/CN=old"))
    );
    easyrsa(&place, &["--fix-offset=2", "--days=365", "build-client-full", "fixed", "nopass"]).succeeds();
    assert!(text(&place, "pki/issued/fixed.crt").contains("Not Before: Jan  1 00:00:00"));
}

#[test]
fn names_that_easy_rsa_takes_for_paths_and_variables_are_names_or_refused() {
    let place = Place::with_authority();
    for name in ["../evil", "a/b", "-x", "..", "a\nb"] {
        for command in [
            &["gen-req"][..],
            &["build-client-full"],
            &["inline"],
            &["export-p12"],
            &["set-pass"],
            &["show-cert"],
        ] {
            easyrsa(&place, &[command, &[name, "nopass"]].concat()).fails_with(1);
        }
    }
    for name in ["cash$HOME", "john doe", "alice@company.com", "j\u{fc}rgen"] {
        easyrsa(&place, &["build-client-full", name, "nopass"]).succeeds();
        verifies(&place, &format!("pki/issued/{name}.crt"));
    }
    assert!(place.read("pki/index.txt").contains("/CN=cash$HOME\n"));
}

#[test]
fn an_empty_certificate_file_that_easy_rsa_left_does_not_block_its_name() {
    let place = Place::with_authority();
    easyrsa(&place, &["gen-req", "r", "nopass"]).succeeds();
    std::fs::write(place.file("pki/issued/r.crt"), "").unwrap();
    easyrsa(&place, &["sign-req", "client", "r"]).succeeds();
    verifies(&place, "pki/issued/r.crt");
}
