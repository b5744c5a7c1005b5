//! The chain of secrets of the epoch data format: each epoch's keys follow from its secret, and so does the next
//! epoch's secret, but not the one before (protocol reference section 9.2).
//!
//! ```text
//!  E(1)   = the first 32 octets of the direction's cipher key
//!  E(n+1) = Expand(E(n), "datakey upd", 32)
//!  Expand = HKDF-Expand of SHA-256, info = u16 length | u8 | "ovpn " label | u8 0
//! ```

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::DirectionKeys;
use crate::crypto::MacKey;
use crate::wire::tls_auth::AuthDigest;

/// Octets of the IV of each epoch.
pub(crate) const EPOCH_IV: usize = 12;
const SECRET: usize = 32;
/// Octets of SHA-256: what is derived here is never longer, so that one block of HKDF is enough.
const LONGEST: usize = 32;

/// The secret of one epoch of one direction; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct EpochSecret([u8; SECRET]);

impl EpochSecret {
    /// Octets of the cipher key that the first secret is made of.
    pub(crate) const LENGTH: usize = SECRET;

    /// The secret of epoch 1; `None` if the keys are shorter than [`EpochSecret::LENGTH`].
    pub(crate) fn first(keys: DirectionKeys<'_>) -> Option<Self> {
        keys.cipher.first_chunk().copied().map(Self)
    }

    /// The secret of the next epoch.
    #[must_use]
    pub(crate) fn next(&self) -> Self {
        Self(expand(&self.0, "datakey upd"))
    }

    /// The octets that the epoch's cipher key is made of, of which a cipher takes the first `length`.
    ///
    /// The length is part of what is hashed: a shorter key is no prefix of a longer one.
    pub(crate) fn data_key(&self, length: usize) -> EpochKeyOctets {
        let mut octets = [0; LONGEST];
        let length = length.min(LONGEST);
        expand_into(&self.0, "data_key", &mut octets[..length]);
        EpochKeyOctets { octets, length }
    }

    pub(crate) fn data_iv(&self) -> [u8; EPOCH_IV] {
        expand(&self.0, "data_iv")
    }
}

/// A cipher key; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct EpochKeyOctets {
    octets: [u8; LONGEST],
    length: usize,
}

impl EpochKeyOctets {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

fn expand<const LENGTH: usize>(secret: &[u8; SECRET], label: &str) -> [u8; LENGTH] {
    const { assert!(LENGTH <= LONGEST, "one block of HKDF") };
    let mut out = [0; LENGTH];
    expand_into(secret, label, &mut out);
    out
}

/// Fills `out`, of at most [`LONGEST`] octets.
fn expand_into(secret: &[u8; SECRET], label: &str, out: &mut [u8]) {
    const PREFIX: &str = "ovpn ";
    const NO_CONTEXT: u8 = 0;
    const FIRST_BLOCK: u8 = 1;
    #[expect(clippy::cast_possible_truncation, reason = "labels and outputs have a few octets")]
    let (length, label_length) = (out.len() as u16, (PREFIX.len() + label.len()) as u8);
    let block = MacKey::new(AuthDigest::Sha256, secret).sign(&[
        &length.to_be_bytes(),
        &[label_length],
        PREFIX.as_bytes(),
        label.as_bytes(),
        &[NO_CONTEXT, FIRST_BLOCK],
    ]);
    out.copy_from_slice(&block.as_ref()[..out.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captures::vector;

    #[test]
    fn expands_as_openvpns_own_test_does() {
        let vector = vector("ovpn_expand_label_unittest");
        let secret = vector.octets("secret").try_into().unwrap();
        assert_eq!(expand::<16>(&secret, "unit test")[..], vector.octets("output"));
    }

    #[test]
    fn five_epochs_follow_from_the_first_secret() {
        let list = vector("epoch_keys").list();
        assert_eq!(list.len(), 5);
        let mut secret = EpochSecret(list[0].octets("E").try_into().unwrap());
        for vector in list {
            assert_eq!(secret.0[..], vector.octets("E"));
            assert_eq!(secret.data_key(16).as_slice(), vector.octets("data_key_16"));
            assert_eq!(secret.data_key(32).as_slice(), vector.octets("data_key_32"));
            assert_eq!(secret.data_iv()[..], vector.octets("data_iv_12"));
            secret = secret.next();
        }
    }
}
