//! `postern serve`: flags and file into a configuration, then the daemon.
//!
//! Standard output gets one line (or JSON object) per event that a caller may wait for: ready, reloaded. Standard error
//! gets the log and errors.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use pki_core::error::{ErrorKind, Explain};
use pki_core::time::Timestamp;
use serde_json::{Value, json};
use tracing::warn;
use tracing_subscriber::EnvFilter;
use vpn_server::auth::Credentials;
use vpn_server::config::{Config, ConfigError, Options};
use vpn_server::runtime::{Ending, Hooks, Ready, ReloadReport, StartError, serve};

use crate::args::serve::ServeArgs;

/// Exit code of a run that failed.
const FAILURE: u8 = 1;
/// Exit code of a request that was wrong.
const USAGE: u8 = 2;

/// Runs the command; answers with the exit code of the process.
pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    let outcome = match start_logging(args) {
        Ok(()) if args.check => check(args),
        Ok(()) => run_daemon(args),
        Err(problem) => {
            print_error(
                args.json,
                "log-level-invalid",
                &problem,
                "use error, warn, info, debug or trace",
            );
            Err(USAGE)
        }
    };
    outcome.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

fn run_daemon(args: &ServeArgs) -> Result<(), u8> {
    let config = read_config(args).map_err(|error| explain(args.json, &error))?;
    match serve(config, &mut CommandLine(args)) {
        Ok(Ending::Graceful) => Ok(()),
        Ok(Ending::Forced) => Err(FAILURE),
        Err(error) => Err(explain(args.json, &error)),
    }
}

/// Everything that can be checked without privileges and without changing anything.
fn check(args: &ServeArgs) -> Result<(), u8> {
    let config = read_config(args).map_err(|error| explain(args.json, &error))?;
    let now = Timestamp::from(SystemTime::now());
    let passphrase_file = config.passphrase_file.as_deref();
    Credentials::load(
        &config.credentials,
        passphrase_file,
        config.sessions.minimum_tls_version,
        now,
    )
    .map_err(|error| explain(args.json, &StartError::from(error)))?;
    for advice in config.advice() {
        warn!(code = advice.code, "{}", advice.message);
    }
    if args.json {
        print(&json!({ "event": "checked", "config": Options::from(&config) }).to_string());
    } else {
        print(config.to_toml().trim_end());
    }
    Ok(())
}

fn read_config(args: &ServeArgs) -> Result<Config, ConfigError> {
    let file = args
        .config
        .as_deref()
        .map(Options::load)
        .transpose()?
        .unwrap_or_default();
    Config::check(args.options().or(file))
}

struct CommandLine<'a>(&'a ServeArgs);

impl Hooks for CommandLine<'_> {
    fn ready(&mut self, ready: &Ready) {
        if self.0.json {
            print(&with_event("ready", json!(ready)).to_string());
        } else {
            print(&in_one_line(ready));
        }
    }

    fn reread(&mut self) -> Result<Config, ConfigError> {
        read_config(self.0)
    }

    fn reloaded(&mut self, report: &ReloadReport) {
        if self.0.json {
            let failed: Vec<Value> = report
                .failed
                .iter()
                .map(|(part, reason)| json!({ "part": part, "reason": reason }))
                .collect();
            let event = json!({
                "event": "reloaded",
                "live_settings_changed": report.live_settings_changed,
                "needs_restart": report.needs_restart,
                "failed": failed,
            });
            print(&event.to_string());
        }
    }
}

fn in_one_line(ready: &Ready) -> String {
    let listen: Vec<String> = ready
        .listen
        .iter()
        .map(|address| format!("udp:{address}"))
        .collect();
    let routes = if ready.routes.is_empty() {
        "none".to_owned()
    } else {
        ready.routes.join(", ")
    };
    format!(
        "ready: listening on {}, device {} with {} of {}, routes: {routes}",
        listen.join(", "),
        ready.tun,
        ready.address,
        ready.client_cidr,
    )
}

fn with_event(event: &str, mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.insert("event".to_owned(), event.into());
    }
    object
}

/// Reports an error; answers with the exit code.
fn explain(as_json: bool, error: &dyn Explain) -> u8 {
    print_error(as_json, error.code(), &error.to_string(), &error.help());
    match error.kind() {
        ErrorKind::User => USAGE,
        ErrorKind::Environment | ErrorKind::Denied | ErrorKind::Bug => FAILURE,
    }
}

fn print_error(as_json: bool, code: &str, message: &str, help: &str) {
    let text = if as_json {
        json!({ "event": "error", "code": code, "message": message, "help": help }).to_string()
    } else {
        format!("postern serve: {message}\n  {help}")
    };
    if as_json {
        print(&text);
    } else {
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// A reader that went away does not stop a server.
fn print(line: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        warn!(%error, "cannot write to standard output");
    }
}

fn start_logging(args: &ServeArgs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log_level).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    if args.log_json {
        builder.json().try_init().map_err(|error| error.to_string())
    } else {
        builder.try_init().map_err(|error| error.to_string())
    }
}
