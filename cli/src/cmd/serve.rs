//! `postern serve`: flags and file into a configuration, then the daemon.
//!
//! Standard output gets one line (or JSON object) for each event that a caller may wait for: ready, reloaded, stopped.
//! Standard error gets the log and errors.

use std::io::{self, IsTerminal};

use serde_json::{Value, json};
use tracing::warn;
use tracing_subscriber::EnvFilter;
use vpn_server::config::{Config, ConfigError, Options};
use vpn_server::runtime::{Ending, Hooks, Ready, ReloadReport, ServeError, serve};

use super::Session;
use crate::args::serve::ServeArgs;
use crate::error::CliError;
use crate::output::Answer;
use crate::passphrase::PassphraseArgument;

pub(super) fn run(session: &Session, arguments: &ServeArgs) -> Result<Answer, CliError> {
    start_logging(arguments)?;
    let source = Source { session, arguments, passphrase_file: passphrase_file(session)? };
    let config = source.read()?;
    if arguments.check {
        return check(session, &config);
    }
    match serve(config, &mut Daemon(source))? {
        Ending::Graceful => Ok(Answer {
            text: "stopped\n".to_owned(),
            value: json!({ "event": "stopped" }),
            warnings: Vec::new(),
        }),
        Ending::Forced => Err(CliError::EndedAtOnce),
    }
}

/// Everything that can be checked without privileges and without changing anything.
fn check(session: &Session, config: &Config) -> Result<Answer, CliError> {
    vpn_server::runtime::check(config, session.now).map_err(ServeError::from)?;
    for advice in config.advice() {
        warn!(code = advice.code, "{}", advice.message);
    }
    Ok(Answer {
        text: config.to_toml(),
        value: json!({ "event": "checked", "config": Options::from(config) }),
        warnings: Vec::new(),
    })
}

/// Where the configuration comes from, at the start and at each reload.
struct Source<'a> {
    session: &'a Session,
    arguments: &'a ServeArgs,
    passphrase_file: Option<String>,
}

impl Source<'_> {
    fn read(&self) -> Result<Config, ConfigError> {
        let file = self.arguments.config.as_deref().map(Options::load).transpose()?.unwrap_or_default();
        let mut options = self.arguments.options().or(file);
        if options.server_name.is_some() && options.pki.is_none() {
            options.pki = Some(self.session.directory());
        }
        if options.askpass.is_none() {
            options.askpass = self.passphrase_file.as_ref().map(Into::into);
        }
        Config::check(options)
    }
}

/// A server reads its key again at each reload, so its passphrase has to be in a file.
fn passphrase_file(session: &Session) -> Result<Option<String>, CliError> {
    match session.passin() {
        None => Ok(None),
        Some(PassphraseArgument::File(path)) => Ok(Some(path.clone())),
        Some(
            PassphraseArgument::Literal(_)
            | PassphraseArgument::Environment(_)
            | PassphraseArgument::Descriptor(_)
            | PassphraseArgument::Stdin,
        ) => Err(CliError::Usage("serve takes the passphrase from a file: --askpass FILE".to_owned())),
    }
}

struct Daemon<'a>(Source<'a>);

impl Hooks for Daemon<'_> {
    fn ready(&mut self, ready: &Ready) {
        self.tell(&in_one_line(ready), "ready", json!(ready));
    }

    fn reread(&mut self) -> Result<Config, ConfigError> {
        self.0.read()
    }

    fn reloaded(&mut self, report: &ReloadReport) {
        let failed = report.failed.iter().map(|(part, reason)| json!({ "part": part, "reason": reason }));
        let value = json!({
            "live_settings_changed": report.live_settings_changed,
            "needs_restart": report.needs_restart,
            "failed": failed.collect::<Vec<_>>(),
        });
        let text = match report.failed.len() {
            0 => "reloaded".to_owned(),
            failed => format!("reloaded, except for {failed} parts; see the log"),
        };
        self.tell(&text, "reloaded", value);
    }
}

impl Daemon<'_> {
    /// A reader that went away does not stop a server.
    fn tell(&self, text: &str, event: &str, mut value: Value) {
        if let Value::Object(fields) = &mut value {
            fields.insert("event".to_owned(), event.into());
        }
        if let Err(error) = self.0.session.output.event(text, &value) {
            warn!(%error, event, "nobody was told");
        }
    }
}

fn in_one_line(ready: &Ready) -> String {
    let routes = match ready.routes.as_slice() {
        [] => "none".to_owned(),
        routes => routes.join(", "),
    };
    let own = ready.addresses.iter().zip(&ready.client_cidrs);
    let own: Vec<String> = own.map(|(address, cidr)| format!("{address} of {cidr}")).collect();
    format!(
        "ready: listening on {}, device {} with {}, routes: {routes}",
        ready.listen_addresses(),
        ready.tun,
        own.join(" and "),
    )
}

fn start_logging(arguments: &ServeArgs) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(&arguments.log_level)
        .map_err(|error| CliError::Usage(format!("--log-level {}: {error}", arguments.log_level)))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    let outcome = if arguments.log_json { builder.json().try_init() } else { builder.try_init() };
    outcome.map_err(|error| CliError::Usage(format!("logging: {error}")))
}
