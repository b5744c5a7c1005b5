//! The daemon: a server that obeys signals.
//!
//! SIGTERM and SIGINT stop it, and clients are told; a second one ends it at once. SIGHUP reloads, and so does SIGUSR1,
//! which restarts a stock server. SIGUSR2 writes the status into the log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::confinement::confine;
use super::error::{ServeError, StartError};
use super::hardening::give_up_what_is_not_needed;
use super::managed::ManagedServer;
use super::reload::{ReloadReport, RereadError};
use super::server::{Ready, Server};
use super::state_directory::StateDirectory;
use super::systemd;
use crate::config::Config;
use crate::control::ClientDirectory;
use crate::management::{LogTap, Management, ServerState};
use crate::status::StatusVersion;

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Clients were told and everything was taken back.
    Graceful,
    /// A second signal cut that short; the next start takes over what is left.
    Forced,
}

/// What a daemon asks of its surroundings.
pub trait Hooks {
    /// The server is ready.
    fn ready(&mut self, ready: &Ready);
    /// Reads the configuration again, for a reload.
    fn reread(&mut self) -> Result<Config, RereadError>;
    /// A reload is over.
    fn reloaded(&mut self, report: &ReloadReport);
    /// Files and directories that are read again beside those that the configuration names.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
    /// Where the management interface can listen to the log.
    fn log_tap(&self) -> Arc<LogTap>;
    /// Where single clients are looked up, if not in the configuration.
    fn client_directory(&self) -> Option<Arc<dyn ClientDirectory>> {
        None
    }
}

/// Runs a server until a signal ends it.
///
/// # Errors
///
/// [`ServeError`] when the server does not start or stops working. What it changed on the host is undone.
pub fn serve(config: Config, hooks: &mut dyn Hooks) -> Result<Ending, ServeError> {
    give_up_what_is_not_needed();
    // A place has to be there to be named.
    StateDirectory::create(&config.state_directory).map_err(StartError::from)?;
    confine(&config, &hooks.files()).map_err(StartError::from)?;
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(StartError::system("an event loop"))?;
    let ending = runtime.block_on(run(config, hooks));
    runtime.shutdown_background();
    ending
}

async fn run(config: Config, hooks: &mut dyn Hooks) -> Result<Ending, ServeError> {
    let mut signals = Signals::listen()?;
    let managed = ManagedServer::new(hooks.log_tap()).map_err(StartError::system("an event counter"))?;
    let managed = Arc::new(managed);
    let management = open_management(&config, &managed, hooks)?;
    if !may_start(&config, &managed, &mut signals).await {
        return Ok(Ending::Graceful);
    }
    tell(management.as_ref(), ServerState::Connecting);
    let plugins = managed.plugins(config.management.as_ref());
    let mut server = Server::start_with(config, hooks.client_directory(), plugins)?;
    managed.attach(server.control().clone());
    if let Some(address) = server.ready().addresses.first() {
        tell(management.as_ref(), ServerState::Connected(*address));
    }
    let status = status(server.ready());
    hooks.ready(server.ready());
    systemd::ready(&status);
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::End => {
                    tell(management.as_ref(), ServerState::Exiting);
                    return Ok(stop(server, signals).await);
                }
                Wish::Reload => {
                    systemd::reloading();
                    let report = server.reload(hooks.reread());
                    hooks.reloaded(&report);
                    systemd::ready(&status);
                }
                Wish::Status => server.log_status(),
            },
            _ = ticks.tick() => {
                if !server.tick() {
                    return Err(ServeError::DataPlaneFailed);
                }
            }
        }
    }
}

fn open_management(
    config: &Config,
    managed: &Arc<ManagedServer>,
    hooks: &dyn Hooks,
) -> Result<Option<Management>, StartError> {
    let Some(settings) = &config.management else {
        return Ok(None);
    };
    let version = config.status.as_ref().map_or_else(StatusVersion::default, |status| status.version);
    let server = Arc::<ManagedServer>::clone(managed);
    Ok(Some(Management::start(settings, version, server, hooks.log_tap())?))
}

/// Waits where the management interface is to say when the server starts; `false` when a signal ends that.
async fn may_start(config: &Config, managed: &ManagedServer, signals: &mut Signals) -> bool {
    if !config.management.as_ref().is_some_and(|settings| settings.is_held) {
        return true;
    }
    info!("waiting for 'hold release' on the management interface");
    tokio::select! {
        () = managed.released() => true,
        () = signals.end() => false,
    }
}

fn tell(management: Option<&Management>, state: ServerState) {
    if let Some(management) = management {
        management.tell(state);
    }
}

/// Stops on another thread, so that a second signal is heard meanwhile.
async fn stop(server: Server, mut signals: Signals) -> Ending {
    systemd::stopping();
    let stopping = tokio::task::spawn_blocking(move || server.stop());
    tokio::select! {
        outcome = stopping => {
            if let Err(error) = outcome {
                warn!(%error, "stopping ended early");
            }
            Ending::Graceful
        }
        () = signals.end() => {
            info!("a second signal ends the server at once");
            Ending::Forced
        }
    }
}

fn status(ready: &Ready) -> String {
    format!("listening on {}, device {}", ready.listen_addresses(), ready.tun)
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    End,
    Reload,
    Status,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| signal(kind).map_err(StartError::system("signal handlers"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            user_1: listen(SignalKind::user_defined1())?,
            user_2: listen(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::end("SIGTERM"),
            _ = self.interrupt.recv() => Wish::end("SIGINT"),
            _ = self.hang_up.recv() => Wish::Reload,
            _ = self.user_1.recv() => Wish::Reload,
            _ = self.user_2.recv() => Wish::Status,
        }
    }

    async fn end(&mut self) {
        while self.next().await != Wish::End {}
    }
}

impl Wish {
    fn end(signal: &'static str) -> Self {
        info!(signal, "asked to end");
        Self::End
    }
}
