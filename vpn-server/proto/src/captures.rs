//! The captures of stock peers in `testdata/openvpn`, read with this implementation.
//!
//! Test code only. Wrapped control packets are read from their unwrapped form.

mod data;

pub(crate) use data::{DataPacket, cbc_capture};

use serde_json::Value;

use crate::wire::control::ControlPacket;
use crate::wire::key_method2::{KeyMethod2, Sender};
use crate::wire::message::{ClientMessage, ServerMessage};
use crate::wire::opcode::{Class, classify};
use crate::wire::peer_info::PeerInfo;
use crate::wire::replay_id::ReplayId;
use crate::wire::static_key::{KeyDirection, StaticKey};
use crate::wire::tcp;
use crate::wire::tls_auth::{AuthDigest, TlsAuth};
use crate::wire::tls_crypt::TlsCrypt;
use crate::wire::tls_crypt_v2::TlsCryptV2Key;

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

/// The TCP payloads of a packet capture (Ethernet, IPv4, little-endian) that one side sent, in their order.
fn stream_from(capture: &[u8], sender: [u8; 4]) -> Vec<u8> {
    let (mut records, mut stream) = (&capture[24..], vec![]);
    while let Some((header, rest)) = records.split_first_chunk::<16>() {
        let length = u32::from_le_bytes(*header[8..].first_chunk().unwrap());
        let (frame, later) = rest.split_at(usize::try_from(length).unwrap());
        records = later;
        let packet = &frame[14..];
        if packet[9] != 6 || packet[12..16] != sender {
            continue;
        }
        let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let segment = &packet[usize::from(packet[0] & 15) * 4..total];
        stream.extend_from_slice(&segment[usize::from(segment[12] >> 4) * 4..]);
    }
    stream
}

#[test]
fn the_streams_of_a_capture_over_tcp_are_frames_of_its_packets() {
    let pcap = include_bytes!("../../../testdata/openvpn/tcp-plain-ekm/capture.pcap");
    let (_, expected) = captures().next().unwrap();
    for (direction, sender) in [("c2s", [192, 0, 2, 2]), ("s2c", [192, 0, 2, 1])] {
        let mut stream = stream_from(pcap, sender);
        if direction == "c2s" {
            assert_eq!(tcp::opening(&stream), tcp::Opening::OpenVpn);
        }
        let (mut frames, mut found) = (tcp::Frames::new(&mut stream), vec![]);
        while let Some(packet) = frames.next_packet().unwrap() {
            found.push(packet.to_vec());
        }
        assert!(frames.rest().is_empty());
        let mut sent = list(&expected, "control").chain(list(&expected, "data"));
        let is_found = |packet: &Value| found.contains(&octets(&packet["wire"]));
        assert!(sent.all(|packet| packet["dir"] != direction || is_found(packet)), "{direction}");
    }
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

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../testdata/openvpn/vectors.json")).unwrap()
}

/// One known answer.
pub(crate) struct Vector(Value);

/// The entry `name` of the known answers.
pub(crate) fn vector(name: &str) -> Vector {
    Vector(vectors()[name].clone())
}

impl Vector {
    pub(crate) fn octets(&self, field: &str) -> Vec<u8> {
        octets(&self.0[field])
    }

    /// The entries of a list of known answers.
    pub(crate) fn list(&self) -> Vec<Self> {
        list(&self.0, "list").cloned().map(Vector).collect()
    }
}

fn static_key(value: &Value) -> StaticKey {
    StaticKey::new(octets(value).try_into().unwrap())
}

/// The replay id that the vectors were made with.
const VECTOR_REPLAY_ID: ReplayId = ReplayId { time: 0x6aff_f5ee, counter: 1 };

#[test]
fn net_08_tls_auth_vectors_wrap_and_unwrap() {
    let vectors = vectors();
    let key = static_key(&vectors["static_key"]["bytes"]);
    let mut count = 0;
    for vector in list(&vectors["tls_auth"], "list") {
        let digest = match vector["hash"].as_str().unwrap() {
            "sha1" => AuthDigest::Sha1,
            "sha256" => AuthDigest::Sha256,
            "sha512" => AuthDigest::Sha512,
            other => panic!("{other}"),
        };
        let what = vector["what"].as_str().unwrap();
        let (sender, receiver) = match what.split(' ').next().unwrap() {
            "client" => (KeyDirection::One, KeyDirection::Zero),
            "server" => (KeyDirection::Zero, KeyDirection::One),
            _ => (KeyDirection::Bidirectional, KeyDirection::Bidirectional),
        };
        let wire = octets(&vector["wire"]);
        let unwrapped = TlsAuth::new(&key, receiver, digest).unwrap(&wire).unwrap();
        assert_eq!(unwrapped.replay_id, Some(VECTOR_REPLAY_ID), "{what}");
        assert!(ControlPacket::parse(&unwrapped.packet).is_ok());
        let wrapped = TlsAuth::new(&key, sender, digest).wrap(VECTOR_REPLAY_ID, &unwrapped.packet);
        assert_eq!(wrapped, wire, "{what}");
        refuses_every_damaged_octet(&wire, |datagram| {
            TlsAuth::new(&key, receiver, digest).unwrap(datagram).is_ok()
        });
        count += 1;
    }
    assert_eq!(count, 9);
}

