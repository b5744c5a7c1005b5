//! What single steps of the data plane cost: sealing and opening, splitting and merging, looking up, deciding.
//!
//! Numbers compare on one machine only. Whole servers are compared by `make bench`.

#![expect(clippy::unwrap_used, reason = "what is measured works, or there is nothing to measure")]

#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/support/packets.rs"]
mod packets;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/support/sessions.rs"]
mod sessions;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZero;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ipnet::{IpNet, Ipv4Net};
use sessions::{Session, Sessions, path};
use vpn_proto::{Moment, Transport};
use vpn_server::dataplane::offload::{
    Frame, FrameHeader, MergeMemory, Merged, PartialChecksum, Segmentation, SegmentedProtocol,
};
use vpn_server::dataplane::{Peer, Tables};
use vpn_server::policy::{
    Audience, AuthorizationRule, Evaluation, PROTOCOL_TCP, Policy, Port, RuleId, Ruleset, Service,
    ServiceRange, Tag, Tags, TunnelNetwork,
};
use vpn_server::transport::Offload;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);
const TARGET: Ipv4Addr = Ipv4Addr::new(172, 16, 7, 9);
/// Octets of the packets inside: what fits a datagram of 1492 octets.
const PACKET: usize = 1440;
/// Packets of a super-packet.
const SEGMENTS: usize = 44;

fn data_channel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("data channel");
    group.throughput(Throughput::Bytes(PACKET as u64));
    let session = session();
    let (now, layout) = (Moment::default(), session.channel.layout());
    let mut datagram = vec![0; layout.datagram_length(PACKET)];
    group.bench_function("seal", |bencher| {
        bencher.iter(|| session.channel.seal(now, PACKET, black_box(&mut datagram)).unwrap());
    });
    let sealed = || session.seal(now, &[0x45; PACKET]);
    group.bench_function("open", |bencher| {
        let open = |mut datagram: Vec<u8>| {
            session.channel.open(now, &session.path, &mut datagram).unwrap();
            datagram
        };
        bencher.iter_batched(sealed, open, BatchSize::SmallInput);
    });
}

fn offload(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("super-packets");
    group.throughput(Throughput::Elements(SEGMENTS as u64));
    let frame = super_frame();
    group.bench_function("split", |bencher| {
        let mut into = vec![0; PACKET];
        let mut octets = frame.clone();
        bencher.iter(|| {
            let Ok(Frame::Super(packet)) = Frame::parse(&mut octets) else { panic!("no super-packet") };
            for segment in packet.segments() {
                segment.write(black_box(&mut into[..segment.length()]));
            }
        });
    });
    let mut memory = MergeMemory::new();
    group.bench_function("merge", |bencher| {
        let merge = |packets: &mut Vec<Vec<u8>>| {
            let write = |merged: Merged<'_>| _ = black_box(merged.packets);
            memory.merge(Offload::TcpAndUdp, write, |merger| {
                packets.iter_mut().for_each(|packet| merger.push(packet));
            });
        };
        bencher.iter_batched_ref(udp_packets, merge, BatchSize::SmallInput);
    });
}

fn tables(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tables");
    let tables = Tables::new(1 << 16, policy(1000));
    let mut sessions = Sessions::new();
    let slot = tables.reserve().unwrap();
    let remote = "198.51.100.1:4000".parse().unwrap();
    let session = sessions.connect(slot.peer_id(), path(Transport::Udp, remote), CLIENT);
    let peer = Peer::new(session.handle, 0, Arc::clone(&session.channel), CLIENT);
    let peer = tables.insert(slot, peer).unwrap();
    group.bench_function("peer by id", |bencher| {
        bencher.iter(|| black_box(tables.peer(black_box(slot.peer_id()))).is_some());
    });
    group.bench_function("peer by address", |bencher| {
        bencher.iter(|| black_box(tables.peer_toward(black_box(IpAddr::V4(CLIENT)))).is_some());
    });
    let policy = tables.policy();
    group.bench_function("decide among 1000 rules", |bencher| {
        let (source, target) = (IpAddr::V4(CLIENT), IpAddr::V4(TARGET));
        bencher.iter(|| policy.decide(black_box(peer.principal(None)), source, black_box(target), HTTPS));
    });
}

