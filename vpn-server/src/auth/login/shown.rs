//! What stands in the field for the password: a password, a password with the answer to a question, an answer alone, or
//! a token (protocol reference sections 8.4 and 8.5).

use base64ct::{Base64, Encoding};
use vpn_proto::Password;

/// What a client showed beside its user name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A password.
    Password(Password),
    /// A password and the answer to the question that stands in the client's profile (`static-challenge`).
    PasswordAndResponse {
        /// The password.
        password: Password,
        /// The answer.
        response: Password,
    },
    /// The answer to a question that refused an earlier attempt.
    ChallengeResponse {
        /// By what the server knows the question again.
        state_id: String,
        /// The answer.
        response: Password,
    },
    /// A token that this server, or another with the same key, gave out.
    Token(Password),
}

/// How tokens begin.
pub(super) const TOKEN_PREFIX: &str = "SESS_ID_AT_";

impl Shown {
    /// Reads the field. What is not of a known form is a password, whatever it looks like.
    #[must_use]
    pub fn parse(field: &Password) -> Self {
        let text = field.as_str();
        if text.starts_with(TOKEN_PREFIX) {
            return Self::Token(field.clone());
        }
        static_challenge(text)
            .or_else(|| dynamic_challenge(text))
            .unwrap_or_else(|| Self::Password(field.clone()))
    }
}

/// `SCRV1:base64(password):base64(response)`
fn static_challenge(text: &str) -> Option<Shown> {
    let (password, response) = text.strip_prefix("SCRV1:")?.split_once(':')?;
    Some(Shown::PasswordAndResponse { password: decode(password)?, response: decode(response)? })
}

/// `CRV1::state::response`
fn dynamic_challenge(text: &str) -> Option<Shown> {
    let (state_id, response) = text.strip_prefix("CRV1::")?.split_once("::")?;
    Some(Shown::ChallengeResponse {
        state_id: state_id.to_owned(),
        response: Password::new(response.to_owned()),
    })
}

fn decode(base64: &str) -> Option<Password> {
    let octets = Base64::decode_vec(base64).ok()?;
    String::from_utf8(octets).ok().map(Password::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    fn shown(text: &str) -> Shown {
        Shown::parse(&password(text))
    }

    #[test]
    fn a_password_is_a_password() {
        for text in ["secret", "", "SCRV1:", "SCRV1:###:x", "CRV1::state", "SESS_ID", "crv1::a::b"] {
            assert_eq!(shown(text), Shown::Password(password(text)), "{text}");
        }
    }

    #[test]
    fn an_answer_to_the_question_of_the_profile_is_taken_apart() {
        let expected =
            Shown::PasswordAndResponse { password: password("secret"), response: password("123456") };
        assert_eq!(shown("SCRV1:c2VjcmV0:MTIzNDU2"), expected);
    }

    #[test]
    fn an_answer_to_an_earlier_question_carries_its_state() {
        let expected = Shown::ChallengeResponse { state_id: "s7".to_owned(), response: password("12::34") };
        assert_eq!(shown("CRV1::s7::12::34"), expected);
    }

    #[test]
    fn a_token_is_known_by_its_beginning() {
        assert_eq!(shown("SESS_ID_AT_abc"), Shown::Token(password("SESS_ID_AT_abc")));
    }

    #[test]
    fn key_05_nothing_of_it_is_printed() {
        for text in ["hunter2", "SCRV1:aHVudGVyMg==:aHVudGVyMg==", "CRV1::s::hunter2", "SESS_ID_AT_hunter2"] {
            assert!(!format!("{:?}", shown(text)).contains("hunter2"), "{text}");
        }
    }
}