#[test]
fn net_08_tls_crypt_vectors_wrap_and_unwrap() {
    let vectors = vectors();
    let key = static_key(&vectors["static_key"]["bytes"]);
    for (vector, (sender, receiver)) in list(&vectors["tls_crypt_wrap"], "list")
        .zip([(KeyDirection::One, KeyDirection::Zero), (KeyDirection::Zero, KeyDirection::One)])
    {
        let wire = octets(&vector["wire"]);
        let unwrapped = TlsCrypt::new(&key, receiver).unwrap(&wire).unwrap();
        assert_eq!(unwrapped.packet[9..], octets(&vector["plaintext"]));
        assert_eq!(TlsCrypt::new(&key, sender).wrap(VECTOR_REPLAY_ID, &unwrapped.packet), wire);
        refuses_every_damaged_octet(&wire, |datagram| TlsCrypt::new(&key, receiver).unwrap(datagram).is_ok());
    }
}

/// Both unwrap with key 1: they come from a client with direction 1.
#[test]
fn the_packets_of_openvpns_own_tests_unwrap() {
    let vectors = vectors();
    let section = &vectors["unittest_packets"];
    let key = static_key(&section["static_key"]);
    let packets: Vec<_> = list(section, "list").collect();
    let crypt = TlsCrypt::new(&key, KeyDirection::Zero).unwrap(&octets(&packets[0]["wire"])).unwrap();
    assert_eq!(crypt.packet[9..], octets(&packets[0]["unwrapped"]));
    let auth = TlsAuth::new(&key, KeyDirection::Zero, AuthDigest::Sha1)
        .unwrap(&octets(&packets[1]["wire"]))
        .unwrap();
    assert_eq!(auth.packet[9..], octets(&packets[1]["unwrapped"]));
}

#[test]
fn net_08_wrapped_client_keys_open_and_wrap_to_the_same_octets() {
    let vectors = vectors();
    let section = &vectors["tls_crypt_v2"];
    let server = TlsCryptV2Key::new(&octets(&section["server_key"]).try_into().unwrap());
    for client in list(section, "clients") {
        let (key, wrapped) = (octets(&client["Kc"]), octets(&client["WKc"]));
        let metadata = octets(&client["metadata"]);
        assert_eq!(server.wrap(&key.clone().try_into().unwrap(), &metadata).unwrap(), wrapped);
        let datagram = [b"packet", &wrapped[..]].concat();
        let (packet, found) = server.take(&datagram).unwrap();
        assert_eq!((packet, &found.metadata), (&b"packet"[..], &metadata));
        refuses_every_damaged_octet(&wrapped, |wrapped| server.take(&[b"packet", wrapped].concat()).is_ok());
    }
}

#[test]
fn net_08_metadata_fits_up_to_734_octets() {
    let server = TlsCryptV2Key::new(&[7; TlsCryptV2Key::LENGTH]);
    assert!(server.wrap(&[1; StaticKey::LENGTH], &[0; 734]).is_some());
    assert!(server.wrap(&[1; StaticKey::LENGTH], &[0; 735]).is_none());
}

fn refuses_every_damaged_octet(wire: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(wire));
    for index in 0..wire.len() {
        let mut damaged = wire.to_vec();
        damaged[index] ^= 0x40;
        assert!(!accepts(&damaged), "octet {index}");
        assert!(!accepts(&wire[..index]), "{index} octets");
    }
}

/// Every captured control packet comes off its wrapping: statically wrapped ones with the key of the capture, those of
/// renegotiations with the dynamic key that the capture's maker derived.
#[test]
fn net_08_captured_packets_unwrap() {
    let static_octets = vectors()["static_key"]["bytes"].clone();
    let server = TlsCryptV2Key::new(&octets(&vectors()["tls_crypt_v2"]["server_key"]).try_into().unwrap());
    let mut count = 0;
    for (name, capture) in captures() {
        let static_key = || match capture.get("tls_crypt_v2_Kc") {
            Some(key) => static_key(key),
            None => static_key(&static_octets),
        };
        for packet in list(&capture, "control") {
            let wire = octets(&packet["wire"]);
            let receiver = if packet["dir"] == "c2s" { KeyDirection::Zero } else { KeyDirection::One };
            let has_key = OPCODES_OF_TLS_CRYPT_V2.contains(&(wire[0] >> 3));
            let datagram = if has_key { server.take(&wire).unwrap().0 } else { &wire };
            let unwrapped = match capture["wrapping"].as_str().unwrap() {
                "auth" => TlsAuth::new(&static_key(), receiver, AuthDigest::Sha256).unwrap(datagram),
                "crypt" | "crypt2" => TlsCrypt::new(&static_key(), receiver).unwrap(datagram),
                _ => continue,
            };
            let plain = unwrapped.unwrap_or_else(|error| panic!("{name}: {error}")).packet;
            assert_eq!(plain[9..], octets(&packet["unwrapped_after_sid"]), "{name}");
            assert!(ControlPacket::parse(&plain).is_ok());
            count += 1;
        }
    }
    assert!(count > 60, "{count} packets");
}
