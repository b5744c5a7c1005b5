//! Lets in whom the directory knows by the password that was shown.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pki_core::text::Printable;
use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tracing::{info, warn};
use vpn_proto::{Advance, Denial, Password};

use super::dialog::Dialog;
use super::failure::Failure;
use super::lookup::{Key, Outcome, ServiceAccount, look_up};
use super::memory::GroupMemory;
use super::servers::ServerList;
use super::{DirectorySettings, GroupName, SignOn};
use crate::auth::login::{Acceptance, Answer, Decider, LoginAttempt, Shown, Username, Verdict};
use crate::authorities::{self, AuthoritiesError};
use crate::errands::{Errands, Lane};

/// Asks the servers of a directory about logins, on threads of its own: while a directory is dead, logins that it has to
/// decide are refused, and nothing else waits for it.
pub struct DirectoryDecider {
    asked: Arc<Asked>,
    errands: Errands,
}

/// Why a directory cannot be used from the start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryStartError {
    /// Its servers could not be told from others.
    #[error("the directory cannot be asked: {0}")]
    Authorities(#[from] AuthoritiesError),
    /// The password of the account that searches cannot be read.
    #[error("cannot read the password of the directory account {}: {source}", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Threads could not be started.
    #[error("no threads for the directory: {0}")]
    Threads(#[source] io::Error),
}

impl DirectoryStartError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Authorities(error) => error.code(),
            Self::Secret { .. } => "directory-password-unreadable",
            Self::Threads(_) => "directory-threads",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Authorities(error) => error.help(),
            Self::Secret { .. } => {
                "'bind-password-file' names a file, readable by the server only, whose first line is the password"
            }
            Self::Threads(_) => "choose a smaller number for 'threads', or raise the limit of the host",
        }
    }
}

/// What all logins have in common.
struct Asked {
    settings: DirectorySettings,
    key: Key,
    tls: Option<Arc<ClientConfig>>,
    servers: ServerList,
    memory: GroupMemory,
}

/// Why no server answered.
enum NoAnswer {
    /// All servers have just failed, and none was asked.
    Pause,
    /// The whole time is over.
    OutOfTime,
    /// The last one to be asked failed.
    Failed(Failure),
}

/// Whoever waited longer for a turn has gone, or will soon.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long clients wait that come while no server answers.
const BACKOFF: Duration = Duration::from_secs(15);

impl DirectoryDecider {
    /// A decider by the directory of `settings`; no server is asked before the first login.
    ///
    /// # Errors
    ///
    /// [`DirectoryStartError`]: a file of the settings cannot be used, or threads cannot be started.
    pub fn start(settings: DirectorySettings) -> Result<Self, DirectoryStartError> {
        let (key, tls) = prepare(&settings)?;
        let errands = Errands::start("directory", settings.threads).map_err(DirectoryStartError::Threads)?;
        let servers = ServerList::new(settings.servers.len());
        let asked = Arc::new(Asked { settings, key, tls, servers, memory: GroupMemory::default() });
        Ok(Self { asked, errands })
    }

    /// Reads the files of the settings, as a start would.
    ///
    /// # Errors
    ///
    /// [`DirectoryStartError`] when one of them cannot be used.
    pub fn check(settings: &DirectorySettings) -> Result<(), DirectoryStartError> {
        prepare(settings).map(drop)
    }
}

fn prepare(settings: &DirectorySettings) -> Result<(Key, Option<Arc<ClientConfig>>), DirectoryStartError> {
    let key = match &settings.sign_on {
        SignOn::Service { name, password_file: path } => Key::Service(
            ServiceAccount::open(name, path)
                .map_err(|source| DirectoryStartError::Secret { path: path.clone(), source })?,
        ),
        SignOn::Direct(template) => Key::Direct(template.clone()),
    };
    let authorities = settings.authorities.as_deref();
    let tls = settings.uses_tls().then(|| authorities::client_config(authorities)).transpose()?;
    Ok((key, tls))
}

impl Decider for DirectoryDecider {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let (username, password) = match credentials(attempt) {
            Ok(credentials) => credentials,
            Err(refusal) => return answer.decide(refusal),
        };
        let (asked, since) = (Arc::clone(&self.asked), Instant::now());
        let work = move |answer: Answer| {
            if since.elapsed() > PATIENCE {
                return answer.decide(Verdict::busy("the login waited too long for the directory"));
            }
            answer.decide(asked.judge(&username, &password));
        };
        self.errands.submit(Lane::of_source(attempt.client.remote.ip()), answer, work, |answer| {
            answer.decide(Verdict::busy("too many logins wait for the directory"));
        });
    }

    fn still_knows(&self, username: &Username) -> bool {
        self.asked.memory.recall(username).is_some()
    }

    fn recall(&self, username: &Username) -> Option<Acceptance> {
        self.asked.memory.recall(username).map(acceptance)
    }
}

