//! Compression framing: what stands around a packet where a client's profile asks for compression.
//!
//! ```text
//!  comp-lzo            0xFA | packet                          compressed: 0x66 ...
//!  compress            0xFB | packet without its first octet | first octet       compressed: 0x69 ...
//!  compress stub-v2    packet; where it begins with 0x50: 0x50 | 0x00 | packet   compressed: 0x50 | 1 ...
//! ```
//!
//! Nothing is ever compressed, nor taken compressed: the length of what is encrypted would tell its content (KEY-01).
//! Protocol reference section 9.5.

/// What stands around the packets of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Framing {
    /// Nothing.
    #[default]
    None,
    /// Nothing around IP packets: `compress stub-v2`.
    StubV2,
    /// One octet: `comp-lzo no`. From clients that insist on their `compress`, its framing is taken, too.
    Octet,
}

/// An authentic packet whose content is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compressed;

const UNCOMPRESSED: u8 = 0xfa;
const UNCOMPRESSED_SWAPPED: u8 = 0xfb;
const V2: u8 = 0x50;
const V2_UNCOMPRESSED: u8 = 0x00;
/// What OpenVPN 2 writes in place of it, although it does not take it.
const V2_UNCOMPRESSED_OF_STOCK_PEERS: u8 = 0x0a;

impl Framing {
    pub(super) const LONGEST_PREFIX: usize = 1;

    /// Octets that are written before each packet. With stub-v2 none: what would need them is no IP packet.
    pub(super) const fn prefix_length(self) -> usize {
        match self {
            Self::None | Self::StubV2 => 0,
            Self::Octet => 1,
        }
    }

    /// Writes what stands before the packet that begins at `front`.
    pub(super) fn write(self, front: usize, datagram: &mut [u8]) {
        match self {
            Self::None | Self::StubV2 => {}
            Self::Octet => datagram[front - 1] = UNCOMPRESSED,
        }
    }

    /// The packet in a decrypted payload.
    pub(super) fn strip(self, payload: &mut [u8]) -> Result<&mut [u8], Compressed> {
        match self {
            Self::None => Ok(payload),
            Self::StubV2 => strip_v2(payload),
            Self::Octet => strip_octet(payload),
        }
    }
}

fn strip_v2(payload: &mut [u8]) -> Result<&mut [u8], Compressed> {
    match payload {
        [V2, V2_UNCOMPRESSED | V2_UNCOMPRESSED_OF_STOCK_PEERS, packet @ ..] => Ok(packet),
        [V2, ..] => Err(Compressed),
        packet => Ok(packet),
    }
}

fn strip_octet(payload: &mut [u8]) -> Result<&mut [u8], Compressed> {
    match payload {
        [] => Ok(payload),
        [UNCOMPRESSED, packet @ ..] => Ok(packet),
        [UNCOMPRESSED_SWAPPED] => Ok(&mut []),
        [first @ UNCOMPRESSED_SWAPPED, middle @ .., last] => {
            *first = *last;
            let length = 1 + middle.len();
            Ok(&mut payload[..length])
        }
        [..] => Err(Compressed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(framing: Framing, payload: &[u8]) -> Option<Vec<u8>> {
        framing.strip(&mut payload.to_vec()).ok().map(|packet| packet.to_vec())
    }

    #[test]
    fn framing_that_compresses_nothing_comes_off() {
        for (framing, payload, packet) in [
            (Framing::None, &b"\x66packet"[..], &b"\x66packet"[..]),
            (Framing::Octet, b"\xfapacket", b"packet"),
            (Framing::Octet, b"\xfbacketp", b"packet"),
            (Framing::Octet, b"\xfbp", b"p"),
            (Framing::Octet, b"\xfa", b""),
            (Framing::Octet, b"\xfb", b""),
            (Framing::Octet, b"", b""),
            (Framing::StubV2, b"packet", b"packet"),
            (Framing::StubV2, b"\x50\x00\x50acket", b"\x50acket"),
            (Framing::StubV2, b"\x50\x0a\x50acket", b"\x50acket"),
            (Framing::StubV2, b"", b""),
        ] {
            assert_eq!(strip(framing, payload).as_deref(), Some(packet), "{framing:?} {payload:?}");
        }
    }

    #[test]
    fn key_01_compressed_packets_are_refused() {
        for (framing, payload) in [
            (Framing::Octet, &b"\x66lzo"[..]),
            (Framing::Octet, b"\x67snappy"),
            (Framing::Octet, b"\x68"),
            (Framing::Octet, b"\x69lz4"),
            (Framing::Octet, b"\x45an IP packet without framing"),
            (Framing::StubV2, b"\x50\x01lz4"),
            (Framing::StubV2, b"\x50"),
        ] {
            assert_eq!(strip(framing, payload), None, "{framing:?} {payload:?}");
        }
    }

    #[test]
    fn what_is_written_before_packets_comes_off() {
        for framing in [Framing::None, Framing::StubV2, Framing::Octet] {
            let front = framing.prefix_length();
            let mut framed = [&[0; Framing::LONGEST_PREFIX][..front], b"packet"].concat();
            framing.write(front, &mut framed);
            assert_eq!(strip(framing, &framed).as_deref(), Some(&b"packet"[..]));
        }
    }
}
