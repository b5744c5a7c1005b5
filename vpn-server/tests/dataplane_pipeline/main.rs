//! The pipeline between real sessions: what a client sealed comes out as a packet for the network or as a counted drop,
//! and the other way round.
//!
//! `passing` has what passes, `sources` whose packets a client may send, `rules` where they may go, `places` which session
//! a datagram belongs to, `frames` what is different over TCP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "support functions may fail a test")]

#[path = "../support/packets.rs"]
mod packets;
#[path = "../support/policies.rs"]
mod policies;
#[path = "../support/sessions.rs"]
mod sessions;

mod frames;
mod passing;
mod places;
mod rules;
mod sources;
mod world;

use vpn_server::policy;
