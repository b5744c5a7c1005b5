//! The numbers of the protocol, each with a type of its own so that mixing two up does not compile.

use std::fmt;

use crate::entropy::{Entropy, draw};

/// Names one session of one endpoint inside this process; never reused, never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionHandle(pub(crate) u64);

/// One of the server's listening sockets; never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u16);

/// The 8 octets by which one side of a control channel names its session; never all zero
/// (protocol reference section 1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 8]);

impl SessionId {
    /// Octets of a session id on the wire.
    pub const LENGTH: usize = 8;

    /// `None` for the all-zero id, which means "no session".
    #[must_use]
    pub fn new(octets: [u8; Self::LENGTH]) -> Option<Self> {
        (octets != [0; Self::LENGTH]).then_some(Self(octets))
    }

    /// The octets as they stand on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    pub(crate) fn random(entropy: &mut dyn Entropy) -> Self {
        loop {
            if let Some(id) = Self::new(draw(entropy)) {
                return id;
            }
        }
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SessionId({:016x})", u64::from_be_bytes(self.0))
    }
}

/// Which of a session's keys a packet belongs to: 0 first, then 1 to 7 in turn for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u8);

impl KeyId {
    /// The key of the first negotiation of a session.
    pub const FIRST: Self = Self(0);
    /// How many key ids there are.
    pub const COUNT: usize = 8;

    /// The key id in the low three bits of a packet's first octet.
    #[must_use]
    pub const fn from_first_octet(octet: u8) -> Self {
        Self(octet & 0x07)
    }

    /// The key id as a number from 0 to 7.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The key id of the renegotiation after this one: 0 is only ever the first.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(if self.0 == 7 { 1 } else { self.0 + 1 })
    }
}

/// The 24-bit number by which data packets name their session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(u32);

impl PeerId {
    /// The lowest number.
    pub const FIRST: Self = Self(0);
    /// The number that means "none" on the wire.
    const UNDEFINED: u32 = 0x00ff_ffff;

    /// `None` for numbers that 24 bits cannot hold and for the one that means "undefined".
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number < Self::UNDEFINED { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    pub(crate) fn from_wire(octets: [u8; 3]) -> Option<Self> {
        Self::new(u32::from_be_bytes([0, octets[0], octets[1], octets[2]]))
    }

    pub(crate) fn to_wire(self) -> [u8; 3] {
        let [_, high, middle, low] = self.0.to_be_bytes();
        [high, middle, low]
    }
}

/// The number of a control packet that must arrive; counts from 0 in each direction of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(crate) u32);

impl MessageId {
    /// The first number of a direction.
    pub const FIRST: Self = Self(0);

    pub(crate) const fn plus(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }
}

/// The number of a data packet; counts from 1 for each direction of each key, and of each epoch, and never wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PacketId(pub(crate) u64);

impl PacketId {
    /// The last number of the formats in which it has 32 bits.
    pub(crate) const LAST_SHORT: Self = Self(u32::MAX as u64);

    /// A number of the formats in which it has 32 bits.
    pub(crate) fn from_short(octets: [u8; 4]) -> Self {
        Self(u64::from(u32::from_be_bytes(octets)))
    }

    /// `None` where 32 bits are not enough.
    pub(crate) fn to_short(self) -> Option<[u8; 4]> {
        u32::try_from(self.0).ok().map(u32::to_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_return_to_one() {
        let mut key_id = KeyId::FIRST;
        let mut seen = vec![];
        for _ in 0..9 {
            seen.push(key_id.get());
            key_id = key_id.next();
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 1]);
    }

    #[test]
    fn the_undefined_peer_id_is_none() {
        assert_eq!(PeerId::from_wire([0xff; 3]), None);
        assert_eq!(PeerId::from_wire([0xff, 0xff, 0xfe]).map(PeerId::get), Some(0x00ff_fffe));
        assert_eq!(PeerId::new(0x0100_0000), None);
    }

    #[test]
    fn the_zero_session_id_is_none() {
        assert_eq!(SessionId::new([0; 8]), None);
    }
}
