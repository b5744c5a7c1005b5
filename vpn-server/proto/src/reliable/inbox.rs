//! Puts received packets back into order.

use std::collections::BTreeMap;

use crate::ids::MessageId;

/// Packets ahead of the next expected one that are kept (stock: 12).
const WINDOW: u32 = 12;
/// Octets that may wait for a missing packet (NET-07).
const MAX_BUFFERED: usize = 16 * 1024;

/// Received packets of one key, until they can be delivered in order.
#[derive(Debug)]
pub(crate) struct Inbox {
    next: MessageId,
    waiting: BTreeMap<u32, Vec<u8>>,
    buffered: usize,
}

/// What became of a received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is new and kept.
    Kept,
    /// It had arrived before; its sender has not seen our acknowledgement.
    Repeated,
    /// It is too far ahead, or there is no room for it; it must not be acknowledged.
    Refused,
}

impl Inbox {
    /// Expects `next` first.
    pub(crate) const fn expecting(next: MessageId) -> Self {
        Self { next, waiting: BTreeMap::new(), buffered: 0 }
    }

    pub(crate) fn arrive(&mut self, id: MessageId, payload: &[u8]) -> Arrival {
        let ahead = id.0.wrapping_sub(self.next.0);
        if ahead > u32::MAX / 2 {
            return Arrival::Repeated;
        }
        if ahead >= WINDOW {
            return Arrival::Refused;
        }
        if self.waiting.contains_key(&id.0) {
            return Arrival::Repeated;
        }
        if ahead > 0 && self.buffered + payload.len() > MAX_BUFFERED {
            return Arrival::Refused;
        }
        self.buffered += payload.len();
        self.waiting.insert(id.0, payload.to_vec());
        Arrival::Kept
    }

    /// The next payload in order, if it is there.
    pub(crate) fn deliver(&mut self) -> Option<Vec<u8>> {
        let payload = self.waiting.remove(&self.next.0)?;
        self.buffered -= payload.len();
        self.next = self.next.plus(1);
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivers_in_order_whatever_the_order_of_arrival() {
        let mut inbox = Inbox::expecting(MessageId(1));
        assert_eq!(inbox.arrive(MessageId(3), b"c"), Arrival::Kept);
        assert_eq!(inbox.deliver(), None);
        assert_eq!(inbox.arrive(MessageId(1), b"a"), Arrival::Kept);
        assert_eq!(inbox.deliver().as_deref(), Some(&b"a"[..]));
        assert_eq!(inbox.deliver(), None);
        assert_eq!(inbox.arrive(MessageId(2), b"b"), Arrival::Kept);
        assert_eq!(inbox.deliver().as_deref(), Some(&b"b"[..]));
        assert_eq!(inbox.deliver().as_deref(), Some(&b"c"[..]));
    }

    #[test]
    fn net_07_keeps_twelve_packets_and_refuses_the_thirteenth() {
        let mut inbox = Inbox::expecting(MessageId(0));
        assert_eq!(inbox.arrive(MessageId(11), b""), Arrival::Kept);
        assert_eq!(inbox.arrive(MessageId(12), b""), Arrival::Refused);
        assert_eq!(inbox.arrive(MessageId(u32::MAX), b""), Arrival::Repeated);
    }

    #[test]
    fn net_07_buffers_16_kib_but_always_takes_the_next_packet() {
        let mut inbox = Inbox::expecting(MessageId(0));
        let big = vec![0; 2048];
        for id in 1..=8 {
            assert_eq!(inbox.arrive(MessageId(id), &big), Arrival::Kept);
        }
        assert_eq!(inbox.arrive(MessageId(9), &[0]), Arrival::Refused);
        assert_eq!(inbox.arrive(MessageId(0), &big), Arrival::Kept);
    }

    #[test]
    fn a_repeated_packet_is_recognised_before_and_after_delivery() {
        let mut inbox = Inbox::expecting(MessageId(0));
        inbox.arrive(MessageId(0), b"x");
        assert_eq!(inbox.arrive(MessageId(0), b"y"), Arrival::Repeated);
        assert_eq!(inbox.deliver().as_deref(), Some(&b"x"[..]));
        assert_eq!(inbox.arrive(MessageId(0), b"z"), Arrival::Repeated);
        assert_eq!(inbox.deliver(), None);
    }
}
