//! Key objects of a token: finding them, making them, and reading the public half.

use std::ffi::c_ulong;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;

use super::token::device;
use super::{Pkcs11Uri, TokenError};
use crate::asn1::Encoder;
use crate::key::KeyAlgorithm;
use crate::key::algorithm::oid;
use crate::key::private::{bit_length, public_key_info, rsa_algorithm};
use crate::x509::der::{Reader, tag};

/// A key in a token.
pub struct TokenKey {
    pub(super) private: ObjectHandle,
    pub(super) public: PublicKey,
}

/// The public half.
pub(super) struct PublicKey {
    handle: ObjectHandle,
    pub(super) algorithm: KeyAlgorithm,
    /// SubjectPublicKeyInfo in DER.
    pub(super) info: Vec<u8>,
}

impl TokenKey {
    /// What kind of key it is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm
    }
}

/// The private key that the URI names, with the public key of the same identifier.
pub(super) fn find(session: &Session, token: &str, uri: &Pkcs11Uri) -> Result<Option<TokenKey>, TokenError> {
    let found = matching(session, token, uri, ObjectClass::PRIVATE_KEY)?;
    let private = match found.as_slice() {
        [] => return Ok(None),
        [one] => *one,
        several => {
            let (token, wanted) = (token.to_owned(), described(uri));
            return Err(TokenError::AmbiguousKey { token, wanted, count: several.len() });
        }
    };
    refuse_pin_for_each_signature(session, token, private)?;
    let public = public_half(session, token, uri, private)?;
    let missing = || TokenError::NoPublicKey { token: token.to_owned(), wanted: described(uri) };
    Ok(Some(TokenKey { private, public: public.ok_or_else(missing)? }))
}

/// The public key that the URI names.
pub(super) fn public_key(
    session: &Session,
    token: &str,
    uri: &Pkcs11Uri,
) -> Result<Option<PublicKey>, TokenError> {
    match matching(session, token, uri, ObjectClass::PUBLIC_KEY)?.first() {
        Some(handle) => read_public(session, token, *handle).map(Some),
        None => Ok(None),
    }
}

pub(super) fn generate(
    session: &Session,
    token: &str,
    uri: &Pkcs11Uri,
    algorithm: KeyAlgorithm,
    id: &[u8],
) -> Result<TokenKey, TokenError> {
    let names = [
        Attribute::Token(true),
        Attribute::Label(uri.object().unwrap_or(DEFAULT_LABEL).as_bytes().to_vec()),
        Attribute::Id(uri.id().unwrap_or(id).to_vec()),
    ];
    let (mechanism, parameters) = generation(algorithm);
    let public = [&names[..], &[Attribute::Private(false), Attribute::Verify(true)], &parameters].concat();
    let secrecy = [
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let private = [&names[..], &secrecy].concat();
    let made = session.generate_key_pair(&mechanism, &public, &private);
    let (public, private) = made.map_err(|cause| refused_generation(token, algorithm, &cause))?;
    Ok(TokenKey { private, public: read_public(session, token, public)? })
}

/// Removes both halves.
pub(super) fn destroy(session: &Session, token: &str, key: &TokenKey) -> Result<(), TokenError> {
    let failed = |cause| device(token, &cause);
    session.destroy_object(key.private).map_err(failed)?;
    session.destroy_object(key.public.handle).map_err(failed)
}

/// How messages name the key that the URI is about.
pub(super) fn described(uri: &Pkcs11Uri) -> String {
    let label = uri.object().map(|label| format!("the label '{}'", label.escape_debug()));
    let id = uri.id().map(|id| {
        let digits: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("the identifier {digits}")
    });
    label.into_iter().chain(id).collect::<Vec<String>>().join(" and ")
}

fn matching(
    session: &Session,
    token: &str,
    uri: &Pkcs11Uri,
    class: ObjectClass,
) -> Result<Vec<ObjectHandle>, TokenError> {
    let mut template = vec![Attribute::Class(class), Attribute::Token(true)];
    template.extend(uri.object().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(uri.id().map(|id| Attribute::Id(id.to_vec())));
    session.find_objects(&template).map_err(|cause| device(token, &cause))
}

/// Halves belong together by their identifier; a token without identifiers has only the names of the URI.
fn public_half(
    session: &Session,
    token: &str,
    uri: &Pkcs11Uri,
    private: ObjectHandle,
) -> Result<Option<PublicKey>, TokenError> {
    let failed = |cause| device(token, &cause);
    let id = session.get_attributes(private, &[AttributeType::Id]).map_err(failed)?.into_iter().next();
    let Some(id @ Attribute::Id(_)) = id.filter(|id| *id != Attribute::Id(Vec::new())) else {
        return public_key(session, token, uri);
    };
    let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true), id];
    match session.find_objects(&template).map_err(failed)?.first() {
        Some(handle) => read_public(session, token, *handle).map(Some),
        None => Ok(None),
    }
}

