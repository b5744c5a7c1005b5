//! A handler that is a program: the request on its standard input, the answer on its standard output.

use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use crate::config::HookCommand;
use crate::hooks::{Environment, HookFailure, Runner};

/// Asks the program at `path`.
pub(super) fn ask(
    path: &Path,
    request: &[u8],
    timeout: Duration,
    at_most: usize,
) -> Result<Vec<u8>, Failure> {
    let command = HookCommand { program: path.to_owned(), arguments: Vec::new() };
    let environment = Environment::of_script("connect-handler");
    Runner::new(timeout).converse(&command, &environment, request, at_most).map_err(|failure| match failure {
        HookFailure::TimedOut { timeout, .. } => Failure::TimedOut { seconds: timeout.as_secs() },
        HookFailure::NotStarted { .. } => Failure::NotAsked(failure.to_string()),
        HookFailure::Refused { .. } => Failure::Broke(failure.to_string()),
    })
}
