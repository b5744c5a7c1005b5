//! One key of the data channel, whatever its format: seals and opens packets and knows when it is worn.
//!
//! All methods take `&self`: several threads use one key.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cbc::CbcKey;
use super::classic::ClassicKey;
use super::epoch::EpochKey;
use super::format::{Header, Protection};
use super::replay::ReplayWindowSize;
use super::usage::Reserved;
use super::{OpenError, SealError};
use crate::ids::KeyId;
use crate::keys::{KeyMaterial, Side};

/// Failed authentications after which a key shall be replaced.
const WORRYING_FORGERIES: u64 = 1 << 35;
/// Failed authentications after which a key opens nothing any more (KEY-03).
const MOST_FORGERIES: u64 = 1 << 36;

/// Both directions of one key id.
pub(crate) struct DataKey {
    key_id: KeyId,
    protection: ProtectionKey,
    forgeries: AtomicU64,
}

#[cfg_attr(
    not(feature = "aws_lc_rs"),
    expect(clippy::large_enum_variant, reason = "nearly all keys are of the largest variant")
)]
enum ProtectionKey {
    Classic(ClassicKey),
    Epoch(Box<EpochKey>),
    Cbc(Box<CbcKey>),
}

/// What was in a packet that authenticated and is no replay.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload<'a> {
    pub(super) octets: &'a mut [u8],
    /// Whether nothing that was sealed later with this key was opened before.
    pub(super) is_newest: bool,
}

impl DataKey {
    /// `None` where this build does not have the cipher.
    pub(crate) fn new(
        key_id: KeyId,
        protection: Protection,
        window: ReplayWindowSize,
        material: &KeyMaterial,
        side: Side,
    ) -> Option<Self> {
        let protection = match protection {
            Protection::Classic(cipher) => {
                ProtectionKey::Classic(ClassicKey::new(cipher, material, side, window)?)
            }
            Protection::Epoch(cipher) => {
                ProtectionKey::Epoch(Box::new(EpochKey::new(cipher, material, side, window)?))
            }
            Protection::Cbc(cipher, digest) => {
                ProtectionKey::Cbc(Box::new(CbcKey::new(cipher, digest, material, side, window)?))
            }
        };
        Some(Self { key_id, protection, forgeries: AtomicU64::new(0) })
    }

    pub(crate) const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Seals `datagram`, where a packet of `packet` octets lies as the layout of the format says, in place.
    pub(super) fn seal(&self, header: Header, packet: usize, datagram: &mut [u8]) -> Result<(), SealError> {
        header.write(self.key_id, datagram);
        match &self.protection {
            ProtectionKey::Classic(key) => key.seal(header.length(), datagram),
            ProtectionKey::Epoch(key) => key.seal(datagram),
            ProtectionKey::Cbc(key) => key.seal(header.length(), packet, datagram),
        }
    }

    /// Packet ids for so many packets with so many encrypted octets in all; `None` for formats that number every packet
    /// when it is sealed.
    pub(super) fn reserve(&self, packets: u64, octets: u64) -> Option<Reserved> {
        match &self.protection {
            ProtectionKey::Classic(key) => Some(key.reserve(packets, octets)),
            ProtectionKey::Epoch(_) | ProtectionKey::Cbc(_) => None,
        }
    }

    /// [`DataKey::seal`] with the next of `ids`, which are this key's.
    pub(super) fn seal_reserved(
        &self,
        header: Header,
        packet: usize,
        datagram: &mut [u8],
        ids: &mut Reserved,
    ) -> Result<(), SealError> {
        let ProtectionKey::Classic(key) = &self.protection else {
            return self.seal(header, packet, datagram);
        };
        let id = ids.next().ok_or(SealError::Exhausted)?;
        header.write(self.key_id, datagram);
        key.seal_with(id, header.length(), datagram)
    }

