//! The wire format: one kind of packet or message per file, each with its decoder and encoder.
//!
//! Nothing here keeps state or knows what a message means for a session. Layouts are those of the protocol reference
//! (`docs/protocol-notes.md`), sections 1, 6, 8 and 9.

pub mod challenge;
pub mod control;
mod cursor;
pub mod key_method2;
pub mod message;
pub mod occ;
pub mod opcode;
pub mod peer_info;
pub mod push;
pub mod replay_id;
pub mod static_key;
pub mod tcp;
pub mod tls_auth;
pub(crate) mod tls_crypt;
pub mod tls_crypt_v2;
pub(crate) mod wrapping;

pub(crate) use cursor::Cursor;

/// Why octets from the network are not a valid packet or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The datagram or message ends before a field that must be there.
    #[error("truncated: {field} is missing or incomplete")]
    Truncated {
        /// The field that does not fit.
        field: &'static str,
    },
    /// The opcode is not one of the protocol, or not allowed here.
    #[error("unexpected opcode {0}")]
    UnexpectedOpcode(u8),
    /// A session id of eight zeros.
    #[error("the session id is zero")]
    ZeroSessionId,
    /// More than eight acknowledgements in one packet.
    #[error("{0} acknowledgements in one packet, at most 8 are allowed")]
    TooManyAcknowledgements(u8),
    /// The control payload is longer than any sender's.
    #[error("control payload of {0} octets")]
    PayloadTooLong(usize),
    /// A key method other than 2.
    #[error("key method {0}, only 2 is known")]
    UnknownKeyMethod(u8),
    /// A text field is not valid UTF-8 or not terminated as it must be.
    #[error("{field} is not a terminated UTF-8 text")]
    BadText {
        /// The field.
        field: &'static str,
    },
}
