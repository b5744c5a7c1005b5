//! Super-packets between the TUN device and the data plane: many segments of one flow, handled by the kernel as one.
//!
//! ```text
//!  from the device   virtio-net header | super-packet ─► Frame ─► segments, each written where it is sealed
//!  to the device     decrypted packets ─► Merger ─► virtio-net header | first packet | payloads of the others
//! ```
//!
//! Pure over buffers: whoever holds the device reads and writes. What a receiver gets never depends on whether packets
//! were joined or cut in here: joining is done only where the kernel's cut gives the same packets back, but for IPv4
//! identifications that mean nothing.

mod checksum;
mod flow;
mod frame;
mod header;
mod merge;
mod open;
#[cfg(test)]
mod reference;
mod segment;

pub use frame::{Frame, FrameError};
pub use header::{FrameHeader, InvalidHeader, PartialChecksum, Segmentation, SegmentedProtocol};
pub use merge::{MergeMemory, Merged, Merger};
pub use segment::{Segment, SuperPacket};

/// The protocol numbers of what can be segmented.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where things are in headers.
mod at {
    pub(super) const IPV4_LENGTH: usize = 2;
    pub(super) const IPV4_IDENTIFICATION: usize = 4;
    pub(super) const IPV4_FRAGMENT: usize = 6;
    pub(super) const IPV4_PROTOCOL: usize = 9;
    pub(super) const IPV4_CHECKSUM: usize = 10;
    pub(super) const IPV4_ADDRESSES: usize = 12;
    pub(super) const IPV6_LENGTH: usize = 4;
    pub(super) const IPV6_NEXT_HEADER: usize = 6;
    pub(super) const IPV6_ADDRESSES: usize = 8;
    pub(super) const TCP_SEQUENCE: usize = 4;
    pub(super) const TCP_DATA_OFFSET: usize = 12;
    pub(super) const TCP_FLAGS: usize = 13;
    pub(super) const TCP_CHECKSUM: usize = 16;
    pub(super) const UDP_LENGTH: usize = 4;
    pub(super) const UDP_CHECKSUM: usize = 6;
}

/// Octets of headers.
mod length {
    pub(super) const IPV4: usize = 20;
    pub(super) const IPV6: usize = 40;
    pub(super) const TCP: usize = 20;
    pub(super) const UDP: usize = 8;
}

/// TCP flags.
mod flag {
    pub(super) const FIN: u8 = 0x01;
    pub(super) const PSH: u8 = 0x08;
    pub(super) const ACK: u8 = 0x10;
    pub(super) const CWR: u8 = 0x80;
}

/// The 16 bits at `offset` of `octets`, which are long enough.
fn word(octets: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes([octets[offset], octets[offset + 1]])
}

/// Puts 16 bits at `offset` of `octets`, which are long enough.
fn put(octets: &mut [u8], offset: usize, word: u16) {
    octets[offset..offset + 2].copy_from_slice(&word.to_be_bytes());
}
