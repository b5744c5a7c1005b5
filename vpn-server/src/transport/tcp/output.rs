//! What waits to be written to one connection, bounded.
//!
//! Frames of control packets go before frames of data packets: a session can do without the one and not without the
//! other. Whole frames only change places; what was begun is finished first. A queue that has emptied keeps no memory.

use std::collections::VecDeque;
use std::io::IoSlice;

use vpn_proto::wire::tcp::{PREFIX, prefix};

/// What is dropped first when a connection cannot take everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// Never dropped while the connection lives: a connection whose reader takes no control packets is given up.
    Control,
    /// Dropped when 128 KiB wait.
    Data,
}

/// Octets of data frames that may wait: two to three times what a TCP sender inside the tunnel has on its way at once
/// on a line of 100 Mbit/s and 4 ms.
pub(super) const DATA_LIMIT: usize = 128 * 1024;

/// Octets of control frames that may wait: ten full windows.
pub(super) const CONTROL_LIMIT: usize = 64 * 1024;

/// A packet found no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Frames that wait.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The rest of a frame whose beginning was written.
    begun: VecDeque<u8>,
    control: VecDeque<u8>,
    data: VecDeque<u8>,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.control.is_empty() && self.data.is_empty()
    }

    /// Frames `packet` and queues it.
    pub(super) fn push(&mut self, precedence: Precedence, packet: &[u8]) -> Result<(), Full> {
        let prefix = prefix(packet.len()).ok_or(Full)?;
        let (queue, limit) = match precedence {
            Precedence::Control => (&mut self.control, CONTROL_LIMIT),
            Precedence::Data => (&mut self.data, DATA_LIMIT),
        };
        if queue.len() + PREFIX + packet.len() > limit {
            return Err(Full);
        }
        queue.extend(prefix);
        queue.extend(packet);
        Ok(())
    }

    /// Takes the rest of a frame of which `written` octets were written past this queue, which must be empty.
    pub(super) fn begin(&mut self, prefix: [u8; PREFIX], packet: &[u8], written: usize) {
        let frame = prefix.iter().chain(packet).copied();
        self.begun.extend(frame.skip(written));
    }

    /// What is to be written, in order.
    pub(super) fn slices(&self) -> [IoSlice<'_>; 6] {
        let [begun, control, data] = [&self.begun, &self.control, &self.data].map(VecDeque::as_slices);
        [begun.0, begun.1, control.0, control.1, data.0, data.1].map(IoSlice::new)
    }

    /// Removes the first `count` octets of what [`Output::slices`] showed: they are written.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count - drain(&mut self.begun, count);
        let count = count - Self::consume_frames(&mut self.control, &mut self.begun, count);
        Self::consume_frames(&mut self.data, &mut self.begun, count);
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Removes the first `count` octets of `queue`, or all, and says how many that were. If that ends within a frame,
    /// its rest becomes the one that was begun.
    fn consume_frames(queue: &mut VecDeque<u8>, begun: &mut VecDeque<u8>, count: usize) -> usize {
        let count = count.min(queue.len());
        let mut boundary = 0;
        while boundary < count {
            let length = u16::from_be_bytes([queue[boundary], queue[boundary + 1]]);
            boundary += PREFIX + usize::from(length);
        }
        drain(queue, count);
        begun.extend(queue.drain(..boundary - count));
        count
    }

    /// Forgets data frames that were not begun.
    pub(super) fn drop_data(&mut self) {
        self.data = VecDeque::new();
    }
}

