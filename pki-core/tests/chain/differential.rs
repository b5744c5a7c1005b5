//! Every combination of some roots, intermediates, leaves and lists, judged by us and by `openssl verify`.
//!
//! The two must agree, except where [`why_we_differ`] knows a reason; there they must differ.

use std::path::Path;
use std::process::Command;

use pki_core::chain::{self, ChainPolicy, Purpose, Request, Revocation};
use pki_core::crl::{Crl, RevocationIndex};
use pki_core::x509::Certificate;
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose,
    NameConstraints, SanType,
};

use crate::support::{Authority, Change, NOW, armour, moment, serial};

const ROOTS: &[(&str, Change)] = &[
    ("plain root", |_| {}),
    ("root with path length 0", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
    ("root without keyCertSign", |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
    ("expired root", |params| params.not_after = moment(NOW.plus_days(-1))),
];

const INTERMEDIATES: &[(&str, Change)] = &[
    ("plain intermediate", |_| {}),
    ("intermediate that is no CA", |params| params.is_ca = IsCa::ExplicitNoCa),
    ("intermediate without keyCertSign", |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
    ("intermediate with path length 0", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
    ("expired intermediate", |params| params.not_after = moment(NOW.plus_days(-1))),
    ("intermediate for servers", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    }),
    ("intermediate for any purpose", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]
    }),
    ("constrained intermediate", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("company.com".into())],
            excluded_subtrees: vec![GeneralSubtree::DnsName("secret.company.com".into())],
        });
    }),
    ("intermediate with an unknown critical extension", |params| params.custom_extensions = vec![unknown()]),
];

