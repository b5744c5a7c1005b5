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
    let mut egress = Egress { counters, has_waited: false };
    queue.drain(|group| match group.path().and_then(|path| Some((path, socket_for(sockets, path)?))) {
        Some((path, socket)) => egress.send_group(socket, path, group),
        None => counters.dropped_many(DropReason::SendFailed, group.count() as u64),
    });
}

/// The socket of `path`'s listener.
pub(super) fn socket_for<'s, S>(sockets: &'s [(ListenerId, S)], path: &Path) -> Option<&'s S> {
    sockets.iter().find(|(id, _)| *id == path.listener).map(|(_, socket)| socket)
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
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::MSGSIZE | Errno::IO))
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use vpn_proto::Transport;

    use crate::transport::memory::MemorySocket;

    use super::super::counters::PlaneCounters;
    use super::*;

    #[test]
    fn each_group_is_one_send_on_its_own_listener() {
        let bench = Bench::new();
        let mut queue = bench.queue(&[(0, 3), (1, 1), (0, 2)]);
        bench.flush(&mut queue);
        let sends = |index: usize| bench.sockets[index].1.take_sent();
        assert_eq!(sends(0).iter().map(|sent| sent.octets.len()).collect::<Vec<_>>(), [500]);
        assert_eq!(
            sends(1).iter().map(|sent| (sent.octets.len(), sent.segment)).collect::<Vec<_>>(),
            [(100, 100)]
        );
        assert_eq!((bench.happened(Event::SendCall), bench.happened(Event::DatagramSent)), (2, 6));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_batch_that_the_kernel_cannot_cut_is_sent_datagram_by_datagram() {
        for errno in [Errno::INVAL, Errno::IO, Errno::MSGSIZE] {
            let bench = Bench::new();
            bench.sockets[0].1.refuse([errno]);
            bench.flush(&mut bench.queue(&[(0, 3)]));
            let sent: Vec<_> =
                bench.sockets[0].1.take_sent().into_iter().map(|sent| sent.octets[0]).collect();
            assert_eq!(sent, [0, 1, 2], "{errno}: all, in order");
            assert_eq!(bench.happened(Event::SegmentationRefused), 1);
            bench.flush(&mut bench.queue(&[(0, 3)]));
            assert_eq!(bench.sockets[0].1.take_sent().len(), 1, "{errno}: one refusal is not for ever");
        }
    }

    #[test]
    fn a_socket_that_cannot_segment_is_never_asked_to() {
        let mut bench = Bench::new();
        bench.sockets[0].1.can_segment = false;
        bench.flush(&mut bench.queue(&[(0, 3)]));
        assert_eq!(bench.sockets[0].1.take_sent().len(), 3);
    }

    #[test]
    fn a_full_send_buffer_is_waited_for_once_per_flush() {
        let bench = Bench::new();
        bench.sockets[0].1.refuse([Errno::AGAIN]);
        bench.flush(&mut bench.queue(&[(0, 1), (1, 1)]));
        assert_eq!(
            (bench.sockets[0].1.take_sent().len(), bench.sockets[0].1.waits.load(Ordering::Relaxed)),
            (1, 1)
        );
        bench.sockets[0].1.refuse([Errno::AGAIN, Errno::AGAIN]);
        bench.flush(&mut bench.queue(&[(0, 2)]));
        assert_eq!(bench.dropped(), [(DropReason::SendBufferFull, 2)]);
    }

    #[test]
    fn a_send_buffer_that_stays_full_costs_one_wait_whatever_is_queued() {
        let mut bench = Bench::new();
        bench.sockets[0].1.becomes_writable = false;
        bench.sockets[0].1.can_segment = false;
        bench.sockets[0].1.refuse([Errno::AGAIN; 4]);
        bench.flush(&mut bench.queue(&[(0, 4)]));
        assert_eq!(bench.sockets[0].1.waits.load(Ordering::Relaxed), 1);
        assert_eq!(bench.dropped(), [(DropReason::SendBufferFull, 4)]);
    }

    #[test]
    fn what_the_network_refuses_is_dropped_with_its_reason_and_the_rest_is_sent() {
        let bench = Bench::new();
        bench.sockets[0].1.refuse([Errno::MSGSIZE, Errno::MSGSIZE]);
        bench.flush(&mut bench.queue(&[(0, 2)]));
        assert_eq!(bench.sockets[0].1.take_sent().len(), 1);
        bench.sockets[0].1.refuse([Errno::PERM]);
        bench.flush(&mut bench.queue(&[(0, 2), (1, 1)]));
        assert_eq!(bench.dropped(), [(DropReason::SendTooLong, 1), (DropReason::SendFailed, 2)]);
        assert_eq!(bench.sockets[1].1.take_sent().len(), 1);
    }

    #[test]
    fn datagrams_for_a_listener_that_is_not_there_are_dropped() {
        let bench = Bench::new();
        bench.flush(&mut bench.queue(&[(7, 2)]));
        assert_eq!(bench.dropped(), [(DropReason::SendFailed, 2)]);
    }

    struct Bench {
        sockets: Vec<(ListenerId, MemorySocket)>,
        counters: WorkerCounters,
    }

    impl Bench {
        fn new() -> Self {
            let sockets = [0, 1].map(|id| (ListenerId(id), MemorySocket::new())).into();
            Self { sockets, counters: WorkerCounters::new() }
        }

        /// For each listener so many datagrams of 100 octets, numbered in their first.
        fn queue(&self, groups: &[(u16, usize)]) -> SendQueue {
            let mut queue = SendQueue::new(8);
            for (listener, count) in groups {
                for number in 0..*count {
                    let remote = "192.0.2.1:4000".parse().unwrap();
                    let path = Path {
                        listener: ListenerId(*listener),
                        transport: Transport::Udp,
                        remote,
                        local: None,
                    };
                    let mut room = queue.room(&path, 100).unwrap();
                    room.datagram()[0] = u8::try_from(number).unwrap();
                    room.commit();
                }
            }
            queue
        }

        fn flush(&self, queue: &mut SendQueue) {
            flush(queue, &self.sockets, &self.counters);
        }

        fn happened(&self, event: Event) -> u64 {
            PlaneCounters::sum([&self.counters]).happened(event)
        }

        fn dropped(&self) -> Vec<(DropReason, u64)> {
            PlaneCounters::sum([&self.counters]).drops().filter(|(_, count)| *count > 0).collect()
        }
    }
}
