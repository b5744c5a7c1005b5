//! Showing answers and errors; the only place that prints.

pub(crate) mod csv;
mod human;
mod json;
mod progress;
pub(crate) mod prometheus;
pub(crate) mod qr;
pub(crate) mod revocation_list;
mod table;

use std::io::{self, Write};

use serde_json::Value;

use crate::error::CliError;

/// What a command has to say when it is done.
pub(crate) struct Answer {
    /// For people.
    pub(crate) text: String,
    /// For programs.
    pub(crate) value: Value,
    /// What worked but should not stay as it is.
    pub(crate) warnings: Vec<pki_core::ca::Warning>,
}

impl Answer {
    /// An answer that was asked for in this form only.
    pub(crate) fn of_text(text: String) -> Self {
        Self { text, value: Value::Null, warnings: Vec::new() }
    }

    /// The same for programs.
    pub(crate) fn of_value(value: Value) -> Self {
        Self { text: String::new(), value, warnings: Vec::new() }
    }
}

/// How answers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Human,
    Json,
}

/// Prints answers to stdout, warnings and errors to stderr.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether programs read the answer, so that a long one is made in one form only.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    pub(crate) fn answer(self, answer: &Answer) -> Result<(), CliError> {
        let text = match self.format {
            Format::Human => {
                for warning in &answer.warnings {
                    self.note(&human::warning(warning));
                }
                answer.text.clone()
            }
            Format::Json => json::answer(answer),
        };
        print(&text)
    }

    /// Something that happened while a command runs on: `text` for people, `value` for programs.
    pub(crate) fn event(self, text: &str, value: &Value) -> Result<(), CliError> {
        match self.format {
            Format::Human => print(&format!("{text}\n")),
            Format::Json => print(&format!("{value}\n")),
        }
    }

    pub(crate) fn error(self, error: &CliError) {
        let text = match self.format {
            Format::Human => human::error(error),
            Format::Json => json::error(error),
        };
        to_stderr(&text);
    }

    /// A remark beside the answer; programs do not get it.
    pub(crate) fn note(self, text: &str) {
        if self.format == Format::Human {
            to_stderr(&format!("{text}\n"));
        }
    }
}

/// Text to stdout as it is.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(CliError::Output)
}

/// When even stderr is gone, nobody is left to tell.
pub(crate) fn to_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

pub(crate) use human::warning as warning_text;
pub(crate) use progress::Progress;
pub(crate) use table::{Table, printable};
