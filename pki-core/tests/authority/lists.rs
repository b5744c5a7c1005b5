//! Revocation and revocation lists, judged by openssl.

use pki_core::cert::Profile;
use pki_core::crl::{PublishError, RevocationReason};
use pki_core::key::KeyAlgorithm;
use pki_core::{ErrorKind, Explain, PkiError};

use crate::support::{EVERY_ALGORITHM, Pki, openssl, text, try_openssl};

fn listed(pki: &Pki) -> String {
    openssl(&[
        "crl",
        "-noout",
        "-text",
        "-CAfile",
        text(&pki.file("ca.crt")),
        "-in",
        text(&pki.file("crl.pem")),
    ])
}

#[test]
fn hr_2_and_hr_12_a_revoked_certificate_is_on_the_list_and_refused() {
    for algorithm in EVERY_ALGORITHM {
        let pki = Pki::with_authority(Profile::Strict, algorithm);
        let (alice, bob) = (pki.issue_client("alice"), pki.issue_client("bob"));
        pki.revoke("bob", Some(RevocationReason::KeyCompromise)).unwrap();
        assert_eq!(pki.gen_crl(180).unwrap().entries, 1);
        let list = listed(&pki);
        assert!(list.contains("verify OK"), "{algorithm}: {list}");
        assert!(list.contains(&bob.serial.to_string()) && list.contains("Key Compromise"), "{list}");
        assert!(!list.contains(&alice.serial.to_string()), "{list}");
        let by_serial = pki.file(&format!("certs_by_serial/{}.pem", bob.serial));
        let check = |certificate: &str| {
            let (authority, list) = (pki.file("ca.crt"), pki.file("crl.pem"));
            try_openssl(&[
                "verify",
                "-x509_strict",
                "-crl_check",
                "-CAfile",
                text(&authority),
                "-CRLfile",
                text(&list),
                certificate,
            ])
        };
        assert!(check(text(&pki.file("issued/alice.crt"))).0);
        let (is_good, said) = check(text(&by_serial));
        assert!(!is_good && said.contains("revoked"), "{said}");
    }
}

#[test]
fn hr_1_revoking_moves_the_files_aside_and_removes_what_was_made_from_them() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let alice = pki.issue_client("alice");
    std::fs::create_dir_all(pki.file("inline/private")).unwrap();
    for derived in [
        "private/alice.p12",
        "issued/alice.p7b",
        "inline/private/alice.inline",
        "inline/private/alice.p12-inline",
    ] {
        std::fs::write(pki.file(derived), "x").unwrap();
    }
    std::fs::write(pki.file("inline/private/other.inline"), "x").unwrap();
    let (certificate, key) = (pki.read("issued/alice.crt"), pki.read("private/alice.key"));
    pki.revoke("alice", None).unwrap();
    let serial = alice.serial;
    assert_eq!(pki.read(&format!("revoked/certs_by_serial/{serial}.crt")), certificate);
    assert_eq!(pki.read(&format!("revoked/private_by_serial/{serial}.key")), key);
    assert!(pki.file(&format!("revoked/reqs_by_serial/{serial}.req")).exists());
    assert!(pki.file(&format!("certs_by_serial/{serial}.pem")).exists());
    assert_eq!(pki.snapshot().paths().find(|path| path.contains("alice")), None);
    assert!(pki.file("inline/private/other.inline").exists());
    let again = pki.issue_client("alice");
    assert_ne!(again.serial, serial);
}

#[test]
fn hr_1_only_what_is_there_and_valid_can_be_revoked() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    assert!(matches!(pki.revoke("nobody", None), Err(PkiError::NoCertificate { .. })));
    pki.issue_client("alice");
    let copy = pki.read("issued/alice.crt");
    pki.revoke("alice", None).unwrap();
    std::fs::write(pki.file("issued/alice.crt"), copy).unwrap();
    let before = pki.snapshot();
    assert!(matches!(pki.revoke("alice", None), Err(PkiError::AlreadyRevoked { .. })));
    std::fs::write(pki.file("index.txt"), "").unwrap();
    assert!(matches!(pki.revoke("alice", None), Err(PkiError::NotInIndex { .. })));
    std::fs::write(pki.file("issued/alice.crt"), "scribble").unwrap();
    assert!(matches!(pki.revoke("alice", None), Err(PkiError::Certificate { .. })));
    assert!(pki.snapshot().paths().eq(before.paths()));
}

