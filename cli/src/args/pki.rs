//! `postern pki`

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct PkiArgs {
    #[command(subcommand)]
    pub(crate) command: PkiCommand,
}

/// Commands about the directory as a whole.
#[derive(Subcommand)]
pub(crate) enum PkiCommand {
    /// Compare index, numbers, files, keys, list and modes; exit code 1 if something is wrong
    Check(CheckArgs),
    /// Follow the chain of the audit log; exit code 1 if it is broken
    Audit,
    /// Take over a directory of easy-rsa 2 into a new PKI directory; the old one is only read
    Convert(ConvertArgs),
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Correct what can be corrected without losing anything
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Args)]
pub(crate) struct ConvertArgs {
    /// The directory of easy-rsa 2 that holds ca.crt, ca.key and index.txt, usually keys/
    #[arg(value_name = "KEYS")]
    pub(crate) keys: PathBuf,
    /// easy-rsa 2's vars file, whose settings are kept [default: the one beside KEYS, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) vars: Option<PathBuf>,
}