/// What groups and ports in rules cost beside the same number of plain rules.
fn policy_verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy");
    let (everybody, of_groups) = (policy(1000), Policy::compile(&ruleset_of_groups(1000)));
    let tags =
        |count: usize| (0..count).map(|number| Tag::group(&format!("group {number}"))).collect::<Tags>();
    let target = IpAddr::V4(TARGET);
    for (name, policy, tags) in [
        ("1000 rules for everybody", &everybody, tags(0)),
        ("1000 rules of groups and ports, session of 3 groups", &of_groups, tags(3)),
        ("1000 rules of groups and ports, session of 200 groups", &of_groups, tags(200)),
    ] {
        assert!(policy.judge(&tags, target, HTTPS).is_allowed());
        group.bench_function(name, |bencher| {
            bencher.iter(|| policy.judge(black_box(&tags), black_box(target), black_box(HTTPS)));
        });
    }
}

fn session() -> Session {
    let remote = "198.51.100.1:4000".parse().unwrap();
    Sessions::new().connect(vpn_proto::PeerId::FIRST, path(Transport::Udp, remote), CLIENT)
}

const HTTPS: Service = Service { protocol: PROTOCOL_TCP, port: Port::Number(443) };

/// Rules for networks of 172.16.0.0/12, the target's among them.
fn policy(rules: u16) -> Policy {
    Policy::compile(&ruleset(rules))
}

/// The same rules for two groups each, and one port.
fn ruleset_of_groups(rules: u16) -> Ruleset {
    let mut ruleset = ruleset(rules);
    for rule in &mut ruleset.rules {
        rule.audience = Audience::AnyOf(["group 2", "group 500"].map(Tag::group).into_iter().collect());
        rule.services = ServiceRange::Ports { protocol: PROTOCOL_TCP, first: 443, last: 443 };
    }
    ruleset
}

fn ruleset(rules: u16) -> Ruleset {
    let (network, server) = ("10.8.0.0/16".parse().unwrap(), Ipv4Addr::new(10, 8, 0, 1));
    let tunnel = TunnelNetwork { network, server, ipv6: None };
    let networks = (0..rules).map(|number| {
        let [high, low] = number.to_be_bytes();
        IpNet::V4(Ipv4Net::new(Ipv4Addr::new(172, 16 + high, low, 0), 24).unwrap())
    });
    let rules =
        networks.zip(0..).map(|(destination, id)| AuthorizationRule::for_everybody(RuleId(id), destination));
    let routes = vec!["172.16.0.0/12".parse().unwrap()];
    Ruleset {
        tunnel,
        client_networks: vec![],
        rules: rules.collect(),
        routes,
        evaluation: Evaluation::default(),
        security: None,
    }
}

fn udp_packets() -> Vec<Vec<u8>> {
    vec![packets::udp(CLIENT, TARGET, &[7; PACKET - 28]); SEGMENTS]
}

/// What the device gives when a program sends [`SEGMENTS`] datagrams at once.
fn super_frame() -> Vec<u8> {
    let segment = u16::try_from(PACKET - 28).unwrap();
    let packet = packets::udp(CLIENT, TARGET, &vec![7; usize::from(segment) * SEGMENTS]);
    let segmentation = Segmentation {
        protocol: SegmentedProtocol::Udp,
        header_length: 28,
        segment: NonZero::new(segment).unwrap(),
    };
    let checksum = Some(PartialChecksum { start: 20, offset: 6 });
    let header = FrameHeader { checksum, segmentation: Some(segmentation) };
    [&header.encode()[..], &packet].concat()
}

criterion_group!(benches, data_channel, offload, tables, policy_verdicts);
criterion_main!(benches);
