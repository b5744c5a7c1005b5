//! The Internet checksum (RFC 1071).

use super::length;

/// A one's complement sum of 16-bit words under way. It does not depend on the octet order in which words are added,
/// so they are added as they lie in memory and brought into order at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds `octets`, which begin at an even offset of what is summed; an odd last one counts as if a zero followed.
    pub(super) fn with(self, octets: &[u8]) -> Self {
        let mut lanes = [0_u64; LANES];
        let (blocks, rest) = octets.as_chunks::<BLOCK>();
        for block in blocks {
            for (lane, four) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
                // 32 bits at a time: 64 cannot overflow for anything shorter than 16 GiB, and a check would cost.
                *lane = lane.wrapping_add(u64::from(u32::from_ne_bytes(*four)));
            }
        }
        let (words, odd) = rest.as_chunks::<2>();
        let words = words.iter().fold(0, |sum, word| sum + u64::from(u16::from_ne_bytes(*word)));
        let odd = odd.first().map_or(0, |octet| u64::from(u16::from_ne_bytes([*octet, 0])));
        Self(lanes.iter().fold(self.0 + words + odd, |sum, lane| sum + lane))
    }

    /// Adds a number.
    pub(super) const fn with_word(self, word: u16) -> Self {
        Self(self.0 + word.to_be() as u64)
    }

    /// The sum in 16 bits: the checksum is its complement.
    pub(super) const fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends with at most 16 bits")]
        let folded = sum as u16;
        u16::from_be(folded)
    }
}

/// The sum of the pseudo-header of a transport protocol: the addresses of the IP header that `packet` begins with, the
/// protocol, and the transport length.
///
/// The packet has an IP header of either version.
pub(super) fn pseudo_header(packet: &[u8], protocol: u8, transport_length: u16) -> Sum {
    addresses(packet).with_word(u16::from(protocol)).with_word(transport_length)
}

/// The sum of the addresses in the IP header that `packet` begins with.
pub(super) fn addresses(packet: &[u8]) -> Sum {
    let range = if packet[0] >> 4 == 4 {
        super::at::IPV4_ADDRESSES..length::IPV4
    } else {
        super::at::IPV6_ADDRESSES..length::IPV6
    };
    Sum::default().with(&packet[range])
}

/// 32-bit words summed beside each other, for vector instructions.
const LANES: usize = 8;
const BLOCK: usize = LANES * 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference;
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_has_its_sum() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().with(&octets).folded(), 0xddf2);
    }

    #[test]
    fn the_largest_sums_fold() {
        assert_eq!(Sum::default().with(&[0xff; 65_535]).folded(), 0xff00);
        assert_eq!(Sum::default().with(&[0xff; 65_534]).with_word(0xffff).folded(), 0xffff);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_simple_way(
            octets in prop::collection::vec(any::<u8>(), 0..300),
            cut in 0..150_usize,
            number: u16,
        ) {
            let cut = (2 * cut).min(octets.len() / 2 * 2);
            let sum = Sum::default().with(&octets[..cut]).with_word(number).with(&octets[cut..]);
            prop_assert_eq!(sum.folded(), reference::sum(&octets, u32::from(number)));
        }
    }
}