/// Removes up to `count` octets from the front and says how many.
fn drain(queue: &mut VecDeque<u8>, count: usize) -> usize {
    let count = count.min(queue.len());
    queue.drain(..count);
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vpn_proto::wire::tcp::{Frames, LONGEST_PACKET};

    use super::*;

    #[test]
    fn control_goes_before_data_but_never_into_a_frame_that_was_begun() {
        let mut output = Output::default();
        output.push(Precedence::Data, b"data-1").unwrap();
        output.push(Precedence::Data, b"data-2").unwrap();
        let mut written = write(&mut output, 3);
        output.push(Precedence::Control, b"control").unwrap();
        written.extend(write(&mut output, usize::MAX));
        assert_eq!(unframed(written), [&b"data-1"[..], b"control", b"data-2"]);
        assert!(output.is_empty());
    }

    #[test]
    fn net_09_data_is_dropped_at_its_limit_and_control_still_has_room() {
        let mut output = Output::default();
        let packet = [7; 1022];
        let fitting = (0..).take_while(|_| output.push(Precedence::Data, &packet).is_ok()).count();
        assert_eq!(fitting, DATA_LIMIT / 1024);
        let fitting = (0..).take_while(|_| output.push(Precedence::Control, &packet).is_ok()).count();
        assert_eq!(fitting, CONTROL_LIMIT / 1024);
        output.drop_data();
        assert_eq!(unframed(write(&mut output, usize::MAX)).len(), CONTROL_LIMIT / 1024);
    }

    #[test]
    fn what_no_frame_can_hold_is_not_queued() {
        let mut output = Output::default();
        assert_eq!(output.push(Precedence::Data, &[]), Err(Full));
        assert_eq!(output.push(Precedence::Control, &[0; LONGEST_PACKET + 1]), Err(Full));
        assert!(output.is_empty());
    }

    #[test]
    fn a_queue_that_has_emptied_keeps_no_memory() {
        let mut output = Output::default();
        output.push(Precedence::Data, &[7; 1000]).unwrap();
        write(&mut output, usize::MAX);
        assert_eq!(output.data.capacity() + output.begun.capacity(), 0);
    }

    #[test]
    fn dropping_data_spares_the_frame_that_was_begun() {
        let mut output = Output::default();
        output.begin(prefix(5).unwrap(), b"begun", 4);
        output.push(Precedence::Data, b"data").unwrap();
        output.drop_data();
        assert_eq!(write(&mut output, usize::MAX), b"gun");
    }

    proptest! {
        #[test]
        fn frames_stay_whole_and_each_kind_in_order_however_little_is_written(
            packets in prop::collection::vec((any::<bool>(), 1..60_usize), 1..60),
            steps in prop::collection::vec((0..4_usize, 0..90_usize), 1..60),
        ) {
            let mut output = Output::default();
            let mut written = vec![];
            let mut numbered = packets.into_iter().zip(0..);
            for (pushes, count) in steps.into_iter().chain([(usize::MAX, usize::MAX)]) {
                for ((is_control, length), number) in numbered.by_ref().take(pushes) {
                    output.push(precedence(is_control), &[&[number, is_control.into()][..], &vec![9; length]].concat()).unwrap();
                }
                written.extend(write(&mut output, count));
            }
            let packets = unframed(written);
            for kind in [0, 1] {
                let numbers: Vec<u8> = packets.iter().filter(|packet| packet[1] == kind).map(|packet| packet[0]).collect();
                prop_assert!(numbers.is_sorted());
            }
            let mut all: Vec<u8> = packets.iter().map(|packet| packet[0]).collect();
            all.sort_unstable();
            prop_assert_eq!(usize::from(*all.last().unwrap()) + 1, all.len());
        }
    }

    fn precedence(is_control: bool) -> Precedence {
        if is_control { Precedence::Control } else { Precedence::Data }
    }

    /// What a socket would have taken that takes up to `count` octets.
    fn write(output: &mut Output, count: usize) -> Vec<u8> {
        let all: Vec<u8> = output.slices().iter().flat_map(|slice| slice.to_vec()).collect();
        let count = count.min(all.len());
        output.consume(count);
        all[..count].to_vec()
    }

    fn unframed(mut stream: Vec<u8>) -> Vec<Vec<u8>> {
        let (mut frames, mut packets) = (Frames::new(&mut stream), vec![]);
        while let Some(packet) = frames.next_packet().unwrap() {
            packets.push(packet.to_vec());
        }
        assert!(frames.rest().is_empty());
        packets
    }
}
