//! All connections of a data plane: found by their path, watched over by their standing.
//!
//! Workers enter and remove them; the control side, which knows who has authenticated, tells their standing. What
//! stands badly is shut down, and its worker then removes it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use vpn_proto::{Moment, Path};

use super::connection::Connection;
use super::strangers::{StrangerLimits, Strangers};
use crate::clock::Clock;

/// How long a connection that is over may take to accept what was said last.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the control side knows of a connection. Each begins as a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its hard reset is complete; the handshake has a time limit of its own.
    Handshake,
    /// A client that was let in uses it.
    Session,
    /// Nobody has anything to say there any more.
    Over,
}

/// All connections.
#[derive(Debug)]
pub struct Roster {
    clock: Clock,
    by_path: RwLock<HashMap<Path, Arc<Connection>>>,
    watched: Mutex<Watched>,
}

/// Connections that live on time.
#[derive(Debug)]
struct Watched {
    strangers: Strangers,
    closing: Vec<(Moment, Weak<Connection>)>,
}

impl Roster {
    /// A roster without connections.
    #[must_use]
    pub fn new(limits: StrangerLimits, clock: Clock) -> Self {
        let watched = Watched { strangers: Strangers::new(limits), closing: Vec::new() };
        Self { clock, by_path: RwLock::default(), watched: Mutex::new(watched) }
    }

    /// Enters a stranger's connection. Answers with whether another one was shut down for it.
    pub fn enter(&self, connection: Arc<Connection>) -> bool {
        let path = connection.path();
        self.write(|by_path| by_path.insert(path, connection));
        let evicted = self.watched().strangers.arrive(self.clock.now(), path);
        self.shut(evicted)
    }

