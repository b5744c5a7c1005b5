//! What the unit tests of the data plane share: real sessions, packets and a policy.

#[expect(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/packets.rs"]
pub(super) mod packets;
#[path = "../../tests/support/policies.rs"]
mod policies;
#[expect(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/sessions.rs"]
pub(super) mod sessions;

pub(super) use policies::policy;

use crate::policy;
