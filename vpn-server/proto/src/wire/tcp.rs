//! Frames of the TCP transport: every packet has its length in front, and nothing else structures the stream.
//!
//! ```text
//!  length(2) | packet(length) | length(2) | packet(length) | ...
//! ```
//!
//! Packets are taken in place from the buffer that was read into. A [`Deframer`] keeps no more than the one frame whose
//! end has not arrived, so a connection costs at most that, however its octets come (NET-09), unless whoever takes its
//! packets is interrupted. After a [`FrameError`] nobody knows where the next packet begins: the connection is useless.
//!
//! Here is also what a first glance at a connection tells about its protocol; closing, timing and sending are not here.

/// The longest packet in a frame: a control payload at its limit of 2048 octets and room for every header, wrapping and
/// data format around it (limits table of the threat model).
pub const LONGEST_PACKET: usize = 2048 + 128;

/// Octets in front of each packet.
pub const PREFIX: usize = 2;

/// The longest frame. A buffer to read into must hold at least one.
pub const LONGEST_FRAME: usize = PREFIX + LONGEST_PACKET;

/// Why a stream is not one of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame without a packet.
    #[error("a frame of length 0")]
    Empty,
    /// A frame longer than any packet.
    #[error("a frame of length {0}, at most {LONGEST_PACKET} is possible")]
    TooLong(u16),
}

/// What goes in front of a packet of `length` octets; `None` where no frame can hold it.
#[must_use]
pub fn prefix(length: usize) -> Option<[u8; PREFIX]> {
    let is_possible = (1..=LONGEST_PACKET).contains(&length);
    u16::try_from(length).ok().filter(|_| is_possible).map(u16::to_be_bytes)
}

/// The length of the packet behind `prefix`.
///
/// # Errors
/// No frame has this length.
pub fn packet_length(prefix: [u8; PREFIX]) -> Result<usize, FrameError> {
    match u16::from_be_bytes(prefix) {
        0 => Err(FrameError::Empty),
        length if usize::from(length) > LONGEST_PACKET => Err(FrameError::TooLong(length)),
        length => Ok(usize::from(length)),
    }
}

/// The complete packets at the front of a buffer.
#[derive(Debug)]
pub struct Frames<'b> {
    rest: &'b mut [u8],
}

impl<'b> Frames<'b> {
    /// The frames in `octets`, which begin with one.
    #[must_use]
    pub const fn new(octets: &'b mut [u8]) -> Self {
        Self { rest: octets }
    }

    /// The next packet; `None` when the rest of its frame has not arrived.
    ///
    /// # Errors
    /// The stream cannot be read any further.
    pub fn next_packet(&mut self) -> Result<Option<&'b mut [u8]>, FrameError> {
        let Some(prefix) = self.rest.first_chunk().copied() else {
            return Ok(None);
        };
        let end = PREFIX + packet_length(prefix)?;
        if self.rest.len() < end {
            return Ok(None);
        }
        let (frame, rest) = std::mem::take(&mut self.rest).split_at_mut(end);
        self.rest = rest;
        Ok(Some(&mut frame[PREFIX..]))
    }

    /// The next packet, which stays where it is; `None` when the rest of its frame has not arrived.
    ///
    /// # Errors
    /// The stream cannot be read any further.
    pub fn peek_packet(&self) -> Result<Option<&[u8]>, FrameError> {
        let Some(prefix) = self.rest.first_chunk().copied() else {
            return Ok(None);
        };
        let end = PREFIX + packet_length(prefix)?;
        Ok(self.rest.get(PREFIX..end))
    }

    /// What was not taken yet.
    #[must_use]
    pub const fn rest(&self) -> &[u8] {
        self.rest
    }
}

/// Carries the beginning of a frame from one read to the next.
#[derive(Debug, Default)]
pub struct Deframer {
    begun: Vec<u8>,
}

impl Deframer {
    /// Lets `receive` fill `buffer` behind the frame that has begun, and answers with how many octets it received and
    /// the frames that begin the buffer now. Give them back by [`Deframer::keep`] when they are used up.
    ///
    /// The buffer holds at least [`LONGEST_FRAME`] octets, so there is always space to receive into.
    ///
    /// # Errors
    /// Those of `receive`; nothing is lost then.
    pub fn fill<'b, E>(
        &mut self,
        buffer: &'b mut [u8],
        receive: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(usize, Frames<'b>), E> {
        let begun = self.begun.len().min(buffer.len());
        buffer[..begun].copy_from_slice(&self.begun[..begun]);
        let received = receive(&mut buffer[begun..])?;
        let end = (begun + received).min(buffer.len());
        Ok((received, Frames::new(&mut buffer[..end])))
    }

    /// Octets that are kept from one read to the next.
    #[must_use]
    pub const fn kept(&self) -> usize {
        self.begun.len()
    }

