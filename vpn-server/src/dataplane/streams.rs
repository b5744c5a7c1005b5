//! A worker's TCP connections: taken in, read, handed on, let go of.
//!
//! What a connection brings is read into one buffer that all of them share; a connection itself keeps no more than a
//! frame that has begun. Who may stay is the [`Roster`]'s business, what a packet means the pipeline's.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use vpn_proto::wire::tcp::{Deframer, FrameError, Frames, LONGEST_FRAME, Opening, opening};
use vpn_proto::{ListenerId, Path};

use super::counters::{Event, WorkerCounters};
use super::pipeline::Intake;
use crate::transport::SUPER_BUFFER;
use crate::transport::poller::{Interest, Poller, Token};
use crate::transport::port_share::PortShare;
use crate::transport::tcp::{Accepted, Connection, Roster, TcpListener};

/// The TCP side of an edge, as far as it is one worker's: it reads the connections that it takes in.
#[derive(Debug, Default)]
pub struct TcpEdge {
    /// The listeners, each with the id that paths name it by.
    pub listeners: Vec<(ListenerId, TcpListener)>,
    /// Where connections go that do not speak our protocol; without it they are closed.
    pub port_share: Option<Arc<PortShare>>,
    /// Connections of all workers that may be open at once; each takes a descriptor.
    pub most_connections: usize,
}

/// The listeners and connections of one worker.
pub(super) struct Streams {
    edge: TcpEdge,
    roster: Arc<Roster>,
    poller: Poller,
    tokens: Tokens,
    readers: HashMap<Token, Reader>,
    /// Readers whose packets found no room.
    paused: Vec<Token>,
    buffer: Box<[u8]>,
    is_paused: bool,
}

/// Gives each listener and connection a name of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    pub(super) first_listener: u64,
    pub(super) next_connection: u64,
}

/// A connection and what has begun to arrive on it.
struct Reader {
    connection: Arc<Connection>,
    deframer: Deframer,
    has_opened: bool,
    /// What was read before is still to be taken.
    is_paused: bool,
}

/// How a connection's turn ended.
enum Turn {
    GoesOn,
    /// There is no room for its packets: it goes on later.
    Paused,
    Ended,
    Malformed,
    /// It speaks another protocol; this is what was read of it.
    Foreign(Vec<u8>),
}

impl Streams {
    /// Watches the listeners of `edge`.
    pub(super) fn new(
        edge: TcpEdge,
        roster: Arc<Roster>,
        poller: Poller,
        tokens: Tokens,
    ) -> io::Result<Self> {
        for ((_, listener), token) in edge.listeners.iter().zip(tokens.first_listener..) {
            poller.add(listener, Token(token), Interest::Read)?;
        }
        let buffer = vec![0; SUPER_BUFFER].into_boxed_slice();
        Ok(Self {
            edge,
            roster,
            poller,
            tokens,
            readers: HashMap::new(),
            paused: Vec::new(),
            buffer,
            is_paused: false,
        })
    }

