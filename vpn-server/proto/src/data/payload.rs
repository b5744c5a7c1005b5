//! The two payloads that are no tunnel packets, recognised after decryption (protocol reference section 9.5).

/// A keepalive; exactly these octets.
pub(crate) const PING: [u8; 16] =
    [0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb, 0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48];

const OCC_PREFIX: [u8; 16] =
    [0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81, 0x2d, 0x56, 0xb8, 0xd3, 0xaf, 0xc5, 0x45, 0x9c];
const OCC_EXIT: u8 = 6;

/// The notification of a client that leaves and cannot say so on the control channel.
pub(crate) const EXIT: [u8; 17] = {
    let mut payload = [OCC_EXIT; 17];
    let mut index = 0;
    while index < OCC_PREFIX.len() {
        payload[index] = OCC_PREFIX[index];
        index += 1;
    }
    payload
};

/// What a decrypted payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Packet,
    Ping,
    Exit,
    /// Another message of the options-consistency protocol; answering is optional, and nobody needs the answer.
    Occ,
}

impl Kind {
    pub(crate) fn of(payload: &[u8]) -> Self {
        if payload == PING {
            Self::Ping
        } else if payload == EXIT {
            Self::Exit
        } else if payload.starts_with(&OCC_PREFIX) {
            Self::Occ
        } else {
            Self::Packet
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_the_special_payloads() {
        assert_eq!(Kind::of(&PING), Kind::Ping);
        assert_eq!(Kind::of(&EXIT), Kind::Exit);
        assert_eq!(Kind::of(&[&OCC_PREFIX[..], &[0]].concat()), Kind::Occ);
        assert_eq!(Kind::of(&[&PING[..], &[0]].concat()), Kind::Packet);
        assert_eq!(Kind::of(&[]), Kind::Packet);
    }
}
