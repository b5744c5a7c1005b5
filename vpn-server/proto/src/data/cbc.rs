//! CBC with an HMAC beside it, for clients that know no AEAD.
//!
//! ```text
//!  header(4 or 1) | HMAC(n) | IV(16) | AES-CBC( packet id(4) | packet | padding )
//!  HMAC over IV and ciphertext
//! ```
//!
//! The HMAC is verified before anything is decrypted (protocol reference section 9.3). The header is not protected.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use subtle::ConstantTimeEq;

use super::format::{BLOCK, Header, SHORT_ID};
use super::key::Payload;
use super::replay::{Order, ReplayWindowSize};
use super::usage::{Received, Sent, UsageLimit};
use super::{CbcCipher, OpenError, SealError};
use crate::crypto::MacKey;
use crate::ids::PacketId;
use crate::keys::{DirectionKeys, KeyMaterial, Side};
use crate::wire::tls_auth::AuthDigest;

/// Both directions of one key.
pub(super) struct CbcKey {
    digest: AuthDigest,
    sealing: Direction,
    /// Makes the IVs of sealed packets: unpredictable as they must be, and no two alike.
    iv_cipher: Aes128,
    opening: Direction,
    sent: Sent,
    received: Received,
}

struct Direction {
    cipher: BlockCipher,
    mac: MacKey,
}

enum BlockCipher {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl CbcKey {
    /// `None` only if the material were too short, which no derivation produces.
    pub(super) fn new(
        cipher: CbcCipher,
        digest: AuthDigest,
        material: &KeyMaterial,
        side: Side,
        window: ReplayWindowSize,
    ) -> Option<Self> {
        let sending = material.sending(side, cipher.key_length());
        let limit = UsageLimit::NONE.with_short_ids();
        Some(Self {
            digest,
            sealing: Direction::new(cipher, digest, sending)?,
            iv_cipher: Aes128::new_from_slice(sending.unused.get(..BLOCK)?).ok()?,
            opening: Direction::new(cipher, digest, material.receiving(side, cipher.key_length()))?,
            sent: Sent::new(PacketId::LAST_SHORT, limit),
            received: Received::new(window, limit),
        })
    }

    /// Seals `datagram`: a header of `header` octets, room, a packet of `packet` octets, and room for its padding.
    pub(super) fn seal(&self, header: usize, packet: usize, datagram: &mut [u8]) -> Result<(), SealError> {
        let id = self.sent.reserve(packet).and_then(PacketId::to_short).ok_or(SealError::Exhausted)?;
        let mut iv = [0; BLOCK];
        iv[BLOCK - SHORT_ID..].copy_from_slice(&id);
        self.iv_cipher.encrypt_block((&mut iv).into());
        self.seal_with(id, iv, header, packet, datagram)
    }

    fn seal_with(
        &self,
        id: [u8; SHORT_ID],
        iv: [u8; BLOCK],
        header: usize,
        packet: usize,
        datagram: &mut [u8],
    ) -> Result<(), SealError> {
        let authenticated = header + self.digest.length();
        let (clear, protected) =
            datagram.split_at_mut_checked(authenticated).ok_or(SealError::WrongLength)?;
        let (iv_room, text) = protected.split_first_chunk_mut::<BLOCK>().ok_or(SealError::WrongLength)?;
        *iv_room = iv;
        text.get_mut(..SHORT_ID).ok_or(SealError::WrongLength)?.copy_from_slice(&id);
        self.sealing.cipher.encrypt(iv, text, SHORT_ID + packet).ok_or(SealError::WrongLength)?;
        clear[header..].copy_from_slice(self.sealing.mac.sign(&[protected]).as_ref());
        Ok(())
    }