#[test]
fn hr_2_lists_are_sorted_by_number_whatever_the_order_of_the_index() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    let row = |serial: &str| format!("R\t480707074219Z\t261120074219Z\t{serial}\tunknown\t/CN=x\n");
    std::fs::write(pki.file("index.txt"), ["0100", "FF", "02"].map(row).concat()).unwrap();
    pki.gen_crl(180).unwrap();
    let list = listed(&pki);
    let serials: Vec<&str> =
        list.lines().filter_map(|line| line.trim().strip_prefix("Serial Number: ")).collect();
    assert_eq!(serials, ["02", "FF", "0100"]);
}

#[test]
fn crl_05_the_number_of_the_list_only_goes_up() {
    let mut pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    let mut last = pki.gen_crl(180).unwrap().number;
    for _ in 0..3 {
        let next = pki.gen_crl(180).unwrap().number;
        assert!(next > last, "several lists in one second");
        last = next;
    }
    std::fs::remove_file(pki.file("crl.pem")).unwrap();
    pki.now = pki.now.plus_seconds(60);
    let next = pki.gen_crl(180).unwrap().number;
    assert!(next > last, "the list was lost");
    assert!(listed(&pki).contains("CRL Number"));
}

#[test]
fn crl_05_a_list_that_would_end_earlier_needs_force() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    pki.gen_crl(180).unwrap();
    let before = pki.snapshot();
    let refusal = pki.gen_crl(30).unwrap_err();
    assert!(matches!(refusal, PkiError::Crl(PublishError::NextUpdateEarlier { .. })));
    assert_eq!((refusal.code(), refusal.kind()), ("crl-next-update-earlier", ErrorKind::Denied));
    assert_eq!(pki.snapshot(), before);
    let number = listed(&pki);
    let forced = pki_core::ca::GenCrl { days: 30, digest: None, force: true };
    pki.run(|authority, context| authority.gen_crl(&forced, context)).unwrap();
    assert_ne!(listed(&pki), number);
}

#[test]
fn crl_05_a_certificate_does_not_silently_leave_the_list() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    pki.issue_client("alice");
    pki.revoke("alice", None).unwrap();
    pki.gen_crl(180).unwrap();
    std::fs::write(pki.file("index.txt"), "").unwrap();
    let refusal = pki.gen_crl(180).unwrap_err();
    assert!(matches!(refusal, PkiError::Crl(PublishError::WouldShrink { count: 1, .. })));
    assert_eq!(refusal.kind(), ErrorKind::Denied);
}

#[test]
fn crl_05_a_list_that_cannot_be_read_or_is_not_ours_is_not_replaced_without_force() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    std::fs::write(pki.file("crl.pem"), "scribble").unwrap();
    assert!(matches!(pki.gen_crl(180), Err(PkiError::Crl(PublishError::PublishedDamaged))));
    let mut other = Pki::new(Profile::Strict);
    other.now = pki.now;
    other.build_ca("Other CA", KeyAlgorithm::Ed25519, pki_core::key::Protection::None).unwrap();
    other.gen_crl(180).unwrap();
    std::fs::copy(other.file("crl.pem"), pki.file("crl.pem")).unwrap();
    assert!(matches!(pki.gen_crl(180), Err(PkiError::Crl(PublishError::PublishedForeign))));
    assert_eq!(pki.read("crl.pem"), other.read("crl.pem"));
}

#[test]
fn a_row_that_cannot_be_understood_stops_the_list_instead_of_shortening_it() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    std::fs::write(pki.file("index.txt"), "R\t480707074219Z\tnever\t07\tunknown\t/CN=x\n").unwrap();
    assert!(matches!(pki.gen_crl(180), Err(PkiError::Crl(PublishError::IndexRow { .. }))));
}
