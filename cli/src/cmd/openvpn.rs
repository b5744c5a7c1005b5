//! `postern openvpn`: a stock configuration, run as it is.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{debug, info, warn};
use vpn_server::config::Config;
use vpn_server::control::ClientDirectory;
use vpn_server::runtime::RereadError;
use vpn_server::stock::{
    self, ClientConfigDirectory, Directive, Fate, InlineFile, Report, StockError, Surroundings, Translation,
};

use super::Session;
use super::daemon::Daemon;
use super::detach::{self, Role};
use super::logging::{self, LogPlan};
use crate::args::openvpn::OpenVpnArgs;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &OpenVpnArgs) -> Result<Answer, CliError> {
    let source = Source::new(&arguments.words)?;
    let (translation, files) = (source.translate()?, source.files()?);
    if translation.process.is_daemon
        && let Role::Parent = detach::role()
    {
        return detach::leave_in_background(session.output);
    }
    let filter = logging::level(translation.process.verbosity.unwrap_or(DEFAULT_VERBOSITY));
    let tap = logging::start(&LogPlan { filter, is_json: false, file: translation.process.log.as_ref() })?;
    tell(&translation.report);
    let pid_file = translation.process.pid_file.clone();
    let has_log_file = translation.process.log.is_some();
    let client_directory = translation.client_directory.clone();
    let client_files = client_directory.clone();
    let config = take_up(translation)?;
    let clients = client_directory.map(|directory| {
        Arc::new(ClientConfigDirectory::new(directory, config.inside.clone())) as Arc<dyn ClientDirectory>
    });
    Daemon::new(session.output, tap, || take_up(source.translate()?))
        .with_files(files.into_iter().chain(client_files))
        .with_pid_file(pid_file)
        .with_clients(clients)
        .without_stderr(has_log_file)
        .serve(config)
}

/// OpenVPN's own default, at which it logs little more than errors, would hide who connects.
const DEFAULT_VERBOSITY: u8 = 3;

/// Where the configuration comes from, at the start and at each reload.
struct Source {
    command_line: Vec<Directive>,
    surroundings: Surroundings,
}

impl Source {
    /// The name of the device is chosen once, so that a reload finds it again.
    fn new(words: &[String]) -> Result<Self, CliError> {
        let command_line = stock::parse_command_line(words).map_err(StockError::from)?;
        let directory = std::env::current_dir().map_err(|cause| CliError::File {
            operation: "find",
            path: PathBuf::from("."),
            cause,
        })?;
        let surroundings =
            Surroundings { directory, free_device: stock::free_device(), inline_directory: None };
        Ok(Self { command_line, surroundings })
    }

    fn translate(&self) -> Result<Translation, StockError> {
        stock::translate(&self.directives()?, &self.surroundings)
    }

    /// The files that a translation reads.
    fn files(&self) -> Result<Vec<PathBuf>, StockError> {
        Ok(stock::files(&self.directives()?, &self.surroundings.directory))
    }

    fn directives(&self) -> Result<Vec<Directive>, StockError> {
        stock::load(self.command_line.clone(), &self.surroundings.directory)
    }
}

/// Checks the options and writes what they need.
fn take_up(translation: Translation) -> Result<Config, RereadError> {
    let config = Config::check(translation.options)?;
    for InlineFile { path, text } in &translation.inline_files {
        write_private(path, text.as_str())
            .map_err(|source| RereadError::InlineFile { path: path.clone(), source })?;
    }
    Ok(config)
}

/// Written aside and renamed, in a directory that only its owner may enter. A file that says so already is left alone: at
/// a reload the server may be another user, who can only read it.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let draft = path.with_extension("new");
    fs::write(&draft, "")?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
    fs::write(&draft, text)?;
    fs::rename(&draft, path)
}

fn tell(report: &Report) {
    for finding in report.findings() {
        let (directive, place) = (finding.directive.escape_debug(), &finding.place);
        match &finding.fate {
            Fate::Done => debug!(%place, "{directive}: done"),
            Fate::Ignored(reason) => info!(%place, "{directive}: ignored: {reason}"),
            Fate::Adapted(reason) => info!(%place, "{directive}: adapted: {reason}"),
            Fate::Refused(problem) => warn!(%place, "{directive}: refused: {problem}"),
        }
    }
}
