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
use crate::transport::tun::{TunDevice, TunQueue};
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
    /// The UDP listeners, each with the id that paths name it by and a socket for every worker.
    pub sockets: Vec<(ListenerId, Vec<UdpListener>)>,
    /// The TCP listeners, and what goes with them, for each worker; none for those that it is too short for. No id is
    /// used for two addresses.
    pub tcp: Vec<TcpEdge>,
    /// What TCP connections may have that have not authenticated.
    pub strangers: StrangerLimits,
    /// The device that inner packets come from and go to, with a queue for every worker.
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
    /// Starts the workers: as many as `edge` has both sockets and queues for.
    ///
    /// # Errors
    /// The system refuses a thread or a descriptor.
    pub fn start(edge: Edge, tables: Arc<Tables>, sink: ControlSink, clock: Clock) -> io::Result<Self> {
        let roster = Arc::new(Roster::new(edge.strangers, clock));
        let surroundings = Surroundings { tables, sink, clock };
        let shares: Vec<_> = share_out(edge.sockets, edge.tun.into_queues())
            .map(|(sockets, queue)| (Outlets::new(sockets, Arc::clone(&roster)), queue))
            .collect();
        let outlets = shares.first().map(|(outlets, _)| outlets.clone());
        let outlets = outlets.unwrap_or_else(|| Outlets::new([], Arc::clone(&roster)));
        let mut plane = Self { workers: Vec::new(), transmitter: Transmitter { outlets } };
        let tcp = edge.tcp.into_iter().chain(std::iter::repeat_with(TcpEdge::default));
        for (number, ((outlets, queue), tcp)) in shares.into_iter().zip(tcp).enumerate() {
            let (poller, counters) = (Poller::new()?, Arc::new(WorkerCounters::new()));
            let streams = Streams::new(tcp, Arc::clone(&roster), poller.clone(), TOKENS)?;
            let station = Station::new(outlets, streams, queue, surroundings.clone(), Arc::clone(&counters));
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

    /// How many workers there are.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        self.workers.len()
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

/// What each worker gets: a socket of every listener, and a queue. Sockets and queues without counterpart are closed,
/// so that the kernel gives them nothing.
fn share_out(
    listeners: Vec<(ListenerId, Vec<UdpListener>)>,
    queues: Vec<TunQueue>,
) -> impl Iterator<Item = (Vec<(ListenerId, UdpListener)>, TunQueue)> {
    let workers = listeners.iter().map(|(_, sockets)| sockets.len()).min().unwrap_or(usize::MAX);
    by_worker(listeners).zip(queues.into_iter().take(workers))
}

/// One of each listener's sockets for every worker, as long as there are any.
pub fn by_worker<L>(listeners: Vec<(ListenerId, Vec<L>)>) -> impl Iterator<Item = Vec<(ListenerId, L)>> {
    let mut listeners: Vec<_> =
        listeners.into_iter().map(|(id, sockets)| (id, sockets.into_iter())).collect();
    std::iter::repeat_with(move || {
        listeners.iter_mut().filter_map(|(id, sockets)| Some((*id, sockets.next()?))).collect()
    })
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
