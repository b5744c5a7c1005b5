//! What a fuzzer does with octets, and the replay of its seeds and findings by an ordinary test.
//!
//! The targets of `fuzz/` are these functions. Their seeds are in `testdata/fuzz/`, a folder for each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::certificates::{Authority, SERVER};
use crate::random::Random;
use crate::random_worlds::live_by;
use crate::server::Server;
use crate::world::path_from;
use crate::wrappings::{UNIX_TIME, all_wrappings};
use vpn_proto::wire::control::ControlPacket;
use vpn_proto::wire::key_method2::{KeyMethod2, Sender};
use vpn_proto::wire::message::{ClientMessage, ServerMessage};
use vpn_proto::wire::opcode::classify;
use vpn_proto::wire::tcp::{Deframer, Frames, LONGEST_FRAME, PREFIX, opening};
use vpn_proto::wire::{occ, push};
use vpn_proto::{EndpointConfig, HalfOpenLimits, Moment, PeerInfo, PushOption, TlsVersion};

/// A whole life: clients, a server and a network, checked against the model of the random worlds.
pub(crate) fn world(octets: &[u8]) {
    live_by(octets);
}

/// One server, and datagrams of strangers in frames; the octet before each says where it comes from and what is added.
pub(crate) fn datagrams(octets: &[u8]) {
    let config = EndpointConfig {
        wrapping: all_wrappings(),
        unix_time_of_origin: UNIX_TIME,
        half_open: HalfOpenLimits { total: 8, per_network: 4 },
        ..EndpointConfig::new(SERVER.server_settings(TlsVersion::Tls12), Arc::<Authority>::default())
    };
    let (mut server, mut now) = (Server::new(config, Random::new(1)), Moment::from_micros(1_000_000));
    let (mut octets, mut cookie) = (octets.to_vec(), vec![]);
    let mut frames = Frames::new(&mut octets);
    while let Ok(Some(frame)) = frames.next_packet() {
        let (flags, datagram) = (frame[0], &frame[1..]);
        let mut datagram = datagram.to_vec();
        if flags & 1 != 0 && datagram.len() >= 22 && cookie.len() == 8 {
            datagram[14..22].copy_from_slice(&cookie);
        }
        server.receive(now, path_from([192, 0, 2, 2], u16::from(flags >> 6) + 1), datagram);
        now = now + Duration::from_millis(u64::from(flags >> 1 & 0x1f) * 100);
        server.endpoint.handle_timeout(now);
        server.handle_events(now);
        while let Some(answer) = server.poll_transmit() {
            assert!(answer.payload.len() <= 1400, "an answer of {} octets", answer.payload.len());
            cookie = answer.payload.get(1..9).unwrap_or_default().to_vec();
        }
        assert!(server.endpoint.half_open() <= 9);
    }
    now = now + Duration::from_secs(300);
    for _ in 0..50 {
        server.endpoint.handle_timeout(now);
        server.handle_events(now);
        while server.poll_transmit().is_some() {}
        now = now + Duration::from_secs(1);
    }
    assert_eq!((server.endpoint.half_open(), server.endpoint.poll_timeout()), (0, None), "nothing remains");
}

/// Every decoder; what can be written again reads as the same.
pub(crate) fn messages(octets: &[u8]) {
    let _ = classify(octets);
    if let Ok(packet) = ControlPacket::parse(octets) {
        let mut again = vec![];
        packet.write(&mut again);
        assert_eq!(ControlPacket::parse(&again).as_ref(), Ok(&packet));
    }
    for sender in [Sender::Client, Sender::Server] {
        if let Ok(message) = KeyMethod2::parse(octets, sender) {
            let again = KeyMethod2::parse(&message.to_wire(), sender).unwrap();
            assert_eq!(again.to_wire(), message.to_wire());
        }
    }
    ClientMessage::parse_record(octets).for_each(|message| drop(message.to_record()));
    ServerMessage::parse_record(octets).for_each(|message| drop(message.to_record()));
    let text = String::from_utf8_lossy(octets);
    let info = PeerInfo::parse(&text);
    assert!(info.iter().count() <= 64);
    let _ = (occ::cipher(&text), occ::auth(&text), occ::server_options(1500, &text));
    let options: Vec<PushOption> = text.lines().filter_map(|line| PushOption::parse(line).ok()).collect();
    let parts = push::push_reply(&options);
    let back: Vec<&str> = parts.iter().flat_map(|part| push::options(part)).collect();
    let is_ours = |option: &&str| !option.starts_with("push-continuation");
    assert!(back.into_iter().filter(is_ours).eq(options.iter().map(PushOption::as_str)));
}

/// A stream cut into other pieces has the same packets.
pub(crate) fn frames(octets: &[u8]) {
    let _ = opening(octets);
    let Some((piece, stream)) = octets.split_first() else { return };
    let packets_of = |frames: &mut Frames<'_>, packets: &mut Vec<Vec<u8>>| loop {
        match frames.next_packet() {
            Ok(Some(packet)) => packets.push(packet.to_vec()),
            Ok(None) => return true,
            Err(_) => return false,
        }
    };
    let (mut whole, mut at_once) = (stream.to_vec(), vec![]);
    packets_of(&mut Frames::new(&mut whole), &mut at_once);
    let (mut deframer, mut piecewise) = (Deframer::default(), vec![]);
    let mut buffer = [0; 2 * LONGEST_FRAME];
    for piece in stream.chunks(usize::from(*piece).max(1)) {
        let take = |space: &mut [u8]| {
            space[..piece.len()].copy_from_slice(piece);
            Ok::<_, Infallible>(piece.len())
        };
        let Ok((_, mut frames)) = deframer.fill(&mut buffer, take);
        let goes_on = packets_of(&mut frames, &mut piecewise);
        deframer.keep(&frames);
        assert!(!goes_on || deframer.kept() < LONGEST_FRAME);
        if !goes_on {
            break;
        }
    }
    assert_eq!(piecewise, at_once);
    assert!(at_once.iter().map(|packet| packet.len() + PREFIX).sum::<usize>() <= stream.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(target: &str, run: fn(&[u8])) {
        let folder = format!("../../testdata/fuzz/{target}");
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{folder} has no seeds");
        for file in files {
            let octets = std::fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| run(&octets));
            assert!(outcome.is_ok(), "{} fails", file.display());
        }
    }

    #[test]
    fn seeds_of_worlds_pass() {
        replay("world", world);
    }

    #[test]
    fn net_12_seeds_of_datagrams_pass() {
        replay("datagrams", datagrams);
    }

    #[test]
    fn net_12_seeds_of_messages_pass() {
        replay("messages", messages);
    }

    #[test]
    fn net_12_seeds_of_frames_pass() {
        replay("frames", frames);
    }
}