    /// Keeps what was not taken from `frames`: the frame whose end is missing, unless taking was interrupted.
    pub fn keep(&mut self, frames: &Frames<'_>) {
        let rest = frames.rest();
        self.begun.clear();
        self.begun.reserve_exact(rest.len());
        self.begun.extend_from_slice(rest);
    }
}

/// What the first octets of a connection say about its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Too few to tell.
    Undecided,
    /// A client of this protocol begins a session.
    OpenVpn,
    /// Anything else.
    Foreign,
}

/// Judges a connection by its first octets, as stock servers do when they share their port (protocol reference section
/// 1): a client begins with a hard reset of a plausible length.
#[must_use]
pub fn opening(octets: &[u8]) -> Opening {
    let begins_alike = |shape: &&ResetShape| shape.begins_with(octets);
    let decided = octets.len() > PREFIX;
    match (RESET_SHAPES.iter().find(begins_alike), decided) {
        (Some(_), true) => Opening::OpenVpn,
        (Some(_), false) => Opening::Undecided,
        (None, _) => Opening::Foreign,
    }
}

/// A first packet: the lengths that it can have, and its first octet.
struct ResetShape {
    shortest: u16,
    longest: u16,
    first_octet: u8,
}

impl ResetShape {
    fn begins_with(&self, octets: &[u8]) -> bool {
        let high = octets.first().copied().unwrap_or(0);
        let is_possible = |low| (self.shortest..=self.longest).contains(&u16::from_be_bytes([high, low]));
        match octets {
            [] => true,
            [high] => (self.shortest >> 8..=self.longest >> 8).contains(&u16::from(*high)),
            [_, low] => is_possible(*low),
            [_, low, first, ..] => is_possible(*low) && *first == self.first_octet,
        }
    }
}

