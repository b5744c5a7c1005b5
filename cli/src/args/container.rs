//! `postern export-p12`, `export-p7`, `export-p8`, `export-p1`, `set-pass`

use clap::{Args, Subcommand};

/// Commands that put keys and certificates into other containers, or under other passphrases.
#[derive(Subcommand)]
pub(crate) enum ContainerCommand {
    /// Write certificate, key and authority as PKCS#12, for devices and browsers
    ExportP12(ExportP12Args),
    /// Write certificate and authority as PKCS#7
    ExportP7(ExportP7Args),
    /// Write a key as PKCS#8 under a passphrase of its own
    ExportP8(ExportP8Args),
    /// Write an RSA key as PKCS#1, which has no encryption
    ExportP1(ExportP1Args),
    /// Give a key another passphrase, or none
    SetPass(SetPassArgs),
}

#[derive(Args)]
#[command(after_help = "Example:
  postern --passout file:secret export-p12 alice@company.com --friendly-name 'Company VPN'")]
pub(crate) struct ExportP12Args {
    /// Name of the certificate
    pub(crate) name: String,
    /// `nopass`: leave the container without a passphrase
    #[arg(value_name = "nopass", value_parser = ["nopass"], hide_possible_values = true)]
    pub(crate) nopass: Option<String>,
    /// Leave the authority out
    #[arg(long)]
    pub(crate) no_ca: bool,
    /// Leave the key out
    #[arg(long)]
    pub(crate) no_key: bool,
    /// The name that importers show [default: NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) friendly_name: Option<String>,
    /// Encrypt as old systems want it: triple DES and SHA-1
    #[arg(long)]
    pub(crate) legacy: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern export-p7 alice@company.com")]
pub(crate) struct ExportP7Args {
    /// Name of the certificate
    pub(crate) name: String,
    /// Leave the authority out
    #[arg(long)]
    pub(crate) no_ca: bool,
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  postern --passin file:old --passout file:new export-p8 alice@company.com"
)]
pub(crate) struct ExportP8Args {
    /// Name of the key
    pub(crate) name: String,
    /// `nopass`: leave the exported key without encryption
    #[arg(value_name = "nopass", value_parser = ["nopass"], hide_possible_values = true)]
    pub(crate) nopass: Option<String>,
}

#[derive(Args)]
#[command(after_help = "Example:\n  postern export-p1 alice@company.com")]
pub(crate) struct ExportP1Args {
    /// Name of the key
    pub(crate) name: String,
}

#[derive(Args)]
#[command(after_help = "Examples:
  postern set-pass ca
  postern --passin file:old set-pass alice@company.com nopass")]
pub(crate) struct SetPassArgs {
    /// Name of the key; `ca` is the authority's
    pub(crate) name: String,
    /// `nopass`: leave the key without encryption
    #[arg(value_name = "nopass", value_parser = ["nopass"], hide_possible_values = true)]
    pub(crate) nopass: Option<String>,
    /// NAME is the path of a key file anywhere
    #[arg(long)]
    pub(crate) file: bool,
}
