//! The first octet of every packet: opcode in the high five bits, key id in the low three.
//!
//! ```text
//!   7 6 5 4 3 2 1 0
//!  +---------+-----+
//!  | opcode  | key |
//!  +---------+-----+
//! ```

use super::WireError;
use crate::ids::{KeyId, PeerId};

/// Opcodes of the control channel that this implementation speaks (protocol reference section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ControlOpcode {
    /// Start of a renegotiation, on a new key id.
    SoftReset = 3,
    /// TLS octets.
    Control = 4,
    /// Acknowledgements only; has no message id.
    Ack = 5,
    /// A client starts a session.
    HardResetClient = 7,
    /// The server's answer to it.
    HardResetServer = 8,
    /// A client starts a session and brings its tls-crypt-v2 key.
    HardResetClientV3 = HARD_RESET_CLIENT_V3,
    /// TLS octets, with the client's tls-crypt-v2 key after them.
    ControlWithKey = CONTROL_WITH_KEY,
}

pub(crate) const HARD_RESET_CLIENT_V3: u8 = 10;
pub(crate) const CONTROL_WITH_KEY: u8 = 11;

impl ControlOpcode {
    pub(crate) const fn from_first_octet(octet: u8) -> Result<Self, WireError> {
        match octet >> 3 {
            3 => Ok(Self::SoftReset),
            4 => Ok(Self::Control),
            5 => Ok(Self::Ack),
            7 => Ok(Self::HardResetClient),
            8 => Ok(Self::HardResetServer),
            HARD_RESET_CLIENT_V3 => Ok(Self::HardResetClientV3),
            CONTROL_WITH_KEY => Ok(Self::ControlWithKey),
            other => Err(WireError::UnexpectedOpcode(other)),
        }
    }

    pub(crate) const fn first_octet(self, key_id: KeyId) -> u8 {
        ((self as u8) << 3) | key_id.get()
    }

    /// Whether the payload of such packets is TLS octets: that of resets is not.
    pub(crate) const fn carries_tls(self) -> bool {
        matches!(self, Self::Control | Self::ControlWithKey)
    }

    /// Whether packets of this opcode carry a message id and must be acknowledged.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Ack)
    }
}

/// Whether a datagram looks like the first of a client.
#[must_use]
pub fn starts_session(datagram: &[u8]) -> bool {
    let opcode = datagram.first().and_then(|first| ControlOpcode::from_first_octet(*first).ok());
    matches!(opcode, Some(ControlOpcode::HardResetClient | ControlOpcode::HardResetClientV3))
}

pub(crate) const DATA_V1: u8 = 6;
pub(crate) const DATA_V2: u8 = 9;

/// What kind of packet a datagram is, judged by as little of it as possible: the data plane's first question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A control packet: for [`Endpoint::handle_datagram`](crate::Endpoint::handle_datagram).
    Control,
    /// A data packet: for the peer's [`DataChannel`](crate::data::DataChannel).
    Data {
        /// The session it names; `None` in packets of the old format and where it is undefined.
        peer_id: Option<PeerId>,
        /// The key it was sealed with.
        key_id: KeyId,
    },
    /// Nothing of this protocol.
    Invalid,
}

/// Classifies a datagram.
#[must_use]
pub fn classify(datagram: &[u8]) -> Class {
    let Some(&first) = datagram.first() else {
        return Class::Invalid;
    };
    let key_id = KeyId::from_first_octet(first);
    match (first >> 3, datagram) {
        (DATA_V2, [_, high, middle, low, ..]) => {
            Class::Data { peer_id: PeerId::from_wire([*high, *middle, *low]), key_id }
        }
        (DATA_V1, _) => Class::Data { peer_id: None, key_id },
        (3..=5 | 7 | 8 | 10 | 11, _) => Class::Control,
        _ => Class::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classifies_by_the_first_octets() {
        assert_eq!(classify(&[]), Class::Invalid);
        assert_eq!(classify(&[0x38]), Class::Control);
        assert_eq!(classify(&[0x20, 1]), Class::Control);
        assert_eq!(classify(&[0x08]), Class::Invalid);
        assert_eq!(classify(&[0xff]), Class::Invalid);
        assert_eq!(classify(&[0x48, 0, 0]), Class::Invalid);
        let key_id = KeyId::from_first_octet(1);
        assert_eq!(classify(&[0x49, 0, 1, 2]), Class::Data { peer_id: PeerId::new(0x0102), key_id });
        assert_eq!(classify(&[0x49, 0xff, 0xff, 0xff]), Class::Data { peer_id: None, key_id });
        assert_eq!(classify(&[0x31]), Class::Data { peer_id: None, key_id });
    }
}
