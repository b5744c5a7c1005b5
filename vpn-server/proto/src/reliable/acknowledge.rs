//! Which received packets are still to be acknowledged, and which were acknowledged lately.

use std::collections::VecDeque;

use crate::ids::MessageId;
use crate::wire::control::MAX_ACKNOWLEDGEMENTS;

/// The last eight received message ids, most recent first.
///
/// Ids stay in the list after they were sent once and fill up later packets: a lost acknowledgement does no harm.
#[derive(Debug, Default)]
pub(crate) struct AcknowledgeQueue {
    recent: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: MessageId,
    owed: bool,
}

impl AcknowledgeQueue {
    /// Remembers that `id` arrived, perhaps again.
    pub(crate) fn owe(&mut self, id: MessageId) {
        self.recent.retain(|entry| entry.id != id);
        self.recent.push_front(Entry { id, owed: true });
        self.recent.truncate(MAX_ACKNOWLEDGEMENTS);
    }

    /// Whether an acknowledgement waits for a packet to carry it.
    pub(crate) fn is_owed(&self) -> bool {
        self.recent.iter().any(|entry| entry.owed)
    }

    /// Up to `count` ids for the next packet: owed ones first, then repetitions.
    pub(crate) fn take(&mut self, count: usize) -> Vec<MessageId> {
        let (owed, repeated): (Vec<usize>, Vec<usize>) =
            (0..self.recent.len()).partition(|index| self.recent[*index].owed);
        let chosen = owed.into_iter().chain(repeated).take(count);
        chosen
            .map(|index| {
                self.recent[index].owed = false;
                self.recent[index].id
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u32]) -> Vec<MessageId> {
        numbers.iter().copied().map(MessageId).collect()
    }

    #[test]
    fn repeats_recent_ids_after_the_owed_ones() {
        let mut queue = AcknowledgeQueue::default();
        queue.owe(MessageId(1));
        assert_eq!(queue.take(4), ids(&[1]));
        assert!(!queue.is_owed());
        queue.owe(MessageId(2));
        queue.owe(MessageId(3));
        assert_eq!(queue.take(4), ids(&[3, 2, 1]));
    }

    #[test]
    fn keeps_eight_and_sends_at_most_what_fits() {
        let mut queue = AcknowledgeQueue::default();
        (0..10).for_each(|n| queue.owe(MessageId(n)));
        assert_eq!(queue.take(4), ids(&[9, 8, 7, 6]));
        assert!(queue.is_owed());
        assert_eq!(queue.take(8), ids(&[5, 4, 3, 2, 9, 8, 7, 6]));
        assert!(!queue.is_owed());
    }

    #[test]
    fn a_duplicate_is_owed_again() {
        let mut queue = AcknowledgeQueue::default();
        queue.owe(MessageId(5));
        queue.take(8);
        queue.owe(MessageId(5));
        assert!(queue.is_owed());
        assert_eq!(queue.take(8), ids(&[5]));
    }
}
