//! What was said and what happened, kept for those who ask afterwards: log lines and states.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Level;

/// The most lines that wait for a reader before a [`LogTap`] forgets the oldest.
const TAPPED_LINES: usize = 1024;

/// The last lines of something, with a limit.
#[derive(Debug)]
pub(super) struct History<T> {
    entries: VecDeque<T>,
    limit: usize,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Seconds since 1970.
    pub unix_time: i64,
    /// How weighty it is.
    pub level: Level,
    /// The line; control characters are replaced.
    pub text: String,
}

/// Where the log can be listened to: what writes the log pushes, the management interface reads.
#[derive(Default)]
pub struct LogTap {
    lines: Mutex<VecDeque<LogLine>>,
    verbosity: Mutex<Option<ChangeVerbosity>>,
}

/// Changes how much is logged.
type ChangeVerbosity = Box<dyn Fn(u8) + Send>;

impl<T> History<T> {
    pub(super) const fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), limit }
    }

    pub(super) fn push(&mut self, entry: T) {
        self.entries.push_back(entry);
        while self.entries.len() > self.limit {
            self.entries.pop_front();
        }
    }

    /// The last `count` entries, oldest first.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &T> {
        self.entries.iter().skip(self.entries.len().saturating_sub(count))
    }
}

impl LogTap {
    /// Adds a line.
    pub fn push(&self, mut line: LogLine) {
        line.text = line.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut lines = lock(&self.lines);
        lines.push_back(line);
        if lines.len() > TAPPED_LINES {
            lines.pop_front();
        }
    }

    /// Says how to change how much is logged, in OpenVPN's numbers from 0 to 11.
    pub fn on_verbosity(&self, change: impl Fn(u8) + Send + 'static) {
        *lock(&self.verbosity) = Some(Box::new(change));
    }

    pub(crate) fn set_verbosity(&self, verbosity: u8) {
        if let Some(change) = lock(&self.verbosity).as_ref() {
            change(verbosity);
        }
    }

    pub(super) fn take(&self) -> VecDeque<LogLine> {
        std::mem::take(&mut *lock(&self.lines))
    }
}

impl std::fmt::Debug for LogTap {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LogTap").finish_non_exhaustive()
    }
}

/// Each change under the lock is complete, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[test]
    fn a_history_keeps_the_last_entries() {
        let mut history = History::new(3);
        (1..=5).for_each(|number| history.push(number));
        assert_eq!(history.last(2).copied().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(history.last(usize::MAX).copied().collect::<Vec<_>>(), [3, 4, 5]);
        let mut nothing = History::new(0);
        nothing.push(1);
        assert_eq!(nothing.last(9).count(), 0);
    }

    #[test]
    fn a_tap_that_nobody_reads_forgets_the_oldest_line() {
        let tap = LogTap::default();
        for number in 0..=TAPPED_LINES {
            tap.push(line(&number.to_string()));
        }
        let lines = tap.take();
        assert_eq!((lines.len(), lines[0].text.as_str()), (TAPPED_LINES, "1"));
        assert!(tap.take().is_empty());
    }

    #[test]
    fn ops_03_a_line_stays_one_line() {
        let tap = LogTap::default();
        tap.push(line("a\r\n>CLIENT:x\u{1b}[0m"));
        assert_eq!(tap.take()[0].text, "a  >CLIENT:x [0m");
    }

    #[test]
    fn verbosity_goes_to_whoever_can_change_it() {
        let (tap, seen) = (LogTap::default(), Arc::new(AtomicU8::new(0)));
        tap.set_verbosity(3);
        let change = Arc::clone(&seen);
        tap.on_verbosity(move |verbosity| change.store(verbosity, Ordering::Relaxed));
        tap.set_verbosity(5);
        assert_eq!(seen.load(Ordering::Relaxed), 5);
    }

    fn line(text: &str) -> LogLine {
        LogLine { unix_time: 1, level: Level::INFO, text: text.to_owned() }
    }
}
