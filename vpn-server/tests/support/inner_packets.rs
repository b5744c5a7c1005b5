//! What a fuzzer does with octets that came out of a tunnel.

use vpn_server::dataplane::mss;
use vpn_server::dataplane::packet::{InnerHeader, quoted_by_icmp_error};

/// Reads an inner packet; whatever is said of it lies inside it, and nothing but a segment size is ever changed.
pub(crate) fn inner_packets(octets: &[u8]) {
    let Ok(InnerHeader::V4(header)) = InnerHeader::parse(octets) else { return };
    assert!(header.total_length() <= octets.len());
    let mut packet = octets[..header.total_length()].to_vec();
    let _ = quoted_by_icmp_error(&header, &packet);
    if header.starts_tcp() {
        mss::clamp(&mut packet[header.payload()], 1400);
    }
    let start = header.payload().start;
    assert_eq!(packet[..start], octets[..start], "the header is left alone");
    assert_eq!(InnerHeader::parse(&packet), Ok(InnerHeader::V4(header)));
}
