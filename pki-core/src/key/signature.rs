//! Signature algorithms of certificates: which digest goes with which key, their DER, and verification.

use der::oid::ObjectIdentifier;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::KeyError;
use super::algorithm::KeyAlgorithm;
use crate::asn1::Encoder;
use crate::x509::der::{DerError, Reader, only_sequence, tag};

/// A digest for signatures; older ones are not signed with any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// Reads OpenSSL's name of a digest, in either case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The digest as strong as the key itself.
    #[must_use]
    pub fn matching(key: KeyAlgorithm) -> Self {
        match key {
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::P256 => Self::Sha256,
            KeyAlgorithm::P384 => Self::Sha384,
            KeyAlgorithm::P521 | KeyAlgorithm::Ed25519 => Self::Sha512,
        }
    }

    pub(super) fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// How a certificate or list is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// PKCS#1 version 1.5.
    Rsa(Digest),
    /// ECDSA with a DER-encoded signature.
    Ecdsa(Digest),
    /// EdDSA on Curve25519; its digest is fixed.
    Ed25519,
}

impl SignatureAlgorithm {
    /// The algorithm for a key and a digest.
    #[must_use]
    pub fn of(key: KeyAlgorithm, digest: Digest) -> Self {
        match key {
            KeyAlgorithm::Rsa { .. } => Self::Rsa(digest),
            KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => Self::Ecdsa(digest),
            KeyAlgorithm::Ed25519 => Self::Ed25519,
        }
    }

    /// The AlgorithmIdentifier in DER (RFC 4055, RFC 5758, RFC 8410).
    #[must_use]
    pub fn to_der(self) -> Vec<u8> {
        Encoder::sequence_of(|identifier| {
            identifier.oid(&self.oid());
            if matches!(self, Self::Rsa(_)) {
                identifier.null();
            }
        })
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.to_der() == der)
    }

    fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Rsa(Digest::Sha256) => "1.2.840.113549.1.1.11",
            Self::Rsa(Digest::Sha384) => "1.2.840.113549.1.1.12",
            Self::Rsa(Digest::Sha512) => "1.2.840.113549.1.1.13",
            Self::Ecdsa(Digest::Sha256) => "1.2.840.10045.4.3.2",
            Self::Ecdsa(Digest::Sha384) => "1.2.840.10045.4.3.3",
            Self::Ecdsa(Digest::Sha512) => "1.2.840.10045.4.3.4",
            Self::Ed25519 => "1.3.101.112",
        })
    }

    const ALL: [Self; 7] = [
        Self::Rsa(Digest::Sha256),
        Self::Rsa(Digest::Sha384),
        Self::Rsa(Digest::Sha512),
        Self::Ecdsa(Digest::Sha256),
        Self::Ecdsa(Digest::Sha384),
        Self::Ecdsa(Digest::Sha512),
        Self::Ed25519,
    ];
}

/// Whether `signature` over `message` verifies under a SubjectPublicKeyInfo; `signature_algorithm` is the DER of an
/// AlgorithmIdentifier.
pub(crate) fn verify(
    public_key_info: &[u8],
    signature_algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), KeyError> {
    let (key_identifier, public_key) = split(public_key_info)?;
    let signature_identifier = only_sequence(signature_algorithm)?.content;
    let by_backend = webpki::ALL_VERIFICATION_ALGS.iter().find(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == key_identifier
            && algorithm.signature_alg_id().as_ref() == signature_identifier
    });
    let is_good = match by_backend {
        Some(algorithm) => algorithm.verify_signature(public_key, message, signature).is_ok(),
        None => verify_ecdsa(key_identifier, signature_algorithm, public_key, message, signature)?,
    };
    if is_good { Ok(()) } else { Err(KeyError::FaultySignature) }
}

/// The pairs of curve and digest that a backend leaves out.
fn verify_ecdsa(
    key_identifier: &[u8],
    signature_algorithm: &[u8],
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<bool, KeyError> {
    let Some(SignatureAlgorithm::Ecdsa(digest)) = SignatureAlgorithm::from_der(signature_algorithm) else {
        return Err(KeyError::CannotSign);
    };
    let mut identifier = Reader::new(key_identifier);
    identifier.object_identifier()?;
    let curve = identifier.object_identifier().ok().and_then(KeyAlgorithm::from_curve_oid);
    let prehash = digest.of(message);
    macro_rules! verifies_on {
        ($family:ident) => {{
            use $family::ecdsa::signature::hazmat::PrehashVerifier;
            let key =
                $family::ecdsa::VerifyingKey::from_sec1_bytes(public_key).map_err(|_| KeyError::Damaged)?;
            $family::ecdsa::DerSignature::from_bytes(signature)
                .is_ok_and(|signature| key.verify_prehash(&prehash, &signature).is_ok())
        }};
    }
    match curve {
        Some(KeyAlgorithm::P256) => Ok(verifies_on!(p256)),
        Some(KeyAlgorithm::P384) => Ok(verifies_on!(p384)),
        Some(KeyAlgorithm::P521) => Ok(verifies_on!(p521)),
        Some(KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519) | None => Err(KeyError::CannotSign),
    }
}

/// Content of the AlgorithmIdentifier, and the key's octets.
fn split(public_key_info: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    let mut info = only_sequence(public_key_info)?.reader();
    let identifier = info.element(tag::SEQUENCE)?.content;
    let key = info.whole_octet_bit_string()?.content;
    Ok((identifier, key))
}

/// The octets of the public key inside a SubjectPublicKeyInfo.
pub(crate) fn public_key_octets(public_key_info: &[u8]) -> Option<&[u8]> {
    split(public_key_info).ok().map(|(_, key)| key)
}
