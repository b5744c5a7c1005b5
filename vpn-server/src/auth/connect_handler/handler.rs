//! Asks the handler, on so many threads as it may be asked about clients at once.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::{debug, warn};

use super::failure::Failure;
use super::http::Service;
use super::request::{ConnectRequest, DisconnectNotice};
use super::response::{self, MAXIMUM_SIZE};
use super::{ConnectHandlerSettings, HandlerTarget, exec};
use crate::auth::login::{Acceptance, Answer, ClientFacts, Verdict};
use crate::authorities::AuthoritiesError;
use crate::control::connection::{Connection, EndpointId, Usage};
use crate::errands::{Errands, Lane};

/// Somebody outside who decides about clients that have a place.
pub struct ConnectHandler {
    asked: Arc<Asked>,
    errands: Errands,
}

/// What all clients have in common.
struct Asked {
    endpoint: EndpointId,
    by: Way,
    timeout: Duration,
}

/// How the handler is reached.
enum Way {
    Program(PathBuf),
    Service(Service),
}

/// Why a handler cannot be asked from the start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectHandlerError {
    /// A web service could not be told from others.
    #[error("the connect handler cannot be asked: {0}")]
    Authorities(#[from] AuthoritiesError),
    /// Threads could not be started.
    #[error("no threads for the connect handler: {0}")]
    Threads(#[from] io::Error),
}

impl ConnectHandlerError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Authorities(error) => error.code(),
            Self::Threads(_) => "connect-handler-threads",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Authorities(error) => error.help(),
            Self::Threads(_) => "choose a smaller number for --connect-handler-limit",
        }
    }
}

impl ConnectHandler {
    /// A handler that hears of clients of `endpoint`. It is not asked anything yet.
    ///
    /// # Errors
    ///
    /// [`ConnectHandlerError`]: a web service could not be told from others, or threads cannot be started.
    pub fn start(
        settings: &ConnectHandlerSettings,
        endpoint: EndpointId,
    ) -> Result<Self, ConnectHandlerError> {
        let asked = Asked { endpoint, by: Way::new(settings)?, timeout: settings.timeout };
        let threads = usize::try_from(settings.limit).unwrap_or(1);
        Ok(Self { asked: Arc::new(asked), errands: Errands::start("handler", threads)? })
    }

    /// Reads the files of the settings, as a start would.
    ///
    /// # Errors
    ///
    /// [`ConnectHandlerError`] when one of them cannot be used.
    pub fn check(settings: &ConnectHandlerSettings) -> Result<(), ConnectHandlerError> {
        Way::new(settings)?;
        Ok(())
    }

    /// Asks about a client that is in these groups as far as is known.
    pub fn introduce(&self, facts: &ClientFacts, connection: &Connection, groups: &[String], answer: Answer) {
        let request = ConnectRequest::new(self.asked.endpoint, facts, connection, groups);
        let (asked, since) = (Arc::clone(&self.asked), Instant::now());
        let work = move |answer: Answer| {
            let verdict = asked.judge_after(since.elapsed(), &request);
            answer.decide(verdict.map_or_else(refused, Verdict::Accept));
        };
        self.errands.submit(Lane::of_source(facts.remote.ip()), answer, work, |answer| {
            answer.decide(refused(Failure::Throttled("there is no room for another one")));
        });
    }

    /// Tells that a client is gone; nobody waits for it, and an answer does not count.
    pub fn disconnected(
        &self,
        facts: &ClientFacts,
        connection: &Connection,
        duration: Duration,
        usage: Usage,
        reason: &str,
    ) {
        let notice = DisconnectNotice::new(self.asked.endpoint, facts, connection, duration, usage, reason);
        let asked = Arc::clone(&self.asked);
        let work = move |()| {
            if let Err(failure) = asked.converse(&notice) {
                debug!(reason = failure.reason(), %failure, "the handler did not hear that a client is gone");
            }
        };
        self.errands.submit(Lane::of_source(facts.remote.ip()), (), work, |()| {
            warn!(client = %facts.number, "too many clients wait for the handler: it does not hear that one is gone");
        });
    }

    /// Waits until the handler has heard all that it is to hear; answers whether it has within `limit`.
    #[must_use]
    pub fn finish(&self, limit: Duration) -> bool {
        self.errands.finish(limit)
    }
}

impl Way {
    fn new(settings: &ConnectHandlerSettings) -> Result<Self, AuthoritiesError> {
        Ok(match &settings.target {
            HandlerTarget::Program(path) => Self::Program(path.clone()),
            HandlerTarget::Service(url) => {
                Self::Service(Service::new(url, settings.authorities.as_deref(), settings.timeout)?)
            }
        })
    }
}

impl Asked {
    /// Asks about a client that has waited for its turn.
    fn judge_after(&self, waited: Duration, request: &ConnectRequest) -> Result<Acceptance, Failure> {
        if waited >= self.timeout {
            return Err(Failure::Throttled("the client's turn came too late"));
        }
        self.judge(request)
    }

    fn judge(&self, request: &ConnectRequest) -> Result<Acceptance, Failure> {
        response::parse(&self.converse(request)?)
    }

    fn converse(&self, message: &impl Serialize) -> Result<Vec<u8>, Failure> {
        let text = serde_json::to_vec(message).map_err(|error| Failure::NotAsked(error.to_string()))?;
        match &self.by {
            Way::Program(path) => exec::ask(path, &text, self.timeout, MAXIMUM_SIZE),
            Way::Service(service) => service.ask(&text, MAXIMUM_SIZE),
        }
    }
}

