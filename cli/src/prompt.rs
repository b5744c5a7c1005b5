//! Every question asked of a human, and what is answered in batch mode.
//!
//! Questions go to stderr, so that stdout holds answers only. Passphrases are read without echo from the terminal, or
//! as lines from a pipe.

use std::io::{self, BufRead, IsTerminal, Write};

use pki_core::secret::Passphrase;
use zeroize::Zeroizing;

use crate::error::CliError;

/// Asks questions, or answers them itself.
pub(crate) struct Prompter {
    is_batch: bool,
}

impl Prompter {
    /// In batch mode every confirmation counts as given and every default is taken.
    pub(crate) fn new(is_batch: bool) -> Self {
        Self { is_batch }
    }

    pub(crate) fn is_batch(&self) -> bool {
        self.is_batch
    }

    /// Asks for the word `yes`; anything else, or the end of the input, aborts.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), CliError> {
        if self.is_batch {
            return Ok(());
        }
        ask(&format!(
            "{question}\n\nType the word 'yes' to continue, or any other input to abort.\n  Confirm: "
        ));
        let answer = self.line_from_stdin();
        if !io::stdin().is_terminal() {
            ask("\n");
        }
        match answer {
            Ok(Some(answer)) if answer.as_str() == "yes" => Ok(()),
            Ok(_) | Err(_) => Err(CliError::NotConfirmed),
        }
    }

    /// Asks for a text; an empty answer takes the default, the end of the input aborts.
    pub(crate) fn text(&self, question: &str, default: &str) -> Result<String, CliError> {
        if self.is_batch {
            return Ok(default.to_owned());
        }
        ask(&format!("{question} [{default}]: "));
        match self.line_from_stdin() {
            Ok(Some(answer)) if answer.trim().is_empty() => Ok(default.to_owned()),
            Ok(Some(answer)) => Ok(answer.trim().to_owned()),
            Ok(None) | Err(_) => Err(CliError::NotConfirmed),
        }
    }

    /// Asks for the passphrase of an existing key.
    pub(crate) fn passphrase(&self, question: &str) -> Result<Passphrase, CliError> {
        let line = self.secret_line(question)?;
        Ok(Passphrase::new(line.as_bytes().to_vec()))
    }

    /// Asks twice for a new passphrase, and again while it is too short.
    pub(crate) fn new_passphrase(&self, question: &str) -> Result<Passphrase, CliError> {
        loop {
            let first = self.passphrase(question)?;
            if !first.is_acceptable() {
                ask(&format!("The passphrase must have at least {} characters.\n", Passphrase::MIN_LENGTH));
                continue;
            }
            let second = self.passphrase("Confirm the passphrase: ")?;
            if first.matches(&second) {
                return Ok(first);
            }
            return Err(CliError::PassphrasesDiffer);
        }
    }

    /// One line without its end; `None` at the end of the input.
    pub(crate) fn line_from_stdin(&self) -> io::Result<Option<Zeroizing<String>>> {
        let mut line = Zeroizing::new(String::with_capacity(256));
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let length = line.trim_end_matches(['\n', '\r']).len();
        line.truncate(length);
        Ok(Some(line))
    }

    fn secret_line(&self, question: &str) -> Result<Zeroizing<String>, CliError> {
        if io::stdin().is_terminal() {
            let answer = rpassword::prompt_password(question);
            return answer.map(Zeroizing::new).map_err(|cause| CliError::NoPassphrase(cause.to_string()));
        }
        ask(question);
        match self.line_from_stdin() {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(CliError::NoPassphrase("there is no terminal to ask at".into())),
            Err(cause) => Err(CliError::NoPassphrase(cause.to_string())),
        }
    }
}

/// A question that cannot be shown is still waiting for its answer, so a failure here is no reason to stop.
fn ask(question: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
}
