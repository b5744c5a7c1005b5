//! `postern export`

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// Name of the client; without it the profile has neither certificate nor key, and both can be appended
    pub(crate) name: Option<String>,
    /// Host name or address that clients connect to
    #[arg(long, value_name = "HOST")]
    pub(crate) remote: String,
    /// Port that clients connect to
    #[arg(long, default_value = "1194")]
    pub(crate) port: String,
    /// udp or tcp
    #[arg(long, default_value = "udp")]
    pub(crate) proto: String,
    /// Leave certificate and key out
    #[arg(long)]
    pub(crate) without_key: bool,
    /// Put the key into the profile without encryption
    #[arg(long, conflicts_with = "without_key")]
    pub(crate) decrypt_key: bool,
    /// File to write, readable by you only [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
