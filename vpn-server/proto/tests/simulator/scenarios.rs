//! What happens between a server and its clients, one sentence per test, on a quiet network unless it says otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::certificates::{CLIENTS, Standing};
use crate::quiet::{PORT, SECOND, config, connect, ping, world, world_with};
use crate::world::{World, path};
use vpn_proto::client::{ClientConfig, ClientEvent};
use vpn_proto::{CloseReason, DataCipher, Farewell, Keepalive, NegotiatedCipher, PushOption};

#[test]
fn a_client_connects_in_five_round_trips_and_packets_pass_both_ways() {
    let (mut world, _) = world();
    let start = world.now;
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let elapsed = world.now.saturating_since(start);
    assert!(elapsed <= Duration::from_millis(100), "{elapsed:?}");
    assert!(ping(&mut world, PORT));
    assert_eq!(world.server.received, [("client1".to_owned(), b"a tunnel packet".to_vec())]);
}

#[test]
fn every_cipher_tls_version_and_key_derivation_works() {
    for cipher in DataCipher::ALL.iter().copied() {
        for only_tls12 in [false, true] {
            for protocol in [990, 990 - 8, 6, 2] {
                let mut settings = config(&Arc::default());
                settings.data_ciphers = vec![cipher];
                let mut world = world_with(settings);
                let tls = CLIENTS[0].client_tls();
                let mut client = ClientConfig::new(if only_tls12 { tls.only_tls12() } else { tls });
                client.peer_info = format!("IV_PROTO={protocol}\nIV_CIPHERS={cipher}\n");
                connect(&mut world, PORT, Arc::new(client));
                let pushed = world.hosts[&PORT].connected.clone().unwrap();
                assert_eq!(pushed.cipher, Some(NegotiatedCipher::Aead(cipher)));
                assert_eq!(pushed.tls_exporter, protocol & 8 != 0);
                assert!(ping(&mut world, PORT), "{cipher} TLS 1.2 only: {only_tls12}, IV_PROTO={protocol}");
            }
        }
    }
}

#[test]
fn a_client_without_a_common_cipher_learns_why_it_is_refused() {
    let mut settings = config(&Arc::default());
    settings.data_ciphers = vec![DataCipher::ChaCha20Poly1305];
    let mut world = world_with(settings);
    let mut client = ClientConfig::new(CLIENTS[0].client_tls());
    client.peer_info = client.peer_info.replace(":CHACHA20-POLY1305", "");
    world.start_client(PORT, Arc::new(client));
    world.run(5 * SECOND);
    let reason = "Data channel cipher negotiation failed (no shared cipher)".to_owned();
    assert_eq!(world.hosts[&PORT].ended, Some(ClientEvent::AuthFailed(reason)));
    assert_eq!(world.server.failures[0].code, "no-shared-cipher");
}

#[test]
fn a_long_configuration_arrives_whole_over_several_messages() {
    let (mut world, _) = world();
    world.server.options =
        (0..200).map(|n| PushOption::route([10, n, 0, 0].into(), [255, 255, 0, 0].into())).collect();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let pushed = world.hosts[&PORT].connected.clone().unwrap();
    assert_eq!(pushed.options.iter().filter(|option| option.starts_with("route ")).count(), 200);
}

#[test]
fn crt_a_revoked_client_is_told_so_in_one_round_trip_after_its_keys() {
    let (mut world, authority) = world();
    authority.set("client1", Standing::Revoked);
    world.start_client(PORT, CLIENTS[0].client_config());
    assert!(world.run_until(SECOND, |world| world.hosts[&PORT].ended.is_some()));
    assert_eq!(world.hosts[&PORT].ended, Some(ClientEvent::AuthFailed("certificate revoked".to_owned())));
    assert_eq!(world.server.failures[0].code, "revoked");
    assert!(world.server.peers.is_empty());
}

#[test]
fn a_stranger_fails_in_tls() {
    let (mut world, authority) = world();
    authority.set("client1", Standing::Unknown);
    world.start_client(PORT, CLIENTS[0].client_config());
    world.run(90 * SECOND);
    assert!(matches!(world.hosts[&PORT].ended, Some(ClientEvent::Failed(_))));
    assert_eq!(
        world.server.failures.iter().map(|failure| failure.code).collect::<Vec<_>>(),
        ["unknown-authority"]
    );
    assert_eq!(world.server.endpoint.half_open(), 0);
}

