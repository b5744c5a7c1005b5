//! Sealed datagrams on their way out, collected per path so that one call can send many of them.
//!
//! A segmented send goes to one peer and cuts its buffer every so many octets: all datagrams but the last are equally
//! long. So a group grows while datagrams are as long as its first; a shorter one ends it, a longer one starts the
//! next. Groups leave in the order in which they were begun, which keeps every peer's packets in order.

use vpn_proto::Path;

use crate::transport::SUPER_BUFFER;

/// A fixed set of super-packet buffers, one per group, allocated once.
pub struct SendQueue {
    groups: Box<[SendGroup]>,
    begun: usize,
}

/// Datagrams for one path, equally long but for the last.
pub struct SendGroup {
    path: Option<Path>,
    buffer: Box<[u8]>,
    length: usize,
    segment: usize,
    count: usize,
    is_open: bool,
}

/// Space for one datagram. It joins the queue by [`Room::commit`], or leaves no trace.
pub struct Room<'q> {
    queue: &'q mut SendQueue,
    index: usize,
    length: usize,
}

impl SendQueue {
    /// An empty queue for at most `groups` groups.
    #[must_use]
    pub fn new(groups: usize) -> Self {
        Self { groups: (0..groups).map(|_| SendGroup::new()).collect(), begun: 0 }
    }

    /// Whether another group may not find a place.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.begun >= self.groups.len()
    }

    /// Whether nothing waits to be sent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.begun == 0
    }

    /// Makes room for a datagram of `length` octets to `path`. `None` if the queue is full or the datagram too long.
    pub fn room(&mut self, path: &Path, length: usize) -> Option<Room<'_>> {
        if length == 0 || length > LONGEST_SEND {
            return None;
        }
        let latest = self.groups[..self.begun].iter().rposition(|group| group.path.as_ref() == Some(path));
        if let Some(index) = latest.filter(|index| self.groups[*index].has_room(length)) {
            return Some(Room { queue: self, index, length });
        }
        let index = self.begun;
        self.groups.get_mut(index)?.begin(*path, length);
        Some(Room { queue: self, index, length })
    }

    /// Hands every group to `send`, oldest first, and empties the queue.
    pub fn drain(&mut self, mut send: impl FnMut(&SendGroup)) {
        for group in &self.groups[..self.begun] {
            send(group);
        }
        self.clear();
    }

    /// Forgets everything that waits and returns how many datagrams that were.
    pub fn clear(&mut self) -> usize {
        let count = self.groups[..self.begun].iter().map(|group| group.count).sum();
        self.begun = 0;
        count
    }
}

impl SendGroup {
    /// Where the datagrams go.
    #[must_use]
    pub const fn path(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    /// The datagrams, one behind the other.
    #[must_use]
    pub fn datagrams(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Octets of each datagram but the last.
    #[must_use]
    pub const fn segment(&self) -> usize {
        self.segment
    }

    /// How many datagrams there are; at least one.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    fn new() -> Self {
        let buffer = vec![0; SUPER_BUFFER].into_boxed_slice();
        Self { path: None, buffer, length: 0, segment: 0, count: 0, is_open: false }
    }

    fn begin(&mut self, path: Path, segment: usize) {
        self.path = Some(path);
        (self.length, self.segment, self.count, self.is_open) = (0, segment, 0, true);
    }

    fn has_room(&self, length: usize) -> bool {
        self.is_open
            && length <= self.segment
            && self.count < MOST_SEGMENTS
            && self.length + length <= LONGEST_SEND
    }
}

impl Room<'_> {
    /// The space, with whatever was in it before.
    pub fn datagram(&mut self) -> &mut [u8] {
        let group = &mut self.queue.groups[self.index];
        &mut group.buffer[group.length..group.length + self.length]
    }

    /// Queues the datagram.
    pub fn commit(self) {
        let group = &mut self.queue.groups[self.index];
        group.length += self.length;
        group.count += 1;
        group.is_open = self.length == group.segment;
        self.queue.begun = self.queue.begun.max(self.index + 1);
    }
}