    /// Takes in what waits at the listener `index`, up to a turn's share.
    pub(super) fn accept(&mut self, index: usize, counters: &WorkerCounters) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some((id, listener)) = self.edge.listeners.get(index) else {
                return;
            };
            match listener.accept(*id) {
                Ok(accepted) => self.take_in(accepted, counters),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    counters.happened(Event::AcceptFailed);
                    return self.pause();
                }
            }
        }
    }

    /// Reads once from a connection and lets `take` have its packets. Answers with the path of a connection that ended
    /// and that the control side knows.
    pub(super) fn receive(
        &mut self,
        token: Token,
        counters: &WorkerCounters,
        take: impl FnOnce(Path, &mut Frames<'_>) -> Result<Intake, FrameError>,
    ) -> Option<Path> {
        let reader = self.readers.get_mut(&token)?;
        match reader.turn(&mut self.buffer, self.edge.port_share.is_some(), counters, take) {
            Turn::GoesOn => None,
            Turn::Paused => {
                self.paused.push(token);
                None
            }
            Turn::Ended => self.close(token, counters),
            Turn::Malformed => {
                counters.happened(Event::ConnectionMalformed);
                self.close(token, counters)
            }
            Turn::Foreign(octets) => {
                self.pass_on(token, octets, counters);
                None
            }
        }
    }

    /// Writes what waits for a connection that has room again.
    pub(super) fn flush(&self, token: Token) {
        if let Some(reader) = self.readers.get(&token) {
            // One that broke is found ready to be read, which ends it.
            let _ = reader.connection.flush();
        }
    }

    /// Lets go of a connection; answers with its path if the control side knows it.
    pub(super) fn close(&mut self, token: Token, counters: &WorkerCounters) -> Option<Path> {
        let connection = self.readers.remove(&token)?.connection;
        counters.happened(Event::ConnectionClosed);
        self.roster.remove(&connection);
        connection.abandon();
        connection.is_known().then(|| connection.path())
    }

    /// Shuts out strangers whose time is over and goes on accepting after a pause.
    pub(super) fn sweep(&mut self, counters: &WorkerCounters) {
        let timed_out = self.roster.sweep();
        counters.happened_many(Event::ConnectionTimedOut, timed_out as u64);
        if std::mem::take(&mut self.is_paused) {
            self.watch_listeners(Interest::Read);
        }
    }

    /// Whether packets of some connection wait for room.
    pub(super) fn has_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// The connections whose packets wait for room, to be tried again.
    pub(super) fn take_paused(&mut self) -> Vec<Token> {
        let mut paused = std::mem::take(&mut self.paused);
        paused.sort_unstable();
        paused.dedup();
        paused
    }

    /// Octets that were read and are still to be taken.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.readers.values().map(|reader| reader.deframer.kept()).sum()
    }

    /// Whether [`Streams::sweep`] has something to do sooner or later.
    pub(super) fn needs_sweeping(&self) -> bool {
        self.is_paused || !self.readers.is_empty()
    }

    fn take_in(&mut self, accepted: Accepted, counters: &WorkerCounters) {
        let Accepted { stream, path } = accepted;
        if self.roster.len() >= self.edge.most_connections {
            if !self.roster.evict() {
                return counters.happened(Event::ConnectionRefused);
            }
            counters.happened(Event::ConnectionEvicted);
        }
        match self.open(stream, path) {
            Ok(connection) => {
                counters.happened(Event::ConnectionAccepted);
                if self.roster.enter(connection) {
                    counters.happened(Event::ConnectionEvicted);
                }
            }
            Err(_) => counters.happened(Event::AcceptFailed),
        }
    }

    fn open(&mut self, stream: TcpStream, path: Path) -> io::Result<Arc<Connection>> {
        let token = Token(self.tokens.next_connection);
        self.tokens.next_connection += 1;
        let connection = Arc::new(Connection::open(path, stream, self.poller.clone(), token)?);
        let reader = Reader {
            connection: Arc::clone(&connection),
            deframer: Deframer::default(),
            has_opened: false,
            is_paused: false,
        };
        self.readers.insert(token, reader);
        Ok(connection)
    }

    fn pass_on(&mut self, token: Token, octets: Vec<u8>, counters: &WorkerCounters) {
        let (Some(reader), Some(share)) = (self.readers.remove(&token), &self.edge.port_share) else {
            return;
        };
        let stream = reader.connection.hand_over();
        self.roster.remove(&reader.connection);
        let was_taken = stream.is_ok_and(|stream| share.pass_on(stream, octets));
        counters.happened(if was_taken { Event::ConnectionShared } else { Event::ConnectionRefused });
    }

    /// The system is short of descriptors or memory: those who wait go on waiting until the next sweep.
    fn pause(&mut self) {
        self.is_paused = true;
        self.watch_listeners(Interest::Nothing);
    }

    fn watch_listeners(&self, interest: Interest) {
        for ((_, listener), token) in self.edge.listeners.iter().zip(self.tokens.first_listener..) {
            if let Err(error) = self.poller.change(listener, Token(token), interest) {
                tracing::error!(%error, address = %listener.address(), "a listener cannot be waited for");
            }
        }
    }
}

impl Reader {
    fn turn(
        &mut self,
        buffer: &mut [u8],
        is_port_shared: bool,
        counters: &WorkerCounters,
        take: impl FnOnce(Path, &mut Frames<'_>) -> Result<Intake, FrameError>,
    ) -> Turn {
        if self.connection.is_shut() {
            return Turn::Ended;
        }
        let was_paused = self.is_paused;
        let read = |space: &mut [u8]| if was_paused { Ok(0) } else { self.connection.read(space) };
        let buffer = &mut buffer[..self.appetite()];
        let mut frames = match self.deframer.fill(buffer, read) {
            Ok((0, _)) if !was_paused => return Turn::Ended,
            Ok((_, frames)) => frames,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Turn::GoesOn;
            }
            Err(_) => return Turn::Ended,
        };
        counters.happened(Event::ReceiveCall);
        if is_port_shared && !self.has_opened {
            match opening(frames.rest()) {
                Opening::Undecided => {
                    self.deframer.keep(&frames);
                    return Turn::GoesOn;
                }
                Opening::Foreign => return Turn::Foreign(frames.rest().to_vec()),
                Opening::OpenVpn => self.has_opened = true,
            }
        }
        let outcome = take(self.connection.path(), &mut frames);
        self.deframer.keep(&frames);
        let Ok(intake) = outcome else { return Turn::Malformed };
        self.is_paused = intake == Intake::Interrupted;
        if self.is_paused != was_paused {
            self.connection.set_paused(self.is_paused);
        }
        if self.is_paused { Turn::Paused } else { Turn::GoesOn }
    }

    /// How much is read at once, and so may have to be kept: of a stranger no more than a frame or two.
    fn appetite(&self) -> usize {
        if self.connection.is_guest() || self.is_paused { SUPER_BUFFER } else { 2 * LONGEST_FRAME }
    }
}

/// Connections that one turn takes in.
const ACCEPTS_PER_TURN: usize = 16;
