//! Public keys, signature algorithms, and the verification of one signature.
//!
//! What counts as strong enough is decided in [`crate::chain`]; here SHA-1 and short RSA keys are still computed, so
//! that a certificate that really comes from a trusted CA can be told so instead of being called foreign.

use std::fmt;

use rustls_pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm, alg_id};

use super::der::{DerError, DerFault, Element, Reader, only_sequence, tag};
use super::oid::Oid;
use crate::crypto::backend::signature as backend;

/// The kind and size of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKeyKind {
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// An elliptic curve that is not used here, or one given by explicit parameters.
    OtherCurve,
    /// Another kind of key.
    Other(Oid),
}

impl fmt::Display for PublicKeyKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(out, "RSA {bits}"),
            Self::P256 => out.write_str("EC P-256"),
            Self::P384 => out.write_str("EC P-384"),
            Self::P521 => out.write_str("EC P-521"),
            Self::Ed25519 => out.write_str("Ed25519"),
            Self::OtherCurve => out.write_str("EC on another curve"),
            Self::Other(kind) => write!(out, "key type {kind}"),
        }
    }
}

impl PublicKeyKind {
    /// Whether this build's cryptographic library can use such keys.
    #[must_use]
    pub fn is_supported_by_backend(&self) -> bool {
        *self != Self::P521 || cfg!(feature = "aws_lc_rs")
    }
}

/// The algorithm a signature claims to be made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureAlgorithm(Oid);

impl SignatureAlgorithm {
    pub(crate) fn parse(identifier: &Element<'_>) -> Result<Self, DerError> {
        let mut fields = identifier.reader();
        Ok(Self(Oid::from_content(fields.object_identifier()?)))
    }

    /// Whether collisions of its hash are practical: MD2, MD4, MD5 and SHA-1.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        KNOWN.iter().any(|known| known.identifier == self.0.as_bytes() && known.weak)
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KNOWN.iter().find(|known| known.identifier == self.0.as_bytes()) {
            Some(known) => out.write_str(known.name),
            None => write!(out, "{}", self.0),
        }
    }
}

/// A subjectPublicKeyInfo: the algorithm and the key.
pub(crate) struct PublicKey<'a> {
    pub(crate) kind: PublicKeyKind,
    pub(crate) algorithm: Element<'a>,
    pub(crate) key: Element<'a>,
}