    /// Opens `datagram` in place.
    pub(super) fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<Payload<'a>, OpenError> {
        let header = Header::length_at(*datagram.first().ok_or(OpenError::Format)?);
        let authenticated = header + self.digest.length();
        let (clear, protected) =
            datagram.split_at_mut_checked(authenticated).ok_or(OpenError::NotAuthentic)?;
        let tag = self.opening.mac.sign(&[protected]);
        if !bool::from(tag.as_ref().ct_eq(&clear[header..])) {
            return Err(OpenError::NotAuthentic);
        }
        let (iv, text) = protected.split_first_chunk_mut::<BLOCK>().ok_or(OpenError::NotAuthentic)?;
        let length = self.opening.cipher.decrypt(*iv, text).ok_or(OpenError::NotAuthentic)?;
        let (id, packet) =
            text[..length].split_first_chunk_mut::<SHORT_ID>().ok_or(OpenError::NotAuthentic)?;
        let id = PacketId::from_short(*id);
        let receipt = self.received.accept(id, packet.len()).ok_or(OpenError::Replayed)?;
        Ok(Payload { octets: packet, is_newest: receipt.order == Order::Newest })
    }

    pub(super) fn is_worn(&self) -> bool {
        self.sent.is_beyond_limit() || self.received.is_beyond_limit()
    }
}

impl Direction {
    fn new(cipher: CbcCipher, digest: AuthDigest, keys: DirectionKeys<'_>) -> Option<Self> {
        let mac = MacKey::new(digest, keys.hmac.get(..digest.length())?);
        Some(Self { cipher: BlockCipher::new(cipher, keys.cipher)?, mac })
    }
}

impl BlockCipher {
    fn new(cipher: CbcCipher, key: &[u8]) -> Option<Self> {
        match cipher {
            CbcCipher::Aes128Cbc => Aes128::new_from_slice(key).ok().map(Self::Aes128),
            CbcCipher::Aes192Cbc => Aes192::new_from_slice(key).ok().map(Self::Aes192),
            CbcCipher::Aes256Cbc => Aes256::new_from_slice(key).ok().map(Self::Aes256),
        }
    }

    /// Pads and encrypts the first `length` octets in place; `None` unless their padded form fills `text`.
    fn encrypt(&self, iv: [u8; BLOCK], text: &mut [u8], length: usize) -> Option<()> {
        let room = text.len();
        let encrypted = match self {
            Self::Aes128(cipher) => {
                cbc::Encryptor::inner_iv_init(cipher, &iv.into()).encrypt_padded::<Pkcs7>(text, length)
            }
            Self::Aes192(cipher) => {
                cbc::Encryptor::inner_iv_init(cipher, &iv.into()).encrypt_padded::<Pkcs7>(text, length)
            }
            Self::Aes256(cipher) => {
                cbc::Encryptor::inner_iv_init(cipher, &iv.into()).encrypt_padded::<Pkcs7>(text, length)
            }
        };
        encrypted.ok().filter(|encrypted| encrypted.len() == room).map(|_| ())
    }

