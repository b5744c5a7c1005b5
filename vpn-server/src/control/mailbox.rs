//! The queue into one control shard: commands first, then what arrived from the network.
//!
//! Datagrams come from anybody; there is room for [`DATAGRAMS`] of them, and further ones are dropped, as a socket
//! would. The end of a connection is never dropped, but waits behind its datagrams: the last of them may say why it
//! ended. Commands come from this process (revocation, shutdown, exits of authenticated peers); they are never dropped
//! and never wait behind datagrams, so that no flood can delay the end of a session.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vpn_proto::Path;

/// How many datagrams may wait.
pub(super) const DATAGRAMS: usize = 4096;

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
    arrivals: VecDeque<Arrival>,
    receiver_is_waiting: bool,
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
    pub(super) const fn new() -> Self {
        let queue =
            Queue { commands: VecDeque::new(), arrivals: VecDeque::new(), receiver_is_waiting: false };
        Self { queue: Mutex::new(queue), filled: Condvar::new() }
    }

    /// Puts a datagram in; `false` when there is no room for it.
    pub(super) fn post_datagram(&self, path: Path, bytes: Vec<u8>) -> bool {
        let mut queue = self.lock();
        let has_room = queue.arrivals.len() < DATAGRAMS;
        if has_room {
            queue.arrivals.push_back(Arrival::Datagram { path, bytes });
            self.wake(queue);
        }
        has_room
    }

    /// Puts in that a connection ended, of which the receiver took note: there are no more of these than connections.
    pub(super) fn post_disconnected(&self, path: Path) {
        let mut queue = self.lock();
        queue.arrivals.push_back(Arrival::Disconnected { path });
        self.wake(queue);
    }

    pub(super) fn post_command(&self, command: Command) {
        let mut queue = self.lock();
        queue.commands.push_back(command);
        self.wake(queue);
    }

    /// Takes out all commands and the oldest arrivals, after waiting for something for at most `patience`.
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
        let oldest = queue.arrivals.len().min(ARRIVALS_PER_DELIVERY);
        Delivery {
            commands: std::mem::take(&mut queue.commands),
            arrivals: queue.arrivals.drain(..oldest).collect(),
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use vpn_proto::{ListenerId, Transport};

    use super::*;

    #[test]
    fn a_full_mailbox_drops_datagrams_and_takes_commands() {
        let mailbox = Mailbox::new();
        for _ in 0..DATAGRAMS {
            assert!(mailbox.post_datagram(path(), vec![1]));
        }
        assert!(!mailbox.post_datagram(path(), vec![2]));
        mailbox.post_command("stop");
        let delivery = mailbox.take(Duration::ZERO);
        assert_eq!(delivery.commands, ["stop"]);
        assert_eq!(delivery.arrivals.len(), ARRIVALS_PER_DELIVERY);
        for _ in 0..ARRIVALS_PER_DELIVERY {
            assert!(mailbox.post_datagram(path(), vec![3]));
        }
        assert!(!mailbox.post_datagram(path(), vec![3]));
    }

    #[test]
    fn the_end_of_a_connection_finds_room_and_comes_after_its_datagrams() {
        let mailbox = Mailbox::<()>::new();
        for _ in 0..DATAGRAMS {
            mailbox.post_datagram(path(), vec![1]);
        }
        mailbox.post_disconnected(path());
        let mut arrivals = Vec::new();
        while arrivals.len() <= DATAGRAMS {
            arrivals.extend(mailbox.take(Duration::ZERO).arrivals);
        }
        let end = arrivals.iter().position(|arrival| matches!(arrival, Arrival::Disconnected { .. }));
        assert_eq!(end, Some(DATAGRAMS));
    }

    #[test]
    fn a_command_waits_for_one_delivery_of_datagrams_at_most() {
        let mailbox = Mailbox::new();
        for _ in 0..DATAGRAMS {
            mailbox.post_datagram(path(), vec![1]);
        }
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
        let delivery = mailbox.take(Duration::from_secs(30));
        assert_eq!(delivery.commands, [7]);
        assert!(start.elapsed() < Duration::from_secs(5));
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
            received += mailbox.take(Duration::from_secs(5)).commands.len();
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
