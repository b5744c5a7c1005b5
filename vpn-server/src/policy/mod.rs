//! What a session may reach: routes and authorization rules, compiled into an immutable table.
//!
//! Pure: no I/O, no clock, nothing but addresses. The control side compiles a [`Ruleset`] into a [`Policy`] whenever a
//! route or rule changes and publishes it whole; the data plane asks it once per packet. The order of evaluation is
//! fixed, and the first answer is final:
//!
//! ```text
//! inner source ── not the session's, nor behind it ───────► deny source-not-assigned
//! destination  ── multicast, broadcast, loopback, … ──────► deny destination-unroutable
//! routes       ── no route, not inside the tunnel ────────► deny no-route
//! rules        ── none covers the destination ────────────► deny no-rule
//!                 another client, by a rule about more ───► deny client-to-client
//!                 those of the longest prefix among all:
//!                   one is for the session and service ───► allow(rule)
//!                   none is ──────────────────────────────► deny not-authorized
//! ```
//!
//! Rules with shorter prefixes are not asked then, unless a policy is [`Evaluation::Additive`].
//!
//! Security groups, if an endpoint has some, are asked after that: a packet that they do not let begin passes only as an
//! answer, which the data plane remembers.
//!
//! Inside the tunnel are the networks of client addresses and those behind clients. They are routed without being listed
//! among the routes, so a rule is what opens them. The server's own tunnel addresses are ordinary destinations: any covering
//! rule opens them. Other clients, and what is behind them, are not: only a rule whose prefix lies within one of those
//! networks is about them, so that `0.0.0.0/0` for the Internet does not let clients reach each other.

mod audience;
mod compile;
mod decide;
mod destination;
mod explain;
#[cfg(test)]
mod scenarios;
mod security;
mod service;
mod subject;

pub use audience::{Audience, Tag, Tags};
pub use compile::{
    AuthorizationRule, Evaluation, Policy, Route, RuleId, Ruleset, TunnelNetwork, TunnelNetworkV6,
};
pub use decide::{DenyReason, Principal, Verdict};
pub use explain::{Considered, Explanation, Mismatch};
pub use security::{Direction, SecurityRule};
pub use service::{
    PROTOCOL_ICMP, PROTOCOL_ICMP_V6, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP, Port, ProtocolName, Service,
    ServiceRange, has_ports,
};
pub use subject::Subject;
