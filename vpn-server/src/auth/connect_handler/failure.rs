//! Why a handler did not let a client in, in the words of the connection log.

use vpn_proto::Denial;

/// A handler said no, or nothing that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// It said no.
    #[error("the handler does not allow it: {message}")]
    Denied {
        /// What the client is told.
        message: String,
    },
    /// It did not answer in time.
    #[error("the handler did not answer within {seconds} s")]
    TimedOut {
        /// Its time.
        seconds: u64,
    },
    /// It broke while it was at it.
    #[error("the handler failed: {0}")]
    Broke(String),
    /// It has, or we have, too much to do.
    #[error("too many clients wait for the handler: {0}")]
    Throttled(&'static str),
    /// What it said is no answer.
    #[error("the answer of the handler cannot be used: {0}")]
    InvalidResponse(String),
    /// It could not be asked.
    #[error("the handler cannot be asked: {0}")]
    NotAsked(String),
}

/// What clients are told whenever it is not the handler that speaks to them.
const PUBLIC: &str = "Error establishing connection. Please contact your administrator.";

impl Failure {
    /// The value of `connection-attempt-failure-reason`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "client-connect-failed",
            Self::TimedOut { .. } => "client-connect-handler-timed-out",
            Self::Broke(_) => "client-connect-handler-other-execution-error",
            Self::Throttled(_) => "client-connect-handler-throttled",
            Self::InvalidResponse(_) => "client-connect-handler-invalid-response",
            Self::NotAsked(_) => "client-connect-handler-service-error",
        }
    }

    /// What becomes of the client.
    pub(super) fn into_denial(self) -> Denial {
        let (code, detail) = (self.reason(), self.to_string());
        let public = match self {
            Self::Denied { message } if !message.is_empty() => message,
            Self::Denied { .. }
            | Self::TimedOut { .. }
            | Self::Broke(_)
            | Self::Throttled(_)
            | Self::InvalidResponse(_)
            | Self::NotAsked(_) => PUBLIC.to_owned(),
        };
        Denial { code, public, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_hear_the_handler_or_nothing_of_what_went_wrong() {
        let denied = Failure::Denied { message: "update your system".to_owned() }.into_denial();
        assert_eq!((denied.code, denied.public.as_str()), ("client-connect-failed", "update your system"));
        let broken = Failure::NotAsked("connection to 10.0.0.1 refused".to_owned()).into_denial();
        assert_eq!((broken.code, broken.public.as_str()), ("client-connect-handler-service-error", PUBLIC));
        assert!(broken.detail.contains("10.0.0.1"));
        assert_eq!(Failure::Denied { message: String::new() }.into_denial().public, PUBLIC);
    }
}
