//! Offboarding a name with all its generations.

use pki_core::PkiError;
use pki_core::ca::{
    CertificateForm, NextGeneration, Offboard, Offboarded, RecordState, RenewedKey, SerialNumbers,
};
use pki_core::cert::Profile;
use pki_core::cert::build::Validity;
use pki_core::crl::RevocationReason;
use pki_core::key::KeyAlgorithm;
use pki_core::name::FileBase;

use crate::support::{Pki, openssl};

fn name(text: &str) -> FileBase {
    FileBase::parse(text).unwrap()
}

fn offboard(pki: &Pki, text: &str) -> Result<Offboarded, PkiError> {
    let reason = Some(RevocationReason::CessationOfOperation);
    let request = Offboard { name: name(text), reason, list_days: 180 };
    pki.run(|authority, context| authority.offboard(&request, context))
}

fn renew(pki: &Pki, text: &str, key: RenewedKey) {
    let request = NextGeneration {
        name: name(text),
        key,
        digest: None,
        validity: Validity::days_from(pki.now, 825).unwrap(),
        serial_numbers: SerialNumbers::Random159,
        form: CertificateForm::default(),
    };
    pki.run(|authority, context| authority.next_generation(&request, context)).unwrap();
}

fn in_force(pki: &Pki) -> Vec<String> {
    let records = pki.open().reader().records().unwrap().records;
    let valid = records.into_iter().filter(|record| record.state(pki.now) == RecordState::Valid);
    valid.map(|record| record.common_name).collect()
}

fn pki_with_three_generations() -> Pki {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    pki.issue_client("bob");
    renew(&pki, "alice", RenewedKey::Same);
    let protection = pki_core::key::Protection::None;
    renew(&pki, "alice", RenewedKey::New { algorithm: None, protection });
    pki.open().put_profile(&name("alice"), "client\n").unwrap();
    pki
}

#[test]
fn every_generation_is_revoked_listed_and_its_bundles_are_gone() {
    let pki = pki_with_three_generations();
    let done = offboard(&pki, "alice").unwrap();
    assert_eq!(done.revoked.len(), 3);
    assert_eq!(done.list.as_ref().unwrap().entries, 3);
    assert_eq!(done.removed, [pki.file("inline/private/alice.ovpn")]);
    assert!(!pki.file("inline/private/alice.ovpn").exists() && !pki.file("private/alice.key").exists());
    assert_eq!(in_force(&pki), ["bob"]);
    let list = openssl(&["crl", "-noout", "-text", "-in", pki.file("crl.pem").to_str().unwrap()]);
    assert_eq!(list.matches("Cessation Of Operation").count(), 3, "{list}");
}

#[test]
fn a_second_time_changes_nothing() {
    let pki = pki_with_three_generations();
    offboard(&pki, "alice").unwrap();
    let before = pki.snapshot();
    let again = offboard(&pki, "alice").unwrap();
    assert_eq!((again.revoked.len(), again.revoked_before.len()), (0, 3));
    assert_eq!((again.list, again.removed.len()), (None, 0));
    assert!(before == pki.snapshot());
}

#[test]
fn what_an_interrupted_run_left_is_done_by_the_next_one() {
    let pki = pki_with_three_generations();
    pki.revoke("alice", None).unwrap();
    pki.open().put_profile(&name("alice"), "client\n").unwrap();
    let done = offboard(&pki, "alice").unwrap();
    assert_eq!((done.revoked.len(), done.revoked_before.len(), done.removed.len()), (2, 1, 1));
    assert_eq!(done.list.unwrap().entries, 3);

    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    pki.gen_crl(180).unwrap();
    pki.revoke("alice", None).unwrap();
    let done = offboard(&pki, "alice").unwrap();
    assert_eq!((done.revoked.len(), done.list.unwrap().entries), (0, 1), "only the list was missing");
}

#[test]
fn crl_05_a_list_that_lasts_longer_is_not_cut_short() {
    let pki = pki_with_three_generations();
    let published = pki.gen_crl(365).unwrap().next_update;
    let done = offboard(&pki, "alice").unwrap();
    assert!(done.list.unwrap().next_update >= published);
}

#[test]
fn a_name_that_never_was_is_an_error_and_not_a_success() {
    let pki = pki_with_three_generations();
    assert!(matches!(offboard(&pki, "alcie"), Err(PkiError::NoSuchCertificate { .. })));
    assert_eq!(in_force(&pki).len(), 4);
}

#[test]
fn a_file_whose_certificate_bears_another_name_goes_as_well() {
    let pki = pki_with_three_generations();
    for (from, to) in [("issued/bob.crt", "issued/robert.crt"), ("private/bob.key", "private/robert.key")] {
        std::fs::rename(pki.file(from), pki.file(to)).unwrap();
    }
    offboard(&pki, "robert").unwrap();
    assert!(!pki.file("issued/robert.crt").exists() && !pki.file("private/robert.key").exists());
    assert!(in_force(&pki).iter().all(|name| name == "alice"));
}

#[test]
fn cfg_04_a_profile_is_readable_by_its_owner_only_and_goes_with_its_certificate() {
    use std::os::unix::fs::PermissionsExt;

    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    let stored = pki.open().put_profile(&name("alice"), "client\n").unwrap();
    assert!(stored.is_new);
    let mode = std::fs::metadata(&stored.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!pki.open().put_profile(&name("alice"), "client\n").unwrap().is_new);
    assert!(pki.open().put_profile(&name("alice"), "client\ndev tun\n").unwrap().is_new);
    pki.revoke("alice", None).unwrap();
    assert!(!stored.file.exists());
}
