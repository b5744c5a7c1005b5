//! `postern serve`: flags and file into a configuration, then the daemon.

use serde_json::json;
use tracing::warn;
use vpn_server::config::{Config, ConfigError, Options};
use vpn_server::runtime::ServeError;

use super::Session;
use super::daemon::Daemon;
use super::logging::{self, LogPlan};
use crate::args::serve::ServeArgs;
use crate::error::CliError;
use crate::output::Answer;
use crate::passphrase::{PassphraseArgument, credential_file};

pub(super) fn run(session: &Session, arguments: &ServeArgs) -> Result<Answer, CliError> {
    let filter = arguments.log_level.as_str();
    let tap = logging::start(&LogPlan { filter, is_json: arguments.log_json, file: None })?;
    let source = Source { session, arguments, passphrase_file: passphrase_file(session)? };
    let config = source.read()?;
    if arguments.check {
        return check(session, &config);
    }
    Daemon::new(session.output, tap, || Ok(source.read()?)).with_files(arguments.config.clone()).serve(config)
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
        Some(PassphraseArgument::Credential(name)) => {
            credential_file(name).map(|path| Some(path.display().to_string()))
        }
        Some(
            PassphraseArgument::Literal(_)
            | PassphraseArgument::Environment(_)
            | PassphraseArgument::Descriptor(_)
            | PassphraseArgument::Stdin,
        ) => Err(CliError::Usage("serve takes the passphrase from a file: --askpass FILE".to_owned())),
    }
}
