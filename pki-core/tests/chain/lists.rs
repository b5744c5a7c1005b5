//! Threat model CRL-01 to CRL-03, and the limits of section 8.

use std::time::Duration;

use pki_core::chain::{self, ChainPolicy, ProfileDefect, Purpose, Reason, Request, Revocation, TrustAnchors};
use pki_core::crl::{
    Crl, CrlRefusal, Freshness, MAX_FILE_SIZE, Replacement, RevocationIndex, RevocationReason,
    RevocationStatus,
};
use pki_core::x509::Certificate;
use rcgen::{KeyPair, KeyUsagePurpose};

use crate::stopwatch::Stopwatch;
use crate::support::{
    Authority, ListDraft, NOW, anchors, armour, element, serial, testdata, verdict, verify_client,
    verify_with,
};

#[test]
fn crl_01_a_revoked_certificate_is_refused_with_date_and_reason() {
    let root = Authority::root("CA");
    let alice = numbered_client(&root, 0x0a);
    let index = root.index(&root.list().revoking(&[&[0x0a]]));
    let outcome = verify_with(&[&alice], &root.anchors(), &index);
    let text = outcome.as_ref().unwrap_err().to_string();
    assert!(text.ends_with("revoked at 2025-01-27T00:00:00Z (keyCompromise)"), "{text}");
    assert_eq!(verdict(outcome), ("revoked", true));
    assert!(verify_with(&[&numbered_client(&root, 0x0b)], &root.anchors(), &index).is_ok());
}

#[test]
fn crl_01_a_missing_expired_or_future_list_refuses_everybody() {
    let root = Authority::root("CA");
    let client = root.client("alice");
    let outcome = |index: &RevocationIndex| verdict(verify_with(&[&client], &root.anchors(), index));
    assert_eq!(outcome(&RevocationIndex::default()), ("crl-missing", true));
    let expired = root.index(&root.list().due(NOW.plus_seconds(-1)));
    assert_eq!(outcome(&expired), ("crl-expired", true));
    let future = root.index(&root.list().made(NOW.plus_seconds(1)));
    assert_eq!(outcome(&future), ("crl-not-yet-valid", true));
    let last_second = root.index(&root.list().made(NOW).due(NOW));
    assert!(verify_with(&[&client], &root.anchors(), &last_second).is_ok());
}

#[test]
fn crl_01_grace_and_clock_skew_are_explicit_and_reported() {
    let root = Authority::root("CA");
    let client = root.client("alice");
    let expired_at = NOW.plus_seconds(-100);
    let policy = |grace, clock_skew| ChainPolicy {
        freshness: Freshness {
            grace: Duration::from_secs(grace),
            clock_skew: Duration::from_secs(clock_skew),
        },
        ..ChainPolicy::vpn()
    };
    let ask = |index: &RevocationIndex, policy: &ChainPolicy| {
        chain::verify(&Request {
            leaf_and_intermediates: &[&client],
            anchors: &root.anchors(),
            purpose: Purpose::Client,
            revocation: Revocation::Required(index),
            name: None,
            policy,
            now: NOW,
        })
    };
    let expired = root.index(&root.list().due(expired_at));
    assert_eq!(ask(&expired, &policy(100, 0)).unwrap().crl_expired_at, Some(expired_at));
    assert_eq!(verdict(ask(&expired, &policy(99, 0))), ("crl-expired", true));
    let future = root.index(&root.list().made(NOW.plus_seconds(5)));
    assert_eq!(ask(&future, &policy(0, 5)).unwrap().crl_expired_at, None);
    assert_eq!(verdict(ask(&future, &policy(0, 4))), ("crl-not-yet-valid", true));
}

#[test]
fn crl_01_a_revoked_certificate_stays_revoked_on_an_expired_list() {
    let root = Authority::root("CA");
    let alice = numbered_client(&root, 0x0a);
    let index = root.index(&root.list().revoking(&[&[0x0a]]).due(NOW.plus_days(-1)));
    assert_eq!(verdict(verify_with(&[&alice], &root.anchors(), &index)), ("revoked", true));
}

