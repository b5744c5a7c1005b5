//! OpenSSL's pass phrase arguments, `pass:X`, `file:PATH`, `env:NAME`, `fd:N`, `stdin`, and `credential:NAME` for a secret
//! that systemd hands to a service.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pki_core::secret::Passphrase;
use zeroize::Zeroizing;

use crate::env;
use crate::error::CliError;
use crate::prompt::Prompter;

/// Where a passphrase comes from.
#[derive(Clone)]
pub(crate) enum PassphraseArgument {
    /// On the command line itself, visible to every process of the machine.
    Literal(Zeroizing<String>),
    File(String),
    Environment(String),
    Descriptor(u32),
    /// A file in the directory that systemd makes for LoadCredential= and its siblings.
    Credential(String),
    Stdin,
}

impl PassphraseArgument {
    /// Reads `pin-source` of a PKCS#11 URI: a path, `file:` and a path, or one of the other sources here.
    pub(crate) fn from_pin_source(source: &str) -> Result<Self, CliError> {
        let unusable =
            || unreadable("pin-source", "it is neither a path nor one of the sources that --passin knows");
        if source.starts_with('/') {
            return Ok(Self::File(source.to_owned()));
        }
        match source.parse() {
            Ok(Self::Literal(_)) | Err(_) => Err(unusable()),
            Ok(source) => Ok(source),
        }
    }

    /// The first line of the source.
    pub(crate) fn resolve(&self, prompter: &Prompter) -> Result<Passphrase, CliError> {
        match self {
            Self::Literal(text) => Ok(Passphrase::new(text.as_bytes().to_vec())),
            Self::File(path) => first_line_of(Path::new(path), &format!("file:{path}")),
            Self::Descriptor(number) => {
                first_line_of(Path::new(&format!("/dev/fd/{number}")), &format!("fd:{number}"))
            }
            Self::Credential(name) => first_line_of(&credential_file(name)?, &format!("credential:{name}")),
            Self::Environment(name) => match std::env::var_os(name) {
                Some(value) => Ok(Passphrase::new(octets(&value))),
                None => Err(unreadable(&format!("env:{name}"), "the variable is not set")),
            },
            Self::Stdin => match prompter.line_from_stdin().map_err(|cause| unreadable("stdin", cause))? {
                Some(line) => Ok(Passphrase::new(line.as_bytes().to_vec())),
                None => Err(unreadable("stdin", "it is at its end")),
            },
        }
    }
}

impl FromStr for PassphraseArgument {
    type Err = String;

    /// The text itself never stands in the error: it may be a passphrase.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("pass", literal)) => Ok(Self::Literal(Zeroizing::new(literal.to_owned()))),
            Some(("file", path)) => Ok(Self::File(path.to_owned())),
            Some(("credential", name)) if is_plain(name) => Ok(Self::Credential(name.to_owned())),
            Some(("env", name)) => Ok(Self::Environment(name.to_owned())),
            Some(("fd", number)) => number
                .parse()
                .map(Self::Descriptor)
                .map_err(|_| "fd: needs the number of an open file".into()),
            None if text == "stdin" => Ok(Self::Stdin),
            _ => Err("write pass:TEXT, file:PATH, env:NAME, fd:NUMBER, credential:NAME or stdin".into()),
        }
    }
}

/// The file that systemd has put a credential into.
pub(crate) fn credential_file(name: &str) -> Result<PathBuf, CliError> {
    let directory = std::env::var_os(env::CREDENTIALS_DIRECTORY);
    let missing = || unreadable(&format!("credential:{name}"), "systemd has handed over no credentials");
    directory.map(|directory| Path::new(&directory).join(name)).ok_or_else(missing)
}

/// One component of a path.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains('/')
}

fn first_line_of(path: &Path, argument: &str) -> Result<Passphrase, CliError> {
    let file = File::open(path).map_err(|cause| unreadable(argument, cause))?;
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    BufReader::new(file)
        .take(MAX_LINE)
        .read_until(b'\n', &mut line)
        .map_err(|cause| unreadable(argument, cause))?;
    let end = line.iter().position(|octet| matches!(octet, b'\n' | b'\r')).unwrap_or(line.len());
    Ok(Passphrase::new(line[..end].to_vec()))
}

fn octets(value: &OsStr) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;

    value.as_bytes().to_vec()
}

fn unreadable(argument: &str, cause: impl ToString) -> CliError {
    CliError::UnreadablePassphrase { argument: argument.to_owned(), cause: cause.to_string() }
}

const MAX_LINE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<PassphraseArgument>().err().unwrap()
    }

    #[test]
    fn every_source_of_openssl_is_understood() {
        for text in ["pass:a:b", "file:/x", "env:X", "fd:3", "stdin", "credential:ca-passphrase"] {
            assert!(text.parse::<PassphraseArgument>().is_ok(), "{text}");
        }
        for text in ["credential:", "credential:..", "credential:../x", "credential:a/b"] {
            assert!(text.parse::<PassphraseArgument>().is_err(), "{text}");
        }
    }

    #[test]
    fn key_05_a_refusal_never_repeats_the_text() {
        assert!(!refusal("hunter2").contains("hunter2"));
        assert!(!refusal("passs:hunter2").contains("hunter2"));
        assert!(!refusal("fd:hunter2").contains("hunter2"));
    }

    #[test]
    fn key_05_a_pin_source_is_a_place_and_never_the_pin_itself() {
        for source in ["/run/pin", "file:/run/pin", "env:PIN", "credential:ca-pin", "fd:3"] {
            assert!(PassphraseArgument::from_pin_source(source).is_ok(), "{source}");
        }
        for source in ["hunter2", "pass:hunter2", "|echo hunter2", "pin"] {
            let refusal = PassphraseArgument::from_pin_source(source).err().unwrap();
            assert!(!refusal.to_string().contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn only_the_first_line_of_a_file_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pass");
        std::fs::write(&path, "secret\r\nsecond\n").unwrap();
        let found = first_line_of(&path, "file").unwrap();
        assert!(found.matches(&Passphrase::new(b"secret".to_vec())));
    }
}
