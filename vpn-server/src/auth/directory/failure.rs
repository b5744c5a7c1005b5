//! Why a directory gave no answer: for the operator, who learns the server, the step and what it said.

use std::fmt;
use std::time::Duration;

use ldap3::LdapError;
use pki_core::text::Printable;

/// A server could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{server}, {step}: {cause}")]
pub(super) struct Failure {
    /// Which server.
    pub(super) server: String,
    /// What was tried.
    pub(super) step: Step,
    /// Why it did not work.
    pub(super) cause: Cause,
}

/// What is done with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// TCP, and TLS.
    Connect,
    /// The bind of the account that searches.
    ServiceBind,
    /// The search for the entry of the user.
    UserSearch,
    /// The bind of the user.
    UserBind,
    /// The search for groups.
    GroupSearch,
}

/// Why a step did not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    /// There was no answer in time.
    #[error("no answer within {:.1} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The connection, or what came over it, is broken.
    #[error("{0}")]
    Broken(Box<LdapError>),
    /// The server says no to something that has nothing to do with the user.
    #[error("the server answered {code}: {}", Printable(text))]
    Refused {
        /// The result code of RFC 4511.
        code: u32,
        /// What the server says about it.
        text: String,
    },
    /// The server names another one.
    #[error("the server refers to another one, which is not asked")]
    Referral,
}

impl Failure {
    /// Stable name of this cause.
    pub(super) const fn code(&self) -> &'static str {
        match (&self.cause, self.step) {
            (Cause::TimedOut(_), _) => "directory-timed-out",
            (Cause::Broken(_), Step::Connect) => "directory-unreachable",
            (Cause::Broken(_), _) => "directory-broken",
            (Cause::Refused { .. }, Step::ServiceBind) => "directory-sign-on-refused",
            (Cause::Refused { .. }, _) => "directory-refused",
            (Cause::Referral, _) => "directory-referral",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Connect => "connecting",
            Self::ServiceBind => "binding as the account that searches",
            Self::UserSearch => "searching the user",
            Self::UserBind => "binding as the user",
            Self::GroupSearch => "searching groups",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(step: Step, cause: Cause) -> Failure {
        Failure { server: "ldap://dc1".to_owned(), step, cause }
    }

    #[test]
    fn the_operator_learns_server_step_and_cause_on_one_line() {
        let refused = Cause::Refused { code: 49, text: "bad\npassword".to_owned() };
        let failure = failure(Step::ServiceBind, refused);
        let said = failure.to_string();
        assert!(
            said.starts_with("ldap://dc1, binding as the account that searches: the server answered 49: "),
            "{said}"
        );
        assert!(!said.contains('\n'), "{said}");
        assert_eq!(failure.code(), "directory-sign-on-refused");
    }

    #[test]
    fn each_cause_has_a_name() {
        let late = || Cause::TimedOut(Duration::from_millis(2500));
        assert_eq!(failure(Step::Connect, late()).code(), "directory-timed-out");
        assert!(failure(Step::Connect, late()).to_string().ends_with("no answer within 2.5 s"));
        let closed = || Cause::Broken(Box::new(LdapError::EndOfStream));
        assert_eq!(failure(Step::Connect, closed()).code(), "directory-unreachable");
        assert_eq!(failure(Step::UserSearch, closed()).code(), "directory-broken");
        assert_eq!(failure(Step::UserSearch, Cause::Referral).code(), "directory-referral");
    }
}
