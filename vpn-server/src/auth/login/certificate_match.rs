//! Whether somebody logs in with the certificate of somebody else.

use std::sync::Arc;

use super::{Answer, Decider, LoginAttempt, Verdict};

/// Refuses user names that are not the name in the certificate, octet by octet. Clients without a certificate pass: whether
/// one is needed is decided elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct CertificateMatch;

impl Decider for CertificateMatch {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        answer.decide(match (&attempt.client.certificate, &attempt.username) {
            (Some(certificate), Some(username)) if certificate.common_name != username.as_str() => {
                let detail = format!(
                    "user {:?} showed the certificate of {:?}",
                    username.as_str(),
                    certificate.common_name
                );
                Verdict::wrong_credentials("username-not-certificate", detail)
            }
            (Some(_) | None, Some(_) | None) => Verdict::accept(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::super::LoginUpdate;
    use super::*;
    use crate::testing::login::{attempt, facts, nobody};

    fn is_accepted(attempt: LoginAttempt) -> bool {
        let (sender, updates) = channel();
        CertificateMatch.decide(&Arc::new(attempt), Answer::new(move |update| sender.send(update).unwrap()));
        matches!(updates.recv().unwrap(), LoginUpdate::Decided(Verdict::Accept(_)))
    }

    #[test]
    fn crt_07_a_user_name_has_to_be_the_name_in_the_certificate() {
        assert!(is_accepted(attempt("client1", "secret")));
        for other in ["client2", "Client1", "client1 "] {
            assert!(!is_accepted(attempt(other, "secret")), "{other}");
        }
    }

    #[test]
    fn without_a_certificate_or_a_user_name_there_is_nothing_to_compare() {
        let without = LoginAttempt { client: Arc::new(facts(false)), ..attempt("client2", "secret") };
        assert!(is_accepted(without));
        assert!(is_accepted(nobody(true)));
    }
}
