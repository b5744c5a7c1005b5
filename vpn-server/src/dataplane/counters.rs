//! What the data plane did and, above all, what it dropped and why.
//!
//! Every worker counts for itself, so that counting never contends; readers sum over the workers. Nothing in here is
//! reset while the process lives.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::policy::DenyReason;

use super::packet::PacketError;

/// Declares an enum of things to count, with all its members in order and a stable kebab-case code for each.
macro_rules! counted {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$inner])* $variant,)+ }

        impl $name {
            /// Every member, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Stable kebab-case code for logs and metrics.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

counted! {
    /// Why the data plane dropped something.
    DropReason {
        /// A datagram that is nothing of the protocol.
        NotOpenVpn = "not-openvpn",
        /// A datagram from port 0, which cannot be answered.
        UnanswerableSource = "unanswerable-source",
        /// A control datagram longer than any honest sender's.
        ControlTooLong = "control-too-long",
        /// A control datagram, exit notification or report of a move that the control side had no room for.
        ControlQueueFull = "control-queue-full",
        /// A data packet that names no peer id, from where no old client is.
        NoPeerId = "no-peer-id",
        /// A data packet for a peer id that nobody holds.
        UnknownPeer = "unknown-peer",
        /// A data packet of a session on another connection than the session's.
        ForeignPath = "foreign-path",
        /// A packet from or to a session that was closed.
        ChannelClosed = "channel-closed",
        /// A data packet sealed with a key that is not or no longer valid.
        UnknownKey = "unknown-key",
        /// A data packet that is forged or damaged.
        NotAuthentic = "not-authentic",
        /// A data packet that was received before, or that is too old to tell.
        Replayed = "replayed",
        /// A data packet whose content is compressed.
        Compressed = "compressed",
        /// An inner packet that is not IP or whose lengths or options do not fit.
        Malformed = "malformed",
        /// An inner packet with a source route option or an IPv6 routing header.
        SourceRouted = "source-routed",
        /// A fragment made to hide its transport header.
        TinyFragment = "tiny-fragment",
        /// An IPv6 packet with too many extension headers, or with one that has no use behind a VPN.
        ExtensionHeader = "extension-header",
        /// IPv6 neighbour discovery, router solicitation or multicast, which hosts send on every interface unasked.
        Ipv6LinkChatter = "ipv6-link-chatter",
        /// An inner source that is neither the session's address nor behind it.
        SourceNotAssigned = "source-not-assigned",
        /// A multicast, broadcast, loopback, link-local or reserved address.
        DestinationUnroutable = "destination-unroutable",
        /// An address that no route leads to.
        NoRoute = "no-route",
        /// An address that no rule covers.
        NoRule = "no-rule",
        /// An address that only rules for others, or for other services, cover.
        NotAuthorized = "not-authorized",
        /// Another client or what is behind it, without a rule that is about clients.
        ClientToClient = "client-to-client",
        /// A packet that the security groups of the endpoint do not allow.
        SecurityGroup = "security-group",
        /// A packet from the network for a tunnel address that nobody holds.
        NoSession = "no-session",
        /// A packet from the network that is too long to be sealed into one datagram.
        TooLongToSeal = "too-long-to-seal",
        /// A packet that could not be sealed: the key is used up.
        NotSealed = "not-sealed",
        /// A packet that the tunnel device did not take.
        TunRefused = "tun-refused",
        /// What the tunnel device gave that its own header does not describe.
        TunIncomprehensible = "tun-incomprehensible",
        /// A datagram that did not fit into the socket's send buffer in time.
        SendBufferFull = "send-buffer-full",
        /// A datagram too long for its path.
        SendTooLong = "send-too-long",
        /// A datagram that the network refused.
        SendFailed = "send-failed",
        /// A packet for a connection that is closed.
        ConnectionGone = "connection-gone",
        /// A packet for a connection whose reader is too slow.
        OutputQueueFull = "output-queue-full",
        /// A datagram that waited to be sent when a defect of this program ended the turn.
        Panicked = "panicked",
    }
}

counted! {
    /// What the data plane counts besides drops.
    Event {
        /// Calls that received something.
        ReceiveCall = "receive-calls",
        /// Datagrams received, and packets in frames.
        DatagramReceived = "datagrams-received",
        /// Control datagrams handed to the control side.
        ControlForwarded = "control-forwarded",
        /// Keepalives and other data packets that hold no inner packet.
        NoPayload = "no-payload",
        /// Reports of peers that moved, handed to the control side.
        FloatForwarded = "float-forwarded",
        /// Exit notifications handed to the control side.
        ExitForwarded = "exit-forwarded",
        /// Inner packets written to the tunnel device.
        PacketToNetwork = "packets-to-network",
        /// Inner packets read from the tunnel device.
        PacketFromNetwork = "packets-from-network",
        /// Calls that sent something.
        SendCall = "send-calls",
        /// Packets and super-packets that the tunnel device gave.
        DeviceRead = "device-reads",
        /// Packets and super-packets that the tunnel device took.
        DeviceWrite = "device-writes",
        /// Datagrams sent, and packets in frames.
        DatagramSent = "datagrams-sent",
        /// Segmented sends that had to be repeated datagram by datagram.
        SegmentationRefused = "segmentation-refused",
        /// Receive calls that the system refused.
        ReceiveFailed = "receive-failures",
        /// Connections taken in.
        ConnectionAccepted = "connections-accepted",
        /// Connections that ended, whoever ended them.
        ConnectionClosed = "connections-closed",
        /// Connections of strangers that had to go for others.
        ConnectionEvicted = "connections-evicted",
        /// Connections of strangers that sent no hard reset in time.
        ConnectionTimedOut = "connections-timed-out",
        /// Connections closed because they did not consist of frames.
        ConnectionMalformed = "connections-malformed",
        /// Connections handed to the server that shares the port.
        ConnectionShared = "connections-shared",
        /// Connections closed at once for want of room.
        ConnectionRefused = "connections-refused",
        /// Connections that the system could not give us.
        AcceptFailed = "accept-failures",
        /// Defects of this program that were contained.
        Panic = "panics",
    }
}

impl From<DenyReason> for DropReason {
    fn from(reason: DenyReason) -> Self {
        match reason {
            DenyReason::SourceNotAssigned => Self::SourceNotAssigned,
            DenyReason::DestinationUnroutable => Self::DestinationUnroutable,
            DenyReason::NoRoute => Self::NoRoute,
            DenyReason::NoRule => Self::NoRule,
            DenyReason::NotAuthorized => Self::NotAuthorized,
            DenyReason::ClientToClient => Self::ClientToClient,
            DenyReason::SecurityGroup => Self::SecurityGroup,
        }
    }
}

impl From<PacketError> for DropReason {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Malformed => Self::Malformed,
            PacketError::SourceRouted => Self::SourceRouted,
            PacketError::TinyFragment => Self::TinyFragment,
            PacketError::ExtensionHeader => Self::ExtensionHeader,
        }
    }
}

