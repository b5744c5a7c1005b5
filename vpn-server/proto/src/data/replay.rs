//! The window that lets each packet id of a key pass once (RFC 6479 describes the block scheme).

use crate::ids::PacketId;

const BLOCK_BITS: u64 = u64::BITS as u64;

/// How many ids behind the newest one are still accepted. Stock clients keep 64; fast or multi-path links need more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplayWindowSize(u32);

impl ReplayWindowSize {
    /// The smallest window (KEY-02).
    pub const MINIMUM: u32 = 64;
    /// The largest window: 8 KiB for each key.
    pub const MAXIMUM: u32 = 65_536;

    /// `None` for less than [`ReplayWindowSize::MINIMUM`] or more than [`ReplayWindowSize::MAXIMUM`] ids.
    #[must_use]
    pub const fn new(ids: u32) -> Option<Self> {
        if ids >= Self::MINIMUM && ids <= Self::MAXIMUM { Some(Self(ids)) } else { None }
    }

    /// The number of ids.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// One block more than the window, so that the window holds whatever the position of the newest id in its block
    /// is, and then as many as make finding a block cheap.
    const fn blocks(self) -> usize {
        (self.0 as usize).div_ceil(u64::BITS as usize).saturating_add(1).next_power_of_two()
    }
}

impl Default for ReplayWindowSize {
    /// 2048 ids.
    fn default() -> Self {
        Self(2048)
    }
}

/// Which packet ids of one key were seen. Consult it only for packets that authenticated (KEY-02).
#[derive(Debug)]
pub(crate) struct ReplayWindow {
    newest: u64,
    size: u64,
    /// A power of two of them.
    seen: Box<[u64]>,
}

/// Where an id that was accepted stands among those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// No higher one was there.
    Newest,
    /// A higher one was there.
    Late,
}

impl ReplayWindow {
    pub(crate) fn new(size: ReplayWindowSize) -> Self {
        Self { newest: 0, size: u64::from(size.get()), seen: vec![0; size.blocks()].into_boxed_slice() }
    }

    /// Marks `id` as seen; `None` if it was seen before, is too old, or is the invalid id 0.
    pub(crate) fn accept(&mut self, PacketId(id): PacketId) -> Option<Order> {
        if id == 0 || self.newest.saturating_sub(id) >= self.size {
            return None;
        }
        let block = id / BLOCK_BITS;
        let order = if id > self.newest { Order::Newest } else { Order::Late };
        if order == Order::Newest {
            self.clear_blocks_between(self.newest / BLOCK_BITS, block);
            self.newest = id;
        }
        let word = self.word(block);
        let bit = 1 << (id % BLOCK_BITS);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new.then_some(order)
    }

    /// The highest id that was accepted; 0 before the first.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    fn clear_blocks_between(&mut self, old: u64, new: u64) {
        if new - old >= self.seen.len() as u64 {
            self.seen.fill(0);
            return;
        }
        for block in old + 1..=new {
            *self.word(block) = 0;
        }
    }

    fn word(&mut self, block: u64) -> &mut u64 {
        let mask = self.seen.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps only low bits")]
        let index = block as usize & mask;
        &mut self.seen[index]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    struct Window(ReplayWindow);

    impl Window {
        fn accept(&mut self, id: u64) -> Option<Order> {
            self.0.accept(PacketId(id))
        }
    }

    fn window(ids: u32) -> Window {
        Window(ReplayWindow::new(ReplayWindowSize::new(ids).unwrap()))
    }

    #[test]
    fn key_02_the_window_is_2048_wide_by_default() {
        let mut window = window(ReplayWindowSize::default().get());
        assert_eq!(window.accept(5000), Some(Order::Newest));
        assert_eq!(window.accept(5000 - 2047), Some(Order::Late));
        assert_eq!(window.accept(5000 - 2048), None);
        assert_eq!(window.accept(5000), None);
        assert_eq!(window.accept(0), None);
    }

    #[test]
    fn key_02_the_window_can_be_from_64_to_65536_wide() {
        assert_eq!(ReplayWindowSize::new(63), None);
        assert_eq!(ReplayWindowSize::new(65_537), None);
        for ids in [64, 100, 65_536] {
            let mut window = window(ids);
            let newest = 1_000_000;
            assert_eq!(window.accept(newest), Some(Order::Newest));
            assert_eq!(window.accept(newest + 1 - u64::from(ids)), Some(Order::Late), "{ids}");
            assert_eq!(window.accept(newest - u64::from(ids)), None, "{ids}");
        }
    }

    #[test]
    fn key_02_the_last_id_is_accepted_once() {
        for last in [u64::from(u32::MAX), (1 << 48) - 1, u64::MAX] {
            let mut window = window(2048);
            assert!(window.accept(last).is_some());
            assert_eq!(window.accept(last), None);
            assert_eq!(window.accept(last - 1), Some(Order::Late));
            assert_eq!(window.accept(1), None);
        }
    }

    proptest! {
        #[test]
        fn key_02_agrees_with_a_set(
            size in 64_u32..3000,
            steps in proptest::collection::vec((any::<bool>(), 0_u64..7000), 1..400),
        ) {
            let mut window = window(size);
            let mut seen = BTreeSet::new();
            let mut newest = 0_u64;
            for (jump, delta) in steps {
                let id = if jump { newest + delta } else { newest.saturating_sub(delta % 3100) };
                let fits = id != 0 && newest.saturating_sub(id) < u64::from(size);
                let is_new = fits && seen.insert(id);
                let expected = is_new.then_some(if id > newest { Order::Newest } else { Order::Late });
                prop_assert_eq!(window.accept(id), expected, "id {} after {}", id, newest);
                newest = newest.max(if fits { id } else { 0 });
            }
        }
    }
}
