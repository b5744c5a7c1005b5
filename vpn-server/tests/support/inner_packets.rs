//! What a fuzzer does with octets that came out of a tunnel.

use vpn_server::dataplane::packet::InnerHeader;

/// Reads an inner packet of either family; whatever is said of it lies inside it, and what follows it makes no
/// difference.
pub(crate) fn inner_packets(octets: &[u8]) {
    let Ok(header) = InnerHeader::parse(octets) else { return };
    assert!(header.total_length() <= octets.len());
    let packet = &octets[..header.total_length()];
    assert!(packet.get(header.payload()).is_some());
    assert_eq!(InnerHeader::parse(packet), Ok(header));
    let _ = (header.quoted_by_icmp_error(packet), header.is_link_chatter(), header.starts_tcp());
    assert_eq!(header.source.is_ipv4(), header.destination.is_ipv4());
}
