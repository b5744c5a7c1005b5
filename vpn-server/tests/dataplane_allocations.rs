//! In the steady state a packet allocates nothing, in either direction: buffers come from fixed pools, tables are read
//! in place. Counted by an allocator of this test binary's own.

#![expect(clippy::unwrap_used, reason = "support functions may fail a test")]

#[expect(dead_code, reason = "this binary needs a part of it")]
#[path = "support/packets.rs"]
mod packets;
#[path = "support/policies.rs"]
mod policies;
#[expect(dead_code, reason = "this binary needs a part of it")]
#[path = "support/sessions.rs"]
mod sessions;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::num::NonZero;
use std::sync::Arc;

use ipnet::Ipv4Net;
use packets::{syn, syn_v6, udp, udp_v6};
use policies::policy;
use sessions::{Session, Sessions, path};
use vpn_proto::wire::tcp::{Deframer, PREFIX, prefix};
use vpn_proto::{ListenerId, Moment, Transport};
use vpn_server::dataplane::counters::{Event, PlaneCounters, WorkerCounters};
use vpn_server::dataplane::offload::{
    Frame, FrameHeader, MergeMemory, PartialChecksum, Segmentation, SegmentedProtocol,
};
use vpn_server::dataplane::pipeline::Pipeline;
use vpn_server::dataplane::send_queue::SendQueue;
use vpn_server::dataplane::{ControlSink, Peer, Tables};
use vpn_server::policy;
use vpn_server::transport::poller::{Poller, Token};
use vpn_server::transport::tcp::{Connection, Precedence};
use vpn_server::transport::{Offload, ReceiveBatch, Received, SUPER_BUFFER};

const TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 9);
const TARGET_V6: Ipv6Addr = Ipv6Addr::new(0xfd07, 0, 0, 0, 0, 0, 0, 9);
const ROUNDS: usize = 200;
const DATAGRAMS: usize = 40;
/// Packets of a super-packet.
const SEGMENTS: usize = 20;

#[test]
fn a_packet_allocates_nothing_in_either_direction() {
    allocates_nothing(Sessions::new());
}

#[test]
fn a_packet_of_the_epoch_format_allocates_nothing_in_either_direction() {
    allocates_nothing(Sessions::with_modern_clients());
}

#[test]
fn a_packet_of_an_old_client_allocates_nothing_in_either_direction() {
    allocates_nothing(Sessions::with_clients_without_peer_id());
}

fn allocates_nothing(mut sessions: Sessions) {
    let tables = Tables::new(4, policy(&["192.168.0.0/16", "fd07::/64"]));
    let peers =
        [2, 3].map(|host| join(&tables, &mut sessions, Transport::Udp, Ipv4Addr::new(10, 8, 0, host)));
    let (sink, counters): (ControlSink, _) = (Arc::new(|_| true), WorkerCounters::new());
    let pipeline = Pipeline { tables: &tables, sink: &sink, counters: &counters };
    let now = sessions.now();
    let (mut batch, mut queue) = (ReceiveBatch::new(), SendQueue::new(8));
    let up = peers.each_ref().map(packets_up);
    let down: Vec<Vec<u8>> = peers.iter().flat_map(packets_down).collect();
    let mut super_down: Vec<Vec<u8>> = peers.iter().map(super_packet_down).collect();
    let (policy, mut memory) = (tables.policy(), MergeMemory::new());

    let mut delivered = 0;
    let mut rounds = |count| {
        for _ in 0..count {
            for (peer, packets) in peers.iter().zip(&up) {
                refill(&mut batch, peer, packets, now);
                memory.merge(
                    Offload::TcpAndUdp,
                    |merged| delivered += merged.packets,
                    |merger| {
                        pipeline.inbound(now, ListenerId(0), &mut batch, |packet| merger.push(packet));
                    },
                );
            }
            for packet in down.iter().cycle().take(DATAGRAMS) {
                if queue.is_full() {
                    queue.drain(|_| {});
                }
                pipeline.outbound(now, &policy, packet, &mut queue);
            }
            for frame in &mut super_down {
                let Ok(Frame::Super(packet)) = Frame::parse(frame) else { panic!("no super-packet") };
                pipeline.outbound_super(now, &policy, &packet, &mut queue, |queue| queue.drain(|_| {}));
            }
            queue.drain(|_| {});
        }
    };
    rounds(1);
    let allocations = counted(|| rounds(ROUNDS));
    assert_eq!(allocations, 0);
    assert_eq!(delivered, (ROUNDS + 1) * 2 * DATAGRAMS);
    let from_network = PlaneCounters::sum([&counters]).happened(Event::PacketFromNetwork);
    assert_eq!(from_network, ((ROUNDS + 1) * (DATAGRAMS + 2 * SEGMENTS)) as u64);
    assert_eq!(PlaneCounters::sum([&counters]).drops().map(|(_, count)| count).sum::<u64>(), 0);
}