fn refuse_pin_for_each_signature(
    session: &Session,
    token: &str,
    private: ObjectHandle,
) -> Result<(), TokenError> {
    // A token that does not know the attribute does not ask again.
    let found = session.get_attributes(private, &[AttributeType::AlwaysAuthenticate]).unwrap_or_default();
    if found.contains(&Attribute::AlwaysAuthenticate(true)) {
        return Err(TokenError::PinForEachSignature { token: token.to_owned() });
    }
    Ok(())
}

/// Mechanism and parameters that make a key of this kind.
fn generation(algorithm: KeyAlgorithm) -> (Mechanism<'static>, Vec<Attribute>) {
    let named = |curve| {
        let mut parameters = Encoder::default();
        parameters.oid(&curve);
        vec![Attribute::EcParams(parameters.into_der())]
    };
    match algorithm {
        KeyAlgorithm::Rsa { bits } => {
            let size = Attribute::ModulusBits(Ulong::from(c_ulong::from(bits)));
            (Mechanism::RsaPkcsKeyPairGen, vec![size, Attribute::PublicExponent(RSA_EXPONENT.to_vec())])
        }
        KeyAlgorithm::P256 => (Mechanism::EccKeyPairGen, named(oid::P256)),
        KeyAlgorithm::P384 => (Mechanism::EccKeyPairGen, named(oid::P384)),
        KeyAlgorithm::P521 => (Mechanism::EccKeyPairGen, named(oid::P521)),
        KeyAlgorithm::Ed25519 => (Mechanism::EccEdwardsKeyPairGen, named(oid::ED25519)),
    }
}

fn refused_generation(token: &str, algorithm: KeyAlgorithm, cause: &Error) -> TokenError {
    let unsupported = [
        RvError::MechanismInvalid,
        RvError::MechanismParamInvalid,
        RvError::AttributeValueInvalid,
        RvError::TemplateInconsistent,
        RvError::CurveNotSupported,
        RvError::DomainParamsInvalid,
        RvError::KeySizeRange,
    ];
    if let Error::Pkcs11(value, _) = cause
        && unsupported.contains(value)
    {
        return TokenError::UnsupportedKey { token: token.to_owned(), algorithm: algorithm.to_string() };
    }
    device(token, cause)
}

fn read_public(session: &Session, token: &str, handle: ObjectHandle) -> Result<PublicKey, TokenError> {
    let attributes = session.get_attributes(handle, &PUBLIC_ATTRIBUTES);
    let numbers = Numbers::of(attributes.map_err(|cause| device(token, &cause))?);
    let (algorithm, info) = numbers.public_key().ok_or_else(|| TokenError::UnsupportedKey {
        token: token.to_owned(),
        algorithm: numbers.kind.map_or_else(|| "unknown".into(), |kind| kind.to_string()),
    })?;
    Ok(PublicKey { handle, algorithm, info })
}

/// What a public key consists of, as far as the object has it.
#[derive(Default)]
struct Numbers {
    kind: Option<KeyType>,
    modulus: Option<Vec<u8>>,
    exponent: Option<Vec<u8>>,
    curve: Option<Vec<u8>>,
    point: Option<Vec<u8>>,
}

impl Numbers {
    fn of(attributes: Vec<Attribute>) -> Self {
        let mut numbers = Self::default();
        for attribute in attributes {
            if let Attribute::KeyType(kind) = attribute {
                numbers.kind = Some(kind);
            } else if let Attribute::Modulus(octets) = attribute {
                numbers.modulus = Some(octets);
            } else if let Attribute::PublicExponent(octets) = attribute {
                numbers.exponent = Some(octets);
            } else if let Attribute::EcParams(octets) = attribute {
                numbers.curve = Some(octets);
            } else if let Attribute::EcPoint(octets) = attribute {
                numbers.point = Some(octets);
            }
        }
        numbers
    }

    fn public_key(&self) -> Option<(KeyAlgorithm, Vec<u8>)> {
        match self.kind? {
            KeyType::RSA => self.rsa(),
            KeyType::EC => self.elliptic(),
            KeyType::EC_EDWARDS => self.edwards(),
            _ => None,
        }
    }

    fn rsa(&self) -> Option<(KeyAlgorithm, Vec<u8>)> {
        let (modulus, exponent) = (self.modulus.as_ref()?, self.exponent.as_ref()?);
        let key = Encoder::sequence_of(|key| {
            key.unsigned(modulus);
            key.unsigned(exponent);
        });
        let algorithm = KeyAlgorithm::Rsa { bits: bit_length(modulus) };
        Some((algorithm, public_key_info(rsa_algorithm, &key)))
    }

