//! The server's data key of a finished key exchange.

use crate::control_channel::{ControlChannel, Ends};
use crate::data::DataKey;
use crate::identity::Denial;
use crate::keys::{BothIds, DerivationError, KeySources, Side};
use crate::negotiate::Negotiated;

/// Derives the data key of `channel`'s key id.
pub(super) fn derive(
    channel: &ControlChannel,
    negotiated: &Negotiated,
    sources: &KeySources,
    ends: &Ends,
) -> Result<DataKey, Denial> {
    let ids = BothIds { client: ends.remote_id, server: ends.local_id };
    let key = negotiated.derivation.derive(channel.tls(), sources, ids).and_then(|material| {
        let Negotiated { format, replay_window, .. } = negotiated;
        DataKey::new(channel.key_id(), format.protection, *replay_window, &material, Side::Server)
            .ok_or(DerivationError::Cipher)
    });
    key.map_err(|error| Denial::new("key-derivation-failed", "internal error", error.to_string()))
}
