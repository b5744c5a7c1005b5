//! The verdict on one inner packet: what the policy says, and what it takes to say it that a policy does not know.

use vpn_proto::Moment;

use super::counters::DropReason;
use super::packet::{InnerHeader, Quoted};
use super::tables::{Call, CallMemory, Peer, Tables};
use crate::policy::{DenyReason, Policy, Verdict};

/// Judges packets at one moment.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) tables: &'a Tables,
    pub(super) policy: &'a Policy,
    pub(super) now: Moment,
}

impl Judge<'_> {
    /// Judges a packet from a peer: source, routes, rules.
    pub(super) fn from_peer(
        &self,
        peer: &Peer,
        header: &InnerHeader,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let network = self.tables.network_behind(peer, header.source);
        let (principal, service) = (peer.principal(network), header.service(packet));
        let verdict = self.policy.decide(principal, header.source, header.destination, service);
        let Some(calls) = self.tables.calls().filter(|_| self.policy.is_client(header.destination)) else {
            return refuse(verdict);
        };
        match verdict {
            Verdict::Allow { .. } => calls.note(self.now, &Call::made_by(header, packet)),
            Verdict::Deny { reason: DenyReason::SourceNotAssigned } => return refuse(verdict),
            Verdict::Deny { .. } if self.answers_a_client(calls, header, packet) => {}
            Verdict::Deny { .. } => return refuse(verdict),
        }
        Ok(())
    }

    /// Judges a packet from the network to a peer.
    ///
    /// What comes from another client passed the check of that client's packets; here counts again what is allowed now. An
    /// ICMP error may come from any router on the way: it passes if the peer may reach what its packet was sent to.
    pub(super) fn to_peer(&self, peer: &Peer, header: &InnerHeader, packet: &[u8]) -> Result<(), DropReason> {
        let verdict = self.policy.decide_return(&peer.tags, header.source, header.answering_service(packet));
        if verdict.is_allowed() || self.is_call_of_a_client(header, packet) {
            return Ok(());
        }
        match header.quoted_by_icmp_error(packet) {
            Some(Quoted { source, destination, service })
                if peer.has_address(source) || self.tables.network_behind(peer, source).is_some() =>
            {
                refuse(self.policy.decide_return(&peer.tags, destination, service))
            }
            Some(_) | None => refuse(verdict),
        }
    }

    /// Whether the packet is for a client that called its sender, and still may.
    fn answers_a_client(&self, calls: &CallMemory, header: &InnerHeader, packet: &[u8]) -> bool {
        if !calls.knows(self.now, &Call::answered_by(header, packet)) {
            return false;
        }
        let service = header.answering_service(packet);
        self.tables.peer_toward(header.destination).is_some_and(|caller| {
            caller.get().is_some_and(|caller| {
                self.policy.decide_return(&caller.tags, header.source, service).is_allowed()
            })
        })
    }

    /// Whether the packet is from another client that may send it.
    fn is_call_of_a_client(&self, header: &InnerHeader, packet: &[u8]) -> bool {
        if !self.policy.lets_clients_meet() || !self.policy.is_client(header.source) {
            return false;
        }
        let service = header.service(packet);
        self.tables.peer_toward(header.source).is_some_and(|caller| {
            caller.get().is_some_and(|caller| {
                self.policy.judge(&caller.tags, header.destination, service).is_allowed()
            })
        })
    }
}

fn refuse(verdict: Verdict) -> Result<(), DropReason> {
    match verdict {
        Verdict::Allow { .. } => Ok(()),
        Verdict::Deny { reason } => Err(reason.into()),
    }
}