    /// Opens `datagram` in place and returns what is in it.
    pub(super) fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<Payload<'a>, OpenError> {
        if self.is_forfeit() {
            return Err(OpenError::NoSuchKey);
        }
        let opened = match &self.protection {
            ProtectionKey::Classic(key) => key.open(datagram),
            ProtectionKey::Epoch(key) => key.open(datagram),
            ProtectionKey::Cbc(key) => key.open(datagram),
        };
        opened.inspect_err(|error| self.count_forgery(*error))
    }

    fn count_forgery(&self, error: OpenError) {
        if error == OpenError::NotAuthentic {
            self.forgeries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the key should be replaced (KEY-02, KEY-03).
    pub(super) fn is_worn(&self) -> bool {
        let is_worn = match &self.protection {
            ProtectionKey::Classic(key) => key.is_worn(),
            ProtectionKey::Epoch(key) => key.is_worn(),
            ProtectionKey::Cbc(key) => key.is_worn(),
        };
        is_worn || self.forgeries.load(Ordering::Relaxed) >= WORRYING_FORGERIES
    }

    /// Whether so many packets were forged under this key that it must not be used any longer (KEY-03).
    pub(super) fn is_forfeit(&self) -> bool {
        self.forgeries.load(Ordering::Relaxed) >= MOST_FORGERIES
    }

    #[cfg(test)]
    pub(super) fn set_next_packet_id(&self, id: u64) {
        match &self.protection {
            ProtectionKey::Classic(key) => key.set_next_packet_id(id),
            ProtectionKey::Epoch(_) | ProtectionKey::Cbc(_) => panic!("tests use the classic format"),
        }
    }

    #[cfg(test)]
    pub(super) fn set_forgeries(&self, forgeries: u64) {
        self.forgeries.store(forgeries, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use zeroize::Zeroizing;

    use super::super::format::{DataFormat, tests::all_formats};
    use super::super::{CbcCipher, DataCipher};
    use super::*;
    use crate::ids::PeerId;
    use crate::wire::tls_auth::AuthDigest;

    const PEER: PeerId = PeerId::FIRST;

    pub(in crate::data) fn material(seed: u8) -> KeyMaterial {
        let mut octets = Zeroizing::new([0; 256]);
        (0_u8..=255).zip(octets.iter_mut()).for_each(|(n, octet)| *octet = n ^ seed);
        KeyMaterial::new(octets)
    }

    /// A server's and its client's key.
    pub(in crate::data) fn key_pair(key_id: KeyId, protection: Protection) -> (DataKey, DataKey) {
        let key = |side| {
            let material = material(key_id.get());
            DataKey::new(key_id, protection, ReplayWindowSize::default(), &material, side).unwrap()
        };
        (key(Side::Server), key(Side::Client))
    }

    fn one_of_each() -> [Protection; 3] {
        [
            Protection::Classic(DataCipher::Aes256Gcm),
            Protection::Epoch(DataCipher::Aes256Gcm),
            Protection::Cbc(CbcCipher::Aes256Cbc, AuthDigest::Sha256),
        ]
    }

    fn sealed(key: &DataKey, format: &DataFormat, packet: &[u8]) -> Vec<u8> {
        let layout = format.layout();
        let mut datagram = vec![0xee; layout.datagram_length(packet.len())];
        datagram[layout.front()..][..packet.len()].copy_from_slice(packet);
        let framed = packet.len() + format.framing.prefix_length();
        key.seal(format.header(PEER), framed, &mut datagram).unwrap();
        datagram
    }

    fn plain(protection: Protection) -> DataFormat {
        DataFormat { protection, has_peer_id: true, framing: super::super::Framing::None }
    }

    fn opened(key: &DataKey, datagram: &[u8]) -> Result<Vec<u8>, OpenError> {
        key.open(&mut datagram.to_vec()).map(|payload| payload.octets.to_vec())
    }

    #[test]
    fn what_one_side_seals_the_other_opens_once_in_every_format() {
        for format in all_formats() {
            let (server, client) = key_pair(KeyId::FIRST, format.protection);
            for (from, to) in [(&server, &client), (&client, &server)] {
                for length in [0, 1, 15, 16, 17, 1400] {
                    let packet = vec![0x45; length];
                    let datagram = sealed(from, &format, &packet);
                    let payload = opened(to, &datagram).unwrap();
                    assert_eq!(payload[format.framing.prefix_length()..], packet, "{format:?}");
                    assert_eq!(opened(to, &datagram), Err(OpenError::Replayed), "{format:?}");
                    assert_eq!(opened(from, &datagram), Err(OpenError::NotAuthentic), "{format:?}");
                }
            }
        }
    }

    #[test]
    fn no_two_sealed_packets_look_alike() {
        for protection in one_of_each() {
            let (server, client) = key_pair(KeyId::FIRST, protection);
            let datagrams: Vec<_> = [&server, &server, &client]
                .map(|key| sealed(key, &plain(protection), &[0; 64])[12..].to_vec())
                .to_vec();
            assert!(datagrams[0] != datagrams[1] && datagrams[1] != datagrams[2], "{protection:?}");
        }
    }

    /// Octets that an attacker may change without the packet being refused: CBC does not protect its header, but
    /// whoever changes it only makes the packet miss its session.
    fn unprotected(protection: Protection) -> std::ops::Range<usize> {
        match protection {
            Protection::Classic(_) | Protection::Epoch(_) => 0..0,
            Protection::Cbc(..) => 0..4,
        }
    }

    #[test]
    fn key_02_a_forged_packet_does_not_move_the_window() {
        for protection in one_of_each() {
            let (server, client) = key_pair(KeyId::FIRST, protection);
            let honest = sealed(&client, &plain(protection), b"a tunnel packet");
            for index in (0..honest.len()).filter(|index| !unprotected(protection).contains(index)) {
                let mut forged = honest.clone();
                forged[index] ^= 1;
                let error = opened(&server, &forged).unwrap_err();
                let is_refused = matches!(error, OpenError::NotAuthentic | OpenError::NoSuchKey);
                assert!(is_refused, "{protection:?} octet {index}: {error}");
            }
            for length in 0..honest.len() {
                assert!(opened(&server, &honest[..length]).is_err(), "{protection:?} {length} octets");
            }
            assert!(opened(&server, &honest).is_ok(), "{protection:?}");
        }
    }

    #[test]
    fn the_newest_packet_is_told_from_late_ones() {
        for protection in one_of_each() {
            let (server, client) = key_pair(KeyId::FIRST, protection);
            let datagrams = [1, 2, 3].map(|_| sealed(&client, &plain(protection), b"x"));
            for (index, is_newest) in [(1, true), (0, false), (2, true)] {
                let payload_is_newest = server.open(&mut datagrams[index].clone()).unwrap().is_newest;
                assert_eq!(payload_is_newest, is_newest, "{protection:?} packet {index}");
            }
        }
    }

    #[test]
    fn key_03_a_key_under_which_too_much_was_forged_opens_nothing_any_more() {
        for protection in one_of_each() {
            let (server, client) = key_pair(KeyId::FIRST, protection);
            let honest = sealed(&client, &plain(protection), b"x");
            let forged = |len| vec![0x48; len];
            server.set_forgeries(WORRYING_FORGERIES - 1);
            assert!(!server.is_worn());
            let mut forged_epoch = forged(60);
            forged_epoch[4..6].copy_from_slice(&[0, 1]);
            assert_eq!(opened(&server, &forged_epoch), Err(OpenError::NotAuthentic));
            assert!(server.is_worn() && !server.is_forfeit());
            server.set_forgeries(MOST_FORGERIES - 1);
            assert!(opened(&server, &honest).is_ok(), "replays and honest packets do not count");
            assert_eq!(opened(&server, &honest), Err(OpenError::Replayed));
            assert!(!server.is_forfeit());
            assert_eq!(opened(&server, &forged_epoch), Err(OpenError::NotAuthentic));
            assert!(server.is_forfeit());
            let next = sealed(&client, &plain(protection), b"x");
            assert_eq!(opened(&server, &next), Err(OpenError::NoSuchKey));
        }
    }
}
