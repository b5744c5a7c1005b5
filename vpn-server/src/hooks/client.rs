//! Programs about clients that have a place: `client-connect` decides, `client-disconnect` and `learn-address` hear.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;
use vpn_proto::{Denial, Pending};

use super::deferred::{Deferral, Deferrals};
use super::facts::describe_connection;
use super::runner::{Conclusion, report};
use super::scratch::ScratchFile;
use super::{Environment, Runner, ScratchDirectory};
use crate::auth::connect_handler::ConnectHandler;
use crate::auth::login::{Acceptance, Answer, ClientFacts, ClientNumber, LoginUpdate, Verdict};
use crate::config::HookCommand;
use crate::control::connection::{Connection, Usage};
use crate::errands::{Errands, Lane};

/// The programs about clients; those that are not configured do nothing.
pub struct ClientHooks {
    /// Decides before `connect` does.
    pub(super) handler: Option<Arc<ConnectHandler>>,
    pub(super) connect: Option<HookCommand>,
    pub(super) disconnect: Option<HookCommand>,
    pub(super) learn_address: Option<HookCommand>,
    /// What every program is told about the server.
    pub(super) server: Environment,
    pub(super) runner: Runner,
    pub(super) scratch: ScratchDirectory,
    pub(super) deferrals: Arc<Deferrals>,
    pub(super) errands: Arc<Errands>,
    /// How long a deferred decision may take.
    pub(super) patience: Duration,
}

impl ClientHooks {
    /// Whether anybody decides about clients that have a place.
    #[must_use]
    pub const fn introduces(&self) -> bool {
        self.connect.is_some() || self.handler.is_some()
    }

    /// Asks the handler about a client in these groups, and then the program; what they say comes back together.
    pub fn introduce(
        self: &Arc<Self>,
        facts: &Arc<ClientFacts>,
        connection: &Arc<Connection>,
        groups: &[String],
        answer: Answer,
    ) {
        let Some(handler) = &self.handler else {
            return self.introduce_to_program(facts, connection, Acceptance::default(), answer);
        };
        let (hooks, told, about) = (Arc::clone(self), Arc::clone(facts), Arc::clone(connection));
        let mut waiting = Some(answer);
        let tell = move |update| match (update, waiting.take()) {
            (LoginUpdate::Decided(Verdict::Accept(acceptance)), Some(answer)) => {
                hooks.introduce_to_program(&told, &about, acceptance, answer);
            }
            (LoginUpdate::Decided(refusal), Some(answer)) => answer.decide(refusal),
            (LoginUpdate::Wait(_), answer) => waiting = answer,
            (LoginUpdate::Decided(_), None) => {}
        };
        handler.introduce(facts, connection, groups, Answer::new(tell));
    }

    /// Asks the program about a client; what it writes comes back as directives, behind what is known already.
    fn introduce_to_program(
        self: &Arc<Self>,
        facts: &ClientFacts,
        connection: &Connection,
        known: Acceptance,
        answer: Answer,
    ) {
        if self.connect.is_none() {
            return answer.decide(Verdict::Accept(known));
        }
        let answer = with_before(known, answer);
        let environment = self.environment("client-connect", facts, connection);
        let (hooks, client) = (Arc::clone(self), facts.number);
        let work = move |answer| hooks.connect(client, environment, answer);
        self.errands.submit(Lane::of_source(facts.remote.ip()), answer, work, |answer| {
            answer.decide(Verdict::busy("too many clients wait for the program of client-connect"));
        });
    }

    /// Nobody needs the decision about this client any longer.
    pub fn forget(&self, client: ClientNumber) {
        self.deferrals.forget(client, CONNECT_KEY);
    }

    /// A client's tunnel is up: it has its address.
    pub fn connected(self: &Arc<Self>, facts: &ClientFacts, connection: &Connection) {
        let arguments =
            ["add".into(), connection.address.to_string().into(), OsString::from(&facts.common_name)];
        self.notify(self.learn_address.as_ref(), "learn-address", facts, connection, &arguments, |_| {});
    }

