//! `postern export`

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::profile::ProfileArgs;

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// Name of the client; without it the profile has neither certificate nor key, and both can be appended
    pub(crate) name: Option<String>,
    /// What is written [default: ovpn, or onc for chromeos-onc]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<FormatArgument>,
    /// Leave certificate and key out
    #[arg(long, conflicts_with = "decrypt_key")]
    pub(crate) without_key: bool,
    /// Leave the PKCS#12 file without a passphrase
    #[arg(long)]
    pub(crate) nopass: bool,
    /// File to write, readable by you only [default: standard output]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

/// What an export consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArgument {
    /// One complete profile
    Ovpn,
    /// One JSON document for ChromeOS, with the key unencrypted
    Onc,
    /// A profile, and certificate and key in a PKCS#12 file beside it
    P12,
    /// An archive with the profile, the certificates and a README
    Zip,
}
