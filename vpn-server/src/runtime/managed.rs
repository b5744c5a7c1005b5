//! The running server as the management interface sees it.
//!
//! The interface is open before the server starts, so that it can be told to wait; until then there are no clients.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::Notify;
use tracing::warn;
use vpn_proto::Farewell;

use crate::auth::login::{ClientNumber, Decider, LoginPlugins};
use crate::control::connection::Usage;
use crate::control::{ConnectionSnapshot, ControlHandle};
use crate::management::{LoadStatistics, LogTap, Managed, ManagementSettings, ProcessSignal, Reception};
use crate::status::StatusReport;

/// A server that starts, runs, or has ended.
pub(super) struct ManagedServer {
    control: OnceLock<ControlHandle>,
    tap: Arc<LogTap>,
    release: Notify,
    reception: Arc<Reception>,
}

impl ManagedServer {
    pub(super) fn new(tap: Arc<LogTap>) -> io::Result<Self> {
        let reception = Arc::new(Reception::open()?);
        Ok(Self { control: OnceLock::new(), tap, release: Notify::new(), reception })
    }

    /// The part that the management interface has in the life of clients.
    pub(super) fn plugins(&self, settings: Option<&ManagementSettings>) -> LoginPlugins {
        let Some(settings) = settings else { return LoginPlugins::default() };
        let decider = Arc::<Reception>::clone(&self.reception) as Arc<dyn Decider>;
        LoginPlugins {
            deciders: settings.decides_logins.then_some(decider).into_iter().collect(),
            witness: Some(Arc::<Reception>::clone(&self.reception)),
            ..LoginPlugins::default()
        }
    }

    /// Clients can be asked for from now on.
    pub(super) fn attach(&self, control: ControlHandle) {
        // There is one server in the life of a daemon.
        let _ = self.control.set(control);
    }

    /// Waits until a management client lets the server start.
    pub(super) async fn released(&self) {
        self.release.notified().await;
    }
}

impl Managed for ManagedServer {
    fn status(&self) -> StatusReport {
        let connections = self.control.get().map(ControlHandle::connections).unwrap_or_default();
        StatusReport::new(SystemTime::now().into(), &connections)
    }

    fn load(&self) -> LoadStatistics {
        let Some(control) = self.control.get() else {
            return LoadStatistics::default();
        };
        let (connections, ended) = (control.connections(), control.totals());
        LoadStatistics {
            clients: connections.len(),
            received: ended.ingress_bytes + sum(&connections, |usage| usage.ingress_bytes),
            sent: ended.egress_bytes + sum(&connections, |usage| usage.egress_bytes),
        }
    }

    fn close(&self, client_id: u64, farewell: Farewell) -> bool {
        self.control
            .get()
            .is_some_and(|control| control.close(ClientNumber(client_id), farewell, "ended-by-management"))
    }

    fn signal(&self, signal: ProcessSignal) {
        let signal = match signal {
            ProcessSignal::HangUp => Signal::HUP,
            ProcessSignal::Terminate => Signal::TERM,
            ProcessSignal::User1 => Signal::USR1,
            ProcessSignal::User2 => Signal::USR2,
        };
        if let Err(error) = kill_process(getpid(), signal) {
            warn!(%error, ?signal, "this process cannot be signalled");
        }
    }

    fn set_verbosity(&self, verbosity: u8) {
        self.tap.set_verbosity(verbosity);
    }

    fn release_hold(&self) {
        self.release.notify_one();
    }

    fn reception(&self) -> &Reception {
        &self.reception
    }
}

fn sum(connections: &[ConnectionSnapshot], bytes: impl Fn(Usage) -> u64) -> u64 {
    connections.iter().map(|snapshot| bytes(snapshot.usage)).sum()
}