/// The counters of one worker.
#[derive(Debug)]
pub struct WorkerCounters {
    drops: [AtomicU64; DropReason::ALL.len()],
    events: [AtomicU64; Event::ALL.len()],
}

impl WorkerCounters {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self { drops: [const { AtomicU64::new(0) }; _], events: [const { AtomicU64::new(0) }; _] }
    }

    /// Counts one drop.
    pub fn dropped(&self, reason: DropReason) {
        self.dropped_many(reason, 1);
    }

    /// Counts `count` drops for the same reason.
    pub fn dropped_many(&self, reason: DropReason, count: u64) {
        self.drops[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Counts one event.
    pub fn happened(&self, event: Event) {
        self.happened_many(event, 1);
    }

    /// Counts `count` events.
    pub fn happened_many(&self, event: Event, count: u64) {
        self.events[event as usize].fetch_add(count, Ordering::Relaxed);
    }
}

impl Default for WorkerCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// Counters of all workers at one point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneCounters {
    drops: [u64; DropReason::ALL.len()],
    events: [u64; Event::ALL.len()],
}

impl PlaneCounters {
    /// The sum over `workers`.
    pub fn sum<'a>(workers: impl IntoIterator<Item = &'a WorkerCounters>) -> Self {
        let mut total = Self { drops: [0; _], events: [0; _] };
        for worker in workers {
            add(&mut total.drops, &worker.drops);
            add(&mut total.events, &worker.events);
        }
        total
    }

    /// How often something was dropped for `reason`.
    #[must_use]
    pub const fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    /// How often `event` happened.
    #[must_use]
    pub const fn happened(&self, event: Event) -> u64 {
        self.events[event as usize]
    }

    /// Every reason and how often it applied.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().copied().zip(self.drops)
    }

    /// Every event and how often it happened.
    pub fn events(&self) -> impl Iterator<Item = (Event, u64)> + '_ {
        Event::ALL.iter().copied().zip(self.events)
    }
}

fn add(totals: &mut [u64], counters: &[AtomicU64]) {
    for (total, counter) in totals.iter_mut().zip(counters) {
        *total += counter.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn members_stand_at_their_own_index() {
        assert!(DropReason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
        assert!(Event::ALL.iter().enumerate().all(|(index, event)| *event as usize == index));
    }

    #[test]
    fn codes_are_distinct_kebab_case() {
        let codes = DropReason::ALL
            .iter()
            .map(|reason| reason.code())
            .chain(Event::ALL.iter().map(|event| event.code()));
        let codes: Vec<_> = codes.collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        assert!(
            codes.iter().all(|code| {
                code.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            })
        );
    }

    #[test]
    fn codes_of_policy_reasons_are_the_policys_own() {
        for reason in [
            DenyReason::SourceNotAssigned,
            DenyReason::DestinationUnroutable,
            DenyReason::NoRoute,
            DenyReason::NoRule,
            DenyReason::ClientToClient,
        ] {
            assert_eq!(DropReason::from(reason).code(), reason.code());
        }
    }

    #[test]
    fn sums_over_workers() {
        let (first, second) = (WorkerCounters::new(), WorkerCounters::new());
        first.dropped(DropReason::NoRule);
        second.dropped_many(DropReason::NoRule, 4);
        second.happened(Event::Panic);
        let total = PlaneCounters::sum([&first, &second]);
        assert_eq!(total.dropped(DropReason::NoRule), 5);
        assert_eq!(total.happened(Event::Panic), 1);
        assert_eq!(total.drops().map(|(_, count)| count).sum::<u64>(), 5);
        assert_eq!(total.events().filter(|(_, count)| *count > 0).count(), 1);
    }
}
