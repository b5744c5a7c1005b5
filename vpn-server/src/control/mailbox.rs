//! The queue into one control shard: commands first, then what arrived from the network.
//!
//! Packets come from anybody, and more of them than can be dealt with. So they wait in four queues that are served in
//! turn: those of connections, of clients that were let in, of handshakes, and hard resets; in each of them every sender
//! has a line (see [`FairQueue`]). A flood of one kind, or from one place, delays its like (NET-05). What finds no room is
//! refused: datagrams are lost then, as on any network; a connection is not read until there is room.
//!
//! The end of a connection is never refused, but waits behind its packets: the last of them may say why it ended.
//! Commands come from this process (revocation, shutdown, exits of authenticated peers); they are never refused and
//! never wait behind packets, so that no flood can delay the end of a session.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vpn_proto::wire::opcode::starts_session;
use vpn_proto::{Path, SourceNetwork, Transport};

use super::fair_queue::FairQueue;

/// How many arrivals are delivered at once: commands that come meanwhile wait for no more than these.
const ARRIVALS_PER_DELIVERY: usize = 16;

/// A queue with any number of senders and one receiver.
#[derive(Debug)]
pub(super) struct Mailbox<Command> {
    queue: Mutex<Queue<Command>>,
    filled: Condvar,
}

#[derive(Debug)]
struct Queue<Command> {
    commands: VecDeque<Command>,
    arrivals: Arrivals,
    receiver_is_waiting: bool,
}

/// What arrived and waits, by kind.
#[derive(Debug)]
struct Arrivals {
    kinds: [FairQueue<Arrival>; KINDS],
    /// The kind whose turn is next.
    turn: usize,
}

const KINDS: usize = 4;

/// Whose a packet is, as far as it is known before anybody has looked into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connection = 0,
    Guest = 1,
    Handshake = 2,
    Reset = 3,
}

/// Whether a packet came by a path on which there is a client that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    Guest,
    Stranger,
}

/// What came from the network.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A datagram, or a packet of a connection.
    Datagram { path: Path, bytes: Vec<u8> },
    /// The end of a connection.
    Disconnected { path: Path },
}

impl Arrival {
    /// Where it came from.
    pub(super) const fn path(&self) -> &Path {
        match self {
            Self::Datagram { path, .. } | Self::Disconnected { path } => path,
        }
    }
}

/// What one wait brought.
#[derive(Debug)]
pub(super) struct Delivery<Command> {
    pub(super) commands: VecDeque<Command>,
    pub(super) arrivals: Vec<Arrival>,
}

impl<Command> Mailbox<Command> {
    pub(super) fn new() -> Self {
        let queue =
            Queue { commands: VecDeque::new(), arrivals: Arrivals::new(), receiver_is_waiting: false };
        Self { queue: Mutex::new(queue), filled: Condvar::new() }
    }

    /// Puts a packet in; `false` when there is no room for it.
    pub(super) fn post_datagram(&self, path: Path, bytes: Vec<u8>, acquaintance: Acquaintance) -> bool {
        let mut queue = self.lock();
        let has_room = queue.arrivals.push(path, bytes, acquaintance);
        if has_room {
            self.wake(queue);
        }
        has_room
    }

    /// Puts in that a connection ended, of which the receiver took note: there are no more of these than connections.
    pub(super) fn post_disconnected(&self, path: Path) {
        let mut queue = self.lock();
        queue.arrivals.push_end(path);
        self.wake(queue);
    }

    pub(super) fn post_command(&self, command: Command) {
        let mut queue = self.lock();
        queue.commands.push_back(command);
        self.wake(queue);
    }

    /// Takes out all commands and some arrivals, after waiting for something for at most `patience`.
    pub(super) fn take(&self, patience: Duration) -> Delivery<Command> {
        let mut queue = self.lock();
        if queue.is_empty() && !patience.is_zero() {
            queue.receiver_is_waiting = true;
            queue = self
                .filled
                .wait_timeout_while(queue, patience, |queue| queue.is_empty())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            queue.receiver_is_waiting = false;
        }
        let commands = std::mem::take(&mut queue.commands);
        let arrivals = std::iter::from_fn(|| queue.arrivals.pop());
        Delivery { commands, arrivals: arrivals.take(ARRIVALS_PER_DELIVERY).collect() }
    }

