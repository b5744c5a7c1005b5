//! Data packets of stock peers: all of them open, and sealing what is in them gives the same octets again.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{captures, list, octets, vectors};
use crate::data::{
    DataChannel, DataCipher, DataFormat, DataKey, EXIT, Framing, Inbound, NegotiatedCipher, PING, Protection,
    ReplayWindowSize,
};
use crate::ids::{KeyId, ListenerId, PeerId};
use crate::keys::{KeyMaterial, Side};
use crate::moment::Moment;
use crate::path::{Path, Transport};
use crate::wire::opcode::{Class, classify};
use crate::wire::tls_auth::AuthDigest;

/// Key ids that come twice in the capture of nine renegotiations, with two keys of which the file holds one.
const KEY_IDS_USED_TWICE: [u8; 2] = [1, 2];

#[test]
fn every_captured_data_packet_opens() {
    let mut count = 0;
    for (name, capture) in captures() {
        for packet in data_packets(name, &capture) {
            let receiver = if packet.from_client { Side::Server } else { Side::Client };
            let channel = channel(
                &format(&capture),
                &material(&capture, packet.key_id),
                (PeerId::FIRST, packet.key_id),
                receiver,
            );
            assert_eq!(opened(&channel, &packet.wire), packet.plaintext, "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 111, "all in the files but those of keys that the files do not hold");
}

/// Whatever the captured peers sealed with one key, this implementation seals to the same octets in the same order;
/// except with CBC, where the IVs are random.
#[test]
fn what_was_captured_is_sealed_to_the_same_octets() {
    let mut count = 0;
    for (name, capture) in captures().filter(|(name, _)| *name != "udp-cbc") {
        let mut channels = BTreeMap::new();
        for packet in data_packets(name, &capture) {
            let sender = if packet.from_client { Side::Client } else { Side::Server };
            let channel = channels.entry((packet.key_id, packet.from_client)).or_insert_with(|| {
                channel(
                    &format(&capture),
                    &material(&capture, packet.key_id),
                    (PeerId::FIRST, packet.key_id),
                    sender,
                )
            });
            assert_eq!(channel.seal_payload(NOW, &packet.plaintext).unwrap(), packet.wire, "{name}");
            count += 1;
        }
    }
    assert!(count > 90, "{count} packets");
}

#[test]
fn every_data_vector_opens_and_seals_to_the_same_octets() {
    let vectors = vectors();
    let section = &vectors["data_packets"];
    let material = KeyMaterial::new(Zeroizing::new(octets(&section["key2"]).try_into().unwrap()));
    let mut count = 0;
    for vector in list(section, "list") {
        let Ok(cipher) = vector["cipher"].as_str().unwrap().parse::<DataCipher>() else {
            assert_eq!(vector["cipher"], "AES-192-GCM", "what ring does not have");
            continue;
        };
        let is_epoch = vector.get("epoch").is_some();
        let protection = if is_epoch { Protection::Epoch(cipher) } else { Protection::Classic(cipher) };
        let format = DataFormat { protection, has_peer_id: vector["opcode"] == 9, framing: Framing::None };
        let wire = octets(&vector["wire"]);
        let (sender, receiver) =
            if vector["dir"] == "c2s" { (Side::Client, Side::Server) } else { (Side::Server, Side::Client) };
        let ids = (PeerId::new(5).unwrap(), KeyId::from_first_octet(wire[0]));
        let plaintext = octets(&vector["plaintext"]);
        let side = |side| channel(&format, &material, ids, side);
        assert_eq!(opened(&side(receiver), &wire), plaintext, "{vector}");
        let sealed = side(sender).seal_payload(NOW, &plaintext).unwrap();
        assert_eq!(sealed, wire, "{vector}");
        count += 1;
    }
    assert_eq!(count, DataCipher::ALL.len() * 6, "three formats in two directions");
}

const NOW: Moment = Moment::from_micros(0);

/// A captured data packet.
pub(crate) struct DataPacket {
    pub(crate) from_client: bool,
    pub(crate) key_id: KeyId,
    pub(crate) wire: Vec<u8>,
    pub(crate) plaintext: Vec<u8>,
}

/// The keys and packets of the capture with AES-256-CBC and SHA-256.
pub(crate) fn cbc_capture() -> (KeyMaterial, Vec<DataPacket>) {
    let (name, capture) = captures().find(|(name, _)| *name == "udp-cbc").unwrap();
    (material(&capture, KeyId::FIRST), data_packets(name, &capture).collect())
}

fn data_packets<'a>(name: &'a str, capture: &'a Value) -> impl Iterator<Item = DataPacket> + 'a {
    let packets = list(capture, "data").map(move |packet| {
        let wire = octets(&packet["wire"]);
        let Class::Data { peer_id: Some(_), key_id } = classify(&wire) else {
            panic!("{name}: no data packet")
        };
        DataPacket {
            from_client: packet["dir"] == "c2s",
            key_id,
            wire,
            plaintext: octets(&packet["plaintext"]),
        }
    });
    packets.filter(move |packet| {
        name != "udp-reneg-dyn-tlscrypt" || !KEY_IDS_USED_TWICE.contains(&packet.key_id.get())
    })
}

fn format(capture: &Value) -> DataFormat {
    let protection = match capture["cipher"].as_str().unwrap().parse().unwrap() {
        NegotiatedCipher::Aead(cipher) if capture["epoch_format"] == true => Protection::Epoch(cipher),
        NegotiatedCipher::Aead(cipher) => Protection::Classic(cipher),
        NegotiatedCipher::Cbc(cipher) => Protection::Cbc(cipher, AuthDigest::Sha256),
    };
    DataFormat { protection, has_peer_id: true, framing: Framing::None }
}

fn material(capture: &Value, key_id: KeyId) -> KeyMaterial {
    let material = octets(&capture["keys"][key_id.get().to_string()]["K"]);
    KeyMaterial::new(Zeroizing::new(material.try_into().unwrap()))
}

fn channel(
    format: &DataFormat,
    material: &KeyMaterial,
    (peer_id, key_id): (PeerId, KeyId),
    side: Side,
) -> DataChannel {
    let key = DataKey::new(key_id, format.protection, ReplayWindowSize::default(), material, side).unwrap();
    DataChannel::new(peer_id, PATH, format, key, NOW)
}

const PATH: Path = Path {
    listener: ListenerId(0),
    transport: Transport::Udp,
    remote: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1194),
    local: None,
};

fn opened(channel: &DataChannel, wire: &[u8]) -> Vec<u8> {
    match channel.open(NOW, &PATH, &mut wire.to_vec()).unwrap().content {
        Inbound::Packet(packet) => packet.to_vec(),
        Inbound::Ping => PING.to_vec(),
        Inbound::Exit => EXIT.to_vec(),
        Inbound::Ignored => panic!("a message that no captured peer sent"),
    }
}
