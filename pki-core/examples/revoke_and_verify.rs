//! The life of a certificate, in memory: issued, accepted, revoked, refused.
//! `cargo run --package pki-core --example revoke_and_verify`
#![expect(clippy::print_stdout, reason = "the answer is what this program is for")]

use std::error::Error;
use std::time::SystemTime;

use pki_core::ca::{BuildCa, Context, GenCrl, Generation, Issue, Revoke, Settings};
use pki_core::cert::CertificateKind;
use pki_core::cert::build::Validity;
use pki_core::chain::{self, ChainPolicy, Purpose, Rejection, Revocation, TrustAnchors, VerifiedPath};
use pki_core::crl::{Crl, RevocationIndex, RevocationReason};
use pki_core::key::Protection;
use pki_core::name::{CommonName, FileBase};
use pki_core::random::SystemSource;
use pki_core::time::Timestamp;
use pki_core::{Authority, PkiError};

fn main() -> Result<(), Box<dyn Error>> {
    let mut context = Context {
        now: SystemTime::now().into(),
        random: &mut SystemSource::new(),
        passphrases: &mut |_| Err("no key is encrypted here".into()),
    };
    let authority = Authority::in_memory(Settings::default())?;
    authority.build_ca(&BuildCa::new(CommonName::parse("Example CA")?, Protection::None), &mut context)?;
    let alice = FileBase::parse("alice")?;
    let validity = Validity::days_from(context.now, 30)?;
    authority.issue(&Issue::new(CertificateKind::Client, alice.clone(), validity), &mut context)?;
    let leaf = authority.reader().certificate_chain(&alice)?.remove(0);

    publish_list(&authority, &mut context)?;
    let accepted = judge(&authority, leaf.der(), context.now)?.map_err(|rejection| rejection.to_string())?;
    println!("accepted, {} certificates up to the anchor", accepted.certificates.len());

    let revocation =
        Revoke { name: alice, generation: Generation::Issued, reason: Some(RevocationReason::KeyCompromise) };
    authority.revoke(&revocation, &mut context)?;
    publish_list(&authority, &mut context)?;
    let rejection =
        judge(&authority, leaf.der(), context.now)?.err().ok_or("a revoked certificate was accepted")?;
    println!("{}: {rejection}", rejection.code());
    Ok(())
}

fn publish_list(authority: &Authority, context: &mut Context<'_>) -> Result<(), PkiError> {
    authority.gen_crl(&GenCrl { days: 180, digest: None, force: false }, context).map(drop)
}

/// As the VPN server does with the certificate of a client.
fn judge(
    authority: &Authority,
    leaf: &[u8],
    now: Timestamp,
) -> Result<Result<VerifiedPath, Rejection>, Box<dyn Error>> {
    let authorities = authority.reader().authority()?;
    let file = authority.published_list_file()?.ok_or("no list was published")?;
    let index = RevocationIndex::build(&authorities, Crl::parse_file(&file)?)?;
    Ok(chain::verify(&chain::Request {
        leaf_and_intermediates: &[leaf],
        anchors: &TrustAnchors::from_certificates(authorities.clone()),
        purpose: Purpose::Client,
        revocation: Revocation::Required(&index),
        name: None,
        policy: &ChainPolicy::vpn(),
        now,
    }))
}
