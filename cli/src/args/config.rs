//! `postern config`: configuration files, other people's and ours.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Convert a stock OpenVPN server configuration into a file for 'postern serve --config'
    Import(ImportArgs),
}

/// Every directive is reported on: done, adapted, ignored or refused.
#[derive(Args)]
pub(crate) struct ImportArgs {
    /// The configuration of the stock server
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Where relative paths in it start [default: the directory of the file]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cd: Option<PathBuf>,
    /// File to write; inline certificates and keys become files beside it [default: standard output]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}