/// Hard resets of clients without and with tls-crypt-v2, always of key 0.
const RESET_SHAPES: [ResetShape; 2] = [
    ResetShape { shortest: 14, longest: 255, first_octet: 7 << 3 },
    ResetShape { shortest: 336, longest: 1278, first_octet: 10 << 3 },
];

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn net_06_a_length_of_zero_and_one_past_the_limit_are_errors() {
        assert_eq!(packet_length([0, 0]), Err(FrameError::Empty));
        let longest = u16::try_from(LONGEST_PACKET).unwrap();
        assert_eq!(packet_length(longest.to_be_bytes()), Ok(LONGEST_PACKET));
        assert_eq!(packet_length((longest + 1).to_be_bytes()), Err(FrameError::TooLong(longest + 1)));
        assert_eq!(packet_length([0xff, 0xff]), Err(FrameError::TooLong(0xffff)));
    }

    #[test]
    fn a_packet_that_is_looked_at_stays_and_can_be_kept_with_all_that_follow() {
        let mut stream = [&[0, 2, 7, 7, 0, 1, 8][..], &[0, 3, 9]].concat();
        let mut deframer = Deframer::default();
        let mut frames = Frames::new(&mut stream);
        assert_eq!(frames.peek_packet(), Ok(Some(&[7, 7][..])));
        assert_eq!(frames.next_packet().unwrap().unwrap(), [7, 7]);
        assert_eq!(frames.peek_packet(), Ok(Some(&[8][..])));
        deframer.keep(&frames);
        let mut buffer = [0; LONGEST_FRAME];
        let (received, mut frames) = deframer.fill(&mut buffer, |_| Ok::<_, Infallible>(0)).unwrap();
        assert_eq!(received, 0);
        assert_eq!(frames.next_packet().unwrap().unwrap(), [8]);
        assert_eq!(frames.peek_packet(), Ok(None));
        assert_eq!(frames.rest(), [0, 3, 9]);
        assert_eq!(Frames::new(&mut [0, 0, 1]).peek_packet(), Err(FrameError::Empty));
    }

    #[test]
    fn a_prefix_is_made_for_what_can_be_read_and_for_nothing_else() {
        assert_eq!(prefix(14), Some([0, 14]));
        assert_eq!(prefix(LONGEST_PACKET).map(packet_length), Some(Ok(LONGEST_PACKET)));
        for length in [0, LONGEST_PACKET + 1, 65_536, usize::MAX] {
            assert_eq!(prefix(length), None, "{length}");
        }
    }

    #[test]
    fn net_06_a_bad_length_is_found_before_its_packet_arrives_and_stays_found() {
        for bad in [[0, 0], [0x47, 0x45]] {
            let mut octets = framed(&[b"good"]);
            octets.extend(bad);
            let mut frames = Frames::new(&mut octets);
            assert_eq!(frames.next_packet(), Ok(Some(&mut b"good".to_owned()[..])));
            assert!(frames.next_packet().is_err());
            assert!(frames.next_packet().is_err());
        }
    }

    #[test]
    fn net_09_two_hundred_frames_of_one_read_are_taken_in_place() {
        let packets: Vec<Vec<u8>> = (0..200_u8).map(|number| vec![number; 14]).collect();
        let mut octets = framed(&packets);
        let range = octets.as_ptr_range();
        let mut frames = Frames::new(&mut octets);
        for expected in &packets {
            let packet = frames.next_packet().unwrap().unwrap();
            assert!(range.contains(&packet.as_ptr()));
            assert_eq!(packet, expected);
        }
        assert_eq!((frames.next_packet(), frames.rest().len()), (Ok(None), 0));
    }

    #[test]
    fn net_09_octets_that_come_one_by_one_cost_no_more_than_a_frame() {
        let packets = [vec![1; LONGEST_PACKET], vec![2; 1], vec![3; 700]];
        let mut reader = Reader::default();
        for octet in framed(&packets) {
            reader.receive(&[octet]).unwrap();
            assert!(reader.deframer.begun.capacity() <= LONGEST_FRAME);
        }
        assert_eq!(reader.packets, packets);
    }

    #[test]
    fn a_read_that_fails_loses_nothing() {
        let mut reader = Reader::default();
        let octets = framed(&[b"packet"]);
        reader.receive(&octets[..5]).unwrap();
        let mut buffer = [0; LONGEST_FRAME];
        let failed = reader.deframer.fill(&mut buffer, |_| Err("would block"));
        assert_eq!(failed.err(), Some("would block"));
        reader.receive(&octets[5..]).unwrap();
        assert_eq!(reader.packets, [b"packet"]);
    }

    #[test]
    fn a_client_that_begins_a_session_is_told_from_everybody_else() {
        let cases: [(&[u8], Opening); 20] = [
            (&[], Opening::Undecided),
            (&[0], Opening::Undecided),
            (&[4], Opening::Undecided),
            (&[5], Opening::Foreign),
            (&[0, 13], Opening::Foreign),
            (&[0, 14], Opening::Undecided),
            (&[0, 255], Opening::Undecided),
            (&[1, 0], Opening::Foreign),
            (&[1, 79], Opening::Foreign),
            (&[1, 80], Opening::Undecided),
            (&[4, 254], Opening::Undecided),
            (&[4, 255], Opening::Foreign),
            (&[0, 14, 0x38], Opening::OpenVpn),
            (&[0, 255, 0x38, 1, 2], Opening::OpenVpn),
            (&[0, 14, 0x39], Opening::Foreign),
            (&[0, 14, 0x50], Opening::Foreign),
            (&[1, 80, 0x50], Opening::OpenVpn),
            (&[1, 80, 0x38], Opening::Foreign),
            (b"GET / HTTP/1.1\r\n", Opening::Foreign),
            (&[0x16, 0x03, 0x01, 0x02, 0x00], Opening::Foreign),
        ];
        for (octets, expected) in cases {
            assert_eq!(opening(octets), expected, "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_framed_comes_back_however_it_was_cut(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
            cuts in prop::collection::vec(1..400_usize, 1..20),
        ) {
            let octets = framed(&packets);
            let mut reader = Reader::default();
            let (mut rest, mut cuts) = (&octets[..], cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                reader.receive(piece).unwrap();
                rest = later;
            }
            prop_assert_eq!(reader.packets, packets);
        }

        #[test]
        fn net_12_no_octets_make_it_panic_or_keep_more_than_a_frame(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
        ) {
            let mut reader = Reader::default();
            for piece in pieces {
                if reader.receive(&piece).is_err() {
                    break;
                }
                prop_assert!(reader.deframer.begun.len() < LONGEST_FRAME);
            }
        }

        #[test]
        fn an_opening_once_decided_stays_decided(octets in prop::collection::vec(any::<u8>(), 0..8)) {
            let verdicts: Vec<_> = (0..=octets.len()).map(|count| opening(&octets[..count])).collect();
            let decided = verdicts.iter().position(|verdict| *verdict != Opening::Undecided);
            if let Some(first) = decided {
                prop_assert!(verdicts[first..].iter().all(|verdict| *verdict == verdicts[first]));
            }
        }
    }

    #[derive(Default)]
    struct Reader {
        deframer: Deframer,
        packets: Vec<Vec<u8>>,
    }

    impl Reader {
        fn receive(&mut self, octets: &[u8]) -> Result<(), FrameError> {
            let mut buffer = [0; LONGEST_FRAME];
            let receive = |space: &mut [u8]| {
                space[..octets.len()].copy_from_slice(octets);
                Ok::<_, Infallible>(octets.len())
            };
            let Ok((_, mut frames)) = self.deframer.fill(&mut buffer, receive);
            while let Some(packet) = frames.next_packet()? {
                self.packets.push(packet.to_vec());
            }
            self.deframer.keep(&frames);
            Ok(())
        }
    }

    fn framed(packets: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let frame = |packet: &[u8]| [&prefix(packet.len()).unwrap()[..], packet].concat();
        packets.iter().flat_map(|packet| frame(packet.as_ref())).collect()
    }
}
