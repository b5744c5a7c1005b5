//! Text messages of the control channel: what the two sides say to each other once TLS is up.
//!
//! Each is printable text, ended by a NUL octet, in a TLS record of its own (protocol reference sections 5.1 and 8).

/// What a client may say. Anything unknown is ignored, as stock peers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Asks for the configuration.
    PushRequest,
    /// The client is leaving.
    Exit,
    /// The answer to a question, in base64.
    ChallengeResponse(String),
    /// Some other message, by its first word.
    Unknown(String),
}

impl ClientMessage {
    /// Reads the messages in one TLS record: usually one, but stock peers accept several, separated by NUL.
    pub fn parse_record(record: &[u8]) -> impl Iterator<Item = Self> + '_ {
        texts(record).map(|text| match text {
            "PUSH_REQUEST" => Self::PushRequest,
            "EXIT" => Self::Exit,
            other => match other.strip_prefix("CR_RESPONSE,") {
                Some(answer) => Self::ChallengeResponse(answer.to_owned()),
                None => Self::Unknown(first_word(other).to_owned()),
            },
        })
    }

    /// The message as a TLS record's content.
    #[must_use]
    pub fn to_record(&self) -> Vec<u8> {
        match self {
            Self::PushRequest => terminated("PUSH_REQUEST"),
            Self::Exit => terminated("EXIT"),
            Self::ChallengeResponse(answer) => terminated(&format!("CR_RESPONSE,{answer}")),
            Self::Unknown(text) => terminated(text),
        }
    }
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// One part of the configuration, complete with its `PUSH_REPLY,` (see [`super::push`]).
    PushReply(String),
    /// One part of a change of the configuration, complete with its `PUSH_UPDATE,`.
    PushUpdate(String),
    /// The decision takes time: so many seconds, where the client understands a number.
    AuthPending(Option<u64>),
    /// A question or a notice for the person at the client (see [`super::challenge`]).
    InfoPre(String),
    /// The client may not connect, or not any longer; stock clients stop.
    AuthFailed(String),
    /// The client shall reconnect.
    Restart(String),
    /// The client shall stop for good.
    Halt(String),
    /// Some other message, by its first word.
    Unknown(String),
}

impl ServerMessage {
    /// Reads the messages in one TLS record.
    pub fn parse_record(record: &[u8]) -> impl Iterator<Item = Self> + '_ {
        texts(record).map(|text| {
            let (word, rest) = text.split_once(',').unwrap_or((text, ""));
            match word {
                "PUSH_REPLY" => Self::PushReply(text.to_owned()),
                "PUSH_UPDATE" => Self::PushUpdate(text.to_owned()),
                "AUTH_PENDING" => {
                    Self::AuthPending(rest.strip_prefix("timeout ").and_then(|seconds| seconds.parse().ok()))
                }
                "INFO_PRE" => Self::InfoPre(rest.to_owned()),
                "AUTH_FAILED" => Self::AuthFailed(rest.to_owned()),
                "RESTART" => Self::Restart(rest.to_owned()),
                "HALT" => Self::Halt(rest.to_owned()),
                other => Self::Unknown(other.to_owned()),
            }
        })
    }

    /// The message as a TLS record's content. Control characters in reasons become spaces.
    #[must_use]
    pub fn to_record(&self) -> Vec<u8> {
        match self {
            Self::PushReply(text) | Self::PushUpdate(text) | Self::Unknown(text) => terminated(text),
            Self::AuthPending(None) => terminated("AUTH_PENDING"),
            Self::AuthPending(Some(seconds)) => terminated(&format!("AUTH_PENDING,timeout {seconds}")),
            Self::InfoPre(text) => terminated(&with_reason("INFO_PRE", text)),
            Self::AuthFailed(reason) => terminated(&with_reason("AUTH_FAILED", reason)),
            Self::Restart(reason) => terminated(&with_reason("RESTART", reason)),
            Self::Halt(reason) => terminated(&with_reason("HALT", reason)),
        }
    }
}

/// The longest reason, in characters: stock clients take whole messages of up to 1024 octets.
pub(super) const MAX_REASON: usize = 240;
/// The longest message, the terminating NUL left out.
const MAX_MESSAGE: usize = 1023;

fn with_reason(word: &str, reason: &str) -> String {
    let mut text = word.to_owned();
    if !reason.is_empty() {
        text.push(',');
        text.extend(reason.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    let boundary = (0..=MAX_MESSAGE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(boundary.unwrap_or(0));
    text
}

fn texts(record: &[u8]) -> impl Iterator<Item = &str> {
    record
        .split(|octet| *octet == 0)
        .filter(|text| !text.is_empty())
        .filter_map(|text| std::str::from_utf8(text).ok())
        .map(|text| text.trim_end_matches(['\r', '\n']))
}

fn first_word(text: &str) -> &str {
    text.split(',').next().unwrap_or_default()
}

fn terminated(text: &str) -> Vec<u8> {
    let mut record = text.as_bytes().to_vec();
    record.push(0);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_messages_in_one_record_are_two_messages() {
        let messages: Vec<_> = ClientMessage::parse_record(b"PUSH_REQUEST\0EXIT\0").collect();
        assert_eq!(messages, [ClientMessage::PushRequest, ClientMessage::Exit]);
    }

    #[test]
    fn the_terminator_may_be_missing_and_strange_texts_are_named_by_their_first_word() {
        let messages: Vec<_> = ClientMessage::parse_record(b"ACC,x,y").collect();
        assert_eq!(messages, [ClientMessage::Unknown("ACC".to_owned())]);
        assert_eq!(ClientMessage::parse_record(b"\xff\xfe\0").count(), 0);
        assert_eq!(ClientMessage::parse_record(b"").count(), 0);
    }

    #[test]
    fn cfg_03_control_characters_in_a_reason_do_not_reach_the_client() {
        let record = ServerMessage::AuthFailed("no\nPUSH_REPLY\0x".to_owned()).to_record();
        assert_eq!(record, b"AUTH_FAILED,no PUSH_REPLY x\0");
    }

    #[test]
    fn no_message_is_longer_than_clients_take() {
        let record = ServerMessage::AuthFailed("\u{e9}".repeat(2000)).to_record();
        assert!(record.len() <= 1024 && std::str::from_utf8(&record).is_ok());
    }

    #[test]
    fn the_answer_to_a_question_is_read() {
        let messages: Vec<_> = ClientMessage::parse_record(b"CR_RESPONSE,MTIzNDU2\0").collect();
        assert_eq!(messages, [ClientMessage::ChallengeResponse("MTIzNDU2".to_owned())]);
        assert_eq!(messages[0].to_record(), b"CR_RESPONSE,MTIzNDU2\0");
    }

    #[test]
    fn server_messages_round_trip() {
        for message in [
            ServerMessage::AuthPending(None),
            ServerMessage::AuthPending(Some(300)),
            ServerMessage::InfoPre("OPEN_URL:https://x.test/?a,b".to_owned()),
            ServerMessage::PushUpdate("PUSH_UPDATE,-route".to_owned()),
            ServerMessage::AuthFailed("certificate revoked".to_owned()),
            ServerMessage::AuthFailed(String::new()),
            ServerMessage::Restart("going down".to_owned()),
            ServerMessage::Halt(String::new()),
            ServerMessage::PushReply("PUSH_REPLY,ping 10".to_owned()),
        ] {
            let record = message.to_record();
            assert_eq!(ServerMessage::parse_record(&record).collect::<Vec<_>>(), [message]);
        }
    }
}
