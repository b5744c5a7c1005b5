//! What systemd is told, where it asked to be told (`Type=notify` or `notify-reload`).

use sd_notify::NotifyState;
use tracing::debug;

/// The server is ready, for the first time or again after a reload.
pub(super) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload has begun.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "systemd is not told of the reload"),
    }
}

/// The server is about to end.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "systemd cannot be told");
    }
}