#[test]
fn crl_03_a_session_closed_by_the_server_ends_with_the_reason_and_its_keys_are_gone() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    connect(&mut world, PORT + 1, CLIENTS[1].client_config());
    let session = world.server.session_of("client1").unwrap();
    let channel = world.server.peers[&session].channel.clone().unwrap();
    world.with_server(|server, now| {
        server.endpoint.close(now, session, Farewell::AuthFailed("certificate revoked".to_owned()));
    });
    assert!(!channel.is_open());
    assert!(world.run_until(SECOND, |world| world.hosts[&PORT].ended.is_some()));
    assert_eq!(world.hosts[&PORT].ended, Some(ClientEvent::AuthFailed("certificate revoked".to_owned())));
    assert_eq!(world.server.closed, [(session, CloseReason::Farewell)]);
    assert!(ping(&mut world, PORT + 1), "the other client is undisturbed");
}

#[test]
fn a_server_that_goes_down_tells_its_clients_to_restart() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let session = world.server.session_of("client1").unwrap();
    world.with_server(|server, now| server.endpoint.close(now, session, Farewell::Restart(String::new())));
    assert_eq!(world.server.endpoint.farewells_under_way(), 1);
    world.run(SECOND);
    assert_eq!(world.hosts[&PORT].ended, Some(ClientEvent::Restart(String::new())));
    assert_eq!(world.server.endpoint.farewells_under_way(), 0);
}

#[test]
fn a_leaving_client_frees_its_session_at_once_by_either_kind_of_notice() {
    for protocol in [990, 6] {
        let (mut world, _) = world();
        let mut client = ClientConfig::new(CLIENTS[0].client_tls());
        client.peer_info = client.peer_info.replace("IV_PROTO=990", &format!("IV_PROTO={protocol}"));
        connect(&mut world, PORT, Arc::new(client));
        world.with_client(PORT, |client, now| client.exit(now));
        world.run(SECOND);
        assert!(matches!(world.server.closed[..], [(_, CloseReason::ClientExit)]), "IV_PROTO={protocol}");
        world.run(10 * SECOND);
        assert_eq!(world.server.endpoint.sessions(), 0);
    }
}

#[test]
fn a_client_that_falls_silent_is_dropped_after_twice_ping_restart() {
    let mut settings = config(&Arc::default());
    settings.keepalive = Keepalive { ping: 2 * SECOND, ping_restart: 10 * SECOND };
    let mut world = world_with(settings);
    connect(&mut world, PORT, CLIENTS[0].client_config());
    world.run(60 * SECOND);
    assert_eq!(world.server.closed, [], "pings keep an idle session alive");
    world.network.conditions.loss = 100;
    let silent_since = world.now;
    assert!(world.run_until(60 * SECOND, |world| !world.server.closed.is_empty()));
    let elapsed = world.now.saturating_since(silent_since);
    assert!(elapsed > 17 * SECOND && elapsed < 21 * SECOND, "{elapsed:?}");
    assert!(matches!(world.server.closed[..], [(_, CloseReason::PingTimeout)]));
    assert!(matches!(world.hosts[&PORT].ended, Some(ClientEvent::Failed(_))));
}

#[test]
fn keepalives_of_many_sessions_leave_together_and_none_is_forgotten() {
    let mut settings = config(&Arc::default());
    settings.keepalive = Keepalive { ping: 2 * SECOND, ping_restart: 4 * SECOND };
    let mut world = world_with(settings);
    for port in PORT..PORT + 80 {
        connect(&mut world, port, CLIENTS[0].client_config());
    }
    let (mut moments, end) = (BTreeSet::new(), world.now + 8 * SECOND);
    while world.now < end {
        let ping = world.server.endpoint.poll_timeout().filter(|wakeup| wakeup.reason == "ping");
        moments.extend(ping.map(|wakeup| wakeup.at));
        world.run(SECOND / 100);
    }
    assert!((4..=4 * 32).contains(&moments.len()), "{} wakeups for 320 keepalives", moments.len());
    assert_eq!(world.server.endpoint.sessions(), 80);
    assert!(world.hosts.values().all(|host| host.ended.is_none()), "every client hears its keepalives");
}

