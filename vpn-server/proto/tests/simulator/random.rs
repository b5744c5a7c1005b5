//! A small seeded generator (SplitMix64): the same world for the same seed, everywhere. It can be given its first numbers,
//! so that a fuzzer decides what happens.

use vpn_proto::Entropy;

#[derive(Clone)]
pub(crate) struct Random {
    state: u64,
    /// Numbers of two octets each that come first, the last one foremost.
    script: Vec<u8>,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed, script: vec![] }
    }

    /// Draws what `script` says, as long as it lasts.
    pub(crate) fn scripted(script: &[u8]) -> Self {
        Self { state: script.len() as u64, script: script.iter().rev().copied().collect() }
    }

    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        if let (Some(low), high) = (self.script.pop(), self.script.pop()) {
            return u16::from_le_bytes([low, high.unwrap_or(0)]).into();
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl Entropy for Random {
    fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            *octet = self.next().to_le_bytes()[0];
        }
    }
}
