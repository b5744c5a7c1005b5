//! One worker thread: waits for its sockets, its device and the call to stop, and gives each its turn.
//!
//! Readiness is level-triggered and every turn is bounded, so a source with more to give is found ready again at the
//! next wait and no source starves another. A defect that shows as a panic costs the packets of one turn (NET-12).

use std::any::Any;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::transport::tun::TunDevice;
use crate::transport::udp::UdpListener;

use super::counters::Event;
use super::station::Station;

/// A worker that has everything it needs and has not begun.
pub(super) struct Worker {
    station: Station<UdpListener, TunDevice>,
    epoll: OwnedFd,
    stop: Arc<OwnedFd>,
}

/// Ends a worker from another thread.
pub(super) struct StopSwitch(Arc<OwnedFd>);

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Socket(usize),
    Device,
    Stop,
}

impl Worker {
    pub(super) fn new(station: Station<UdpListener, TunDevice>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let watch = |fd, source: Source| epoll::add(&epoll, fd, source.into(), EventFlags::IN);
        for (index, (_, socket)) in station.sockets.iter().enumerate() {
            watch(socket.as_fd(), Source::Socket(index))?;
        }
        watch(station.device.as_fd(), Source::Device)?;
        watch(stop.as_fd(), Source::Stop)?;
        Ok(Self { station, epoll, stop })
    }

    pub(super) fn stop_switch(&self) -> StopSwitch {
        StopSwitch(Arc::clone(&self.stop))
    }

    /// Works until it is stopped. Ends on its own only if it cannot go on: the reason is logged.
    pub(super) fn run(mut self) {
        let mut ready = Vec::with_capacity(READY_AT_ONCE);
        loop {
            ready.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return tracing::error!(%error, "data plane worker cannot wait for packets"),
            }
            for event in &ready {
                let source = Source::from(event.data);
                if source == Source::Stop {
                    return;
                }
                if let Err(error) = self.contained_turn(source) {
                    return tracing::error!(%error, "data plane worker lost its tunnel device");
                }
            }
        }
    }

    /// Gives `source` its turn. Fails only for an error that would come back at every turn from now on.
    fn contained_turn(&mut self, source: Source) -> io::Result<()> {
        match catch_unwind(AssertUnwindSafe(|| self.turn(source))) {
            Ok(outcome) => outcome,
            Err(panic) => {
                self.station.counters.happened(Event::Panic);
                tracing::error!(panic = panic_message(&*panic), "a defect in the data plane was contained");
                self.station.abandon_turn();
                Ok(())
            }
        }
    }

    fn turn(&mut self, source: Source) -> io::Result<()> {
        match source {
            Source::Socket(index) => {
                if self.station.drain_socket(index).is_err() {
                    self.station.counters.happened(Event::ReceiveFailed);
                }
                Ok(())
            }
            Source::Device => self.station.drain_device(),
            Source::Stop => Ok(()),
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

impl From<Source> for EventData {
    fn from(source: Source) -> Self {
        Self::new_u64(match source {
            Source::Socket(index) => index as u64,
            Source::Device => DEVICE,
            Source::Stop => STOP,
        })
    }
}

impl From<EventData> for Source {
    fn from(data: EventData) -> Self {
        match data.u64() {
            DEVICE => Self::Device,
            STOP => Self::Stop,
            index => usize::try_from(index).map_or(Self::Stop, Self::Socket),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

const DEVICE: u64 = u64::MAX - 1;
const STOP: u64 = u64::MAX;
/// Sources that one wait can report; the others are reported by the next.
const READY_AT_ONCE: usize = 16;