    fn elliptic(&self) -> Option<(KeyAlgorithm, Vec<u8>)> {
        let named = Reader::new(self.curve.as_ref()?).object_identifier().ok()?;
        let algorithm = KeyAlgorithm::from_curve_oid(named)?;
        let curve = algorithm.curve_oid()?;
        let identifier = |identifier: &mut Encoder| {
            identifier.oid(&oid::EC);
            identifier.oid(&curve);
        };
        Some((algorithm, public_key_info(identifier, self.bare_point()?)))
    }

    fn edwards(&self) -> Option<(KeyAlgorithm, Vec<u8>)> {
        let point = self.bare_point().filter(|point| point.len() == ED25519_POINT)?;
        let identifier = |identifier: &mut Encoder| identifier.oid(&oid::ED25519);
        Some((KeyAlgorithm::Ed25519, public_key_info(identifier, point)))
    }

    /// The standard wraps the point into an OCTET STRING; some tokens do not.
    fn bare_point(&self) -> Option<&[u8]> {
        let octets = self.point.as_deref()?;
        let mut reader = Reader::new(octets);
        let wrapped = reader.element(tag::OCTET_STRING).ok().filter(|_| reader.is_empty());
        Some(wrapped.map_or(octets, |element| element.content))
    }
}

const PUBLIC_ATTRIBUTES: [AttributeType; 5] = [
    AttributeType::KeyType,
    AttributeType::Modulus,
    AttributeType::PublicExponent,
    AttributeType::EcParams,
    AttributeType::EcPoint,
];

/// For a new key whose URI says only an identifier.
const DEFAULT_LABEL: &str = "CA key";
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
const ED25519_POINT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{PrivateKey, generate as generate_in_memory};
    use crate::random::tests::CountingSource;

    fn key(algorithm: KeyAlgorithm) -> PrivateKey {
        generate_in_memory(algorithm, &mut CountingSource(3)).unwrap()
    }

    fn public_octets(key: &PrivateKey) -> Vec<u8> {
        crate::key::public_key_octets(key.public_key_info()).unwrap().to_vec()
    }

    fn curve_attribute(algorithm: KeyAlgorithm) -> Attribute {
        generation(algorithm).1.into_iter().next().unwrap()
    }

    fn read(kind: KeyType, attributes: Vec<Attribute>) -> Option<(KeyAlgorithm, Vec<u8>)> {
        Numbers::of([vec![Attribute::KeyType(kind)], attributes].concat()).public_key()
    }

    #[test]
    fn the_public_half_is_read_as_certificates_carry_it() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521] {
            let key = key(algorithm);
            let octets = public_octets(&key);
            let mut wrapped = Encoder::default();
            wrapped.value(tag::OCTET_STRING, &octets);
            for point in [wrapped.into_der(), octets] {
                let attributes = vec![curve_attribute(algorithm), Attribute::EcPoint(point)];
                let expected = Some((algorithm, key.public_key_info().to_vec()));
                assert_eq!(read(KeyType::EC, attributes), expected);
            }
        }
        let ed = key(KeyAlgorithm::Ed25519);
        let attributes = vec![Attribute::EcPoint(public_octets(&ed))];
        let expected = Some((KeyAlgorithm::Ed25519, ed.public_key_info().to_vec()));
        assert_eq!(read(KeyType::EC_EDWARDS, attributes), expected);
    }

    #[test]
    fn an_rsa_key_is_put_together_from_its_numbers() {
        let key = key(KeyAlgorithm::RSA_2048);
        let octets = public_octets(&key);
        let mut numbers = crate::x509::der::only_sequence(&octets).unwrap().reader();
        let mut number = || numbers.element(tag::INTEGER).unwrap().content.to_vec();
        let attributes = vec![Attribute::Modulus(number()), Attribute::PublicExponent(number())];
        let expected = Some((KeyAlgorithm::RSA_2048, key.public_key_info().to_vec()));
        assert_eq!(read(KeyType::RSA, attributes), expected);
    }

    #[test]
    fn foreign_curves_and_incomplete_objects_are_not_guessed_at() {
        let unknown_curve = Attribute::EcParams(vec![6, 3, 0x2b, 0x81, 4]);
        assert_eq!(read(KeyType::EC, vec![unknown_curve, Attribute::EcPoint(vec![4; 65])]), None);
        assert_eq!(read(KeyType::EC, vec![curve_attribute(KeyAlgorithm::P256)]), None);
        assert_eq!(read(KeyType::EC_EDWARDS, vec![Attribute::EcPoint(vec![0; 57])]), None, "Ed448");
        assert_eq!(read(KeyType::RSA, vec![Attribute::Modulus(vec![1])]), None);
        assert_eq!(read(KeyType::AES, Vec::new()), None);
    }

    #[test]
    fn a_key_is_described_by_what_the_uri_says() {
        let uri: Pkcs11Uri = "pkcs11:object=a%20b;id=%01%ff".parse().unwrap();
        assert_eq!(described(&uri), "the label 'a b' and the identifier 01ff");
    }
}
