//! What comes in datagrams and from the device: together, in order, in turns of bounded length.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::atomic::Ordering;

use super::super::super::offload::{PartialChecksum, Segment, Segmentation, SegmentedProtocol};
use super::super::super::testing::packets::{echo, udp};
use super::super::*;
use super::*;

#[test]
fn what_arrives_on_a_socket_is_written_to_the_device() {
    let (mut station, session) = station();
    let packets: Vec<_> = (0..12_u8).map(|number| echo(CLIENT, TARGET, &[number; 64])).collect();
    for packet in &packets {
        arrive(&station, &session, packet);
    }
    station.drain_socket(0).unwrap();
    assert_eq!(station.device.take_taken(), packets);
    assert_eq!(happened(&station, Event::PacketToNetwork), 12);
    assert_eq!(happened(&station, Event::ReceiveCall), 2);
}

#[test]
fn what_arrives_together_is_written_together_to_a_device_that_takes_super_packets() {
    let (mut station, session) = station();
    station.device.offload = Offload::TcpAndUdp;
    let packets: Vec<_> = (0..8_u8).map(|number| udp(CLIENT, TARGET, &[number; 64])).collect();
    packets.iter().for_each(|packet| arrive(&station, &session, packet));
    station.drain_socket(0).unwrap();
    let mut written = station.device.take_taken();
    assert_eq!(written.len(), 1);
    let Ok(Frame::Super(packet)) = Frame::parse(&mut written[0]) else { panic!("no super-packet") };
    let payloads: Vec<_> = packet.segments().map(|segment| written_out(&segment)[28..].to_vec()).collect();
    assert_eq!(payloads, packets.iter().map(|packet| packet[28..].to_vec()).collect::<Vec<_>>());
    assert_eq!((happened(&station, Event::DeviceWrite), happened(&station, Event::PacketToNetwork)), (1, 8));
}

#[test]
fn a_super_packet_of_the_device_is_cut_and_sealed_in_order() {
    let (mut station, mut session) = station();
    station.device.offload = Offload::TcpAndUdp;
    let packet =
        udp(TARGET, CLIENT, &(0..250).map(|number: u32| number.to_le_bytes()[0]).collect::<Vec<_>>());
    station.device.arrive(super_frame(&packet, 100));
    station.drain_device().unwrap();
    let sent = socket(&station).take_sent();
    let datagrams = sent[0].octets.chunks(sent[0].segment);
    let opened: Vec<_> = datagrams.map(|datagram| session.open(Moment::default(), datagram)).collect();
    assert_eq!(opened.iter().map(Vec::len).collect::<Vec<_>>(), [128, 128, 78]);
    assert_eq!(
        opened.iter().flat_map(|packet| &packet[28..]).collect::<Vec<_>>(),
        packet[28..].iter().collect::<Vec<_>>()
    );
    assert_eq!((happened(&station, Event::DeviceRead), happened(&station, Event::PacketFromNetwork)), (1, 3));
}

#[test]
fn a_super_packet_of_more_groups_than_the_queue_holds_is_sent_in_between() {
    let (mut station, _session) = station();
    station.device.offload = Offload::TcpAndUdp;
    let packet = udp(TARGET, CLIENT, &[7; 64 * SEND_GROUPS + 100]);
    station.device.arrive(super_frame(&packet, 1));
    station.drain_device().unwrap();
    assert_eq!(happened(&station, Event::DatagramSent), 64 * SEND_GROUPS as u64 + 100);
}

#[test]
fn all_packets_of_a_super_packet_that_may_not_pass_are_counted() {
    let (mut station, _session) = station();
    station.device.offload = Offload::TcpAndUdp;
    let packet = udp(TARGET, Ipv4Addr::new(10, 8, 0, 99), &[7; 250]);
    station.device.arrive(super_frame(&packet, 100));
    station.drain_device().unwrap();
    assert_eq!(counters(&station).dropped(DropReason::NoSession), 3);
}

#[test]
fn what_the_device_says_nonsense_about_is_dropped_and_counted() {
    let (mut station, _session) = station();
    station.device.offload = Offload::Tcp;
    station.device.arrive(vec![0xff; 100]);
    station.device.arrive(vec![0; 3]);
    station.drain_device().unwrap();
    assert_eq!(counters(&station).dropped(DropReason::TunIncomprehensible), 2);
}

