//! Whether a certificate may be who it says: path building, path validation, revocation and identity, in one place.
//!
//! The VPN server asks [`verify`] in every handshake; `verify-cert` and `postern verify-chain` ask the same function.
//! It is this crate's own path validator (RFC 5280 section 6 without certificate policies) because the TLS library's
//! accepts paths that must be refused and refuses names that must be accepted (threat model CRT-01); only the
//! signature algorithms are the library's.
//!
//! Three stages: `search` finds paths whose signatures reach a trust anchor, `authority` checks that every issuer on
//! a path was allowed to issue, `admission` checks dates, algorithms, purpose, revocation and identity. A certificate
//! that fails only in the last stage provably comes from a trusted CA: [`Rejection::chains_to_anchor`].

mod admission;
mod anchors;
mod authority;
mod files;
mod identity;
mod known_signatures;
mod name_constraints;
mod peer_name;
mod policy;
mod rejection;
mod search;
mod strict;

pub use anchors::{TrustAnchors, TrustAnchorsError};
pub use files::{FileRejection, FileRequest, verify_files};
pub use identity::{IdentityField, IdentityProblem, UnknownIdentityField};
pub use peer_name::{PeerName, PeerNameError};
pub use policy::{ChainPolicy, MissingUsage, Purpose, Revocation};
pub use rejection::{LeafSummary, Reason, Rejection};
pub use strict::ProfileDefect;

use crate::crl::CertificateId;
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::x509::Certificate;

/// What to verify, against what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// DER of what the peer sent: its own certificate first, then any others in any order.
    pub leaf_and_intermediates: &'a [&'a [u8]],
    /// The CAs to trust.
    pub anchors: &'a TrustAnchors,
    /// What the certificate is to be used for.
    pub purpose: Purpose,
    /// How to find out about revocation.
    pub revocation: Revocation<'a>,
    /// A name the certificate must carry as an alternative name; `None` asks for none.
    pub name: Option<&'a PeerName>,
    /// How strict to be.
    pub policy: &'a ChainPolicy,
    /// The present.
    pub now: Timestamp,
}

/// A certificate that passed, and what is worth remembering of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedPath {
    /// The common name of the subject, NFC-normalised; always there if the policy requires an identity.
    pub common_name: Option<String>,
    /// The whole subject, as OpenVPN logs it, on one line.
    pub subject: String,
    /// The serial number of the certificate.
    pub serial: Serial,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// SHA-256 of the trust anchor's certificate.
    pub anchor_fingerprint: [u8; 32],
    /// Every certificate below the anchor, leaf first: what to ask later revocation indexes about.
    pub certificates: Vec<CertificateId>,
    /// The first certificate of the path to expire does so at this second.
    pub not_after: Timestamp,
    /// Set if a revocation list that expired then was still used, by grace: worth a warning each time.
    pub crl_expired_at: Option<Timestamp>,
}

/// Verifies a certificate. Never panics; the work is limited however hostile the input is (threat model CRT-06).
///
/// ```
/// use pki_core::chain::{self, ChainPolicy, Purpose, Request, Revocation, TrustAnchors};
/// use pki_core::crl::{Crl, RevocationIndex};
/// use pki_core::time::Timestamp;
/// use pki_core::pem;
///
/// # let pki = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/chain/easyrsa/rsa");
/// let anchors = TrustAnchors::from_pem(&std::fs::read(format!("{pki}/ca.crt"))?)?;
/// let lists = Crl::parse_file(&std::fs::read(format!("{pki}/crl.pem"))?)?;
/// let index = RevocationIndex::build(anchors.crl_issuers(), lists)?;
///
/// let sent = pem::certificates(&std::fs::read(format!("{pki}/issued/client1.crt"))?)?;
/// let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
/// let verified = chain::verify(&Request {
///     leaf_and_intermediates: &sent,
///     anchors: &anchors,
///     purpose: Purpose::Client,
///     revocation: Revocation::Required(&index),
///     name: None,
///     policy: &ChainPolicy::vpn(),
///     now: Timestamp::from_unix_seconds(1_900_000_000),
/// })?;
/// assert_eq!(verified.common_name.as_deref(), Some("client1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(request: &Request<'_>) -> Result<VerifiedPath, Rejection> {
    let (leaf, others) = request
        .leaf_and_intermediates
        .split_first()
        .ok_or_else(|| Rejection::before_search(Reason::NoCertificate))?;
    request.policy.check_size(request.leaf_and_intermediates).map_err(Rejection::before_search)?;
    let leaf =
        Certificate::parse(leaf).map_err(|error| Rejection::before_search(Reason::Malformed(error)))?;
    let intermediates = others.iter().map(|der| Certificate::parse(der));
    let (intermediates, malformed): (Vec<_>, Vec<_>) = intermediates.partition(Result::is_ok);
    let intermediates: Vec<Certificate> = intermediates.into_iter().flatten().collect();
    let malformed = malformed.into_iter().find_map(Result::err);
    search::Search::new(request, &leaf, &intermediates).run(malformed)
}