fn refused(failure: Failure) -> Verdict {
    Verdict::Deny(failure.into_denial())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::auth::login::LoginUpdate;
    use crate::testing::connection::connection;
    use crate::testing::login::facts;
    use crate::testing::script;

    const YES: &str = r#"{"allow":true,"error-msg-on-denied-connection":"","posture-compliance-statuses":["ok"],"schema-version":"v2"}"#;
    const LIMIT: Duration = Duration::from_secs(60);

    struct World {
        handler: ConnectHandler,
        directory: tempfile::TempDir,
    }

    impl World {
        fn new(text: &str, timeout: Duration, limit: u32) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let text = text.replace("DIR", directory.path().to_str().unwrap());
            let target = HandlerTarget::Program(script::script(directory.path(), "handler", &text));
            let settings = ConnectHandlerSettings { target, timeout, limit, authorities: None };
            let handler = ConnectHandler::start(&settings, EndpointId::from_random([1; 9])).unwrap();
            Self { handler, directory }
        }

        fn introduce(&self) -> Receiver<LoginUpdate> {
            let (sender, updates) = channel();
            let answer = Answer::new(move |update| sender.send(update).unwrap());
            self.handler.introduce(&facts(true), &connection(), &["staff".to_owned()], answer);
            updates
        }

        fn verdict(&self) -> Result<Acceptance, String> {
            match self.introduce().recv_timeout(LIMIT).unwrap() {
                LoginUpdate::Decided(Verdict::Accept(acceptance)) => Ok(acceptance),
                LoginUpdate::Decided(Verdict::Deny(denial)) => Err(denial.code.to_owned()),
                other @ (LoginUpdate::Decided(_) | LoginUpdate::Wait(_)) => panic!("{other:?}"),
            }
        }
    }

    fn verdict(script: &str) -> Result<Acceptance, String> {
        World::new(script, LIMIT, 2).verdict()
    }

    #[test]
    fn a_program_reads_the_request_and_writes_the_answer() {
        let world = World::new(&format!("cat > DIR/asked; echo '{YES}'"), LIMIT, 2);
        assert_eq!(world.verdict().unwrap().posture_statuses, ["ok"]);
        let asked = fs::read(world.directory.path().join("asked")).unwrap();
        let asked: serde_json::Value = serde_json::from_slice(&asked).unwrap();
        assert_eq!(
            (&asked["common-name"], &asked["groups"]),
            (&"client1".into(), &serde_json::json!(["staff"]))
        );
    }

    #[test]
    fn everything_that_goes_wrong_has_its_reason_and_refuses() {
        let cases: [(&str, &str); 6] = [
            ("echo no", "client-connect-handler-invalid-response"),
            ("", "client-connect-handler-invalid-response"),
            ("head -c 300000 /dev/zero", "client-connect-handler-invalid-response"),
            (&format!("echo '{YES}'; exit 1"), "client-connect-handler-other-execution-error"),
            (&format!("echo '{YES}'; exit 2"), "client-connect-handler-other-execution-error"),
            (&format!("echo '{}'", YES.replace("true", "false")), "client-connect-failed"),
        ];
        for (script, reason) in cases {
            assert_eq!(verdict(script).unwrap_err(), reason, "{script}");
        }
    }

    #[test]
    fn what_a_program_says_beside_its_answer_does_not_spoil_it() {
        assert!(verdict(&format!("echo >&2 a warning; echo '{YES}'")).is_ok());
    }

    #[test]
    fn a_program_that_is_not_there_is_a_service_error() {
        let world = World::new("exit 0", LIMIT, 1);
        fs::remove_file(world.directory.path().join("handler")).unwrap();
        assert_eq!(world.verdict().unwrap_err(), "client-connect-handler-service-error");
    }

    #[test]
    fn acl_08_a_program_that_takes_too_long_is_ended_and_refuses() {
        let world = World::new("sleep 1000", Duration::from_millis(300), 1);
        assert_eq!(world.verdict().unwrap_err(), "client-connect-handler-timed-out");
    }

    #[test]
    fn no_more_clients_than_the_limit_are_asked_about_at_once() {
        let script = format!("mkdir DIR/lock || exit 1; sleep 0.1; rmdir DIR/lock; echo '{YES}'");
        let world = World::new(&script, LIMIT, 1);
        let asked: Vec<_> = (0..4).map(|_| world.introduce()).collect();
        for updates in asked {
            let update = updates.recv_timeout(LIMIT).unwrap();
            assert!(matches!(update, LoginUpdate::Decided(Verdict::Accept(_))), "{update:?}");
        }
    }

    #[test]
    fn clients_whose_turn_comes_too_late_are_not_asked_about() {
        let world = World::new(&format!("touch DIR/asked; echo '{YES}'"), LIMIT, 1);
        let asked = &world.handler.asked;
        let request = ConnectRequest::new(asked.endpoint, &facts(true), &connection(), &[]);
        let late = asked.judge_after(LIMIT, &request).unwrap_err();
        assert_eq!(late.reason(), "client-connect-handler-throttled");
        assert!(!world.directory.path().join("asked").exists());
        assert!(asked.judge_after(LIMIT - Duration::from_millis(1), &request).is_ok());
    }

    #[test]
    fn it_hears_that_a_client_is_gone() {
        let world = World::new("cat > DIR/asked; exit 1", LIMIT, 1);
        let usage = Usage::default();
        world.handler.disconnected(&facts(true), &connection(), Duration::from_secs(1), usage, "client-gone");
        assert!(world.handler.finish(LIMIT));
        let asked = fs::read_to_string(world.directory.path().join("asked")).unwrap();
        assert!(asked.contains("client-disconnected"), "{asked}");
    }
}