    /// Decrypts in place; the length without padding, or `None` if that is not well-formed.
    fn decrypt(&self, iv: [u8; BLOCK], text: &mut [u8]) -> Option<usize> {
        let decrypted = match self {
            Self::Aes128(cipher) => {
                cbc::Decryptor::inner_iv_init(cipher, &iv.into()).decrypt_padded::<Pkcs7>(text)
            }
            Self::Aes192(cipher) => {
                cbc::Decryptor::inner_iv_init(cipher, &iv.into()).decrypt_padded::<Pkcs7>(text)
            }
            Self::Aes256(cipher) => {
                cbc::Decryptor::inner_iv_init(cipher, &iv.into()).decrypt_padded::<Pkcs7>(text)
            }
        };
        decrypted.ok().map(<[u8]>::len)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::key::tests::material;
    use super::*;
    use crate::captures::{DataPacket, cbc_capture};

    const HEADER: usize = Header::LENGTH_V2;
    const MAC: usize = 32;

    fn key(side: Side) -> CbcKey {
        let window = ReplayWindowSize::default();
        CbcKey::new(CbcCipher::Aes256Cbc, AuthDigest::Sha256, &material(0), side, window).unwrap()
    }

    fn datagram(text: usize) -> Vec<u8> {
        vec![0x48; HEADER + MAC + BLOCK + text]
    }

    #[test]
    fn every_packet_has_an_iv_of_its_own() {
        let key = key(Side::Server);
        let ivs: BTreeSet<_> = (0..1000)
            .map(|_| {
                let mut datagram = datagram(16);
                key.seal(HEADER, 4, &mut datagram).unwrap();
                datagram[HEADER + MAC..][..BLOCK].to_vec()
            })
            .collect();
        assert_eq!(ivs.len(), 1000);
    }

    #[test]
    fn both_sides_make_different_ivs() {
        let iv = |side| {
            let mut datagram = datagram(16);
            key(side).seal(HEADER, 4, &mut datagram).unwrap();
            datagram[HEADER + MAC..][..BLOCK].to_vec()
        };
        assert_ne!(iv(Side::Server), iv(Side::Client));
    }

    #[test]
    fn a_buffer_that_does_not_fit_the_padded_packet_is_refused() {
        for (packet, text) in [(12, 16), (12, 48), (11, 32), (11, 15), (0, 0)] {
            let sealed = key(Side::Server).seal(HEADER, packet, &mut datagram(text));
            assert_eq!(sealed, Err(SealError::WrongLength), "{packet} octets in {text}");
        }
        assert_eq!(key(Side::Server).seal(HEADER, 12, &mut datagram(32)), Ok(()));
    }

    #[test]
    fn net_12_an_authentic_packet_with_broken_padding_is_refused() {
        let (sender, receiver) = (key(Side::Client), key(Side::Server));
        for text in [0, 1, 15, 16, 32] {
            let mut datagram = datagram(text);
            let (clear, protected) = datagram.split_at_mut(HEADER + MAC);
            clear[HEADER..].copy_from_slice(sender.sealing.mac.sign(&[protected]).as_ref());
            assert_eq!(receiver.open(&mut datagram), Err(OpenError::NotAuthentic), "{text} octets");
        }
    }

    #[test]
    fn key_02_half_of_the_packet_ids_wear_the_key_and_the_last_one_ends_it() {
        let key = key(Side::Server);
        key.sent.skip_to(1 << 31, u64::MAX - 1000);
        key.seal(HEADER, 4, &mut datagram(16)).unwrap();
        assert!(!key.is_worn());
        key.seal(HEADER, 4, &mut datagram(16)).unwrap();
        assert!(key.is_worn());
        key.sent.skip_to(u64::from(u32::MAX) + 1, 0);
        assert_eq!(key.seal(HEADER, 4, &mut datagram(16)), Err(SealError::Exhausted));
    }

    #[test]
    fn captured_ivs_seal_to_the_captured_octets() {
        let (material, packets) = cbc_capture();
        let mut next_ids = [1_u32, 1];
        for DataPacket { from_client, wire, plaintext, .. } in packets {
            let (sender, next_id) =
                if from_client { (Side::Client, &mut next_ids[0]) } else { (Side::Server, &mut next_ids[1]) };
            let window = ReplayWindowSize::default();
            let key =
                CbcKey::new(CbcCipher::Aes256Cbc, AuthDigest::Sha256, &material, sender, window).unwrap();
            let iv = wire[HEADER + MAC..][..BLOCK].try_into().unwrap();
            let mut sealed = wire.clone();
            sealed[HEADER..].fill(0);
            sealed[HEADER + MAC + BLOCK + SHORT_ID..][..plaintext.len()].copy_from_slice(&plaintext);
            key.seal_with(next_id.to_be_bytes(), iv, HEADER, plaintext.len(), &mut sealed).unwrap();
            assert_eq!(sealed, wire);
            *next_id += 1;
        }
        assert!(next_ids.iter().all(|next_id| *next_id > 3));
    }
}
