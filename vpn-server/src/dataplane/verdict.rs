//! The verdict on one inner packet: what the policy says, and what it takes to say it that a policy does not know, namely
//! who began.
//!
//! A call is what a sender may begin by itself; it is noted. An answer is what nobody may begin but what a call accounts for,
//! as long as that call would be allowed now: so a rule that is taken away ends both directions at once.

use vpn_proto::Moment;

use super::counters::DropReason;
use super::packet::{InnerHeader, Quoted};
use super::tables::{Call, Peer, Tables};
use crate::policy::{DenyReason, Direction, Policy, Verdict};

/// Judges packets at one moment.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) tables: &'a Tables,
    pub(super) policy: &'a Policy,
    pub(super) now: Moment,
}

impl Judge<'_> {
    /// Judges a packet from a peer: source, routes, rules, security groups.
    pub(super) fn judge_inbound(
        &self,
        peer: &Peer,
        header: &InnerHeader,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let network = self.tables.network_behind(peer, header.source);
        let (principal, service) = (peer.principal(network), header.service(packet));
        let verdict = self.policy.decide(principal, header.source, header.destination, service);
        if self.policy.is_guarded(header.destination) {
            refuse(verdict)?;
            return self.pass_guard(Direction::Egress, header, packet);
        }
        if !self.policy.lets_clients_meet() || !self.policy.is_client(header.destination) {
            return refuse(verdict);
        }
        match verdict {
            Verdict::Allow { .. } => self.note_call(header, packet),
            Verdict::Deny { reason: DenyReason::SourceNotAssigned } => return refuse(verdict),
            Verdict::Deny { .. } if self.answers_a_client(header, packet) => {}
            Verdict::Deny { .. } => return refuse(verdict),
        }
        Ok(())
    }

    /// Judges a packet from the network to a peer.
    ///
    /// What comes from another client passed the check of that client's packets; here counts again what is allowed now. An
    /// ICMP error may come from any router on the way: it passes if the peer may reach what its packet was sent to.
    pub(super) fn judge_outbound(
        &self,
        peer: &Peer,
        header: &InnerHeader,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let verdict = self.policy.decide_return(&peer.tags, header.source, header.answering_service(packet));
        let outcome = match verdict {
            Verdict::Allow { .. } if self.policy.is_guarded(header.source) => {
                self.pass_guard(Direction::Ingress, header, packet)
            }
            Verdict::Deny { .. } if self.is_call_of_a_client(header, packet) => Ok(()),
            Verdict::Allow { .. } | Verdict::Deny { .. } => refuse(verdict),
        };
        outcome.or_else(|reason| match header.quoted_by_icmp_error(packet) {
            Some(quoted) if self.is_complaint_about(peer, &quoted) => Ok(()),
            Some(_) | None => Err(reason),
        })
    }

    /// Lets a packet between a client and a network behind the server pass that may begin, or that answers one that might.
    fn pass_guard(
        &self,
        direction: Direction,
        header: &InnerHeader,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let (outside, opposite) = match direction {
            Direction::Egress => (header.destination, Direction::Ingress),
            Direction::Ingress => (header.source, Direction::Egress),
        };
        if self.policy.permits(direction, outside, header.service(packet)) {
            self.note_call(header, packet);
            return Ok(());
        }
        let may_be_answer = self.policy.permits(opposite, outside, header.answering_service(packet));
        if may_be_answer && self.was_called(header, packet) {
            return Ok(());
        }
        Err(DropReason::SecurityGroup)
    }

    /// Whether the packet that is quoted is one that the peer may send.
    fn is_complaint_about(&self, peer: &Peer, quoted: &Quoted) -> bool {
        let Quoted { source, destination, service } = *quoted;
        let is_of_peer = peer.has_address(source) || self.tables.network_behind(peer, source).is_some();
        is_of_peer
            && self.policy.decide_return(&peer.tags, destination, service).is_allowed()
            && self.policy.permits(Direction::Egress, destination, service)
    }

    /// Whether the packet is for a client that called its sender, and still may.
    fn answers_a_client(&self, header: &InnerHeader, packet: &[u8]) -> bool {
        if !self.was_called(header, packet) {
            return false;
        }
        let service = header.answering_service(packet);
        self.tables.peer_toward(header.destination).is_some_and(|caller| {
            caller
                .get()
                .is_some_and(|caller| self.policy.judge(&caller.tags, header.source, service).is_allowed())
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

    fn note_call(&self, header: &InnerHeader, packet: &[u8]) {
        if let Some(calls) = self.tables.calls() {
            calls.note(self.now, &Call::made_by(header, packet));
        }
    }

    fn was_called(&self, header: &InnerHeader, packet: &[u8]) -> bool {
        let call = Call::answered_by(header, packet);
        self.tables.calls().is_some_and(|calls| calls.knows(self.now, &call))
    }
}

fn refuse(verdict: Verdict) -> Result<(), DropReason> {
    match verdict {
        Verdict::Allow { .. } => Ok(()),
        Verdict::Deny { reason } => Err(reason.into()),
    }
}
