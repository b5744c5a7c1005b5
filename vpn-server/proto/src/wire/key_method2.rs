//! The key-method-2 message: the first application data of every TLS session, in both directions.
//!
//! ```text
//!  u32 0 | u8 2 | [pre-master(48), client only] | random1(32) | random2(32)
//!  | string options | string username | string password | string peer info
//!
//!  string = u16 length, terminating NUL included | octets | NUL;   absent = u16 0
//! ```
//!
//! Trailing strings may be missing: old clients stop after the options (protocol reference section 6).

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Cursor, WireError};
use crate::entropy::{Entropy, draw};

/// Random octets that one side contributes to the old key derivation; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeySource {
    /// 48 octets from the client, none from the server.
    pub(crate) pre_master: Option<[u8; 48]>,
    pub(crate) random1: [u8; 32],
    pub(crate) random2: [u8; 32],
}

impl KeySource {
    pub(crate) fn of_server(entropy: &mut dyn Entropy) -> Self {
        Self { pre_master: None, random1: draw(entropy), random2: draw(entropy) }
    }

    #[cfg(any(feature = "client", test))]
    pub(crate) fn of_client(entropy: &mut dyn Entropy) -> Self {
        Self { pre_master: Some(draw(entropy)), random1: draw(entropy), random2: draw(entropy) }
    }
}

/// Which side wrote the message: only the client's holds a pre-master secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The TLS client.
    Client,
    /// The TLS server.
    Server,
}

/// One key-method-2 message.
pub struct KeyMethod2 {
    /// The sender's share of the old key derivation.
    pub source: KeySource,
    /// The options string (see [`super::occ`]).
    pub options: String,
    /// The user name, where the client sends one.
    pub username: Option<String>,
    /// The password, where the client sends one; wiped when the message is dropped.
    pub password: Option<Password>,
    /// Lines `KEY=value` (see [`super::peer_info`]); empty if absent.
    pub peer_info: String,
}

/// A password; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Password(..)")
    }
}

impl Password {
    /// A password of this text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyMethod2 {
    /// Reads a message of `sender`.
    ///
    /// # Errors
    /// [`WireError`]: truncated, another key method, or a text that is none.
    pub fn parse(message: &[u8], sender: Sender) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(message);
        cursor.u32("key method 2 header")?;
        let method = cursor.u8("key method")? & 0x0f;
        if method != 2 {
            return Err(WireError::UnknownKeyMethod(method));
        }
        let pre_master = match sender {
            Sender::Client => Some(cursor.array("pre-master secret")?),
            Sender::Server => None,
        };
        let source =
            KeySource { pre_master, random1: cursor.array("random 1")?, random2: cursor.array("random 2")? };
        Ok(Self {
            source,
            options: take_string(&mut cursor, "options")?.unwrap_or_default(),
            username: take_string(&mut cursor, "username")?.filter(|name| !name.is_empty()),
            password: take_string(&mut cursor, "password")?.map(Password),
            peer_info: take_string(&mut cursor, "peer info")?.unwrap_or_default(),
        })
    }

    /// The message as it stands on the wire. A text longer than 65,534 octets is written as absent.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        let mut message = vec![0, 0, 0, 0, 2];
        if let Some(pre_master) = &self.source.pre_master {
            message.extend_from_slice(pre_master);
        }
        message.extend_from_slice(&self.source.random1);
        message.extend_from_slice(&self.source.random2);
        put_string(&mut message, Some(&self.options));
        put_string(&mut message, self.username.as_deref());
        put_string(&mut message, self.password.as_ref().map(Password::as_str));
        put_string(&mut message, (!self.peer_info.is_empty()).then_some(&self.peer_info));
        message
    }
}

fn take_string(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Option<String>, WireError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let length = cursor.u16(field)?;
    let octets = cursor.bytes(usize::from(length), field)?;
    let Some((&terminator, text)) = octets.split_last() else {
        return Ok(None);
    };
    if terminator != 0 {
        return Err(WireError::BadText { field });
    }
    String::from_utf8(text.to_vec()).map(Some).map_err(|_| WireError::BadText { field })
}

fn put_string(message: &mut Vec<u8>, text: Option<&str>) {
    let text = text.unwrap_or_default();
    match u16::try_from(text.len() + 1) {
        Ok(length) if !text.is_empty() => {
            message.extend_from_slice(&length.to_be_bytes());
            message.extend_from_slice(text.as_bytes());
            message.push(0);
        }
        _ => message.extend_from_slice(&[0, 0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(pre_master: bool) -> KeySource {
        KeySource { pre_master: pre_master.then_some([1; 48]), random1: [2; 32], random2: [3; 32] }
    }

    #[test]
    fn a_client_message_round_trips() {
        let message = KeyMethod2 {
            source: source(true),
            options: "V4,dev-type tun".to_owned(),
            username: Some("alice".to_owned()),
            password: Some(Password("secret".to_owned())),
            peer_info: "IV_VER=2.6.14\n".to_owned(),
        };
        let wire = message.to_wire();
        let read = KeyMethod2::parse(&wire, Sender::Client).unwrap();
        assert_eq!(read.options, message.options);
        assert_eq!(read.username, message.username);
        assert!(read.password == message.password);
        assert_eq!(read.peer_info, message.peer_info);
        assert_eq!(read.to_wire(), wire);
    }

    #[test]
    fn the_options_of_a_server_start_at_octet_69_and_of_a_client_at_117() {
        let mut message = KeyMethod2 {
            source: source(false),
            options: "V4".to_owned(),
            username: None,
            password: None,
            peer_info: String::new(),
        };
        assert_eq!(message.to_wire()[69..], [0, 3, b'V', b'4', 0, 0, 0, 0, 0, 0, 0]);
        message.source = source(true);
        assert_eq!(message.to_wire()[117..120], [0, 3, b'V']);
    }

    #[test]
    fn trailing_strings_may_be_missing() {
        let mut wire = vec![0, 0, 0, 0, 2];
        wire.extend([0; 64]);
        wire.extend([0, 3, b'V', b'4', 0]);
        let read = KeyMethod2::parse(&wire, Sender::Server).unwrap();
        assert_eq!(read.options, "V4");
        assert_eq!(read.username, None);
    }

    #[test]
    fn other_methods_and_unterminated_texts_are_refused() {
        let error = |wire: &[u8]| KeyMethod2::parse(wire, Sender::Server).err();
        assert_eq!(error(&[0, 0, 0, 0, 1]), Some(WireError::UnknownKeyMethod(1)));
        let mut wire = vec![0, 0, 0, 0, 2];
        wire.extend([0; 64]);
        wire.extend([0, 2, b'V', b'4']);
        assert_eq!(error(&wire), Some(WireError::BadText { field: "options" }));
        wire.truncate(69 + 3);
        assert_eq!(error(&wire), Some(WireError::Truncated { field: "options" }));
    }

    proptest::proptest! {
        #[test]
        fn net_12_no_octets_make_it_panic(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = KeyMethod2::parse(&octets, Sender::Client);
            let _ = KeyMethod2::parse(&octets, Sender::Server);
        }
    }
}
