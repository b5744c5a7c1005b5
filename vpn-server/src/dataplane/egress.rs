//! Sending what is queued, and what to do when the network does not take it.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use vpn_proto::Path;

use crate::transport::DatagramSocket;
use crate::transport::tcp::{Connection, ConnectionGone, Precedence};

use super::counters::{DropReason, Event, WorkerCounters};
use super::outlets::{Outlet, Outlets};
use super::send_queue::{SendGroup, SendQueue};

/// Sends every group of `queue`, oldest first, through the socket or connection it belongs to. What cannot be sent is
/// dropped.
pub(super) fn flush<S: DatagramSocket>(
    queue: &mut SendQueue,
    outlets: &Outlets<S>,
    counters: &WorkerCounters,
) {
    let mut egress = Egress { counters, has_waited: false };
    queue.drain(|group| match group.path().and_then(|path| Some((path, outlets.toward(path)?))) {
        Some((path, Outlet::Socket(socket))) => egress.send_group(socket, path, group),
        Some((_, Outlet::Connection(connection))) => egress.send_frames(&connection, group),
        None => counters.dropped_many(DropReason::ConnectionGone, group.count() as u64),
    });
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

    fn send_frames(&self, connection: &Connection, group: &SendGroup) {
        self.counters.happened(Event::SendCall);
        match connection.send(group.datagrams(), group.segment(), Precedence::Data) {
            Ok(taken) => {
                self.counters.happened_many(Event::DatagramSent, taken.packets as u64);
                self.counters.dropped_many(DropReason::OutputQueueFull, taken.dropped as u64);
            }
            Err(ConnectionGone) => {
                self.counters.dropped_many(DropReason::ConnectionGone, group.count() as u64);
            }
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
    use std::io::{ErrorKind, Read};
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use vpn_proto::{ListenerId, Transport};

    use crate::clock::Clock;
    use crate::transport::memory::MemorySocket;
    use crate::transport::poller::{Poller, Token};
    use crate::transport::tcp::{Accepted, Roster, StrangerLimits, TcpListener};

    use super::super::counters::PlaneCounters;
    use super::*;

    #[test]
    fn each_group_is_one_send_on_its_own_listener() {
        let bench = Bench::new();
        let mut queue = bench.queue(&[(0, 3), (1, 1), (0, 2)]);
        bench.flush(&mut queue);
        let sends = |index: usize| bench.socket(index).take_sent();
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
            bench.socket(0).refuse([errno]);
            bench.flush(&mut bench.queue(&[(0, 3)]));
            let sent: Vec<_> = bench.socket(0).take_sent().into_iter().map(|sent| sent.octets[0]).collect();
            assert_eq!(sent, [0, 1, 2], "{errno}: all, in order");
            assert_eq!(bench.happened(Event::SegmentationRefused), 1);
            bench.flush(&mut bench.queue(&[(0, 3)]));
            assert_eq!(bench.socket(0).take_sent().len(), 1, "{errno}: one refusal is not for ever");
        }
    }

    #[test]
    fn a_socket_that_cannot_segment_is_never_asked_to() {
        let bench = Bench::with(|first| first.can_segment = false);
        bench.flush(&mut bench.queue(&[(0, 3)]));
        assert_eq!(bench.socket(0).take_sent().len(), 3);
    }

    #[test]
    fn a_full_send_buffer_is_waited_for_once_per_flush() {
        let bench = Bench::new();
        bench.socket(0).refuse([Errno::AGAIN]);
        bench.flush(&mut bench.queue(&[(0, 1), (1, 1)]));
        assert_eq!(
            (bench.socket(0).take_sent().len(), bench.socket(0).waits.load(Ordering::Relaxed)),
            (1, 1)
        );
        bench.socket(0).refuse([Errno::AGAIN, Errno::AGAIN]);
        bench.flush(&mut bench.queue(&[(0, 2)]));
        assert_eq!(bench.dropped(), [(DropReason::SendBufferFull, 2)]);
    }

    #[test]
    fn a_send_buffer_that_stays_full_costs_one_wait_whatever_is_queued() {
        let bench = Bench::with(|first| (first.becomes_writable, first.can_segment) = (false, false));
        bench.socket(0).refuse([Errno::AGAIN; 4]);
        bench.flush(&mut bench.queue(&[(0, 4)]));
        assert_eq!(bench.socket(0).waits.load(Ordering::Relaxed), 1);
        assert_eq!(bench.dropped(), [(DropReason::SendBufferFull, 4)]);
    }

    #[test]
    fn what_the_network_refuses_is_dropped_with_its_reason_and_the_rest_is_sent() {
        let bench = Bench::new();
        bench.socket(0).refuse([Errno::MSGSIZE, Errno::MSGSIZE]);
        bench.flush(&mut bench.queue(&[(0, 2)]));
        assert_eq!(bench.socket(0).take_sent().len(), 1);
        bench.socket(0).refuse([Errno::PERM]);
        bench.flush(&mut bench.queue(&[(0, 2), (1, 1)]));
        assert_eq!(bench.dropped(), [(DropReason::SendTooLong, 1), (DropReason::SendFailed, 2)]);
        assert_eq!(bench.socket(1).take_sent().len(), 1);
    }

    #[test]
    fn packets_for_a_connection_that_is_not_there_are_dropped() {
        let bench = Bench::new();
        bench.flush(&mut bench.queue(&[(7, 2)]));
        assert_eq!(bench.dropped(), [(DropReason::ConnectionGone, 2)]);
    }

    #[test]
    fn a_group_for_a_connection_leaves_as_frames() {
        let bench = Bench::new();
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut client = TcpStream::connect(listener.address()).unwrap();
        let Accepted { stream, .. } = accept(&listener);
        let connection = Connection::open(path(7), stream, Poller::new().unwrap(), Token(0)).unwrap();
        bench.outlets.roster().enter(Arc::new(connection));
        bench.flush(&mut bench.queue(&[(7, 2), (0, 1)]));
        let mut frame = [0; 102];
        for number in [0, 1] {
            client.read_exact(&mut frame).unwrap();
            assert_eq!(frame[..3], [0, 100, number]);
        }
        assert_eq!((bench.happened(Event::SendCall), bench.happened(Event::DatagramSent)), (2, 3));
        bench.outlets.roster().find(&path(7)).unwrap().shut();
        bench.flush(&mut bench.queue(&[(7, 2)]));
        assert_eq!(bench.dropped(), [(DropReason::ConnectionGone, 2)]);
    }

    /// The connection of a client that has connected; the kernel may take a moment to hand it over.
    fn accept(listener: &TcpListener) -> Accepted {
        loop {
            match listener.accept(ListenerId(7)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                outcome => return outcome.unwrap(),
            }
        }
    }

    struct Bench {
        outlets: Outlets<MemorySocket>,
        counters: WorkerCounters,
    }

    impl Bench {
        fn new() -> Self {
            Self::with(|_| {})
        }

        fn with(change: impl FnOnce(&mut MemorySocket)) -> Self {
            let mut sockets = [0, 1].map(|id| (ListenerId(id), MemorySocket::new()));
            change(&mut sockets[0].1);
            let roster = Roster::new(StrangerLimits::default(), Clock::start());
            Self { outlets: Outlets::new(sockets, Arc::new(roster)), counters: WorkerCounters::new() }
        }

        fn socket(&self, index: usize) -> &MemorySocket {
            &self.outlets.sockets()[index].1
        }

        /// For each listener so many datagrams of 100 octets, numbered in their first.
        fn queue(&self, groups: &[(u16, usize)]) -> SendQueue {
            let mut queue = SendQueue::new(8);
            for (listener, count) in groups {
                for number in 0..*count {
                    let mut room = queue.room(&path(*listener), 100).unwrap();
                    room.datagram()[0] = u8::try_from(number).unwrap();
                    room.commit();
                }
            }
            queue
        }

        fn flush(&self, queue: &mut SendQueue) {
            flush(queue, &self.outlets, &self.counters);
        }

        fn happened(&self, event: Event) -> u64 {
            PlaneCounters::sum([&self.counters]).happened(event)
        }

        fn dropped(&self) -> Vec<(DropReason, u64)> {
            PlaneCounters::sum([&self.counters]).drops().filter(|(_, count)| *count > 0).collect()
        }
    }

    fn path(listener: u16) -> Path {
        Path {
            listener: ListenerId(listener),
            transport: Transport::Udp,
            remote: "192.0.2.1:4000".parse().unwrap(),
            local: None,
        }
    }
}
