//! PKIs that the real easy-rsa made are taken over in place.

use std::collections::BTreeSet;

use pki_core::PkiError;
use pki_core::cert::CertificateKind;
use pki_core::crl::RevocationReason;
use pki_core::key::KeyError;
use serde_json::Value;

use crate::support::{Pki, openssl, text};

/// Directory and passphrase of the CA key.
const PKIS: [(&str, &str); 5] =
    [("rsa", "capass"), ("ec", ""), ("ec-subca", ""), ("ed25519", ""), ("v310-ec", "")];

/// Long enough to end after the published lists, which end in 2048.
const DAYS: u32 = 9000;

fn golden(name: &str, passphrase: &'static str) -> Pki {
    let mut pki = Pki::golden(name);
    pki.passphrase = passphrase;
    pki
}

fn manifest(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/easyrsa/manifest.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[name].clone()
}

fn serials_on_list(pki: &Pki) -> BTreeSet<String> {
    let list = openssl(&["crl", "-noout", "-text", "-in", text(&pki.file("crl.pem"))]);
    let serials = list.lines().filter_map(|line| line.trim().strip_prefix("Serial Number: "));
    serials.map(str::to_owned).collect()
}

#[test]
fn crt_02_a_new_list_holds_exactly_what_easy_rsas_own_list_held() {
    for (name, passphrase) in PKIS {
        let pki = golden(name, passphrase);
        let expected: BTreeSet<String> = manifest(name)["crl_serials"]
            .as_array()
            .unwrap()
            .iter()
            .map(|serial| serial.as_str().unwrap().to_owned())
            .collect();
        let list = pki.gen_crl(DAYS).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(list.entries, expected.len(), "{name}");
        assert_eq!(serials_on_list(&pki), expected, "{name}");
    }
}

#[test]
fn certificates_are_issued_and_revoked_in_place() {
    for (name, passphrase) in PKIS {
        let pki = golden(name, passphrase);
        let index = pki.read("index.txt");
        let issued = pki.issue_client("newcomer@example.test");
        assert!(pki.read("index.txt").starts_with(&index), "{name}: earlier rows are untouched");
        let chain = if name == "ec-subca" { golden("ec", "").read("ca.crt") } else { String::new() };
        let anchors = pki.file("anchors.pem");
        std::fs::write(&anchors, format!("{chain}{}", pki.read("ca.crt"))).unwrap();
        openssl(&["verify", "-CAfile", text(&anchors), text(&issued.certificate)]);
        pki.revoke("newcomer@example.test", Some(RevocationReason::Superseded)).unwrap();
        pki.gen_crl(DAYS).unwrap();
        assert!(serials_on_list(&pki).contains(&issued.serial.to_string()), "{name}");
    }
}

#[test]
fn certificates_that_easy_rsa_issued_can_be_revoked() {
    for (name, passphrase, victim) in [
        ("rsa", "capass", "client1"),
        ("ec", "", "jürgen"),
        ("ec", "", "john doe"),
        ("ec", "", "longlived"),
        ("ed25519", "", "client1"),
        ("v310-ec", "", "server1"),
    ] {
        let pki = golden(name, passphrase);
        let unchanged = pki.read("index.txt").lines().count() - 1;
        let before: BTreeSet<String> = pki.read("index.txt").lines().map(str::to_owned).collect();
        pki.revoke(victim, None).unwrap();
        let after: BTreeSet<String> = pki.read("index.txt").lines().map(str::to_owned).collect();
        assert_eq!(before.intersection(&after).count(), unchanged, "{name}: {victim}");
        assert!(!pki.file(&format!("private/{victim}.key")).exists());
        assert!(!pki.file(&format!("inline/private/{victim}.inline")).exists());
        pki.gen_crl(DAYS).unwrap();
    }
}

#[test]
fn pki_10_a_wrong_passphrase_leaves_every_file_alone() {
    let pki = golden("rsa", "wrong");
    let before = pki.snapshot();
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "x"));
    assert!(matches!(refusal, Err(PkiError::Key { cause: KeyError::WrongPassphrase, .. })));
    assert!(matches!(pki.gen_crl(DAYS), Err(PkiError::Key { cause: KeyError::WrongPassphrase, .. })));
    assert_eq!(pki.snapshot(), before);
}

#[test]
fn the_easyrsa_profile_writes_what_easy_rsa_writes() {
    let pki = golden("rsa", "capass");
    for (kind, model) in [(CertificateKind::Client, "client1"), (CertificateKind::Server, "server1")] {
        let mut request = pki.request(kind, "mine");
        request.algorithm = pki_core::key::KeyAlgorithm::RSA_2048;
        if kind == CertificateKind::Server {
            request.names =
                Some(pki_core::cert::SubjectAltName::parse("DNS:vpn.example.test,IP:192.0.2.1").unwrap());
        }
        pki.issue(&request).unwrap();
        assert_eq!(
            dump(&pki, "issued/mine.crt"),
            dump(&pki, &format!("issued/{model}.crt")).replace(model, "mine")
        );
        pki.revoke("mine", None).unwrap();
    }
}

/// openssl's dump without what differs between any two certificates.
fn dump(pki: &Pki, file: &str) -> String {
    let path = pki.file(file);
    let options = "no_serial,no_validity,no_pubkey,no_sigdump";
    let dump = openssl(&["x509", "-noout", "-text", "-certopt", options, "-in", text(&path)]);
    let lines: Vec<&str> = dump.lines().collect();
    let is_key_identifier = |at: usize| at > 0 && lines[at - 1].contains("Subject Key Identifier");
    let kept: Vec<&str> = (0..lines.len()).filter(|at| !is_key_identifier(*at)).map(|at| lines[at]).collect();
    kept.join("\n")
}

#[test]
fn the_easyrsa_profile_lists_as_easy_rsa_lists() {
    for (name, passphrase) in PKIS {
        let pki = golden(name, passphrase);
        let shape = |pki: &Pki| {
            let list = openssl(&["crl", "-noout", "-text", "-in", text(&pki.file("crl.pem"))]);
            let until = list.find("    Signature Algorithm: ").map(|first| first + 1).unwrap();
            let end = list[until..].find("    Signature Algorithm: ").map_or(list.len(), |at| until + at);
            let dated = |line: &&str| !line.contains("Update:");
            list[..end].lines().filter(dated).collect::<Vec<_>>().join("\n")
        };
        let before = shape(&pki);
        pki.gen_crl(DAYS).unwrap();
        assert_eq!(shape(&pki), before, "{name}");
    }
}
