//! What a process said, line by line, each with the moment at which it arrived.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};

/// How many lines a failure shows.
const SHOWN_LINES: usize = 40;

/// One line of output.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was read, a fraction of a millisecond after it was written.
    pub at: Instant,
    /// The text without its line end.
    pub text: String,
}

/// A place in a [`Log`]: what comes after it is news.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// The growing output of one process.
#[derive(Clone)]
pub struct Log {
    owner: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    ended: bool,
}

impl Log {
    /// Reads `source` to its end in the background; `owner` is named in failures.
    pub fn follow(owner: impl Into<String>, source: impl Read + Send + 'static) -> Self {
        let log = Self { owner: owner.into(), shared: Arc::default() };
        let shared = Arc::clone(&log.shared);
        thread::spawn(move || shared.collect(source));
        log
    }

    /// The present end of the log.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.shared.state().lines.len())
    }

    /// Waits for a line that contains `text`, from the beginning of the log.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<Line> {
        self.wait_for_since(Mark(0), text, limit)
    }

    /// Waits for a line that contains `text` and came after `mark`. Fails early when the process closes its output.
    pub fn wait_for_since(&self, mark: Mark, text: &str, limit: Duration) -> Result<Line> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state();
        loop {
            if let Some(line) = state.lines[mark.0..].iter().find(|line| line.text.contains(text)) {
                return Ok(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                drop(state);
                return Err(self.missed(text, limit));
            }
            (state, _) =
                self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until everything is read that a process has said that ended. One that it left behind may still hold the
    /// output, so there is a limit.
    pub fn wait_for_end(&self, limit: Duration) {
        let state = self.shared.state();
        let goes_on = |state: &mut State| !state.ended;
        drop(self.shared.changed.wait_timeout_while(state, limit, goes_on));
    }

    /// The lines so far that contain `text`.
    #[must_use]
    pub fn matching(&self, text: &str) -> Vec<Line> {
        let state = self.shared.state();
        state.lines.iter().filter(|line| line.text.contains(text)).cloned().collect()
    }

    /// The end of the log, under a heading that names its owner.
    #[must_use]
    pub fn tail(&self) -> String {
        let state = self.shared.state();
        let from = state.lines.len().saturating_sub(SHOWN_LINES);
        let mut tail = format!("--- {} said last:", self.owner);
        for line in &state.lines[from..] {
            tail.push_str("\n    ");
            tail.push_str(&line.text);
        }
        tail
    }

    fn missed(&self, text: &str, limit: Duration) -> Failure {
        let ended = self.shared.state().ended;
        let why = if ended { "before it ended".to_owned() } else { format!("within {limit:?}") };
        Failure::new(format!("{}: no line with {text:?} {why}\n{}", self.owner, self.tail()))
    }
}

impl Shared {
    /// A panic elsewhere must not hide the log that explains it: a poisoned lock is still read.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, source: impl Read) {
        let mut reader = BufReader::new(source);
        let mut octets = Vec::new();
        while matches!(reader.read_until(b'\n', &mut octets), Ok(1..)) {
            let line =
                Line { at: Instant::now(), text: String::from_utf8_lossy(&octets).trim_end().to_owned() };
            self.state().lines.push(line);
            self.changed.notify_all();
            octets.clear();
        }
        self.state().ended = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn finds_a_line_that_is_already_there() {
        let log = Log::follow("somebody", &b"first\nsecond one\n"[..]);
        assert_eq!(log.wait_for("second", LIMIT).unwrap().text, "second one");
    }

    #[test]
    fn a_mark_hides_what_came_before_it() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let log = Log::follow("somebody", reader);
        std::io::Write::write_all(&mut writer, b"ready (1)\n").unwrap();
        log.wait_for("ready", LIMIT).unwrap();
        let mark = log.mark();
        std::io::Write::write_all(&mut writer, b"ready (2)\n").unwrap();
        assert_eq!(log.wait_for_since(mark, "ready", LIMIT).unwrap().text, "ready (2)");
    }

    #[test]
    fn stops_waiting_when_the_output_ends() {
        let log = Log::follow("somebody", &b"fatal: no\n"[..]);
        let failure = log.wait_for("ready", Duration::from_secs(3600)).unwrap_err().to_string();
        assert!(failure.contains("before it ended"), "{failure}");
        assert!(failure.contains("fatal: no"), "{failure}");
    }

    #[test]
    fn whoever_waits_for_the_end_has_the_last_words() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let log = Log::follow("somebody", reader);
        let speaker = thread::spawn(move || std::io::Write::write_all(&mut writer, b"last words\n"));
        log.wait_for_end(LIMIT);
        assert!(log.tail().contains("last words"), "{}", log.tail());
        speaker.join().unwrap().unwrap();
    }

    #[test]
    fn keeps_lines_that_are_not_text() {
        let log = Log::follow("somebody", &b"\xff\xfe tail\n"[..]);
        assert!(log.wait_for("tail", LIMIT).is_ok());
    }
}
