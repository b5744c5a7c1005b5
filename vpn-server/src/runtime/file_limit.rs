//! How many descriptors this process may have, and what they are for (OPS-05).
//!
//! Every TCP connection takes one. At start the limit is raised as far as the system allows and as is useful; below it,
//! connections are refused or strangers give way, and the process never finds itself without a descriptor.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use super::error::StartError;
use crate::transport::port_share::GUESTS;
use crate::transport::tcp::StrangerLimits;

/// Descriptors for everything but connections: files, sockets, the device, and what is open for moments.
const RESERVE: u64 = 128;
/// With fewer connections than this a server would be none.
const FEWEST_CONNECTIONS: u64 = 64;

/// What descriptors are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// Sessions that there can be.
    pub(super) sessions: u64,
    /// What strangers may have beside them.
    pub(super) strangers: StrangerLimits,
    /// Whether the port is shared.
    pub(super) shares_port: bool,
}

/// What connections may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) connections: usize,
    pub(super) strangers: StrangerLimits,
}

impl Demand {
    /// Raises the limit and divides it.
    ///
    /// # Errors
    /// [`StartError::FileLimit`] if not even [`FEWEST_CONNECTIONS`] would find room.
    pub(super) fn make_room(self) -> Result<Room, StartError> {
        let granted = raise(self.wanted());
        let room = self.divide(granted)?;
        if granted < self.wanted() {
            warn!(
                limit = granted,
                wanted = self.wanted(),
                connections = room.connections,
                "the limit on open files bounds the number of TCP connections"
            );
        }
        Ok(room)
    }

    fn wanted(self) -> u64 {
        self.overhead() + self.sessions + self.strangers.total as u64
    }

    fn divide(self, granted: u64) -> Result<Room, StartError> {
        let connections = granted.saturating_sub(self.overhead()).min(self.wanted() - self.overhead());
        if connections < FEWEST_CONNECTIONS {
            let needed = self.overhead() + FEWEST_CONNECTIONS;
            return Err(StartError::FileLimit { limit: granted, needed });
        }
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        let total = self.strangers.total.min(connections / 2);
        let strangers = StrangerLimits { total, ..self.strangers };
        Ok(Room { connections, strangers })
    }

    const fn overhead(self) -> u64 {
        RESERVE + if self.shares_port { 2 * GUESTS as u64 } else { 0 }
    }
}

/// Raises the soft limit to `wanted`, or to the hard limit; answers with what is allowed then.
fn raise(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    let possible = wanted.min(maximum.unwrap_or(u64::MAX));
    if current >= possible {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }) {
        Ok(()) => possible,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand() -> Demand {
        Demand { sessions: 1000, strangers: StrangerLimits::default(), shares_port: false }
    }

    #[test]
    fn ops_05_what_is_wanted_is_divided_without_a_rest() {
        let room = demand().divide(demand().wanted()).unwrap();
        assert_eq!((room.connections, room.strangers.total), (1000 + 1024, 1012));
        assert_eq!(demand().divide(u64::MAX).unwrap().connections, 1000 + 1024, "and no more");
    }

    #[test]
    fn ops_05_less_than_wanted_is_shared_between_strangers_and_guests() {
        let room = demand().divide(RESERVE + 200).unwrap();
        assert_eq!((room.connections, room.strangers.total), (200, 100));
        assert_eq!(room.strangers.per_prefix, StrangerLimits::default().per_prefix);
    }

    #[test]
    fn ops_05_too_little_is_an_error_that_says_how_much_is_needed() {
        let least = RESERVE + FEWEST_CONNECTIONS;
        assert!(demand().divide(least).is_ok());
        let Err(StartError::FileLimit { limit, needed }) = demand().divide(least - 1) else { panic!() };
        assert_eq!((limit, needed), (least - 1, least));
        let sharing = Demand { shares_port: true, ..demand() };
        assert!(sharing.divide(least + 2 * GUESTS as u64 - 1).is_err());
        assert!(sharing.divide(least + 2 * GUESTS as u64).is_ok());
    }

    #[test]
    fn ops_05_the_limit_is_raised_as_far_as_it_goes_and_never_lowered() {
        let before = getrlimit(Resource::Nofile);
        let granted = raise(before.current.unwrap_or(0) + 1);
        assert!(granted >= before.current.unwrap_or(0));
        assert!(granted <= before.maximum.unwrap_or(u64::MAX));
        assert!(raise(1) >= granted);
    }
}
