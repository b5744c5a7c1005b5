//! The real easy-rsa, as the measure of the drop-in: Debian's, or the script that `EASYRSA_UNDER_TEST` names.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Answer, Place};

/// A real easy-rsa.
#[derive(Clone)]
pub(crate) struct RealEasyRsa {
    script: PathBuf,
    pub(crate) generation: Generation,
}

/// Commands and layout changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generation {
    V31,
    V32,
}

impl RealEasyRsa {
    pub(crate) fn find() -> Self {
        let named = std::env::var_os("EASYRSA_UNDER_TEST");
        let script = named.map_or_else(|| PathBuf::from("/usr/share/easy-rsa/easyrsa"), PathBuf::from);
        let text = std::fs::read_to_string(&script)
            .unwrap_or_else(|error| panic!("install easy-rsa, or set EASYRSA_UNDER_TEST: {error}"));
        let generation = if text.contains("revoke-issued") { Generation::V32 } else { Generation::V31 };
        Self { script, generation }
    }

    /// Runs it with P-256 keys, given as a variable and so overruled by options.
    pub(crate) fn run(&self, place: &Place, arguments: &[&str], input: &str) -> Answer {
        let mut command = Command::new(&self.script);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EASYRSA")) {
            command.env_remove(name);
        }
        command
            .current_dir(place.path())
            .args(arguments)
            .env("EASYRSA", self.directory())
            .env("EASYRSA_PKI", place.file("pki"))
            .env("EASYRSA_SSL_CONF", self.directory().join("openssl-easyrsa.cnf"))
            .env("EASYRSA_ALGO", "ec")
            .env("EASYRSA_CURVE", "prime256v1");
        place.answer(&mut command, input)
    }

    fn directory(&self) -> &Path {
        self.script.parent().unwrap()
    }
}

/// Runs the drop-in in the same way.
pub(crate) fn ours(place: &Place, arguments: &[&str], input: &str) -> Answer {
    let mut command = place.command("easyrsa", arguments);
    command
        .env("EASYRSA_PKI", place.file("pki"))
        .env("EASYRSA_ALGO", "ec")
        .env("EASYRSA_CURVE", "prime256v1");
    place.answer(&mut command, input)
}
