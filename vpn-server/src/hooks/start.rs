//! All programs of a configuration, ready to be asked.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::deferred::Deferrals;
use super::server::describe_server;
use super::{ClientHooks, Runner, ScratchDirectory, VerifyCertificate, VerifyKeyMetadata, VerifyUser};
use crate::auth::connect_handler::ConnectHandler;
use crate::auth::login::Decider;
use crate::config::{Config, HookSettings};
use crate::errands::Errands;

/// Threads for programs: they mostly wait.
const THREADS: usize = 8;

/// What a server does with its programs.
pub struct HookParts {
    /// Checks that everybody has to pass.
    pub checks: Vec<Arc<dyn Decider>>,
    /// Deciders about user names and passwords.
    pub deciders: Vec<Arc<dyn Decider>>,
    /// Programs about clients that have a place.
    pub clients: Option<Arc<ClientHooks>>,
    /// Whether programs are to be told about certificates.
    pub describes_certificates: bool,
}

/// Prepares the programs of `config` and `handler`; their files are made below `state_directory`, and `mtu` is that of the tunnel.
/// Nothing is prepared where no program is configured.
///
/// # Errors
///
/// [`io::Error`] when threads or the directory for files cannot be made.
pub fn start(
    config: &Config,
    handler: Option<ConnectHandler>,
    state_directory: &Path,
    mtu: u16,
) -> io::Result<HookParts> {
    let hooks = &config.hooks;
    if !hooks.concern_clients() && handler.is_none() {
        let (checks, deciders) = (Vec::new(), Vec::new());
        return Ok(HookParts { checks, deciders, clients: None, describes_certificates: false });
    }
    let errands = Arc::new(Errands::start("hook", THREADS)?);
    let scratch = ScratchDirectory::open(state_directory)?;
    let deferrals = Arc::new(Deferrals::start()?);
    let runner = Runner::new(hooks.timeout);
    let mut checks: Vec<Arc<dyn Decider>> = Vec::new();
    if let Some(command) = hooks.tls_crypt_v2_verify.clone() {
        let errands = Arc::clone(&errands);
        checks.push(Arc::new(VerifyKeyMetadata::new(command, runner, scratch.clone(), errands)));
    }
    if let Some(command) = hooks.tls_verify.clone() {
        checks.push(Arc::new(VerifyCertificate::new(command, runner, Arc::clone(&errands))));
    }
    let verify = hooks.auth_user_pass_verify.clone().map(|command| -> Arc<dyn Decider> {
        Arc::new(VerifyUser::new(
            command,
            hooks.client_crresponse.clone(),
            runner,
            scratch.clone(),
            Arc::clone(&deferrals),
            config.login.timeout,
            Arc::clone(&errands),
        ))
    });
    let clients = (hooks.follow_clients() || handler.is_some()).then(|| {
        Arc::new(ClientHooks {
            handler: handler.map(Arc::new),
            connect: hooks.client_connect.clone(),
            disconnect: hooks.client_disconnect.clone(),
            learn_address: hooks.learn_address.clone(),
            server: describe_server(config, mtu),
            runner,
            scratch,
            deferrals,
            errands,
            patience: config.login.timeout,
        })
    });
    let describes_certificates = hooks.concern_clients();
    Ok(HookParts { checks, deciders: verify.into_iter().collect(), clients, describes_certificates })
}

impl HookSettings {
    /// Whether any program is about clients.
    fn concern_clients(&self) -> bool {
        let checks = [&self.tls_verify, &self.tls_crypt_v2_verify];
        self.auth_user_pass_verify.is_some()
            || checks.into_iter().any(Option::is_some)
            || self.follow_clients()
    }

    fn follow_clients(&self) -> bool {
        [&self.client_connect, &self.client_disconnect, &self.learn_address].into_iter().any(Option::is_some)
    }
}
