//! The forms that data packets may have, as old and new clients bring them.

use std::sync::Arc;

use crate::certificates::CLIENTS;
use crate::quiet::{PORT, SECOND, config, connect, ping, world_with};
use crate::world::World;
use vpn_proto::client::{ClientConfig, ClientEvent, Pushed};
use vpn_proto::{AuthDigest, CbcCipher, CloseReason, DataCipher, NegotiatedCipher, ReplayWindowSize};

/// IV_PROTO of OpenVPN 2.7 and of the core of OpenVPN 3.
const MODERN: u32 = 8094;

/// A client with these lines of peer info and this in its options string.
fn client(peer_info: &str, options: &str) -> ClientConfig {
    let mut config = ClientConfig::new(CLIENTS[0].client_tls());
    config.peer_info = peer_info.to_owned();
    config.options = config.options.replace("auth SHA1", options);
    config
}

/// A server that also takes what it does not take by default.
fn generous_world() -> World {
    let mut settings = config(&Arc::default());
    settings.data_ciphers = DataCipher::ALL.to_vec();
    settings.cbc_ciphers = CbcCipher::ALL.to_vec();
    world_with(settings)
}

/// Connects, lets packets pass both ways through renegotiations from either side, and leaves.
fn lives_a_whole_life(world: &mut World, client: ClientConfig, what: &str) -> Pushed {
    connect(world, PORT, Arc::new(client));
    let pushed = world.hosts[&PORT].connected.clone().unwrap();
    assert!(ping(world, PORT), "{what}");
    for _ in 0..3 {
        world.with_client(PORT, |client, now| client.renegotiate(now));
        for _ in 0..10 {
            world.run(SECOND);
            assert!(ping(world, PORT), "{what}");
        }
    }
    assert_eq!(world.server.renegotiations, 3, "{what}");
    assert_eq!(world.server.refused, [], "{what}");
    world.with_client(PORT, |client, now| client.exit(now));
    world.run(SECOND);
    assert!(matches!(world.server.closed[..], [(_, CloseReason::ClientExit)]), "{what}");
    pushed
}

#[test]
fn every_aead_cipher_works_in_every_format() {
    for cipher in DataCipher::ALL {
        for (protocol, is_epoch) in [(MODERN, true), (990, false), (2, false), (0, false)] {
            let info = format!("IV_PROTO={protocol}\nIV_CIPHERS={cipher}\n");
            let what = format!("{cipher} with IV_PROTO={protocol}");
            let pushed = lives_a_whole_life(&mut generous_world(), client(&info, "auth SHA1"), &what);
            assert_eq!(pushed.epoch_format, is_epoch, "{what}");
            assert_eq!(pushed.peer_id.is_some(), protocol & 2 != 0, "{what}");
            assert_eq!(pushed.cipher, Some(NegotiatedCipher::Aead(*cipher)), "{what}");
        }
    }
}

#[test]
fn key_01_every_cbc_cipher_and_digest_works_where_it_is_allowed() {
    for cipher in CbcCipher::ALL {
        for digest in [AuthDigest::Sha1, AuthDigest::Sha256, AuthDigest::Sha384, AuthDigest::Sha512] {
            let what = format!("{cipher} with {digest:?}");
            let options = format!("auth {}", digest.name());
            let modern = client(&format!("IV_PROTO=990\nIV_CIPHERS={cipher}\n"), &options);
            let pushed = lives_a_whole_life(&mut generous_world(), modern, &what);
            assert_eq!(pushed.cipher, Some(NegotiatedCipher::Cbc(cipher)));
        }
    }
}

#[test]
fn key_01_cbc_is_refused_unless_it_is_allowed() {
    let mut world = world_with(config(&Arc::default()));
    let old = client("IV_PROTO=990\nIV_CIPHERS=AES-256-CBC\n", "auth SHA256");
    world.start_client(PORT, Arc::new(old));
    world.run(5 * SECOND);
    let reason = "Data channel cipher negotiation failed (no shared cipher)".to_owned();
    assert_eq!(world.hosts[&PORT].ended, Some(ClientEvent::AuthFailed(reason)));
}

#[test]
fn a_client_that_cannot_negotiate_works_with_the_cipher_of_its_profile() {
    for (cipher, digest) in [("AES-128-GCM", "SHA1"), ("AES-256-CBC", "SHA512")] {
        let old = client("IV_VER=2.3.18\n", &format!("cipher {cipher},auth {digest}"));
        let pushed = lives_a_whole_life(&mut generous_world(), old, cipher);
        assert_eq!((pushed.cipher, pushed.peer_id), (None, None));
    }
}

#[test]
fn key_01_clients_with_compression_in_their_profile_work_without_it() {
    for (stubs, framing) in
        [("IV_COMP_STUBv2=1\n", "compress stub-v2"), ("IV_LZO_STUB=1\n", "comp-lzo no"), ("", "comp-lzo no")]
    {
        for protocol in [MODERN, 990, 0] {
            let info = format!("IV_PROTO={protocol}\nIV_CIPHERS=AES-256-GCM\n{stubs}");
            let what = format!("{framing} with IV_PROTO={protocol}");
            let pushed =
                lives_a_whole_life(&mut generous_world(), client(&info, "comp-lzo,auth SHA1"), &what);
            assert!(pushed.options.contains(&framing.to_owned()), "{what}");
        }
    }
    let info = "IV_PROTO=990\nIV_CIPHERS=AES-256-CBC\n";
    let with_cbc = client(info, "comp-lzo,auth SHA256");
    lives_a_whole_life(&mut generous_world(), with_cbc, "compression and CBC");
}

#[test]
fn a_client_with_fragment_in_its_profile_learns_why_it_is_refused() {
    let mut world = generous_world();
    let config = client("IV_PROTO=990\nIV_CIPHERS=AES-256-GCM\n", "mtu-dynamic,auth SHA1");
    world.start_client(PORT, Arc::new(config));
    world.run(5 * SECOND);
    let Some(ClientEvent::AuthFailed(reason)) = &world.hosts[&PORT].ended else {
        panic!("{:?}", world.hosts[&PORT].ended)
    };
    assert!(reason.contains("'fragment'"), "{reason}");
    assert_eq!(world.server.failures[0].code, "fragment-unsupported");
}

#[test]
fn key_02_the_replay_window_is_as_wide_as_configured() {
    for (window, late, accepted) in [(64, 63, 1), (64, 64, 0), (100, 99, 1), (100, 100, 0), (2048, 2047, 1)] {
        let mut settings = config(&Arc::default());
        settings.replay_window = ReplayWindowSize::new(window).unwrap();
        let mut world = world_with(settings);
        connect(&mut world, PORT, CLIENTS[0].client_config());
        world.network.holds_back = true;
        world.with_client(PORT, |client, now| client.send_packet(now, b"late"));
        world.network.holds_back = false;
        for _ in 0..late {
            world.with_client(PORT, |client, now| client.send_packet(now, b"early"));
        }
        world.run(SECOND);
        world.release_held_back();
        world.run(SECOND);
        let arrived = world.server.received.iter().filter(|(_, packet)| packet == b"late").count();
        assert_eq!(arrived, accepted, "{late} ids late in a window of {window}");
    }
}
