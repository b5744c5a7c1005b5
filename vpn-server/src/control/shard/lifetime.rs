//! How long sessions last: ends those that lasted long enough, or that nobody uses.

use std::time::Duration;

use vpn_proto::{Farewell, Moment};

use super::super::registry::usage;
use super::Shard;
use crate::config::{IdleLimit, SessionLimits};

/// When a session has to be looked at, and what it had moved by the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    ends_at: Option<Moment>,
    idle: Option<IdleWatch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IdleWatch {
    limit: IdleLimit,
    look_at: Moment,
    octets: u64,
}

/// Why a session's time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeOver {
    /// It lasted as long as sessions may.
    TooLong,
    /// It moved too little.
    Idle,
}

impl Lifetime {
    /// Of a session that begins now.
    pub(super) fn start(limits: &SessionLimits, now: Moment) -> Self {
        let watch = |limit: IdleLimit| IdleWatch { limit, look_at: now + limit.period, octets: 0 };
        Self { ends_at: limits.session_timeout.map(|limit| now + limit), idle: limits.idle.map(watch) }
    }

    /// When there is something to look at.
    pub(super) fn next(&self) -> Option<Moment> {
        [self.ends_at, self.idle.map(|idle| idle.look_at)].into_iter().flatten().min()
    }

    /// Looks at a session that has moved so many octets until now.
    pub(super) fn look(&mut self, now: Moment, octets: u64) -> Option<TimeOver> {
        if self.ends_at.is_some_and(|at| at <= now) {
            return Some(TimeOver::TooLong);
        }
        let idle = self.idle.as_mut().filter(|idle| idle.look_at <= now)?;
        if octets.saturating_sub(idle.octets) < idle.limit.octets {
            return Some(TimeOver::Idle);
        }
        idle.octets = octets;
        idle.look_at = now + idle.limit.period;
        None
    }
}

impl TimeOver {
    const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "session-timeout",
            Self::Idle => "idle-timeout",
        }
    }

    /// A session that is over begins anew, with credentials that are asked for anew; one that nobody uses does not.
    fn farewell(self) -> Farewell {
        match self {
            Self::TooLong => Farewell::Restart("the session lasted as long as it may".to_owned()),
            Self::Idle => Farewell::Halt("the session was not used".to_owned()),
        }
    }
}

/// Sessions are looked at together if they are due so soon after each other.
const TOGETHER: Duration = Duration::from_millis(100);

impl Shard {
    pub(super) fn look_at_lifetimes(&mut self, now: Moment) {
        while let Some((_, handle)) = self.agenda.first().copied().filter(|(at, _)| *at <= now + TOGETHER) {
            self.agenda.pop_first();
            let Some(live) = self.sessions.get_mut(&handle).and_then(|session| session.live.as_mut()) else {
                continue;
            };
            let usage = usage(&live.channel);
            let octets = usage.ingress_bytes.saturating_add(usage.egress_bytes);
            match live.lifetime.look(now + TOGETHER, octets) {
                Some(over) => self.close(now, handle, over.farewell(), over.reason()),
                None => self.agenda.extend(live.lifetime.next().map(|at| (at, handle))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DuplicatePolicy;

    const SECOND: Duration = Duration::from_secs(1);

    fn lifetime(session_timeout: Option<u64>, idle: Option<(u64, u64)>) -> Lifetime {
        let limits = SessionLimits {
            per_client: 1,
            when_exceeded: DuplicatePolicy::Replace,
            username_as_common_name: false,
            session_timeout: session_timeout.map(Duration::from_secs),
            idle: idle.map(|(period, octets)| IdleLimit { period: Duration::from_secs(period), octets }),
        };
        Lifetime::start(&limits, at(0))
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(7_000_000) + SECOND * u32::try_from(seconds).unwrap()
    }

    #[test]
    fn without_limits_there_is_nothing_to_look_at() {
        let mut lifetime = lifetime(None, None);
        assert_eq!((lifetime.next(), lifetime.look(at(1_000_000), 0)), (None, None));
    }

    #[test]
    fn a_session_lasts_as_long_as_it_may_and_no_longer_however_much_it_is_used() {
        let mut lifetime = lifetime(Some(60), None);
        assert_eq!(lifetime.next(), Some(at(60)));
        assert_eq!(lifetime.look(at(59), u64::MAX), None);
        assert_eq!(lifetime.look(at(60), u64::MAX), Some(TimeOver::TooLong));
    }

    #[test]
    fn a_session_has_to_move_so_much_in_each_period_and_one_octet_less_is_too_little() {
        let mut used = lifetime(None, Some((60, 1000)));
        assert_eq!(used.look(at(60), 1000), None);
        assert_eq!(used.next(), Some(at(120)));
        assert_eq!(used.look(at(120), 2000), None);
        assert_eq!(used.look(at(180), 2999), Some(TimeOver::Idle));
    }

    #[test]
    fn the_earlier_limit_counts() {
        let mut lifetime = lifetime(Some(90), Some((60, 1)));
        assert_eq!(lifetime.next(), Some(at(60)));
        assert_eq!(lifetime.look(at(60), 1), None);
        assert_eq!(lifetime.next(), Some(at(90)));
    }
}
