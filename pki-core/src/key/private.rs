//! A private key in one canonical form: PKCS#8 version 1, whatever form it was read in.
//!
//! Version 1 matters for Ed25519: OpenSSL 3.0, and with it the stock VPN client, cannot read the version 2 files that
//! many libraries write.

use der::SecretDocument;
use der::asn1::{AnyRef, OctetStringRef};
use der::oid::ObjectIdentifier;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncodePrivateKey, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::KeyError;
use super::algorithm::{KeyAlgorithm, oid};
use crate::asn1::Encoder;
use crate::crypto::backend::signature::{Ed25519KeyPair, KeyPair};
use crate::pem;
use crate::secret::SecretBytes;
use crate::x509::der::{DerError, Reader, only_sequence, tag};

/// An unlocked private key.
#[derive(Clone)]
pub struct PrivateKey {
    algorithm: KeyAlgorithm,
    pkcs8: SecretBytes,
    public_key_info: Vec<u8>,
}

impl PrivateKey {
    /// Reads PKCS#8 (version 1 or 2).
    ///
    /// # Errors
    /// [`KeyError::Damaged`] or [`KeyError::UnsupportedAlgorithm`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let mut info = only_sequence(der)?.reader();
        info.element(tag::INTEGER)?;
        let mut algorithm = info.sequence()?;
        let algorithm_oid = algorithm.object_identifier()?;
        let octets = info.octet_string()?.content;
        if algorithm_oid == oid::RSA.as_bytes() {
            return Self::from_pkcs1(octets);
        }
        if algorithm_oid == oid::EC.as_bytes() {
            let curve = algorithm.object_identifier().map_err(explicit_parameters)?;
            // With or without the public point inside: re-encoding gives one form.
            return Self::from_ec_scalar(named_curve(curve)?, scalar_of_sec1(octets)?);
        }
        if algorithm_oid == oid::ED25519.as_bytes() {
            let seed = Reader::new(octets).octet_string()?.content;
            return Self::from_ed25519_seed(seed);
        }
        Err(unsupported(algorithm_oid))
    }

    /// Reads PKCS#1, the content of `BEGIN RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// [`KeyError::Damaged`].
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let (modulus, exponent) = rsa_public_numbers(der)?;
        let public_key = Encoder::sequence_of(|key| {
            key.unsigned(modulus);
            key.unsigned(exponent);
        });
        let identifier = AlgorithmIdentifierRef { oid: oid::RSA, parameters: Some(AnyRef::NULL) };
        let octets = OctetStringRef::new(der).map_err(|_| KeyError::Damaged)?;
        let pkcs8: SecretDocument =
            PrivateKeyInfoRef::new(identifier, octets).try_into().map_err(|_| KeyError::Damaged)?;
        Ok(Self {
            algorithm: KeyAlgorithm::Rsa { bits: bit_length(modulus) },
            pkcs8: SecretBytes::new(pkcs8.as_bytes().to_vec()),
            public_key_info: public_key_info(rsa_algorithm, &public_key),
        })
    }

    /// Reads SEC 1, the content of `BEGIN EC PRIVATE KEY`, on a named curve.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] or [`KeyError::UnsupportedAlgorithm`].
    pub fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        let scalar = scalar_of_sec1(der)?;
        let mut key = only_sequence(der)?.reader();
        key.any()?;
        key.any()?;
        let mut parameters = key.nested(tag::context_constructed(0))?;
        let curve = parameters.object_identifier().map_err(explicit_parameters)?;
        Self::from_ec_scalar(named_curve(curve)?, scalar)
    }

    /// The key on `curve` with this secret number, big-endian.
    pub(super) fn from_ec_scalar(curve: KeyAlgorithm, scalar: &[u8]) -> Result<Self, KeyError> {
        macro_rules! key_on {
            ($family:ident) => {
                $family::SecretKey::from_slice(scalar).map_err(|_| KeyError::Damaged).and_then(|secret| {
                    let pkcs8 = secret.to_pkcs8_der().map_err(|_| KeyError::Damaged)?;
                    let point = secret.public_key().to_sec1_bytes();
                    Ok(Self::from_ec_parts(curve, pkcs8.as_bytes(), &point))
                })
            };
        }
        match curve {
            KeyAlgorithm::P256 => key_on!(p256),
            KeyAlgorithm::P384 => key_on!(p384),
            KeyAlgorithm::P521 => key_on!(p521),
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 => Err(KeyError::Damaged),
        }
    }

    pub(super) fn from_ed25519_seed(seed: &[u8]) -> Result<Self, KeyError> {
        if seed.len() != ED25519_SEED_LENGTH {
            return Err(KeyError::Damaged);
        }
        let pkcs8 = SecretBytes::new([ED25519_PKCS8_PREFIX, seed].concat());
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.expose()).map_err(|_| KeyError::Damaged)?;
        let algorithm = |identifier: &mut Encoder| identifier.oid(&oid::ED25519);
        Ok(Self {
            algorithm: KeyAlgorithm::Ed25519,
            public_key_info: public_key_info(algorithm, pair.public_key().as_ref()),
            pkcs8,
        })
    }

    /// What kind of key it is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The whole key as PKCS#8 version 1 in DER: what rustls and OpenSSL 3.0 both read.
    #[must_use]
    pub fn pkcs8_der(&self) -> &[u8] {
        self.pkcs8.expose()
    }

    /// An RSA key as PKCS#1 in DER.
    ///
    /// # Errors
    /// [`KeyError::UnsupportedAlgorithm`] for another kind of key.
    pub fn pkcs1_der(&self) -> Result<&[u8], KeyError> {
        let KeyAlgorithm::Rsa { .. } = self.algorithm else {
            return Err(KeyError::UnsupportedAlgorithm { algorithm: self.algorithm.to_string() });
        };
        let mut info = only_sequence(self.pkcs8_der())?.reader();
        info.any()?;
        info.any()?;
        Ok(info.octet_string()?.content)
    }

    /// The secret number of an EC key, big-endian.
    pub(super) fn ec_scalar(&self) -> Result<&[u8], KeyError> {
        let mut info = only_sequence(self.pkcs8_der())?.reader();
        info.any()?;
        info.any()?;
        scalar_of_sec1(info.octet_string()?.content)
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// The key in PEM without encryption: `BEGIN PRIVATE KEY`.
    #[must_use]
    pub fn to_plain_pem(&self) -> Zeroizing<String> {
        pem::armour_secret("PRIVATE KEY", self.pkcs8_der())
    }

    fn from_ec_parts(curve: KeyAlgorithm, pkcs8: &[u8], point: &[u8]) -> Self {
        let algorithm = |identifier: &mut Encoder| {
            identifier.oid(&oid::EC);
            if let Some(curve) = curve.curve_oid() {
                identifier.oid(&curve);
            }
        };
        Self {
            algorithm: curve,
            pkcs8: SecretBytes::new(pkcs8.to_vec()),
            public_key_info: public_key_info(algorithm, point),
        }
    }
}

