//! The packets inside the tunnels: UDP and ICMP echo over IPv4, with right checksums.

use std::net::Ipv4Addr;

/// A UDP packet of `size` octets; at least 28.
pub(crate) fn udp(source: (Ipv4Addr, u16), target: (Ipv4Addr, u16), size: usize) -> Vec<u8> {
    let payload = size.saturating_sub(IP + UDP);
    let length = narrow(UDP + payload).to_be_bytes();
    let mut datagram = [source.1.to_be_bytes(), target.1.to_be_bytes(), length, [0, 0]].concat();
    datagram.resize(UDP + payload, 0x33);
    let pseudo_header = [&source.0.octets()[..], &target.0.octets(), &[0, 17], &length].concat();
    let checksum = match !sum(&datagram, sum(&pseudo_header, 0)) {
        0 => 0xffff,
        checksum => checksum,
    };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    ipv4(source.0, target.0, 17, &datagram)
}

/// An echo request.
pub(crate) fn echo(source: Ipv4Addr, target: Ipv4Addr, sequence: u16) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let mut message =
        [&[ECHO_REQUEST, 0, 0, 0, IDENTIFIER[0], IDENTIFIER[1], high, low][..], &[0; 56]].concat();
    let checksum = !sum(&message, 0);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    ipv4(source, target, 1, &message)
}

/// The sequence number of an echo reply to one of ours.
pub(crate) fn echoed(packet: &[u8]) -> Option<u16> {
    let message = packet.get(IP..)?;
    let is_ours =
        packet[9] == 1 && message.first() == Some(&ECHO_REPLY) && message.get(4..6) == Some(&IDENTIFIER[..]);
    let sequence = message.get(6..8)?.first_chunk()?;
    is_ours.then(|| u16::from_be_bytes(*sequence))
}

fn ipv4(source: Ipv4Addr, target: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = narrow(IP + payload.len()).to_be_bytes();
    let mut packet = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    packet.extend(source.octets());
    packet.extend(target.octets());
    let checksum = !sum(&packet, 0);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// The one's complement sum, beginning with `initial`.
fn sum(octets: &[u8], initial: u16) -> u16 {
    let add = |sum: u16, word: u16| {
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    };
    let words = octets.chunks(2).map(|word| u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]));
    words.fold(initial, add)
}

/// Lengths in here come from arguments that are limited to what fits a packet.
fn narrow(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

const IP: usize = 20;
const UDP: usize = 8;
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const IDENTIFIER: [u8; 2] = [0x70, 0x62];

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);
    const TARGET: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);

    #[test]
    fn udp_packets_have_their_size_and_right_checksums() {
        for size in [28, 29, 64, 1400] {
            let packet = udp((SOURCE, 40_000), (TARGET, 5201), size);
            assert_eq!((packet.len(), sum(&packet[..20], 0)), (size, 0xffff));
            let length = narrow(size - 20).to_be_bytes();
            let pseudo_header = [&SOURCE.octets()[..], &TARGET.octets(), &[0, 17], &length].concat();
            assert_eq!(sum(&packet[20..], sum(&pseudo_header, 0)), 0xffff);
        }
    }

    #[test]
    fn replies_to_our_echoes_are_told_from_everything_else() {
        let request = echo(SOURCE, TARGET, 515);
        assert_eq!(sum(&request[20..], 0), 0xffff);
        assert_eq!(echoed(&request), None);
        let mut reply = request;
        reply[20] = ECHO_REPLY;
        assert_eq!(echoed(&reply), Some(515));
        reply[24] ^= 1;
        assert_eq!(echoed(&reply), None);
        assert_eq!(echoed(&reply[..24]), None);
        assert_eq!(echoed(&[]), None);
    }
}
