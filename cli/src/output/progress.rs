//! A bar for whoever waits at a terminal.

use std::io::{self, IsTerminal};

use super::{Output, to_stderr};

/// How far a long command has come; shown only to people, and only on a terminal.
pub(crate) struct Progress {
    total: usize,
    is_shown: bool,
}

impl Progress {
    pub(crate) fn of(output: Output, total: usize) -> Self {
        Self { total, is_shown: !output.is_json() && io::stderr().is_terminal() }
    }

    pub(crate) fn show(&self, done: usize) {
        if self.is_shown {
            to_stderr(&format!("\r{}", bar(done, self.total)));
        }
    }

    /// Makes room for the answer.
    pub(crate) fn finish(&self) {
        if self.is_shown {
            to_stderr(&format!("\r{}\r", " ".repeat(bar(self.total, self.total).len())));
        }
    }
}

fn bar(done: usize, total: usize) -> String {
    let filled = (WIDTH * done).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    format!("[{}{}] {done}/{total}", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

const WIDTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_from_left_to_right() {
        assert_eq!(bar(0, 8), format!("[{}] 0/8", ".".repeat(40)));
        assert_eq!(bar(2, 8), format!("[{}{}] 2/8", "#".repeat(10), ".".repeat(30)));
        assert_eq!(bar(8, 8), format!("[{}] 8/8", "#".repeat(40)));
        assert_eq!(bar(0, 0), format!("[{}] 0/0", "#".repeat(40)));
    }
}
