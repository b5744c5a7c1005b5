//! Whether every issuer on a path was allowed to issue what is below it.
//!
//! A path is given leaf first, anchor last. The anchor's certificate counts like any other CA's: it was trusted for
//! what it says, not beyond (threat model CRT-01).

use super::name_constraints;
use super::rejection::Reason;
use super::search::{Budget, Exhausted};
use crate::x509::Certificate;
use crate::x509::extensions::KeyUsage;

/// What is wrong with the certificate at `depth`, counted from the leaf.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) depth: usize,
    pub(super) reason: Reason,
}

pub(super) fn check(path: &[&Certificate], budget: &mut Budget) -> Result<Result<(), Fault>, Exhausted> {
    for depth in (1..path.len()).rev() {
        if let Err(reason) = check_issuer(path, depth) {
            return Ok(Err(Fault { depth, reason }));
        }
    }
    name_constraints::check(path, budget)
}

fn check_issuer(path: &[&Certificate], depth: usize) -> Result<(), Reason> {
    let issuer = path[depth];
    let extensions = issuer.extensions();
    if issuer.subject().is_empty() {
        return Err(Reason::NamelessIssuer);
    }
    if let Some(kind) = &extensions.unknown_critical {
        return Err(Reason::UnknownCriticalExtension(kind.clone()));
    }
    if extensions.has_policy_constraints {
        return Err(Reason::PolicyConstraints);
    }
    if !issuer.is_ca() {
        return Err(Reason::NotACa);
    }
    let usage = extensions.key_usage.as_ref();
    if usage.is_some_and(|usage| !usage.value.allows(KeyUsage::KEY_CERT_SIGN)) {
        return Err(Reason::MayNotSignCertificates);
    }
    check_path_length(path, depth)
}

/// Self-issued certificates, which serve key roll-over, and the leaf do not count (RFC 5280 section 4.2.1.9).
fn check_path_length(path: &[&Certificate], depth: usize) -> Result<(), Reason> {
    let constraints = path[depth].extensions().basic_constraints.as_ref();
    let Some(limit) = constraints.and_then(|constraints| constraints.value.path_length) else {
        return Ok(());
    };
    let below = path[1..depth].iter().filter(|certificate| !certificate.is_self_issued()).count();
    if u32::try_from(below).is_ok_and(|below| below <= limit) {
        Ok(())
    } else {
        Err(Reason::PathLength { limit })
    }
}
