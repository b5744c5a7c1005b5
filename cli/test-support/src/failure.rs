//! What a scenario says when something did not happen.

use std::fmt;

/// The outcome of a harness operation.
pub type Result<T> = std::result::Result<T, Failure>;

/// One sentence, and the evidence below it. Prints the same in both forms, so that `unwrap` in a test shows it as is.
pub struct Failure(String);

impl Failure {
    /// A failure described by `sentence`.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl std::error::Error for Failure {}

/// Says what was being done when an error came up.
pub trait Context<T> {
    /// Turns the error into a [`Failure`] that begins with `doing`.
    fn context(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{doing}: {error}")))
    }
}
