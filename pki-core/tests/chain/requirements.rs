//! Threat model CRT-01 to CRT-07, one table or sentence each.

use std::time::Duration;

use pki_core::chain;
use pki_core::chain::{ChainPolicy, MissingUsage, PeerName, Purpose, Request, Revocation, TrustAnchors};
use pki_core::serial::Serial;
use pki_core::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, DnValue, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};

use crate::stopwatch::Stopwatch;
use crate::support::{
    Authority, Change, NOW, anchors, armour, common_name, moment, serial, testdata, verdict, verify_as,
    verify_client,
};

#[test]
fn a_client_of_a_trusted_ca_is_accepted_and_described() {
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", |_| {});
    let leaf = middle.client_with("alice@company.com", |params| {
        params.serial_number = serial(&[0x0a, 0xbc]);
        params.not_after = moment(NOW.plus_days(90));
    });
    let path = verify_client(&[&leaf, &middle.certificate], &root.anchors()).unwrap();
    assert_eq!(path.common_name.as_deref(), Some("alice@company.com"));
    assert_eq!(path.subject, "CN=alice@company.com");
    assert_eq!(path.serial, Serial::from_hex("0ABC").unwrap());
    assert_eq!(path.not_after, NOW.plus_days(90));
    assert_eq!(path.certificates.len(), 2);
    assert_eq!(path.certificates[0].serial(), path.serial);
    assert_ne!(path.certificates[0].issuer(), path.certificates[1].issuer());
    let trusted = root.anchors();
    let root = &trusted.anchors()[0];
    assert_eq!(path.anchor_fingerprint, root.fingerprint());
    assert_eq!(path.certificates[1].issuer(), &root.issuer_id());
}

#[test]
fn a_client_may_send_its_ca_too_and_in_any_order() {
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", |_| {});
    let leaf = middle.client("alice");
    let sent: &[&[u8]] = &[&leaf, &root.certificate, &middle.certificate];
    assert!(verify_client(sent, &root.anchors()).is_ok());
}

#[test]
fn a_malformed_certificate_beside_a_good_path_does_no_harm() {
    let root = Authority::root("CA");
    let leaf = root.client("alice");
    assert!(verify_client(&[&leaf, b"\x30\x00"], &root.anchors()).is_ok());
}

#[test]
fn crt_01_an_unknown_ca_is_told_from_a_forged_signature() {
    let root = Authority::root("CA");
    let stranger = Authority::root("Stranger");
    let outcome = verify_client(&[&stranger.client("alice")], &root.anchors());
    assert_eq!(outcome.as_ref().unwrap_err().leaf().unwrap().common_name.as_deref(), Some("alice"));
    assert_eq!(verdict(outcome), ("unknown-ca", false));

    let namesake = Authority::root("CA");
    let outcome = verify_client(&[&namesake.client("alice")], &root.anchors());
    assert_eq!(verdict(outcome), ("unknown-ca", false));

    let forged =
        namesake.client_with("alice", |params| params.use_authority_key_identifier_extension = false);
    assert_eq!(verdict(verify_client(&[&forged], &root.anchors())), ("bad-signature", false));
}

