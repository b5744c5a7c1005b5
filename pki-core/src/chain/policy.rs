//! What a certificate is wanted for, and how strict to be.

use super::identity::IdentityField;
use super::rejection::Reason;
use crate::crl::{Freshness, RevocationIndex};

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To authenticate a TLS client: clientAuth.
    Client,
    /// To authenticate a TLS server: serverAuth.
    Server,
    /// Anything; CA certificates pass too.
    Any,
}

/// How to find out whether a certificate is revoked.
#[derive(Clone, Copy, Debug)]
pub enum Revocation<'a> {
    /// Not at all.
    Unchecked,
    /// Every certificate below the anchor must be covered by a current list in the index.
    Required(&'a RevocationIndex),
}

/// What to do with an end-entity certificate without extendedKeyUsage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingUsage {
    /// Refuse it: it may have been issued for anything.
    Refuse,
    /// Take it as good for every purpose, as RFC 5280 does.
    Allow,
}

/// How strict to be.
#[derive(Clone, Debug)]
pub struct ChainPolicy {
    /// What to do with a certificate that does not say what it is for.
    pub missing_extended_key_usage: MissingUsage,
    /// Whether the leaf must carry one unambiguous, harmless common name.
    pub require_identity: bool,
    /// The field of the leaf that says who its holder is.
    pub identity: IdentityField,
    /// Whether every certificate and list must follow RFC 5280 to the letter; easy-rsa's do not.
    pub strict: bool,
    /// How long revocation lists may be relied on.
    pub freshness: Freshness,
    /// The most intermediates between leaf and anchor.
    pub max_intermediates: usize,
    /// The most certificates a peer may send.
    pub max_certificates: usize,
    /// The most octets of certificates a peer may send.
    pub max_octets: usize,
}

impl ChainPolicy {
    /// For peers of a VPN: purpose and identity must be there. This is the default.
    #[must_use]
    pub fn vpn() -> Self {
        Self {
            missing_extended_key_usage: MissingUsage::Refuse,
            require_identity: true,
            identity: IdentityField::CommonName,
            strict: false,
            freshness: Freshness::default(),
            max_intermediates: 8,
            max_certificates: 8,
            max_octets: 64 << 10,
        }
    }

    /// For judging any certificate from a file: nothing that RFC 5280 does not ask for.
    #[must_use]
    pub fn general() -> Self {
        Self {
            missing_extended_key_usage: MissingUsage::Allow,
            require_identity: false,
            max_certificates: 128,
            max_octets: 1 << 20,
            ..Self::vpn()
        }
    }

    pub(super) fn check_size(&self, certificates: &[&[u8]]) -> Result<(), Reason> {
        if certificates.len() > self.max_certificates {
            return Err(Reason::TooManyCertificates {
                count: certificates.len(),
                limit: self.max_certificates,
            });
        }
        let octets = certificates.iter().map(|certificate| certificate.len()).sum();
        if octets > self.max_octets {
            return Err(Reason::ChainTooLarge { octets, limit: self.max_octets });
        }
        Ok(())
    }
}

impl Default for ChainPolicy {
    fn default() -> Self {
        Self::vpn()
    }
}
