//! Which of several servers is asked first: those that failed a moment ago come last.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a server that failed comes after the others.
const DISTRUST: Duration = Duration::from_secs(30);
/// How long none is asked when all of them failed.
const PAUSE: Duration = Duration::from_secs(3);

/// What is remembered about servers, by their place in the settings.
#[derive(Debug)]
pub(super) struct ServerList {
    failed_at: Mutex<Vec<Option<Instant>>>,
}

impl ServerList {
    pub(super) fn new(count: usize) -> Self {
        Self { failed_at: Mutex::new(vec![None; count]) }
    }

    /// The servers in the order in which they are asked now; none while all of them have just failed.
    pub(super) fn order(&self, now: Instant) -> Vec<usize> {
        let failed_at = self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        let within = |limit: Duration| {
            move |at: &Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < limit)
        };
        if failed_at.iter().all(within(PAUSE)) {
            return Vec::new();
        }
        let mut order: Vec<usize> = (0..failed_at.len()).collect();
        order.sort_by_key(|server| failed_at.get(*server).is_some_and(within(DISTRUST)));
        order
    }

    pub(super) fn failed(&self, server: usize, now: Instant) {
        self.set(server, Some(now));
    }

    pub(super) fn answered(&self, server: usize) {
        self.set(server, None);
    }

    fn set(&self, server: usize, state: Option<Instant>) {
        let mut failed_at = self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = failed_at.get_mut(server) {
            *entry = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_asked_in_their_order_and_those_that_failed_last() {
        let (list, now) = (ServerList::new(3), Instant::now());
        assert_eq!(list.order(now), [0, 1, 2]);
        list.failed(0, now);
        assert_eq!(list.order(now), [1, 2, 0]);
        assert_eq!(list.order(now + DISTRUST), [0, 1, 2]);
        list.answered(0);
        assert_eq!(list.order(now), [0, 1, 2]);
    }

    #[test]
    fn when_all_have_just_failed_nobody_is_kept_waiting_for_them() {
        let (list, now) = (ServerList::new(2), Instant::now());
        list.failed(0, now);
        list.failed(1, now);
        assert!(list.order(now).is_empty());
        assert_eq!(list.order(now + PAUSE), [0, 1]);
    }
}