    /// A client is gone, and its address is nobody's.
    pub fn disconnected(
        self: &Arc<Self>,
        facts: &ClientFacts,
        connection: &Connection,
        duration: Duration,
        usage: Usage,
        reason: &str,
    ) {
        if let Some(handler) = &self.handler {
            handler.disconnected(facts, connection, duration, usage, reason);
        }
        let arguments = ["delete".into(), OsString::from(connection.address.to_string())];
        self.notify(self.learn_address.as_ref(), "learn-address", facts, connection, &arguments, |_| {});
        self.notify(self.disconnect.as_ref(), "client-disconnect", facts, connection, &[], |environment| {
            environment.set("bytes_received", usage.ingress_bytes);
            environment.set("bytes_sent", usage.egress_bytes);
            environment.set("time_duration", duration.as_secs());
            environment.set("signal", reason);
        });
    }

    /// Waits until programs have heard all that they are to hear; answers whether they have within `limit`.
    #[must_use]
    pub fn finish(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let has_heard = self.handler.as_ref().is_none_or(|handler| handler.finish(limit));
        self.errands.finish(deadline.saturating_duration_since(Instant::now())) && has_heard
    }

    fn connect(&self, client: ClientNumber, mut environment: Environment, mut answer: Answer) {
        let Some(command) = &self.connect else { return answer.decide(Verdict::accept()) };
        let (Ok(config), Ok(deferred)) =
            (self.scratch.file("config", b""), self.scratch.file("deferred", b""))
        else {
            return answer
                .decide(refused("hook-not-started", "the files for client-connect could not be made"));
        };
        environment.set("client_connect_config_file", config.path().display());
        environment.set("client_connect_deferred_file", deferred.path().display());
        let arguments = [config.path().as_os_str().to_owned()];
        let conclusion = self.runner.run_deferrable(command, &arguments, &environment);
        let is_deferred = deferred.text().trim() == "2";
        match conclusion {
            Ok((Conclusion::Deferred, _)) => self.defer(client, config, deferred, answer),
            Ok((Conclusion::Success, _)) if is_deferred => {
                answer.wait(Pending { timeout: self.patience, prompt: None });
                self.defer(client, config, deferred, answer);
            }
            Ok((Conclusion::Success, _)) => answer.decide(accepted(&config)),
            Err(failure) => {
                report(&failure);
                answer.decide(refused(failure.code(), &failure.to_string()));
            }
        }
    }

    fn defer(&self, client: ClientNumber, config: ScratchFile, control: ScratchFile, answer: Answer) {
        let conclude = Box::new(move |is_yes| {
            if is_yes { accepted(&config) } else { refused("hook-refused", "client-connect said no") }
        });
        self.deferrals.wait(Deferral {
            client,
            key: CONNECT_KEY,
            control,
            pending: None,
            answer,
            conclude,
            deadline: Instant::now() + self.patience,
        });
    }

    /// Runs a program that only hears of something. Programs about one client run one after the other.
    fn notify(
        self: &Arc<Self>,
        command: Option<&HookCommand>,
        script_type: &'static str,
        facts: &ClientFacts,
        connection: &Connection,
        arguments: &[OsString],
        add: impl FnOnce(&mut Environment),
    ) {
        let Some(command) = command.cloned() else { return };
        let mut environment = self.environment(script_type, facts, connection);
        add(&mut environment);
        let (runner, arguments) = (self.runner, arguments.to_vec());
        let work = move |()| {
            if let Err(failure) = runner.run(&command, &arguments, &environment) {
                report(&failure);
            }
        };
        self.errands.submit(Lane::Client(facts.number.0), (), work, |()| {
            warn!(script_type, client = %facts.number, "too many programs wait to be run: one is left out");
        });
    }

    fn environment(&self, script_type: &str, facts: &ClientFacts, connection: &Connection) -> Environment {
        let mut environment = Environment::of_script(script_type);
        environment.extend(&self.server);
        environment.extend(&describe_connection(facts, connection));
        environment
    }
}

