//! PKIs written by the real easy-rsa verify by default, in every state a certificate can be in (threat model CRT-02).

use pki_core::chain::{
    self, ChainPolicy, Purpose, Rejection, Request, Revocation, TrustAnchors, VerifiedPath,
};
use pki_core::crl::{Crl, RevocationIndex, RevocationReason};
use pki_core::pem;
use pki_core::time::Timestamp;

use crate::support::{testdata, verdict};

/// 2030-01-01, within every list's validity.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_893_456_000);

struct Pki {
    folder: &'static str,
    anchors: TrustAnchors,
    index: RevocationIndex,
}

impl Pki {
    fn open(folder: &'static str) -> Self {
        let anchors = TrustAnchors::from_pem(&testdata(&format!("chain/easyrsa/{folder}/ca.crt"))).unwrap();
        let lists = Crl::parse_file(&testdata(&format!("chain/easyrsa/{folder}/crl.pem"))).unwrap();
        let index = RevocationIndex::build(anchors.crl_issuers(), lists).unwrap();
        Self { folder, anchors, index }
    }

    fn verify(&self, purpose: Purpose, file: &str) -> Result<VerifiedPath, Rejection> {
        self.verify_with(purpose, file, &ChainPolicy::vpn())
    }

    fn verify_with(
        &self,
        purpose: Purpose,
        file: &str,
        policy: &ChainPolicy,
    ) -> Result<VerifiedPath, Rejection> {
        let text = testdata(&format!("chain/easyrsa/{}/{file}.crt", self.folder));
        let leaf = pem::certificates(&text).unwrap().remove(0);
        chain::verify(&Request {
            leaf_and_intermediates: &[&leaf],
            anchors: &self.anchors,
            purpose,
            revocation: Revocation::Required(&self.index),
            name: None,
            policy,
            now: NOW,
        })
    }
}

#[test]
fn crt_02_clients_and_servers_of_every_easyrsa_pki_are_accepted() {
    for (folder, clients, server) in [
        ("rsa", &["client1", "client2", "renewed1", "renewed2", "moved2"][..], Some("server1")),
        ("ec", &["john doe", "jürgen", "user@mail.example", "org1", "longlived", "both1"], Some("server1")),
        ("ed25519", &["client1"], Some("server1")),
        ("v310-ec", &["client1", "renewed1"], Some("server1")),
        ("ec-subca", &["subclient"], None),
    ] {
        let pki = Pki::open(folder);
        for client in clients {
            let path = pki.verify(Purpose::Client, &format!("issued/{client}")).unwrap();
            assert_eq!(path.common_name.as_deref(), Some(*client), "{folder}");
        }
        if let Some(server) = server {
            assert!(pki.verify(Purpose::Server, &format!("issued/{server}")).is_ok(), "{folder}");
            let as_client = pki.verify(Purpose::Client, &format!("issued/{server}"));
            assert_eq!(verdict(as_client), ("server-as-client", true), "{folder}");
        }
    }
}

#[test]
fn crt_02_revoked_expired_and_ca_certificates_of_easyrsa_are_refused_with_their_reason() {
    let rsa = Pki::open("rsa");
    let revoked = rsa.verify(Purpose::Client, "revoked/5AC1C26B0E7A3976968EB2B8063B83B3");
    let reason = revoked.as_ref().unwrap_err().to_string();
    assert!(reason.ends_with("(keyCompromise)"), "{reason}");
    assert_eq!(verdict(revoked), ("revoked", true));
    assert_eq!(verdict(rsa.verify(Purpose::Client, "issued/expired1")), ("expired", true));
    let ec = Pki::open("ec");
    assert_eq!(verdict(ec.verify(Purpose::Client, "issued/subca")), ("ca-as-end-entity", true));
    for serial in 8..=14 {
        let file = format!("revoked/{serial:02X}");
        assert_eq!(verdict(ec.verify(Purpose::Client, &file)), ("revoked", true), "{file}");
    }
}

