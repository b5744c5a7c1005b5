//! Who a peer is, as its certificate chain says, and the seam through which a certificate authority decides.
//!
//! The protocol core knows no PKI: it hands the presented chain to a [`CertificateCheck`] and obeys the verdict.

use rustls::pki_types::CertificateDer;

use crate::crypto;

/// Decides about the certificate chain that a peer presents. Called once per TLS handshake, renegotiations included.
pub trait CertificateCheck: Send + Sync {
    /// Judges `chain`: the leaf first, then whatever else the peer sent, in its order.
    fn check(&self, chain: &[CertificateDer<'_>]) -> CertificateVerdict;
}

/// What a [`CertificateCheck`] found.
#[derive(Clone, Debug)]
pub enum CertificateVerdict {
    /// The chain leads to a trusted authority and may be used.
    Accepted(PeerIdentity),
    /// The chain leads to a trusted authority, but may not be used: revoked, expired, wrong purpose.
    ///
    /// TLS completes and the peer is told by `AUTH_FAILED`: under TLS 1.3 an alert would leave stock clients hanging
    /// for a minute (protocol reference section 5).
    Denied(PeerIdentity, Denial),
    /// The chain does not lead to a trusted authority; the TLS handshake fails.
    Untrusted(Denial),
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientCertificate {
    /// Whoever has none is turned away.
    #[default]
    Required,
    /// Whoever has one shows it; whoever has none needs a user name.
    Optional,
    /// Nobody is asked for one; everybody needs a user name.
    NotAsked,
}

/// Who a peer is: by a certificate whose chain leads to a trusted authority, or by a user name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The common name of the leaf's subject; without a certificate the user name.
    pub common_name: String,
    /// SHA-256 over the DER of the leaf; without a certificate over the user name, set apart from certificates.
    pub fingerprint: [u8; 32],
    /// Every certificate that the verdict relied on, the leaf first, trust anchors left out; empty without a
    /// certificate.
    pub path: Vec<CertificateRef>,
}

impl PeerIdentity {
    /// Somebody who shows no certificate. The name is a claim until whoever decides has checked the password.
    pub(crate) fn without_certificate(username: &str) -> Self {
        let fingerprint = crypto::sha256(&[b"user name without a certificate: ", username.as_bytes()]);
        Self { common_name: username.to_owned(), fingerprint, path: vec![] }
    }

    /// Whether a certificate says who it is.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        !self.path.is_empty()
    }
}

/// Names one certificate the way revocation does: by issuing key and serial number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateRef {
    /// SHA-256 over the DER of the issuer's SubjectPublicKeyInfo.
    pub issuer_key: [u8; 32],
    /// The serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
}

/// Why somebody was refused: little for the peer, everything for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Stable kebab-case code for logs and metrics.
    pub code: &'static str,
    /// What the peer is told.
    pub public: String,
    /// What the operator reads.
    pub detail: String,
}

impl Denial {
    pub(crate) fn new(code: &'static str, public: &str, detail: impl Into<String>) -> Self {
        Self { code, public: public.to_owned(), detail: detail.into() }
    }
}
