//! A queue of many lines that are served in turn: whoever sends much waits behind itself.
//!
//! Senders are spread over a fixed number of lines. A line has room for some items always, and for more as long as the
//! lines together hold little; so a sender that floods its line takes nothing from the others, and all floods together
//! take a bounded amount of memory.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, RandomState};

/// Lines of a queue.
const LINES: usize = 256;
/// Items that a line has room for whatever the others hold.
pub(super) const GUARANTEED: usize = 8;
/// Items that one line holds at most.
pub(super) const LONGEST_LINE: usize = 512;
/// Items up to which lines may be longer than guaranteed.
const SHARED: usize = LINES * GUARANTEED;

/// Items of many senders.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    lines: Box<[VecDeque<T>]>,
    /// The lines that are not empty, next one first.
    turns: VecDeque<usize>,
    length: usize,
    hasher: RandomState,
}

impl<T> FairQueue<T> {
    pub(super) fn new() -> Self {
        let lines = (0..LINES).map(|_| VecDeque::new()).collect();
        Self { lines, turns: VecDeque::new(), length: 0, hasher: RandomState::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Puts an item at the end of its sender's line; `false` if that is full.
    pub(super) fn push(&mut self, sender: impl Hash, item: T) -> bool {
        let index = self.line_of(sender);
        let waiting = self.lines[index].len();
        let has_room = waiting < GUARANTEED || (waiting < LONGEST_LINE && self.length < SHARED);
        if has_room {
            self.append(index, item);
        }
        has_room
    }

    /// The same for an item that must not be refused: whoever calls bounds their number.
    pub(super) fn push_always(&mut self, sender: impl Hash, item: T) {
        let index = self.line_of(sender);
        self.append(index, item);
    }

    /// Takes out the first item of the line whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let index = self.turns.pop_front()?;
        let line = &mut self.lines[index];
        let item = line.pop_front();
        if line.is_empty() {
            // The memory of a flood is given back when it is over.
            *line = VecDeque::new();
        } else {
            self.turns.push_back(index);
        }
        self.length -= usize::from(item.is_some());
        item
    }

    fn append(&mut self, index: usize, item: T) {
        if self.lines[index].is_empty() {
            self.turns.push_back(index);
        }
        self.lines[index].push_back(item);
        self.length += 1;
    }

    fn line_of(&self, sender: impl Hash) -> usize {
        usize::try_from(self.hasher.hash_one(sender) % LINES as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn net_05_who_has_sent_much_does_not_keep_others_waiting() {
        let mut queue = FairQueue::new();
        (0..LONGEST_LINE).for_each(|number| assert!(queue.push("flood", ("flood", number))));
        let senders: Vec<u32> = (0..20).collect();
        let lines: std::collections::BTreeSet<_> =
            senders.iter().map(|sender| queue.line_of(sender)).collect();
        senders.iter().for_each(|sender| assert!(queue.push(sender, ("client", 0))));
        let served: Vec<_> = (0..2 * lines.len()).filter_map(|_| queue.pop()).collect();
        let clients = served.iter().filter(|(kind, _)| *kind == "client").count();
        assert!(clients >= lines.len() - 1, "{clients} of {}", lines.len());
    }

    #[test]
    fn net_05_a_full_line_refuses_its_sender_and_no_other() {
        let mut queue = FairQueue::new();
        assert_eq!((0..10_000).filter(|number| queue.push("flood", *number)).count(), LONGEST_LINE);
        let other = (0..).find(|sender: &u32| queue.line_of(sender) != queue.line_of("flood")).unwrap();
        assert!(queue.push(other, 1));
    }

    #[test]
    fn net_05_floods_from_everywhere_leave_the_guaranteed_room_of_every_line() {
        let mut queue = FairQueue::new();
        let taken = (0..100_000_u32).filter(|sender| queue.push(sender / 16, *sender)).count();
        assert!(taken <= SHARED + LINES * GUARANTEED, "{taken}");
        let shortest = queue.lines.iter().map(VecDeque::len).min().unwrap();
        assert_eq!(shortest, GUARANTEED);
    }

    #[test]
    fn items_of_one_sender_keep_their_order_and_none_is_lost() {
        let mut queue = FairQueue::new();
        for number in 0..100 {
            queue.push(number % 7, number);
        }
        queue.push_always(3, 1000);
        let mut served: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
        assert!(queue.is_empty());
        assert!(served.iter().filter(|number| *number % 7 == 3 || **number == 1000).is_sorted());
        served.sort_unstable();
        assert_eq!(served, (0..100).chain([1000]).collect::<Vec<_>>());
    }

    #[test]
    fn what_must_not_be_refused_finds_room_in_a_full_line() {
        let mut queue = FairQueue::new();
        while queue.push("flood", 0) {}
        queue.push_always("flood", 1);
        assert_eq!(std::iter::from_fn(|| queue.pop()).last(), Some(1));
    }
}
