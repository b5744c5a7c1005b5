//! One key of the data channel: seals and opens packets of the classic AEAD format.
//!
//! ```text
//!  op/key(1) | peer id(3) | packet id(4) | tag(16) | ciphertext
//!  nonce(12)  = packet id(4) | implicit IV(8)
//!  additional = the 8 octets before the tag
//! ```
//!
//! Protocol reference section 9.1. All methods take `&self`: several threads seal with one key.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DataCipher;
use super::replay::ReplayWindow;
use crate::crypto::{AeadKey, NotAuthentic, TAG_LENGTH};
use crate::ids::{KeyId, PacketId, PeerId};
use crate::keys::{DirectionKeys, KeyMaterial, Side};
use crate::wire::opcode::DATA_V2;

const HEADER: usize = 8;
/// Octets before the tunnel packet in a sealed datagram; nothing comes after it.
pub const HEADROOM: usize = HEADER + TAG_LENGTH;
/// Packets after which a key is to be replaced, long before the 32-bit id runs out (KEY-02).
const PACKET_LIMIT: u64 = 1 << 31;

/// Both directions of one key id.
pub(crate) struct DataKey {
    key_id: KeyId,
    cipher: DataCipher,
    sealing: Direction,
    opening: Direction,
    next_packet_id: AtomicU64,
    sealed_octets: AtomicU64,
    replay: Mutex<ReplayWindow>,
}

struct Direction {
    key: AeadKey,
    implicit_iv: [u8; 8],
}

/// Why a datagram was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    NotAuthentic,
    Replayed,
}

impl DataKey {
    /// `None` only if the material were shorter than the cipher's key, which no derivation produces.
    pub(crate) fn new(key_id: KeyId, cipher: DataCipher, material: &KeyMaterial, side: Side) -> Option<Self> {
        Some(Self {
            key_id,
            cipher,
            sealing: Direction::new(cipher, material.sending(side, cipher.key_length()))?,
            opening: Direction::new(cipher, material.receiving(side, cipher.key_length()))?,
            next_packet_id: AtomicU64::new(1),
            sealed_octets: AtomicU64::new(0),
            replay: Mutex::new(ReplayWindow::new()),
        })
    }

    pub(crate) const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Takes the next packet id; `None` when all are used up (KEY-02: never wraps).
    pub(crate) fn reserve_packet_id(&self) -> Option<PacketId> {
        let id = self.next_packet_id.fetch_add(1, Ordering::Relaxed);
        u32::try_from(id).ok().map(PacketId)
    }

    /// Seals `datagram`, which is [`HEADROOM`] free octets and the packet, in place.
    pub(crate) fn seal(
        &self,
        peer_id: PeerId,
        packet_id: PacketId,
        datagram: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let Some((header, rest)) = datagram.split_first_chunk_mut::<HEADER>() else {
            return Err(NotAuthentic);
        };
        let Some((tag, packet)) = rest.split_first_chunk_mut::<TAG_LENGTH>() else {
            return Err(NotAuthentic);
        };
        header[0] = (DATA_V2 << 3) | self.key_id.get();
        header[1..4].copy_from_slice(&peer_id.to_wire());
        header[4..].copy_from_slice(&packet_id.0.to_be_bytes());
        *tag = self.sealing.key.seal(self.sealing.nonce(packet_id), header, packet)?;
        self.sealed_octets.fetch_add(packet.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Opens `datagram` in place and returns the packet in it.
    pub(crate) fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<&'a mut [u8], Rejected> {
        let (header, rest) = datagram.split_first_chunk_mut::<HEADER>().ok_or(Rejected::NotAuthentic)?;
        let (tag, packet) = rest.split_first_chunk_mut::<TAG_LENGTH>().ok_or(Rejected::NotAuthentic)?;
        let packet_id = PacketId(u32::from_be_bytes([header[4], header[5], header[6], header[7]]));
        let nonce = self.opening.nonce(packet_id);
        self.opening.key.open(nonce, header, tag, packet).map_err(|NotAuthentic| Rejected::NotAuthentic)?;
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        if replay.accept(packet_id.0) { Ok(packet) } else { Err(Rejected::Replayed) }
    }

    /// Whether so much was sealed or opened with this key that it should be replaced (KEY-02, KEY-03).
    pub(crate) fn is_worn(&self) -> bool {
        let newest_received = self.replay.lock().unwrap_or_else(PoisonError::into_inner).newest();
        self.next_packet_id.load(Ordering::Relaxed) > PACKET_LIMIT
            || u64::from(newest_received) > PACKET_LIMIT
            || self.sealed_octets.load(Ordering::Relaxed) > self.cipher.octet_limit()
    }

    #[cfg(test)]
    pub(crate) fn set_next_packet_id(&self, id: u64) {
        self.next_packet_id.store(id, Ordering::Relaxed);
    }
}

impl Direction {
    fn new(cipher: DataCipher, keys: DirectionKeys<'_>) -> Option<Self> {
        AeadKey::new(cipher, keys.cipher).map(|key| Self { key, implicit_iv: keys.implicit_iv })
    }