/// What can be asked about; an empty password never is.
fn credentials(attempt: &LoginAttempt) -> Result<(Username, Password), Verdict> {
    let (Some(username), Some(shown)) = (&attempt.username, &attempt.shown) else {
        return Err(Verdict::wrong_credentials("no-credentials", "no user name or no password was sent"));
    };
    match shown {
        Shown::Password(password) if password.as_str().is_empty() => {
            let detail = format!("user {:?} sent an empty password", username.as_str());
            Err(Verdict::wrong_credentials("empty-password", detail))
        }
        Shown::Password(password) => Ok((username.clone(), password.clone())),
        Shown::PasswordAndResponse { .. } | Shown::ChallengeResponse { .. } | Shown::Token(_) => {
            let detail = format!("user {:?} answered a question that was not asked", username.as_str());
            Err(Verdict::wrong_credentials("unexpected-response", detail))
        }
    }
}

fn acceptance(groups: Vec<GroupName>) -> Acceptance {
    let groups = groups.into_iter().map(GroupName::into_string).collect();
    Acceptance { groups, ..Acceptance::default() }
}

impl Asked {
    fn judge(&self, username: &Username, password: &Password) -> Verdict {
        let runtime = match Builder::new_current_thread().enable_all().max_blocking_threads(1).build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return unavailable(format!("no runtime for a connection to the directory: {error}"));
            }
        };
        let outcome = self.ask(&runtime, username, password);
        runtime.shutdown_background();
        self.verdict(username, outcome)
    }

    fn ask(&self, runtime: &Runtime, username: &Username, password: &Password) -> Result<Outcome, NoAnswer> {
        runtime.block_on(async {
            let limit = self.settings.limits.total;
            timeout(limit, self.ask_servers(username, password)).await.unwrap_or(Err(NoAnswer::OutOfTime))
        })
    }

    async fn ask_servers(&self, username: &Username, password: &Password) -> Result<Outcome, NoAnswer> {
        let mut no_answer = NoAnswer::Pause;
        for server in self.servers.order(Instant::now()) {
            match self.ask_server(server, username, password).await {
                Ok(outcome) => {
                    self.servers.answered(server);
                    return Ok(outcome);
                }
                Err(failure) => {
                    self.servers.failed(server, Instant::now());
                    warn!(code = failure.code(), %failure, "a server of the directory cannot be asked");
                    no_answer = NoAnswer::Failed(failure);
                }
            }
        }
        Err(no_answer)
    }

    async fn ask_server(
        &self,
        server: usize,
        username: &Username,
        password: &Password,
    ) -> Result<Outcome, Failure> {
        let settings = &self.settings;
        let mut dialog = Dialog::open(&settings.servers[server], self.tls.as_ref(), settings.limits).await?;
        let outcome = look_up(&mut dialog, settings, &self.key, username, password).await;
        dialog.close().await;
        outcome
    }

    fn verdict(&self, username: &Username, outcome: Result<Outcome, NoAnswer>) -> Verdict {
        let name = username.as_str();
        let refusal = match outcome {
            Ok(Outcome::Known(groups)) => {
                info!(
                    user = Printable(name).to_string(),
                    groups = groups.len(),
                    "the directory knows the user"
                );
                self.memory.remember(username, groups.clone());
                return Verdict::Accept(acceptance(groups));
            }
            Ok(Outcome::NoSuchUser) => {
                Verdict::wrong_credentials("unknown-user", format!("the directory has no user {name:?}"))
            }
            Ok(Outcome::Ambiguous) => Verdict::wrong_credentials(
                "ambiguous-user",
                format!(
                    "several entries of the directory could be user {name:?}; the filter has to tell them apart"
                ),
            ),
            Ok(Outcome::WrongPassword { text }) => {
                let detail = format!("the directory refuses user {name:?}: {}", Printable(&text));
                return Verdict::wrong_credentials("wrong-password", detail);
            }
            Err(NoAnswer::Pause) => {
                return unavailable("all servers of the directory have just failed".to_owned());
            }
            Err(NoAnswer::OutOfTime) => {
                let limit = self.settings.limits.total.as_secs();
                return unavailable(format!("the directory did not answer within {limit} s"));
            }
            Err(NoAnswer::Failed(failure)) => return unavailable(failure.to_string()),
        };
        self.memory.forget(username);
        refusal
    }
}