#[test]
fn crt_01_a_chain_that_ends_at_the_peers_own_root_is_unknown() {
    let root = Authority::root("CA");
    let stranger = Authority::root("Stranger");
    let leaf = stranger.client("alice");
    let outcome = verify_client(&[&leaf, &stranger.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("unknown-ca", false));
    assert_eq!(verdict(verify_client(&[], &root.anchors())), ("no-certificate", false));
    assert_eq!(verdict(verify_client(&[&leaf], &TrustAnchors::default())), ("unknown-ca", false));
}

#[test]
fn crt_01_both_ends_of_a_validity_belong_to_it() {
    let root = Authority::root("CA");
    let leaf = root.client_with("alice", |params| {
        params.not_before = moment(NOW);
        params.not_after = moment(NOW.plus_seconds(10));
    });
    let at = |seconds: i64| {
        let now = NOW.plus_seconds(seconds);
        verify_as(Purpose::Client, &[&leaf], &root.anchors(), &ChainPolicy::vpn(), now)
    };
    assert_eq!(verdict(at(-1)), ("not-yet-valid", true));
    assert!(at(0).is_ok() && at(10).is_ok());
    assert_eq!(verdict(at(11)), ("expired", true));
}

#[test]
fn crt_01_a_trust_anchor_or_intermediate_out_of_its_validity_is_refused() {
    let expired = |params: &mut CertificateParams| params.not_after = moment(NOW.plus_days(-1));
    let future = |params: &mut CertificateParams| params.not_before = moment(NOW.plus_days(1));

    let root = Authority::root_with("CA", expired);
    assert_eq!(verdict(verify_client(&[&root.client("a")], &root.anchors())), ("ca-expired", true));
    let root = Authority::root_with("CA", future);
    assert_eq!(verdict(verify_client(&[&root.client("a")], &root.anchors())), ("ca-not-yet-valid", true));
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", expired);
    let outcome = verify_client(&[&middle.client("a"), &middle.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("ca-expired", true));
}

#[test]
fn crt_01_an_issuer_must_be_a_ca_and_allowed_to_sign_certificates() {
    let cases: [(&str, Change); 3] = [
        ("issuer-not-a-ca", |params| params.is_ca = IsCa::NoCa),
        ("issuer-not-a-ca", |params| params.is_ca = IsCa::ExplicitNoCa),
        ("issuer-may-not-sign-certificates", |params| {
            params.key_usages = vec![KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        }),
    ];
    for (expected, change) in cases {
        let root = Authority::root("CA");
        let middle = root.subordinate("Middle", change);
        let outcome = verify_client(&[&middle.client("a"), &middle.certificate], &root.anchors());
        assert_eq!(verdict(outcome), (expected, false));
        let root = Authority::root_with("CA", change);
        assert_eq!(verdict(verify_client(&[&root.client("a")], &root.anchors())), (expected, false));
    }
}

#[test]
fn crt_01_a_client_cannot_issue_certificates_with_its_own() {
    let root = Authority::root("CA");
    let client = root.subordinate("alice", |params| {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let outcome = verify_client(&[&client.client("admin"), &client.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("issuer-not-a-ca", false));
}

#[test]
fn crt_01_the_path_length_of_anchor_and_intermediates_counts() {
    let limited = |limit: u8| {
        move |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(limit))
    };
    let root = Authority::root_with("CA", limited(0));
    assert!(verify_client(&[&root.client("a")], &root.anchors()).is_ok());
    let middle = root.subordinate("Middle", |_| {});
    let outcome = verify_client(&[&middle.client("a"), &middle.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("path-length", false));

    let root = Authority::root_with("CA", limited(2));
    let upper = root.subordinate("Upper", limited(0));
    let lower = upper.subordinate("Lower", |_| {});
    let outcome =
        verify_client(&[&lower.client("a"), &lower.certificate, &upper.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("path-length", false));
}

#[test]
fn crt_01_an_unknown_critical_extension_is_refused_wherever_it_stands() {
    let marked = |params: &mut CertificateParams| {
        let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
        unknown.set_criticality(true);
        params.custom_extensions = vec![unknown];
    };
    let root = Authority::root_with("CA", marked);
    let outcome = verify_client(&[&root.client("a")], &root.anchors());
    assert_eq!(verdict(outcome), ("unknown-critical-extension", false));
    let root = Authority::root("CA");
    let outcome = verify_client(&[&root.client_with("a", marked)], &root.anchors());
    assert_eq!(verdict(outcome), ("unknown-critical-extension", true));
}

#[test]
fn crt_01_name_constraints_of_anchor_and_intermediates_bind_what_is_below() {
    let constrained = |params: &mut CertificateParams| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("company.com".into())],
            excluded_subtrees: vec![GeneralSubtree::Rfc822Name("evil.example".into())],
        });
    };
    let host = |name: &'static str| {
        move |params: &mut CertificateParams| {
            params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        }
    };
    let root = Authority::root_with("CA", constrained);
    let ok = root.client_with("a", host("vpn.company.com"));
    assert!(verify_client(&[&ok], &root.anchors()).is_ok());
    let outside = root.client_with("a", host("company.com.example"));
    assert_eq!(verdict(verify_client(&[&outside], &root.anchors())), ("name-constraint", false));
    let mailbox = root.client_with("a", |params| {
        params.subject_alt_names = vec![SanType::Rfc822Name("a@evil.example".try_into().unwrap())];
    });
    assert_eq!(verdict(verify_client(&[&mailbox], &root.anchors())), ("name-constraint", false));

    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", constrained);
    let outside = middle.client_with("a", host("example.org"));
    let outcome = verify_client(&[&outside, &middle.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("name-constraint", false));
}

#[test]
fn a_renewed_ca_with_its_old_name_serves_both_generations() {
    let old = Authority::root("CA");
    let new = Authority::root("CA");
    let both = anchors(&[&old.certificate, &new.certificate]);
    assert!(verify_client(&[&old.client("a")], &both).is_ok());
    assert!(verify_client(&[&new.client("b")], &both).is_ok());
}

#[test]
fn a_ca_renewed_with_its_old_key_is_valid_as_soon_as_one_certificate_is() {
    let key = KeyPair::generate().unwrap();
    let copy = KeyPair::from_pem(&key.serialize_pem()).unwrap();
    let old = Authority::root_with_key("CA", key, |params| params.not_after = moment(NOW.plus_days(-1)));
    let new = Authority::root_with_key("CA", copy, |_| {});
    let both = anchors(&[&old.certificate, &new.certificate]);
    assert!(verify_client(&[&old.client("a")], &both).is_ok());
}

#[test]
fn a_ca_file_may_hold_text_several_cas_and_duplicates() {
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", |_| {});
    let other = Authority::root("Other");
    let block = |der: &[u8]| armour("CERTIFICATE", der);
    let file = format!(
        "Certificate:\n    Issuer: CN=CA\n{}{}words\n{}{}",
        block(&root.certificate),
        block(&middle.certificate),
        block(&other.certificate),
        block(&root.certificate)
    );
    let trusted = TrustAnchors::from_pem(file.as_bytes()).unwrap();
    assert_eq!((trusted.anchors().len(), trusted.intermediates().len()), (2, 1));
    let path = verify_client(&[&middle.client("a")], &trusted).unwrap();
    assert_eq!(path.certificates.len(), 2, "the intermediate of the file is not an anchor");
    assert!(verify_client(&[&other.client("b")], &trusted).is_ok());
}

#[test]
fn in_a_ca_file_a_key_that_another_key_vouches_for_is_no_anchor_unless_all_are() {
    let root = Authority::root("CA");
    let rolled_over = root.subordinate("CA", |_| {});
    let trusted = anchors(&[&root.certificate, &rolled_over.certificate]);
    assert_eq!((trusted.anchors().len(), trusted.intermediates().len()), (1, 1));
    assert_eq!(verify_client(&[&rolled_over.client("a")], &trusted).unwrap().certificates.len(), 2);

    let copy_of = |authority: &Authority| KeyPair::from_pem(&authority.issuer.key().serialize_pem()).unwrap();
    let (one, other) = (Authority::root("One"), Authority::root("Other"));
    let one_by_other = other.subordinate_with_key("One", copy_of(&one), |_| {});
    let other_by_one = one.subordinate_with_key("Other", copy_of(&other), |_| {});
    let crossed = anchors(&[&one_by_other.certificate, &other_by_one.certificate]);
    assert_eq!((crossed.anchors().len(), crossed.intermediates().len()), (2, 0));
    assert!(verify_client(&[&one.client("a")], &crossed).is_ok());
}

#[test]
fn a_ca_file_without_readable_certificates_is_refused_with_the_position() {
    assert_eq!(TrustAnchors::from_pem(b"nothing").unwrap_err().code(), "ca-file-empty");
    let good = armour("CERTIFICATE", &Authority::root("CA").certificate);
    let error = TrustAnchors::from_pem(&good.as_bytes()[..200]).unwrap_err();
    assert_eq!(error.code(), "ca-file-damaged");
    let file = format!("{good}{}", armour("CERTIFICATE", &[0x30, 0]));
    let error = TrustAnchors::from_pem(file.as_bytes()).unwrap_err();
    assert_eq!(error.code(), "ca-certificate-malformed");
    assert!(error.to_string().starts_with("certificate 2 of the file: "), "{error}");
    assert!(!error.help().is_empty());
}

#[test]
fn known_intermediates_need_not_be_sent() {
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", |_| {});
    let mut trusted = root.anchors();
    trusted.add_intermediates_pem(armour("CERTIFICATE", &middle.certificate).as_bytes()).unwrap();
    assert!(verify_client(&[&middle.client("a")], &trusted).is_ok());
    let anchored_alone = anchors(&[&middle.certificate]);
    assert!(verify_client(&[&middle.client("a")], &anchored_alone).is_ok());
}

#[test]
fn crt_03_a_server_certificate_is_refused_as_client() {
    let root = Authority::root("CA");
    let server = with_usages(&root, &[ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(verdict(verify_client(&[&server], &root.anchors())), ("server-as-client", true));
}

#[test]
fn crt_03_the_purpose_must_be_named_by_the_leaf() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, CodeSigning, ServerAuth};
    let root = Authority::root("CA");
    let cases: [(&[ExtendedKeyUsagePurpose], Purpose, Result<(), &str>); 9] = [
        (&[ClientAuth], Purpose::Client, Ok(())),
        (&[ClientAuth, ServerAuth], Purpose::Client, Ok(())),
        (&[ClientAuth, ServerAuth], Purpose::Server, Ok(())),
        (&[ClientAuth], Purpose::Server, Err("client-as-server")),
        (&[CodeSigning], Purpose::Client, Err("wrong-purpose")),
        (&[Any], Purpose::Client, Err("wrong-purpose")),
        (&[], Purpose::Client, Err("missing-purpose")),
        (&[], Purpose::Server, Err("missing-purpose")),
        (&[CodeSigning], Purpose::Any, Ok(())),
    ];
    for (usages, purpose, expected) in cases {
        let leaf = with_usages(&root, usages);
        let outcome = verify_as(purpose, &[&leaf], &root.anchors(), &ChainPolicy::vpn(), NOW);
        match expected {
            Ok(()) => assert!(outcome.is_ok(), "{usages:?} {purpose:?}"),
            Err(code) => assert_eq!(verdict(outcome), (code, true), "{usages:?} {purpose:?}"),
        }
    }
}

#[test]
fn crt_03_a_missing_purpose_passes_only_by_option() {
    let root = Authority::root("CA");
    let leaf = with_usages(&root, &[]);
    let policy = ChainPolicy { missing_extended_key_usage: MissingUsage::Allow, ..ChainPolicy::vpn() };
    assert!(verify_as(Purpose::Client, &[&leaf], &root.anchors(), &policy, NOW).is_ok());
}

#[test]
fn crt_03_the_purposes_of_a_ca_restrict_its_certificates() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    let root = Authority::root("CA");
    for (usages, passes) in
        [(vec![ServerAuth], false), (vec![ServerAuth, ClientAuth], true), (vec![Any], false)]
    {
        let middle = root.subordinate("Middle", |params| params.extended_key_usages = usages);
        let outcome = verify_client(&[&middle.client("a"), &middle.certificate], &root.anchors());
        if passes {
            assert!(outcome.is_ok());
        } else {
            assert_eq!(verdict(outcome), ("ca-purpose", true));
        }
    }
}

#[test]
fn crt_03_a_ca_certificate_is_refused_as_end_entity() {
    let root = Authority::root("CA");
    let middle = root.subordinate("Middle", |params| {
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let outcome = verify_client(&[&middle.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("ca-as-end-entity", true));
    let outcome = verify_client(&[&root.certificate], &root.anchors());
    assert_eq!(verdict(outcome), ("ca-as-end-entity", true));
}

#[test]
fn crt_03_the_key_must_be_allowed_to_sign_a_handshake() {
    use KeyUsagePurpose::{DigitalSignature, KeyAgreement, KeyCertSign, KeyEncipherment};
    let root = Authority::root("CA");
    let cases: [(&[KeyUsagePurpose], Result<(), &str>); 5] = [
        (&[DigitalSignature, KeyEncipherment], Ok(())),
        (&[KeyAgreement], Ok(())),
        (&[], Ok(())),
        (&[KeyEncipherment], Err("may-not-sign-handshakes")),
        (&[DigitalSignature, KeyCertSign], Err("signing-end-entity")),
    ];
    for (usages, expected) in cases {
        let leaf = root.client_with("a", |params| params.key_usages = usages.to_vec());
        let outcome = verify_client(&[&leaf], &root.anchors());
        match expected {
            Ok(()) => assert!(outcome.is_ok(), "{usages:?}"),
            Err(code) => assert_eq!(verdict(outcome), (code, true), "{usages:?}"),
        }
    }
}

#[test]
fn crt_04_weak_and_unusual_algorithms_have_their_own_reasons() {
    let aws = cfg!(feature = "aws_lc_rs");
    let cases = [
        ("rsa-root", "sha1-leaf", "weak-signature", true),
        ("rsa-root", "md5-leaf", "weak-signature", false),
        ("rsa-root", "rsa1024-leaf", "weak-key", true),
        ("rsa1024-root", "below-rsa1024-leaf", "weak-key", true),
        ("rsa-root", "secp256k1-leaf", "unsupported-key", true),
        ("rsa-root", "explicit-leaf", "unsupported-key", true),
        ("rsa-root", "ed448-leaf", "unsupported-key", true),
        ("rsa-root", "v1-leaf", "malformed-certificate", false),
        ("p256-root", "p256-sha512-leaf", if aws { "ok" } else { "signature-needs-other-backend" }, false),
        ("p521-root", "below-p521-leaf", if aws { "ok" } else { "signature-needs-other-backend" }, false),
        ("p256-root", "p521-leaf", if aws { "ok" } else { "key-needs-other-backend" }, true),
    ];
    for (root, leaf, expected, chains) in cases {
        let outcome = verify_client(&[&made(leaf)], &anchors(&[&made(root)]));
        match expected {
            "ok" => assert!(outcome.is_ok(), "{leaf}: {outcome:?}"),
            code => assert_eq!(verdict(outcome), (code, chains), "{leaf}"),
        }
    }
}

#[test]
fn crt_04_a_sha1_certificate_of_a_stranger_is_not_called_ours() {
    let other = anchors(&[&made("p256-root")]);
    assert_eq!(verdict(verify_client(&[&made("sha1-leaf")], &other)), ("unknown-ca", false));
    let mut forged = made("sha1-leaf");
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let outcome = verify_client(&[&forged], &anchors(&[&made("rsa-root")]));
    assert_eq!(verdict(outcome), ("bad-signature", false));
}

#[test]
fn crt_05_ber_and_trailing_bytes_are_refused() {
    let root = Authority::root("CA");
    let leaf = root.client("alice");
    let mut trailing = leaf.clone();
    trailing.push(0);
    let mut long_form = leaf.clone();
    assert_eq!(long_form[..2], [0x30, 0x82], "a length of two octets");
    long_form.splice(1..2, [0x83, 0x00]);
    for damaged in [trailing, long_form, leaf[..leaf.len() - 1].to_vec(), Vec::new()] {
        let outcome = verify_client(&[&damaged], &root.anchors());
        assert_eq!(verdict(outcome), ("malformed-certificate", false));
    }
}

#[test]
fn crt_05_odd_serial_numbers_are_read_but_not_strictly() {
    let root = Authority::root("CA");
    for (octets, strictly) in
        [(vec![0], false), (vec![1], true), (vec![0x7f; 20], true), (vec![0x7f; 21], false)]
    {
        let leaf = root.client_with("a", |params| params.serial_number = serial(&octets));
        assert!(verify_client(&[&leaf], &root.anchors()).is_ok(), "{octets:?}");
        let policy = ChainPolicy { strict: true, ..ChainPolicy::vpn() };
        let outcome = verify_as(Purpose::Client, &[&leaf], &root.anchors(), &policy, NOW);
        assert_eq!(outcome.is_ok(), strictly, "{octets:?}");
    }
    let leaf = root.client_with("a", |params| params.serial_number = serial(&[0x7f; 23]));
    assert_eq!(verdict(verify_client(&[&leaf], &root.anchors())), ("malformed-certificate", false));
}

#[test]
fn crt_06_the_number_and_size_of_sent_certificates_is_limited() {
    let root = Authority::root("CA");
    let leaf = root.client("alice");
    let mut sent: Vec<&[u8]> = vec![&leaf; 8];
    assert!(verify_client(&sent, &root.anchors()).is_ok());
    sent.push(&leaf);
    assert_eq!(verdict(verify_client(&sent, &root.anchors())), ("too-many-certificates", false));
    let padding = vec![0; (64 << 10) - leaf.len()];
    assert!(verify_client(&[&leaf, &padding], &root.anchors()).is_ok());
    let padding = vec![0; (64 << 10) - leaf.len() + 1];
    assert_eq!(verdict(verify_client(&[&leaf, &padding], &root.anchors())), ("chain-too-large", false));
}

#[test]
fn crt_06_depth_is_limited_at_exactly_the_limit() {
    let root = Authority::root("CA");
    let mut line = vec![root.subordinate("1", |_| {})];
    for depth in 2..=4 {
        line.push(line[depth - 2].subordinate(&depth.to_string(), |_| {}));
    }
    let leaf = line[3].client("alice");
    let mut sent: Vec<&[u8]> = vec![&leaf];
    sent.extend(line.iter().map(|authority| authority.certificate.as_slice()));
    for (limit, passes) in [(4, true), (3, false)] {
        let policy = ChainPolicy { max_intermediates: limit, ..ChainPolicy::vpn() };
        let outcome = verify_as(Purpose::Client, &sent, &root.anchors(), &policy, NOW);
        if passes {
            assert!(outcome.is_ok());
        } else {
            assert_eq!(verdict(outcome), ("path-too-deep", false));
        }
    }
}

#[test]
fn crt_06_intertwined_intermediates_do_not_buy_time() {
    let stranger = Authority::root("CA");
    let mut web: Vec<Authority> = (0..40).map(|_| stranger.subordinate("CA", |_| {})).collect();
    let crossed: Vec<Authority> = web
        .iter()
        .zip(web.iter().skip(1))
        .map(|(one, next)| {
            let key = KeyPair::from_pem(&next.issuer.key().serialize_pem()).unwrap();
            one.subordinate_with_key("CA", key, |params| {
                params.use_authority_key_identifier_extension = false
            })
        })
        .collect();
    web.extend(crossed);
    let leaf = web[39].client_with("alice", |params| params.use_authority_key_identifier_extension = false);
    let mut sent: Vec<&[u8]> = vec![&leaf];
    sent.extend(web.iter().map(|authority| authority.certificate.as_slice()));
    let policy = ChainPolicy { max_certificates: 100, ..ChainPolicy::vpn() };
    let started = Stopwatch::start();
    let outcome = verify_as(Purpose::Client, &sent, &Authority::root("CA").anchors(), &policy, NOW);
    assert_eq!(verdict(outcome), ("work-limit", false));
    assert!(started.elapsed() < Duration::from_millis(500));
}

#[test]
fn crt_07_names_that_could_be_misread_are_refused() {
    let root = Authority::root("CA");
    for name in [
        "alice\0admin",
        "alice\nlevel=error",
        "alice\r",
        "alice\u{1b}[2J",
        "\u{202e}ecila",
        "ali\u{200b}ce",
        "alice\u{7f}",
        "alice\u{85}",
        "alice\u{feff}",
    ] {
        let outcome = verify_client(&[&root.client(name)], &root.anchors());
        let shown = outcome.as_ref().unwrap_err().to_string();
        assert!(shown.chars().all(|character| !character.is_control()), "{shown}");
        assert_eq!(outcome.as_ref().unwrap_err().leaf().unwrap().common_name, None);
        assert_eq!(verdict(outcome), ("deceptive-identity", true), "{name:?}");
    }
}

#[test]
fn crt_07_exactly_one_common_name_of_at_most_64_characters() {
    let root = Authority::root("CA");
    let named = |change: Change| verify_client(&[&root.client_with("unused", change)], &root.anchors());
    let nameless = named(|params| params.distinguished_name = rcgen::DistinguishedName::new());
    assert_eq!(verdict(nameless), ("no-identity", true));
    let without = named(|params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Org");
    });
    assert_eq!(verdict(without), ("no-identity", true));
    assert_eq!(verdict(named(|params| params.distinguished_name = common_name(" "))), ("no-identity", true));
    let twice = named(|params| {
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "second");
    });
    assert_eq!(verdict(twice), ("ambiguous-identity", true));
    let longest = root.client(&"ü".repeat(64));
    assert!(verify_client(&[&longest], &root.anchors()).is_ok());
    let too_long = root.client(&"ü".repeat(65));
    assert_eq!(verdict(verify_client(&[&too_long], &root.anchors())), ("identity-too-long", true));
}

#[test]
fn crt_07_one_normalisation_whatever_the_string_type() {
    let root = Authority::root("CA");
    let identity = |value: DnValue| {
        let leaf = root.client_with("unused", |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, value);
        });
        verify_client(&[&leaf], &root.anchors()).unwrap().common_name.unwrap()
    };
    let composed = "jürgen";
    assert_eq!(identity(DnValue::Utf8String("ju\u{308}rgen".into())), composed);
    assert_eq!(identity(DnValue::Utf8String(composed.into())), composed);
    let utf16: Vec<u8> = composed.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(
        identity(DnValue::BmpString(rcgen::string::BmpString::from_utf16be(utf16).unwrap())),
        composed
    );
}

#[test]
fn an_identity_is_optional_where_only_the_chain_matters() {
    let root = Authority::root("CA");
    let leaf = root.client_with("x", |params| params.distinguished_name = rcgen::DistinguishedName::new());
    let path = verify_as(Purpose::Client, &[&leaf], &root.anchors(), &ChainPolicy::general(), NOW).unwrap();
    assert_eq!(path.common_name, None);
}

#[test]
fn an_expected_name_must_be_an_alternative_name() {
    let root = Authority::root("CA");
    let leaf = root.client_with("vpn.example", |params| {
        params.subject_alt_names = vec![
            SanType::DnsName("*.vpn.example".try_into().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ];
    });
    let ask = |name: &str| {
        chain::verify(&Request {
            leaf_and_intermediates: &[&leaf],
            anchors: &root.anchors(),
            purpose: Purpose::Any,
            revocation: Revocation::Unchecked,
            name: Some(&PeerName::parse(name).unwrap()),
            policy: &ChainPolicy::general(),
            now: NOW,
        })
    };
    assert!(ask("dns:a.vpn.example").is_ok() && ask("ip:2001:db8::1").is_ok());
    for other in ["dns:vpn.example", "ip:2001:db8::2", "email:a@vpn.example"] {
        assert_eq!(verdict(ask(other)), ("name-mismatch", true), "{other}");
    }
}

#[test]
fn an_expired_leaf_of_a_stranger_is_not_called_ours() {
    let root = Authority::root("CA");
    let stranger = Authority::root("Stranger");
    let leaf = stranger.client_with("a", |params| params.not_after = moment(NOW.plus_days(-1)));
    assert_eq!(verdict(verify_client(&[&leaf], &root.anchors())), ("unknown-ca", false));
}

#[test]
fn of_several_paths_the_one_that_came_furthest_explains() {
    let key = KeyPair::generate().unwrap();
    let copy = KeyPair::from_pem(&key.serialize_pem()).unwrap();
    let limited =
        Authority::root_with_key("CA", key, |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let full = Authority::root_with_key("CA", copy, |_| {});
    let leaf = full.client_with("a", |params| params.not_after = moment(NOW.plus_days(-1)));
    let both = anchors(&[&limited.certificate, &full.certificate]);
    assert_eq!(verdict(verify_client(&[&leaf], &both)), ("expired", true));
}

#[test]
fn the_leaf_of_a_rejection_is_described_on_one_line() {
    let root = Authority::root("CA");
    let leaf = root.client_with("bob", |params| {
        params.not_after = moment(NOW.plus_days(-1));
        params.serial_number = serial(&[7]);
    });
    let rejection = verify_client(&[&leaf], &root.anchors()).unwrap_err();
    let described = rejection.leaf().unwrap();
    assert_eq!((described.subject.as_str(), described.serial.to_string().as_str()), ("CN=bob", "07"));
    let end = Timestamp::from_unix_seconds(NOW.unix_seconds()).plus_days(-1);
    assert_eq!(rejection.to_string(), format!("certificate \"CN=bob\": expired at {end}"));
}

fn with_usages(root: &Authority, usages: &[ExtendedKeyUsagePurpose]) -> Vec<u8> {
    root.client_with("peer", |params| params.extended_key_usages = usages.to_vec())
}

fn made(name: &str) -> Vec<u8> {
    let file = testdata(&format!("chain/made/{name}.crt"));
    pki_core::pem::certificates(&file).unwrap().remove(0)
}
