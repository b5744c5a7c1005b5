//! What is printed: results as lines of JSON on standard output, moments to wait for, and failures.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::BenchError;

/// Prints a result. A reader that went away does not need it.
pub(crate) fn result(result: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(result) {
        say(&line);
    }
}

/// Says that the measurement begins, with what the reader needs for its part.
pub(crate) fn ready(detail: &str) {
    say(format!("READY {detail}").trim_end());
}

pub(crate) fn failure(error: &BenchError) {
    let _ = writeln!(io::stderr(), "error[{}]: {error}\nhelp: {}", error.code(), error.help());
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
