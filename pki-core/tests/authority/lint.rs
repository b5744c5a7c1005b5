//! Judging profiles with real certificates and keys inside.

use pki_core::bundle::lint::{Circumstances, LintReport, Severity, lint};
use pki_core::cert::{CertificateKind, Profile};
use pki_core::key::{KeyAlgorithm, Protection};
use pki_core::secret::Passphrase;

use crate::profiles::profile_of;
use crate::support::Pki;

fn pki_with(name: &str) -> Pki {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client(name);
    pki
}

fn judged(pki: &Pki, text: &str, days_later: i64, mode: u32) -> LintReport {
    lint(text.as_bytes(), Circumstances { now: pki.now.plus_days(days_later), mode: Some(mode) })
}

fn codes(report: &LintReport) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

/// The block of this name in `text`, tags included.
fn block<'t>(text: &'t str, name: &str) -> &'t str {
    let begin = text.find(&format!("<{name}>")).unwrap();
    let end = format!("</{name}>\n");
    &text[begin..text.find(&end).unwrap() + end.len()]
}

#[test]
fn a_profile_of_ones_own_has_nothing_worse_than_notes() {
    let pki = pki_with("alice");
    let report = judged(&pki, &profile_of(&pki, "alice"), 0, 0o600);
    assert_eq!(codes(&report), ["key-plain", "server-unnamed"]);
    assert_eq!(report.worst(), Some(Severity::Note));
}

#[test]
fn cfg_04_a_key_that_others_may_read_is_an_error() {
    let pki = pki_with("alice");
    let report = judged(&pki, &profile_of(&pki, "alice"), 0, 0o644);
    assert!(codes(&report).contains(&"key-exposed"));
}

#[test]
fn an_encrypted_key_is_no_matter_and_a_weakly_encrypted_one_is() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    for (name, rounds, expected) in [
        ("alice", Protection::ROUNDS, &["server-unnamed"][..]),
        ("bob", 100_000, &["key-encryption-weak", "server-unnamed"]),
    ] {
        let mut request = pki.request(CertificateKind::Client, name);
        request.protection =
            Protection::Passphrase { passphrase: Passphrase::new(b"sesame".to_vec()), rounds };
        pki.issue(&request).unwrap();
        assert_eq!(codes(&judged(&pki, &profile_of(&pki, name), 0, 0o644)), expected);
    }
}

#[test]
fn certificates_expire_while_a_profile_lies_around() {
    let pki = pki_with("alice");
    let text = profile_of(&pki, "alice");
    let after = |days| codes(&judged(&pki, &text, days, 0o600));
    assert!(after(825 - 31).iter().all(|code| !code.starts_with("certificate")));
    assert!(after(825 - 29).contains(&"certificate-expiring"));
    assert!(after(826).contains(&"certificate-expired"));
    assert!(after(3651).contains(&"authority-expired"));
    assert!(after(-2).contains(&"certificate-early"));
}

#[test]
fn certificates_and_keys_of_others_are_noticed() {
    let pki = pki_with("alice");
    pki.issue_client("bob");
    pki.issue(&pki.request(CertificateKind::Server, "server")).unwrap();
    let other = pki_with("alice");
    let (alice, bob) = (profile_of(&pki, "alice"), profile_of(&pki, "bob"));
    let foreign = profile_of(&other, "alice");

    let mixed = alice.replace(block(&alice, "key"), block(&bob, "key"));
    assert!(codes(&judged(&pki, &mixed, 0, 0o600)).contains(&"key-mismatch"));
    let mixed = alice.replace(block(&alice, "ca"), block(&foreign, "ca"));
    assert!(codes(&judged(&pki, &mixed, 0, 0o600)).contains(&"certificate-foreign"));
    let server = profile_of(&pki, "server");
    assert!(codes(&judged(&pki, &server, 0, 0o600)).contains(&"certificate-not-for-clients"));
    let leaf_as_authority = alice.replace(
        block(&alice, "ca"),
        &block(&alice, "cert").replace("<cert>", "<ca>").replace("</cert>", "</ca>"),
    );
    assert!(codes(&judged(&pki, &leaf_as_authority, 0, 0o600)).contains(&"authority-unusable"));
}

#[test]
fn blocks_that_cannot_be_read_are_named_with_their_line() {
    let pki = pki_with("alice");
    let scribble = "client\n<ca>\nx\n</ca>\n<cert>\nx\n</cert>\n<key>\nx\n</key>\n<tls-auth>\nx\n</tls-auth>\n\
        <tls-crypt-v2>\nx\n</tls-crypt-v2>\n";
    let report = judged(&pki, scribble, 0, 0o600);
    let found: Vec<_> =
        report.findings.iter().filter_map(|finding| finding.line.map(|line| (line, finding.code))).collect();
    assert_eq!(
        found,
        [
            (2, "certificate-unreadable"),
            (5, "certificate-unreadable"),
            (8, "key-unreadable"),
            (11, "wrapping-key-unreadable"),
            (14, "wrapping-key-unreadable"),
        ]
    );
}

#[test]
fn crt_04_short_keys_and_signatures_that_can_be_forged_are_warned_of() {
    let pki = Pki::new(Profile::Strict);
    let text = "client\n<ca>\n".to_owned() + WEAK_AUTHORITY + "</ca>\n";
    let report = judged(&pki, &text, 0, 0o600);
    assert!(codes(&report).contains(&"certificate-weak"), "{report:?}");
}

const WEAK_AUTHORITY: &str = include_str!("../../../testdata/profiles/weak-authority.pem");
