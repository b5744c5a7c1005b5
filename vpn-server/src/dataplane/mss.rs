//! Lowering the TCP maximum segment size, so that full segments fit the outer packet without IP fragmentation.
//!
//! Done for SYN and SYN-ACK in both directions and both families, decreasing only, as stock servers do (`mssfix 1492 mtu`,
//! protocol reference section 9.6). It is a performance feature too: a datagram that is too long for the path cannot be part of
//! a segmented send.

use std::net::{IpAddr, SocketAddr};

use vpn_proto::data::SealLayout;
use vpn_proto::wire::tcp::PREFIX;
use vpn_proto::{Path, Transport};

use super::packet::InnerHeader;

/// How long packets of the tunnel may be outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OuterLimit(Option<u16>);

impl OuterLimit {
    /// The shortest limit: what an IPv4 host has to take at least.
    pub const SHORTEST: u16 = 576;

    /// No limit: segment sizes are left alone.
    pub const NONE: Self = Self(None);

    /// So many octets, the outer IP header included. `None` for less than [`OuterLimit::SHORTEST`].
    #[must_use]
    pub const fn new(octets: u16) -> Option<Self> {
        if octets < Self::SHORTEST { None } else { Some(Self(Some(octets))) }
    }

    /// The limit in octets; `None` for none.
    #[must_use]
    pub const fn octets(self) -> Option<u16> {
        self.0
    }

    /// The largest segment size for connections through the tunnel of a peer on `path` whose packets are sealed by `layout`,
    /// by default with the classic format of today 1400 over UDP and IPv4, 1380 over IPv6; over TCP 1386 and 1366.
    #[must_use]
    pub const fn segment_limit(self, path: &Path, layout: SealLayout) -> SegmentLimit {
        let Some(outer) = self.0 else { return SegmentLimit { v4: u16::MAX, v6: u16::MAX } };
        let ip = match path.remote {
            SocketAddr::V4(_) => IPV4,
            SocketAddr::V6(_) => IPV6,
        };
        let carrier = match path.transport {
            Transport::Udp => UDP,
            Transport::Tcp => TCP + PREFIX,
        };
        let inner = layout.largest_packet((outer as usize).saturating_sub(ip + carrier));
        SegmentLimit { v4: segment(inner, IPV4), v6: segment(inner, IPV6) }
    }
}

impl Default for OuterLimit {
    /// That of OpenVPN 2.6.
    fn default() -> Self {
        Self(Some(1492))
    }
}

/// The largest segment size of connections through one tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLimit {
    /// Of connections over IPv4.
    pub v4: u16,
    /// Of connections over IPv6, whose header is longer.
    pub v6: u16,
}

/// What is left of an inner packet for a segment behind a header of the family.
const fn segment(packet: usize, ip: usize) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "it is less than the outer limit")]
    let segment = packet.saturating_sub(ip + TCP) as u16;
    segment
}

impl SegmentLimit {
    /// Applies the limit to the inner packet that `header` was parsed from.
    pub fn apply(self, header: &InnerHeader, packet: &mut [u8]) {
        if !header.starts_tcp() {
            return;
        }
        let limit = match header.source {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        };
        clamp(&mut packet[header.payload()], limit);
    }
}

/// Lowers the maximum segment size that the TCP header at the start of `segment` announces to `limit` and corrects the
/// checksum. Leaves segments without SYN, without the option or with a smaller value alone.
fn clamp(segment: &mut [u8], limit: u16) {
    let Some(header) = segment.first_chunk::<TCP_MINIMUM>() else {
        return;
    };
    if header[FLAGS] & SYN == 0 {
        return;
    }
    let end = usize::from(header[DATA_OFFSET] >> 4) * 4;
    let mut at = TCP_MINIMUM;
    while let Some([kind, length]) = segment.get(at..end).and_then(|options| options.first_chunk().copied()) {
        match (kind, usize::from(length)) {
            (OPTION_END, _) => return,
            (OPTION_NOP, _) => at += 1,
            (OPTION_MSS, 4) => {
                lower(segment, at + 2, end, limit);
                at += 4;
            }
            (_, 2..) => at += usize::from(length),
            _ => return,
        }
    }
}