fn scalar_of_sec1(der: &[u8]) -> Result<&[u8], KeyError> {
    let mut key = only_sequence(der)?.reader();
    key.element(tag::INTEGER)?;
    Ok(key.octet_string()?.content)
}

pub(super) fn public_key_info(algorithm: impl FnOnce(&mut Encoder), public_key: &[u8]) -> Vec<u8> {
    Encoder::sequence_of(|info| {
        info.sequence(algorithm);
        info.bit_string(public_key);
    })
}

pub(super) fn rsa_algorithm(identifier: &mut Encoder) {
    identifier.oid(&oid::RSA);
    identifier.null();
}

fn rsa_public_numbers(pkcs1: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    let mut key = only_sequence(pkcs1)?.reader();
    let version = key.element(tag::INTEGER)?.content;
    let modulus = key.element(tag::INTEGER)?.content;
    let exponent = key.element(tag::INTEGER)?.content;
    let is_two_prime = version == [0];
    let is_positive = modulus.first().is_some_and(|first| first & 0x80 == 0) && !exponent.is_empty();
    if is_two_prime && is_positive { Ok((modulus, exponent)) } else { Err(KeyError::Damaged) }
}

pub(super) fn bit_length(octets: &[u8]) -> u32 {
    let significant = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
    let leading_zeros = octets.get(significant).map_or(0, |first| first.leading_zeros());
    u32::try_from((octets.len() - significant) * 8).unwrap_or(u32::MAX) - leading_zeros
}