/// Decisions about places are told apart from those about logins by a key that no client has.
const CONNECT_KEY: u32 = u32::MAX;

/// An answer that puts what is known before what an acceptance says.
fn with_before(known: Acceptance, answer: Answer) -> Answer {
    let mut waiting = Some((known, answer));
    Answer::new(move |update| match update {
        LoginUpdate::Wait(pending) => {
            if let Some((_, answer)) = &mut waiting {
                answer.wait(pending);
            }
        }
        LoginUpdate::Decided(verdict) => {
            let Some((mut known, answer)) = waiting.take() else { return };
            answer.decide(match verdict {
                Verdict::Accept(acceptance) => {
                    known.extend(acceptance);
                    Verdict::Accept(known)
                }
                refusal @ (Verdict::Deny(_)
                | Verdict::DenyFor { .. }
                | Verdict::DenyToken(_)
                | Verdict::Challenge(_)) => refusal,
            });
        }
    })
}

fn accepted(config: &ScratchFile) -> Verdict {
    let directives = config.text().lines().map(ToOwned::to_owned).collect();
    Verdict::Accept(Acceptance { directives, ..Acceptance::default() })
}

fn refused(code: &'static str, detail: &str) -> Verdict {
    let public = "the server does not let this client connect".to_owned();
    Verdict::Deny(Denial { code, public, detail: detail.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Ipv4Addr;
    use std::path::PathBuf;
    use std::sync::mpsc::channel;

    use super::super::runner::tests::script;
    use super::*;
    use crate::auth::connect_handler::{ConnectHandlerSettings, HandlerTarget};
    use crate::control::connection::EndpointId;
    use crate::testing::connection::connection;
    use crate::testing::login::facts;

    const LONG: Duration = Duration::from_secs(60);

    struct World {
        hooks: Arc<ClientHooks>,
        directory: tempfile::TempDir,
    }

    impl World {
        /// All three programs are this script.
        fn new(text: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let command =
                script(directory.path(), "hook", &format!("cd {}\n{text}", directory.path().display()));
            let mut server = Environment::default();
            server.set("dev", "tun7");
            let hooks = Arc::new(ClientHooks {
                handler: None,
                connect: Some(command.clone()),
                disconnect: Some(command.clone()),
                learn_address: Some(command),
                server,
                runner: Runner::new(LONG),
                scratch: ScratchDirectory::open(directory.path()).unwrap(),
                deferrals: Arc::new(Deferrals::start().unwrap()),
                errands: Arc::new(Errands::start("test", 3).unwrap()),
                patience: LONG,
            });
            Self { hooks, directory }
        }

        /// The same, with a handler that answers this.
        fn with_handler(text: &str, answer: &str) -> Self {
            let mut world = Self::new(text);
            let handler = script(world.directory.path(), "handler", &format!("echo '{answer}'"));
            let settings = ConnectHandlerSettings {
                target: HandlerTarget::Program(handler.program),
                timeout: LONG,
                limit: 1,
                authorities: None,
            };
            let handler = ConnectHandler::start(&settings, EndpointId::from_random([1; 9])).unwrap();
            let hooks = Arc::get_mut(&mut world.hooks).unwrap();
            hooks.handler = Some(Arc::new(handler));
            world
        }

        /// The directives of the script, or why it refuses.
        fn introduce(&self) -> Result<Vec<String>, &'static str> {
            let (sender, updates) = channel();
            let answer = Answer::new(move |update| sender.send(update).unwrap());
            self.hooks.introduce(&Arc::new(facts(true)), &Arc::new(connection()), &[], answer);
            updates
                .iter()
                .find_map(|update| match update {
                    LoginUpdate::Decided(Verdict::Accept(acceptance)) => Some(Ok(acceptance.directives)),
                    LoginUpdate::Decided(Verdict::Deny(denial)) => Some(Err(denial.code)),
                    LoginUpdate::Wait(_) => None,
                    other => panic!("{other:?}"),
                })
                .unwrap()
        }

        fn wait_for(&self, name: &str, lines: usize) -> Vec<String> {
            let path: PathBuf = self.directory.path().join(name);
            let start = Instant::now();
            loop {
                let text = fs::read_to_string(&path).unwrap_or_default();
                if text.lines().count() >= lines {
                    return text.lines().map(ToOwned::to_owned).collect();
                }
                assert!(start.elapsed() < LONG, "{text}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    #[test]
    fn a_client_is_pushed_what_the_program_writes() {
        let world = World::new("echo \"push \\\"echo $common_name $ifconfig_pool_remote_ip $dev\\\"\" > $1");
        assert_eq!(world.introduce(), Ok(vec!["push \"echo client1 10.8.0.2 tun7\"".to_owned()]));
    }

    #[test]
    fn a_handler_is_asked_before_the_program_and_both_count() {
        let answer = "{\"allow\":true,\"error-msg-on-denied-connection\":\"\",\"posture-compliance-statuses\":[],\
                      \"schema-version\":\"v2\",\"dns\":[\"10.7.0.53\"]}";
        let world = World::with_handler("echo disable > $1", answer);
        let directives = ["push \"dhcp-option DNS 10.7.0.53\"", "disable"].map(ToOwned::to_owned);
        assert_eq!(world.introduce(), Ok(directives.to_vec()));
        let refusing = World::with_handler("touch asked", &answer.replace("true", "false"));
        assert_eq!(refusing.introduce(), Err("client-connect-failed"));
        assert!(!refusing.directory.path().join("asked").exists());
        assert_eq!(World::with_handler("exit 1", answer).introduce(), Err("hook-refused"));
    }

    #[test]
    fn a_program_that_fails_refuses_the_client() {
        assert_eq!(World::new("exit 1").introduce(), Err("hook-refused"));
    }

    #[test]
    fn a_program_decides_later_by_its_file_or_its_exit_code() {
        for (start, decision, expected) in [
            ("echo 2 > $client_connect_deferred_file", "1", Ok(vec!["disable".to_owned()])),
            ("echo 2 > $client_connect_deferred_file", "0", Err("hook-refused")),
        ] {
            let text = format!(
                "{start}; echo disable > $1; (sleep 0.3; echo {decision} > $client_connect_deferred_file) &"
            );
            assert_eq!(World::new(&text).introduce(), expected);
        }
        let text = "(sleep 0.3; echo 1 > $client_connect_deferred_file) & exit 2";
        assert_eq!(World::new(text).introduce(), Ok(vec![]));
    }

    #[test]
    fn what_happens_to_a_client_is_told_in_order_and_with_its_figures() {
        let world =
            World::new("echo \"$script_type $* $bytes_received/$bytes_sent $time_duration\" >> trace");
        let (facts, connection) = (facts(true), connection());
        world.hooks.connected(&facts, &connection);
        let usage = Usage { ingress_bytes: 84, egress_bytes: 168, ..Usage::default() };
        world.hooks.disconnected(&facts, &connection, Duration::from_secs(60), usage, "client-exit");
        let address = Ipv4Addr::new(10, 8, 0, 2);
        assert_eq!(
            world.wait_for("trace", 3),
            [
                format!("learn-address add {address} client1 / "),
                format!("learn-address delete {address} / "),
                "client-disconnect  84/168 60".to_owned(),
            ]
        );
    }

    #[test]
    fn programs_that_are_not_configured_do_nothing() {
        let mut world = World::new("touch ran");
        let hooks = Arc::get_mut(&mut world.hooks).unwrap();
        (hooks.connect, hooks.disconnect, hooks.learn_address) = (None, None, None);
        assert!(!world.hooks.introduces());
        world.hooks.connected(&facts(true), &connection());
        assert_eq!(world.introduce(), Ok(vec![]));
        assert!(!world.directory.path().join("ran").exists());
    }
}
