//! The public chain-validation vectors: C2SP x509-limbo and NIST PKITS (see testdata/README.md).
//!
//! `must` cases are right under the general policy, `optional` ones never falsely accepted, `strict` ones rejected
//! under the strict option. Every departure stands in [`EXCEPTIONS`] with its reason.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pki_core::chain::{self, ChainPolicy, PeerName, Purpose, Request, Revocation, TrustAnchors};
use pki_core::crl::{Crl, CrlRefusal, RevocationIndexBuilder};
use pki_core::time::Timestamp;
use pki_core::x509::{Certificate, pem};
use serde::Deserialize;

/// Cases whose outcome is not the expected one, and why that is right.
const EXCEPTIONS: &[(&str, &str)] = &[
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

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    Accept,
    Reject,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Tier {
    Must,
    Strict,
    Optional,
}

#[test]
fn zz_dump() {
    for folder in ["x509-limbo", "pkits"] {
        let vectors = load(folder);
        for case in &vectors.cases {
            let started = std::time::Instant::now();
            let default = judge(&vectors, case, false);
            let strict = judge(&vectors, case, true);
            let took = started.elapsed();
            let show = |r: &Result<(), String>| match r { Ok(()) => "ACCEPT".to_string(), Err(e) => e.clone() };
            let wrong = match (case.tier, case.expect) {
                (Tier::Must, Expectation::Accept) => default.is_err(),
                (Tier::Must | Tier::Optional, Expectation::Reject) => default.is_ok(),
                (Tier::Strict, Expectation::Reject) => strict.is_ok(),
                _ => false,
            };
            println!("{} {:?} {:?} {} | {} | {} {:?}", if wrong {"!!!!"} else {"    "}, case.tier, case.expect, case.id, show(&default), show(&strict), took);
        }
    }
}

fn load(folder: &str) -> Vectors {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder).join("cases.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn judge(vectors: &Vectors, case: &Case, strict: bool) -> Result<(), String> {
    let ders = |indexes: &[usize]| -> Vec<Vec<u8>> {
        let blobs = indexes.iter().map(|index| vectors.blobs[*index].as_bytes());
        blobs.flat_map(|blob| pem::certificates(blob).unwrap()).collect()
    };
    let roots: String = case.roots.iter().map(|index| vectors.blobs[*index].as_str()).collect();
    let anchors = TrustAnchors::from_pem(roots.as_bytes()).map_err(|error| error.to_string())?;
    let intermediates = ders(&case.intermediates);
    let parsed: Vec<Certificate> =
        intermediates.iter().flat_map(|der| Certificate::parse(der)).collect();
    let mut builder = RevocationIndexBuilder::new(anchors.crl_issuers().chain(&parsed));
    for index in &case.crls {
        for crl in Crl::parse_file(vectors.blobs[*index].as_bytes()).map_err(|error| error.to_string())? {
            match builder.add(crl) {
                Ok(()) | Err(CrlRefusal::ForeignIssuer { .. }) => {}
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
    }
    let index = builder.finish();
    let leaf = ders(&[case.leaf]).remove(0);
    let sent: Vec<&[u8]> =
        std::iter::once(leaf.as_slice()).chain(intermediates.iter().map(Vec::as_slice)).collect();
    let policy = ChainPolicy {
        strict,
        max_intermediates: case.max_depth.unwrap_or(8),
        ..ChainPolicy::general()
    };
    let name = case.name.as_ref().map(|name| {
        PeerName::parse(&format!("{}:{}", name.kind, name.value)).unwrap()
    });
    let request = Request {
        leaf_and_intermediates: &sent,
        anchors: &anchors,
        purpose: match case.kind.as_str() {
            "server" => Purpose::Server,
            "client" => Purpose::Client,
            _ => Purpose::Any,
        },
        revocation: if case.crls.is_empty() { Revocation::Unchecked } else { Revocation::Required(&index) },
        name: name.as_ref(),
        policy: &policy,
        now: parse_time(&case.at),
    };
    chain::verify(&request).map(|_| ()).map_err(|rejection| format!("{}: {rejection}", rejection.code()))
}

/// `2024-01-01T00:00:00Z`.
fn parse_time(text: &str) -> Timestamp {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    Timestamp::from_calendar(
        number(0, 4),
        number(5, 7),
        number(8, 10),
        number(11, 13),
        number(14, 16),
        number(17, 19),
    )
    .unwrap()
}
