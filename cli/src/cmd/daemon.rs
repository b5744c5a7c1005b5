//! A running server as a command: what it tells its caller, and how it reads its configuration again.
//!
//! Standard output gets one line (or JSON object) for each event that a caller may wait for: ready, reloaded, stopped.
//! Standard error gets the log and errors.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tracing::warn;
use vpn_server::config::Config;
use vpn_server::control::ClientDirectory;
use vpn_server::management::LogTap;
use vpn_server::runtime::{Ending, Hooks, Ready, ReloadReport, RereadError, serve};
use vpn_server::transport::kernel::{UnknownFeature, Waived};

use super::detach;
use crate::env;
use crate::error::CliError;
use crate::output::{Answer, Output};

/// A server that runs until a signal ends it.
pub(super) struct Daemon<Reread> {
    output: Output,
    tap: Arc<LogTap>,
    reread: Reread,
    pid_file: Option<File>,
    keeps_stderr: bool,
    clients: Option<Arc<dyn ClientDirectory>>,
    files: Vec<PathBuf>,
}

impl<Reread: FnMut() -> Result<Config, RereadError>> Daemon<Reread> {
    /// `reread` reads the configuration once more, for a reload; `tap` is where its log can be listened to.
    pub(super) fn new(output: Output, tap: Arc<LogTap>, reread: Reread) -> Self {
        Self { output, tap, reread, pid_file: None, keeps_stderr: true, clients: None, files: Vec::new() }
    }

    /// Writes the process id into a file once the server is ready. It is opened before that: a server that becomes another
    /// user may not be able to any more.
    pub(super) fn with_pid_file(mut self, path: Option<PathBuf>) -> Self {
        self.pid_file = path.and_then(|path| {
            let opened = File::options().write(true).create(true).truncate(false).open(&path);
            opened
                .inspect_err(|error| warn!(path = %path.display(), %error, "the process id is not written"))
                .ok()
        });
        self
    }

    /// Looks single clients up in a directory instead of in the configuration.
    pub(super) fn with_clients(mut self, clients: Option<Arc<dyn ClientDirectory>>) -> Self {
        self.clients = clients;
        self
    }

    /// Says which files and directories `reread` needs, beside those that the configuration names.
    pub(super) fn with_files(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.files.extend(files);
        self
    }

    /// Lets go of standard error once the server is ready, if it is left in the background: its log is elsewhere.
    pub(super) fn without_stderr(mut self, is_unused: bool) -> Self {
        self.keeps_stderr = !is_unused;
        self
    }

    /// Runs the server to its end.
    pub(super) fn serve(mut self, mut config: Config) -> Result<Answer, CliError> {
        config.waived = waived()?;
        match serve(config, &mut self)? {
            Ending::Graceful => Ok(Answer {
                text: "stopped\n".to_owned(),
                value: json!({ "event": "stopped" }),
                warnings: Vec::new(),
            }),
            Ending::Forced => Err(CliError::EndedAtOnce),
        }
    }

    /// A reader that went away does not stop a server.
    fn tell(&self, text: &str, event: &str, mut value: Value) {
        if let Value::Object(fields) = &mut value {
            fields.insert("event".to_owned(), event.into());
        }
        if let Err(error) = self.output.event(text, &value) {
            warn!(%error, event, "nobody was told");
        }
    }

    fn write_pid(&self) {
        let Some(mut file) = self.pid_file.as_ref() else { return };
        let number = format!("{}\n", std::process::id());
        if let Err(error) = file.set_len(0).and_then(|()| file.write_all(number.as_bytes())) {
            warn!(%error, "the process id was not written");
        }
    }
}

impl<Reread: FnMut() -> Result<Config, RereadError>> Hooks for Daemon<Reread> {
    fn ready(&mut self, ready: &Ready) {
        self.write_pid();
        self.tell(&in_one_line(ready), "ready", json!(ready));
        if let Err(error) = detach::let_go(self.keeps_stderr) {
            warn!(%error, "the output of the caller is still held");
        }
    }

    fn reread(&mut self) -> Result<Config, RereadError> {
        (self.reread)()
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

    fn client_directory(&self) -> Option<Arc<dyn ClientDirectory>> {
        self.clients.clone()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }

    fn log_tap(&self) -> Arc<LogTap> {
        Arc::clone(&self.tap)
    }
}

fn waived() -> Result<Waived, CliError> {
    let text = std::env::var(env::POSTERN_WITHOUT).unwrap_or_default();
    text.parse().map_err(|error: UnknownFeature| {
        CliError::Usage(format!("{}: {error}; {}", env::POSTERN_WITHOUT, error.help()))
    })
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
