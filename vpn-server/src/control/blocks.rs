//! Identities that are refused for some time: `connection terminate --and-block`.
//!
//! A revoked certificate is refused for ever; a block ends by itself. Who embeds the server keeps blocks over restarts.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pki_core::time::Timestamp;
use vpn_proto::Denial;

use super::connection::CertificateFacts;

/// One identity that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whom it concerns.
    pub who: BlockedIdentity,
    /// The first moment at which it does not count any longer.
    pub until: Timestamp,
    /// What the client is told.
    pub reason: String,
}

/// Whom a block concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockedIdentity {
    /// Certificates with this common name.
    CommonName(String),
    /// The user with this name.
    Username(String),
    /// The certificate with this serial number, in hexadecimal digits as in [`CertificateFacts::serial`].
    Serial(String),
}

/// The blocks in force.
#[derive(Debug, Default)]
pub(super) struct BlockList(ArcSwap<Vec<Block>>);

impl BlockList {
    pub(super) fn replace(&self, blocks: Vec<Block>) {
        self.0.store(Arc::new(blocks));
    }

    pub(super) fn all(&self) -> Arc<Vec<Block>> {
        self.0.load_full()
    }

    /// Why a client is refused, if it is.
    pub(super) fn refusal(
        &self,
        certificate: &CertificateFacts,
        username: Option<&str>,
        now: Timestamp,
    ) -> Option<Denial> {
        let blocks = self.0.load();
        let block = blocks.iter().find(|block| now < block.until && block.who.is(certificate, username))?;
        Some(Denial {
            code: "blocked",
            public: block.reason.clone(),
            detail: format!("the client is blocked until {}", block.until),
        })
    }
}

impl BlockedIdentity {
    /// Whether it is the one with this certificate or user name.
    #[must_use]
    pub fn is(&self, certificate: &CertificateFacts, username: Option<&str>) -> bool {
        match self {
            Self::CommonName(name) => *name == certificate.common_name,
            Self::Username(name) => Some(&**name) == username,
            Self::Serial(serial) => !serial.is_empty() && serial.eq_ignore_ascii_case(&certificate.serial),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::connection::connection;

    #[test]
    fn a_block_concerns_one_identity_and_ends_by_itself() {
        let alice = connection().client;
        let now = Timestamp::from_unix_seconds(1000);
        for (who, username, expected) in [
            (BlockedIdentity::CommonName("alice@company.com".to_owned()), None, true),
            (BlockedIdentity::CommonName("alice".to_owned()), None, false),
            (BlockedIdentity::Serial("0a1b".to_owned()), None, true),
            (BlockedIdentity::Serial(String::new()), None, false),
            (BlockedIdentity::Username("al".to_owned()), Some("al"), true),
            (BlockedIdentity::Username("al".to_owned()), None, false),
        ] {
            let list = BlockList::default();
            let block = Block { who: who.clone(), until: now.plus_seconds(60), reason: "not now".to_owned() };
            list.replace(vec![block]);
            let refusal = list.refusal(&alice, username, now);
            assert_eq!(
                refusal.map(|denial| denial.public),
                expected.then(|| "not now".to_owned()),
                "{who:?}"
            );
            assert!(list.refusal(&alice, username, now.plus_seconds(60)).is_none());
        }
    }
}
