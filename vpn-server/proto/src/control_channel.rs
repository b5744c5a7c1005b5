//! The control channel of one key id: the reliability layer with TLS on top.
//!
//! Packets in, messages out; messages in, packets out. Knows nothing of what the messages say.

use zeroize::Zeroizing;

use crate::ids::{KeyId, MessageId, SessionId};
use crate::moment::Moment;
use crate::path::Transport;
use crate::reliable::{AcknowledgeQueue, Arrival, Carrier, Inbox, Outbox};
use crate::tls::{TlsFailure, TlsStream};
use crate::wire::control::{Acknowledgements, ControlPacket, MAX_ACKNOWLEDGEMENTS};
use crate::wire::opcode::ControlOpcode;

/// TLS octets in one packet: what is sent fits every path and every client, whatever the wrapping.
const MAX_PIECE: usize = 1150;
/// Acknowledgements in a packet that carries something else.
const RIDING_ACKNOWLEDGEMENTS: usize = 4;

/// Messages that arrived complete, one per TLS record.
pub(crate) type Messages = Vec<Zeroizing<Vec<u8>>>;

/// The control channel of one key id.
pub(crate) struct ControlChannel {
    key_id: KeyId,
    outbox: Outbox,
    inbox: Inbox,
    acknowledge: AcknowledgeQueue,
    tls: TlsStream,
    max_piece: usize,
    /// TLS octets that have come and were kept.
    received: usize,
}

/// The two session ids of a control channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) local_id: SessionId,
    pub(crate) remote_id: SessionId,
}

impl ControlChannel {
    /// The server's channel of a new session: both resets, the packets number 0, are over.
    pub(crate) fn after_reset(transport: Transport, tls: TlsStream) -> Self {
        let second = MessageId::FIRST.plus(1);
        Self::numbered(KeyId::FIRST, second, transport, tls)
    }

    /// A channel that begins with a reset from each side; TLS begins when the peer's is there.
    pub(crate) fn with_reset(
        key_id: KeyId,
        reset: ControlOpcode,
        transport: Transport,
        tls: TlsStream,
    ) -> Self {
        let mut channel = Self::numbered(key_id, MessageId::FIRST, transport, tls);
        channel.outbox.push(reset, vec![]);
        channel
    }

    /// Both sides go on with the number `next`.
    fn numbered(key_id: KeyId, next: MessageId, transport: Transport, tls: TlsStream) -> Self {
        let carrier = match transport {
            Transport::Udp => Carrier::Lossy,
            Transport::Tcp => Carrier::Reliable,
        };
        Self {
            key_id,
            outbox: Outbox::starting_at(next, carrier),
            inbox: Inbox::expecting(next),
            acknowledge: AcknowledgeQueue::default(),
            tls,
            max_piece: MAX_PIECE,
            received: 0,
        }
    }

    /// Leaves room for `octets` that follow the packets.
    #[cfg(feature = "client")]
    pub(crate) fn leave_room(&mut self, octets: usize) {
        self.max_piece = MAX_PIECE.saturating_sub(octets).max(1);
    }

    pub(crate) const fn key_id(&self) -> KeyId {
        self.key_id
    }

    pub(crate) const fn tls(&self) -> &TlsStream {
        &self.tls
    }

    /// Takes a packet of this key. After an error the alert for the peer still leaves through
    /// [`ControlChannel::poll`].
    pub(crate) fn receive(&mut self, packet: &ControlPacket<'_>) -> Result<Messages, TlsFailure> {
        for id in packet.acknowledgements.message_ids() {
            self.outbox.acknowledge(*id);
        }
        if let Some(id) = packet.message_id {
            let tls_octets = if packet.opcode.carries_tls() { packet.payload } else { &[] };
            match self.inbox.arrive(id, tls_octets) {
                Arrival::Kept => {
                    self.received += tls_octets.len();
                    self.acknowledge.owe(id);
                }
                Arrival::Repeated => self.acknowledge.owe(id),
                Arrival::Refused => {}
            }
        }
        let messages = self.deliver();
        self.queue_tls_octets();
        messages
    }

    fn deliver(&mut self) -> Result<Messages, TlsFailure> {
        let mut messages = vec![];
        while let Some(payload) = self.inbox.deliver() {
            messages.extend(self.tls.receive(&payload)?);
        }
        Ok(messages)
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &[u8]) -> Result<(), TlsFailure> {
        self.tls.send(message)?;
        self.queue_tls_octets();
        Ok(())
    }

    fn queue_tls_octets(&mut self) {
        for piece in self.tls.take_outgoing().chunks(self.max_piece) {
            self.outbox.push(ControlOpcode::Control, piece.to_vec());
        }
    }

    /// TLS octets that the peer has sent: it makes this side keep no more than a small multiple of them.
    pub(crate) const fn received(&self) -> usize {
        self.received
    }

    /// Whether the peer has acknowledged everything.
    pub(crate) fn is_flushed(&self) -> bool {
        self.outbox.is_flushed()
    }

    /// The next packet to send at `now`, if any; its wrapping is still to come.
    pub(crate) fn poll(&mut self, now: Moment, ends: &Ends) -> Option<Vec<u8>> {
        let key_id = self.key_id;
        let wrap = |opcode, message_id, payload, acknowledged: Vec<MessageId>| {
            let mut packet = vec![];
            ControlPacket {
                opcode,
                key_id,
                own_id: ends.local_id,
                acknowledgements: Acknowledgements::new(ends.remote_id, acknowledged),
                message_id,
                payload,
            }
            .write(&mut packet);
            packet
        };
        if let Some(due) = self.outbox.poll(now) {
            let acknowledged = self.acknowledge.take(RIDING_ACKNOWLEDGEMENTS);
            return Some(wrap(due.opcode, Some(due.id), due.payload, acknowledged));
        }
        self.acknowledge.is_owed().then(|| {
            let acknowledged = self.acknowledge.take(MAX_ACKNOWLEDGEMENTS);
            wrap(ControlOpcode::Ack, None, &[], acknowledged)
        })
    }

    /// When [`ControlChannel::poll`] has something again.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        if self.acknowledge.is_owed() { Some(Moment::default()) } else { self.outbox.deadline() }
    }
}
