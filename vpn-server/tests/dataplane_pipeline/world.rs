//! Tables, a control side that writes down what it hears, and buffers: everything around a pipeline.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use vpn_proto::wire::tcp::{FrameError, Frames};
use vpn_proto::{ListenerId, Path, Transport};
use vpn_server::dataplane::counters::{DropReason, PlaneCounters, WorkerCounters};
use vpn_server::dataplane::pipeline::{Intake, Pipeline};
use vpn_server::dataplane::send_queue::SendQueue;
use vpn_server::dataplane::{ControlInput, ControlSink, Peer, PeerSlot, Tables};
use vpn_server::policy::{Tag, Tags};
use vpn_server::transport::{ReceiveBatch, Received};

use crate::packets::ipv4;
use crate::policies::policy;
use crate::sessions::{Session, Sessions, path};

pub(crate) const ALICE: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);
pub(crate) const BOB: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 3);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
pub(crate) const TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 9);
pub(crate) const ALICE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 0x1000);
pub(crate) const BOB_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 0x1001);
pub(crate) const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 1);
pub(crate) const TARGET_V6: Ipv6Addr = Ipv6Addr::new(0xfd07, 0, 0, 0, 0, 0, 0, 9);

/// Tables, a control side that writes down what it hears, and buffers.
pub(crate) struct World {
    transport: Transport,
    pub(crate) sessions: Sessions,
    pub(crate) tables: Tables,
    sink: ControlSink,
    pub(crate) heard: Arc<Mutex<Heard>>,
    counters: WorkerCounters,
    batch: ReceiveBatch,
    queue: SendQueue,
    slots: Vec<PeerSlot>,
}

#[derive(Default)]
pub(crate) struct Heard {
    inputs: Vec<ControlInput>,
    pub(crate) is_full: bool,
}

impl World {
    /// `authorized` is what is routed and may be reached.
    pub(crate) fn new(authorized: &[&str]) -> Self {
        Self::with_capacity(4, authorized, Sessions::new())
    }

    /// Clients use connections instead of datagrams.
    pub(crate) fn over_tcp(authorized: &[&str]) -> Self {
        Self { transport: Transport::Tcp, ..Self::new(authorized) }
    }

