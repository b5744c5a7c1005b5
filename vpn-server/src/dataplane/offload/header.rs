//! The virtio-net header that precedes every packet on a device with offloads.
//!
//! ```text
//!  0       1          2                4                   6                8                  10
//!  | flags | gso type | header length  | segment size      | checksum start | checksum offset  | packet ...
//! ```
//!
//! Numbers are in the octet order of the host. What the fields mean is in the virtio specification, section 5.1.6.

use std::num::NonZero;

/// What the header says about its packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameHeader {
    /// The checksum that is yet to be completed.
    pub checksum: Option<PartialChecksum>,
    /// How the packet is to be cut, if it is a super-packet.
    pub segmentation: Option<Segmentation>,
}

/// A transport checksum whose field holds the sum of the pseudo-header so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where in the packet the transport header begins, from which to the end is summed.
    pub start: u16,
    /// Where in the transport header the checksum is.
    pub offset: u16,
}

/// How a super-packet is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// The protocol whose payload is cut.
    pub protocol: SegmentedProtocol,
    /// Octets of the headers that every segment has. The kernel may say more than that.
    pub header_length: u16,
    /// Octets of payload in each segment but the last.
    pub segment: NonZero<u16>,
}

/// What super-packets are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentedProtocol {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP over either.
    Udp,
}

/// A header that makes no sense: a kind of super-packet that was not asked for, or one without segment size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeader;

impl FrameHeader {
    /// Octets of a header.
    pub const LENGTH: usize = 10;

    /// The header of a packet that is complete.
    pub const PLAIN: Self = Self { checksum: None, segmentation: None };

    /// Reads a header.
    pub fn decode(octets: &[u8; Self::LENGTH]) -> Result<Self, InvalidHeader> {
        let [flags, kind, numbers @ ..] = octets;
        let number = |index: usize| u16::from_ne_bytes([numbers[2 * index], numbers[2 * index + 1]]);
        let protocol = match kind & !ECN {
            0 => None,
            1 => Some(SegmentedProtocol::TcpV4),
            4 => Some(SegmentedProtocol::TcpV6),
            5 => Some(SegmentedProtocol::Udp),
            _ => return Err(InvalidHeader),
        };
        let segmentation = protocol.map(|protocol| {
            let segment = NonZero::new(number(1)).ok_or(InvalidHeader)?;
            Ok(Segmentation { protocol, header_length: number(0), segment })
        });
        let checksum = PartialChecksum { start: number(2), offset: number(3) };
        Ok(Self {
            checksum: (flags & NEEDS_CHECKSUM != 0).then_some(checksum),
            segmentation: segmentation.transpose()?,
        })
    }

    /// Writes the header.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        if let Some(PartialChecksum { start, offset }) = self.checksum {
            octets[0] = NEEDS_CHECKSUM;
            octets[6..8].copy_from_slice(&start.to_ne_bytes());
            octets[8..10].copy_from_slice(&offset.to_ne_bytes());
        }
        if let Some(Segmentation { protocol, header_length, segment }) = self.segmentation {
            octets[1] = match protocol {
                SegmentedProtocol::TcpV4 => 1,
                SegmentedProtocol::TcpV6 => 4,
                SegmentedProtocol::Udp => 5,
            };
            octets[2..4].copy_from_slice(&header_length.to_ne_bytes());
            octets[4..6].copy_from_slice(&segment.get().to_ne_bytes());
        }
        octets
    }
}

/// The flag that says that a checksum is to be completed.
const NEEDS_CHECKSUM: u8 = 1;
/// Beside a kind of TCP: the first segment alone keeps the flag CWR, which is so for every super-packet here.
const ECN: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_that_a_kernel_gave_is_read() {
        // A read of 2856 octets from a device with TSO: 1400 + 1400 + ... octets of TCP over IPv4 with timestamps.
        let header = FrameHeader::decode(&[1, 1, 52, 0, 0x78, 0x05, 20, 0, 16, 0]).unwrap();
        assert_eq!(header.checksum, Some(PartialChecksum { start: 20, offset: 16 }));
        let segment = NonZero::new(1400).unwrap();
        let protocol = SegmentedProtocol::TcpV4;
        assert_eq!(header.segmentation, Some(Segmentation { protocol, header_length: 52, segment }));
    }

    #[test]
    fn a_plain_header_is_all_zero() {
        assert_eq!(FrameHeader::PLAIN.encode(), [0; FrameHeader::LENGTH]);
        assert_eq!(FrameHeader::decode(&[0; FrameHeader::LENGTH]), Ok(FrameHeader::PLAIN));
        let valid_checksum = [2, 0, 0, 0, 0, 0, 20, 0, 16, 0];
        assert_eq!(FrameHeader::decode(&valid_checksum), Ok(FrameHeader::PLAIN));
    }

    #[test]
    fn the_mark_of_ecn_changes_nothing() {
        let header = |kind| FrameHeader::decode(&[1, kind, 40, 0, 100, 0, 20, 0, 16, 0]);
        assert_eq!(header(0x81), header(0x01));
        assert_eq!(header(0x84), header(0x04));
    }

    #[test]
    fn unknown_kinds_and_segments_of_nothing_are_refused() {
        for kind in [2, 3, 6, 0x7f, 0xff] {
            assert_eq!(FrameHeader::decode(&[0, kind, 0, 0, 9, 9, 0, 0, 0, 0]), Err(InvalidHeader));
        }
        assert_eq!(FrameHeader::decode(&[1, 1, 40, 0, 0, 0, 20, 0, 16, 0]), Err(InvalidHeader));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            checksum in prop::option::of((any::<u16>(), any::<u16>())),
            segmentation in prop::option::of((0..3_usize, any::<u16>(), 1..=u16::MAX)),
        ) {
            let protocols = [SegmentedProtocol::TcpV4, SegmentedProtocol::TcpV6, SegmentedProtocol::Udp];
            let header = FrameHeader {
                checksum: checksum.map(|(start, offset)| PartialChecksum { start, offset }),
                segmentation: segmentation.map(|(index, header_length, segment)| Segmentation {
                    protocol: protocols[index],
                    header_length,
                    segment: NonZero::new(segment).unwrap(),
                }),
            };
            prop_assert_eq!(FrameHeader::decode(&header.encode()), Ok(header));
        }

        #[test]
        fn any_octets_are_survived(octets: [u8; FrameHeader::LENGTH]) {
            let _ = FrameHeader::decode(&octets);
        }
    }
}
