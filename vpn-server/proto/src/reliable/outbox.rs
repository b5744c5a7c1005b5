//! Numbers outgoing packets and sends them again until they are acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::MessageId;
use crate::moment::Moment;
use crate::wire::opcode::ControlOpcode;

/// Packets counted from the oldest unacknowledged one that may be on the way; stock receivers keep at least eight.
const WINDOW: usize = 6;
/// Time until a packet is sent again for the first time; it doubles each time, but not for long: a handshake that waits
/// for one packet has only so much time, and what is repeated is little.
const FIRST_TIMEOUT: Duration = Duration::from_secs(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(4);
/// Later packets acknowledged since the last transmission that prove a packet lost.
const LATER_ACKNOWLEDGEMENTS: u8 = 3;

/// Outgoing packets of one key.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The first `WINDOW` of them may be on the way. The front is never acknowledged.
    packets: VecDeque<Outgoing>,
    next: MessageId,
    carrier: Carrier,
}

/// Who makes up for losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// This layer: datagrams get lost.
    Lossy,
    /// The connection below: what is sent once arrives, or the connection ends.
    Reliable,
}

#[derive(Debug)]
struct Outgoing {
    id: MessageId,
    opcode: ControlOpcode,
    payload: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    Sent { again_at: Moment, timeout: Duration, later_acknowledgements: u8 },
    Acknowledged,
}

/// A packet whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due<'a> {
    pub(crate) id: MessageId,
    pub(crate) opcode: ControlOpcode,
    pub(crate) payload: &'a [u8],
}

impl Outbox {
    /// Numbers packets from `next` on.
    pub(crate) const fn starting_at(next: MessageId, carrier: Carrier) -> Self {
        Self { packets: VecDeque::new(), next, carrier }
    }

    pub(crate) fn push(&mut self, opcode: ControlOpcode, payload: Vec<u8>) {
        self.packets.push_back(Outgoing { id: self.next, opcode, payload, state: State::Waiting });
        self.next = self.next.plus(1);
    }

    /// Whether everything that was pushed has been acknowledged.
    pub(crate) fn is_flushed(&self) -> bool {
        self.packets.is_empty()
    }

    /// Takes an acknowledgement; ids that were never sent are ignored (NET-07).
    pub(crate) fn acknowledge(&mut self, id: MessageId) {
        let Some(index) = self.packets.iter().position(|packet| packet.id == id) else {
            return;
        };
        if !matches!(self.packets[index].state, State::Sent { .. }) {
            return;
        }
        self.packets[index].state = State::Acknowledged;
        for earlier in self.packets.range_mut(..index) {
            if let State::Sent { later_acknowledgements, .. } = &mut earlier.state {
                *later_acknowledgements = later_acknowledgements.saturating_add(1);
            }
        }
        while matches!(self.packets.front(), Some(Outgoing { state: State::Acknowledged, .. })) {
            self.packets.pop_front();
        }
    }

    /// The next packet to send at `now`, if any; it counts as sent.
    pub(crate) fn poll(&mut self, now: Moment) -> Option<Due<'_>> {
        let packet =
            self.packets.iter_mut().take(WINDOW).find(|packet| packet.state.is_due(now, self.carrier))?;
        packet.state = packet.state.after_transmission(now);
        Some(Due { id: packet.id, opcode: packet.opcode, payload: &packet.payload })
    }

    /// When [`Outbox::poll`] has something again.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.packets.iter().take(WINDOW).filter_map(|packet| packet.state.due_at(self.carrier)).min()
    }
}

impl State {
    fn due_at(&self, carrier: Carrier) -> Option<Moment> {
        match self {
            Self::Waiting => Some(Moment::default()),
            Self::Sent { .. } if carrier == Carrier::Reliable => None,
            Self::Sent { later_acknowledgements, .. }
                if *later_acknowledgements >= LATER_ACKNOWLEDGEMENTS =>
            {
                Some(Moment::default())
            }
            Self::Sent { again_at, .. } => Some(*again_at),
            Self::Acknowledged => None,
        }
    }

    fn is_due(&self, now: Moment, carrier: Carrier) -> bool {
        self.due_at(carrier).is_some_and(|at| at <= now)
    }

