//! The daemon: a server that obeys signals.
//!
//! SIGTERM and SIGINT stop it, and clients are told; a second one ends it at once. SIGHUP reloads.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::error::{ServeError, StartError};
use super::hardening::give_up_what_is_not_needed;
use super::reload::ReloadReport;
use super::server::{Ready, Server};
use super::systemd;
use crate::config::{Config, ConfigError};
use crate::control::ClientDirectory;

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
    fn reread(&mut self) -> Result<Config, ConfigError>;
    /// A reload is over.
    fn reloaded(&mut self, report: &ReloadReport);
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
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(StartError::system("an event loop"))?;
    let ending = runtime.block_on(run(config, hooks));
    runtime.shutdown_background();
    ending
}

async fn run(config: Config, hooks: &mut dyn Hooks) -> Result<Ending, ServeError> {
    let mut signals = Signals::listen()?;
    let mut server = Server::start_with_directory(config, hooks.client_directory())?;
    let status = status(server.ready());
    hooks.ready(server.ready());
    systemd::ready(&status);
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::End => return Ok(stop(server, signals).await),
                Wish::Reload => {
                    systemd::reloading();
                    let report = server.reload(hooks.reread());
                    hooks.reloaded(&report);
                    systemd::ready(&status);
                }
            },
            _ = ticks.tick() => {
                if !server.tick() {
                    return Err(ServeError::DataPlaneFailed);
                }
            }
        }
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
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| signal(kind).map_err(StartError::system("signal handlers"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::end("SIGTERM"),
            _ = self.interrupt.recv() => Wish::end("SIGINT"),
            _ = self.hang_up.recv() => Wish::Reload,
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
