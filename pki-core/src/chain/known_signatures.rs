//! Signatures that held before: a certificate that comes again costs no public-key operation.
//!
//! Clients come back with the certificate they had, and whether an issuer's key signed it does not change. Everything
//! that can change (dates, revocation, trust, policy) is judged anew each time. Only signatures that hold are
//! remembered, so that a place here costs whoever wants to fill it a certificate of a known authority.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::x509::{Certificate, SignatureFailure, sha256};

/// What is remembered, shared by all validations against the same anchors.
#[derive(Debug, Default)]
pub(super) struct KnownSignatures {
    generations: Mutex<Generations>,
}

/// Two halves: when the young one is full it becomes the old one, and what was not asked for lately is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: HashSet<Signed>,
    old: HashSet<Signed>,
}

/// SHA-256 over the issuer's key and the whole certificate.
type Signed = [u8; 32];

/// Certificates that are remembered in each half.
const HALF: usize = 16_384;

impl KnownSignatures {
    /// Whether the key of `issuer` signed `certificate`.
    pub(super) fn verify(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
    ) -> Result<(), SignatureFailure> {
        let signed = sha256(&[issuer.public_key_info(), certificate.der()]);
        if self.lock().recall(&signed) {
            return Ok(());
        }
        certificate.verify_signed_by(issuer)?;
        self.lock().remember(signed);
        Ok(())
    }

    /// Valid at every moment, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn recall(&mut self, signed: &Signed) -> bool {
        if self.young.contains(signed) {
            return true;
        }
        let is_old = self.old.remove(signed);
        if is_old {
            self.remember(*signed);
        }
        is_old
    }

    fn remember(&mut self, signed: Signed) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(signed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(path: &str) -> Certificate {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/chain/easyrsa");
        let file = std::fs::read(format!("{root}/{path}")).unwrap();
        Certificate::parse(&crate::pem::certificates(&file).unwrap()[0]).unwrap()
    }

    fn number(number: usize) -> Signed {
        let mut signed = [0; 32];
        signed[..8].copy_from_slice(&number.to_be_bytes());
        signed
    }

    #[test]
    fn crt_01_a_signature_that_holds_is_known_for_its_issuer_and_certificate_only() {
        let known = KnownSignatures::default();
        let (issuer, leaf) = (certificate("rsa/ca.crt"), certificate("rsa/issued/client1.crt"));
        let other = certificate("rsa/issued/server1.crt");
        for _ in 0..2 {
            assert_eq!(known.verify(&leaf, &issuer), Ok(()));
            assert_eq!(known.verify(&leaf, &other), Err(SignatureFailure::Invalid));
        }
        assert_eq!(known.lock().young.len(), 1);
    }

    #[test]
    fn crt_06_signatures_that_do_not_hold_take_no_place() {
        let known = KnownSignatures::default();
        let leaf = certificate("rsa/issued/client1.crt");
        assert!(known.verify(&leaf, &leaf).is_err());
        assert!(known.lock().young.is_empty());
    }

    #[test]
    fn crt_06_what_is_remembered_is_bounded_and_what_is_asked_for_stays() {
        let mut generations = Generations::default();
        generations.remember(number(0));
        for other in 1..10 * HALF {
            generations.remember(number(other));
            if other % (HALF / 2) == 0 {
                assert!(generations.recall(&number(0)), "asked for at {other}");
            }
        }
        assert!(generations.young.len() + generations.old.len() <= 2 * HALF);
        assert!(!generations.recall(&number(1)));
    }
}
