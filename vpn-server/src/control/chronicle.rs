//! Tells operators what happens to clients: in the human log, in the connection log, and in counters.
//!
//! Addresses of clients stand in the connection log and, in the human log, at debug level only. Text of peers is escaped.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pki_core::text::Printable;
use pki_core::time::Timestamp;
use tracing::{debug, info, warn};
use vpn_proto::{Denial, Path, PeerIdentity};

use super::admission::certificate_facts;
use super::connection::{Connection, DeviceFacts, Usage};
use super::counters::{ControlCounters, Counted};
use crate::observe::connection_log::{ConnectionLog, FailedAttempt};

/// Where the life of connections is told.
pub(super) struct Chronicle {
    log: Arc<ConnectionLog>,
    pub(super) counters: ControlCounters,
}

impl Chronicle {
    pub(super) fn new(log: Arc<ConnectionLog>) -> Self {
        Self { log, counters: ControlCounters::default() }
    }

    pub(super) fn connected(&self, connection: &Connection) {
        self.counters.count(Counted::Established);
        self.log.established(connection);
        info!(
            client = name_of(connection),
            cert.serial = %connection.client.serial,
            address = %connection.address,
            address_v6 = connection.address_v6.map(tracing::field::display),
            connection.id = %connection.id,
            cipher = connection.negotiated.data_cipher,
            tls = connection.negotiated.tls_version,
            "client connected"
        );
        debug!(connection.id = %connection.id, remote = %connection.remote, "remote address");
    }

    pub(super) fn usage(&self, connection: &Connection, duration: Duration, usage: Usage) {
        self.log.updated(connection, wall_clock(), duration, usage);
    }

    pub(super) fn disconnected(
        &self,
        connection: &Connection,
        duration: Duration,
        usage: Usage,
        reason: &str,
    ) {
        self.counters.count(Counted::Closed);
        self.counters.moved(usage);
        self.log.closed(connection, wall_clock(), duration, usage, reason);
        info!(
            client = name_of(connection),
            connection.id = %connection.id,
            reason,
            duration_s = duration.as_secs(),
            ingress_bytes = usage.ingress_bytes,
            egress_bytes = usage.egress_bytes,
            "client disconnected"
        );
    }

    /// A client was let in and left before its tunnel was up.
    pub(super) fn abandoned(&self, connection: &Connection, reason: &str) {
        debug!(connection.id = %connection.id, reason, "a session ended before it was established");
    }

    pub(super) fn refused(
        &self,
        path: Path,
        identity: Option<&PeerIdentity>,
        device: DeviceFacts,
        denial: &Denial,
    ) {
        self.counters.count(Counted::Refused);
        let attempt = FailedAttempt {
            remote: path.remote,
            client: identity.map(certificate_facts),
            device,
            code: denial.code,
            detail: denial.detail.clone(),
        };
        if !self.log.failed(&attempt, wall_clock()) {
            return;
        }
        let client = attempt.client.as_ref();
        info!(
            client = Printable(client.map_or("unknown", |client| &client.common_name)).to_string(),
            cert.serial = %client.map_or("unknown", |client| &client.serial),
            reason = denial.code,
            detail = Printable(&denial.detail).to_string(),
            "client refused"
        );
        debug!(remote = %path.remote, reason = denial.code, "remote address");
    }

    pub(super) fn renegotiation_refused(&self, connection: &Connection, denial: &Denial) {
        warn!(
            client = name_of(connection),
            connection.id = %connection.id,
            reason = denial.code,
            detail = Printable(&denial.detail).to_string(),
            "a renegotiation was refused"
        );
    }
}

fn name_of(connection: &Connection) -> String {
    Printable(&connection.client.common_name).to_string()
}

/// The present as calendars have it.
pub(super) fn wall_clock() -> Timestamp {
    SystemTime::now().into()
}