#[test]
fn what_the_device_gives_is_sent_to_its_client_in_one_call() {
    let (mut station, mut session) = station();
    let packets: Vec<_> = (0..20_u8).map(|number| udp(TARGET, CLIENT, &[number; 64])).collect();
    packets.iter().for_each(|packet| station.device.arrive(packet.clone()));
    station.drain_device().unwrap();
    let sent = socket(&station).take_sent();
    assert_eq!(sent.iter().map(|sent| sent.path).collect::<Vec<_>>(), [session.path]);
    let datagrams = sent[0].octets.chunks(sent[0].segment);
    let opened: Vec<_> = datagrams.map(|datagram| session.open(Moment::default(), datagram)).collect();
    assert_eq!(opened, packets);
}

#[test]
fn a_turn_ends_when_its_share_is_used_up_and_the_next_goes_on() {
    let (mut station, session) = station();
    let share = SOCKET_TURN * ReceiveBatch::BUFFERS;
    for _ in 0..share + 5 {
        arrive(&station, &session, &echo(CLIENT, TARGET, b""));
    }
    station.drain_socket(0).unwrap();
    assert_eq!((station.device.take_taken().len(), socket(&station).waiting()), (share, 5));
    station.drain_socket(0).unwrap();
    assert_eq!(station.device.take_taken().len(), 5);

    (0..DEVICE_TURN + 5).for_each(|_| station.device.arrive(udp(TARGET, CLIENT, b"x")));
    station.drain_device().unwrap();
    assert_eq!(station.device.waiting(), 5);
    let sent: usize = socket(&station).take_sent().iter().map(|sent| sent.octets.len() / sent.segment).sum();
    assert_eq!(sent, DEVICE_TURN);
}

#[test]
fn more_groups_than_the_queue_holds_are_sent_in_between() {
    let (mut station, _session) = station();
    for size in (0..80).rev() {
        station.device.arrive(udp(TARGET, CLIENT, &vec![0; if size % 2 == 0 { 10 } else { 10 + size }]));
    }
    station.drain_device().unwrap();
    assert_eq!(happened(&station, Event::DatagramSent), 80);
    assert!(socket(&station).take_sent().len() > SEND_GROUPS);
}

#[test]
fn packets_that_the_device_refuses_are_counted() {
    let (mut station, session) = station();
    station.device.refuses.store(true, Ordering::Relaxed);
    arrive(&station, &session, &echo(CLIENT, TARGET, b""));
    station.drain_socket(0).unwrap();
    assert_eq!(counters(&station).dropped(DropReason::TunRefused), 1);
}

#[test]
fn net_12_a_panic_in_the_middle_of_a_turn_leaves_a_station_that_works() {
    let (mut station, session) = station();
    station.surroundings.sink = Arc::new(|_| panic!("a defect"));
    let stranger: SocketAddr = "203.0.113.1:1".parse().unwrap();
    socket(&station).arrive(stranger, 14, vec![0x38; 14]);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| station.drain_socket(0)));
    assert!(outcome.is_err());
    station.abandon_turn();
    arrive(&station, &session, &echo(CLIENT, TARGET, b""));
    station.drain_socket(0).unwrap();
    assert_eq!(station.device.take_taken().len(), 1);
}

#[test]
fn abandoning_a_turn_forgets_what_was_queued_and_counts_it() {
    let (mut station, session) = station();
    let queue = &mut station.buffers.sends;
    queue.room(&session.path, 100).unwrap().commit();
    station.abandon_turn();
    station.drain_device().unwrap();
    assert!(socket(&station).take_sent().is_empty());
    assert_eq!(counters(&station).dropped(DropReason::Panicked), 1);
}

#[test]
fn a_socket_index_that_is_not_there_is_no_turn() {
    let (mut station, _session) = station();
    station.drain_socket(5).unwrap();
}

/// A UDP packet as the device gives it when it is to be cut.
fn super_frame(packet: &[u8], segment: u16) -> Vec<u8> {
    let segment = NonZero::new(segment).unwrap();
    let segmentation = Segmentation { protocol: SegmentedProtocol::Udp, header_length: 28, segment };
    let checksum = Some(PartialChecksum { start: 20, offset: 6 });
    let header = FrameHeader { checksum, segmentation: Some(segmentation) };
    [&header.encode()[..], packet].concat()
}

fn written_out(segment: &Segment<'_>) -> Vec<u8> {
    let mut packet = vec![0; segment.length()];
    segment.write(&mut packet);
    packet
}
