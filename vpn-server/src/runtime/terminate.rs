//! Ending connections by whom they belong to.

use vpn_proto::Farewell;

use super::Server;
use crate::control::connection::{Connection, ConnectionId};
use crate::control::{Block, BlockedIdentity};

/// Which connections are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionSelector {
    /// The one with this name.
    Id(ConnectionId),
    /// Those of an identity.
    Of(BlockedIdentity),
}

impl ConnectionSelector {
    /// Whether `connection` is meant.
    #[must_use]
    pub fn includes(&self, connection: &Connection) -> bool {
        match self {
            Self::Id(id) => *id == connection.id,
            Self::Of(who) => who.is(&connection.client, connection.username.as_deref()),
        }
    }
}

impl Server {
    /// Ends the connections that are meant, with a last word to each; answers which those are. `reason` is a kebab-case code
    /// and stands in the connection log. A client that is told to restart comes back at once unless it is blocked.
    pub fn terminate(
        &self,
        which: &ConnectionSelector,
        farewell: &Farewell,
        reason: &'static str,
    ) -> Vec<ConnectionId> {
        let snapshots = self.connections();
        let meant = snapshots.iter().map(|snapshot| &snapshot.connection).filter(|own| which.includes(own));
        meant
            .filter(|connection| self.close_connection(connection.number, farewell.clone(), reason))
            .map(|connection| connection.id)
            .collect()
    }

    /// Refuses these identities until their time is over, in place of those that were refused before. Connections of
    /// theirs end, with the reason of the block.
    pub fn set_blocks(&self, blocks: Vec<Block>) {
        self.control().set_blocks(blocks);
    }

    /// Refuses one more identity; see [`Server::set_blocks`]. Not to be called by several threads at once.
    pub fn block(&self, block: Block) {
        let mut blocks = self.blocks();
        blocks.retain(|other| other.who != block.who);
        blocks.push(block);
        self.set_blocks(blocks);
    }

    /// The identities that are refused, those whose time is over included.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        self.control().blocks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::connection::connection;

    #[test]
    fn a_selector_means_one_connection_or_all_of_somebody() {
        let own = connection();
        assert!(ConnectionSelector::Id(own.id).includes(&own));
        assert!(!ConnectionSelector::Id(ConnectionId::from_random([9; 9])).includes(&own));
        let of = |name: &str| ConnectionSelector::Of(BlockedIdentity::CommonName(name.to_owned()));
        assert!(of("alice@company.com").includes(&own) && !of("bob").includes(&own));
    }
}
