//! Control packets once the wrapping is off.
//!
//! ```text
//!  op/key(1) | own session id(8) | n(1) | n * message id(4) | remote session id(8) | [message id(4)] | payload
//!                                                             only if n > 0          not in ACK_V1
//! ```
//!
//! Knows nothing about windows, retransmission or what the payload is.

use super::opcode::ControlOpcode;
use super::{Cursor, WireError};
use crate::ids::{KeyId, MessageId, SessionId};

/// The most acknowledgements that one packet may carry.
pub const MAX_ACKNOWLEDGEMENTS: usize = 8;
/// The longest control payload accepted; stock senders stay below 1250 (protocol reference section 2.1).
pub const MAX_PAYLOAD: usize = 2048;

/// One control packet; the payload is borrowed from the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPacket<'a> {
    /// What it is.
    pub opcode: ControlOpcode,
    /// The key whose negotiation it belongs to.
    pub key_id: KeyId,
    /// The sender's session id.
    pub own_id: SessionId,
    /// What the sender acknowledges.
    pub acknowledgements: Acknowledgements,
    /// The packet's own number; `None` exactly for [`ControlOpcode::Ack`].
    pub message_id: Option<MessageId>,
    /// TLS octets; empty in resets.
    pub payload: &'a [u8],
}

impl<'a> ControlPacket<'a> {
    /// Reads a whole unwrapped packet.
    ///
    /// # Errors
    /// [`WireError`] says which field is wrong; such a packet is dropped and never answered.
    pub fn parse(packet: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet);
        let first = cursor.u8("opcode")?;
        let opcode = ControlOpcode::from_first_octet(first)?;
        let own_id = SessionId::new(cursor.array("session id")?).ok_or(WireError::ZeroSessionId)?;
        let acknowledgements = Acknowledgements::take(&mut cursor)?;
        let message_id = if opcode.is_reliable() { Some(MessageId(cursor.u32("message id")?)) } else { None };
        let payload = cursor.rest();
        if payload.len() > MAX_PAYLOAD {
            return Err(WireError::PayloadTooLong(payload.len()));
        }
        Ok(Self {
            opcode,
            key_id: KeyId::from_first_octet(first),
            own_id,
            acknowledgements,
            message_id,
            payload,
        })
    }

    /// Appends the packet to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.opcode.first_octet(self.key_id));
        out.extend_from_slice(self.own_id.as_bytes());
        self.acknowledgements.write(out);
        if let Some(MessageId(id)) = self.message_id {
            out.extend_from_slice(&id.to_be_bytes());
        }
        out.extend_from_slice(self.payload);
    }
}

/// Up to eight acknowledged message ids, with the session they were received from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledgements {
    /// None.
    None,
    /// At least one.
    Of {
        /// The session id of the side whose packets are acknowledged.
        remote_id: SessionId,
        /// The acknowledged numbers, in no particular order; 1 to 8 of them.
        message_ids: Vec<MessageId>,
    },
}

impl Acknowledgements {
    /// Acknowledgements for `message_ids`, which holds at most [`MAX_ACKNOWLEDGEMENTS`].
    pub(crate) fn new(remote_id: SessionId, message_ids: Vec<MessageId>) -> Self {
        debug_assert!(message_ids.len() <= MAX_ACKNOWLEDGEMENTS, "the caller takes at most eight");
        if message_ids.is_empty() { Self::None } else { Self::Of { remote_id, message_ids } }
    }

    /// The acknowledged numbers.
    #[must_use]
    pub fn message_ids(&self) -> &[MessageId] {
        match self {
            Self::None => &[],
            Self::Of { message_ids, .. } => message_ids,
        }
    }

    /// The session that is acknowledged, if anything is.
    #[must_use]
    pub const fn remote_id(&self) -> Option<SessionId> {
        match self {
            Self::None => None,
            Self::Of { remote_id, .. } => Some(*remote_id),
        }
    }

