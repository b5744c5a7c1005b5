//! Certificates and lists with damaged content under a good signature, judged by us and by `openssl verify`.
//!
//! A damaged signature says nothing about the parsers, so every damaged part is signed again by its real issuer. OpenSSL
//! may be more tolerant than we are (threat model CRT-05), but what we accept it must accept as well. Seeded and bounded.

use std::path::Path;
use std::process::Command;

use pki_core::chain::{self, ChainPolicy, Purpose, Request, Revocation};
use pki_core::crl::{Crl, RevocationIndex};
use pki_core::x509::Certificate;
use rcgen::{SanType, SigningKey as _};

use crate::random::Random;
use crate::support::{Authority, NOW, armour, element};

/// So often OpenSSL is asked about each part.
const COMPARISONS: usize = 60;
const ATTEMPTS: usize = 6000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Leaf,
    Middle,
    List,
}

struct World {
    root: Authority,
    middle: Authority,
    leaf: Vec<u8>,
}

#[test]
fn crt_05_what_we_accept_of_damaged_and_signed_again_openssl_accepts_as_well() {
    let root = Authority::root("Root");
    let middle = root.subordinate("Middle", |_| {});
    let leaf = middle.client_with("alice", |params| {
        params.subject_alt_names = vec![SanType::DnsName("a.company.com".try_into().unwrap())];
    });
    let world = World { root, middle, leaf };
    let folder = tempfile::tempdir().unwrap();
    for (part, seed) in [(Part::Leaf, 11), (Part::Middle, 12), (Part::List, 13)] {
        let mut random = Random::new(seed);
        let mut compared = 0;
        for attempt in 0..ATTEMPTS {
            let damaged = world.damaged(part, &mut random);
            if world.accepts(part, &damaged) {
                let answer = world.ask_openssl(part, &damaged, folder.path());
                assert_eq!(answer, Ok(()), "{part:?}, attempt {attempt}: {}", armour("DAMAGED", &damaged));
                compared += 1;
            }
            if compared == COMPARISONS {
                break;
            }
        }
        assert!(compared >= 10, "{part:?}: only {compared} were accepted, which compares nothing");
    }
}

impl World {
    fn list(&self) -> Vec<u8> {
        self.middle.list().revoking(&[&[1], &[2, 3], &[4; 16]]).sign(&self.middle)
    }

    fn root_list(&self) -> Vec<u8> {
        self.root.list().sign(&self.root)
    }

    /// The part with its signed content damaged in one to three places, without a change of length. Two things stay
    /// whole: key identifiers, which end OpenSSL's search for an issuer where we let the signature decide, and keys: one
    /// that is no point of its curve signs nothing, so that its handshake fails.
    fn damaged(&self, part: Part, random: &mut Random) -> Vec<u8> {
        let (whole, signer) = match part {
            Part::Leaf => (self.leaf.clone(), &self.middle),
            Part::Middle => (self.middle.certificate.clone(), &self.root),
            Part::List => (self.list(), &self.middle),
        };
        let (intact, algorithm) = signed_parts(&whole);
        let mut content = intact.clone();
        for _ in 0..=random.below(3) {
            random.overwrite(&mut content);
        }
        for whole in keys_and_identifiers(&intact) {
            content[whole.clone()].copy_from_slice(&intact[whole]);
        }
        let mut bits = vec![0];
        bits.extend(signer.issuer.key().sign(&content).unwrap());
        element(0x30, &[&content, &algorithm, &element(3, &[&bits])])
    }

    fn with(&self, part: Part, damaged: &[u8]) -> [Vec<u8>; 3] {
        let mut parts = [self.leaf.clone(), self.middle.certificate.clone(), self.list()];
        let place = match part {
            Part::Leaf => 0,
            Part::Middle => 1,
            Part::List => 2,
        };
        parts[place] = damaged.to_vec();
        parts
    }

    fn accepts(&self, part: Part, damaged: &[u8]) -> bool {
        let [leaf, middle, list] = self.with(part, damaged);
        let root = Certificate::parse(&self.root.certificate).unwrap();
        let root_list = Crl::parse(self.root_list()).unwrap();
        let (Ok(issuer), Ok(list)) = (Certificate::parse(&middle), Crl::parse(list)) else {
            return false;
        };
        let Ok(index) = RevocationIndex::build([&root, &issuer], [root_list, list]) else { return false };
        let is_list = part == Part::List;
        let verified = chain::verify(&Request {
            leaf_and_intermediates: &[&leaf, &middle],
            anchors: &self.root.anchors(),
            purpose: Purpose::Client,
            revocation: if is_list { Revocation::Required(&index) } else { Revocation::Unchecked },
            name: None,
            policy: &ChainPolicy::general(),
            now: NOW,
        });
        verified.is_ok()
    }

    fn ask_openssl(&self, part: Part, damaged: &[u8], folder: &Path) -> Result<(), String> {
        let [leaf, middle, list] = self.with(part, damaged);
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut command = Command::new("openssl");
        command.args(["verify", "-purpose", "sslclient", "-attime", &NOW.unix_seconds().to_string()]);
        command.arg("-CAfile").arg(write("root", armour("CERTIFICATE", &self.root.certificate)));
        command.arg("-untrusted").arg(write("middle", armour("CERTIFICATE", &middle)));
        if part == Part::List {
            let lists = [self.root_list(), list].map(|list| armour("X509 CRL", &list)).concat();
            command.arg("-crl_check_all").arg("-CRLfile").arg(write("lists", lists));
        }
        command.arg(write("leaf", armour("CERTIFICATE", &leaf)));
        let output = command.output().expect("the openssl command is installed");
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The signed content and the algorithm of a signed object, both as whole elements.
fn signed_parts(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let content = &der[header(der)..];
    let end = header(content) + length(content);
    let algorithm = &content[end..];
    (content[..end].to_vec(), algorithm[..header(algorithm) + length(algorithm)].to_vec())
}

/// Where a P-256 key and the extensions of both key identifiers stand.
fn keys_and_identifiers(content: &[u8]) -> Vec<std::ops::Range<usize>> {
    let places = content.windows(7).enumerate();
    let places = places.filter_map(|(at, window)| match window {
        [0x30, length, 6, 3, 0x55, 0x1d, 0x23 | 0x0e] => Some(at..at + 2 + usize::from(*length)),
        [3, 0x42, 0, 4, ..] => Some(at..at + 0x44),
        _ => None,
    });
    places.collect()
}

fn header(der: &[u8]) -> usize {
    2 + usize::from(if der[1] < 0x80 { 0 } else { der[1] & 0x7f })
}

fn length(der: &[u8]) -> usize {
    match der[1] {
        short @ 0..0x80 => usize::from(short),
        _ => der[2..header(der)].iter().fold(0, |length, octet| length << 8 | usize::from(*octet)),
    }
}
