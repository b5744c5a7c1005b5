//! The classic AEAD format.
//!
//! ```text
//!  header(4 or 1) | packet id(4) | tag(16) | ciphertext
//!  nonce(12)  = packet id(4) | implicit IV(8)
//!  additional = header and packet id, with the old header the packet id alone
//! ```
//!
//! Protocol reference section 9.1. All methods take `&self`: several threads seal with one key.

use super::format::{CLASSIC_CLEAR, Header, SHORT_ID};
use super::key::Payload;
use super::replay::{Order, ReplayWindowSize};
use super::usage::{Received, Reserved, Sent, UsageLimit};
use super::{DataCipher, OpenError, SealError};
use crate::crypto::{AeadKey, NotAuthentic, TAG_LENGTH};
use crate::ids::PacketId;
use crate::keys::{DirectionKeys, KeyMaterial, Side};

/// Octets of a header and the packet id after it.
const NUMBERED_V1: usize = Header::LENGTH_V1 + SHORT_ID;
const NUMBERED_V2: usize = Header::LENGTH_V2 + SHORT_ID;

/// Both directions of one key.
pub(super) struct ClassicKey {
    sealing: Direction,
    opening: Direction,
    sent: Sent,
    received: Received,
}

struct Direction {
    key: AeadKey,
    implicit_iv: [u8; 8],
}

impl ClassicKey {
    /// `None` where this build does not have the cipher.
    pub(super) fn new(
        cipher: DataCipher,
        material: &KeyMaterial,
        side: Side,
        window: ReplayWindowSize,
    ) -> Option<Self> {
        let limit = UsageLimit::of(cipher).with_short_ids();
        Some(Self {
            sealing: Direction::new(cipher, material.sending(side, cipher.key_length()))?,
            opening: Direction::new(cipher, material.receiving(side, cipher.key_length()))?,
            sent: Sent::new(PacketId::LAST_SHORT, limit),
            received: Received::new(window, limit),
        })
    }

    /// Packet ids for so many packets with so many encrypted octets in all.
    pub(super) fn reserve(&self, packets: u64, octets: u64) -> Reserved {
        self.sent.reserve_many(packets, octets)
    }

    /// Seals `datagram`, which is a header of `header` octets, room for id and tag, and the packet.
    pub(super) fn seal(&self, header: usize, datagram: &mut [u8]) -> Result<(), SealError> {
        let packet = datagram.len().checked_sub(header + CLASSIC_CLEAR).ok_or(SealError::WrongLength)?;
        let id = self.sent.reserve(packet).ok_or(SealError::Exhausted)?;
        self.seal_with(id, header, datagram)
    }

    /// The same with a packet id that was reserved.
    pub(super) fn seal_with(
        &self,
        id: PacketId,
        header: usize,
        datagram: &mut [u8],
    ) -> Result<(), SealError> {
        if header == Header::LENGTH_V2 {
            self.seal_numbered::<NUMBERED_V2>(id, datagram)
        } else {
            self.seal_numbered::<NUMBERED_V1>(id, datagram)
        }
    }

    /// `NUMBERED`: octets up to the packet id and with it.
    fn seal_numbered<const NUMBERED: usize>(
        &self,
        id: PacketId,
        datagram: &mut [u8],
    ) -> Result<(), SealError> {
        let (clear, rest) = datagram.split_first_chunk_mut::<NUMBERED>().ok_or(SealError::WrongLength)?;
        let (tag, packet) = rest.split_first_chunk_mut::<TAG_LENGTH>().ok_or(SealError::WrongLength)?;
        let id = id.to_short().ok_or(SealError::Exhausted)?;
        clear[NUMBERED - SHORT_ID..].copy_from_slice(&id);
        let sealed = self.sealing.key.seal(self.sealing.nonce(id), associated_data(clear), packet);
        *tag = sealed.map_err(|NotAuthentic| SealError::WrongLength)?;
        Ok(())
    }

    /// Opens `datagram` in place.
    pub(super) fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<Payload<'a>, OpenError> {
        if Header::length_at(*datagram.first().ok_or(OpenError::Format)?) == Header::LENGTH_V2 {
            self.open_numbered::<NUMBERED_V2>(datagram)
        } else {
            self.open_numbered::<NUMBERED_V1>(datagram)
        }
    }

    fn open_numbered<'a, const NUMBERED: usize>(
        &self,
        datagram: &'a mut [u8],
    ) -> Result<Payload<'a>, OpenError> {
        let (clear, rest) = datagram.split_first_chunk_mut::<NUMBERED>().ok_or(OpenError::NotAuthentic)?;
        let (tag, packet) = rest.split_first_chunk_mut::<TAG_LENGTH>().ok_or(OpenError::NotAuthentic)?;
        let id = *clear.last_chunk::<SHORT_ID>().ok_or(OpenError::NotAuthentic)?;
        let opened = self.opening.key.open(self.opening.nonce(id), associated_data(clear), tag, packet);
        opened.map_err(|NotAuthentic| OpenError::NotAuthentic)?;
        let receipt =
            self.received.accept(PacketId::from_short(id), packet.len()).ok_or(OpenError::Replayed)?;
        Ok(Payload { octets: packet, is_newest: receipt.order == Order::Newest })
    }

    pub(super) fn is_worn(&self) -> bool {
        self.sent.is_beyond_limit() || self.received.is_beyond_limit()
    }

    #[cfg(test)]
    pub(super) fn set_next_packet_id(&self, id: u64) {
        self.sent.skip_to(id, 0);
    }
}

