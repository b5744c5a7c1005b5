//! The plane between both.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use vpn_proto::{ListenerId, Path, Transport};
use vpn_server::clock::Clock;
use vpn_server::dataplane::{ControlInput, ControlSink, DropReason, Event, Plane, Tables};
use vpn_server::transport::Offload;

use crate::client::{has_right_checksums, send_segmented};
use crate::edge::{edge, edge_with, listeners_for, tun_with};
use crate::host::{cpu_ticks, exists, in_namespace, ip, queues, run, wait_for};
use crate::packets::{echo, udp};
use crate::policies::policy;
use crate::server::{Server, ToControl};
use crate::{PATIENCE, SERVER, TARGET};

#[test]
fn clients_on_several_listeners_reach_what_rules_open_and_nothing_else() {
    in_namespace(|| {
        let server = Server::start(2, &["192.168.77.0/24", "10.8.0.1/32"]);
        let mut clients = [0, 1].map(|listener| server.connect(listener));
        for client in &mut clients {
            for (destination, size) in [(SERVER, 0), (TARGET, 56), (TARGET, 1372), (TARGET, 1472)] {
                client.send(&echo(client.address, destination, &vec![7; size]));
                let answer = client.receive().expect("an answer");
                assert_eq!((&answer[12..16], answer.len()), (&destination.octets()[..], 28 + size));
            }
        }
        let [alice, bob] = &mut clients;
        assert_ne!(alice.address, bob.address);
        alice.send(&echo(alice.address, bob.address, b""));
        alice.send(&echo(bob.address, TARGET, b""));
        server.wait_for("the drops", |plane| {
            let counters = plane.counters();
            counters.dropped(DropReason::NoRule) == 1 && counters.dropped(DropReason::SourceNotAssigned) == 1
        });
        server.stop();
    });
}

#[test]
fn a_burst_passes_in_order_both_ways() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let mut client = server.connect(0);
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        target.set_read_timeout(Some(PATIENCE)).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&target, 4 << 20).unwrap();

        let number = |octets: &[u8]| u32::from_be_bytes(*octets.first_chunk().unwrap());
        let body = |number: u32| [&number.to_be_bytes()[..], &[7; 1000]].concat();
        for count in 0..300 {
            client.send(&udp(client.address, TARGET, &body(count)));
        }
        let mut buffer = [0; 2000];
        for count in 0..300 {
            let length = target.recv(&mut buffer).unwrap();
            assert_eq!((number(&buffer), length), (count, 1004));
        }
        for count in 0..300 {
            target.send_to(&body(count), (client.address, 40_000)).unwrap();
        }
        for count in 0..300 {
            assert_eq!(number(&client.receive().expect("a packet")[28..]), count);
        }
        assert_eq!(server.plane().counters().happened(Event::SegmentationRefused), 0);
        server.stop();
    });
}

#[test]
fn bursts_of_super_packets_arrive_whatever_the_device_can_do() {
    for offload in [Offload::None, Offload::Tcp, Offload::TcpAndUdp] {
        in_namespace(move || {
            let server = Server::start_with(1, &["192.168.77.0/24"], offload, 1);
            let mut client = server.connect(0);
            let target = UdpSocket::bind((TARGET, 9)).unwrap();
            target.set_read_timeout(Some(PATIENCE)).unwrap();
            let event = |event| server.plane().counters().happened(event);

            for round in 0..50 {
                let datagrams: Vec<_> = (0..20_u8).map(|number| vec![number ^ round; 500]).collect();
                let packets = datagrams.iter().map(|octets| udp(client.address, TARGET, octets));
                client.send_together(&packets.collect::<Vec<_>>());
                let mut buffer = [0; 2000];
                for datagram in &datagrams {
                    assert_eq!(target.recv(&mut buffer).unwrap(), 500, "{offload:?}");
                    assert_eq!(buffer[..500], datagram[..], "{offload:?}");
                }
                send_segmented(&target, (client.address, 40_000).into(), &datagrams);
                for datagram in &datagrams {
                    let packet = client.receive().expect("a packet");
                    assert_eq!(packet[28..], datagram[..], "{offload:?}");
                    assert!(has_right_checksums(&packet), "{offload:?}");
                }
            }
            assert_eq!(event(Event::PacketToNetwork), 1000);
            let (writes, reads) = (event(Event::DeviceWrite), event(Event::DeviceRead));
            assert_eq!(writes < 1000, offload == Offload::TcpAndUdp, "{offload:?}: {writes} writes");
            // A device with offloads gives super-packets of UDP wherever the kernel has them.
            assert_eq!(reads < 1000, offload != Offload::None, "{offload:?}: {reads} reads");
            server.stop();
        });
    }
}

