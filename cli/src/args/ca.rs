//! `postern ca`

use clap::{Args, Subcommand};

use super::key::NewKeyArgs;

#[derive(Args)]
pub(crate) struct CaArgs {
    #[command(subcommand)]
    pub(crate) command: CaCommand,
}

/// Commands about the authority itself.
#[derive(Subcommand)]
pub(crate) enum CaCommand {
    /// Show which certificates depend on which generation of the authority
    Status,
    /// Give the authority a new key, or only a new certificate; what it has issued stays valid
    RollOver(RollOverArgs),
}

#[derive(Args)]
pub(crate) struct RollOverArgs {
    #[command(flatten)]
    pub(crate) key: NewKeyArgs,
    /// Keep the key: only dates and number change
    #[arg(long)]
    pub(crate) same_key: bool,
    /// Put the new key into this PKCS#11 token
    #[arg(long, value_name = "URI", conflicts_with = "same_key")]
    pub(crate) pkcs11: Option<String>,
    /// Days of validity
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
}
