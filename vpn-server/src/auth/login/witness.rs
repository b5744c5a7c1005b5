//! Whoever hears of clients that come and go, without a say in it.

use std::sync::Arc;

use super::ClientFacts;
use crate::control::connection::{Connection, Usage};

/// Hears of clients, in the order of what happens to each of them. Implementations return at once.
pub trait ClientWitness: Send + Sync {
    /// A client's tunnel is up.
    fn connected(&self, client: &Arc<ClientFacts>, connection: &Arc<Connection>);

    /// A client is gone whose tunnel was up.
    fn disconnected(&self, client: &Arc<ClientFacts>, connection: &Arc<Connection>, usage: Usage);

    /// A client is gone, or was refused, before its tunnel was up.
    fn turned_away(&self, client: &Arc<ClientFacts>);
}