    pub(crate) fn with_capacity(capacity: usize, authorized: &[&str], sessions: Sessions) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = Arc::clone(&heard);
        let sink: ControlSink = Arc::new(move |input| {
            let mut heard = listener.lock().unwrap();
            if !heard.is_full {
                heard.inputs.push(input);
            }
            !heard.is_full
        });
        Self {
            sessions,
            tables: Tables::new(capacity, policy(authorized)),
            transport: Transport::Udp,
            sink,
            heard,
            counters: WorkerCounters::new(),
            batch: ReceiveBatch::new(),
            queue: SendQueue::new(8),
            slots: vec![],
        }
    }

    pub(crate) fn join(&mut self, address: Ipv4Addr) -> Session {
        self.join_with(address, |peer| peer)
    }

    /// Joins with an IPv6 address as well, which ends like the other one.
    pub(crate) fn join_dual(&mut self, address: Ipv4Addr) -> Session {
        let address_v6 = if address == ALICE { ALICE_V6 } else { BOB_V6 };
        self.join_with(address, |peer| peer.with_ipv6(Some(address_v6)))
    }

    pub(crate) fn join_with(&mut self, address: Ipv4Addr, change: impl FnOnce(Peer) -> Peer) -> Session {
        let slot = self.tables.reserve().unwrap();
        let remote = SocketAddr::from((Ipv4Addr::new(198, 51, 100, address.octets()[3]), 4000));
        let session = self.sessions.connect(slot.peer_id(), path(self.transport, remote), address);
        let peer = change(Peer::new(session.handle, 3, Arc::clone(&session.channel), address));
        self.tables.insert(slot, peer).unwrap();
        self.slots.push(slot);
        session
    }

    pub(crate) fn join_as(&mut self, address: Ipv4Addr, groups: &[&str]) -> Session {
        let tags: Tags = groups.iter().map(|name| Tag::group(name)).collect();
        self.join_with(address, |peer| peer.with_tags(tags))
    }

    pub(crate) fn leave(&mut self, session: &Session) {
        let index = self.slots.iter().position(|slot| slot.peer_id() == session.channel.peer_id()).unwrap();
        assert!(self.tables.remove(self.slots.remove(index)).is_some());
    }

    /// Lets the client seal and send one packet: what the network gets, or why it gets nothing.
    pub(crate) fn client_sends(&mut self, session: &Session, packet: &[u8]) -> Result<Vec<u8>, DropReason> {
        let before = self.counters();
        let datagram = session.seal(self.sessions.now(), packet);
        let delivered = self.receive(session.path.remote, datagram.len(), &datagram);
        match delivered.into_iter().next() {
            Some(packet) => Ok(packet),
            None => {
                let after = self.counters();
                let grown =
                    after.drops().zip(before.drops()).find(|((_, after), (_, before))| after > before);
                Err(grown.expect("neither delivered nor dropped").0.0)
            }
        }
    }

    /// Runs one received super-packet through the pipeline: the packets for the network.
    pub(crate) fn receive(&mut self, remote: SocketAddr, stride: usize, octets: &[u8]) -> Vec<Vec<u8>> {
        let fill = |buffers: &mut [Box<[u8]>; ReceiveBatch::BUFFERS], received: &mut Vec<Received>| {
            buffers[0][..octets.len()].copy_from_slice(octets);
            received.push(Received { length: octets.len(), stride, remote, local: None });
            Ok(())
        };
        self.batch.refill(fill).unwrap();
        let Self { tables, sink, counters, batch, .. } = self;
        let pipeline = Pipeline { tables, sink, counters };
        let mut delivered = Vec::new();
        pipeline.inbound(self.sessions.now(), ListenerId(0), batch, |packet| delivered.push(packet.to_vec()));
        delivered
    }

    /// Runs what one read of a connection brought through the pipeline: the packets for the network, and whether the
    /// connection consists of frames.
    pub(crate) fn receive_frames(
        &mut self,
        remote: SocketAddr,
        octets: &[u8],
    ) -> (Vec<Vec<u8>>, Result<Intake, FrameError>) {
        let Self { tables, sink, counters, .. } = self;
        let pipeline = Pipeline { tables, sink, counters };
        let path = path(Transport::Tcp, remote);
        let (mut octets, mut delivered) = (octets.to_vec(), Vec::new());
        let mut frames = Frames::new(&mut octets);
        let deliver = |packet: &mut [u8]| delivered.push(packet.to_vec());
        let outcome = pipeline.inbound_frames(self.sessions.now(), path, &mut frames, deliver);
        (delivered, outcome)
    }

    /// Runs packets of the tunnel device through the pipeline: the sends that come of it, cut into datagrams.
    pub(crate) fn network_sends(&mut self, packets: &[Vec<u8>]) -> Vec<(Path, Vec<Vec<u8>>)> {
        let Self { tables, sink, counters, queue, .. } = self;
        let pipeline = Pipeline { tables, sink, counters };
        for packet in packets {
            pipeline.outbound(self.sessions.now(), &tables.policy(), packet, queue);
        }
        let mut sent = Vec::new();
        self.queue.drain(|group| {
            let datagrams = group.datagrams().chunks(group.segment()).map(<[u8]>::to_vec).collect();
            sent.push((*group.path().unwrap(), datagrams));
        });
        sent
    }

    pub(crate) fn counters(&self) -> PlaneCounters {
        PlaneCounters::sum([&self.counters])
    }

    pub(crate) fn drops(&self) -> Vec<(DropReason, u64)> {
        self.counters().drops().filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn heard(&self) -> Vec<ControlInput> {
        std::mem::take(&mut self.heard.lock().unwrap().inputs)
    }
}

/// A fragment of a TCP segment, with the given fragment field.
pub(crate) fn fragment(source: Ipv4Addr, destination: Ipv4Addr, field: u16) -> Vec<u8> {
    let mut packet = ipv4(source, destination, 6, &[0; 40]);
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    packet
}

pub(crate) trait Sorted {
    fn sorted(self) -> Self;
}

impl<T: Ord> Sorted for Vec<T> {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}
