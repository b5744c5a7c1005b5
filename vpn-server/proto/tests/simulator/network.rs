//! The network between the server and its clients.

use std::collections::BTreeMap;
use std::time::Duration;

use vpn_proto::{Moment, Path};

use crate::random::Random;

/// What the network does to datagrams; shares are percentages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) latency: Duration,
    /// Added to the latency at random: datagrams overtake each other.
    pub(crate) jitter: Duration,
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    pub(crate) corruption: u64,
    /// Longer datagrams vanish; 0 for no limit.
    pub(crate) mtu: usize,
}

pub(crate) struct Network {
    random: Random,
    pub(crate) conditions: Conditions,
    under_way: BTreeMap<(Moment, u64), Datagram>,
    sent: u64,
    /// Whether what goes to the server is also kept in `copies_to_server`.
    pub(crate) keeps_copies: bool,
    pub(crate) copies_to_server: Vec<Vec<u8>>,
    /// Whether what goes to the server is stopped on its way and kept.
    pub(crate) holds_back: bool,
    held_back: Vec<Datagram>,
}

#[derive(Clone)]
pub(crate) struct Datagram {
    pub(crate) to_server: bool,
    pub(crate) path: Path,
    pub(crate) payload: Vec<u8>,
}

impl Network {
    pub(crate) const fn new(random: Random, conditions: Conditions) -> Self {
        Self {
            random,
            conditions,
            under_way: BTreeMap::new(),
            sent: 0,
            keeps_copies: false,
            copies_to_server: vec![],
            holds_back: false,
            held_back: vec![],
        }
    }

    pub(crate) fn send(&mut self, now: Moment, to_server: bool, path: Path, payload: Vec<u8>) {
        if to_server && self.keeps_copies {
            self.copies_to_server.push(payload.clone());
        }
        if to_server && self.holds_back {
            self.held_back.push(Datagram { to_server, path, payload });
            return;
        }
        let Conditions { loss, duplication, mtu, .. } = self.conditions;
        if mtu > 0 && payload.len() > mtu {
            return;
        }
        let copies = 1 + u64::from(self.random.chance(duplication));
        for _ in 0..copies {
            if !self.random.chance(loss) {
                let payload = self.perhaps_corrupted(payload.clone());
                self.deliver(now, Datagram { to_server, path, payload });
            }
        }
    }

    fn perhaps_corrupted(&mut self, mut payload: Vec<u8>) -> Vec<u8> {
        if self.random.chance(self.conditions.corruption) && !payload.is_empty() {
            let index = self.random.below(payload.len() as u64) as usize;
            payload[index] ^= 1 << self.random.below(8);
        }
        payload
    }

    fn deliver(&mut self, now: Moment, datagram: Datagram) {
        let jitter = self.conditions.jitter.as_micros() as u64;
        let delay = self.conditions.latency + Duration::from_micros(self.random.below(jitter + 1));
        self.sent += 1;
        self.under_way.insert((now + delay, self.sent), datagram);
    }

    /// What was held back so far.
    pub(crate) fn take_held_back(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.held_back)
    }

    /// The datagram that was sent last of those under way.
    pub(crate) fn last_sent(&self) -> Option<Vec<u8>> {
        self.under_way.last_key_value().map(|(_, datagram)| datagram.payload.clone())
    }

    pub(crate) fn next_arrival(&self) -> Option<Moment> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn arrivals(&mut self, now: Moment) -> Vec<Datagram> {
        let later = self.under_way.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.under_way, later).into_values().collect()
    }
}
