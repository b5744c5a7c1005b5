//! A station over memory: what happens in its turns.

mod connections;
mod datagrams;

use std::net::Ipv4Addr;

use vpn_proto::{ListenerId, Transport};

use super::super::counters::PlaneCounters;
use super::super::streams::{TcpEdge, Tokens};
use super::super::tables::Peer;
use super::super::testing::policy;
use super::super::testing::sessions::{Session, Sessions, path};
use super::*;
use crate::transport::memory::{MemoryDevice, MemorySocket};
use crate::transport::poller::Poller;
use crate::transport::tcp::{Roster, StrangerLimits};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);
/// The name of the first connection.
const CONNECTION: Token = Token(1000);
const TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);

fn station() -> (Station<MemorySocket, MemoryDevice>, Session) {
    let tables = Arc::new(Tables::new(1, policy(&["192.168.0.0/16"])));
    let slot = tables.reserve().unwrap();
    let session = Sessions::new().connect(
        slot.peer_id(),
        path(Transport::Udp, "198.51.100.2:4000".parse().unwrap()),
        CLIENT,
    );
    tables.insert(slot, Peer::new(session.handle, 0, Arc::clone(&session.channel), CLIENT)).unwrap();
    (serve(tables, TcpEdge::default(), StrangerLimits::default(), Arc::new(|_| true)), session)
}

fn serve(
    tables: Arc<Tables>,
    edge: TcpEdge,
    limits: StrangerLimits,
    sink: ControlSink,
) -> Station<MemorySocket, MemoryDevice> {
    let clock = Clock::start();
    let roster = Arc::new(Roster::new(limits, clock));
    let tokens = Tokens { first_listener: 0, next_connection: CONNECTION.0 };
    let poller = Poller::new().unwrap();
    let streams = Streams::new(edge, Arc::clone(&roster), poller, tokens).unwrap();
    let outlets = Outlets::new([(ListenerId(0), MemorySocket::new())], roster);
    let surroundings = Surroundings { tables, sink, clock };
    let counters = Arc::new(WorkerCounters::new());
    Station::new(outlets, streams, MemoryDevice::default(), surroundings, counters)
}

fn socket(station: &Station<MemorySocket, MemoryDevice>) -> &MemorySocket {
    &station.outlets.sockets()[0].1
}

fn arrive(station: &Station<MemorySocket, MemoryDevice>, session: &Session, packet: &[u8]) {
    let datagram = session.seal(Moment::default(), packet);
    socket(station).arrive(session.path.remote, datagram.len(), datagram);
}

fn happened(station: &Station<MemorySocket, MemoryDevice>, event: Event) -> u64 {
    counters(station).happened(event)
}

fn counters(station: &Station<MemorySocket, MemoryDevice>) -> PlaneCounters {
    PlaneCounters::sum([&*station.counters])
}