/// What one segmented send may hold: 64 datagrams on kernels before 6.9, the longest UDP payload over IPv4 in all.
const MOST_SEGMENTS: usize = 64;
const LONGEST_SEND: usize = 65_507;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vpn_proto::{ListenerId, Transport};

    use super::*;

    #[test]
    fn equal_datagrams_of_one_path_share_a_group() {
        let mut queue = SendQueue::new(4);
        for (peer, length) in [(1, 100), (2, 100), (1, 100), (2, 60), (1, 100)] {
            push(&mut queue, peer, length);
        }
        assert_eq!(drained(&mut queue), [(1, 100, vec![100, 100, 100]), (2, 100, vec![100, 60])]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_shorter_datagram_ends_its_group_and_a_longer_one_starts_the_next() {
        let mut queue = SendQueue::new(8);
        for length in [100, 60, 60, 100, 100] {
            push(&mut queue, 1, length);
        }
        let groups = [(1, 100, vec![100, 60]), (1, 60, vec![60]), (1, 100, vec![100, 100])];
        assert_eq!(drained(&mut queue), groups);
    }

    #[test]
    fn groups_respect_the_limits_of_one_send() {
        let mut queue = SendQueue::new(8);
        (0..65).for_each(|_| push(&mut queue, 1, 10));
        assert_eq!(drained(&mut queue).iter().map(|group| group.2.len()).collect::<Vec<_>>(), [64, 1]);
        (0..45).for_each(|_| push(&mut queue, 1, 1500));
        assert_eq!(drained(&mut queue).iter().map(|group| group.2.len()).collect::<Vec<_>>(), [43, 2]);
        assert!(queue.room(&path(1), LONGEST_SEND).is_some());
        assert!(queue.room(&path(1), LONGEST_SEND + 1).is_none());
        assert!(queue.room(&path(1), 0).is_none());
    }

    #[test]
    fn room_that_is_not_committed_leaves_no_trace() {
        let mut queue = SendQueue::new(1);
        assert!(queue.room(&path(1), 100).is_some());
        assert!(queue.is_empty());
        push(&mut queue, 2, 50);
        assert!(queue.room(&path(2), 50).is_some());
        assert!(queue.is_full() && queue.room(&path(1), 10).is_none());
        assert_eq!(drained(&mut queue), [(2, 50, vec![50])]);
    }

    #[test]
    fn clearing_says_how_much_was_lost() {
        let mut queue = SendQueue::new(4);
        for peer in [1, 2, 1] {
            push(&mut queue, peer, 10);
        }
        assert_eq!((queue.clear(), queue.clear()), (3, 0));
    }

    proptest! {
        #[test]
        fn every_datagram_leaves_once_in_its_peers_order_and_groups_are_cut_where_they_were_joined(
            datagrams in prop::collection::vec((1..4_u16, 1..5_usize), 0..200),
        ) {
            let mut queue = SendQueue::new(3);
            let mut sent = Vec::new();
            for (number, (peer, size)) in datagrams.iter().enumerate() {
                if queue.is_full() {
                    queue.drain(|group| sent.extend(cut(group)));
                }
                let mut room = queue.room(&path(*peer), size * 8).unwrap();
                room.datagram().fill(0);
                room.datagram()[..8].copy_from_slice(&number.to_be_bytes());
                room.commit();
            }
            queue.drain(|group| sent.extend(cut(group)));
            for peer in 1..4 {
                let expected = datagrams.iter().enumerate().filter(|(_, (to, _))| *to == peer);
                let expected: Vec<_> = expected.map(|(number, (_, size))| (number, size * 8)).collect();
                let got = sent.iter().filter(|(to, _)| *to == peer);
                let got: Vec<_> = got.map(|(_, octets)| (number(octets), octets.len())).collect();
                prop_assert_eq!(got, expected);
            }
        }
    }

    /// What the kernel makes of a group: datagrams of `segment` octets, the last may be shorter.
    fn cut(group: &SendGroup) -> Vec<(u16, Vec<u8>)> {
        let pieces: Vec<_> = group.datagrams().chunks(group.segment()).map(<[u8]>::to_vec).collect();
        assert_eq!(pieces.len(), group.count());
        pieces.into_iter().map(|piece| (group.path().unwrap().remote.port(), piece)).collect()
    }

    fn number(datagram: &[u8]) -> usize {
        usize::from_be_bytes(*datagram.first_chunk().unwrap())
    }

    fn drained(queue: &mut SendQueue) -> Vec<(u16, usize, Vec<usize>)> {
        let mut groups = Vec::new();
        queue.drain(|group| {
            let lengths = cut(group).into_iter().map(|(_, piece)| piece.len()).collect();
            groups.push((group.path().unwrap().remote.port(), group.segment(), lengths));
        });
        groups
    }

    fn push(queue: &mut SendQueue, peer: u16, length: usize) {
        queue.room(&path(peer), length).unwrap().commit();
    }

    fn path(port: u16) -> Path {
        Path {
            listener: ListenerId(0),
            transport: Transport::Udp,
            remote: ([192, 0, 2, 1], port).into(),
            local: None,
        }
    }
}
