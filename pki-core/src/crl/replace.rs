//! Whether a new set of revocation lists may take the place of the one in force (threat model CRL-02).

use super::index::{CrlRefusal, CrlSummary, RevocationIndex, VerifiedCrl};

/// What replacing an index by another would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The lists are the same, octet by octet.
    Unchanged,
    /// At least one list is newer, none is older.
    Newer,
}

impl RevocationIndex {
    /// Judges this index as the successor of `in_force`; a refusal means that `in_force` stays.
    ///
    /// Lists of issuers that are no longer trusted may disappear. A list is newer if its number is higher; where
    /// either has no number (easy-rsa writes none), if it was made later. Two such lists of one second are told
    /// apart by their content: the new one must revoke everything that the old one did.
    pub fn check_successor_of(&self, in_force: &Self) -> Result<Replacement, CrlRefusal> {
        let mut outcome = Replacement::Unchanged;
        for present in &in_force.lists {
            if !self.known_issuers.contains(&present.issuer) {
                outcome = Replacement::Newer;
                continue;
            }
            let candidate = self
                .counterpart(present)
                .ok_or_else(|| CrlRefusal::Gone { issuer: present.summary.issuer_name.clone() })?;
            if candidate.summary.fingerprint != present.summary.fingerprint {
                candidate.check_newer_than(present)?;
                outcome = Replacement::Newer;
            }
        }
        if self.lists.len() > in_force.lists.len() {
            outcome = Replacement::Newer;
        }
        Ok(outcome)
    }

    fn counterpart(&self, list: &VerifiedCrl) -> Option<&VerifiedCrl> {
        let same =
            |candidate: &&VerifiedCrl| candidate.issuer == list.issuer && candidate.scope == list.scope;
        self.lists.iter().find(same)
    }
}

impl CrlSummary {
    /// Which of two lists of one issuer is to be believed: by number, then by date.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        match (&self.number, &other.number) {
            (Some(mine), Some(theirs)) if mine != theirs => mine > theirs,
            _ => self.this_update > other.this_update,
        }
    }
}

impl VerifiedCrl {
    fn check_newer_than(&self, in_force: &Self) -> Result<(), CrlRefusal> {
        let (candidate, present) = (&self.summary, &in_force.summary);
        if let (Some(number), Some(present_number)) = (&candidate.number, &present.number) {
            if number > present_number {
                return Ok(());
            }
            return Err(CrlRefusal::NumberNotHigher {
                issuer: candidate.issuer_name.clone(),
                candidate: number.clone(),
                in_force: present_number.clone(),
            });
        }
        let same_second = candidate.this_update == present.this_update;
        if candidate.this_update > present.this_update || same_second && self.revokes_all_of(in_force) {
            return Ok(());
        }
        Err(CrlRefusal::NotLater {
            issuer: candidate.issuer_name.clone(),
            candidate: candidate.this_update,
            in_force: present.this_update,
        })
    }
}
