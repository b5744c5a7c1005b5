//! What stands between a control packet and its datagram.
//!
//! The one place where tls-auth, tls-crypt and tls-crypt-v2 belong: everything above sees unwrapped packets only.

use super::WireError;
use super::control::ControlPacket;

/// How the control packets of a session are protected on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Not at all: the TLS inside protects itself.
    Plain,
}

impl Wrapping {
    /// Takes the protection off and reads the packet.
    ///
    /// # Errors
    /// [`WireError`] if it is no valid packet; the datagram is dropped without an answer.
    pub fn unwrap(self, datagram: &[u8]) -> Result<ControlPacket<'_>, WireError> {
        match self {
            Self::Plain => ControlPacket::parse(datagram),
        }
    }

    /// Writes the packet with its protection.
    #[must_use]
    pub fn wrap(self, packet: &ControlPacket<'_>) -> Vec<u8> {
        match self {
            Self::Plain => {
                let mut datagram = Vec::with_capacity(packet.payload.len() + 64);
                packet.write(&mut datagram);
                datagram
            }
        }
    }
}
