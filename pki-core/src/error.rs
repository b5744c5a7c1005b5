//! What every error of this crate answers besides its text, and the error of the authority's operations.
//!
//! Each area has its own enum (`NameError`, `KeyError`, `StoreError` ...); [`PkiError`] joins them with the causes
//! that only an operation on a whole PKI can have.

/// Whose move it is after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request was wrong: other arguments or another order of commands help.
    User,
    /// Disk, permissions, clock or a foreign program stand in the way.
    Environment,
    /// A safety rule refused; it can be overridden only where `help` says so.
    Denied,
    /// This should not happen.
    Bug,
}

/// Stable answers of an error for programs and for the person in front of it.
pub trait Explain: std::error::Error {
    /// A kebab-case code that never changes once published.
    fn code(&self) -> &'static str;
    /// Whose move it is.
    fn kind(&self) -> ErrorKind;
    /// What to do next, as a full sentence.
    fn help(&self) -> String;
}