    fn nonce(&self, packet_id: PacketId) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&packet_id.0.to_be_bytes());
        nonce[4..].copy_from_slice(&self.implicit_iv);
        nonce
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use zeroize::Zeroizing;

    use super::*;

    pub(crate) fn key_pair(key_id: KeyId, cipher: DataCipher) -> (DataKey, DataKey) {
        let mut octets = Zeroizing::new([0; 256]);
        (0_u8..=255).zip(octets.iter_mut()).for_each(|(n, octet)| *octet = n ^ key_id.get());
        let material = KeyMaterial::new(octets);
        let key = |side| DataKey::new(key_id, cipher, &material, side).unwrap();
        (key(Side::Server), key(Side::Client))
    }

    fn sealed(key: &DataKey, packet: &[u8]) -> Vec<u8> {
        let mut datagram = [&[0; HEADROOM][..], packet].concat();
        let packet_id = key.reserve_packet_id().unwrap();
        key.seal(PeerId::new(7).unwrap(), packet_id, &mut datagram).unwrap();
        datagram
    }

    #[test]
    fn what_one_side_seals_the_other_opens_once() {
        for cipher in DataCipher::ALL {
            let (server, client) = key_pair(KeyId::FIRST, cipher);
            for (from, to) in [(&server, &client), (&client, &server)] {
                let datagram = sealed(from, b"a tunnel packet");
                assert_eq!(datagram[..4], [0x48, 0, 0, 7]);
                assert_eq!(to.open(&mut datagram.clone()).unwrap(), b"a tunnel packet");
                assert_eq!(to.open(&mut datagram.clone()), Err(Rejected::Replayed));
                assert_eq!(from.open(&mut datagram.clone()), Err(Rejected::NotAuthentic));
            }
        }
    }

    #[test]
    fn key_02_a_forged_packet_does_not_move_the_window() {
        let (server, client) = key_pair(KeyId::FIRST, DataCipher::Aes256Gcm);
        let honest = sealed(&client, b"x");
        for index in 0..honest.len() {
            let mut forged = honest.clone();
            forged[index] ^= 1;
            assert_eq!(server.open(&mut forged), Err(Rejected::NotAuthentic), "octet {index}");
        }
        for length in 0..honest.len() {
            assert_eq!(server.open(&mut honest.clone()[..length]), Err(Rejected::NotAuthentic));
        }
        assert!(server.open(&mut honest.clone()).is_ok());
    }

    #[test]
    fn key_02_the_packet_id_never_wraps() {
        let (server, _) = key_pair(KeyId::FIRST, DataCipher::Aes256Gcm);
        assert!(!server.is_worn());
        server.set_next_packet_id(u64::from(u32::MAX));
        assert!(server.is_worn());
        assert_eq!(server.reserve_packet_id(), Some(PacketId(u32::MAX)));
        assert_eq!(server.reserve_packet_id(), None);
        assert_eq!(server.reserve_packet_id(), None);
    }
}
