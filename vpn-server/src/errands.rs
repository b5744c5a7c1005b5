//! Work that takes time, on a bounded number of threads: passwords, scripts.
//!
//! Whoever wants something done names a lane. Lanes take turns, so that one source with many wishes does not make
//! others wait; each lane and the whole queue have a limit, and what finds no room is told so at once. A panic costs
//! the one piece of work that caused it.
//!
//! Not for packets or handshakes, and not a place for work that waits for others: that would keep a thread for itself.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::error;

use crate::priority;

/// How many pieces of work may wait.
const WAITING: usize = 4096;
/// How many of them in one lane.
const WAITING_PER_LANE: usize = 256;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Work for clients of one /24 or /56; several pieces may be done at once.
    Source(IpAddr),
    /// Work about one client; its pieces are done in their order, one after the other.
    Client(u64),
}

/// Threads and the work that waits for them. Dropping it finishes what was begun, and drops what waits.
#[derive(Debug)]
pub struct Errands {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    emptied: Condvar,
}

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    /// Lanes with work that may be begun; each once.
    turns: VecDeque<Lane>,
    lanes: HashMap<Lane, Waiting>,
    waiting: usize,
    is_closed: bool,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    running: usize,
    has_turn: bool,
}

impl Lane {
    /// The lane of a client's network.
    #[must_use]
    pub fn of_source(address: IpAddr) -> Self {
        Self::Source(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address & Ipv4Addr::new(255, 255, 255, 0)),
            IpAddr::V6(address) => IpAddr::V6(address & Ipv6Addr::from_bits(u128::MAX << 72)),
        })
    }

    const fn keeps_order(self) -> bool {
        matches!(self, Self::Client(_))
    }
}

impl Errands {
    /// Starts `threads` threads, at least one, named after `name`.
    ///
    /// # Errors
    ///
    /// [`io::Error`] when a thread cannot be started.
    pub fn start(name: &str, threads: usize) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { queue: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new() });
        let mut errands = Self { shared, threads: Vec::new() };
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&errands.shared);
            let builder = std::thread::Builder::new().name(format!("{name}-{number}"));
            errands.threads.push(builder.spawn(move || {
                priority::give_way();
                shared.work();
            })?);
        }
        Ok(errands)
    }

    /// Has `work` done with `subject`, or `refuse` at once, on this thread, when there is no room for it.
    pub fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        subject: T,
        work: impl FnOnce(T) + Send + 'static,
        refuse: impl FnOnce(T),
    ) {
        let mut queue = self.shared.lock();
        if queue.has_room(lane) {
            queue.push(lane, Box::new(move || work(subject)));
            drop(queue);
            self.shared.filled.notify_one();
        } else {
            drop(queue);
            refuse(subject);
        }
    }
}

impl Errands {
    /// Waits until all that was asked for is done; answers whether it was within `limit`.
    #[must_use]
    pub fn finish(&self, limit: Duration) -> bool {
        let queue = self.shared.lock();
        let is_busy = |queue: &mut Queue| !queue.lanes.is_empty();
        let waited = self.shared.emptied.wait_timeout_while(queue, limit, is_busy);
        waited.unwrap_or_else(PoisonError::into_inner).0.lanes.is_empty()
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        let unfinished = {
            let mut queue = self.shared.lock();
            queue.is_closed = true;
            queue.turns.clear();
            std::mem::take(&mut queue.lanes)
        };
        self.shared.filled.notify_all();
        drop(unfinished);
        for thread in self.threads.drain(..) {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                error!("a thread for slow work ended with a panic");
            }
        }
    }
}