    fn after_transmission(&self, now: Moment) -> Self {
        let timeout = match self {
            Self::Sent { timeout, .. } => (*timeout * 2).min(LONGEST_TIMEOUT),
            Self::Waiting | Self::Acknowledged => FIRST_TIMEOUT,
        };
        Self::Sent { again_at: now + timeout, timeout, later_acknowledgements: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(packets: u32) -> Outbox {
        outbox_on(Carrier::Lossy, packets)
    }

    fn outbox_on(carrier: Carrier, packets: u32) -> Outbox {
        let mut outbox = Outbox::starting_at(MessageId(0), carrier);
        (0..packets).for_each(|_| outbox.push(ControlOpcode::Control, vec![]));
        outbox
    }

    fn sent(outbox: &mut Outbox, now: Moment) -> Vec<u32> {
        std::iter::from_fn(|| outbox.poll(now).map(|due| due.id.0)).collect()
    }

    fn second(n: u64) -> Moment {
        Moment::from_micros(n * 1_000_000)
    }

    #[test]
    fn a_hole_blocks_the_window() {
        let mut outbox = outbox(10);
        assert_eq!(sent(&mut outbox, second(0)), [0, 1, 2, 3, 4, 5]);
        outbox.acknowledge(MessageId(1));
        outbox.acknowledge(MessageId(2));
        assert_eq!(sent(&mut outbox, second(0)), [0_u32; 0]);
        outbox.acknowledge(MessageId(0));
        assert_eq!(sent(&mut outbox, second(0)), [6, 7, 8]);
    }

    #[test]
    fn sends_again_after_1_2_4_4_4_seconds() {
        let mut outbox = outbox(1);
        let mut times = vec![];
        for tenth in 0..200 {
            let now = Moment::from_micros(tenth * 100_000);
            if outbox.poll(now).is_some() {
                times.push(tenth / 10);
            }
        }
        assert_eq!(times, [0, 1, 3, 7, 11, 15, 19]);
    }

    #[test]
    fn three_later_acknowledgements_send_a_packet_again_at_once() {
        let mut outbox = outbox(5);
        sent(&mut outbox, second(0));
        for id in [1, 2] {
            outbox.acknowledge(MessageId(id));
        }
        assert_eq!(sent(&mut outbox, second(0)), [0_u32; 0]);
        outbox.acknowledge(MessageId(3));
        assert_eq!(outbox.deadline(), Some(Moment::default()));
        assert_eq!(sent(&mut outbox, second(0)), [0]);
        assert_eq!(sent(&mut outbox, second(0)), [0_u32; 0]);
    }

    #[test]
    fn over_a_connection_nothing_is_sent_twice_and_the_window_still_holds() {
        let mut outbox = outbox_on(Carrier::Reliable, 8);
        assert_eq!(sent(&mut outbox, second(0)), [0, 1, 2, 3, 4, 5]);
        for id in [2, 3, 4] {
            outbox.acknowledge(MessageId(id));
        }
        assert_eq!(outbox.deadline(), None);
        assert_eq!(sent(&mut outbox, second(3600)), [0_u32; 0]);
        outbox.acknowledge(MessageId(0));
        assert_eq!(sent(&mut outbox, second(3600)), [6]);
    }

    #[test]
    fn net_07_acknowledgements_of_what_was_never_sent_are_ignored() {
        let mut outbox = outbox(8);
        sent(&mut outbox, second(0));
        outbox.acknowledge(MessageId(7));
        outbox.acknowledge(MessageId(99));
        (0..6).for_each(|id| outbox.acknowledge(MessageId(id)));
        assert!(!outbox.is_flushed());
        assert_eq!(sent(&mut outbox, second(0)), [6, 7]);
    }

    #[test]
    fn is_flushed_when_all_is_acknowledged() {
        let mut outbox = outbox(2);
        sent(&mut outbox, second(0));
        outbox.acknowledge(MessageId(1));
        assert!(!outbox.is_flushed());
        outbox.acknowledge(MessageId(0));
        assert!(outbox.is_flushed());
        assert_eq!(outbox.deadline(), None);
    }
}