    /// Lets the receiver run, if it sleeps: a busy one looks by itself.
    fn wake(&self, queue: MutexGuard<'_, Queue<Command>>) {
        let receiver_is_waiting = queue.receiver_is_waiting;
        drop(queue);
        if receiver_is_waiting {
            self.filled.notify_one();
        }
    }

    /// The queue is valid at every moment, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Queue<Command>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Command> Queue<Command> {
    fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.arrivals.is_empty()
    }
}

impl Arrivals {
    fn new() -> Self {
        Self { kinds: std::array::from_fn(|_| FairQueue::new()), turn: 0 }
    }

    fn is_empty(&self) -> bool {
        self.kinds.iter().all(FairQueue::is_empty)
    }

    fn push(&mut self, path: Path, bytes: Vec<u8>, acquaintance: Acquaintance) -> bool {
        let kind = Kind::of(&path, &bytes, acquaintance);
        let queue = &mut self.kinds[kind as usize];
        let arrival = Arrival::Datagram { path, bytes };
        match kind {
            Kind::Connection | Kind::Guest => queue.push(path.remote, arrival),
            Kind::Handshake | Kind::Reset => queue.push(SourceNetwork::of(path.remote.ip()), arrival),
        }
    }

    fn push_end(&mut self, path: Path) {
        let arrival = Arrival::Disconnected { path };
        self.kinds[Kind::Connection as usize].push_always(path.remote, arrival);
    }

    /// The next arrival: of each kind in turn.
    fn pop(&mut self) -> Option<Arrival> {
        for _ in 0..KINDS {
            self.turn = (self.turn + 1) % KINDS;
            let arrival = self.kinds[self.turn].pop();
            if arrival.is_some() {
                return arrival;
            }
        }
        None
    }
}

