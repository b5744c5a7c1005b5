//! Last phase: keys and address are gone; a last message or alert is carried to the client, then the session goes.
//!
//! Nothing the client sends makes this phase last longer (CRL-04).

use std::time::Duration;

use super::{Phase, earliest, wakeup};
use crate::control_channel::{ControlChannel, Ends};
use crate::event::Wakeup;
use crate::moment::Moment;
use crate::wire::control::ControlPacket;
use crate::wire::message::ServerMessage;

/// How long retransmissions of either side are still answered.
const LINGER: Duration = Duration::from_secs(5);

pub(super) struct Closing {
    channel: ControlChannel,
    gone_at: Moment,
}

impl Closing {
    /// Sends `message` and lingers.
    pub(super) fn saying(mut channel: ControlChannel, message: &ServerMessage, now: Moment) -> Self {
        // A TLS session that cannot send any more cannot carry a reason either; the client will time out.
        let _ = channel.send(&message.to_record());
        Self::lingering(channel, now)
    }

    /// Only answers what is still under way.
    pub(super) fn lingering(channel: ControlChannel, now: Moment) -> Self {
        Self { channel, gone_at: now + LINGER }
    }

    pub(super) fn receive(mut self, packet: &ControlPacket<'_>) -> Phase {
        if packet.key_id == self.channel.key_id() {
            // Only the acknowledgements matter: whatever the client says, the session stays closed.
            let _ = self.channel.receive(packet);
        }
        Phase::Closing(self)
    }

    pub(super) fn handle_timeout(self, now: Moment) -> Phase {
        if now < self.gone_at { Phase::Closing(self) } else { Phase::Gone }
    }

    pub(super) const fn received(&self) -> usize {
        self.channel.received()
    }

    pub(super) fn poll(&mut self, now: Moment, ends: &Ends) -> Option<Vec<u8>> {
        self.channel.poll(now, ends)
    }

    pub(super) fn deadline(&self) -> Option<Wakeup> {
        earliest([
            self.channel.deadline().map(wakeup("control packets")),
            Some(wakeup("end of closing")(self.gone_at)),
        ])
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.channel.is_flushed()
    }
}
