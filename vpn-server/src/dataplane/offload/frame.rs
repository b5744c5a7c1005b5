//! What one read of a device with offloads gives: a packet or a super-packet, behind a virtio-net header.

use super::checksum::Sum;
use super::header::{FrameHeader, InvalidHeader, PartialChecksum};
use super::put;
use super::segment::SuperPacket;

/// What one read of a device gave.
#[derive(Debug)]
pub enum Frame<'f> {
    /// A packet with its checksums.
    Packet(&'f mut [u8]),
    /// Packets of one flow in one.
    Super(SuperPacket<'f>),
}

/// Why what a device gave cannot be used. Each means that kernel and data plane do not understand each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// There is no whole header.
    Truncated,
    /// A kind of super-packet that was not asked for, or one without segment size.
    Header,
    /// The checksum that is to be completed is not inside the packet.
    Checksum,
    /// Headers that do not agree with what the packet is said to be.
    Segments,
}

impl<'f> Frame<'f> {
    /// Reads a header and the packet after it. Completes the checksum of a packet that is not to be cut.
    pub fn parse(octets: &'f mut [u8]) -> Result<Self, FrameError> {
        let (header, packet) = octets.split_first_chunk_mut().ok_or(FrameError::Truncated)?;
        let header = FrameHeader::decode(header)?;
        if let Some(segmentation) = header.segmentation {
            let checksum = header.checksum.ok_or(FrameError::Checksum)?;
            return SuperPacket::parse(packet, checksum, segmentation).map(Self::Super);
        }
        if let Some(checksum) = header.checksum {
            complete(packet, checksum)?;
        }
        Ok(Self::Packet(packet))
    }
}

/// Completes the checksum of `packet`, whose field holds the sum of the pseudo-header.
fn complete(packet: &mut [u8], checksum: PartialChecksum) -> Result<(), FrameError> {
    let transport = packet.get_mut(usize::from(checksum.start)..).ok_or(FrameError::Checksum)?;
    let field = usize::from(checksum.offset);
    // A field at an odd offset would be summed in the wrong order.
    if field + 2 > transport.len() || !field.is_multiple_of(2) {
        return Err(FrameError::Checksum);
    }
    let complete = match !Sum::default().with(transport).folded() {
        // To UDP, zero means that there is none, and to the others both mean the same.
        0 => 0xffff,
        sum => sum,
    };
    put(transport, field, complete);
    Ok(())
}

impl From<InvalidHeader> for FrameError {
    fn from(InvalidHeader: InvalidHeader) -> Self {
        Self::Header
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::header::Segmentation;
    use super::super::reference::{self, Packet};
    use super::*;

    #[test]
    fn what_is_too_short_for_a_header_is_refused() {
        for length in 0..FrameHeader::LENGTH {
            assert_eq!(Frame::parse(&mut vec![0; length]).unwrap_err(), FrameError::Truncated);
        }
    }

    #[test]
    fn a_plain_packet_passes_untouched() {
        let packet = Packet { payload: vec![7; 11], ..Packet::tcp_v4() }.octets();
        assert_eq!(parsed(FrameHeader::PLAIN, &packet), Ok(packet));
    }

    #[test]
    fn a_udp_checksum_that_comes_to_zero_is_sent_as_all_ones() {
        // The payload makes up for the sum of everything else.
        let mut packet = Packet { payload: vec![0, 0], ..Packet::udp_v4() };
        let partial = |packet: &Packet| packet.octets_with_partial_checksum();
        let (octets, checksum) = partial(&packet);
        let rest = reference::sum(&octets[usize::from(checksum.start)..], 0);
        packet.payload = (!rest).to_be_bytes().to_vec();
        let (octets, checksum) = partial(&packet);
        let completed =
            parsed(FrameHeader { checksum: Some(checksum), segmentation: None }, &octets).unwrap();
        assert_eq!(completed[26..28], [0xff, 0xff]);
    }

    #[test]
    fn checksums_outside_of_the_packet_are_refused() {
        let packet = Packet { payload: vec![1; 10], ..Packet::udp_v4() }.octets();
        for (start, offset) in [(39, 0), (38, 0), (37, 0), (20, 17), (u16::MAX, 6), (20, u16::MAX), (20, 7)] {
            let header =
                FrameHeader { checksum: Some(PartialChecksum { start, offset }), segmentation: None };
            assert_eq!(parsed(header, &packet), Err(FrameError::Checksum), "{start} {offset}");
        }
    }

    #[test]
    fn a_super_packet_without_partial_checksum_is_refused() {
        let packet = Packet { payload: vec![1; 100], ..Packet::tcp_v4() };
        let (octets, header) = packet.frame(10);
        let header = FrameHeader { checksum: None, ..header };
        assert_eq!(parsed(header, &octets), Err(FrameError::Checksum));
    }

    proptest! {
        #[test]
        fn partial_checksums_become_those_of_the_simple_way(packet in reference::packets()) {
            let (octets, checksum) = packet.octets_with_partial_checksum();
            let header = FrameHeader { checksum: Some(checksum), segmentation: None };
            prop_assert_eq!(parsed(header, &octets), Ok(packet.octets()));
        }

        #[test]
        fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Frame::parse(&mut octets.clone());
        }

        #[test]
        fn any_header_before_a_packet_is_survived_and_its_segments_hold_its_payload(
            header: [u8; FrameHeader::LENGTH],
            start in 0..100_u16,
            packet in reference::packets(),
            damage in prop::collection::vec((0..80_usize, any::<u8>()), 0..3),
        ) {
            let mut octets = [&header[..], &packet.octets()].concat();
            octets[0] |= 1;
            octets[6..8].copy_from_slice(&start.to_ne_bytes());
            for (at, value) in damage {
                if let Some(octet) = octets.get_mut(FrameHeader::LENGTH + at) {
                    *octet = value;
                }
            }
            if let Ok(Frame::Super(packet)) = Frame::parse(&mut octets) {
                let lengths: usize = packet.segments().map(|segment| {
                    let mut written = vec![0; segment.length()];
                    segment.write(&mut written);
                    written.len() - packet.header_length()
                }).sum();
                prop_assert_eq!(lengths + packet.header_length(), packet.packet().len());
            }
        }
    }

    fn parsed(header: FrameHeader, packet: &[u8]) -> Result<Vec<u8>, FrameError> {
        let mut octets = [&header.encode()[..], packet].concat();
        match Frame::parse(&mut octets)? {
            Frame::Packet(packet) => Ok(packet.to_vec()),
            Frame::Super(packet) => panic!("{packet:?}"),
        }
    }

    #[test]
    fn a_frame_with_segmentation_is_a_super_packet() {
        let packet = Packet { payload: vec![1; 100], ..Packet::tcp_v4() };
        let (octets, header) = packet.frame(10);
        assert!(matches!(header.segmentation, Some(Segmentation { header_length: 40, .. })));
        let mut frame = [&header.encode()[..], &octets].concat();
        assert!(matches!(Frame::parse(&mut frame), Ok(Frame::Super(packet)) if packet.count() == 10));
    }
}
