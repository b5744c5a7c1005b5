//! Whether a certificate that comes from a trusted CA is admitted: algorithms, dates, purpose, revocation, identity.

use super::authority::Fault;
use super::policy::{MissingUsage, Purpose, Revocation};
use super::rejection::Reason;
use super::{ChainPolicy, Request, VerifiedPath, identity, peer_name, strict};
use crate::crl::{CertificateId, RevocationIndex, RevocationStatus, may_sign_lists};
use crate::time::Timestamp;
use crate::x509::extensions::{ExtendedKeyUsage, KeyUsage};
use crate::x509::{Certificate, PublicKeyKind};

/// Judges a path, leaf first, anchor last, whose signatures and issuers are in order.
pub(super) fn check(path: &[&Certificate], request: &Request<'_>) -> Result<VerifiedPath, Fault> {
    let leaf = path[0];
    let at_leaf = |reason| Fault { depth: 0, reason };
    for (depth, certificate) in path.iter().enumerate().rev() {
        let is_anchor = depth + 1 == path.len();
        check_algorithms(certificate, is_anchor).map_err(|reason| Fault { depth, reason })?;
    }
    for (depth, certificate) in path.iter().enumerate().rev() {
        check_validity(certificate, depth, request.now).map_err(|reason| Fault { depth, reason })?;
    }
    check_end_entity(leaf, request).map_err(at_leaf)?;
    check_ca_purposes(&path[1..], request.purpose)?;
    let certificates = certificate_ids(path);
    let crl_expired_at = match request.revocation {
        Revocation::Unchecked => None,
        Revocation::Required(index) => check_revocation(path, &certificates, index, request)?,
    };
    if let Some(name) = request.name {
        peer_name::check(leaf, name).map_err(at_leaf)?;
    }
    let common_name = check_identity(leaf, request.policy).map_err(at_leaf)?;
    if request.policy.strict {
        strict::check(path, &certificates, request)?;
    }
    Ok(VerifiedPath {
        common_name,
        subject: leaf.subject().to_string(),
        serial: leaf.serial(),
        fingerprint: leaf.fingerprint(),
        anchor_fingerprint: path[path.len() - 1].fingerprint(),
        certificates,
        not_after: path.iter().map(|certificate| certificate.not_after()).min().unwrap_or(request.now),
        crl_expired_at,
    })
}

/// The certificates below the anchor as revocation lists know them.
fn certificate_ids(path: &[&Certificate]) -> Vec<CertificateId> {
    path.windows(2)
        .enumerate()
        .map(|(depth, pair)| CertificateId::new(pair[0], pair[1], &path[depth + 2..]))
        .collect()
}

/// The signature on an anchor proves nothing and is not looked at; its key is.
fn check_algorithms(certificate: &Certificate, is_anchor: bool) -> Result<(), Reason> {
    let algorithm = certificate.signature_algorithm();
    if !is_anchor && algorithm.is_weak() {
        let algorithm = algorithm.clone();
        return Err(Reason::WeakSignature { algorithm });
    }
    let key = certificate.public_key_kind();
    match key {
        PublicKeyKind::Rsa { bits: ..2048 } => Err(Reason::WeakKey { key: key.clone() }),
        PublicKeyKind::Rsa { bits: 8193.. } | PublicKeyKind::OtherCurve | PublicKeyKind::Other(_) => {
            Err(Reason::UnsupportedKey { key: key.clone() })
        }
        _ if !key.is_supported_by_backend() => Err(Reason::KeyNeedsOtherBackend { key: key.clone() }),
        PublicKeyKind::Rsa { .. }
        | PublicKeyKind::P256
        | PublicKeyKind::P384
        | PublicKeyKind::P521
        | PublicKeyKind::Ed25519 => Ok(()),
    }
}

/// Both ends of a validity belong to it.
fn check_validity(certificate: &Certificate, depth: usize, now: Timestamp) -> Result<(), Reason> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    match (now < not_before, now > not_after, depth) {
        (true, _, 0) => Err(Reason::NotYetValid { not_before }),
        (true, _, _) => Err(Reason::CaNotYetValid { not_before }),
        (_, true, 0) => Err(Reason::Expired { not_after }),
        (_, true, _) => Err(Reason::CaExpired { not_after }),
        (false, false, _) => Ok(()),
    }
}