#[test]
fn crt_02_two_cas_called_easy_rsa_ca_are_kept_apart() {
    let (rsa, v310) = (Pki::open("rsa"), Pki::open("v310-ec"));
    let client = pem::certificates(&testdata("chain/easyrsa/v310-ec/issued/client1.crt")).unwrap().remove(0);
    let outcome = chain::verify(&Request {
        leaf_and_intermediates: &[&client],
        anchors: &rsa.anchors,
        purpose: Purpose::Client,
        revocation: Revocation::Required(&rsa.index),
        name: None,
        policy: &ChainPolicy::vpn(),
        now: NOW,
    });
    assert_eq!(verdict(outcome), ("unknown-ca", false));
    let foreign = Crl::parse_file(&testdata("chain/easyrsa/v310-ec/crl.pem")).unwrap();
    let refusal = RevocationIndex::build(rsa.anchors.crl_issuers(), foreign).unwrap_err();
    assert_eq!(refusal.code(), "crl-foreign-issuer");
    let all = [testdata("chain/easyrsa/rsa/ca.crt"), testdata("chain/easyrsa/v310-ec/ca.crt")].concat();
    let both = TrustAnchors::from_pem(&all).unwrap();
    let lists = [testdata("chain/easyrsa/rsa/crl.pem"), testdata("chain/easyrsa/v310-ec/crl.pem")].concat();
    let index = RevocationIndex::build(both.crl_issuers(), Crl::parse_file(&lists).unwrap()).unwrap();
    assert_eq!(index.summaries().count(), 2);
    assert_eq!(v310.index.summaries().count(), 1);
}

#[test]
fn a_sub_ca_with_its_root_in_one_file_needs_both_lists() {
    let file = [testdata("chain/easyrsa/ec-subca/ca.crt"), testdata("chain/easyrsa/ec/ca.crt")].concat();
    let anchors = TrustAnchors::from_pem(&file).unwrap();
    assert_eq!((anchors.anchors().len(), anchors.intermediates().len()), (1, 1));
    let leaf = pem::certificates(&testdata("chain/easyrsa/ec-subca/issued/subclient.crt")).unwrap().remove(0);
    let verify = |lists: &[&str]| {
        let lists = lists
            .iter()
            .flat_map(|pki| Crl::parse_file(&testdata(&format!("chain/easyrsa/{pki}/crl.pem"))).unwrap());
        let index = RevocationIndex::build(anchors.crl_issuers(), lists).unwrap();
        chain::verify(&Request {
            leaf_and_intermediates: &[&leaf],
            anchors: &anchors,
            purpose: Purpose::Client,
            revocation: Revocation::Required(&index),
            name: None,
            policy: &ChainPolicy::vpn(),
            now: NOW,
        })
    };
    assert_eq!(verify(&["ec-subca", "ec"]).unwrap().certificates.len(), 2);
    assert_eq!(verdict(verify(&["ec-subca"])), ("crl-missing", true));
}

#[test]
fn crt_02_the_strict_policy_refuses_what_easyrsa_writes() {
    let strict = ChainPolicy { strict: true, ..ChainPolicy::vpn() };
    for folder in ["rsa", "ec", "ed25519", "v310-ec"] {
        let outcome = Pki::open(folder).verify_with(Purpose::Server, "issued/server1", &strict);
        assert_eq!(verdict(outcome), ("strict-profile", true), "{folder}");
    }
}

#[test]
fn easyrsa_lists_are_read_with_their_entries_and_reasons() {
    let lists = Crl::parse_file(&testdata("chain/easyrsa/ec/crl.pem")).unwrap();
    let list = &lists[0];
    assert_eq!(list.issuer().to_string(), "CN=Fixture Root EC");
    assert_eq!(list.this_update().to_string(), "2026-11-20T07:42:29Z");
    assert_eq!(list.next_update().to_string(), "2048-07-07T07:42:29Z");
    assert_eq!(list.number(), None);
    assert!(list.authority_key().is_some());
    let entries: Vec<String> = list.entries().iter().map(|entry| entry.serial().to_string()).collect();
    assert_eq!(entries, ["08", "09", "0A", "0B", "0C", "0D", "0E"]);
    let reasons: Vec<Option<RevocationReason>> = list.entries().iter().map(|entry| entry.reason()).collect();
    assert_eq!(reasons[1], Some(RevocationReason::KeyCompromise));
    assert_eq!(reasons[6], Some(RevocationReason::CertificateHold));
    let without_reason = Crl::parse_file(&testdata("chain/easyrsa/rsa/crl.pem")).unwrap();
    assert!(without_reason[0].entries().iter().any(|entry| entry.reason().is_none()));
}
