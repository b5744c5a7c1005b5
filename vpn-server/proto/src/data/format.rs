//! How the data packets of a session look: agreed once, the same for all its keys.
//!
//! ```text
//!  classic   header | packet id(4) | tag(16) | [ packet ]                        section 9.1
//!  epoch     header | epoch(2) | counter(6)  | [ packet ] | tag(16)              section 9.2
//!  CBC       header | HMAC(n) | IV(16)       | [ packet id(4) | packet | pad ]   section 9.3
//!
//!  header    V2: op/key(1) | peer id(3)      V1: op/key(1)
//! ```
//!
//! What stands in brackets is encrypted. A framing octet may stand before the packet (see [`super::framing`]).

use super::framing::Framing;
use super::{CbcCipher, DataCipher, NegotiatedCipher};
use crate::crypto::TAG_LENGTH;
use crate::ids::{KeyId, PeerId};
use crate::wire::opcode::{DATA_V1, DATA_V2};
use crate::wire::tls_auth::AuthDigest;

/// The most octets before the tunnel packet in a sealed datagram, whatever the format.
pub const DATA_HEADROOM: usize =
    Header::LENGTH_V2 + AuthDigest::LONGEST + BLOCK + SHORT_ID + Framing::LONGEST_PREFIX;
/// The most octets behind the tunnel packet in a sealed datagram, whatever the format.
pub const DATA_TAILROOM: usize = TAG_LENGTH;
const _: () = assert!(DATA_TAILROOM >= BLOCK, "padding fits where a tag does");

/// Octets of a 32-bit packet id.
pub(super) const SHORT_ID: usize = 4;
/// Octets of a classic AEAD packet's id and tag.
pub(super) const CLASSIC_CLEAR: usize = SHORT_ID + TAG_LENGTH;
/// Octets of an epoch and the counter in it.
pub(super) const EPOCH_ID: usize = 8;
/// Octets of a block of AES, and of an IV.
pub(super) const BLOCK: usize = 16;

/// The format of a session's data packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataFormat {
    pub(crate) protection: Protection,
    /// Whether packets name their session: the format "V2", which the epoch format takes for granted.
    pub(crate) has_peer_id: bool,
    pub(crate) framing: Framing,
}

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    Classic(DataCipher),
    Epoch(DataCipher),
    Cbc(CbcCipher, AuthDigest),
}

impl DataFormat {
    pub(crate) const fn cipher(&self) -> NegotiatedCipher {
        match self.protection {
            Protection::Classic(cipher) | Protection::Epoch(cipher) => NegotiatedCipher::Aead(cipher),
            Protection::Cbc(cipher, _) => NegotiatedCipher::Cbc(cipher),
        }
    }

    pub(crate) const fn is_epoch(&self) -> bool {
        matches!(self.protection, Protection::Epoch(_))
    }

    /// The header of packets of the session `peer_id`.
    pub(super) const fn header(&self, peer_id: PeerId) -> Header {
        if self.has_peer_id { Header::V2(peer_id) } else { Header::V1 }
    }

    pub(super) const fn layout(&self) -> SealLayout {
        let header = if self.has_peer_id { Header::LENGTH_V2 } else { Header::LENGTH_V1 };
        let prefix = self.framing.prefix_length();
        match self.protection {
            Protection::Classic(_) => {
                SealLayout { clear: header + CLASSIC_CLEAR, inner: prefix, block: 1, behind: 0 }
            }
            Protection::Epoch(_) => {
                SealLayout { clear: header + EPOCH_ID, inner: prefix, block: 1, behind: TAG_LENGTH }
            }
            Protection::Cbc(_, digest) => {
                let clear = header + digest.length() + BLOCK;
                SealLayout { clear, inner: SHORT_ID + prefix, block: BLOCK, behind: 0 }
            }
        }
    }
}

/// What a packet begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    V1,
    V2(PeerId),
}

impl Header {
    pub(super) const LENGTH_V1: usize = 1;
    pub(super) const LENGTH_V2: usize = 4;

    pub(super) const fn length(self) -> usize {
        match self {
            Self::V1 => Self::LENGTH_V1,
            Self::V2(_) => Self::LENGTH_V2,
        }
    }

    /// Octets of the header that `first` begins.
    pub(super) const fn length_at(first: u8) -> usize {
        if first >> 3 == DATA_V1 { Self::LENGTH_V1 } else { Self::LENGTH_V2 }
    }

    /// Writes the header to the start of `datagram`, which is long enough.
    pub(super) fn write(self, key_id: KeyId, datagram: &mut [u8]) {
        match self {
            Self::V1 => datagram[0] = (DATA_V1 << 3) | key_id.get(),
            Self::V2(peer_id) => {
                datagram[0] = (DATA_V2 << 3) | key_id.get();
                datagram[1..4].copy_from_slice(&peer_id.to_wire());
            }
        }
    }
}