impl Kind {
    fn of(path: &Path, bytes: &[u8], acquaintance: Acquaintance) -> Self {
        match (path.transport, acquaintance) {
            (Transport::Tcp, _) => Self::Connection,
            // It may be a client that comes back, or anybody in its name.
            (Transport::Udp, _) if starts_session(bytes) => Self::Reset,
            (Transport::Udp, Acquaintance::Guest) => Self::Guest,
            (Transport::Udp, Acquaintance::Stranger) => Self::Handshake,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use vpn_proto::ListenerId;

    use super::super::fair_queue::LONGEST_LINE;
    use super::*;

    /// The first octets of a hard reset and of another control packet.
    const RESET: u8 = 0x38;
    const CONTROL: u8 = 0x20;

    fn post(mailbox: &Mailbox<&str>, path: Path, first_octet: u8) -> bool {
        mailbox.post_datagram(path, vec![first_octet], Acquaintance::Stranger)
    }

    #[test]
    fn a_full_line_refuses_datagrams_and_takes_commands() {
        let mailbox = Mailbox::new();
        for _ in 0..LONGEST_LINE {
            assert!(post(&mailbox, path(), CONTROL));
        }
        assert!(!post(&mailbox, path(), CONTROL));
        mailbox.post_command("stop");
        let delivery = mailbox.take(Duration::ZERO);
        assert_eq!(delivery.commands, ["stop"]);
        assert_eq!(delivery.arrivals.len(), ARRIVALS_PER_DELIVERY);
        for _ in 0..ARRIVALS_PER_DELIVERY {
            assert!(post(&mailbox, path(), CONTROL));
        }
        assert!(!post(&mailbox, path(), CONTROL));
    }

    #[test]
    fn net_05_every_kind_has_its_turn_whatever_the_others_have_waiting() {
        let mailbox = Mailbox::new();
        let guest = Path { remote: "203.0.113.1:1000".parse().unwrap(), ..path() };
        let connection = Path { transport: Transport::Tcp, ..path() };
        while post(&mailbox, path(), RESET) {}
        while post(&mailbox, path(), CONTROL) {}
        assert!(mailbox.post_datagram(guest, vec![CONTROL], Acquaintance::Guest));
        assert!(post(&mailbox, connection, CONTROL));
        let arrivals = mailbox.take(Duration::ZERO).arrivals;
        let position = |path: Path| arrivals.iter().position(|arrival| *arrival.path() == path).unwrap();
        assert!(position(guest) < KINDS && position(connection) < KINDS);
    }

    /// A second of 500 handshakes, each of a network of its own with a reset and five further packets, and a client that
    /// sends one packet in each hundredth of it, while hardly more than half of all that can be served: none of its
    /// packets is refused, and each is in the next delivery.
    #[test]
    fn net_05_five_hundred_handshakes_a_second_keep_no_client_waiting() {
        let mailbox = Mailbox::<()>::new();
        let guest = Path { remote: "203.0.113.1:1000".parse().unwrap(), ..path() };
        let stranger = |number: u32| {
            let [_, high, low, _] = (number << 8).to_be_bytes();
            Path { remote: (std::net::Ipv4Addr::new(198, 18 ^ high, low, 7), 1194).into(), ..path() }
        };
        for hundredth in 0..100 {
            for number in hundredth * 5..hundredth * 5 + 5 {
                let packets = [RESET, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL];
                for octet in packets {
                    mailbox.post_datagram(stranger(number), vec![octet], Acquaintance::Stranger);
                }
            }
            assert!(mailbox.post_datagram(guest, vec![CONTROL], Acquaintance::Guest));
            let arrivals = mailbox.take(Duration::ZERO).arrivals;
            assert!(arrivals.iter().any(|arrival| *arrival.path() == guest), "in {hundredth}/100 s");
        }
    }

    #[test]
    fn the_end_of_a_connection_finds_room_and_comes_after_its_packets() {
        let mailbox = Mailbox::new();
        let connection = Path { transport: Transport::Tcp, ..path() };
        let mut posted = 0;
        while post(&mailbox, connection, [RESET, CONTROL][posted % 2]) {
            posted += 1;
        }
        mailbox.post_disconnected(connection);
        let mut arrivals = Vec::new();
        while arrivals.len() <= posted {
            arrivals.extend(mailbox.take(Duration::ZERO).arrivals);
        }
        let end = arrivals.iter().position(|arrival| matches!(arrival, Arrival::Disconnected { .. }));
        assert_eq!(end, Some(posted));
    }

    #[test]
    fn a_command_waits_for_one_delivery_of_datagrams_at_most() {
        let mailbox = Mailbox::new();
        while post(&mailbox, path(), CONTROL) {}
        assert!(mailbox.take(Duration::ZERO).commands.is_empty());
        mailbox.post_command("revoke");
        assert_eq!(mailbox.take(Duration::ZERO).commands, ["revoke"]);
    }

    #[test]
    fn waiting_ends_with_the_first_arrival() {
        let mailbox = Arc::new(Mailbox::new());
        let sender = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            sender.post_command(7);
        });
        let start = Instant::now();
        let delivery = mailbox.take(Duration::from_secs(1000));
        assert_eq!(delivery.commands, [7]);
        assert!(start.elapsed() < Duration::from_secs(500));
        thread.join().unwrap();
    }

    #[test]
    fn patience_ends_the_wait_with_nothing() {
        let delivery = Mailbox::<()>::new().take(Duration::from_millis(10));
        assert!(delivery.commands.is_empty() && delivery.arrivals.is_empty());
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let mailbox = Arc::new(Mailbox::new());
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let mailbox = Arc::clone(&mailbox);
                std::thread::spawn(move || (0..1000).for_each(|number| mailbox.post_command(number)))
            })
            .collect();
        let mut received = 0;
        while received < 4000 {
            received += mailbox.take(Duration::from_secs(60)).commands.len();
        }
        assert_eq!(received, 4000);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    }

    fn path() -> Path {
        Path {
            listener: ListenerId(0),
            transport: Transport::Udp,
            remote: "192.0.2.1:1000".parse().unwrap(),
            local: None,
        }
    }
}