#[test]
fn the_client_renegotiates_through_all_key_ids_and_no_packet_is_lost() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    for round in 1..=10 {
        world.with_client(PORT, |client, now| client.renegotiate(now));
        for _ in 0..30 {
            assert!(ping(&mut world, PORT), "round {round}");
        }
        assert_eq!(world.hosts[&PORT].renegotiations, round);
    }
    assert_eq!(world.server.renegotiations, 10);
}

#[test]
fn acl_06_a_client_begins_ten_renegotiations_at_once_and_then_one_a_minute() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let begin = |world: &mut World| {
        world.with_client(PORT, |client, now| client.renegotiate(now));
        world.run(SECOND);
        world.server.renegotiations
    };
    for count in 1..=10 {
        assert_eq!(begin(&mut world), count);
    }
    world.run(60 * SECOND);
    assert_eq!(begin(&mut world), 11);
    assert_eq!(begin(&mut world), 11, "one too many");
    assert!(ping(&mut world, PORT), "the tunnel goes on");
}

#[test]
fn acl_06_ten_messages_of_a_client_count_at_once_and_taking_leave_always_does() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    for (messages, answers) in [(9, 1), (10, 1), (0, 2)] {
        world.run(2 * SECOND);
        for _ in 0..messages {
            world.with_client(PORT, |client, now| client.respond(now, "MTIz"));
        }
        world.with_client(PORT, |client, now| client.request_push(now));
        world.run(SECOND / 2);
        let is_answer = |event: &&ClientEvent| matches!(event, ClientEvent::Pushed(_));
        assert_eq!(world.hosts[&PORT].heard.iter().filter(is_answer).count(), answers, "{messages}");
    }
    for _ in 0..20 {
        world.with_client(PORT, |client, now| client.respond(now, "MTIz"));
    }
    world.with_client(PORT, |client, now| client.exit(now));
    world.run(SECOND);
    assert!(matches!(world.server.closed[..], [(_, CloseReason::ClientExit)]));
}

#[test]
fn the_server_renegotiates_by_itself_and_no_packet_is_lost() {
    let mut settings = config(&Arc::default());
    settings.renegotiate_after = Some(5 * SECOND);
    let mut world = world_with(settings);
    connect(&mut world, PORT, CLIENTS[0].client_config());
    for _ in 0..600 {
        assert!(ping(&mut world, PORT));
        world.run(Duration::from_millis(80));
    }
    assert!(world.server.renegotiations >= 11, "{}", world.server.renegotiations);
    assert_eq!(world.server.renegotiations, world.hosts[&PORT].renegotiations);
}

#[test]
fn both_sides_may_begin_a_renegotiation_at_once() {
    let mut settings = config(&Arc::default());
    settings.renegotiate_after = Some(10 * SECOND);
    let mut world = world_with(settings);
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let due = world.server.endpoint.poll_timeout().unwrap();
    assert!(due.at > world.now);
    let is_due = |world: &World| {
        world.server.endpoint.poll_timeout().is_some_and(|next| next.reason == "renegotiation")
    };
    assert!(world.run_until(20 * SECOND, is_due));
    let at = world.server.endpoint.poll_timeout().unwrap().at;
    world.run(at.saturating_since(world.now) - Duration::from_millis(5));
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(2 * SECOND);
    assert_eq!((world.server.renegotiations, world.hosts[&PORT].renegotiations), (1, 1));
    assert!(ping(&mut world, PORT));
}

#[test]
fn crl_01_a_client_revoked_meanwhile_does_not_survive_a_renegotiation() {
    let (mut world, authority) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    authority.set("client1", Standing::Revoked);
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(2 * SECOND);
    assert_eq!(world.hosts[&PORT].ended, Some(ClientEvent::AuthFailed("certificate revoked".to_owned())));
    assert!(
        matches!(&world.server.closed[..], [(_, CloseReason::RenegotiationDenied(denial))] if denial.code == "revoked")
    );
}

