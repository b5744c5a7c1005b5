//! The reliability layer of one key in one session: numbering, acknowledging, reordering, retransmission.
//!
//! Acknowledgements are selective. Knows nothing of opcodes beyond carrying them, of TLS or of wrapping
//! (protocol reference section 2).

mod acknowledge;
mod inbox;
mod outbox;

pub(crate) use acknowledge::AcknowledgeQueue;
pub(crate) use inbox::{Arrival, Inbox};
pub(crate) use outbox::{Carrier, Outbox};
