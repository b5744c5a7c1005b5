//! Sockets and devices made of memory: what a worker does with them can be scripted and looked at.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use vpn_proto::Path;

use super::{DatagramSocket, PacketDevice, ReceiveBatch, Received};

/// A socket that receives what a test puts in and keeps what is sent.
pub(crate) struct MemorySocket {
    arriving: RefCell<VecDeque<(SocketAddr, usize, Vec<u8>)>>,
    sent: RefCell<Vec<Sent>>,
    refusals: RefCell<VecDeque<io::Error>>,
    pub(crate) can_segment: bool,
    pub(crate) becomes_writable: bool,
    pub(crate) waits: Cell<usize>,
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
            arriving: RefCell::default(),
            sent: RefCell::default(),
            refusals: RefCell::default(),
            can_segment: true,
            becomes_writable: true,
            waits: Cell::new(0),
        }
    }

    /// Lets a super-packet arrive: datagrams of `stride` octets.
    pub(crate) fn arrive(&self, remote: SocketAddr, stride: usize, octets: Vec<u8>) {
        self.arriving.borrow_mut().push_back((remote, stride, octets));
    }

    /// Lets the next send calls fail.
    pub(crate) fn refuse(&self, errors: impl IntoIterator<Item = rustix::io::Errno>) {
        self.refusals
            .borrow_mut()
            .extend(errors.into_iter().map(io::Error::from));
    }

    pub(crate) fn take_sent(&self) -> Vec<Sent> {
        self.sent.take()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.arriving.borrow().len()
    }
}

impl DatagramSocket for MemorySocket {
    fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<()> {
        batch.refill(|buffers, received| {
            for buffer in buffers {
                let Some((remote, stride, octets)) = self.arriving.borrow_mut().pop_front() else {
                    break;
                };
                buffer[..octets.len()].copy_from_slice(&octets);
                received.push(Received {
                    length: octets.len(),
                    stride,
                    remote,
                    local: None,
                });
            }
            if received.is_empty() {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        })
    }

    fn send(&self, path: &Path, datagrams: &[u8], segment: usize) -> io::Result<()> {
        assert!(
            self.can_segment || datagrams.len() <= segment,
            "a socket that cannot segment was asked to"
        );
        if let Some(error) = self.refusals.borrow_mut().pop_front() {
            return Err(error);
        }
        self.sent.borrow_mut().push(Sent {
            path: *path,
            octets: datagrams.to_vec(),
            segment,
        });
        Ok(())
    }

    fn can_segment(&self) -> bool {
        self.can_segment
    }

    fn wait_writable(&self, _limit: Duration) -> bool {
        self.waits.set(self.waits.get() + 1);
        self.becomes_writable
    }
}

/// A device that gives what a test puts in and keeps what it takes.
#[derive(Default)]
pub(crate) struct MemoryDevice {
    arriving: RefCell<VecDeque<Vec<u8>>>,
    taken: RefCell<Vec<Vec<u8>>>,
    pub(crate) refuses: Cell<bool>,
}

impl MemoryDevice {
    pub(crate) fn arrive(&self, packet: Vec<u8>) {
        self.arriving.borrow_mut().push_back(packet);
    }

    pub(crate) fn take_taken(&self) -> Vec<Vec<u8>> {
        self.taken.take()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.arriving.borrow().len()
    }
}

impl PacketDevice for MemoryDevice {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let packet = self
            .arriving
            .borrow_mut()
            .pop_front()
            .ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..packet.len()].copy_from_slice(&packet);
        Ok(packet.len())
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        if self.refuses.get() {
            return Err(rustix::io::Errno::IO.into());
        }
        self.taken.borrow_mut().push(packet.to_vec());
        Ok(())
    }
}
