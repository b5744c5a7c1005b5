//! `postern pki`

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
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Correct what can be corrected without losing anything
    #[arg(long)]
    pub(crate) repair: bool,
}