/// Nobody knows whether the password is right.
fn unavailable(detail: String) -> Verdict {
    let denial = Denial {
        code: "directory-unavailable",
        public: "logins are not possible at the moment, try again later".to_owned(),
        detail,
    };
    Verdict::DenyFor { denial, backoff: BACKOFF, advance: Advance::No }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    use super::super::{GroupIdentifier, GroupSettings, GroupSource, ServerUrl, Template, TimeLimits};
    use super::*;
    use crate::auth::login::LoginUpdate;
    use crate::testing::login::attempt;

    fn settings(servers: &[String]) -> DirectorySettings {
        DirectorySettings {
            servers: servers.iter().map(|url| ServerUrl::parse(url, true).unwrap()).collect(),
            authorities: None,
            sign_on: SignOn::Direct(Template::bind_name("uid={user},dc=test").unwrap()),
            users: None,
            groups: GroupSettings {
                source: GroupSource::Nowhere,
                identifier: GroupIdentifier::DistinguishedName,
                depth: 0,
            },
            // Whoever connects to a server of these tests is taken in at once, so that is never what takes too long.
            limits: TimeLimits {
                connect: Duration::from_secs(60),
                operation: Duration::from_millis(300),
                total: Duration::from_secs(60),
            },
            threads: 2,
        }
    }

    /// A server that takes connections and says nothing.
    fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    fn decide(decider: &DirectoryDecider, password: &str) -> Verdict {
        let (sender, updates) = channel();
        let answer = Answer::new(move |update| sender.send(update).unwrap());
        decider.decide(&Arc::new(attempt("alice", password)), answer);
        match updates.recv_timeout(2 * PATIENCE).unwrap() {
            LoginUpdate::Decided(verdict) => verdict,
            LoginUpdate::Wait(_) => panic!("nobody asks for patience"),
        }
    }

    fn denial(verdict: &Verdict) -> &Denial {
        match verdict {
            Verdict::Deny(denial) | Verdict::DenyFor { denial, .. } => denial,
            other @ (Verdict::Accept(_) | Verdict::DenyToken(_) | Verdict::Challenge(_)) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn an_empty_password_is_refused_before_any_server_is_asked() {
        let (listener, url) = silent();
        let decider = DirectoryDecider::start(settings(&[url])).unwrap();
        assert_eq!(denial(&decide(&decider, "")).code, "empty-password");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }

    #[test]
    fn answers_to_questions_are_no_passwords() {
        let (_listener, url) = silent();
        let decider = DirectoryDecider::start(settings(&[url])).unwrap();
        assert_eq!(denial(&decide(&decider, "SCRV1:c2VjcmV0:MTIz")).code, "unexpected-response");
    }

    #[test]
    fn a_server_that_hangs_costs_its_time_limit_and_the_client_learns_nothing_of_it() {
        let (_listener, url) = silent();
        let decider = DirectoryDecider::start(settings(std::slice::from_ref(&url))).unwrap();
        let verdict = decide(&decider, "secret");
        let denial = denial(&verdict);
        assert_eq!(denial.code, "directory-unavailable");
        assert!(
            denial.detail.contains(&url) && denial.detail.contains("binding as the user"),
            "{}",
            denial.detail
        );
        assert!(!denial.public.contains("127.0.0.1"), "{}", denial.public);
    }

    #[test]
    fn while_all_servers_are_dead_nobody_waits_for_them() {
        let (_listener, url) = silent();
        let decider = DirectoryDecider::start(settings(&[url])).unwrap();
        let begin = Instant::now();
        decide(&decider, "secret");
        assert!(decider.asked.servers.order(begin).is_empty(), "the failure is remembered");
        // However long this test is kept waiting, it has just failed.
        decider.asked.servers.failed(0, begin + PATIENCE);
        assert!(denial(&decide(&decider, "secret")).detail.contains("have just failed"));
    }

    #[test]
    fn servers_that_hang_cost_no_more_than_the_whole_time() {
        let silent: Vec<_> = (0..9).map(|_| silent()).collect();
        let urls: Vec<String> = silent.iter().map(|(_, url)| url.clone()).collect();
        let mut settings = settings(&urls);
        settings.limits.total = Duration::from_secs(2);
        let decider = DirectoryDecider::start(settings).unwrap();
        assert!(denial(&decide(&decider, "secret")).detail.contains("within 2 s"));
    }

    #[test]
    fn key_05_a_password_is_in_nothing_that_is_logged() {
        let (_listener, url) = silent();
        let decider = DirectoryDecider::start(settings(&[url])).unwrap();
        assert!(!format!("{:?}", decide(&decider, "hunter2")).contains("hunter2"));
    }

    #[test]
    fn files_that_are_missing_are_found_at_the_start() {
        let mut settings = settings(&["ldaps://127.0.0.1".to_owned()]);
        settings.authorities = Some("/nonexistent/ca.pem".into());
        let error = DirectoryDecider::check(&settings).unwrap_err();
        assert_eq!(error.code(), "authorities-unreadable");
        settings.sign_on =
            SignOn::Service { name: "cn=vpn".to_owned(), password_file: "/nonexistent/password".into() };
        let error = DirectoryDecider::check(&settings).unwrap_err();
        assert_eq!(error.code(), "directory-password-unreadable");
        assert!(error.help().contains("bind-password-file"));
    }
}