#[test]
fn a_packet_in_a_frame_allocates_nothing_in_either_direction() {
    let mut sessions = Sessions::new();
    let tables = Tables::new(4, policy(&["192.168.0.0/16", "fd07::/64"]));
    let peer = join(&tables, &mut sessions, Transport::Tcp, Ipv4Addr::new(10, 8, 0, 2));
    let (sink, counters): (ControlSink, _) = (Arc::new(|_| true), WorkerCounters::new());
    let pipeline = Pipeline { tables: &tables, sink: &sink, counters: &counters };
    let now = sessions.now();
    let (mut deframer, mut buffer) = (Deframer::default(), vec![0; SUPER_BUFFER]);
    let (connection, mut far) = connection();
    let packet = udp(TARGET, peer.address, &[7; 900]);
    let frames: Vec<Vec<u8>> = (0..(ROUNDS + 1) * DATAGRAMS)
        .map(|_| {
            let sealed = peer.seal(now, &udp(peer.address, TARGET, &[7; 900]));
            [&prefix(sealed.len()).unwrap()[..], &sealed].concat()
        })
        .collect();
    let stream = frames.concat();
    // Reads end within frames.
    let mut reads = stream.chunks(10_000);
    let mut sent = vec![0; DATAGRAMS * (PREFIX + packet.len())];

    let mut delivered = 0;
    let mut rounds = |reads: &mut dyn Iterator<Item = &[u8]>| {
        for read in reads {
            let receive = |space: &mut [u8]| {
                space[..read.len()].copy_from_slice(read);
                Ok::<_, ()>(read.len())
            };
            let (_, mut frames) = deframer.fill(&mut buffer, receive).unwrap();
            pipeline.inbound_frames(now, peer.path, &mut frames, |_| delivered += 1).unwrap();
            deframer.keep(&frames);
            for _ in 0..DATAGRAMS {
                connection.send(&packet, packet.len(), Precedence::Data).unwrap();
            }
            far.read_exact(&mut sent).unwrap();
        }
    };
    rounds(&mut reads.by_ref().take(10));
    let allocations = counted(|| rounds(&mut reads));
    // A frame that has begun can be longer than any that had begun before.
    assert!(allocations <= 10, "{allocations}");
    assert_eq!(delivered, (ROUNDS + 1) * DATAGRAMS);
}

/// What the device gives when somebody sends datagrams to `peer` together.
fn super_packet_down(peer: &Session) -> Vec<u8> {
    let packet = udp(TARGET, peer.address, &[7; 500 * SEGMENTS]);
    let segment = NonZero::new(500).unwrap();
    let segmentation = Segmentation { protocol: SegmentedProtocol::Udp, header_length: 28, segment };
    let checksum = Some(PartialChecksum { start: 20, offset: 6 });
    [&FrameHeader { checksum, segmentation: Some(segmentation) }.encode()[..], &packet].concat()
}

/// Both ends of a connection over the loopback interface.
fn connection() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, remote) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    (Connection::open(path(Transport::Tcp, remote), near, Poller::new().unwrap(), Token(0)).unwrap(), far)
}

#[test]
fn the_counter_counts() {
    assert_eq!(counted(|| drop(std::hint::black_box(Box::new([7_u8; 100])))), 1);
}

/// One super-packet of freshly sealed datagrams, written straight into the batch's first buffer: `packets` in turn, which
/// have one length.
fn refill(batch: &mut ReceiveBatch, peer: &Session, packets: &[Vec<u8>], now: Moment) {
    let inner_length = packets[0].len();
    let channel = peer.client.data_channel().unwrap();
    let (front, length) = (channel.layout().front(), channel.layout().datagram_length(inner_length));
    let fill = |buffers: &mut [Box<[u8]>; ReceiveBatch::BUFFERS], received: &mut Vec<Received>| {
        let datagrams = buffers[0][..DATAGRAMS * length].chunks_mut(length);
        for (datagram, packet) in datagrams.zip(packets.iter().cycle()) {
            datagram[front..][..inner_length].copy_from_slice(packet);
            channel.seal(now, inner_length, datagram).unwrap();
        }
        received.push(Received {
            length: DATAGRAMS * length,
            stride: length,
            remote: peer.path.remote,
            local: None,
        });
        Ok(())
    };
    batch.refill(fill).unwrap();
}

/// What a client sends: from each of its addresses and from behind it.
fn packets_up(peer: &Session) -> Vec<Vec<u8>> {
    let v6 = address_v6(peer.address);
    vec![
        udp(peer.address, TARGET, &[7; 572]),
        udp_v6(v6, TARGET_V6, &[7; 552]),
        udp(behind(peer.address), TARGET, &[7; 572]),
    ]
}

/// What comes back.
fn packets_down(peer: &Session) -> Vec<Vec<u8>> {
    let v6 = address_v6(peer.address);
    vec![
        udp(TARGET, peer.address, &[7; 900]),
        syn(TARGET, peer.address, 1460),
        udp_v6(TARGET_V6, v6, &[7; 900]),
        syn_v6(TARGET_V6, v6, 1440),
        udp(TARGET, behind(peer.address), &[7; 900]),
    ]
}

fn address_v6(address: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 0x1000 + u16::from(address.octets()[3]))
}

fn behind(address: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::new(10, 20, address.octets()[3], 9)
}

fn join(tables: &Tables, sessions: &mut Sessions, transport: Transport, address: Ipv4Addr) -> Session {
    let slot = tables.reserve().unwrap();
    let remote = (Ipv4Addr::new(198, 51, 100, address.octets()[3]), 4000).into();
    let session = sessions.connect(slot.peer_id(), path(transport, remote), address);
    let host = address.octets()[3];
    let peer = Peer::new(session.handle, 0, Arc::clone(&session.channel), address)
        .with_ipv6(Some(address_v6(address)))
        .with_networks(vec![Ipv4Net::new([10, 20, host, 0].into(), 24).unwrap().into()]);
    tables.insert(slot, peer).unwrap();
    session
}

/// Allocations of this thread while `work` runs.
fn counted(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator is the only way to see allocations, and its trait is unsafe")]
// SAFETY: every call is passed on unchanged to the system's allocator, which upholds the contract of the trait.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's obligations are those of the callee.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are those of the callee.
        unsafe { System.dealloc(pointer, layout) }
    }
}
