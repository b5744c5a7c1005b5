//! Questions to the person at the client, while a connection is being made or after it was refused
//! (protocol reference section 8.4).

use std::time::Duration;

use super::message::MAX_REASON;
use super::peer_info::PeerInfo;

/// A question that is asked while the client waits. Whether a client understands it stands in `IV_SSO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// The person shall log in on this page; `flags` are those of `WEB_AUTH`.
    WebAuth {
        /// `hidden`, `external`, `proxy=...`, separated by commas; often empty.
        flags: String,
        /// The page.
        url: String,
    },
    /// The person shall open this page.
    OpenUrl(String),
    /// The person shall answer this question; the answer comes as
    /// [`Event::ChallengeResponse`](crate::Event::ChallengeResponse).
    Question(Question),
}

/// A question with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whether the answer may be seen while it is typed.
    pub echo: bool,
    /// Whether an answer is needed at all.
    pub response_required: bool,
    /// The question.
    pub text: String,
}

/// A question that refuses a connection: the client makes a new one with the answer as its password,
/// `CRV1::state_id::answer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicChallenge {
    /// The question.
    pub question: Question,
    /// By what the server knows the answer again; no colon in it.
    pub state_id: String,
    /// The user it asks, in base64.
    pub username_base64: String,
}

/// Where a client that was refused for a time shall turn next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The same address again.
    No,
    /// The next address of the same server.
    Address,
    /// The next server.
    Remote,
}

impl Prompt {
    /// Reads the text after `INFO_PRE,`; `None` if it is of no known kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "OPEN_URL" => Some(Self::OpenUrl(rest.to_owned())),
            "WEB_AUTH" => {
                let (flags, url) = rest.split_once(':')?;
                Some(Self::WebAuth { flags: flags.to_owned(), url: url.to_owned() })
            }
            "CR_TEXT" => {
                let (flags, text) = rest.split_once(':')?;
                Some(Self::Question(Question::with_flags(flags, text)))
            }
            _ => None,
        }
    }

    /// What a client says in `IV_SSO` that it can do, if it can ask this.
    #[must_use]
    pub const fn ability(&self) -> &'static str {
        match self {
            Self::WebAuth { .. } => "webauth",
            Self::OpenUrl(_) => "openurl",
            Self::Question(_) => "crtext",
        }
    }

    /// Whether a client says that it can ask this.
    #[must_use]
    pub fn is_within_abilities_of(&self, client: &PeerInfo) -> bool {
        let abilities = client.get("IV_SSO").unwrap_or_default();
        abilities.split(',').any(|ability| ability == self.ability())
    }

    /// The text after `INFO_PRE,`.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::WebAuth { flags, url } => format!("WEB_AUTH:{flags}:{url}"),
            Self::OpenUrl(url) => format!("OPEN_URL:{url}"),
            Self::Question(question) => format!("CR_TEXT:{}:{}", question.flags(), question.text),
        }
    }
}

impl Question {
    fn with_flags(flags: &str, text: &str) -> Self {
        let has = |wanted| flags.split(',').any(|flag| flag == wanted);
        Self { echo: has("E"), response_required: has("R"), text: text.to_owned() }
    }

    fn flags(&self) -> &'static str {
        match (self.echo, self.response_required) {
            (true, true) => "E,R",
            (true, false) => "E",
            (false, true) => "R",
            (false, false) => "",
        }
    }
}

impl DynamicChallenge {
    /// Reads the reason in `AUTH_FAILED`: `CRV1:flags:state:user:question`; `None` if it is no question.
    #[must_use]
    pub fn parse(reason: &str) -> Option<Self> {
        let mut fields = reason.strip_prefix("CRV1:")?.splitn(4, ':');
        let (flags, state_id) = (fields.next()?, fields.next()?.to_owned());
        let username_base64 = fields.next()?.to_owned();
        Some(Self { question: Question::with_flags(flags, fields.next()?), state_id, username_base64 })
    }

    /// The reason in `AUTH_FAILED`.
    pub(crate) fn to_reason(&self) -> String {
        let Self { question, state_id, username_base64 } = self;
        format!("CRV1:{}:{state_id}:{username_base64}:{}", question.flags(), question.text)
    }
}

impl Advance {
    const fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Address => "addr",
            Self::Remote => "remote",
        }
    }
}

/// The reason in `AUTH_FAILED` that makes a client come back after `backoff`.
pub(crate) fn temporary_reason(reason: &str, backoff: Duration, advance: Advance) -> String {
    let text: String = reason.chars().take(MAX_REASON / 2).collect();
    format!("TEMP[backoff {},advance {}]:{text}", backoff.as_secs(), advance.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(echo: bool, response_required: bool) -> Question {
        Question { echo, response_required, text: "Code?".to_owned() }
    }

    #[test]
    fn prompts_read_as_clients_expect_them() {
        let web = Prompt::WebAuth { flags: "external".to_owned(), url: "https://x.test/?a=1".to_owned() };
        assert_eq!(web.to_text(), "WEB_AUTH:external:https://x.test/?a=1");
        assert_eq!(Prompt::OpenUrl("https://x.test".to_owned()).to_text(), "OPEN_URL:https://x.test");
        assert_eq!(Prompt::Question(question(false, true)).to_text(), "CR_TEXT:R:Code?");
    }

    #[test]
    fn a_dynamic_challenge_reads_as_clients_expect_it() {
        let challenge = DynamicChallenge {
            question: question(true, true),
            state_id: "abc".to_owned(),
            username_base64: "YWxpY2U=".to_owned(),
        };
        assert_eq!(challenge.to_reason(), "CRV1:E,R:abc:YWxpY2U=:Code?");
    }

    #[test]
    fn prompts_and_challenges_read_back() {
        for text in
            ["WEB_AUTH:external:https://x.test/?a=1:2", "OPEN_URL:https://x.test", "CR_TEXT:E,R:Code: now?"]
        {
            assert_eq!(Prompt::parse(text).unwrap().to_text(), text);
        }
        for text in ["", "OPEN_URL", "CR_TEXT:R", "WEB_AUTH:x", "OTHER:x:y"] {
            assert_eq!(Prompt::parse(text), None, "{text}");
        }
        let reason = "CRV1:R:abc:YWxpY2U=:Code: now?";
        assert_eq!(DynamicChallenge::parse(reason).unwrap().to_reason(), reason);
        for text in ["", "CRV1", "CRV1:R:abc:YWxpY2U=", "denied"] {
            assert_eq!(DynamicChallenge::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_temporary_refusal_says_when_and_where_to_come_back() {
        let reason = temporary_reason("busy", Duration::from_secs(7), Advance::Address);
        assert_eq!(reason, "TEMP[backoff 7,advance addr]:busy");
    }
}