const LEAVES: &[(&str, Change)] = &[
    ("client", |_| {}),
    ("server", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
    ("client and server", |params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth)),
    ("leaf for any purpose", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
    ("leaf without purpose", |params| params.extended_key_usages.clear()),
    ("leaf that is a CA", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
    ("leaf for encipherment", |params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
    ("leaf for key agreement", |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
    ("expired leaf", |params| params.not_after = moment(NOW.plus_days(-1))),
    ("future leaf", |params| params.not_before = moment(NOW.plus_days(1))),
    ("leaf named inside", |params| params.subject_alt_names = vec![host("a.company.com")]),
    ("leaf named outside", |params| params.subject_alt_names = vec![host("a.company.org")]),
    ("leaf named excluded", |params| params.subject_alt_names = vec![host("a.secret.company.com")]),
    ("leaf with an unknown critical extension", |params| params.custom_extensions = vec![unknown()]),
    ("revoked leaf", |params| params.serial_number = serial(&[0x66])),
];

const LISTS: &[&str] =
    &["no lists", "good lists", "no list of the lowest CA", "expired lists", "future lists"];

/// Combinations that OpenSSL accepts and we refuse.
fn why_we_differ(case: &Case) -> Option<&'static str> {
    (case.leaf == "leaf that is a CA").then_some("CRT-03: a CA certificate is no end entity")
}

struct Case {
    root: &'static str,
    intermediate: Option<&'static str>,
    leaf: &'static str,
    lists: &'static str,
}

struct Chain<'a> {
    /// Topmost first.
    authorities: &'a [Authority],
    leaf: Vec<u8>,
}

#[test]
fn crt_01_openssl_agrees_on_every_combination() {
    let folder = tempfile::tempdir().unwrap();
    let mut compared = (0, 0);
    for (root, change_root) in ROOTS {
        let direct = [None];
        for intermediate in INTERMEDIATES.iter().map(Some).chain(direct) {
            let authorities = authorities(*change_root, intermediate.map(|(_, change)| *change));
            for (leaf, change_leaf) in LEAVES {
                let chain = Chain {
                    leaf: authorities.last().unwrap().client_with("peer", *change_leaf),
                    authorities: &authorities,
                };
                let is_interesting = *root == "plain root" && ["client", "revoked leaf"].contains(leaf);
                for lists in if is_interesting { LISTS } else { &LISTS[..1] } {
                    let case = Case { root, intermediate: intermediate.map(|(name, _)| *name), leaf, lists };
                    let accepted = compare(&case, &chain, folder.path());
                    compared = (compared.0 + 1, compared.1 + usize::from(accepted));
                }
            }
        }
    }
    assert!(compared.0 > 600 && compared.1 > 30, "{compared:?}");
}

/// Whether both accept.
fn compare(case: &Case, chain: &Chain<'_>, folder: &Path) -> bool {
    let label = format!("{}, {:?}, {}, {}", case.root, case.intermediate, case.leaf, case.lists);
    let lists = chain.lists(case.lists);
    let ours = chain.verify(lists.as_deref());
    let theirs = chain.ask_openssl(lists.as_deref(), folder);
    match why_we_differ(case) {
        Some(reason) if theirs.is_ok() => assert!(ours.is_err(), "{label}: {reason}"),
        _ => assert_eq!(ours.is_ok(), theirs.is_ok(), "{label}: {ours:?} {theirs:?}"),
    }
    ours.is_ok()
}

impl Chain<'_> {
    /// The lists of all authorities, which revoke the revoked leaf; `None` if revocation is not to be checked.
    fn lists(&self, kind: &str) -> Option<Vec<Vec<u8>>> {
        let lowest_first = self.authorities.iter().rev();
        let lists = lowest_first.map(|authority| {
            let list = authority.list().revoking(&[&[0x66]]);
            let list = match kind {
                "expired lists" => list.due(NOW.plus_days(-1)),
                "future lists" => list.made(NOW.plus_days(1)),
                _ => list,
            };
            list.sign(authority)
        });
        match kind {
            "no lists" => None,
            "no list of the lowest CA" => Some(lists.skip(1).collect()),
            _ => Some(lists.collect()),
        }
    }

    fn verify(&self, lists: Option<&[Vec<u8>]>) -> Result<(), String> {
        let issuers: Vec<Certificate> = self
            .authorities
            .iter()
            .map(|authority| Certificate::parse(&authority.certificate).unwrap())
            .collect();
        let parsed = lists.unwrap_or_default().iter().map(|list| Crl::parse(list.clone()).unwrap());
        let index = RevocationIndex::build(&issuers, parsed).map_err(|refusal| refusal.to_string())?;
        let mut sent: Vec<&[u8]> = vec![&self.leaf];
        sent.extend(self.authorities[1..].iter().map(|authority| authority.certificate.as_slice()));
        let outcome = chain::verify(&Request {
            leaf_and_intermediates: &sent,
            anchors: &self.authorities[0].anchors(),
            purpose: Purpose::Client,
            revocation: lists.map_or(Revocation::Unchecked, |_| Revocation::Required(&index)),
            name: None,
            policy: &ChainPolicy::general(),
            now: NOW,
        });
        outcome.map(|_| ()).map_err(|rejection| rejection.to_string())
    }

    fn ask_openssl(&self, lists: Option<&[Vec<u8>]>, folder: &Path) -> Result<(), String> {
        let armoured = |label: &str, objects: &[&[u8]]| -> String {
            objects.iter().map(|der| armour(label, der)).collect()
        };
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let authorities: Vec<&[u8]> =
            self.authorities.iter().map(|authority| authority.certificate.as_slice()).collect();
        let mut command = Command::new("openssl");
        command.args(["verify", "-purpose", "sslclient", "-attime", &NOW.unix_seconds().to_string()]);
        command.arg("-CAfile").arg(write("ca", armoured("CERTIFICATE", &authorities[..1])));
        if authorities.len() > 1 {
            command.arg("-untrusted").arg(write("untrusted", armoured("CERTIFICATE", &authorities[1..])));
        }
        if let Some(lists) = lists {
            command.arg("-crl_check_all");
            let lists: Vec<&[u8]> = lists.iter().map(Vec::as_slice).collect();
            if !lists.is_empty() {
                command.arg("-CRLfile").arg(write("lists", armoured("X509 CRL", &lists)));
            }
        }
        command.arg(write("leaf", armour("CERTIFICATE", &self.leaf)));
        let output = command.output().expect("the openssl command is installed");
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn authorities(change_root: Change, change_intermediate: Option<Change>) -> Vec<Authority> {
    let root = Authority::root_with("Root", change_root);
    let intermediate = change_intermediate.map(|change| root.subordinate("Intermediate", change));
    std::iter::once(root).chain(intermediate).collect()
}

fn host(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn unknown() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    extension
}
