//! The public chain-validation vectors: C2SP x509-limbo and NIST PKITS (see testdata/README.md).
//!
//! `must` cases are right under the general policy, `optional` ones never falsely accepted, `strict` ones rejected
//! under the strict option. Every departure stands in [`DEPARTURES`] with its reason, and nothing else does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pki_core::chain::{self, ChainPolicy, PeerName, Purpose, Request, Revocation, TrustAnchors};
use pki_core::crl::{Crl, CrlRefusal, RevocationIndexBuilder};
use pki_core::time::Timestamp;
use pki_core::x509::{Certificate, pem};
use serde::Deserialize;

use crate::support::testdata;

const POLICIES: &str = "certificate policies are not processed: CAs that constrain or map them are refused";
const CA_AS_LEAF: &str = "a CA certificate is refused as a server's (CRT-03)";
const INDIRECT: &str = "indirect lists are refused";
const DELTA: &str = "delta lists are refused";
const REASONS: &str = "lists for some reasons only are refused";

/// `optional` cases that are rejected although they could be accepted, and why that is right.
const DEPARTURES: &[(&str, &str)] = &[
    ("pkits::AllCertificatesAnyPolicyTest11", POLICIES),
    ("pkits::AnyPolicyTest14", POLICIES),
    ("pkits::OverlappingPoliciesTest6", POLICIES),
    ("pkits::UserNoticeQualifierTest18", POLICIES),
    ("pkits::ValidIDPwithindirectCRLTest24", INDIRECT),
    ("pkits::ValidPolicyMappingTest1", POLICIES),
    ("pkits::ValidPolicyMappingTest12", POLICIES),
    ("pkits::ValidPolicyMappingTest14", POLICIES),
    ("pkits::ValidPolicyMappingTest5", POLICIES),
    ("pkits::ValidPolicyMappingTest9", POLICIES),
    ("pkits::ValidRequireExplicitPolicyTest1", POLICIES),
    ("pkits::ValidRequireExplicitPolicyTest2", POLICIES),
    ("pkits::ValidRequireExplicitPolicyTest4", POLICIES),
    ("pkits::ValidSelfIssuedinhibitAnyPolicyTest7", POLICIES),
    ("pkits::ValidSelfIssuedinhibitAnyPolicyTest9", POLICIES),
    ("pkits::ValidSelfIssuedinhibitPolicyMappingTest7", POLICIES),
    ("pkits::ValidcRLIssuerTest28", INDIRECT),
    ("pkits::ValiddeltaCRLTest2", DELTA),
    ("pkits::ValiddeltaCRLTest8", DELTA),
    ("pkits::ValidinhibitAnyPolicyTest2", POLICIES),
    ("pkits::ValidinhibitPolicyMappingTest2", POLICIES),
    ("pkits::ValidinhibitPolicyMappingTest4", POLICIES),
    ("pkits::ValidonlySomeReasonsTest18", REASONS),
    ("pkits::ValidonlySomeReasonsTest19", REASONS),
    ("pkits::inhibitAnyPolicyTest3", POLICIES),
    ("rfc5280::ca-as-leaf", CA_AS_LEAF),
];

#[derive(Deserialize)]
struct Vectors {
    blobs: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    at: String,
    roots: Vec<usize>,
    intermediates: Vec<usize>,
    crls: Vec<usize>,
    leaf: usize,
    name: Option<Name>,
    max_depth: Option<usize>,
    expect: Expectation,
    tier: Tier,
}

