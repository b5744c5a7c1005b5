//! Damage that can be repeated.

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Flips a bit, changes an octet, cuts, inserts, or repeats a part.
    pub(crate) fn damage(&mut self, octets: &mut Vec<u8>) {
        let place = self.below(octets.len());
        let noise = u8::try_from(self.next() & 0xff).unwrap();
        match self.below(6) {
            0 => octets[place] ^= 1 << self.below(8),
            1 => octets[place] = noise,
            2 => octets.truncate(place),
            3 => octets.insert(place, noise),
            4 => drop(octets.remove(place)),
            _ => {
                let length = self.below(octets.len() - place).min(64);
                let part = octets[place..place + length].to_vec();
                octets.splice(place..place, part);
            }
        }
    }

    /// Flips a bit or changes an octet.
    pub(crate) fn overwrite(&mut self, octets: &mut [u8]) {
        let place = self.below(octets.len());
        match self.below(2) {
            0 => octets[place] ^= 1 << self.below(8),
            _ => octets[place] = u8::try_from(self.next() & 0xff).unwrap(),
        }
    }
}
