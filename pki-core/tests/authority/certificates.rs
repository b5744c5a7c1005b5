//! Certificates and their files, judged by openssl.

use std::os::unix::fs::PermissionsExt;

use pki_core::PkiError;
use pki_core::ca::SerialNumbers;
use pki_core::cert::{CertificateKind, Profile, SubjectAltName};
use pki_core::dn::{Organisation, OrganisationField, Subject};
use pki_core::key::{Digest, KeyAlgorithm};
use pki_core::name::CommonName;

use crate::support::{EVERY_ALGORITHM, Pki, openssl, text, try_openssl};

fn verify(pki: &Pki, name: &str, purpose: &str, strict: bool) -> (bool, String) {
    let (authority, leaf) = (pki.file("ca.crt"), pki.file(&format!("issued/{name}.crt")));
    let mut arguments = vec!["verify", "-CAfile", text(&authority), "-purpose", purpose];
    arguments.extend(strict.then_some("-x509_strict"));
    arguments.push(text(&leaf));
    try_openssl(&arguments)
}

#[test]
fn h1_3_and_h1_4_strict_certificates_pass_openssls_strict_checks_with_every_kind_of_key() {
    for algorithm in EVERY_ALGORITHM {
        let pki = Pki::with_authority(Profile::Strict, algorithm);
        for (kind, name, purpose, other) in [
            (CertificateKind::Server, "server", "sslserver", "sslclient"),
            (CertificateKind::Client, "client", "sslclient", "sslserver"),
        ] {
            let mut request = pki.request(kind, name);
            request.algorithm = algorithm;
            pki.issue(&request).unwrap();
            let (is_good, said) = verify(&pki, name, purpose, true);
            assert!(is_good, "{algorithm} {name}: {said}");
            let (is_good, _) = verify(&pki, name, other, true);
            assert!(!is_good, "{algorithm} {name} serves as {other}");
        }
    }
}

#[test]
fn a_certificate_for_both_ends_passes_as_both() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue(&pki.request(CertificateKind::ServerClient, "both")).unwrap();
    assert!(verify(&pki, "both", "sslserver", true).0);
    assert!(verify(&pki, "both", "sslclient", true).0);
}

#[test]
fn every_digest_verifies_with_every_kind_of_authority() {
    for algorithm in EVERY_ALGORITHM {
        let pki = Pki::with_authority(Profile::Strict, algorithm);
        for digest in [Digest::Sha256, Digest::Sha384, Digest::Sha512] {
            let name = format!("{digest:?}");
            let mut request = pki.request(CertificateKind::Client, &name);
            request.digest = Some(digest);
            pki.issue(&request).unwrap();
            let (is_good, said) = verify(&pki, &name, "sslclient", true);
            assert!(is_good, "{algorithm} {name}: {said}");
        }
    }
}

#[test]
fn h1_5_files_lie_where_easy_rsa_puts_them_and_belong_together() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let issued = pki.issue_client("alice@company.com");
    let by_serial = pki.read(&format!("certs_by_serial/{}.pem", issued.serial));
    assert_eq!(by_serial, pki.read("issued/alice@company.com.crt"));
    let request = pki.file("reqs/alice@company.com.req");
    assert!(openssl(&["req", "-verify", "-noout", "-in", text(&request)]).contains("OK"));
    let of_key = openssl(&["pkey", "-pubout", "-in", text(&pki.file("private/alice@company.com.key"))]);
    let certificate = pki.file("issued/alice@company.com.crt");
    assert_eq!(of_key, openssl(&["x509", "-pubkey", "-noout", "-in", text(&certificate)]));
    assert_eq!(of_key, openssl(&["req", "-pubkey", "-noout", "-in", text(&request)]));
}

#[test]
fn g_pki_4_secrets_are_for_the_owner_and_public_files_for_everybody() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    pki.gen_crl(180).unwrap();
    let mode = |name: &str| std::fs::metadata(pki.file(name)).unwrap().permissions().mode() & 0o777;
    for directory in ["", "private", "issued", "reqs", "certs_by_serial", "revoked"] {
        assert_eq!(mode(directory), 0o700, "{directory}");
    }
    for file in
        ["private/ca.key", "private/alice.key", "index.txt", "serial", "issued/alice.crt", "reqs/alice.req"]
    {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    for file in ["ca.crt", "crl.pem", "crl.der"] {
        assert_eq!(mode(file), 0o644, "{file}");
    }
}

#[test]
fn pki_04_a_finished_command_leaves_nothing_but_its_files() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    let files = pki.snapshot();
    let strange = files.paths().find(|path| path.contains("/pki/.") || path.contains("postern"));
    assert_eq!(strange, None);
    assert!(!pki.file("lock.file").exists());
}

#[test]
fn key_06_serial_numbers_are_positive_random_and_20_octets_long() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let serials: Vec<String> =
        (0..20).map(|number| pki.issue_client(&format!("c{number}")).serial.to_string()).collect();
    let distinct: std::collections::BTreeSet<&String> = serials.iter().collect();
    assert_eq!(distinct.len(), serials.len());
    assert!(serials.iter().all(|serial| serial.len() == 40 && serial.as_bytes()[0] < b'8'), "{serials:?}");
}