#[test]
fn net_10_a_client_that_restarts_on_its_port_gets_in_at_once_and_the_former_session_ends() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let former = world.server.session_of("client1").unwrap();
    let start = world.now;
    connect(&mut world, PORT, CLIENTS[0].client_config());
    assert!(world.now.saturating_since(start) < SECOND);
    assert_eq!(world.server.closed, [(former, CloseReason::ReplacedBySamePort)]);
    assert!(ping(&mut world, PORT));
}

#[test]
fn net_10_resets_and_half_handshakes_from_a_live_clients_address_do_not_disturb_it() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let victim = world.hosts.remove(&PORT).unwrap();
    world.start_client(PORT, CLIENTS[1].client_config());
    world.run(Duration::from_millis(45));
    world.hosts.insert(PORT, victim);
    world.run(5 * SECOND);
    assert!(ping(&mut world, PORT));
    assert_eq!(world.server.closed, []);
}

#[test]
fn net_10_another_certificate_on_the_same_port_does_not_end_a_session() {
    let (mut world, _) = world();
    connect(&mut world, PORT, CLIENTS[0].client_config());
    let victim = world.hosts.remove(&PORT).unwrap();
    connect(&mut world, PORT, CLIENTS[1].client_config());
    assert_eq!(world.server.closed, []);
    world.hosts.insert(PORT, victim);
    assert!(ping(&mut world, PORT));
}

#[test]
fn net_01_a_hard_reset_costs_the_server_no_state() {
    let (mut world, _) = world();
    for n in 1..=2000_u64 {
        let mut reset = vec![0x38];
        reset.extend(n.to_be_bytes());
        reset.extend([0, 0, 0, 0, 0]);
        world.with_server(|server, now| server.receive(now, path(PORT), reset));
    }
    assert_eq!(world.server.endpoint.half_open(), 0);
    assert_eq!(world.server.endpoint.poll_timeout(), None);
    assert_eq!(world.server.endpoint.counters().resets_answered, 2000);
}

#[test]
fn net_01_a_cookie_from_elsewhere_starts_no_session() {
    let (mut world, _) = world();
    world.network.conditions.latency = Duration::from_secs(3600);
    let reset = [&[0x38][..], &[7; 8], &[0; 5]].concat();
    world.server.receive(world.now, path(PORT), reset);
    let answer = world.server.poll_transmit().unwrap().payload;
    assert_eq!(answer.len(), 26, "NET-03: twelve octets more than the question");
    let ack = [&[0x28][..], &[7; 8], &[1, 0, 0, 0, 0], &answer[1..9]].concat();
    world.server.receive(world.now, path(PORT + 1), ack.clone());
    assert_eq!(world.server.endpoint.half_open(), 0);
    world.server.receive(world.now, path(PORT), ack);
    assert_eq!(world.server.endpoint.half_open(), 1);
}

#[test]
fn net_04_the_oldest_handshake_gives_way_when_too_many_are_under_way() {
    let mut settings = config(&Arc::default());
    settings.half_open.total = 10;
    let mut world = world_with(settings);
    for port in 6000..6011 {
        let reset = [&[0x38][..], &[7; 8], &[0; 5]].concat();
        world.server.receive(world.now, path(port), reset);
        let answer = world.server.poll_transmit().unwrap().payload;
        let ack = [&[0x28][..], &[7; 8], &[1, 0, 0, 0, 0], &answer[1..9]].concat();
        world.server.receive(world.now, path(port), ack);
    }
    assert_eq!(world.server.endpoint.half_open(), 10);
    assert_eq!(world.server.endpoint.counters().evicted, 1);
    connect(&mut world, PORT, CLIENTS[0].client_config());
    world.run(31 * SECOND);
    assert_eq!(world.server.endpoint.half_open(), 0, "silent handshakes end by themselves");
    assert!(ping(&mut world, PORT));
}

#[test]
fn a_client_whose_only_acknowledgement_of_the_reset_was_lost_is_reminded() {
    let (mut world, _) = world();
    let control_without_acks = [&[0x20][..], &[7; 8], &[0], &[0, 0, 0, 1], b"client hello"].concat();
    world.server.receive(world.now, path(PORT), control_without_acks);
    let answer = world.server.poll_transmit().unwrap().payload;
    assert_eq!(answer[0], 0x40);
    assert_eq!(world.server.endpoint.half_open(), 0);
}