    /// Removes a connection that its worker lets go of.
    pub fn remove(&self, connection: &Arc<Connection>) {
        let path = connection.path();
        let was_there = self.write(|by_path| {
            let is_same = by_path.get(&path).is_some_and(|known| Arc::ptr_eq(known, connection));
            is_same.then(|| by_path.remove(&path)).is_some()
        });
        if was_there {
            self.watched().strangers.leave(&path);
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_path.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The connection on `path`.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<Arc<Connection>> {
        self.by_path.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Takes note of how the connection on `path` stands.
    pub fn set_standing(&self, path: &Path, standing: Standing) {
        let Some(connection) = self.find(path) else { return };
        connection.set_known();
        match standing {
            Standing::Handshake => self.watched().strangers.begin(path),
            Standing::Session => {
                connection.set_guest();
                self.watched().strangers.leave(path);
            }
            Standing::Over => {
                connection.close_when_flushed();
                let mut watched = self.watched();
                watched.strangers.leave(path);
                let deadline = self.clock.now() + LAST_WORDS;
                watched.closing.push((deadline, Arc::downgrade(&connection)));
            }
        }
    }

    /// Shuts down one stranger's connection to make room; `false` if there are no strangers.
    pub fn evict(&self) -> bool {
        let evicted = self.watched().strangers.evict();
        self.shut(evicted)
    }

    /// Shuts down what had its time: call it about once a second. Answers with how many strangers that concerned.
    pub fn sweep(&self) -> usize {
        self.sweep_at(self.clock.now())
    }

    fn sweep_at(&self, now: Moment) -> usize {
        let mut watched = self.watched();
        let overdue = watched.strangers.take_overdue(now);
        let stays = |(deadline, connection): &(Moment, Weak<Connection>)| match connection.upgrade() {
            Some(connection) if *deadline <= now => {
                connection.shut();
                false
            }
            Some(_) => true,
            None => false,
        };
        watched.closing.retain(stays);
        drop(watched);
        overdue.into_iter().filter(|path| self.shut(Some(*path))).count()
    }

    fn shut(&self, path: Option<Path>) -> bool {
        let connection = path.and_then(|path| self.find(&path));
        connection.inspect(|connection| connection.shut()).is_some()
    }

    fn write<T>(&self, change: impl FnOnce(&mut HashMap<Path, Arc<Connection>>) -> T) -> T {
        change(&mut self.by_path.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use vpn_proto::{ListenerId, Transport};

    use super::super::output::Precedence;
    use super::*;
    use crate::transport::poller::{Poller, Token};

    #[test]
    fn a_connection_is_found_until_it_is_removed() {
        let world = World::new(StrangerLimits::default());
        let (connection, _client) = world.connect();
        let found = world.roster.find(&connection.path()).unwrap();
        assert!(Arc::ptr_eq(&found, &connection));
        world.roster.remove(&connection);
        assert!(world.roster.find(&connection.path()).is_none());
    }

    #[test]
    fn a_former_connection_does_not_take_its_successor_away() {
        let world = World::new(StrangerLimits { per_prefix: 1, ..StrangerLimits::default() });
        let (former, _client) = world.connect();
        let _another_client = TcpStream::connect(world.listener.local_addr().unwrap()).unwrap();
        let successor = world.accept(former.path());
        world.roster.enter(Arc::clone(&successor));
        world.roster.remove(&former);
        assert!(world.roster.find(&former.path()).is_some());
        assert!(world.roster.evict(), "the successor is still a stranger");
        assert!(successor.is_shut());
    }

    #[test]
    fn net_09_one_stranger_too_many_costs_the_oldest_its_connection() {
        let world = World::new(StrangerLimits { per_prefix: 2, ..StrangerLimits::default() });
        let strangers: Vec<_> = (0..3).map(|_| world.connect()).collect();
        assert_eq!(strangers.iter().map(|(one, _)| one.is_shut()).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn who_was_let_in_is_no_stranger() {
        let world = World::new(StrangerLimits { per_prefix: 2, ..StrangerLimits::default() });
        let guests: Vec<_> = (0..5)
            .map(|_| {
                let guest = world.connect();
                world.roster.set_standing(&guest.0.path(), Standing::Session);
                guest
            })
            .collect();
        assert!(guests.iter().all(|(guest, _)| !guest.is_shut()));
        assert!(!world.roster.evict());
    }

    #[test]
    fn net_09_a_stranger_that_stays_one_is_shut_out_in_time() {
        let patience = Duration::from_secs(3600);
        let world = World::new(StrangerLimits { patience, ..StrangerLimits::default() });
        let (silent, _first) = world.connect();
        let (begun, _second) = world.connect();
        let (guest, _third) = world.connect();
        world.roster.set_standing(&begun.path(), Standing::Handshake);
        world.roster.set_standing(&guest.path(), Standing::Session);
        let now = world.roster.clock.now();
        assert_eq!((world.roster.sweep_at(now), silent.is_shut()), (0, false));
        assert_eq!(world.roster.sweep_at(now + patience), 1);
        assert_eq!([&silent, &begun, &guest].map(|one| one.is_shut()), [true, false, false]);
    }

    #[test]
    fn what_is_over_is_closed_when_its_last_words_have_left() {
        let world = World::new(StrangerLimits::default());
        let (connection, _client) = world.connect();
        connection.send(b"farewell", 8, Precedence::Control).unwrap();
        world.roster.set_standing(&connection.path(), Standing::Over);
        assert!(connection.is_shut());
        world.roster.set_standing(&connection.path(), Standing::Over);
        world.roster.remove(&connection);
        world.roster.set_standing(&connection.path(), Standing::Over);
    }

    #[test]
    fn a_reader_too_slow_for_last_words_does_not_keep_a_connection() {
        let world = World::new(StrangerLimits::default());
        let (connection, _client) = world.connect();
        while connection.send(&[0; 1000], 1000, Precedence::Data).unwrap().dropped == 0 {}
        connection.send(b"farewell", 8, Precedence::Control).unwrap();
        world.roster.set_standing(&connection.path(), Standing::Over);
        world.roster.sweep();
        assert!(!connection.is_shut());
        world.roster.watched().closing[0].0 = Moment::default();
        world.roster.sweep();
        assert!(connection.is_shut());
        assert!(world.roster.watched().closing.is_empty());
    }

    struct World {
        roster: Roster,
        listener: TcpListener,
        poller: Poller,
    }

    impl World {
        fn new(limits: StrangerLimits) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            Self { roster: Roster::new(limits, Clock::start()), listener, poller: Poller::new().unwrap() }
        }

        fn connect(&self) -> (Arc<Connection>, TcpStream) {
            let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            let remote = client.local_addr().unwrap();
            let connection =
                self.accept(Path { listener: ListenerId(0), transport: Transport::Tcp, remote, local: None });
            self.roster.enter(Arc::clone(&connection));
            (connection, client)
        }

        fn accept(&self, path: Path) -> Arc<Connection> {
            let (stream, _) = self.listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            Arc::new(Connection::open(path, stream, self.poller.clone(), Token(1)).unwrap())
        }
    }
}
