//! What the management interface may ask of a server.

use vpn_proto::Farewell;

use super::reception::Reception;
use crate::status::StatusReport;

/// A server under management.
pub(crate) trait Managed {
    /// The present moment of the server.
    fn status(&self) -> StatusReport;
    /// What was moved since its start.
    fn load(&self) -> LoadStatistics;
    /// Ends the session of a client; `false` if there is no such client.
    fn close(&self, client_id: u64, farewell: Farewell) -> bool;
    /// Does what a signal to the process does.
    fn signal(&self, signal: ProcessSignal);
    /// Logs as much as OpenVPN would at this verbosity.
    fn set_verbosity(&self, verbosity: u8);
    /// Lets a server that waits start.
    fn release_hold(&self);
    /// Where clients wait for a decision, and what happened to them.
    fn reception(&self) -> &Reception;
}

/// The answer to `load-stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadStatistics {
    /// Connected clients.
    pub(crate) clients: usize,
    /// Bytes from clients, also from those that left.
    pub(crate) received: u64,
    /// Bytes to clients.
    pub(crate) sent: u64,
}

/// The signals that can be sent through the management interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessSignal {
    HangUp,
    Terminate,
    User1,
    User2,
}

impl ProcessSignal {
    /// Reads the name as it is written on the management interface.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "SIGHUP" => Some(Self::HangUp),
            "SIGTERM" => Some(Self::Terminate),
            "SIGUSR1" => Some(Self::User1),
            "SIGUSR2" => Some(Self::User2),
            _ => None,
        }
    }
}
