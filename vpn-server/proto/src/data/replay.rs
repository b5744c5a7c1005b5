//! The window that lets each packet id of a key pass once (RFC 6479 describes the block scheme).

const BLOCK_BITS: u32 = u64::BITS;
/// One block more than the window, so that the window holds whatever the position of the newest id in its block is.
const BLOCKS: u32 = 33;
/// Ids behind the newest one that are still accepted. Stock clients keep 64; fast or multi-path links need more.
pub(crate) const WINDOW: u32 = (BLOCKS - 1) * BLOCK_BITS;

/// Which packet ids of one key were seen. Consult it only for packets that authenticated (KEY-02).
#[derive(Debug)]
pub(crate) struct ReplayWindow {
    newest: u32,
    seen: [u64; BLOCKS as usize],
}

impl ReplayWindow {
    pub(crate) const fn new() -> Self {
        Self { newest: 0, seen: [0; BLOCKS as usize] }
    }

    /// Marks `id` as seen; `false` if it was seen before, is too old, or is the invalid id 0.
    pub(crate) fn accept(&mut self, id: u32) -> bool {
        if id == 0 || self.newest.saturating_sub(id) >= WINDOW {
            return false;
        }
        let block = id / BLOCK_BITS;
        if id > self.newest {
            self.clear_blocks_between(self.newest / BLOCK_BITS, block);
            self.newest = id;
        }
        let word = &mut self.seen[(block % BLOCKS) as usize];
        let bit = 1 << (id % BLOCK_BITS);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// The highest id that was accepted; 0 before the first.
    pub(crate) const fn newest(&self) -> u32 {
        self.newest
    }

    fn clear_blocks_between(&mut self, old: u32, new: u32) {
        for block in (old + 1..=new).take(BLOCKS as usize) {
            self.seen[(block % BLOCKS) as usize] = 0;
        }
        if new - old > BLOCKS {
            self.seen = [0; BLOCKS as usize];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn key_02_the_window_is_2048_wide() {
        let mut window = ReplayWindow::new();
        assert!(window.accept(5000));
        assert!(window.accept(5000 - WINDOW + 1));
        assert!(!window.accept(5000 - WINDOW));
        assert!(!window.accept(5000));
        assert!(!window.accept(0));
    }

    #[test]
    fn key_02_the_last_id_is_accepted_once() {
        let mut window = ReplayWindow::new();
        assert!(window.accept(u32::MAX));
        assert!(!window.accept(u32::MAX));
        assert!(window.accept(u32::MAX - 1));
        assert!(!window.accept(1));
    }

    proptest! {
        #[test]
        fn key_02_agrees_with_a_set(steps in proptest::collection::vec((any::<bool>(), 0_u32..5000), 1..400)) {
            let mut window = ReplayWindow::new();
            let mut seen = BTreeSet::new();
            let mut newest = 0_u32;
            for (jump, delta) in steps {
                let id = if jump { newest + delta } else { newest.saturating_sub(delta % 2100) };
                let fits = id != 0 && newest.saturating_sub(id) < WINDOW;
                let expected = fits && seen.insert(id);
                prop_assert_eq!(window.accept(id), expected, "id {} after {}", id, newest);
                newest = newest.max(if fits { id } else { 0 });
            }
        }
    }
}
