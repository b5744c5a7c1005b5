//! Damaged input: no panic, no false accept, no long work. Seeded, so that a failure can be repeated.

use std::time::Duration;

use pki_core::chain::{self, ChainPolicy, Purpose, Rejection, Request, Revocation, VerifiedPath};
use pki_core::crl::{Crl, RevocationIndex};
use pki_core::x509::Certificate;
use rcgen::{GeneralSubtree, NameConstraints, SanType};

use crate::random::Random;
use crate::stopwatch::Stopwatch;
use crate::support::{Authority, ListDraft, NOW, testdata};

const ROUNDS: u32 = 4000;

/// A validation may keep a processor busy this long, and without optimisation ten times as long.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 50 });

struct World {
    root: Authority,
    middle: Authority,
    leaf: Vec<u8>,
    lists: [Vec<u8>; 2],
}

impl World {
    fn new() -> Self {
        let root = Authority::root("Root");
        let middle = root.subordinate("Middle", |params| {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName("company.com".into())],
                excluded_subtrees: vec![GeneralSubtree::Rfc822Name("evil.example".into())],
            });
        });
        let leaf = middle.client_with("alice", |params| {
            params.subject_alt_names = vec![SanType::DnsName("a.company.com".try_into().unwrap())];
        });
        let list =
            |authority: &Authority| -> ListDraft { authority.list().revoking(&[&[1], &[2, 3], &[4; 16]]) };
        let lists = [list(&root).sign(&root), list(&middle).sign(&middle)];
        Self { root, middle, leaf, lists }
    }

    fn verify(&self, leaf: &[u8], middle: &[u8], index: &RevocationIndex) -> Result<VerifiedPath, Rejection> {
        chain::verify(&Request {
            leaf_and_intermediates: &[leaf, middle],
            anchors: &self.root.anchors(),
            purpose: Purpose::Client,
            revocation: Revocation::Required(index),
            name: None,
            policy: &ChainPolicy::vpn(),
            now: NOW,
        })
    }

    fn index(&self, lists: impl IntoIterator<Item = Crl>) -> Option<RevocationIndex> {
        let issuers =
            [&self.root, &self.middle].map(|authority| Certificate::parse(&authority.certificate).unwrap());
        RevocationIndex::build(&issuers, lists).ok()
    }

    fn intact_index(&self) -> RevocationIndex {
        let lists = self.lists.iter().map(|list| Crl::parse(list.clone()).unwrap());
        self.index(lists).unwrap()
    }
}

#[test]
fn crt_05_no_damaged_certificate_is_accepted() {
    let world = World::new();
    let index = world.intact_index();
    assert!(world.verify(&world.leaf, &world.middle.certificate, &index).is_ok());
    let mut random = Random::new(1);
    for round in 0..ROUNDS {
        let (mut leaf, mut middle) = (world.leaf.clone(), world.middle.certificate.clone());
        let victim = if round % 2 == 0 { &mut leaf } else { &mut middle };
        let intact = victim.clone();
        random.damage(victim);
        if *victim == intact {
            continue;
        }
        let started = Stopwatch::start();
        let outcome = world.verify(&leaf, &middle, &index);
        assert!(started.elapsed() < LIMIT, "round {round}: {:?}", started.elapsed());
        assert!(outcome.is_err(), "round {round}");
        let rejection = outcome.unwrap_err();
        assert!(
            !rejection.chains_to_anchor() && !rejection.to_string().is_empty(),
            "round {round}: {rejection}"
        );
    }
}

#[test]
fn crl_02_no_damaged_list_is_taken_into_use() {
    let world = World::new();
    let mut random = Random::new(2);
    for round in 0..ROUNDS {
        let mut list = world.lists[0].clone();
        random.damage(&mut list);
        if list == world.lists[0] {
            continue;
        }
        let started = Stopwatch::start();
        let taken = Crl::parse(list).ok().and_then(|list| world.index([list]));
        assert!(started.elapsed() < LIMIT, "round {round}");
        assert!(taken.is_none(), "round {round}");
    }
}

#[test]
fn damaged_public_vectors_never_panic() {
    let text = testdata("x509-limbo/cases.json");
    let vectors: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let blobs: Vec<Vec<u8>> = vectors["blobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|blob| pki_core::pem::certificates(blob.as_str().unwrap().as_bytes()).ok())
        .flatten()
        .filter(|der| der.len() < 8192)
        .collect();
    let world = World::new();
    let index = world.intact_index();
    let mut random = Random::new(3);
    for round in 0..ROUNDS {
        let mut pick = || blobs[random.below(blobs.len())].clone();
        let (mut leaf, mut middle) = (pick(), pick());
        random.damage(&mut leaf);
        random.damage(&mut middle);
        let started = Stopwatch::start();
        assert!(world.verify(&leaf, &middle, &index).is_err());
        assert!(started.elapsed() < LIMIT, "round {round}");
    }
}
