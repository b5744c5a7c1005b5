//! What the control plane counted since its start.

use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::Usage;

/// Counters that shards write and anybody reads.
#[derive(Debug, Default)]
pub(super) struct ControlCounters {
    established: AtomicU64,
    refused: AtomicU64,
    closed: AtomicU64,
    revoked: AtomicU64,
    unavailable: AtomicU64,
    datagrams_dropped: AtomicU64,
    send_failures: AtomicU64,
    floats_refused: AtomicU64,
    panics: AtomicU64,
    ingress_bytes: AtomicU64,
    egress_bytes: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlTotals {
    /// Connections that were let in.
    pub established: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Connections that ended.
    pub closed: u64,
    /// Connections that ended because a certificate was revoked; counted in `closed` too.
    pub revoked: u64,
    /// Attempts that were refused because the endpoint takes no clients; counted in `refused` too.
    pub unavailable: u64,
    /// Control datagrams dropped because a mailbox was full.
    pub datagrams_dropped: u64,
    /// Datagrams that could not be sent.
    pub send_failures: u64,
    /// Clients that had moved to where another client's session is.
    pub floats_refused: u64,
    /// Panics that were contained.
    pub panics: u64,
    /// Bytes from clients whose connections ended.
    pub ingress_bytes: u64,
    /// Bytes to clients whose connections ended.
    pub egress_bytes: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    Established,
    Refused,
    Closed,
    Revoked,
    Unavailable,
    DatagramDropped,
    SendFailure,
    FloatRefused,
    Panic,
}

impl ControlCounters {
    pub(super) fn count(&self, what: Counted) {
        self.counter(what).fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what a connection moved that has ended.
    pub(super) fn moved(&self, usage: Usage) {
        self.ingress_bytes.fetch_add(usage.ingress_bytes, Ordering::Relaxed);
        self.egress_bytes.fetch_add(usage.egress_bytes, Ordering::Relaxed);
    }

    pub(super) fn totals(&self) -> ControlTotals {
        let total = |what| self.counter(what).load(Ordering::Relaxed);
        ControlTotals {
            established: total(Counted::Established),
            refused: total(Counted::Refused),
            closed: total(Counted::Closed),
            revoked: total(Counted::Revoked),
            unavailable: total(Counted::Unavailable),
            datagrams_dropped: total(Counted::DatagramDropped),
            send_failures: total(Counted::SendFailure),
            floats_refused: total(Counted::FloatRefused),
            panics: total(Counted::Panic),
            ingress_bytes: self.ingress_bytes.load(Ordering::Relaxed),
            egress_bytes: self.egress_bytes.load(Ordering::Relaxed),
        }
    }

    const fn counter(&self, what: Counted) -> &AtomicU64 {
        match what {
            Counted::Established => &self.established,
            Counted::Refused => &self.refused,
            Counted::Closed => &self.closed,
            Counted::Revoked => &self.revoked,
            Counted::Unavailable => &self.unavailable,
            Counted::DatagramDropped => &self.datagrams_dropped,
            Counted::SendFailure => &self.send_failures,
            Counted::FloatRefused => &self.floats_refused,
            Counted::Panic => &self.panics,
        }
    }
}
