//! Attacks by those who have no certificate, over UDP.

use std::net::UdpSocket;

use test_support::Result;

use crate::arena::{Attack, Course, Target};
use crate::weapons::{Forger, Noise, acknowledgement, control, cookie, keep_sending, reset, socket};

/// Half-open sessions that one attacker begins.
const HALF_OPEN: u64 = 15_000;

pub(crate) const ATTACKS: [Attack; 9] = [
    Attack { name: "random datagrams", run: random_datagrams },
    Attack { name: "truncated and mutated packets", run: mutated_packets },
    Attack { name: "acknowledgements of everything", run: acknowledgement_lies },
    Attack { name: "one reset, replayed", run: replayed_resets },
    Attack { name: "guessed session ids, forged source", run: guessed_sessions },
    Attack { name: "garbage instead of TLS", run: tls_garbage },
    Attack { name: "15,000 half-open sessions", run: half_open_sessions },
    Attack { name: "forged resets, 100,000/s", run: forged_resets },
    Attack { name: "data under other peers' ids", run: forged_data },
];

fn random_datagrams(target: &Target<'_>, course: &Course) -> Result<()> {
    let socket = socket(target.host, target.server)?;
    let mut noise = Noise::new(1);
    keep_sending(course, 20_000, || {
        let length = 1 + noise.below(1400);
        let _ = socket.send(&noise.octets(length));
    });
    Ok(())
}

fn mutated_packets(target: &Target<'_>, course: &Course) -> Result<()> {
    let socket = socket(target.host, target.server)?;
    let mut noise = Noise::new(2);
    let offered = cookie(&socket, 7).unwrap_or_default();
    let hello = control(7, offered, 1, &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    let models = [reset(7), acknowledgement(7, offered), hello];
    keep_sending(course, 20_000, || {
        let mut packet = models[noise.below(3)].clone();
        packet.truncate(1 + noise.below(packet.len() as u64));
        let index = noise.below(packet.len() as u64);
        packet[index] ^= 1 << noise.below(8);
        let _ = socket.send(&packet);
    });
    Ok(())
}

/// Says that things arrived that were never sent, up to 255 of them in a packet.
fn acknowledgement_lies(target: &Target<'_>, course: &Course) -> Result<()> {
    let socket = socket(target.host, target.server)?;
    let mut noise = Noise::new(3);
    let mut number = 0_u64;
    keep_sending(course, 2000, || {
        number += 1;
        let id = 0x1000_0000 + number / 100;
        if number % 100 == 0
            && let Some(cookie) = cookie(&socket, id)
        {
            let _ = socket.send(&acknowledgement(id, cookie));
        }
        let count = [1, 4, 8, 9, 255][noise.below(5)];
        let ids = noise.octets(usize::from(count) * 4);
        let _ = socket.send(&[&[0x28][..], &id.to_be_bytes(), &[count], &ids, &noise.octets(8)].concat());
    });
    Ok(())
}

fn replayed_resets(target: &Target<'_>, course: &Course) -> Result<()> {
    let socket = socket(target.host, target.server)?;
    for _ in 0..3000 {
        let _ = socket.send(&reset(7));
    }
    keep_sending(course, 1000, || {
        let _ = socket.send(&reset(7));
    });
    Ok(())
}

/// Control packets as if of the client that is connected, and of others.
fn guessed_sessions(target: &Target<'_>, course: &Course) -> Result<()> {
    let forger = Forger::on(target.host, target.server)?;
    let mut noise = Noise::new(4);
    keep_sending(course, 20_000, || {
        let from = if noise.below(2) == 0 { target.resident } else { noise.source() };
        let first = [0x20, 0x21, 0x18, 0x19, 0x28, 0x38, 0x40][noise.below(7)];
        let ids = noise.octets(8);
        let packet = [&[first][..], &ids, &[1, 0, 0, 0, 1], &noise.octets(8), &[0, 0, 0, 1], &[0; 100]];
        forger.send(from, &packet.concat());
    });
    Ok(())
}

fn tls_garbage(target: &Target<'_>, course: &Course) -> Result<()> {
    let mut noise = Noise::new(5);
    let mut sockets = (0..16).map(|_| socket(target.host, target.server)).collect::<Result<Vec<_>>>()?;
    let mut number = 0;
    keep_sending(course, 2000, || {
        number += 1;
        let socket: &mut UdpSocket = &mut sockets[number % 16];
        let id = noise.next();
        if let Some(cookie) = cookie(socket, id) {
            let kind = [20, 21, 22, 23, 0xff][noise.below(5)];
            let record = [&[kind, 3, 3][..], &[noise.octets(1)[0] % 0x48, 0], &noise.octets(900)].concat();
            for message in 1..5 {
                let _ = socket.send(&control(id, cookie, message, &record));
            }
        }
    });
    Ok(())
}

/// Begins sessions, each with an address of its own that answers, and leaves them.
fn half_open_sessions(target: &Target<'_>, course: &Course) -> Result<()> {
    let sockets = (0..64).map(|_| socket(target.host, target.server)).collect::<Result<Vec<_>>>()?;
    for id in 1..=HALF_OPEN {
        let socket = &sockets[usize::try_from(id % 64).unwrap_or(0)];
        if let Some(cookie) = cookie(socket, id) {
            let _ = socket.send(&acknowledgement(id, cookie));
            course.count();
        }
        if !course.goes_on() {
            return Ok(());
        }
        if id == HALF_OPEN / 3 {
            course.is_under_way();
        }
    }
    course.hold();
    Ok(())
}

fn forged_resets(target: &Target<'_>, course: &Course) -> Result<()> {
    let forger = Forger::on(target.host, target.server)?;
    let mut noise = Noise::new(6);
    keep_sending(course, 100_000, || forger.send(noise.source(), &reset(noise.next())));
    Ok(())
}

/// Data packets that name peers, from the attacker's address and from the resident's.
fn forged_data(target: &Target<'_>, course: &Course) -> Result<()> {
    let (forger, socket) = (Forger::on(target.host, target.server)?, socket(target.host, target.server)?);
    let mut noise = Noise::new(7);
    keep_sending(course, 20_000, || {
        let peer = [0x48 + noise.octets(1)[0] % 8, 0, 0, noise.octets(1)[0] % 4];
        let packet = [&peer[..], &noise.octets(100)].concat();
        if noise.below(2) == 0 {
            forger.send(target.resident, &packet);
        } else {
            let _ = socket.send(&packet);
        }
    });
    Ok(())
}