#[test]
fn a_kernel_without_udp_segmentation_gives_single_packets() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let mut client = server.connect(0);
        run("ethtool", "--offload tun-test tx-udp-segmentation off");
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        let datagrams: Vec<_> = (0..20_u8).map(|number| vec![number; 500]).collect();
        send_segmented(&target, (client.address, 40_000).into(), &datagrams);
        for datagram in &datagrams {
            assert_eq!(client.receive().expect("a packet")[28..], datagram[..]);
        }
        // The kernel says something of its own now and then, which the worker may be about to count.
        server.wait_for("a packet for each read", |plane| {
            let counters = plane.counters();
            counters.happened(Event::DeviceRead) == counters.happened(Event::PacketFromNetwork)
        });
        server.stop();
    });
}

#[test]
fn several_workers_share_clients_and_answers_find_their_way() {
    in_namespace(|| {
        let server = Server::start_with(2, &["192.168.77.0/24"], Offload::TcpAndUdp, 3);
        let mut clients: Vec<_> = (0..8).map(|number| server.connect(number % 2)).collect();
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        for round in 0..20_u8 {
            for client in &mut clients {
                client.send(&echo(client.address, TARGET, &[round; 700]));
                target.send_to(&[round; 100], (client.address, 40_000)).unwrap();
            }
            for client in &mut clients {
                let answers = [client.receive().expect("an answer"), client.receive().expect("an answer")];
                let mut lengths = answers.map(|answer| answer.len());
                lengths.sort_unstable();
                assert_eq!(lengths, [128, 728]);
            }
        }
        assert_eq!(queues("tun-test"), 3);
        server.stop();
    });
}

#[test]
fn a_client_that_moves_to_another_workers_socket_loses_nothing() {
    in_namespace(|| {
        let server = Server::start_with(1, &["192.168.77.0/24"], Offload::TcpAndUdp, 4);
        let mut client = server.connect(0);
        for round in 0..20_u8 {
            client.move_away();
            for _ in 0..3 {
                client.send(&echo(client.address, TARGET, &[round; 64]));
            }
            server.wait_for("the packets", |plane| {
                plane.counters().happened(Event::PacketToNetwork) == 3 * (u64::from(round) + 1)
            });
        }
        assert_eq!(server.plane().counters().dropped(DropReason::Replayed), 0);
        server.stop();
    });
}

#[test]
fn sockets_and_queues_without_counterpart_are_closed() {
    for (sockets, queues_asked, workers) in [(1, 3, 1), (3, 1, 1), (2, 3, 2)] {
        in_namespace(move || {
            let group = listeners_for(sockets);
            let address = group[0].address();
            let edge = edge_with(
                vec![(ListenerId(0), group)],
                tun_with("tun-test", Offload::TcpAndUdp, queues_asked).unwrap(),
            );
            let sink: ControlSink = Arc::new(|_| true);
            let plane =
                Plane::start(edge, Arc::new(Tables::new(1, policy(&[]))), sink, Clock::start()).unwrap();
            assert_eq!(plane.worker_count(), workers);
            // Whichever socket the kernel chooses, somebody listens.
            for count in 1..=32 {
                let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
                stranger.send_to(&[0x38; 14], (Ipv4Addr::LOCALHOST, address.port())).unwrap();
                wait_for("the datagram", || plane.counters().happened(Event::DatagramReceived) == count);
            }
        });
    }
}