#[test]
fn crl_01_intermediates_need_a_list_too_and_can_be_revoked() {
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", |params| params.serial_number = serial(&[0x55]));
    let client = middle.client("alice");
    let sent: &[&[u8]] = &[&client, &middle.certificate];
    let build = |lists: Vec<(&Authority, ListDraft)>| {
        let issuers = [&root, &middle].map(|authority| Certificate::parse(&authority.certificate).unwrap());
        let lists = lists.into_iter().map(|(authority, list)| Crl::parse(list.sign(authority)).unwrap());
        RevocationIndex::build(&issuers, lists).unwrap()
    };
    let both = build(vec![(&root, root.list()), (&middle, middle.list())]);
    assert!(verify_with(sent, &root.anchors(), &both).is_ok());
    let lower_only = build(vec![(&middle, middle.list())]);
    assert_eq!(verdict(verify_with(sent, &root.anchors(), &lower_only)), ("crl-missing", true));
    let revoked = build(vec![(&root, root.list().revoking(&[&[0x55]])), (&middle, middle.list())]);
    assert_eq!(verdict(verify_with(sent, &root.anchors(), &revoked)), ("revoked", true));
}

#[test]
fn crl_01_one_ca_does_not_answer_for_another_with_its_name_or_serial_numbers() {
    let (old, new) = (Authority::root("CA"), Authority::root("CA"));
    let both = anchors(&[&old.certificate, &new.certificate]);
    let client = numbered_client(&old, 0x0a);
    let lists = |old_list: Option<ListDraft>, new_list: ListDraft| {
        let old_list = old_list.map(|list| Crl::parse(list.sign(&old)).unwrap());
        let new_list = Crl::parse(new_list.sign(&new)).unwrap();
        RevocationIndex::build(both.crl_issuers(), old_list.into_iter().chain([new_list])).unwrap()
    };
    let good = lists(Some(old.list()), new.list().revoking(&[&[0x0a]]));
    assert!(verify_with(&[&client], &both, &good).is_ok(), "the serial number was revoked by the other CA");
    let only_new = lists(None, new.list());
    assert_eq!(verdict(verify_with(&[&client], &both, &only_new)), ("crl-missing", true));
}

#[test]
fn crl_01_while_the_key_rolls_over_either_key_may_sign_the_list() {
    let root = Authority::root("Root");
    let old = root.subordinate("CA", |_| {});
    let new = old.subordinate("CA", |_| {});
    let client = numbered_client(&new, 0x0a);
    let certificates =
        [&root, &old, &new].map(|authority| Certificate::parse(&authority.certificate).unwrap());
    let ask = |list: ListDraft| {
        let lists = [Crl::parse(root.list().sign(&root)), Crl::parse(list.sign(&old))];
        let index = RevocationIndex::build(&certificates, lists.map(Result::unwrap)).unwrap();
        verify_with(&[&client, &new.certificate, &old.certificate], &root.anchors(), &index)
    };
    assert!(ask(old.list()).is_ok());
    assert_eq!(verdict(ask(old.list().revoking(&[&[0x0a]]))), ("revoked", true));
}

#[test]
fn crl_01_minus_one_on_a_list_does_not_revoke_255() {
    let root = Authority::root("CA");
    let client = numbered_client(&root, 0xff);
    let negative = root.index(&root.list().revoking(&[&[0xff]]));
    assert!(verify_with(&[&client], &root.anchors(), &negative).is_ok());
    let positive = root.index(&root.list().revoking(&[&[0x00, 0xff]]));
    assert_eq!(verdict(verify_with(&[&client], &root.anchors(), &positive)), ("revoked", true));
}

#[test]
fn crl_02_lists_of_other_keys_and_damaged_signatures_are_refused() {
    let root = Authority::root("CA");
    let stranger = Authority::root("Stranger");
    let namesake = Authority::root("CA");
    let certificate = Certificate::parse(&root.certificate).unwrap();
    let refusal =
        |list: Vec<u8>| RevocationIndex::build([&certificate], [Crl::parse(list).unwrap()]).unwrap_err();
    assert_eq!(refusal(stranger.list().sign(&stranger)).code(), "crl-foreign-issuer");
    assert_eq!(refusal(namesake.list().sign(&namesake)).code(), "crl-bad-signature");
    let mut damaged = root.list().revoking(&[&[1]]).sign(&root);
    let place = damaged.windows(3).position(|window| window == [2, 1, 1].as_slice()).unwrap();
    let entry = damaged[place + 3..].windows(3).position(|window| window == [2, 1, 1].as_slice()).unwrap();
    damaged[place + 3 + entry + 2] = 2;
    assert_eq!(refusal(damaged).code(), "crl-bad-signature");
}