#[derive(Deserialize)]
struct Name {
    kind: String,
    value: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    Accept,
    Reject,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Tier {
    Must,
    Strict,
    Optional,
}

#[test]
fn every_must_case_is_right() {
    let wrong = failures(|case, vectors| {
        let accepted = judge(vectors, case, false).is_ok();
        case.tier == Tier::Must && accepted != (case.expect == Expectation::Accept)
    });
    assert_eq!(wrong, BTreeSet::new());
}

#[test]
fn no_optional_case_is_falsely_accepted() {
    let wrong = failures(|case, vectors| {
        let must_fail = case.tier == Tier::Optional && case.expect == Expectation::Reject;
        must_fail && judge(vectors, case, false).is_ok()
    });
    assert_eq!(wrong, BTreeSet::new());
}

#[test]
fn valid_optional_cases_are_refused_only_for_listed_reasons() {
    let refused = failures(|case, vectors| {
        let may_pass = case.tier == Tier::Optional && case.expect == Expectation::Accept;
        may_pass && judge(vectors, case, false).is_err()
    });
    let listed = DEPARTURES.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(refused, listed);
}

#[test]
fn every_strict_case_is_refused_under_the_strict_policy() {
    let passed = failures(|case, vectors| case.tier == Tier::Strict && judge(vectors, case, true).is_ok());
    assert_eq!(passed, BTreeSet::new());
}

#[test]
fn crt_06_no_case_takes_long() {
    let limit = if cfg!(debug_assertions) { 500 } else { 50 };
    let slow = failures(|case, vectors| {
        let started = Instant::now();
        let _ = judge(vectors, case, true);
        started.elapsed() > Duration::from_millis(limit)
    });
    assert_eq!(slow, BTreeSet::new());
}

fn failures(mut is_wrong: impl FnMut(&Case, &Vectors) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["x509-limbo", "pkits"] {
        let vectors: Vectors = serde_json::from_slice(&testdata(&format!("{folder}/cases.json"))).unwrap();
        assert!(vectors.cases.len() > 100);
        let wrong = vectors.cases.iter().filter(|case| is_wrong(case, &vectors));
        found.extend(wrong.map(|case| case.id.clone()));
    }
    found
}

/// What `postern verify-chain` is to answer: lists of unrelated issuers are ignored, unusable ones are not.
fn judge(vectors: &Vectors, case: &Case, strict: bool) -> Result<(), String> {
    let text = |indexes: &[usize]| -> String {
        indexes.iter().map(|index| vectors.blobs[*index].as_str()).collect()
    };
    let certificates = |indexes: &[usize]| match indexes {
        [] => Vec::new(),
        _ => pem::certificates(text(indexes).as_bytes()).unwrap(),
    };
    let anchors = TrustAnchors::from_pem(text(&case.roots).as_bytes()).map_err(|error| error.to_string())?;
    let sent = [certificates(&[case.leaf]), certificates(&case.intermediates)].concat();
    let issuers: Vec<Certificate> = sent[1..].iter().flat_map(|der| Certificate::parse(der)).collect();
    let mut builder = RevocationIndexBuilder::new(anchors.crl_issuers().chain(&issuers));
    for index in &case.crls {
        for list in Crl::parse_file(vectors.blobs[*index].as_bytes()).map_err(|error| error.to_string())? {
            match builder.add(list) {
                Ok(()) | Err(CrlRefusal::ForeignIssuer { .. }) => {}
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
    }
    let index = builder.finish();
    let policy =
        ChainPolicy { strict, max_intermediates: case.max_depth.unwrap_or(8), ..ChainPolicy::general() };
    let name = case.name.as_ref().map(|name| format!("{}:{}", name.kind, name.value));
    let name = name.map(|name| PeerName::parse(&name).unwrap());
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    let request = Request {
        leaf_and_intermediates: &sent,
        anchors: &anchors,
        purpose: match case.kind.as_str() {
            "server" => Purpose::Server,
            "client" => Purpose::Client,
            _ => Purpose::Any,
        },
        revocation: match case.crls.as_slice() {
            [] => Revocation::Unchecked,
            _ => Revocation::Required(&index),
        },
        name: name.as_ref(),
        policy: &policy,
        now: parse_time(&case.at),
    };
    chain::verify(&request).map(|_| ()).map_err(|rejection| rejection.to_string())
}

/// `2024-01-01T00:00:00Z`.
fn parse_time(text: &str) -> Timestamp {
    let field = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let time = Timestamp::from_calendar(
        field(0, 4),
        field(5, 7),
        field(8, 10),
        field(11, 13),
        field(14, 16),
        field(17, 19),
    );
    time.unwrap()
}