#[test]
fn datagrams_too_long_for_the_path_still_arrive() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let mut client = server.connect(0);
        ip("link set lo mtu 1280");
        let target = UdpSocket::bind((TARGET, 9)).unwrap();
        // What came to the device together is sent together.
        send_segmented(&target, (client.address, 40_000).into(), &vec![vec![7; 1400]; 10]);
        for _ in 0..10 {
            assert_eq!(client.receive().expect("a packet")[28..], [7; 1400]);
        }
        assert!(server.plane().counters().happened(Event::SegmentationRefused) > 0);
        let drops = server.plane().counters();
        assert_eq!(drops.drops().find(|(reason, count)| *count > 0 && is_a_send(*reason)), None);
        server.stop();
    });
}

#[test]
fn crl_04_a_removed_client_is_cut_off_and_another_is_not_disturbed() {
    in_namespace(|| {
        let server = Server::start(1, &["192.168.77.0/24"]);
        let (mut alice, mut bob) = (server.connect(0), server.connect(0));
        let id = server.tables.peer_id_of(alice.address).unwrap();
        server.commands.send(ToControl::Close(server.tables.peer(id).as_ref().unwrap().session)).unwrap();
        server.wait_for("the removal", |_| server.tables.peer_id_of(alice.address).is_none());
        alice.send(&echo(alice.address, TARGET, b""));
        for _ in 0..5 {
            bob.send(&echo(bob.address, TARGET, b""));
            assert!(bob.receive().is_some());
        }
        assert_eq!(server.plane().counters().dropped(DropReason::UnknownPeer), 1);
        server.stop();
    });
}

#[test]
fn net_12_a_panic_on_a_worker_is_contained_and_counted() {
    in_namespace(|| {
        let edge = edge(vec![(ListenerId(0), listeners_for(1))]);
        let address = edge.sockets[0].1[0].address();
        let (heard, hears) = channel();
        let sink: ControlSink = Arc::new(move |input| {
            let ControlInput::Datagram { bytes, .. } = input else {
                return false;
            };
            assert_ne!(bytes[1], 0xbd, "a defect");
            heard.send(bytes).is_ok()
        });
        let tables = Arc::new(Tables::new(1, policy(&[])));
        let plane = Plane::start(edge, tables, sink, Clock::start()).unwrap();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (number, octet) in (1..).zip([1, 0xbd, 2]) {
            stranger.send_to(&[0x38, octet], (Ipv4Addr::LOCALHOST, address.port())).unwrap();
            wait_for("the datagram", || plane.counters().happened(Event::DatagramReceived) == number);
        }
        assert_eq!(
            [hears.recv_timeout(PATIENCE), hears.recv_timeout(PATIENCE)],
            [Ok(vec![0x38, 1]), Ok(vec![0x38, 2])]
        );
        assert_eq!(plane.counters().happened(Event::Panic), 1);
        assert!(plane.is_running());
    });
}

#[test]
fn a_plane_whose_device_is_deleted_says_that_it_does_not_run() {
    in_namespace(|| {
        let server = Server::start(1, &[]);
        assert!(server.plane().is_running());
        ip("link del tun-test");
        server.wait_for("the end of the worker", |plane| !plane.is_running());
        server.stop();
    });
}

#[test]
fn after_a_stop_the_device_is_gone_and_farewells_can_still_be_sent() {
    in_namespace(|| {
        let server = Server::start(1, &[]);
        let transmitter = server.plane().transmitter();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(exists("tun-test"));
        server.stop();
        wait_for("the end of the device", || !exists("tun-test"));
        let path = |listener| Path {
            listener: ListenerId(listener),
            transport: Transport::Udp,
            remote: client.local_addr().unwrap(),
            local: None,
        };
        transmitter.send(path(0), b"farewell").unwrap();
        assert_eq!(client.recv(&mut [0; 100]).unwrap(), 8);
        let error = transmitter.send(path(7), b"farewell").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    });
}

#[test]
fn an_idle_plane_sleeps() {
    in_namespace(|| {
        let server = Server::start(1, &[]);
        thread::sleep(Duration::from_millis(100));
        let before = cpu_ticks();
        thread::sleep(Duration::from_millis(500));
        assert!(cpu_ticks() - before <= 2, "{} ticks of 10 ms in half a second", cpu_ticks() - before);
        server.stop();
    });
}

fn is_a_send(reason: DropReason) -> bool {
    matches!(reason, DropReason::SendBufferFull | DropReason::SendFailed | DropReason::SendTooLong)
}
