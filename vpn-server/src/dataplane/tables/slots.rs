//! Who may use which peer id.

use std::collections::VecDeque;

use vpn_proto::PeerId;

/// A reserved place for one peer. Holding a copy of it beyond [`Tables::remove`](super::Tables::remove) does no harm: it is stale then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerSlot {
    id: PeerId,
    generation: u32,
}

impl PeerSlot {
    /// The peer id to grant to the session.
    #[must_use]
    pub const fn peer_id(self) -> PeerId {
        self.id
    }
}

/// Which slots are free, in the order of their release, and how often each was taken.
pub(super) struct Slots {
    free: VecDeque<PeerId>,
    states: Box<[SlotState]>,
}

#[derive(Clone, Copy, Default)]
struct SlotState {
    generation: u32,
    is_held: bool,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        let free: VecDeque<_> = (0..=u32::MAX).map_while(PeerId::new).take(count).collect();
        Self { states: vec![SlotState::default(); free.len()].into(), free }
    }

    pub(super) fn take(&mut self) -> Option<PeerSlot> {
        let id = self.free.pop_front()?;
        let state = self.state(id)?;
        state.generation = state.generation.wrapping_add(1);
        state.is_held = true;
        Some(PeerSlot { id, generation: state.generation })
    }

    pub(super) fn give_back(&mut self, slot: PeerSlot) {
        if let Some(state) = self.state(slot.id) {
            state.is_held = false;
            self.free.push_back(slot.id);
        }
    }

    pub(super) fn is_held(&self, slot: PeerSlot) -> bool {
        let state = usize::try_from(slot.id.get()).ok().and_then(|index| self.states.get(index));
        state.is_some_and(|state| state.is_held && state.generation == slot.generation)
    }

    pub(super) fn count(&self) -> usize {
        self.states.len()
    }

    fn state(&mut self, id: PeerId) -> Option<&mut SlotState> {
        self.states.get_mut(usize::try_from(id.get()).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_ids_are_reused_last() {
        let mut slots = Slots::new(3);
        let first = slots.take().unwrap();
        slots.give_back(first);
        let order: Vec<_> = std::iter::from_fn(|| slots.take()).map(|slot| slot.peer_id().get()).collect();
        assert_eq!(order, [1, 2, 0]);
    }

    #[test]
    fn there_are_as_many_slots_as_asked_for_and_never_more_than_peer_ids() {
        for count in [0, 1, 1000] {
            let mut slots = Slots::new(count);
            assert_eq!((slots.count(), std::iter::from_fn(|| slots.take()).count()), (count, count));
        }
        assert_eq!(Slots::new(usize::MAX).count(), 0x00ff_ffff);
    }

    #[test]
    fn a_slot_is_stale_once_it_was_given_back_even_if_its_id_is_taken_again() {
        let mut slots = Slots::new(1);
        let first = slots.take().unwrap();
        assert!(slots.is_held(first));
        slots.give_back(first);
        assert!(!slots.is_held(first));
        let second = slots.take().unwrap();
        assert_eq!(second.peer_id(), first.peer_id());
        assert!(slots.is_held(second) && !slots.is_held(first));
    }
}
