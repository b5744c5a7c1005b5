//! The captures of stock peers in `testdata/openvpn`, read with this implementation.
//!
//! Test code only. Wrapped control packets are read from their unwrapped form.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::data::{DataCipher, DataKey};
use crate::ids::KeyId;
use crate::keys::{KeyMaterial, Side};
use crate::wire::control::ControlPacket;
use crate::wire::key_method2::{KeyMethod2, Sender};
use crate::wire::message::{ClientMessage, ServerMessage};
use crate::wire::opcode::{Class, classify};
use crate::wire::peer_info::PeerInfo;

macro_rules! capture {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../testdata/openvpn/", $name, "/expected.json")))
    };
}

const CAPTURES: [(&str, &str); 14] = [
    capture!("tcp-plain-ekm"),
    capture!("udp-cbc"),
    capture!("udp-chacha-tls12"),
    capture!("udp-client-openvpn3"),
    capture!("udp-client24-mbedtls"),
    capture!("udp-epoch"),
    capture!("udp-float"),
    capture!("udp-plain-ekm"),
    capture!("udp-plain-prf"),
    capture!("udp-reneg-dyn-tlscrypt"),
    capture!("udp-tlsauth-prf"),
    capture!("udp-tlscrypt-ekm"),
    capture!("udp-tlscryptv2-ekm"),
    capture!("udp-tlscryptv2-oldclient"),
];

/// Opcodes that come with tls-crypt-v2.
const OPCODES_OF_TLS_CRYPT_V2: [u8; 2] = [10, 11];

/// Key ids that come twice in the capture of nine renegotiations, with two keys of which the file holds one.
const KEY_IDS_USED_TWICE: [u8; 2] = [1, 2];

fn captures() -> impl Iterator<Item = (&'static str, Value)> {
    CAPTURES.into_iter().map(|(name, text)| (name, serde_json::from_str(text).unwrap()))
}

fn list<'a>(capture: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    capture[field].as_array().into_iter().flatten()
}

fn octets(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_control_packet_reads_and_writes_back() {
    let mut count = 0;
    for (name, capture) in captures() {
        for packet in list(&capture, "control") {
            let wire = octets(&packet["wire"]);
            if OPCODES_OF_TLS_CRYPT_V2.contains(&(wire[0] >> 3)) {
                continue;
            }
            let unwrapped = [&wire[..9], &octets(&packet["unwrapped_after_sid"])].concat();
            let read = ControlPacket::parse(&unwrapped).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut written = vec![];
            read.write(&mut written);
            assert_eq!(written, unwrapped, "{name}");
            assert_eq!(classify(&wire), Class::Control);
            count += 1;
        }
    }
    assert!(count > 140, "{count} packets");
}

#[test]
fn every_message_reads() {
    let (mut key_methods, mut texts) = (0, 0);
    for (name, capture) in captures() {
        for message in list(&capture, "messages") {
            let is_client = message["dir"] == "c2s";
            if message["type"] == "key_method_2" {
                read_key_method2(name, &octets(&message["plaintext"]), is_client);
                key_methods += 1;
            } else {
                read_text(name, message["plaintext"].as_str().unwrap().as_bytes(), is_client);
                texts += 1;
            }
        }
    }
    assert!(key_methods > 28 && texts > 14, "{key_methods} and {texts} messages");
}

fn read_key_method2(name: &str, plaintext: &[u8], is_client: bool) {
    let sender = if is_client { Sender::Client } else { Sender::Server };
    let message = KeyMethod2::parse(plaintext, sender).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(message.options.starts_with("V4,dev-type tun,"), "{name}: {}", message.options);
    if is_client {
        assert!(PeerInfo::parse(&message.peer_info).version().is_some(), "{name}: {}", message.peer_info);
    }
}

fn read_text(name: &str, plaintext: &[u8], is_client: bool) {
    if is_client {
        let messages: Vec<_> = ClientMessage::parse_record(plaintext).collect();
        let is_known =
            |message: &ClientMessage| matches!(message, ClientMessage::PushRequest | ClientMessage::Exit);
        assert!(messages.len() == 1 && is_known(&messages[0]), "{name}: {messages:?}");
    } else {
        let messages: Vec<_> = ServerMessage::parse_record(plaintext).collect();
        assert!(
            matches!(messages[..], [ServerMessage::PushReply(_) | ServerMessage::Restart(_)]),
            "{name}: {messages:?}"
        );
    }
}

/// The captures whose data packets have the classic AEAD format with a peer id.
#[test]
fn every_classic_data_packet_opens() {
    let mut count = 0;
    for (name, capture) in captures() {
        let Ok(cipher) = capture["cipher"].as_str().unwrap().parse::<DataCipher>() else {
            continue;
        };
        if capture["epoch_format"] == true {
            continue;
        }
        for packet in list(&capture, "data") {
            let mut wire = octets(&packet["wire"]);
            let Class::Data { peer_id: Some(_), key_id } = classify(&wire) else {
                panic!("{name}: no data packet")
            };
            if name == "udp-reneg-dyn-tlscrypt" && KEY_IDS_USED_TWICE.contains(&key_id.get()) {
                continue;
            }
            let side = if packet["dir"] == "c2s" { Side::Server } else { Side::Client };
            let key = data_key(&capture, key_id, cipher, side);
            assert_eq!(key.open(&mut wire).unwrap(), octets(&packet["plaintext"]), "{name}");
            count += 1;
        }
    }
    assert!(count > 70, "{count} packets");
}

fn data_key(capture: &Value, key_id: KeyId, cipher: DataCipher, side: Side) -> DataKey {
    let material = octets(&capture["keys"][key_id.get().to_string()]["K"]);
    let material = KeyMaterial::new(Zeroizing::new(material.try_into().unwrap()));
    DataKey::new(key_id, cipher, &material, side).unwrap()
}

#[test]
fn every_classic_data_vector_opens_and_seals_to_the_same_octets() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../testdata/openvpn/vectors.json")).unwrap();
    let section = &vectors["data_packets"];
    let mut count = 0;
    for vector in list(section, "list") {
        let is_v2 = vector["opcode"] == 9;
        let is_classic = octets(&vector["nonce"]).len() == 12 && vector.get("epoch").is_none();
        let (Ok(cipher), true) =
            (vector["cipher"].as_str().unwrap().parse::<DataCipher>(), is_v2 && is_classic)
        else {
            continue;
        };
        let wire = octets(&vector["wire"]);
        let Class::Data { peer_id: Some(peer_id), key_id } = classify(&wire) else {
            panic!("no data packet")
        };
        let material = || KeyMaterial::new(Zeroizing::new(octets(&section["key2"]).try_into().unwrap()));
        let (opener, sealer) =
            if vector["dir"] == "c2s" { (Side::Server, Side::Client) } else { (Side::Client, Side::Server) };
        let opening = DataKey::new(key_id, cipher, &material(), opener).unwrap();
        assert_eq!(opening.open(&mut wire.clone()).unwrap(), octets(&vector["plaintext"]));
        let sealing = DataKey::new(key_id, cipher, &material(), sealer).unwrap();
        let mut sealed = [&[0; 24][..], &octets(&vector["plaintext"])].concat();
        let packet_id = sealing.reserve_packet_id().unwrap();
        sealing.seal(peer_id, packet_id, &mut sealed).unwrap();
        assert_eq!(sealed, wire);
        count += 1;
    }
    assert_eq!(count, 6, "three ciphers in two directions");
}