/// Lowers the 16-bit value at `at`, which must lie before `end`, to `limit`.
fn lower(segment: &mut [u8], at: usize, end: usize, limit: u16) {
    let Some(&[high, low]) = segment.get(at..end).and_then(<[u8]>::first_chunk) else {
        return;
    };
    let announced = u16::from_be_bytes([high, low]);
    if announced <= limit {
        return;
    }
    segment[at..at + 2].copy_from_slice(&limit.to_be_bytes());
    // A value at an odd offset straddles two words of the sum: each of its octets counts in the other position.
    let (old, new) =
        if at.is_multiple_of(2) { (announced, limit) } else { (announced.swap_bytes(), limit.swap_bytes()) };
    let checksum = u16::from_be_bytes([segment[CHECKSUM], segment[CHECKSUM + 1]]);
    segment[CHECKSUM..CHECKSUM + 2].copy_from_slice(&updated(checksum, old, new).to_be_bytes());
}

/// The Internet checksum after one word changed from `old` to `new` (RFC 1624, equation 3).
fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    let once = (sum & 0xffff) + (sum >> 16);
    let [_, carry, high, low] = once.to_be_bytes();
    !(u16::from_be_bytes([high, low]) + u16::from(carry))
}

const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;
const TCP: usize = 20;

const TCP_MINIMUM: usize = 20;
const DATA_OFFSET: usize = 12;
const FLAGS: usize = 13;
const CHECKSUM: usize = 16;
const SYN: u8 = 0x02;
const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_MSS: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vpn_proto::{ListenerId, PeerId};

    use super::super::testing::sessions::Sessions;
    use super::*;

    #[test]
    fn the_limit_is_the_one_of_stock_servers() {
        let path = |remote: &str, transport| {
            let remote = remote.parse().unwrap();
            Path { listener: ListenerId(0), transport, remote, local: None }
        };
        let ends = ["192.0.2.1:1194", "[2001:db8::1]:1194"];
        let limits = |mut sessions: Sessions| {
            [Transport::Udp, Transport::Tcp].map(|transport| {
                ends.map(|remote| {
                    let path = path(remote, transport);
                    let session = sessions.connect(PeerId::FIRST, path, [10, 8, 0, 2].into());
                    let limit = OuterLimit::default().segment_limit(&path, session.channel.layout());
                    assert_eq!(limit.v6 + 20, limit.v4);
                    limit.v4
                })
            })
        };
        assert_eq!(limits(Sessions::new()), [[1400, 1380], [1386, 1366]]);
        assert_eq!(limits(Sessions::with_modern_clients()), [[1396, 1376], [1382, 1362]], "the epoch format");
    }

    #[test]
    fn another_outer_limit_is_another_segment_size_and_none_is_none() {
        let path = Path {
            listener: ListenerId(0),
            transport: Transport::Udp,
            remote: "192.0.2.1:1194".parse().unwrap(),
            local: None,
        };
        let layout = Sessions::new().connect(PeerId::FIRST, path, [10, 8, 0, 2].into()).channel.layout();
        let limit = |outer: OuterLimit| outer.segment_limit(&path, layout).v4;
        assert_eq!(limit(OuterLimit::new(1392).unwrap()), 1300);
        assert_eq!(limit(OuterLimit::new(576).unwrap()), 484);
        assert_eq!(limit(OuterLimit::NONE), u16::MAX);
        assert_eq!(OuterLimit::new(575), None);
    }

    #[test]
    fn lowers_the_value_of_syn_and_syn_ack_only() {
        for (flags, expected) in
            [(0x02, 1400), (0x12, 1400), (0xc2, 1400), (0x10, 1460), (0x18, 1460), (0x04, 1460)]
        {
            let mut segment = tcp(flags, &[2, 4, 0x05, 0xb4]);
            clamp(&mut segment, 1400);
            assert_eq!(u16::from_be_bytes([segment[22], segment[23]]), expected, "flags {flags:#x}");
            assert_eq!(sum(&segment), 0xffff, "flags {flags:#x}");
        }
    }

    #[test]
    fn never_raises_the_value() {
        for announced in [0_u16, 1, 536, 1399, 1400] {
            let [high, low] = announced.to_be_bytes();
            let untouched = tcp(0x02, &[2, 4, high, low]);
            let mut segment = untouched.clone();
            clamp(&mut segment, 1400);
            assert_eq!(segment, untouched);
        }
    }

    #[test]
    fn finds_the_option_behind_others_and_at_odd_offsets() {
        for options in [
            &[1, 2, 4, 0x05, 0xb4, 1, 1, 0][..],
            &[4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 2, 4, 0x05, 0xb4],
            &[3, 3, 7, 2, 4, 0x23, 0x28, 0],
        ] {
            let mut segment = tcp(0x02, options);
            clamp(&mut segment, 1400);
            let at = 20 + options.windows(2).position(|pair| pair == [2, 4]).unwrap() + 2;
            assert_eq!(segment[at..at + 2], 1400_u16.to_be_bytes(), "{options:?}");
            assert_eq!(sum(&segment), 0xffff, "{options:?}");
        }
    }

    #[test]
    fn leaves_malformed_options_alone() {
        for options in [
            &[2, 3, 0x05, 0xb4][..],
            &[8, 0, 2, 4],
            &[8, 1, 2, 4],
            &[1, 1, 2, 4],
            &[0, 2, 4, 0xff],
            &[1, 1, 1, 2],
        ] {
            let untouched = tcp(0x02, options);
            let mut segment = untouched.clone();
            clamp(&mut segment, 100);
            assert_eq!(segment, untouched, "{options:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_survived_and_a_right_checksum_stays_right(
            mut segment in prop::collection::vec(any::<u8>(), 20..80),
            options in 0..=10_u8,
            limit in 500..1500_u16,
        ) {
            segment[DATA_OFFSET] = (5 + options) << 4;
            segment[FLAGS] |= SYN;
            seal_checksum(&mut segment);
            let before = segment.clone();
            clamp(&mut segment, limit);
            prop_assert_eq!(segment.len(), before.len());
            prop_assert!(sum(&segment) == 0xffff);
        }

        #[test]
        fn octets_shorter_than_a_header_are_survived(mut segment in prop::collection::vec(any::<u8>(), 0..20)) {
            clamp(&mut segment, 1400);
        }
    }

    /// A segment without pseudo-header whose own sum is right.
    fn tcp(flags: u8, options: &[u8]) -> Vec<u8> {
        let mut segment = vec![0; 20];
        segment[..8].copy_from_slice(&[0x9c, 0x40, 0, 80, 1, 2, 3, 4]);
        segment[DATA_OFFSET] = u8::try_from((20 + options.len()) / 4).unwrap() << 4;
        segment[FLAGS] = flags;
        segment.extend_from_slice(options);
        segment.extend_from_slice(b"payload");
        seal_checksum(&mut segment);
        segment
    }

    fn seal_checksum(segment: &mut [u8]) {
        segment[CHECKSUM..CHECKSUM + 2].fill(0);
        let checksum = !sum(segment);
        segment[CHECKSUM..CHECKSUM + 2].copy_from_slice(&checksum.to_be_bytes());
    }

    /// The one's complement sum, computed in full: 0xffff over a segment whose checksum is right.
    fn sum(segment: &[u8]) -> u16 {
        let words =
            segment.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
        let mut sum: u32 = words.sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap()
    }
}
