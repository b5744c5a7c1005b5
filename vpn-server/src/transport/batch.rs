//! The buffers that one receive call fills.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Octets of a buffer that holds a super-packet: a whole receive-offload or segmentation-offload batch.
pub const SUPER_BUFFER: usize = 65_536;

/// Super-packets per receive call. More bring nothing: each already holds up to 64 datagrams.
const BUFFERS: usize = 8;

/// What is in one filled buffer: datagrams of `stride` octets, the last may be shorter, all of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Octets in the buffer.
    pub length: usize,
    /// Octets of each datagram but the last.
    pub stride: usize,
    /// The sender.
    pub remote: SocketAddr,
    /// The address it sent to, where known.
    pub local: Option<IpAddr>,
}

/// A fixed set of super-packet buffers, allocated once and refilled again and again.
pub struct ReceiveBatch {
    buffers: [Box<[u8]>; BUFFERS],
    received: Vec<Received>,
}

impl ReceiveBatch {
    /// How many buffers a batch has.
    pub const BUFFERS: usize = BUFFERS;

    /// An empty batch with its buffers.
    #[must_use]
    pub fn new() -> Self {
        let buffers = std::array::from_fn(|_| vec![0; SUPER_BUFFER].into_boxed_slice());
        Self { buffers, received: Vec::with_capacity(BUFFERS) }
    }

    /// Replaces the contents: `receive` fills buffers from the first on and describes each that it filled.
    pub fn refill(
        &mut self,
        receive: impl FnOnce(&mut [Box<[u8]>; BUFFERS], &mut Vec<Received>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.received.clear();
        receive(&mut self.buffers, &mut self.received)
    }

    /// The filled buffers, cut to their length.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Received, &mut [u8])> {
        self.received.iter().zip(&mut self.buffers).map(|(received, buffer)| {
            let length = received.length.min(buffer.len());
            (*received, &mut buffer[..length])
        })
    }

    /// Whether every buffer was filled, so that there may be more to receive.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.received.len() >= BUFFERS
    }
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refill_replaces_what_was_there() {
        let mut batch = ReceiveBatch::new();
        for text in [&b"first"[..], b"2nd"] {
            batch
                .refill(|buffers, received| {
                    buffers[0][..text.len()].copy_from_slice(text);
                    received.push(describe(text.len()));
                    Ok(())
                })
                .unwrap();
            let contents: Vec<_> = batch.iter_mut().map(|(_, octets)| octets.to_vec()).collect();
            assert_eq!(contents, [text]);
        }
        let failed = batch.refill(|_, _| Err(io::ErrorKind::WouldBlock.into()));
        assert!(failed.is_err() && batch.iter_mut().next().is_none());
    }

    #[test]
    fn a_described_length_beyond_the_buffer_is_cut() {
        let mut batch = ReceiveBatch::new();
        batch
            .refill(|_, received| {
                received.push(describe(SUPER_BUFFER + 1));
                Ok(())
            })
            .unwrap();
        assert_eq!(batch.iter_mut().map(|(_, octets)| octets.len()).collect::<Vec<_>>(), [SUPER_BUFFER]);
    }

    fn describe(length: usize) -> Received {
        Received { length, stride: length, remote: "192.0.2.1:1".parse().unwrap(), local: None }
    }
}