#[test]
fn serial_numbers_can_be_counted_as_easy_rsa_counts_them() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let mut request = pki.request(CertificateKind::Client, "one");
    request.serial_numbers = SerialNumbers::Sequential;
    assert_eq!(pki.issue(&request).unwrap().serial.to_string(), "01");
    let mut request = pki.request(CertificateKind::Client, "two");
    request.serial_numbers = SerialNumbers::Sequential;
    assert_eq!(pki.issue(&request).unwrap().serial.to_string(), "02");
    assert_eq!(pki.read("serial"), "03\n");

    std::fs::write(pki.file("serial"), "01\n").unwrap();
    let mut request = pki.request(CertificateKind::Client, "three");
    request.serial_numbers = SerialNumbers::Sequential;
    assert!(matches!(pki.issue(&request), Err(PkiError::SerialTaken { .. })));
    std::fs::write(pki.file("serial"), "what\n").unwrap();
    assert!(matches!(pki.issue(&request), Err(PkiError::SerialFile { .. })));
}

#[test]
fn alternative_names_and_organisations_come_out_as_openssl_reads_them() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let mut request = pki.request(CertificateKind::Server, "server");
    request.names = Some(SubjectAltName::parse("DNS:vpn.example.test,IP:192.0.2.1,IP:2001:db8::1").unwrap());
    let mut organisation = Organisation::default();
    organisation.set(OrganisationField::Country, "DE").unwrap();
    organisation.set(OrganisationField::Organisation, "Acme, Inc.").unwrap();
    organisation.set(OrganisationField::Email, "ops@example.test").unwrap();
    request.subject = Subject::in_organisation(CommonName::parse("jürgen/ü+x").unwrap(), organisation);
    pki.issue(&request).unwrap();
    let certificate = pki.file("issued/server.crt");
    let shown = openssl(&[
        "x509",
        "-noout",
        "-subject",
        "-nameopt",
        "utf8,sep_comma_plus",
        "-ext",
        "subjectAltName",
        "-in",
        text(&certificate),
    ]);
    assert!(
        shown.contains("DNS:vpn.example.test, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1"),
        "{shown}"
    );
    assert!(shown.contains("C=DE,O=Acme, Inc.,CN=jürgen/ü+x,emailAddress=ops@example.test"), "{shown}");
    assert!(
        pki.read("index.txt").ends_with(
            "/C=DE/O=Acme, Inc./CN=j\\xC3\\xBCrgen\\/\\xC3\\xBC\\+x/emailAddress=ops@example.test\n"
        )
    );
}

#[test]
fn pki_09_openssl_ca_reads_the_index_that_we_write() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    for name in ["alice", "jürgen", "a=b+c", "john doe"] {
        pki.issue_client(name);
    }
    pki.revoke("jürgen", None).unwrap();
    let configuration = pki.file("test.cnf");
    std::fs::write(
        &configuration,
        format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={0}/index.txt\nserial={0}/serial\ndefault_md=sha256\n",
            pki.path().display()
        ),
    )
    .unwrap();
    let said = openssl(&[
        "ca",
        "-config",
        text(&configuration),
        "-updatedb",
        "-cert",
        text(&pki.file("ca.crt")),
        "-keyfile",
        text(&pki.file("private/ca.key")),
    ]);
    assert!(!said.contains("error"), "{said}");
    let serial = pki.issue_client("late").serial.to_string();
    let (_, said) = try_openssl(&["ca", "-config", text(&configuration), "-status", &serial]);
    assert!(said.contains(&format!("{serial}=Valid (V)")), "{said}");
}

#[test]
fn pki_06_an_existing_name_is_refused_and_nothing_changes() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    std::fs::write(pki.file("private/orphan.key"), "").unwrap();
    std::fs::write(pki.file("reqs/orphan2.req"), "").unwrap();
    let before = pki.snapshot();
    for name in ["alice", "orphan", "orphan2", "ca"] {
        let refusal = pki.issue(&pki.request(CertificateKind::Client, name));
        assert!(matches!(refusal, Err(PkiError::NameTaken { .. })), "{name}");
    }
    assert!(matches!(
        pki.build_ca("Other", KeyAlgorithm::P256, pki_core::key::Protection::None),
        Err(PkiError::AuthorityExists { .. })
    ));
    assert_eq!(pki.snapshot(), before);
}

#[test]
fn unique_subjects_are_demanded_when_the_index_says_so() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    std::fs::write(pki.file("index.txt.attr"), "unique_subject = yes\n").unwrap();
    pki.issue_client("alice");
    let mut request = pki.request(CertificateKind::Client, "alice2");
    request.subject = Subject::common_name_only(CommonName::parse("alice").unwrap());
    assert!(matches!(pki.issue(&request), Err(PkiError::SubjectTaken { .. })));
    pki.revoke("alice", None).unwrap();
    pki.issue(&request).unwrap();
}

#[test]
fn pki_07_without_an_authority_nothing_is_issued() {
    let pki = Pki::new(Profile::Strict);
    let before = pki.snapshot();
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "alice"));
    assert!(matches!(refusal, Err(PkiError::NoAuthority { .. })));
    assert!(matches!(pki.gen_crl(180), Err(PkiError::NoAuthority { .. })));
    assert_eq!(pki.snapshot(), before);

    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    std::fs::remove_file(pki.file("private/ca.key")).unwrap();
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "alice"));
    assert!(matches!(refusal, Err(PkiError::NoAuthority { missing }) if missing.ends_with("private/ca.key")));
}

#[test]
fn a_key_that_is_not_the_authoritys_signs_nothing() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let other = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    std::fs::copy(other.file("private/ca.key"), pki.file("private/ca.key")).unwrap();
    let before = pki.snapshot();
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "alice"));
    assert!(matches!(refusal, Err(PkiError::ForeignAuthorityKey { .. })));
    assert_eq!(pki.snapshot(), before);
}
