//! Decisions about clients that wait to be let in.

use vpn_proto::{Denial, DynamicChallenge, Farewell};

use super::super::command::{Block, Petition, Refusal};
use super::super::managed::Managed;
use super::{Conversation, Phase};
use crate::auth::login::{Acceptance, Verdict};

/// The most lines of a block; a client gets no more options than fit into a few datagrams.
pub(super) const MAXIMUM_BLOCK: usize = 1024;

impl Conversation {
    /// A line of what belongs to a command, up to its end.
    pub(super) fn take_block_line(
        &mut self,
        line: String,
        block: Block,
        mut lines: Vec<String>,
        server: &dyn Managed,
    ) {
        if line == "END" {
            self.phase = Phase::Commands;
            let outcome = match block {
                Block::Accept(petition) => self.accept(petition, lines, server),
                Block::Signature => Err(Refusal::NotAsked("signature")),
            };
            self.refuse_if(outcome);
        } else if lines.len() + 1 >= MAXIMUM_BLOCK {
            self.phase = Phase::Over;
        } else {
            lines.push(line);
            self.phase = Phase::Block { block, lines };
        }
    }

    pub(super) fn accept(
        &mut self,
        petition: Petition,
        directives: Vec<String>,
        server: &dyn Managed,
    ) -> Result<(), Refusal> {
        let verdict = Verdict::Accept(Acceptance { directives, ..Acceptance::default() });
        if !server.reception().answer(petition.client_id, petition.key_id, verdict) {
            return Err(Refusal::Failed("client-auth"));
        }
        self.succeed("client-auth command succeeded");
        Ok(())
    }

    /// A client that does not wait any longer is sent away, as OpenVPN does.
    pub(super) fn deny(
        &mut self,
        petition: Petition,
        reason: String,
        told: String,
        server: &dyn Managed,
    ) -> Result<(), Refusal> {
        let Petition { client_id, key_id } = petition;
        let farewell = Farewell::AuthFailed(told.clone());
        let is_done = server.reception().answer(client_id, key_id, denial(reason, told))
            || server.close(client_id, farewell);
        if !is_done {
            return Err(Refusal::Failed("client-deny"));
        }
        self.succeed("client-deny command succeeded");
        Ok(())
    }
}

/// A client whose reason is a question asks its person and comes back with the answer.
fn denial(detail: String, public: String) -> Verdict {
    const DENIED: &str = "denied-by-management";
    match DynamicChallenge::parse(&public) {
        Some(challenge) => Verdict::Challenge(challenge),
        None if public.is_empty() => Verdict::wrong_credentials(DENIED, detail),
        None => Verdict::Deny(Denial { code: DENIED, public, detail }),
    }
}
