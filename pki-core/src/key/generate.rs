//! New key pairs.

use zeroize::Zeroizing;

use super::KeyError;
use super::algorithm::KeyAlgorithm;
use super::private::PrivateKey;
use crate::random::RandomSource;

/// Makes a key pair.
///
/// # Errors
/// [`KeyError::UnsupportedSize`] for an RSA size other than 2048, 3072, 4096 and 8192; [`KeyError::Random`].
pub fn generate(algorithm: KeyAlgorithm, random: &mut dyn RandomSource) -> Result<PrivateKey, KeyError> {
    match algorithm {
        KeyAlgorithm::Rsa { bits } => rsa(bits, random),
        KeyAlgorithm::P256 => on_curve(algorithm, 32, 0xff, random),
        KeyAlgorithm::P384 => on_curve(algorithm, 48, 0xff, random),
        KeyAlgorithm::P521 => on_curve(algorithm, 66, 0x01, random),
        KeyAlgorithm::Ed25519 => {
            let mut seed = Zeroizing::new([0; 32]);
            random.fill(&mut *seed)?;
            PrivateKey::from_ed25519_seed(&*seed)
        }
    }
}

/// Draws numbers of the field's size until one lies below the group order: for each of these curves the first one does,
/// but for a chance below 2^-32.
fn on_curve(
    curve: KeyAlgorithm,
    octets: usize,
    first_octet_mask: u8,
    random: &mut dyn RandomSource,
) -> Result<PrivateKey, KeyError> {
    let mut scalar = Zeroizing::new(vec![0; octets]);
    for _ in 0..MAX_DRAWS {
        random.fill(&mut scalar)?;
        scalar[0] &= first_octet_mask;
        if let Ok(key) = PrivateKey::from_ec_scalar(curve, &scalar) {
            return Ok(key);
        }
    }
    Err(KeyError::Random(crate::random::RandomError))
}

const MAX_DRAWS: usize = 64;

#[cfg(feature = "aws_lc_rs")]
fn rsa(bits: u32, _random: &mut dyn RandomSource) -> Result<PrivateKey, KeyError> {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};

    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        _ => return Err(KeyError::UnsupportedSize { bits }),
    };
    let pair = KeyPair::generate(size).map_err(|_| KeyError::Random(crate::random::RandomError))?;
    let pkcs8: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| KeyError::Damaged)?;
    PrivateKey::from_pkcs8(pkcs8.as_ref())
}

#[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
fn rsa(bits: u32, random: &mut dyn RandomSource) -> Result<PrivateKey, KeyError> {
    use rsa::pkcs8::EncodePrivateKey;

    if ![2048, 3072, 4096, 8192].contains(&bits) {
        return Err(KeyError::UnsupportedSize { bits });
    }
    let size = usize::try_from(bits).map_err(|_| KeyError::UnsupportedSize { bits })?;
    let mut generator = infallible::Generator::new(random);
    let key = rsa::RsaPrivateKey::new(&mut generator, size).map_err(|_| KeyError::Damaged)?;
    generator.outcome()?;
    let pkcs8 = key.to_pkcs8_der().map_err(|_| KeyError::Damaged)?;
    PrivateKey::from_pkcs8(pkcs8.as_bytes())
}

/// The `rsa` crate wants a generator that cannot fail; ours remembers that it failed, and the key is thrown away.
#[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
mod infallible {
    use std::convert::Infallible;

    use rsa::rand_core::{TryCryptoRng, TryRng};

    use crate::random::{RandomError, RandomSource};

    pub(super) struct Generator<'a> {
        source: &'a mut dyn RandomSource,
        outcome: Result<(), RandomError>,
        /// Keeps the prime search moving after a failure, so that it ends.
        counter: u8,
    }

    impl<'a> Generator<'a> {
        pub(super) fn new(source: &'a mut dyn RandomSource) -> Self {
            Self { source, outcome: Ok(()), counter: 0 }
        }

        pub(super) fn outcome(self) -> Result<(), RandomError> {
            self.outcome
        }
    }

    impl TryRng for Generator<'_> {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            let mut octets = [0; 4];
            self.try_fill_bytes(&mut octets)?;
            Ok(u32::from_le_bytes(octets))
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            let mut octets = [0; 8];
            self.try_fill_bytes(&mut octets)?;
            Ok(u64::from_le_bytes(octets))
        }

        fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
            if let Err(failure) = self.source.fill(buffer) {
                self.outcome = Err(failure);
                for octet in buffer {
                    self.counter = self.counter.wrapping_mul(5).wrapping_add(113);
                    *octet = self.counter;
                }
            }
            Ok(())
        }
    }

    impl TryCryptoRng for Generator<'_> {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RandomError;
    use crate::random::tests::CountingSource;

    struct Broken;

    impl RandomSource for Broken {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError)
        }
    }

    #[test]
    fn the_same_randomness_gives_the_same_key() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521, KeyAlgorithm::Ed25519] {
            let key = || generate(algorithm, &mut CountingSource(9)).unwrap();
            assert_eq!(key().pkcs8_der(), key().pkcs8_der());
            assert_eq!(key().algorithm(), algorithm);
        }
    }

    #[test]
    fn key_06_a_broken_generator_makes_no_key() {
        assert_eq!(generate(KeyAlgorithm::P256, &mut Broken).err(), Some(KeyError::Random(RandomError)));
        assert_eq!(generate(KeyAlgorithm::Ed25519, &mut Broken).err(), Some(KeyError::Random(RandomError)));
    }

    #[test]
    fn small_and_odd_rsa_sizes_are_refused() {
        for bits in [0, 512, 1024, 2047, 16384] {
            let refusal = generate(KeyAlgorithm::Rsa { bits }, &mut CountingSource(1)).err();
            assert_eq!(refusal, Some(KeyError::UnsupportedSize { bits }));
        }
    }
}
