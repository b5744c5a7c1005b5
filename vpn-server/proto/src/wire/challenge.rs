//! Questions to the person at the client, while a connection is being made or after it was refused
//! (protocol reference section 8.4).

use std::time::Duration;

use super::message::MAX_REASON;

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
    fn a_temporary_refusal_says_when_and_where_to_come_back() {
        let reason = temporary_reason("busy", Duration::from_secs(7), Advance::Address);
        assert_eq!(reason, "TEMP[backoff 7,advance addr]:busy");
    }
}