/// Where a tunnel packet lies in its sealed datagram, and how long that is. Constant for the life of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealLayout {
    /// Octets that are not encrypted, from the start.
    clear: usize,
    /// Encrypted octets before the packet.
    inner: usize,
    /// What the encrypted octets are padded to a multiple of, by one octet at least; 1 for no padding.
    block: usize,
    /// Octets after the encrypted ones.
    behind: usize,
}

impl SealLayout {
    /// Octets before the tunnel packet; at most [`DATA_HEADROOM`].
    #[must_use]
    pub const fn front(self) -> usize {
        self.clear + self.inner
    }

    /// Octets of the datagram that a tunnel packet of so many octets is sealed into. At most [`DATA_TAILROOM`] of them
    /// follow the packet.
    #[must_use]
    pub const fn datagram_length(self, packet: usize) -> usize {
        self.clear + self.padded(self.inner + packet) + self.behind
    }

    /// The longest tunnel packet whose datagram has at most so many octets; 0 if there is none.
    #[must_use]
    pub const fn largest_packet(self, datagram: usize) -> usize {
        let encrypted = datagram.saturating_sub(self.clear + self.behind);
        let unpadded =
            if self.block == 1 { encrypted } else { (encrypted / self.block * self.block).saturating_sub(1) };
        unpadded.saturating_sub(self.inner)
    }

    const fn padded(self, octets: usize) -> usize {
        if self.block == 1 { octets } else { (octets / self.block + 1) * self.block }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const UDP_OVER_IPV4: usize = 28;
    const TCP_OVER_IPV4: usize = 40;

    /// Every format there is.
    pub(in crate::data) fn all_formats() -> Vec<DataFormat> {
        let digests = [AuthDigest::Sha1, AuthDigest::Sha256, AuthDigest::Sha384, AuthDigest::Sha512];
        let cbc = CbcCipher::ALL
            .into_iter()
            .flat_map(|cipher| digests.into_iter().map(move |digest| Protection::Cbc(cipher, digest)));
        let aead = DataCipher::ALL.iter().map(|cipher| Protection::Classic(*cipher));
        let epoch = DataCipher::ALL.iter().map(|cipher| Protection::Epoch(*cipher));
        let with = |protection, has_peer_id| {
            [Framing::None, Framing::StubV2, Framing::Octet].map(|framing| DataFormat {
                protection,
                has_peer_id,
                framing,
            })
        };
        let of_both_headers =
            aead.chain(cbc).flat_map(|protection| [with(protection, true), with(protection, false)]);
        of_both_headers.chain(epoch.map(|protection| with(protection, true))).flatten().collect()
    }

    /// The largest TCP segment in a datagram of 1492 octets over IPv4, as stock servers compute it by default.
    fn segment(protection: Protection, framing: Framing) -> usize {
        let layout = DataFormat { protection, has_peer_id: true, framing }.layout();
        layout.largest_packet(1492 - UDP_OVER_IPV4) - TCP_OVER_IPV4
    }

    #[test]
    fn the_largest_segment_is_the_one_of_stock_servers() {
        let gcm = DataCipher::Aes256Gcm;
        assert_eq!(segment(Protection::Classic(gcm), Framing::None), 1400);
        assert_eq!(segment(Protection::Epoch(gcm), Framing::None), 1396);
        let cbc = Protection::Cbc(CbcCipher::Aes256Cbc, AuthDigest::Sha256);
        assert_eq!(segment(cbc, Framing::None), 1363);
        assert_eq!(segment(Protection::Classic(gcm), Framing::Octet), 1399);
    }

    #[test]
    fn a_cbc_packet_of_60_octets_gives_the_datagram_of_132_that_was_captured() {
        let protection = Protection::Cbc(CbcCipher::Aes256Cbc, AuthDigest::Sha256);
        let layout = DataFormat { protection, has_peer_id: true, framing: Framing::None }.layout();
        assert_eq!(layout.datagram_length(60), 132);
    }

    #[test]
    fn the_room_around_packets_is_bounded_whatever_the_format() {
        for format in all_formats() {
            let layout = format.layout();
            assert!(layout.front() <= DATA_HEADROOM, "{format:?}");
            for packet in 0..100 {
                let length = layout.datagram_length(packet);
                assert!(length - layout.front() - packet <= DATA_TAILROOM, "{format:?}");
            }
        }
    }

    #[test]
    fn the_largest_packet_fits_and_a_longer_one_does_not() {
        for format in all_formats() {
            let layout = format.layout();
            for room in 200..400 {
                let packet = layout.largest_packet(room);
                assert!(layout.datagram_length(packet) <= room, "{format:?}");
                assert!(layout.datagram_length(packet + 1) > room, "{format:?}");
            }
            assert_eq!(layout.largest_packet(10), 0);
        }
    }
}
