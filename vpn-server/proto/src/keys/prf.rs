//! The key derivation of clients without TLS exporter: the PRF of TLS 1.0 (RFC 2246 section 5) over the random
//! octets of both key-method-2 messages.
//!
//! MD5 and SHA-1 are what that PRF is made of; nothing else uses them.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use zeroize::Zeroizing;

use super::KeyMaterial;
use crate::ids::SessionId;
use crate::wire::key_method2::KeySource;

const MASTER_LABEL: &[u8] = b"OpenVPN master secret";
const EXPANSION_LABEL: &[u8] = b"OpenVPN key expansion";

/// Derives the material of one key id; `None` if the client sent no pre-master secret.
pub(crate) fn expand_keys(
    client: &KeySource,
    server: &KeySource,
    client_id: SessionId,
    server_id: SessionId,
) -> Option<KeyMaterial> {
    let pre_master = Zeroizing::new(client.pre_master?);
    let mut master = Zeroizing::new([0; 48]);
    prf(&*pre_master, &[MASTER_LABEL, &client.random1, &server.random1], &mut *master);
    let mut material = Zeroizing::new([0; 256]);
    let seed: [&[u8]; 5] =
        [EXPANSION_LABEL, &client.random2, &server.random2, client_id.as_bytes(), server_id.as_bytes()];
    prf(&*master, &seed, &mut *material);
    Some(KeyMaterial::new(material))
}

/// Fills `out` with `P_MD5(first half) XOR P_SHA1(second half)`; halves of odd secrets overlap by one octet.
fn prf(secret: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let half = secret.len().div_ceil(2);
    let mut with_sha1 = Zeroizing::new(vec![0; out.len()]);
    p_hash::<Hmac<Md5>>(&secret[..half], seed, out);
    p_hash::<Hmac<Sha1>>(&secret[secret.len() - half..], seed, &mut with_sha1);
    for (octet, other) in out.iter_mut().zip(with_sha1.iter()) {
        *octet ^= other;
    }
}

fn p_hash<M: Mac + KeyInit>(secret: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let mut step = keyed_hash::<M>(secret, seed);
    for chunk in out.chunks_mut(M::output_size()) {
        let with_step: Vec<&[u8]> = std::iter::once(&step[..]).chain(seed.iter().copied()).collect();
        let block = keyed_hash::<M>(secret, &with_step);
        chunk.copy_from_slice(&block[..chunk.len()]);
        step = keyed_hash::<M>(secret, &[&step]);
    }
}

fn keyed_hash<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else {
        unreachable!("HMAC takes keys of any length")
    };
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captures::vector;
    use crate::keys::Side;

    #[test]
    fn a_secret_of_odd_length_is_halved_with_an_overlap() {
        let vector = vector("tls1_prf_unittest");
        let mut out = vec![0; vector.octets("output").len()];
        prf(&vector.octets("secret"), &[&vector.octets("seed")], &mut out);
        assert_eq!(out, vector.octets("output"));
    }

    #[test]
    fn the_expansion_equals_that_of_a_captured_session() {
        let vector = vector("key_expansion_prf");
        let array = |field: &str| vector.octets(field).try_into().unwrap();
        let client = KeySource {
            pre_master: Some(vector.octets("client_pre_master").try_into().unwrap()),
            random1: array("client_random1"),
            random2: array("client_random2"),
        };
        let server = KeySource {
            pre_master: None,
            random1: array("server_random1"),
            random2: array("server_random2"),
        };
        let id = |field: &str| SessionId::new(vector.octets(field).try_into().unwrap()).unwrap();
        let material = expand_keys(&client, &server, id("client_sid"), id("server_sid")).unwrap();
        let expected = vector.octets("key2");
        for (keys, expected) in [
            (material.sending(Side::Client, 32), &expected[..128]),
            (material.receiving(Side::Client, 32), &expected[128..]),
        ] {
            assert_eq!([keys.cipher, keys.unused, keys.hmac].concat(), expected);
        }
    }

    #[test]
    fn without_a_pre_master_secret_there_are_no_keys() {
        let source = KeySource { pre_master: None, random1: [0; 32], random2: [0; 32] };
        let id = SessionId::new([1; 8]).unwrap();
        assert!(expand_keys(&source, &source, id, id).is_none());
    }
}
