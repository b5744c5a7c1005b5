//! The running data plane: worker threads, what they were started with, and how the control side sends.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use vpn_proto::{ListenerId, Path};

use crate::clock::Clock;
use crate::transport::DatagramSocket;
use crate::transport::tun::TunDevice;
use crate::transport::udp::UdpListener;

use super::counters::{PlaneCounters, WorkerCounters};
use super::egress::socket_for;
use super::sink::ControlSink;
use super::station::Station;
use super::tables::Tables;
use super::worker::{StopSwitch, Worker};

/// Where a data plane meets the outside: made before anything runs, so that every failure to open comes early.
pub struct Edge {
    /// The listeners, each with the id that paths name it by.
    pub sockets: Vec<(ListenerId, UdpListener)>,
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

/// Sends the control side's datagrams through the data plane's sockets. Outlives the plane: farewells can be sent
/// after it stopped.
#[derive(Clone)]
pub struct Transmitter {
    sockets: Arc<[(ListenerId, UdpListener)]>,
}

impl Plane {
    /// Starts a worker on `edge`.
    ///
    /// # Errors
    /// The system refuses a thread or a descriptor.
    pub fn start(edge: Edge, tables: Arc<Tables>, sink: ControlSink, clock: Clock) -> io::Result<Self> {
        let sockets: Arc<[_]> = edge.sockets.into();
        let transmitter = Transmitter { sockets: Arc::clone(&sockets) };
        let mut plane = Self { workers: Vec::new(), transmitter };
        for (number, (sockets, device)) in [(sockets, edge.tun)].into_iter().enumerate() {
            let counters = Arc::new(WorkerCounters::new());
            let (tables, sink) = (Arc::clone(&tables), Arc::clone(&sink));
            let station = Station::new(sockets, device, tables, sink, Arc::clone(&counters), clock);
            plane.workers.push(RunningWorker::start(number, Worker::new(station)?, counters)?);
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
    /// Sends one datagram along `path`: through its listener, to its remote, from its local address.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if the send buffer is full, [`io::ErrorKind::NotFound`] if there is no such
    /// listener, or what the network says. None is worth more than counting: the protocol repeats what must arrive.
    pub fn send(&self, path: Path, datagram: &[u8]) -> io::Result<()> {
        let socket = socket_for(&self.sockets, &path).ok_or(io::ErrorKind::NotFound)?;
        socket.send(&path, datagram, datagram.len())
    }
}
