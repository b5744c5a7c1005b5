//! The running data plane: worker threads, what they were started with, and how the control side sends.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use vpn_proto::wire::opcode::{Class, classify};
use vpn_proto::{ListenerId, Path};

use crate::clock::Clock;
use crate::transport::DatagramSocket;
use crate::transport::poller::Poller;
use crate::transport::tcp::{
    Connection, ConnectionGone, Precedence, Roster, Standing, StrangerLimits, Taken,
};
use crate::transport::tun::TunDevice;
use crate::transport::udp::UdpListener;

use super::counters::{PlaneCounters, WorkerCounters};
use super::outlets::{Outlet, Outlets};
use super::sink::ControlSink;
use super::station::{Station, Surroundings};
use super::streams::{Streams, TcpEdge};
use super::tables::Tables;
use super::worker::{StopSwitch, TOKENS, Worker};

/// Where a data plane meets the outside: made before anything runs, so that every failure to open comes early.
pub struct Edge {
    /// The UDP listeners, each with the id that paths name it by.
    pub sockets: Vec<(ListenerId, UdpListener)>,
    /// The TCP listeners, and what goes with them. No id is used twice.
    pub tcp: TcpEdge,
    /// What TCP connections may have that have not authenticated.
    pub strangers: StrangerLimits,
    /// The device that inner packets come from and go to.
    pub tun: TunDevice,
}

/// A running data plane. Dropping it stops it, and the tunnel device disappears.
pub struct Plane {
    workers: Vec<RunningWorker>,
    transmitter: Transmitter,
}

struct RunningWorker {
    thread: Option<JoinHandle<()>>,
    stop: StopSwitch,
    counters: Arc<WorkerCounters>,
}

/// Sends the control side's packets through the data plane's sockets and connections. Outlives the plane: farewells can
/// be sent after it stopped.
#[derive(Clone)]
pub struct Transmitter {
    outlets: Outlets<UdpListener>,
}

impl Plane {
    /// Starts a worker on `edge`.
    ///
    /// # Errors
    /// The system refuses a thread or a descriptor.
    pub fn start(edge: Edge, tables: Arc<Tables>, sink: ControlSink, clock: Clock) -> io::Result<Self> {
        let roster = Arc::new(Roster::new(edge.strangers, clock));
        let outlets = Outlets::new(edge.sockets, Arc::clone(&roster));
        let surroundings = Surroundings { tables, sink, clock };
        let mut plane = Self { workers: Vec::new(), transmitter: Transmitter { outlets: outlets.clone() } };
        for (number, (tcp, device)) in [(edge.tcp, edge.tun)].into_iter().enumerate() {
            let (poller, counters) = (Poller::new()?, Arc::new(WorkerCounters::new()));
            let streams = Streams::new(tcp, Arc::clone(&roster), poller.clone(), TOKENS)?;
            let (outlets, surroundings) = (outlets.clone(), surroundings.clone());
            let station = Station::new(outlets, streams, device, surroundings, Arc::clone(&counters));
            let worker = Worker::new(station, poller, clock)?;
            plane.workers.push(RunningWorker::start(number, worker, counters)?);
        }
        Ok(plane)
    }

    /// The way for control shards to send.
    #[must_use]
    pub fn transmitter(&self) -> Transmitter {
        self.transmitter.clone()
    }

    /// What all workers counted so far.
    #[must_use]
    pub fn counters(&self) -> PlaneCounters {
        PlaneCounters::sum(self.workers.iter().map(|worker| &*worker.counters))
    }

    /// Whether every worker still works: `false` after one had to give up, which it logged.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.workers.iter().all(|worker| worker.thread.as_ref().is_some_and(|thread| !thread.is_finished()))
    }

    /// Stops the workers and waits for them.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.stop.press();
        }
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            if thread.join().is_err() {
                tracing::error!("a data plane worker ended by a panic");
            }
        }
    }
}

impl RunningWorker {
    fn start(number: usize, worker: Worker, counters: Arc<WorkerCounters>) -> io::Result<Self> {
        let stop = worker.stop_switch();
        let thread = thread::Builder::new().name(format!("data-{number}")).spawn(move || worker.run())?;
        Ok(Self { thread: Some(thread), stop, counters })
    }
}

impl Transmitter {
    /// Sends one packet along `path`: through its listener, to its remote, from its local address; or as a frame of its
    /// connection.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is no room for it, [`io::ErrorKind::NotFound`] if there is no such
    /// listener or connection, or what the network says. None is worth more than counting: the protocol repeats what
    /// must arrive.
    pub fn send(&self, path: Path, packet: &[u8]) -> io::Result<()> {
        match self.outlets.toward(&path).ok_or(io::ErrorKind::NotFound)? {
            Outlet::Socket(socket) => socket.send(&path, packet, packet.len()),
            Outlet::Connection(connection) => send_frame(&connection, packet),
        }
    }

    /// Takes note of how the connection on `path` stands; without effect where there is none, as with UDP.
    pub fn set_standing(&self, path: &Path, standing: Standing) {
        if let Some(Outlet::Connection(_)) = self.outlets.toward(path) {
            self.outlets.roster().set_standing(path, standing);
        }
    }
}

/// Keepalives are data packets, and as dispensable.
fn send_frame(connection: &Connection, packet: &[u8]) -> io::Result<()> {
    let precedence = match classify(packet) {
        Class::Data { .. } => Precedence::Data,
        Class::Control | Class::Invalid => Precedence::Control,
    };
    match connection.send(packet, packet.len(), precedence) {
        Ok(Taken { dropped: 0, .. }) => Ok(()),
        Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
        Err(ConnectionGone) => Err(io::ErrorKind::NotFound.into()),
    }
}