#[test]
fn crl_02_an_authority_without_crl_sign_cannot_publish_lists() {
    let root = Authority::root_with("CA", |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let refusal = root.try_index(&root.list()).unwrap_err();
    assert_eq!(refusal.code(), "crl-issuer-may-not-sign");
    assert!(refusal.help().contains("cRLSign"));
}

#[test]
fn crl_02_the_certificate_on_the_path_decides_who_may_sign_lists() {
    let key = KeyPair::generate().unwrap();
    let copy = KeyPair::from_pem(&key.serialize_pem()).unwrap();
    let limited =
        Authority::root_with_key("CA", key, |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let full = Authority::root_with_key("CA", copy, |_| {});
    let index = full.index(&full.list());
    let client = full.client("alice");
    let outcome = verify_with(&[&client], &limited.anchors(), &index);
    assert_eq!(verdict(outcome), ("crl-issuer-may-not-sign", true));
}

#[test]
fn crl_02_a_sha1_list_is_refused() {
    let root =
        Certificate::parse(&pki_core::pem::certificates(&testdata("chain/made/rsa-root.crt")).unwrap()[0])
            .unwrap();
    let lists = Crl::parse_file(&testdata("chain/made/sha1.crl")).unwrap();
    let refusal = RevocationIndex::build([&root], lists).unwrap_err();
    assert_eq!(refusal.code(), "crl-unacceptable-signature");
    assert!(refusal.to_string().contains("sha1WithRSAEncryption"), "{refusal}");
}

#[test]
fn crt_02_lists_in_easyrsas_form_are_refused_by_the_strict_policy_only() {
    let root = Authority::root("CA");
    let client = root.client("alice");
    let strictly = |list: ListDraft| {
        let index = root.index(&list);
        assert!(verify_with(&[&client], &root.anchors(), &index).is_ok());
        chain::verify(&Request {
            leaf_and_intermediates: &[&client],
            anchors: &root.anchors(),
            purpose: Purpose::Client,
            revocation: Revocation::Required(&index),
            name: None,
            policy: &ChainPolicy { strict: true, ..ChainPolicy::vpn() },
            now: NOW,
        })
    };
    let key_identifier = element(0x30, &[&[0x80, 1, 7]]);
    let with_key = |list: ListDraft| list.with_extension(&[0x55, 0x1d, 0x23], false, &key_identifier);
    assert!(strictly(with_key(root.list())).is_ok());
    let reason = |list: ListDraft| strictly(list).unwrap_err().reason().clone();
    assert_eq!(reason(root.list()), Reason::Profile(ProfileDefect::CrlWithoutAuthorityKey));
    assert_eq!(
        reason(with_key(root.list().numbered(None))),
        Reason::Profile(ProfileDefect::CrlWithoutNumber)
    );
}

#[test]
fn crl_02_only_a_newer_list_replaces_the_one_in_force() {
    let root = Authority::root("CA");
    let base = || root.list().revoking(&[&[1], &[2]]).made(NOW);
    let in_force = root.index(&base().numbered(Some(5)));
    let check = |candidate: ListDraft| root.index(&candidate).check_successor_of(&in_force);
    let code = |candidate: ListDraft| check(candidate).unwrap_err().code();
    assert_eq!(check(base().numbered(Some(6))), Ok(Replacement::Newer));
    assert_eq!(check(base().numbered(Some(6)).made(NOW.plus_days(-1))), Ok(Replacement::Newer));
    assert_eq!(code(base().numbered(Some(5)).made(NOW.plus_days(1))), "crl-number-not-higher");
    assert_eq!(code(base().numbered(Some(4)).made(NOW.plus_days(1))), "crl-number-not-higher");
    assert_eq!(check(base().numbered(None).made(NOW.plus_seconds(1))), Ok(Replacement::Newer));
    assert_eq!(code(base().numbered(None).made(NOW.plus_seconds(-1))), "crl-not-later");
    let refusal = check(base().numbered(Some(4))).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the revocation list of \"CN=CA\" has number 04, the one in force has 05"
    );
}

#[test]
fn crl_02_lists_without_number_are_ordered_by_date_then_content() {
    let root = Authority::root("CA");
    let base = || root.list().numbered(None).made(NOW);
    let in_force = root.index(&base().revoking(&[&[1], &[2]]));
    let check = |candidate: ListDraft| root.index(&candidate).check_successor_of(&in_force);
    assert_eq!(check(base().made(NOW.plus_seconds(1))), Ok(Replacement::Newer));
    assert_eq!(
        check(base().revoking(&[&[1], &[2], &[3]])),
        Ok(Replacement::Newer),
        "two lists in one second"
    );
    assert_eq!(check(base().revoking(&[&[1]])).unwrap_err().code(), "crl-not-later");
    let earlier = base().made(NOW.plus_seconds(-1)).revoking(&[&[1], &[2], &[3]]);
    assert_eq!(check(earlier).unwrap_err().code(), "crl-not-later");
}

#[test]
fn crl_02_the_same_list_again_changes_nothing() {
    let root = Authority::root("CA");
    let der = root.list().sign(&root);
    let certificate = Certificate::parse(&root.certificate).unwrap();
    let index = || RevocationIndex::build([&certificate], [Crl::parse(der.clone()).unwrap()]).unwrap();
    assert_eq!(index().check_successor_of(&index()), Ok(Replacement::Unchanged));
    assert_eq!(index().check_successor_of(&RevocationIndex::default()), Ok(Replacement::Newer));
}

#[test]
fn crl_02_a_trusted_ca_must_not_lose_its_list() {
    let (one, other) = (Authority::root("One"), Authority::root("Other"));
    let both = anchors(&[&one.certificate, &other.certificate]);
    let (first, second) = (one.list().sign(&one), other.list().sign(&other));
    let build = |trusted: &TrustAnchors, lists: &[&Vec<u8>]| {
        let lists = lists.iter().map(|list| Crl::parse(list.to_vec()).unwrap());
        RevocationIndex::build(trusted.crl_issuers(), lists).unwrap()
    };
    let in_force = build(&both, &[&first, &second]);
    let refusal = build(&both, &[&first]).check_successor_of(&in_force).unwrap_err();
    assert_eq!(refusal, CrlRefusal::Gone { issuer: "CN=Other".into() });
    assert_eq!(build(&both, &[]).check_successor_of(&in_force).unwrap_err().code(), "crl-gone");
    let after_retirement = build(&one.anchors(), &[&first]);
    assert_eq!(after_retirement.check_successor_of(&in_force), Ok(Replacement::Newer));
}

#[test]
fn crl_02_of_several_lists_in_one_file_the_newest_counts_wherever_it_stands() {
    let root = Authority::root("CA");
    let alice = numbered_client(&root, 0x0a);
    let clean = root.list().numbered(Some(1)).made(NOW);
    let revoking = root.list().numbered(Some(2)).made(NOW.plus_days(-1)).revoking(&[&[0x0a]]);
    let (clean, revoking) = (clean.sign(&root), revoking.sign(&root));
    for order in [[&clean, &revoking], [&revoking, &clean]] {
        let file: String = order.iter().map(|der| armour("X509 CRL", der)).collect();
        let lists = Crl::parse_file(file.as_bytes()).unwrap();
        let index = RevocationIndex::build(root.anchors().crl_issuers(), lists).unwrap();
        assert_eq!(index.summaries().count(), 1);
        assert_eq!(verdict(verify_with(&[&alice], &root.anchors(), &index)), ("revoked", true));
    }
}

#[test]
fn crl_03_a_live_session_is_asked_about_with_what_its_path_left_behind() {
    let root = Authority::root("CA");
    let alice = numbered_client(&root, 0x0a);
    let path = verify_with(&[&alice], &root.anchors(), &root.index(&root.list())).unwrap();
    let ask = |list: ListDraft| root.index(&list).status(&path.certificates[0], NOW, Freshness::default());
    assert_eq!(ask(root.list()), RevocationStatus::Good);
    let RevocationStatus::Revoked { at, reason } = ask(root.list().revoking(&[&[0x0a]])) else {
        panic!("not revoked");
    };
    assert_eq!(at.to_string(), "2025-01-27T00:00:00Z");
    assert_eq!(reason, Some(RevocationReason::KeyCompromise));
    let unknown = RevocationIndex::default().status(&path.certificates[0], NOW, Freshness::default());
    assert_eq!(unknown, RevocationStatus::NoCrl);
}

#[test]
fn crl_03_unordered_lists_are_found_in_like_ordered_ones() {
    let root = Authority::root("CA");
    let serials: Vec<Vec<u8>> =
        (1..=200_u8).map(|number| vec![(number.wrapping_mul(77) % 127) + 1, number]).collect();
    let revoked: Vec<&[u8]> = serials.iter().step_by(2).map(Vec::as_slice).collect();
    let index = root.index(&root.list().revoking(&revoked));
    for (position, octets) in serials.iter().enumerate() {
        let client = root.client_with("x", |params| params.serial_number = serial(octets));
        let outcome = verify_with(&[&client], &root.anchors(), &index);
        assert_eq!(outcome.is_err(), position % 2 == 0, "{octets:?}");
    }
}

#[test]
fn crl_03_a_hundred_thousand_entries_load_fast_and_answer_at_once() {
    let root = Authority::root("CA");
    let mut list = root.list();
    list.entries = (0..100_000_u32).map(|number| (long_serial(number), Some(1))).collect();
    let file = armour("X509 CRL", &list.sign(&root));
    let started = Stopwatch::start();
    let lists = Crl::parse_file(file.as_bytes()).unwrap();
    let index = RevocationIndex::build(root.anchors().crl_issuers(), lists).unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(index.summaries().next().unwrap().entries, 100_000);
    let client = root.client_with("x", |params| params.serial_number = serial(&long_serial(77_777)));
    let path = verify_client(&[&client], &root.anchors()).unwrap();
    let started = Stopwatch::start();
    for _ in 0..10_000 {
        let status = index.status(&path.certificates[0], NOW, Freshness::default());
        assert!(matches!(status, RevocationStatus::Revoked { .. }));
    }
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn lists_that_say_less_or_something_else_are_refused_by_name() {
    let root = Authority::root("CA");
    let point = |content: &[u8]| element(0x30, &[content]);
    let marked = |list: ListDraft, kind: &[u8], value: &[u8]| list.with_extension(kind, true, value);
    let list = || root.list();
    let cases = [
        (marked(list(), &[0x55, 0x1d, 0x1b], &[2, 1, 1]), "crl-is-delta"),
        (marked(list(), &[0x55, 0x1d, 0x1c], &point(&[0x84, 1, 0xff])), "crl-is-indirect"),
        (marked(list(), &[0x55, 0x1d, 0x1c], &point(&[0x83, 2, 6, 0x40])), "crl-for-some-reasons"),
        (marked(list(), &[0x55, 0x1d, 0x1c], &point(&[0x85, 1, 0xff])), "crl-of-attribute-certificates"),
        (marked(list(), &[0x2a, 3], &[5, 0]), "crl-unknown-critical-extension"),
        (marked(list().numbered(None), &[0x55, 0x1d, 0x14], &[2, 1, 1]), "crl-unknown-critical-extension"),
        (list().with_extension(&[0x55, 0x1d, 0x14], false, &[2, 1, 1]), "crl-malformed"),
        (list().numbered(Some(0x80)), "crl-malformed"),
        (list().revoking(&[&[1; 23]]), "crl-serial-too-long"),
        (list().revoking(&[&[0, 1]]), "crl-malformed"),
    ];
    for (draft, expected) in cases {
        let error = Crl::parse(draft.sign(&root)).unwrap_err();
        assert_eq!(error.code(), expected, "{error}");
        assert!(!error.help().is_empty());
    }
    let mut list = list();
    list.entries = vec![(vec![1], Some(7))];
    assert_eq!(Crl::parse(list.sign(&root)).unwrap_err().code(), "crl-malformed");
}

#[test]
fn a_list_for_users_only_says_nothing_about_cas() {
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", |_| {});
    let users_only = root.list().with_extension(&[0x55, 0x1d, 0x1c], true, &[0x30, 3, 0x81, 1, 0xff]);
    let certificates = [&root, &middle].map(|authority| Certificate::parse(&authority.certificate).unwrap());
    let lists = [Crl::parse(users_only.sign(&root)), Crl::parse(middle.list().sign(&middle))];
    let index = RevocationIndex::build(&certificates, lists.map(Result::unwrap)).unwrap();
    assert!(verify_with(&[&root.client("a")], &root.anchors(), &index).is_ok());
    let outcome = verify_with(&[&middle.client("a"), &middle.certificate], &root.anchors(), &index);
    assert_eq!(verdict(outcome), ("crl-missing", true));
}

#[test]
fn a_list_without_next_update_is_refused() {
    let root = Authority::root("CA");
    let mut der = root.list().numbered(None).sign(&root);
    let times: Vec<usize> = der
        .windows(2)
        .enumerate()
        .filter(|(_, window)| *window == [0x17, 13])
        .map(|(place, _)| place)
        .collect();
    der.drain(times[1]..times[1] + 15);
    let removed = 15;
    assert!(der[1] & 0x80 != 0, "one octet of length follows");
    der[2] -= removed;
    let inner = 3;
    let short_form = der[inner + 1] & 0x80 == 0;
    der[inner + if short_form { 1 } else { 2 }] -= removed;
    assert_eq!(Crl::parse(der).unwrap_err().code(), "crl-without-next-update");
}

#[test]
fn files_that_are_too_large_empty_or_half_written_are_refused_by_name() {
    let huge = vec![b'\n'; MAX_FILE_SIZE + 1];
    assert_eq!(Crl::parse_file(&huge).unwrap_err().code(), "crl-file-too-large");
    assert_eq!(Crl::parse_file(&huge[1..]).unwrap_err().code(), "crl-file-empty");
    let root = Authority::root("CA");
    let file = armour("X509 CRL", &root.list().sign(&root));
    assert_eq!(Crl::parse_file(&file.as_bytes()[..file.len() - 30]).unwrap_err().code(), "crl-file-damaged");
    assert_eq!(Crl::parse_file(b"").unwrap_err().code(), "crl-file-empty");
    assert_eq!(Crl::parse_file(&root.list().sign(&root)).unwrap().len(), 1);
    assert_eq!(Crl::parse_file(&root.certificate).unwrap_err().code(), "crl-malformed");
}

#[test]
fn two_million_entries_are_read_and_one_more_is_refused() {
    let root = Authority::root("CA");
    let mut list = root.list();
    let last = u32::try_from(pki_core::crl::MAX_ENTRIES).unwrap();
    list.entries = (0..last).map(|number| (short_serial(number), None)).collect();
    let der = list.sign(&root);
    assert_eq!(Crl::parse(der).unwrap().entries().len(), pki_core::crl::MAX_ENTRIES);
    list.entries.push((short_serial(last), None));
    assert_eq!(Crl::parse(list.sign(&root)).unwrap_err().code(), "crl-too-many-entries");
}

#[test]
fn a_summary_tells_what_logs_and_metrics_want() {
    let root = Authority::root("CA");
    let index = root.index(&root.list().numbered(Some(0x12)).made(NOW).revoking(&[&[1], &[2]]));
    let summary = index.summaries().next().unwrap();
    assert_eq!(summary.issuer_name, "CN=CA");
    assert_eq!(summary.number.as_ref().unwrap().to_string(), "12");
    assert_eq!((summary.this_update, summary.next_update), (NOW, NOW.plus_days(30)));
    assert_eq!(summary.entries, 2);
}

fn numbered_client(authority: &Authority, number: u8) -> Vec<u8> {
    authority.client_with("alice", |params| params.serial_number = serial(&[number]))
}

/// Sixteen octets, as easy-rsa's random serial numbers have.
fn long_serial(number: u32) -> Vec<u8> {
    let mut octets = vec![0x40; 12];
    octets.extend(number.to_be_bytes());
    octets
}

fn short_serial(number: u32) -> Vec<u8> {
    let mut octets = vec![0x40];
    octets.extend(number.to_be_bytes());
    octets
}
