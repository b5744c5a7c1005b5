//! One worker thread: waits for its sockets, its device and the call to stop, and gives each its turn.
//!
//! Readiness is level-triggered and every turn is bounded, so a source with more to give is found ready again at the
//! next wait and no source starves another. A defect that shows as a panic costs the packets of one turn (NET-12).

use std::any::Any;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use vpn_proto::Moment;

use crate::clock::Clock;
use crate::transport::poller::{Interest, Poller, Ready, ReadyList, Token};
use crate::transport::tun::TunQueue;
use crate::transport::udp::UdpListener;

use super::counters::Event;
use super::station::Station;
use super::streams::Tokens;

/// A worker that has everything it needs and has not begun.
pub(super) struct Worker {
    station: Station<UdpListener, TunQueue>,
    poller: Poller,
    stop: Arc<OwnedFd>,
    clock: Clock,
    next_sweep: Moment,
}

/// Ends a worker from another thread.
pub(super) struct StopSwitch(Arc<OwnedFd>);

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Socket(usize),
    Listener(usize),
    Connection(Token),
    Device,
    Stop,
}

impl Worker {
    /// A worker that waits with `poller`, which watches the listeners of the station's streams already.
    pub(super) fn new(
        station: Station<UdpListener, TunQueue>,
        poller: Poller,
        clock: Clock,
    ) -> io::Result<Self> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let watch = |fd, source: Source| poller.add(fd, source.into(), Interest::Read);
        for (index, (_, socket)) in station.outlets.sockets().iter().enumerate() {
            watch(socket.as_fd(), Source::Socket(index))?;
        }
        watch(station.device.as_fd(), Source::Device)?;
        watch(stop.as_fd(), Source::Stop)?;
        Ok(Self { station, poller, stop, clock, next_sweep: clock.now() })
    }

    pub(super) fn stop_switch(&self) -> StopSwitch {
        StopSwitch(Arc::clone(&self.stop))
    }

    /// Works until it is stopped. Ends on its own only if it cannot go on: the reason is logged.
    pub(super) fn run(mut self) {
        let mut ready = ReadyList::with_capacity(READY_AT_ONCE);
        loop {
            let limit = self.patience();
            if let Err(error) = self.poller.wait(&mut ready, limit) {
                return tracing::error!(%error, "data plane worker cannot wait for packets");
            }
            for ready in ready.iter() {
                let source = Source::from(ready.token);
                if source == Source::Stop {
                    return;
                }
                if let Err(error) = self.contained_turn(source, ready) {
                    return tracing::error!(%error, "data plane worker lost its tunnel device");
                }
            }
            if limit.is_some() {
                self.station.resume_connections();
                self.sweep();
            }
        }
    }

    /// How long a wait may take; `None` as long as nothing depends on time.
    fn patience(&self) -> Option<Duration> {
        if self.station.streams.has_paused() {
            return Some(RETRY_INTERVAL);
        }
        self.station.streams.needs_sweeping().then_some(SWEEP_INTERVAL)
    }

    /// Gives `source` its turn. Fails only for an error that would come back at every turn from now on.
    fn contained_turn(&mut self, source: Source, ready: Ready) -> io::Result<()> {
        match catch_unwind(AssertUnwindSafe(|| self.turn(source, ready))) {
            Ok(outcome) => outcome,
            Err(panic) => {
                self.station.counters.happened(Event::Panic);
                tracing::error!(panic = panic_message(&*panic), "a defect in the data plane was contained");
                self.station.abandon_turn();
                if let Source::Connection(token) = source {
                    self.station.abandon_connection(token);
                }
                Ok(())
            }
        }
    }

    fn turn(&mut self, source: Source, ready: Ready) -> io::Result<()> {
        match source {
            Source::Socket(index) => {
                if self.station.drain_socket(index).is_err() {
                    self.station.counters.happened(Event::ReceiveFailed);
                }
            }
            Source::Listener(index) => self.station.accept(index),
            Source::Connection(token) => {
                if ready.can_write {
                    self.station.streams.flush(token);
                }
                if ready.can_read {
                    self.station.drain_connection(token);
                }
            }
            Source::Device => self.station.drain_device()?,
            Source::Stop => {}
        }
        Ok(())
    }

    /// Looks after connections that live on time, if that was not done lately.
    fn sweep(&mut self) {
        let now = self.clock.now();
        if self.next_sweep <= now {
            self.next_sweep = now + SWEEP_INTERVAL;
            self.station.streams.sweep(&self.station.counters);
        }
    }
}

impl StopSwitch {
    /// Asks the worker to end after the turn it is in.
    pub(super) fn press(&self) {
        // The counter of an eventfd cannot be full after one write, and nobody writes more often.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl From<Source> for Token {
    fn from(source: Source) -> Self {
        match source {
            Source::Socket(index) => Self(index as u64),
            Source::Listener(index) => Self(FIRST_LISTENER + index as u64),
            Source::Connection(token) => token,
            Source::Device => DEVICE,
            Source::Stop => STOP,
        }
    }
}

impl From<Token> for Source {
    fn from(token: Token) -> Self {
        let index = |offset| usize::try_from(token.0 - offset).unwrap_or(usize::MAX);
        match token {
            DEVICE => Self::Device,
            STOP => Self::Stop,
            Token(FIRST_CONNECTION..) => Self::Connection(token),
            Token(FIRST_LISTENER..) => Self::Listener(index(FIRST_LISTENER)),
            Token(_) => Self::Socket(index(0)),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// How the streams of a worker name theirs; sockets are numbered from 0. Listener ids have 16 bits.
pub(super) const TOKENS: Tokens =
    Tokens { first_listener: FIRST_LISTENER, next_connection: FIRST_CONNECTION };
const FIRST_LISTENER: u64 = 1 << 16;
const FIRST_CONNECTION: u64 = 1 << 32;
const DEVICE: Token = Token(u64::MAX - 1);
const STOP: Token = Token(u64::MAX);
/// Sources that one wait can report; the others are reported by the next.
const READY_AT_ONCE: usize = 16;
/// How long a connection rests when there is no room for its packets.
const RETRY_INTERVAL: Duration = Duration::from_millis(2);
/// How often connections that live on time are looked after.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_has_a_token_of_its_own() {
        let sources = [
            Source::Socket(0),
            Source::Socket(65_535),
            Source::Listener(0),
            Source::Listener(65_535),
            Source::Connection(Token(FIRST_CONNECTION)),
            Source::Connection(Token(u64::MAX - 2)),
            Source::Device,
            Source::Stop,
        ];
        for source in sources {
            assert_eq!(Source::from(Token::from(source)), source);
        }
    }
}
