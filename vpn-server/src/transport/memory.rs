//! Sockets and devices made of memory: what a worker does with them can be scripted and looked at.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use vpn_proto::Path;

use super::{DatagramSocket, Offload, PacketDevice, ReceiveBatch, Received};

/// A socket that receives what a test puts in and keeps what is sent.
pub(crate) struct MemorySocket {
    arriving: Mutex<VecDeque<(SocketAddr, usize, Vec<u8>)>>,
    sent: Mutex<Vec<Sent>>,
    refusals: Mutex<VecDeque<io::Error>>,
    pub(crate) can_segment: bool,
    pub(crate) becomes_writable: bool,
    pub(crate) waits: AtomicUsize,
}

/// One send call that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) path: Path,
    pub(crate) octets: Vec<u8>,
    pub(crate) segment: usize,
}

impl MemorySocket {
    pub(crate) fn new() -> Self {
        Self {
            arriving: Mutex::default(),
            sent: Mutex::default(),
            refusals: Mutex::default(),
            can_segment: true,
            becomes_writable: true,
            waits: AtomicUsize::new(0),
        }
    }

    /// Lets a super-packet arrive: datagrams of `stride` octets.
    pub(crate) fn arrive(&self, remote: SocketAddr, stride: usize, octets: Vec<u8>) {
        locked(&self.arriving).push_back((remote, stride, octets));
    }

    /// Lets the next send calls fail.
    pub(crate) fn refuse(&self, errors: impl IntoIterator<Item = rustix::io::Errno>) {
        locked(&self.refusals).extend(errors.into_iter().map(io::Error::from));
    }

    pub(crate) fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut locked(&self.sent))
    }

    pub(crate) fn waiting(&self) -> usize {
        locked(&self.arriving).len()
    }
}

impl DatagramSocket for MemorySocket {
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        batch.refill(|buffers, received| {
            for buffer in buffers {
                let Some((remote, stride, octets)) = locked(&self.arriving).pop_front() else {
                    break;
                };
                buffer[..octets.len()].copy_from_slice(&octets);
                received.push(Received { length: octets.len(), stride, remote, local: None });
            }
            if received.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        })
    }

    fn send(&self, path: &Path, datagrams: &[u8], segment: usize) -> io::Result<()> {
        assert!(self.can_segment || datagrams.len() <= segment, "a socket that cannot segment was asked to");
        if let Some(error) = locked(&self.refusals).pop_front() {
            return Err(error);
        }
        locked(&self.sent).push(Sent { path: *path, octets: datagrams.to_vec(), segment });
        Ok(())
    }

    fn can_segment(&self) -> bool {
        self.can_segment
    }

    fn wait_writable(&self, _limit: Duration) -> bool {
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.becomes_writable
    }
}

/// A device that gives what a test puts in and keeps what it takes.
#[derive(Default)]
pub(crate) struct MemoryDevice {
    arriving: Mutex<VecDeque<Vec<u8>>>,
    taken: Mutex<Vec<Vec<u8>>>,
    pub(crate) offload: Offload,
    pub(crate) refuses: AtomicBool,
}

impl MemoryDevice {
    pub(crate) fn arrive(&self, packet: Vec<u8>) {
        locked(&self.arriving).push_back(packet);
    }

    pub(crate) fn take_taken(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut locked(&self.taken))
    }

    pub(crate) fn waiting(&self) -> usize {
        locked(&self.arriving).len()
    }
}

impl PacketDevice for MemoryDevice {
    fn offload(&self) -> Offload {
        self.offload
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let packet = locked(&self.arriving).pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..packet.len()].copy_from_slice(&packet);
        Ok(packet.len())
    }

    fn send(&self, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(rustix::io::Errno::IO.into());
        }
        locked(&self.taken).push(pieces.iter().flat_map(|piece| piece.to_vec()).collect());
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}