impl<'a> PublicKey<'a> {
    pub(crate) fn parse(info: &Element<'a>) -> Result<Self, DerError> {
        let mut fields = info.reader();
        let algorithm = fields.element(tag::SEQUENCE)?;
        let key = fields.whole_octet_bit_string()?;
        fields.finish()?;
        let kind = public_key_kind(&algorithm, &key)?;
        Ok(Self { kind, algorithm, key })
    }
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureFailure {
    /// Computed and found wrong, or made with another kind of key.
    Invalid,
    /// An algorithm that nothing here can compute.
    Unsupported,
    /// An algorithm that the other cryptographic library would compute.
    UnsupportedByBackend,
}

/// Verifies one signature. `key_algorithm` and `signature_algorithm` are the contents of the AlgorithmIdentifiers.
pub(crate) fn verify_signature(
    key: (&PublicKeyKind, &[u8], &[u8]),
    signature_algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureFailure> {
    let (kind, key_algorithm, key) = key;
    if let PublicKeyKind::Rsa { bits: ..2048 } = kind {
        return verify_legacy_rsa(key, signature_algorithm, message, signature);
    }
    let same = |identifier: AlgorithmIdentifier, found: &[u8]| identifier.as_ref() == found;
    let algorithm = ALGORITHMS.iter().find(|algorithm| {
        same(algorithm.signature_alg_id(), signature_algorithm)
            && same(algorithm.public_key_alg_id(), key_algorithm)
    });
    match algorithm {
        Some(algorithm) => {
            algorithm.verify_signature(key, message, signature).map_err(|_| SignatureFailure::Invalid)
        }
        None if matches!(kind, PublicKeyKind::Rsa { .. }) => {
            verify_legacy_rsa(key, signature_algorithm, message, signature)
        }
        None => Err(explain_unverifiable(kind, signature_algorithm)),
    }
}

/// RSA as RFC 5280 peers of the past used it: SHA-1, or a key below 2048 bits.
fn verify_legacy_rsa(
    key: &[u8],
    signature_algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureFailure> {
    let algorithm = match signature_algorithm {
        SHA1_WITH_RSA => &backend::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        found if found == alg_id::RSA_PKCS1_SHA256.as_ref() => {
            &backend::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        found if found == alg_id::RSA_PKCS1_SHA512.as_ref() => {
            &backend::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        other => return Err(explain_unverifiable(&PublicKeyKind::Rsa { bits: 0 }, other)),
    };
    backend::UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .map_err(|_| SignatureFailure::Invalid)
}

/// A signature of another family than the key's cannot be this key's; otherwise the algorithm is what is missing.
fn explain_unverifiable(kind: &PublicKeyKind, signature_algorithm: &[u8]) -> SignatureFailure {
    let Ok(identifier) = Reader::new(signature_algorithm).object_identifier() else {
        return SignatureFailure::Unsupported;
    };
    let Some(known) = KNOWN.iter().find(|known| known.identifier == identifier) else {
        return SignatureFailure::Unsupported;
    };
    let same_family = match kind {
        PublicKeyKind::Rsa { .. } => known.family == Family::Rsa,
        PublicKeyKind::P256 | PublicKeyKind::P384 | PublicKeyKind::P521 => known.family == Family::Ecdsa,
        PublicKeyKind::Ed25519 => known.family == Family::Edwards,
        PublicKeyKind::OtherCurve | PublicKeyKind::Other(_) => true,
    };
    let strong_ecdsa = known.family == Family::Ecdsa && !known.weak && *kind != PublicKeyKind::OtherCurve;
    match (same_family, strong_ecdsa) {
        (false, _) => SignatureFailure::Invalid,
        (true, true) if !cfg!(feature = "aws_lc_rs") => SignatureFailure::UnsupportedByBackend,
        (true, _) => SignatureFailure::Unsupported,
    }
}

fn public_key_kind(algorithm: &Element<'_>, key: &Element<'_>) -> Result<PublicKeyKind, DerError> {
    let identifier = algorithm.reader().object_identifier()?;
    let named = |known: AlgorithmIdentifier| algorithm.content == known.as_ref();
    Ok(if named(alg_id::RSA_ENCRYPTION) {
        PublicKeyKind::Rsa { bits: rsa_modulus_bits(key)? }
    } else if named(alg_id::ECDSA_P256) {
        PublicKeyKind::P256
    } else if named(alg_id::ECDSA_P384) {
        PublicKeyKind::P384
    } else if named(alg_id::ECDSA_P521) {
        PublicKeyKind::P521
    } else if named(alg_id::ED25519) {
        PublicKeyKind::Ed25519
    } else if identifier == EC_PUBLIC_KEY {
        PublicKeyKind::OtherCurve
    } else {
        PublicKeyKind::Other(Oid::from_content(identifier))
    })
}

fn rsa_modulus_bits(key: &Element<'_>) -> Result<usize, DerError> {
    let within = |error: DerError| key.error(error.fault);
    let mut fields = only_sequence(key.content).map_err(within)?.reader();
    let modulus = fields.integer().map_err(within)?;
    fields.integer().map_err(within)?;
    fields.finish().map_err(within)?;
    let first = modulus.iter().position(|octet| *octet != 0);
    match (modulus[0] & 0x80 == 0, first) {
        (true, Some(first)) => {
            let leading = usize::try_from(modulus[first].leading_zeros()).unwrap_or(0);
            Ok((modulus.len() - first) * 8 - leading)
        }
        _ => Err(key.error(DerFault::BadValue)),
    }
}

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// sha1WithRSAEncryption with its NULL parameters, as the content of an AlgorithmIdentifier.
const SHA1_WITH_RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00];

#[cfg(feature = "aws_lc_rs")]
use webpki::aws_lc_rs as algorithms;
#[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
use webpki::ring as algorithms;

/// Everything a certificate or revocation list may be signed with.
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    #[cfg(feature = "aws_lc_rs")]
    algorithms::ECDSA_P256_SHA512,
    #[cfg(feature = "aws_lc_rs")]
    algorithms::ECDSA_P384_SHA512,
    #[cfg(feature = "aws_lc_rs")]
    algorithms::ECDSA_P521_SHA256,
    #[cfg(feature = "aws_lc_rs")]
    algorithms::ECDSA_P521_SHA384,
    #[cfg(feature = "aws_lc_rs")]
    algorithms::ECDSA_P521_SHA512,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    Ecdsa,
    Edwards,
    Dsa,
}

struct KnownAlgorithm {
    identifier: &'static [u8],
    name: &'static str,
    family: Family,
    weak: bool,
}

const fn known(identifier: &'static [u8], name: &'static str, family: Family, weak: bool) -> KnownAlgorithm {
    KnownAlgorithm { identifier, name, family, weak }
}

/// The signature algorithms that can be named to a reader of a log.
static KNOWN: &[KnownAlgorithm] = &[
    known(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x02], "md2WithRSAEncryption", Family::Rsa, true),
    known(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x03], "md4WithRSAEncryption", Family::Rsa, true),
    known(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], "md5WithRSAEncryption", Family::Rsa, true),
    known(
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05],
        "sha1WithRSAEncryption",
        Family::Rsa,
        true,
    ),
    known(&[0x2b, 0x0e, 0x03, 0x02, 0x1d], "sha1WithRSASignature", Family::Rsa, true),
    known(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "RSASSA-PSS", Family::Rsa, false),
    known(
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
        "sha256WithRSAEncryption",
        Family::Rsa,
        false,
    ),
    known(
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c],
        "sha384WithRSAEncryption",
        Family::Rsa,
        false,
    ),
    known(
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d],
        "sha512WithRSAEncryption",
        Family::Rsa,
        false,
    ),
    known(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], "ecdsa-with-SHA1", Family::Ecdsa, true),
    known(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], "ecdsa-with-SHA256", Family::Ecdsa, false),
    known(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], "ecdsa-with-SHA384", Family::Ecdsa, false),
    known(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], "ecdsa-with-SHA512", Family::Ecdsa, false),
    known(&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03], "dsa-with-SHA1", Family::Dsa, true),
    known(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x02], "dsa-with-SHA256", Family::Dsa, false),
    known(&[0x2b, 0x65, 0x70], "Ed25519", Family::Edwards, false),
    known(&[0x2b, 0x65, 0x71], "Ed448", Family::Edwards, false),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: &PublicKeyKind, identifier: &[u8]) -> SignatureFailure {
        let mut algorithm = vec![tag::OBJECT_IDENTIFIER, u8::try_from(identifier.len()).unwrap()];
        algorithm.extend_from_slice(identifier);
        explain_unverifiable(kind, &algorithm)
    }

    #[test]
    fn a_signature_of_another_family_is_simply_not_this_keys() {
        let sha256_with_rsa = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        assert_eq!(failure(&PublicKeyKind::P256, sha256_with_rsa), SignatureFailure::Invalid);
        let md5_with_rsa = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04];
        assert_eq!(failure(&PublicKeyKind::Rsa { bits: 2048 }, md5_with_rsa), SignatureFailure::Unsupported);
    }

    #[test]
    fn crt_04_only_hashes_with_practical_collisions_are_weak() {
        let weak: Vec<&str> = KNOWN.iter().filter(|known| known.weak).map(|known| known.name).collect();
        assert_eq!(
            weak,
            [
                "md2WithRSAEncryption",
                "md4WithRSAEncryption",
                "md5WithRSAEncryption",
                "sha1WithRSAEncryption",
                "sha1WithRSASignature",
                "ecdsa-with-SHA1",
                "dsa-with-SHA1"
            ]
        );
    }

    #[cfg(not(feature = "aws_lc_rs"))]
    #[test]
    fn the_ring_build_says_what_the_other_backend_could_do() {
        let ecdsa_with_sha512 = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
        assert_eq!(failure(&PublicKeyKind::P256, ecdsa_with_sha512), SignatureFailure::UnsupportedByBackend);
        assert!(!PublicKeyKind::P521.is_supported_by_backend());
    }
}
