//! The public chain-validation vectors: C2SP x509-limbo and NIST PKITS (see testdata/README.md).
//!
//! `must` cases are right under the general policy, `optional` ones never falsely accepted, `strict` ones rejected
//! under the strict option. Every departure stands in [`DEPARTURES`] with its reason, and nothing else does.

use std::collections::BTreeSet;
use std::time::Duration;

use pki_core::chain::{self, ChainPolicy, FileRequest, PeerName, Purpose};
use pki_core::time::Timestamp;
use serde::Deserialize;

use crate::stopwatch::Stopwatch;
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
        let started = Stopwatch::start();
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

/// What `postern verify-chain` answers.
fn judge(vectors: &Vectors, case: &Case, strict: bool) -> Result<(), String> {
    let text = |indexes: &[usize]| -> Option<String> {
        let text = indexes.iter().map(|index| vectors.blobs[*index].as_str()).collect();
        (!indexes.is_empty()).then_some(text)
    };
    let (authorities, intermediates) = (text(&case.roots).unwrap(), text(&case.intermediates));
    let (lists, leaf) = (text(&case.crls), text(&[case.leaf]).unwrap());
    let policy =
        ChainPolicy { strict, max_intermediates: case.max_depth.unwrap_or(8), ..ChainPolicy::general() };
    let name = case.name.as_ref().map(|name| format!("{}:{}", name.kind, name.value));
    let name = name.map(|name| PeerName::parse(&name).unwrap());
    let verdict = chain::verify_files(&FileRequest {
        authorities: authorities.as_bytes(),
        intermediates: intermediates.as_deref().map(str::as_bytes),
        lists: lists.as_deref().map(str::as_bytes),
        leaf: leaf.as_bytes(),
        purpose: match case.kind.as_str() {
            "server" => Purpose::Server,
            "client" => Purpose::Client,
            _ => Purpose::Any,
        },
        name: name.as_ref(),
        policy: &policy,
        now: Timestamp::from_rfc3339(&case.at).unwrap(),
    });
    verdict.map(drop).map_err(|refusal| {
        assert!(refusal.is_verdict(), "{}: {refusal}", case.id);
        refusal.to_string()
    })
}
