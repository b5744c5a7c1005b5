//! What a session may reach: routes and authorization rules, compiled into an immutable table.
//!
//! Pure: no I/O, no clock, nothing but addresses. The control side compiles a [`Ruleset`] into a [`Policy`] whenever a
//! route or rule changes and publishes it whole; the data plane asks it once per packet. The order of evaluation is
//! fixed, and the first answer is final:
//!
//! ```text
//! inner source ── not the session's address ──────────────► deny source-not-assigned
//! destination  ── multicast, broadcast, loopback, … ──────► deny destination-unroutable
//! routes       ── no route, not in the tunnel network ────► deny no-route
//! rules        ── the longest prefix over all rules ──────► allow(rule)
//!                 none ───────────────────────────────────► deny no-rule
//!                 another client, by a rule about more ───► deny client-to-client
//! ```
//!
//! The tunnel network is routed without being listed, so a rule is what opens it. The server's own tunnel address is an
//! ordinary destination: any covering rule opens it. Other clients are not: only a rule whose prefix lies within the
//! tunnel network is about them, so that `0.0.0.0/0` for the Internet does not let clients reach each other.

mod compile;
mod decide;
mod destination;

pub use compile::{AuthorizationRule, Policy, RuleId, Ruleset, TunnelNetwork};
pub use decide::{DenyReason, Principal, Verdict};