fn named_curve(curve: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    KeyAlgorithm::from_curve_oid(curve).ok_or_else(|| unsupported(curve))
}

fn unsupported(algorithm: &[u8]) -> KeyError {
    let algorithm = if algorithm == oid::ED448.as_bytes() {
        "Ed448".to_owned()
    } else {
        ObjectIdentifier::from_bytes(algorithm).map_or_else(|_| "unknown".into(), |oid| oid.to_string())
    };
    KeyError::UnsupportedAlgorithm { algorithm }
}

fn explicit_parameters(_: DerError) -> KeyError {
    KeyError::UnsupportedAlgorithm { algorithm: "EC with explicit parameters".into() }
}

const ED25519_SEED_LENGTH: usize = 32;

/// PKCS#8 version 1 around a seed (RFC 8410 section 7).
const ED25519_PKCS8_PREFIX: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::generate;
    use crate::random::tests::CountingSource;

    fn key(algorithm: KeyAlgorithm) -> PrivateKey {
        generate(algorithm, &mut CountingSource(1)).unwrap()
    }

    #[test]
    fn every_kind_survives_its_own_pkcs8() {
        let kinds = [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521, KeyAlgorithm::Ed25519];
        for algorithm in kinds.into_iter().chain([KeyAlgorithm::RSA_2048]) {
            let made = key(algorithm);
            let read = PrivateKey::from_pkcs8(made.pkcs8_der()).unwrap();
            assert_eq!(read.algorithm(), algorithm);
            assert_eq!(read.pkcs8_der(), made.pkcs8_der());
            assert_eq!(read.public_key_info(), made.public_key_info());
        }
    }

    #[test]
    fn ed25519_is_version_1_of_48_octets_and_version_2_is_read() {
        let made = key(KeyAlgorithm::Ed25519);
        assert_eq!(made.pkcs8_der().len(), 48);
        let public = &made.public_key_info()[12..];
        let version_2 = Encoder::sequence_of(|info| {
            info.unsigned(&[1]);
            info.sequence(|algorithm| algorithm.oid(&oid::ED25519));
            info.value(tag::OCTET_STRING, &made.pkcs8_der()[14..]);
            info.value(tag::context(1), &[&[0], public].concat());
        });
        let read = PrivateKey::from_pkcs8(&version_2).unwrap();
        assert_eq!(read.pkcs8_der(), made.pkcs8_der());
    }

    #[test]
    fn sec1_and_pkcs1_become_the_same_key() {
        let made = key(KeyAlgorithm::P384);
        let scalar = made.ec_scalar().unwrap();
        let sec1 = Encoder::sequence_of(|key| {
            key.unsigned(&[1]);
            key.value(tag::OCTET_STRING, scalar);
            key.nested(tag::context_constructed(0), |parameters| parameters.oid(&oid::P384));
        });
        assert_eq!(PrivateKey::from_sec1(&sec1).unwrap().pkcs8_der(), made.pkcs8_der());

        let rsa = key(KeyAlgorithm::RSA_2048);
        let mut info = only_sequence(rsa.pkcs8_der()).unwrap().reader();
        info.any().unwrap();
        info.any().unwrap();
        let pkcs1 = info.octet_string().unwrap().content;
        assert_eq!(PrivateKey::from_pkcs1(pkcs1).unwrap().pkcs8_der(), rsa.pkcs8_der());
    }

    #[test]
    fn foreign_algorithms_are_named() {
        let ed448 = Encoder::sequence_of(|info| {
            info.unsigned(&[0]);
            info.sequence(|algorithm| algorithm.oid(&oid::ED448));
            info.value(tag::OCTET_STRING, &[0; 59]);
        });
        let refusal = PrivateKey::from_pkcs8(&ed448).err();
        assert_eq!(refusal, Some(KeyError::UnsupportedAlgorithm { algorithm: "Ed448".into() }));
        assert_eq!(PrivateKey::from_pkcs8(b"\x30\x00").err(), Some(KeyError::Damaged));
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(der in proptest::collection::vec(0_u8.., 0..200)) {
            let _ = PrivateKey::from_pkcs8(&der);
            let _ = PrivateKey::from_pkcs1(&der);
            let _ = PrivateKey::from_sec1(&der);
        }
    }
}