    fn take(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let count = cursor.u8("acknowledgement count")?;
        if usize::from(count) > MAX_ACKNOWLEDGEMENTS {
            return Err(WireError::TooManyAcknowledgements(count));
        }
        if count == 0 {
            return Ok(Self::None);
        }
        let message_ids =
            (0..count).map(|_| cursor.u32("acknowledgement").map(MessageId)).collect::<Result<_, _>>()?;
        let remote_id = SessionId::new(cursor.array("remote session id")?).ok_or(WireError::ZeroSessionId)?;
        Ok(Self::Of { remote_id, message_ids })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => out.push(0),
            Self::Of { remote_id, message_ids } => {
                let count = message_ids.len().min(MAX_ACKNOWLEDGEMENTS);
                out.push(u8::try_from(count).unwrap_or(0));
                for MessageId(id) in &message_ids[..count] {
                    out.extend_from_slice(&id.to_be_bytes());
                }
                out.extend_from_slice(remote_id.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_client_reset_is_fourteen_octets() {
        let reset = ControlPacket {
            opcode: ControlOpcode::HardResetClient,
            key_id: KeyId::FIRST,
            own_id: SessionId::new([1; 8]).unwrap(),
            acknowledgements: Acknowledgements::None,
            message_id: Some(MessageId::FIRST),
            payload: &[],
        };
        let mut wire = vec![];
        reset.write(&mut wire);
        assert_eq!(wire.len(), 14);
        assert_eq!(wire[0], 0x38);
        assert_eq!(ControlPacket::parse(&wire), Ok(reset));
    }

    #[test]
    fn net_06_refuses_nine_acknowledgements() {
        let mut wire = vec![0x28];
        wire.extend([1; 8]);
        wire.push(9);
        wire.extend([0; 9 * 4 + 8]);
        assert_eq!(ControlPacket::parse(&wire), Err(WireError::TooManyAcknowledgements(9)));
    }

    #[test]
    fn net_06_refuses_acknowledgements_without_a_remote_session_id() {
        let mut wire = vec![0x28];
        wire.extend([1; 8]);
        wire.push(1);
        wire.extend([0, 0, 0, 0]);
        assert_eq!(ControlPacket::parse(&wire), Err(WireError::Truncated { field: "remote session id" }));
    }

    #[test]
    fn net_06_refuses_a_payload_one_past_the_limit() {
        let packet = |length| {
            let mut wire = vec![0x20];
            wire.extend([1; 8]);
            wire.push(0);
            wire.extend([0, 0, 0, 1]);
            wire.resize(wire.len() + length, 7);
            wire
        };
        assert!(ControlPacket::parse(&packet(MAX_PAYLOAD)).is_ok());
        assert_eq!(
            ControlPacket::parse(&packet(MAX_PAYLOAD + 1)),
            Err(WireError::PayloadTooLong(MAX_PAYLOAD + 1))
        );
    }

    fn any_opcode() -> impl Strategy<Value = ControlOpcode> {
        prop_oneof![
            Just(ControlOpcode::SoftReset),
            Just(ControlOpcode::Control),
            Just(ControlOpcode::Ack),
            Just(ControlOpcode::HardResetClient),
            Just(ControlOpcode::HardResetServer),
            Just(ControlOpcode::HardResetClientV3),
            Just(ControlOpcode::ControlWithKey),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(
            opcode in any_opcode(),
            key in 0_u8..8,
            own in 1_u64..,
            remote in 1_u64..,
            ids in proptest::collection::vec(any::<u32>(), 0..=8),
            number in any::<u32>(),
            payload in proptest::collection::vec(any::<u8>(), 0..1300),
        ) {
            let packet = ControlPacket {
                opcode,
                key_id: KeyId::from_first_octet(key),
                own_id: SessionId::new(own.to_be_bytes()).unwrap(),
                acknowledgements: Acknowledgements::new(
                    SessionId::new(remote.to_be_bytes()).unwrap(),
                    ids.into_iter().map(MessageId).collect(),
                ),
                message_id: opcode.is_reliable().then_some(MessageId(number)),
                payload: &payload,
            };
            let mut wire = vec![];
            packet.write(&mut wire);
            prop_assert_eq!(ControlPacket::parse(&wire), Ok(packet));
        }

        #[test]
        fn net_12_no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(packet) = ControlPacket::parse(&octets) {
                let mut wire = vec![];
                packet.write(&mut wire);
                prop_assert_eq!(wire, octets);
            }
        }
    }
}