/// The old header is not protected.
fn associated_data<const NUMBERED: usize>(clear: &[u8; NUMBERED]) -> &[u8] {
    if NUMBERED == NUMBERED_V1 { &clear[Header::LENGTH_V1..] } else { clear }
}

impl Direction {
    fn new(cipher: DataCipher, keys: DirectionKeys<'_>) -> Option<Self> {
        AeadKey::new(cipher, keys.cipher).map(|key| Self { key, implicit_iv: keys.implicit_iv })
    }

    fn nonce(&self, id: [u8; SHORT_ID]) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..SHORT_ID].copy_from_slice(&id);
        nonce[SHORT_ID..].copy_from_slice(&self.implicit_iv);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::material;
    use super::*;
    use crate::captures::vector;

    const HEADER: usize = Header::LENGTH_V2;

    fn key(side: Side) -> ClassicKey {
        let window = ReplayWindowSize::default();
        ClassicKey::new(DataCipher::Aes256Gcm, &material(0), side, window).unwrap()
    }

    fn datagram() -> Vec<u8> {
        [&[0x48, 0, 0, 1][..], &[0; SHORT_ID + TAG_LENGTH], b"packet"].concat()
    }

    #[test]
    fn key_02_the_packet_id_never_wraps() {
        let key = key(Side::Server);
        key.sent.skip_to(u64::from(u32::MAX), 0);
        let mut last = datagram();
        assert_eq!(key.seal(HEADER, &mut last), Ok(()));
        assert_eq!(last[4..8], [0xff; 4]);
        for _ in 0..3 {
            assert_eq!(key.seal(HEADER, &mut datagram()), Err(SealError::Exhausted));
        }
    }

    #[test]
    fn key_02_half_of_the_packet_ids_wear_the_key_of_either_side() {
        let (sender, receiver) = (key(Side::Client), key(Side::Server));
        sender.sent.skip_to(1 << 31, 0);
        let send = || {
            let mut datagram = datagram();
            sender.seal(HEADER, &mut datagram).unwrap();
            receiver.open(&mut datagram).unwrap();
            (sender.is_worn(), receiver.is_worn())
        };
        assert_eq!(send(), (false, false));
        assert_eq!(send(), (true, true));
    }

    #[test]
    fn key_03_64_gib_wear_the_key() {
        let key = key(Side::Server);
        key.sent.skip_to(1, (64 << 30) - 6);
        key.seal(HEADER, &mut datagram()).unwrap();
        assert!(!key.is_worn());
        key.seal(HEADER, &mut datagram()).unwrap();
        assert!(key.is_worn());
    }

    /// The packet of OpenVPN's own test has a header that no real packet has.
    #[test]
    fn the_packet_of_openvpns_own_test_seals_and_opens() {
        let vector = vector("aead_unittest");
        let material =
            || KeyMaterial::new(zeroize::Zeroizing::new(vector.octets("key2").try_into().unwrap()));
        let key =
            |side| ClassicKey::new(DataCipher::Aes256Gcm, &material(), side, ReplayWindowSize::default());
        let (header, packet) = (vector.octets("header"), vector.octets("plaintext"));
        let mut datagram = [&header[..], &[0; SHORT_ID + TAG_LENGTH], &packet].concat();
        key(Side::Client).unwrap().seal(header.len(), &mut datagram).unwrap();
        assert_eq!(datagram, vector.octets("wire"));
        assert_eq!(key(Side::Server).unwrap().open(&mut datagram).unwrap().octets, packet);
    }

    #[test]
    fn the_old_header_is_not_protected_and_the_new_one_is() {
        for (header, is_protected) in [(&[0x30][..], false), (&[0x48, 0, 0, 1], true)] {
            let (sender, receiver) = (key(Side::Client), key(Side::Server));
            let mut datagram = [header, &[0; SHORT_ID + TAG_LENGTH], b"packet"].concat();
            sender.seal(header.len(), &mut datagram).unwrap();
            datagram[0] ^= 1;
            assert_eq!(receiver.open(&mut datagram).is_err(), is_protected);
        }
    }
}
