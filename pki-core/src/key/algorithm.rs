//! The kinds of key pairs, and how easy-rsa spells them.

use std::fmt;

use der::oid::ObjectIdentifier;

use crate::pem;
use crate::x509::der::Reader;

/// A kind of key pair that can sign certificates and serve in TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA with a modulus of this many bits.
    Rsa {
        /// Size of the modulus.
        bits: u32,
    },
    /// NIST P-256, the native default.
    P256,
    /// NIST P-384, easy-rsa's default curve.
    P384,
    /// NIST P-521.
    P521,
    /// Edwards-curve signatures of RFC 8032.
    Ed25519,
}

impl KeyAlgorithm {
    /// easy-rsa's default.
    pub const RSA_2048: Self = Self::Rsa { bits: 2048 };

    /// Reads a curve by the name OpenSSL gives it.
    ///
    /// # Errors
    /// For a name that is none of the four supported curves.
    pub fn from_curve(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "prime256v1" | "secp256r1" | "P-256" => Ok(Self::P256),
            "secp384r1" | "P-384" => Ok(Self::P384),
            "secp521r1" | "P-521" => Ok(Self::P521),
            "ed25519" | "ED25519" | "Ed25519" => Ok(Self::Ed25519),
            _ => Err(UnknownAlgorithm(name.to_owned())),
        }
    }

    /// Reads the curve of a file that `openssl ecparam -name CURVE` wrote.
    ///
    /// # Errors
    /// For a file without named parameters, or with those of another curve.
    pub fn from_ec_parameters(file: &[u8]) -> Result<Self, UnknownAlgorithm> {
        let block = pem::first(file, "EC PARAMETERS").ok_or_else(|| UnknownAlgorithm("none".into()))?;
        let curve = Reader::new(&block.der).object_identifier();
        let curve = curve.map_err(|_| UnknownAlgorithm("explicit parameters".into()))?;
        let name =
            || ObjectIdentifier::from_bytes(curve).map_or_else(|_| String::new(), |oid| oid.to_string());
        Self::from_curve_oid(curve).ok_or_else(|| UnknownAlgorithm(name()))
    }

    /// Whether TLS 1.2's key transport works with it, which keyEncipherment permits.
    #[must_use]
    pub const fn can_encipher_keys(self) -> bool {
        matches!(self, Self::Rsa { .. })
    }

    /// The named curve of an EC key.
    pub(crate) fn curve_oid(self) -> Option<ObjectIdentifier> {
        match self {
            Self::P256 => Some(oid::P256),
            Self::P384 => Some(oid::P384),
            Self::P521 => Some(oid::P521),
            Self::Rsa { .. } | Self::Ed25519 => None,
        }
    }

    pub(crate) fn from_curve_oid(curve: &[u8]) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521]
            .into_iter()
            .find(|algorithm| algorithm.curve_oid().is_some_and(|oid| oid.as_bytes() == curve))
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(out, "rsa-{bits}"),
            Self::P256 => out.write_str("prime256v1"),
            Self::P384 => out.write_str("secp384r1"),
            Self::P521 => out.write_str("secp521r1"),
            Self::Ed25519 => out.write_str("ed25519"),
        }
    }
}

/// A name that is no supported algorithm or curve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown curve '{0}': use prime256v1, secp384r1, secp521r1 or ed25519")]
pub struct UnknownAlgorithm(String);

/// Object identifiers of public key algorithms (RFC 3279, RFC 5480, RFC 8410).
pub(crate) mod oid {
    use super::ObjectIdentifier;

    pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    pub(crate) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    pub(crate) const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_read_as_they_print() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521, KeyAlgorithm::Ed25519] {
            assert_eq!(KeyAlgorithm::from_curve(&algorithm.to_string()), Ok(algorithm));
        }
        assert!(KeyAlgorithm::from_curve("secp256k1").is_err());
        assert!(KeyAlgorithm::from_curve("ed448").is_err());
    }

    #[test]
    fn a_file_of_ec_parameters_names_its_curve() {
        let file = |der: &[u8]| pem::armour("EC PARAMETERS", der);
        let p384 = [6, 5, 0x2b, 0x81, 4, 0, 0x22];
        assert_eq!(KeyAlgorithm::from_ec_parameters(file(&p384).as_bytes()), Ok(KeyAlgorithm::P384));
        for other in [file(&[6, 5, 0x2b, 0x81, 4, 0, 0x0a]), file(&[0x30, 0]), String::new()] {
            assert!(KeyAlgorithm::from_ec_parameters(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn only_rsa_can_encipher_keys() {
        assert!(KeyAlgorithm::RSA_2048.can_encipher_keys());
        assert!(!KeyAlgorithm::P256.can_encipher_keys());
        assert!(!KeyAlgorithm::Ed25519.can_encipher_keys());
    }
}