impl Shared {
    fn work(&self) {
        while let Some((lane, work)) = self.next() {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                error!("a panic in slow work was contained; please report it");
            }
            self.lock().finish(lane);
            self.filled.notify_one();
            self.emptied.notify_all();
        }
    }

    /// The next piece of work; `None` at the end.
    fn next(&self) -> Option<(Lane, Work)> {
        let mut queue = self.lock();
        loop {
            if let Some(next) = queue.pop() {
                return Some(next);
            }
            if queue.is_closed {
                return None;
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The queue is valid at every moment, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn has_room(&self, lane: Lane) -> bool {
        let in_lane = self.lanes.get(&lane).map_or(0, |waiting| waiting.work.len());
        !self.is_closed && self.waiting < WAITING && in_lane < WAITING_PER_LANE
    }

    fn push(&mut self, lane: Lane, work: Work) {
        self.lanes.entry(lane).or_default().work.push_back(work);
        self.waiting += 1;
        self.take_turn(lane);
    }

    /// Puts a lane at the end of the queue, unless it is in it, has nothing to do, or has to wait for its former work.
    fn take_turn(&mut self, lane: Lane) {
        let Some(waiting) = self.lanes.get_mut(&lane) else { return };
        let may_run = !lane.keeps_order() || waiting.running == 0;
        if !waiting.has_turn && !waiting.work.is_empty() && may_run {
            waiting.has_turn = true;
            self.turns.push_back(lane);
        }
    }

    fn pop(&mut self) -> Option<(Lane, Work)> {
        let lane = self.turns.pop_front()?;
        let waiting = self.lanes.get_mut(&lane)?;
        waiting.has_turn = false;
        let work = waiting.work.pop_front()?;
        waiting.running += 1;
        self.waiting -= 1;
        self.take_turn(lane);
        Some((lane, work))
    }

    fn finish(&mut self, lane: Lane) {
        if let Some(waiting) = self.lanes.get_mut(&lane) {
            waiting.running = waiting.running.saturating_sub(1);
            if waiting.work.is_empty() && waiting.running == 0 {
                self.lanes.remove(&lane);
            }
        }
        self.take_turn(lane);
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Queue").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn source(last: u8) -> Lane {
        Lane::of_source(IpAddr::from([192, 0, last, 7]))
    }

    fn refused(_: ()) {
        panic!("there is no room");
    }

    /// One thread that is busy until the sender is dropped, or told to go on.
    fn busy() -> (Errands, Sender<()>) {
        let errands = Errands::start("test", 1).unwrap();
        let (go_on, wait) = channel::<()>();
        let (started, has_started) = channel();
        let work = move |()| {
            started.send(()).unwrap();
            let _ = wait.recv();
        };
        errands.submit(source(0), (), work, refused);
        has_started.recv_timeout(LIMIT).unwrap();
        (errands, go_on)
    }

    fn order(of: &Receiver<u8>, count: usize) -> Vec<u8> {
        (0..count).map(|_| of.recv_timeout(LIMIT).unwrap()).collect()
    }

    #[test]
    fn lanes_take_turns() {
        let (errands, go_on) = busy();
        let (sender, done) = channel();
        for (lane, number) in [(1, 1), (1, 2), (1, 3), (2, 4), (3, 5), (2, 6)] {
            let sender = sender.clone();
            errands.submit(source(lane), (), move |()| sender.send(number).unwrap(), refused);
        }
        drop(go_on);
        assert_eq!(order(&done, 6), [1, 4, 5, 2, 6, 3]);
    }

    #[test]
    fn work_about_one_client_keeps_its_order_on_many_threads() {
        let errands = Errands::start("test", 4).unwrap();
        let (sender, done) = channel();
        for number in 0..50 {
            let sender = sender.clone();
            let work = move |()| {
                std::thread::sleep(Duration::from_micros(u64::from(50 - number) * 20));
                sender.send(number).unwrap();
            };
            errands.submit(Lane::Client(7), (), work, refused);
        }
        assert!(order(&done, 50).is_sorted());
    }

    #[test]
    fn ops_05_a_lane_holds_so_much_and_refuses_one_more() {
        let (errands, _go_on) = busy();
        let (sender, refusals) = channel();
        for _ in 0..=WAITING_PER_LANE {
            let sender = sender.clone();
            errands.submit(source(1), (), |()| {}, move |()| sender.send(1).unwrap());
        }
        assert_eq!(refusals.try_iter().count(), 1);
        errands.submit(source(2), (), |()| {}, refused);
    }

    #[test]
    fn ops_05_all_lanes_together_hold_so_much_and_refuse_one_more() {
        let (errands, _go_on) = busy();
        let (sender, refusals) = channel();
        for number in 0..=WAITING {
            let sender = sender.clone();
            let lane = Lane::Client(u64::try_from(number).unwrap());
            errands.submit(lane, (), |()| {}, move |()| sender.send(1).unwrap());
        }
        assert_eq!(refusals.try_iter().count(), 1);
    }

    #[test]
    fn net_12_a_panic_costs_its_own_work_and_nothing_else() {
        let errands = Errands::start("test", 1).unwrap();
        let (sender, done) = channel();
        errands.submit(source(1), (), |()| panic!("a test asked for this panic"), refused);
        errands.submit(source(1), (), move |()| sender.send(1).unwrap(), refused);
        assert_eq!(order(&done, 1), [1]);
    }

    #[test]
    fn who_wants_to_wait_until_all_is_done_can_and_not_for_ever() {
        let (errands, go_on) = busy();
        let (sender, done) = channel();
        errands.submit(source(1), (), move |()| sender.send(1).unwrap(), refused);
        assert!(!errands.finish(Duration::from_millis(50)));
        drop(go_on);
        assert!(errands.finish(LIMIT));
        assert_eq!(done.try_recv(), Ok(1));
    }

    #[test]
    fn at_the_end_what_waits_is_dropped_and_nothing_hangs() {
        let (errands, go_on) = busy();
        let (sender, done) = channel::<u8>();
        errands.submit(source(1), sender, |_sender| panic!("the end came before"), drop);
        let end = std::thread::spawn(move || drop(errands));
        assert_eq!(done.recv_timeout(LIMIT), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
        drop(go_on);
        end.join().unwrap();
    }

    #[test]
    fn neighbours_share_a_lane() {
        assert_eq!(source(1), Lane::of_source("::ffff:192.0.1.200".parse().unwrap()));
        assert_ne!(source(1), source(2));
        let lane = |text: &str| Lane::of_source(text.parse().unwrap());
        assert_eq!(lane("2001:db8:0:11::1"), lane("2001:db8:0:12::1"));
        assert_ne!(lane("2001:db8:0:100::1"), lane("2001:db8:0:200::1"));
    }
}
