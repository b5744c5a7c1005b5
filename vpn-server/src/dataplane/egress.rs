//! Sending what is queued, and what to do when the network does not take it.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use vpn_proto::{ListenerId, Path};

use crate::transport::DatagramSocket;

use super::counters::{DropReason, Event, WorkerCounters};
use super::send_queue::{SendGroup, SendQueue};

/// Sends every group of `queue`, oldest first, through the socket it belongs to. What cannot be sent is dropped.
pub(super) fn flush<S: DatagramSocket>(
    queue: &mut SendQueue,
    sockets: &[(ListenerId, S)],
    counters: &WorkerCounters,
) {
    let mut egress = Egress {
        counters,
        has_waited: false,
    };
    queue.drain(|group| {
        match group
            .path()
            .and_then(|path| Some((path, socket_for(sockets, path)?)))
        {
            Some((path, socket)) => egress.send_group(socket, path, group),
            None => counters.dropped_many(DropReason::SendFailed, group.count() as u64),
        }
    });
}

/// The socket of `path`'s listener.
pub(super) fn socket_for<'s, S>(sockets: &'s [(ListenerId, S)], path: &Path) -> Option<&'s S> {
    sockets
        .iter()
        .find(|(id, _)| *id == path.listener)
        .map(|(_, socket)| socket)
}

/// One flush.
struct Egress<'c> {
    counters: &'c WorkerCounters,
    /// A full send buffer is waited for once per flush, so that it delays a worker by a bounded time.
    has_waited: bool,
}

impl Egress<'_> {
    fn send_group<S: DatagramSocket>(&mut self, socket: &S, path: &Path, group: &SendGroup) {
        if group.count() > 1 && socket.can_segment() {
            match self.send(socket, path, group.datagrams(), group.segment()) {
                Err(error) if is_segmentation_refused(&error) => {
                    self.counters.happened(Event::SegmentationRefused);
                }
                outcome => return self.account(outcome, group.count() as u64),
            }
        }
        for datagram in group.datagrams().chunks(group.segment()) {
            let outcome = self.send(socket, path, datagram, datagram.len());
            self.account(outcome, 1);
        }
    }

    fn send<S: DatagramSocket>(
        &mut self,
        socket: &S,
        path: &Path,
        datagrams: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        self.counters.happened(Event::SendCall);
        match socket.send(path, datagrams, segment) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.has_waited => {
                self.has_waited = true;
                if socket.wait_writable(PATIENCE) {
                    socket.send(path, datagrams, segment)
                } else {
                    Err(error)
                }
            }
            outcome => outcome,
        }
    }

    fn account(&self, outcome: io::Result<()>, count: u64) {
        match outcome {
            Ok(()) => self.counters.happened_many(Event::DatagramSent, count),
            Err(error) => self.counters.dropped_many(reason(&error), count),
        }
    }
}

/// Whether the error says that this batch cannot be cut by the kernel or device: a datagram too long for the path's
/// MTU (`EINVAL`, or `EMSGSIZE`) or a device without checksum offload (`EIO`). Alone, each datagram can still be sent.
fn is_segmentation_refused(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INVAL | Errno::MSGSIZE | Errno::IO)
    )
}

fn reason(error: &io::Error) -> DropReason {
    match Errno::from_io_error(error) {
        Some(Errno::MSGSIZE) => DropReason::SendTooLong,
        Some(Errno::AGAIN | Errno::NOBUFS) => DropReason::SendBufferFull,
        Some(_) => DropReason::SendFailed,
        None if error.kind() == io::ErrorKind::WouldBlock => DropReason::SendBufferFull,
        None => DropReason::SendFailed,
    }
}

/// How long a full send buffer is waited for: enough for a device queue to drain, too short for anybody to notice.
const PATIENCE: Duration = Duration::from_millis(1);
