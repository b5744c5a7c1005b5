//! A clock that was set back issues nothing.

use pki_core::cert::{CertificateKind, Profile};
use pki_core::key::KeyAlgorithm;
use pki_core::time::Timestamp;
use pki_core::{ErrorKind, Explain, PkiError};

use crate::support::Pki;

#[test]
fn pki_08_a_clock_before_the_authoritys_beginning_issues_nothing() {
    let mut pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    let before = pki.snapshot();
    pki.now = pki.now.plus_days(-1);
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "alice")).unwrap_err();
    assert!(matches!(refusal, PkiError::ClockSetBack { evidence: "ca.crt", .. }));
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    assert!(matches!(pki.gen_crl(180), Err(PkiError::ClockSetBack { .. })));
    assert_eq!(pki.snapshot(), before);
}

#[test]
fn pki_08_a_clock_before_the_last_list_issues_nothing_unless_it_is_ignored() {
    let mut pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    pki.now = pki.now.plus_days(10);
    pki.gen_crl(180).unwrap();
    pki.now = pki.now.plus_days(-5);
    let refusal = pki.issue(&pki.request(CertificateKind::Client, "alice")).unwrap_err();
    assert!(matches!(refusal, PkiError::ClockSetBack { evidence: "crl.pem", .. }));
    pki.settings.ignore_clock = true;
    pki.issue(&pki.request(CertificateKind::Client, "alice")).unwrap();
}

#[test]
fn pki_08_certificates_can_begin_after_2038_and_end_after_2050() {
    let mut pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::Ed25519);
    pki.now = Timestamp::from_calendar(2049, 6, 1, 0, 0, 0).unwrap();
    let issued = pki.issue_client("late");
    assert_eq!(issued.not_after.to_string(), "2051-09-04T00:00:00Z");
    assert!(pki.read("index.txt").starts_with("V\t20510904000000Z\t\t"));
    pki.now = Timestamp::YEAR_2050.plus_days(1);
    pki.revoke("late", None).unwrap();
    assert!(pki.read("index.txt").contains("\t20500102000000Z\t"));
    assert_eq!(pki.gen_crl(180).unwrap().entries, 1);
}