fn check_end_entity(leaf: &Certificate, request: &Request<'_>) -> Result<(), Reason> {
    let extensions = leaf.extensions();
    if let Some(kind) = &extensions.unknown_critical {
        return Err(Reason::UnknownCriticalExtension(kind.clone()));
    }
    let usage = extensions.key_usage.as_ref().map(|usage| usage.value);
    if !leaf.is_ca() && usage.is_some_and(|usage| usage.allows(KeyUsage::KEY_CERT_SIGN)) {
        return Err(Reason::SigningEndEntity);
    }
    let (needed, handshake_usages) = match request.purpose {
        Purpose::Any => return Ok(()),
        Purpose::Client => ("clientAuth", KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT),
        Purpose::Server => {
            ("serverAuth", KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT | KeyUsage::KEY_ENCIPHERMENT)
        }
    };
    if leaf.is_ca() {
        return Err(Reason::CaAsEndEntity);
    }
    if usage.is_some_and(|usage| !usage.allows(handshake_usages)) {
        return Err(Reason::MayNotSignHandshakes);
    }
    match (&extensions.extended_key_usage, request.policy.missing_extended_key_usage) {
        (Some(purposes), _) => check_leaf_purpose(purposes.value, request.purpose, needed),
        (None, MissingUsage::Allow) => Ok(()),
        (None, MissingUsage::Refuse) => Err(Reason::MissingPurpose { needed }),
    }
}

/// A leaf must name the purpose itself; anyExtendedKeyUsage is not enough, as for OpenSSL.
fn check_leaf_purpose(
    purposes: ExtendedKeyUsage,
    purpose: Purpose,
    needed: &'static str,
) -> Result<(), Reason> {
    match (purpose, purposes.client_auth, purposes.server_auth) {
        (Purpose::Any, _, _) | (Purpose::Client, true, _) | (Purpose::Server, _, true) => Ok(()),
        (Purpose::Client, false, true) => Err(Reason::ServerAsClient),
        (Purpose::Server, true, false) => Err(Reason::ClientAsServer),
        (Purpose::Client | Purpose::Server, false, false) => Err(Reason::WrongPurpose { needed }),
    }
}

/// The extendedKeyUsage of a CA restricts what its certificates are good for; as in a leaf, "any" is not enough.
fn check_ca_purposes(issuers: &[&Certificate], purpose: Purpose) -> Result<(), Fault> {
    for (index, issuer) in issuers.iter().enumerate() {
        let Some(purposes) = issuer.extensions().extended_key_usage.as_ref().map(|purposes| purposes.value)
        else {
            continue;
        };
        let needed = match purpose {
            Purpose::Client if !purposes.client_auth => "clientAuth",
            Purpose::Server if !purposes.server_auth => "serverAuth",
            Purpose::Client | Purpose::Server | Purpose::Any => continue,
        };
        return Err(Fault { depth: index + 1, reason: Reason::CaPurpose { needed } });
    }
    Ok(())
}

/// Every certificate below the anchor, topmost first: a revoked CA says more than its revoked certificate.
fn check_revocation(
    path: &[&Certificate],
    certificates: &[CertificateId],
    index: &RevocationIndex,
    request: &Request<'_>,
) -> Result<Option<Timestamp>, Fault> {
    let mut expired_at = None;
    for (depth, certificate) in certificates.iter().enumerate().rev() {
        let issuer = path[depth + 1];
        let status = index.status(certificate, request.now, request.policy.freshness);
        match judge_status(status, issuer) {
            Ok(Some(next_update)) => expired_at = Some(next_update),
            Ok(None) => {}
            Err(reason) => return Err(Fault { depth, reason }),
        }
    }
    Ok(expired_at)
}

/// Whether a status lets a certificate pass, and since when the list that says so is expired.
fn judge_status(status: RevocationStatus, issuer: &Certificate) -> Result<Option<Timestamp>, Reason> {
    let name = || issuer.subject().to_string();
    match status {
        RevocationStatus::Revoked { at, reason } => Err(Reason::Revoked { at, reason }),
        RevocationStatus::NoCrl if !may_sign_lists(issuer) => {
            Err(Reason::CrlIssuerMayNotSign { issuer: name() })
        }
        RevocationStatus::NoCrl => Err(Reason::CrlMissing { issuer: name() }),
        RevocationStatus::Expired { next_update } => Err(Reason::CrlExpired { issuer: name(), next_update }),
        RevocationStatus::NotYetValid { this_update } => {
            Err(Reason::CrlNotYetValid { issuer: name(), this_update })
        }
        RevocationStatus::Good => Ok(None),
        RevocationStatus::GoodInGrace { next_update } => Ok(Some(next_update)),
    }
}

fn check_identity(leaf: &Certificate, policy: &ChainPolicy) -> Result<Option<String>, Reason> {
    match identity::identity(leaf, policy.identity) {
        Ok(None) if policy.require_identity => Err(Reason::NoIdentity),
        Ok(common_name) => Ok(common_name),
        Err(reason) if policy.require_identity => Err(reason),
        Err(_) => Ok(None),
    }
}
