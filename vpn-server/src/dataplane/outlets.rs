//! The ways out of the data plane: UDP sockets by listener, TCP connections by path.

use std::sync::Arc;

use vpn_proto::{ListenerId, Path};

use crate::transport::tcp::{Connection, Roster};

/// All ways out; copies share them.
pub(super) struct Outlets<S> {
    sockets: Arc<[(ListenerId, S)]>,
    roster: Arc<Roster>,
}

/// The way out for one path.
pub(super) enum Outlet<'o, S> {
    Socket(&'o S),
    Connection(Arc<Connection>),
}

impl<S> Outlets<S> {
    pub(super) fn new(sockets: impl Into<Arc<[(ListenerId, S)]>>, roster: Arc<Roster>) -> Self {
        Self { sockets: sockets.into(), roster }
    }

    pub(super) fn sockets(&self) -> &[(ListenerId, S)] {
        &self.sockets
    }

    pub(super) fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// The way out for `path`: its listener's socket or its connection. `None` if there is neither.
    pub(super) fn toward(&self, path: &Path) -> Option<Outlet<'_, S>> {
        let socket = self.sockets.iter().find(|(id, _)| *id == path.listener);
        match socket {
            Some((_, socket)) => Some(Outlet::Socket(socket)),
            None => self.roster.find(path).map(Outlet::Connection),
        }
    }
}

impl<S> Clone for Outlets<S> {
    fn clone(&self) -> Self {
        Self { sockets: Arc::clone(&self.sockets), roster: Arc::clone(&self.roster) }
    }
}
