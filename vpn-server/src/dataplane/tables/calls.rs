//! Who called whom lately: what lets an answer pass where the one that answers may not call by itself.
//!
//! A fixed number of places, each one atomic word of a fingerprint and a time; nothing is allocated or locked per packet.
//! Fingerprints are keyed with random numbers of this process, so that nobody can choose packets that are taken for
//! answers. Where calls are more than places, the oldest of a bucket is forgotten: its answers are dropped until the
//! caller says something again.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vpn_proto::Moment;

use super::super::packet::InnerHeader;
use crate::policy::{PROTOCOL_TCP, Port};

/// Addresses and ports of a call, seen from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::dataplane) struct Call {
    caller: IpAddr,
    called: IpAddr,
    protocol: u8,
    /// The caller's port and the called one's; none for protocols without, and for all fragments of a pair of addresses.
    ports: Option<(u16, u16)>,
}

/// The calls of the last minutes.
pub(in crate::dataplane) struct CallMemory {
    places: Box<[[AtomicU64; WAYS]]>,
    keys: RandomState,
}

const WAYS: usize = 4;
const BUCKETS: usize = 1 << 14;
/// Bits of a place that hold a time in seconds; the others hold a fingerprint.
const TIME_BITS: u32 = 24;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// How long a silent TCP connection may still be answered.
const PATIENCE_TCP: Duration = Duration::from_secs(2 * 3600);
/// The same for everything else.
const PATIENCE: Duration = Duration::from_secs(180);
/// A call is not noted again before: most packets only read.
const REFRESH: u64 = 10;

impl Call {
    /// The call that a packet of the caller is part of.
    pub(in crate::dataplane) fn made_by(header: &InnerHeader, packet: &[u8]) -> Self {
        let ports = header.ports(packet);
        let ports = numbers(ports.source, ports.destination);
        Self { caller: header.source, called: header.destination, protocol: header.protocol, ports }
    }

    /// The call that a packet of the called one would answer.
    pub(in crate::dataplane) fn answered_by(header: &InnerHeader, packet: &[u8]) -> Self {
        let ports = header.ports(packet);
        let ports = numbers(ports.destination, ports.source);
        Self { caller: header.destination, called: header.source, protocol: header.protocol, ports }
    }

    const fn without_ports(self) -> Self {
        Self { ports: None, ..self }
    }

    const fn patience(&self) -> Duration {
        if self.protocol == PROTOCOL_TCP { PATIENCE_TCP } else { PATIENCE }
    }
}

const fn numbers(caller: Port, called: Port) -> Option<(u16, u16)> {
    match (caller, called) {
        (Port::Number(caller), Port::Number(called)) => Some((caller, called)),
        _ => None,
    }
}

impl CallMemory {
    pub(in crate::dataplane) fn new() -> Self {
        let bucket = || std::array::from_fn(|_| AtomicU64::new(0));
        Self { places: (0..BUCKETS).map(|_| bucket()).collect(), keys: RandomState::new() }
    }

    /// Notes a call; without ports as well, for the fragments of its answers.
    pub(in crate::dataplane) fn note(&self, now: Moment, call: &Call) {
        self.note_one(now, call);
        if call.ports.is_some() {
            self.note_one(now, &call.without_ports());
        }
    }

    /// Whether that call was made lately.
    pub(in crate::dataplane) fn knows(&self, now: Moment, call: &Call) -> bool {
        let (bucket, fingerprint) = self.place_of(call);
        bucket
            .iter()
            .map(|place| place.load(Ordering::Relaxed))
            .any(|known| is_of(known, fingerprint) && age(known, now) <= call.patience().as_secs())
    }

    fn note_one(&self, now: Moment, call: &Call) {
        let (bucket, fingerprint) = self.place_of(call);
        let known = bucket.each_ref().map(|place| place.load(Ordering::Relaxed));
        let own = known.iter().position(|known| is_of(*known, fingerprint));
        if own.is_some_and(|own| age(known[own], now) < REFRESH) {
            return;
        }
        let oldest =
            || (0..WAYS).max_by_key(|way| if known[*way] == 0 { u64::MAX } else { age(known[*way], now) });
        if let Some(way) = own.or_else(oldest) {
            bucket[way].store(fingerprint | seconds(now), Ordering::Relaxed);
        }
    }

    fn place_of(&self, call: &Call) -> (&[AtomicU64; WAYS], u64) {
        let hash = self.keys.hash_one(call);
        let bucket = usize::try_from(hash & TIME_MASK).unwrap_or(0) % BUCKETS;
        // An empty place is no call.
        (&self.places[bucket], (hash | 1 << TIME_BITS) & !TIME_MASK)
    }
}

const fn is_of(known: u64, fingerprint: u64) -> bool {
    known & !TIME_MASK == fingerprint
}

const fn age(known: u64, now: Moment) -> u64 {
    seconds(now).wrapping_sub(known) & TIME_MASK
}

const fn seconds(now: Moment) -> u64 {
    (now.as_micros() / 1_000_000) & TIME_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_until_it_is_too_long_ago() {
        let memory = CallMemory::new();
        for (protocol, patience) in [(17, PATIENCE), (PROTOCOL_TCP, PATIENCE_TCP)] {
            let call = call(protocol, 1);
            assert!(!memory.knows(at(7), &call));
            memory.note(at(7), &call);
            assert!(memory.knows(at(7), &call) && memory.knows(at(7 + patience.as_secs()), &call));
            assert!(!memory.knows(at(8 + patience.as_secs()), &call));
        }
    }

    #[test]
    fn a_call_is_not_its_answer_and_not_another_port() {
        let memory = CallMemory::new();
        memory.note(at(7), &call(17, 1));
        let Call { caller, called, .. } = call(17, 1);
        assert!(!memory.knows(at(7), &Call { caller: called, called: caller, ..call(17, 1) }));
        assert!(!memory.knows(at(7), &call(17, 2)) && !memory.knows(at(7), &call(6, 1)));
        assert!(memory.knows(at(7), &call(17, 1).without_ports()), "fragments of the answer have no ports");
    }

    #[test]
    fn whoever_goes_on_calling_stays_known() {
        let memory = CallMemory::new();
        for second in (0..1000).step_by(100) {
            memory.note(at(second), &call(17, 1));
            assert!(memory.knows(at(second + 99), &call(17, 1)));
        }
    }

    #[test]
    fn of_too_many_calls_the_oldest_are_forgotten_and_the_newest_known() {
        let memory = CallMemory::new();
        let most = u16::MAX;
        for port in 0..most {
            memory.note(at(1), &call(17, port));
        }
        for port in 0..10_000 {
            memory.note(at(2), &call(6, port));
        }
        let known = |protocol, ports: std::ops::Range<u16>| {
            ports.filter(|port| memory.knows(at(3), &call(protocol, *port))).count()
        };
        assert!(known(6, 0..10_000) > 9_500, "{}", known(6, 0..10_000));
        assert!(known(17, 0..most) < usize::from(most));
    }

    fn call(protocol: u8, port: u16) -> Call {
        let address = |last| IpAddr::from([10, 8, 0, last]);
        Call { caller: address(2), called: address(3), protocol, ports: Some((port, 443)) }
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }
}
